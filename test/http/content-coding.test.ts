// Content codings: who gets which, and what changes with it. Compressed by Node's zlib.
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { chooseCoding, codingWeight } from '../../src/http/content-coding.ts'
import { fileHandler } from '../../src/http/files.ts'
import { nodeCodings } from '../../src/net/http-codings.ts'
import { b } from './helpers.ts'
import { req, serve, statuses } from './server-helpers.ts'

const codings = nodeCodings()
const TEXT = 'all work and no play makes a dull server\n'.repeat(100)

describe('Accept-Encoding', () => {
  const rows: [string | null, string | null, string][] = [
    [null, null, 'no field: as it is (RFC 9110 §12.5.3)'],
    ['', null, 'an empty field: as it is (RFC 9110 §12.5.3)'],
    ['gzip, deflate, br', 'br', "equal weights: the server's first"],
    ['gzip', 'gzip', 'only one'],
    ['x-gzip', 'gzip', 'its old name (RFC 9110 §8.4.1.3)'],
    ['GZIP;Q=0.5', 'gzip', 'names and q have no case'],
    ['gzip;q=1.0, br;q=0.5', 'gzip', 'the heavier one'],
    ['br;q=0, gzip;q=0.001', 'gzip', 'q=0 is a no'],
    ['*', 'br', 'anything'],
    ['*;q=0', null, 'nothing'],
    ['br;q=0, *', 'gzip', 'anything but one'],
    ['gzip;q=0.5, identity', null, 'rather as it is'],
    ['gzip;q=0.5, identity;q=0.1', 'gzip', 'rather not as it is'],
    ['zstd', null, 'one that the server does not know'],
    ['gzip;q=2', null, 'a weight that is none'],
    ['gzip;q=0.1234', null, 'a weight of four digits'],
  ]
  for (const [value, expected, name] of rows) {
    it(`${name}: ${value}`, () => expect(chooseCoding(value, codings)?.name ?? null).toBe(expected))
  }

  it('identity is acceptable unless it is refused (RFC 9110 §12.5.3)', () => {
    expect([codingWeight('gzip', 'identity'), codingWeight('*;q=0', 'identity')]).toEqual([1, 0])
    expect(codingWeight('identity;q=0', 'identity')).toBe(0)
  })
})

describe('compressed answers', () => {
  const unpack = { br: zlib.brotliDecompressSync, gzip: zlib.gunzipSync, deflate: zlib.inflateSync }

  it('unpack to what was sent, with Vary and a length (RFC 9110 §8.4)', async () => {
    for (const name of ['br', 'gzip', 'deflate'] as const) {
      const { ask } = serve(() => ({ body: TEXT, headers: { ETag: '"1"' } }), { codings })
      const answer = await ask(req('GET /', [`Accept-Encoding: ${name}`]))
      const at = answer.indexOf('\r\n\r\n') + 4
      const head = answer.slice(0, at)
      expect(head).toContain(`Content-Encoding: ${name}\r\n`)
      expect(head).toContain('Vary: Accept-Encoding\r\n')
      expect(head).toContain('ETag: W/"1"\r\n')
      expect(head).toContain(`Content-Length: ${answer.length - at}\r\n`)
      expect(unpack[name](b(answer.slice(at))).toString()).toBe(TEXT)
    }
  })

  it('a stream is compressed as it comes, and ended when the client goes (RFC 9110 §8.4)', async () => {
    async function* parts(): AsyncGenerator<string> {
      for (let i = 0; i < 20; i++) yield TEXT
    }
    const served = serve(() => ({ body: parts(), headers: { 'Content-Type': 'text/plain' } }), { codings })
    served.peer.send(req('GET /', ['Accept-Encoding: gzip', 'Connection: close'], '', '1.1'))
    while (!served.peer.ended) await served.scheduler.settle()
    const answer = served.peer.take()
    expect(answer).toContain('Transfer-Encoding: chunked\r\n')
    let body = ''
    for (let at = answer.indexOf('\r\n\r\n') + 4; ; ) {
      const end = answer.indexOf('\r\n', at)
      const size = Number.parseInt(answer.slice(at, end), 16)
      if (size === 0) break
      body += answer.slice(end + 2, end + 2 + size)
      at = end + 4 + size
    }
    expect(zlib.gunzipSync(b(body)).toString()).toBe(TEXT.repeat(20))
  })

  it('small, coded, partial and no-transform answers, and media of other kinds, are sent as they are', async () => {
    const bodies: Record<string, () => object> = {
      '/small': () => ({ body: 'x' }),
      '/coded': () => ({ body: TEXT, headers: { 'Content-Encoding': 'x' } }),
      '/partial': () => ({ status: 206, body: TEXT }),
      '/exact': () => ({ body: TEXT, headers: { 'Cache-Control': 'no-transform' } }),
      '/image': () => ({ body: TEXT, headers: { 'Content-Type': 'image/png' } }),
    }
    const { ask } = serve((request) => bodies[request.path](), { codings })
    for (const path of Object.keys(bodies)) {
      const answer = await ask(req(`GET ${path}`, ['Accept-Encoding: gzip']))
      expect(answer).not.toContain('Content-Encoding: gzip')
      expect(answer).not.toContain('Vary')
    }
  })

  it('an answer that could be compressed says so to everybody (RFC 9110 §12.5.5)', async () => {
    const { ask } = serve(() => ({ body: TEXT, headers: { Vary: 'Cookie' } }), { codings })
    const answer = await ask(req())
    expect(answer).toContain('Vary: Cookie, Accept-Encoding\r\n')
    expect(answer).not.toContain('Content-Encoding')
  })

  it('a compressed file is known again by its weak tag, and ranges are of the bare one (RFC 9110 §8.8.3.3, §14.2)', async () => {
    const source = {
      stat: async () => ({ kind: 'file' as const, size: TEXT.length, modifiedMs: 0 }),
      open: async function* (_: string, start: number, end: number) {
        yield b(TEXT.slice(start, end))
      },
      list: async () => null,
    }
    const served = serve(fileHandler(source), { codings })
    const ask = async (lines: string[]): Promise<string> => {
      served.peer.send(req('GET /a.txt', ['Accept-Encoding: gzip', ...lines]))
      let text = ''
      while (!/\r\n\r\n/.test(text)) {
        await served.scheduler.settle()
        text += served.peer.take()
      }
      return text
    }
    const etag = /ETag: (W\/\S+)/.exec(await ask([]))?.[1]
    await served.scheduler.settle()
    served.peer.take()
    const again = await ask([`If-None-Match: ${etag}`])
    expect(statuses(again)).toEqual([304])
    expect(again).toContain('Vary: Accept-Encoding')
    const part = await ask(['Range: bytes=0-3'])
    expect(part).toMatch(/^HTTP\/1.1 206 [\s\S]*\r\n\r\nall $/)
  })
})
