// The page that the demonstration serves: made here, so that nothing has to be shipped and every byte is known.

import { crc32, deflateSync } from 'node:zlib'
import { put32 } from '../base/bytes.ts'
import { SeededRandom } from '../base/random.ts'

/** A resource of the page. */
export interface Resource {
  readonly type: string
  readonly body: Uint8Array
}

const encoder = new TextEncoder()

/** The page's resources by path. The pictures grow: the last one needs several rounds of slow start. */
export function demoSite(pictures = 4): ReadonlyMap<string, Resource> {
  const site = new Map<string, Resource>()
  const names = Array.from({ length: pictures }, (_, i) => `/picture-${i + 1}.png`)
  site.set('/', { type: 'text/html; charset=utf-8', body: encoder.encode(page(names)) })
  site.set('/style.css', { type: 'text/css; charset=utf-8', body: encoder.encode(STYLE) })
  for (const [i, name] of names.entries()) {
    const last = i === pictures - 1
    site.set(name, { type: 'image/png', body: picture(i + 1, last ? 120 : 40) })
  }
  return site
}

const STYLE = `body { font: 18px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
img { width: 8rem; height: 8rem; margin: .3rem; border-radius: .5rem; image-rendering: pixelated; }
`

function page(pictures: readonly string[]): string {
  const images = pictures.map((src, i) => `  <img src="${src}" alt="picture ${i + 1}">`).join('\n')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>tunstack</title>
<link rel="stylesheet" href="/style.css">
<h1>This page came from a TCP written in TypeScript</h1>
<p>Every segment of it left a user process through a TUN device: handshake, slow start, acknowledgements and all.</p>
<p>
${images}
</p>
</html>
`
}

/** A PNG of coloured noise over a gradient, `size` pixels square; noise, so that it does not shrink to nothing. */
function picture(seed: number, size: number): Uint8Array {
  const random = new SeededRandom(seed)
  const stride = 1 + size * 3
  const raw = new Uint8Array(stride * size)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const noise = random.int32() & 31
      const at = y * stride + 1 + x * 3
      raw[at] = ((x * 200) / size + noise) & 255
      raw[at + 1] = ((y * 200) / size + noise) & 255
      raw[at + 2] = ((seed * 60) % 224) + noise
    }
  }
  const header = new Uint8Array(13)
  put32(header, 0, size)
  put32(header, 4, size)
  header.set([8, 2, 0, 0, 0], 8) // 8 bits a channel, RGB
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  return concat(signature, chunk('IHDR', header), chunk('IDAT', deflateSync(raw)), chunk('IEND', new Uint8Array(0)))
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = concat(encoder.encode(type), data)
  const out = new Uint8Array(8 + body.length)
  put32(out, 0, data.length)
  out.set(body, 4)
  put32(out, 4 + body.length, crc32(body))
  return out
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
