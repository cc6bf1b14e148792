// Node's decoders for content codings, as the HTTP client takes them: gzip, deflate, br.
// Owns: streams of node:zlib as async iterables, both ways of "deflate". Does not own: when a body is decoded (src/http/decode.ts).
// Read first: RFC 9110 §8.4.1 (the codings; a "deflate" without its zlib wrapper is a known mistake).

import { pipeline, Readable, type Transform } from 'node:stream'
import zlib, { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'

/** Takes a coding off a body; throws when what comes is not in that coding, or is cut short. */
export type ContentDecoder = (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

/** Since Node 22.15. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform }

/** The value of `decoders` of an HttpClient: gzip, deflate, br, and zstd where Node has it (RFC 8878), by node:zlib. */
export const contentDecoders: Readonly<Record<'gzip' | 'deflate' | 'br', ContentDecoder> & { zstd?: ContentDecoder }> =
  {
    gzip: (body) => through(body, createGunzip()),
    deflate: inflate,
    br: (body) => through(body, createBrotliDecompress()),
    ...(createZstdDecompress !== undefined && { zstd: (body) => through(body, createZstdDecompress()) }),
  }

function through(body: AsyncIterable<Uint8Array>, coding: Transform): AsyncIterable<Uint8Array> {
  // What fails, on either side, ends both; whoever iterates hears of it.
  return pipeline(Readable.from(body, { objectMode: false }), coding, () => undefined)
}

async function* inflate(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = body[Symbol.asyncIterator]()
  const first = await source.next()
  if (first.done) return
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield first.value
      for (;;) {
        const next = await source.next()
        if (next.done) return
        yield next.value
      }
    } finally {
      await source.return?.()
    }
  }
  // RFC 1950 §2.2: the method in the low four bits of the first byte is 8; a raw stream never begins like that.
  yield* through(whole(), (first.value[0] & 15) === 8 ? createInflate() : createInflateRaw())
}
