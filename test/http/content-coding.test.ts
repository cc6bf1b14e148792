// Content codings: who gets which, and what changes with it. Compressed by Node's zlib.
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
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

  /** The data of a chunked body so far. */
  const chunksOf = (answer: string): Uint8Array => {
    let body = ''
    for (let at = answer.indexOf('\r\n\r\n') + 4; at < answer.length; ) {
      const end = answer.indexOf('\r\n', at)
      const size = Number.parseInt(answer.slice(at, end), 16)
      body += answer.slice(end + 2, end + 2 + size)
      at = end + 4 + size
    }
    return b(body)
  }
  /** Turns of the program until it is so: zlib works on threads of its own, and takes the time that it is given. */
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
  }
  const typed = { 'Content-Type': 'text/plain' }

  it('what is written is compressed as it goes; a line that nothing follows leaves at once (RFC 9110 §8.4)', async () => {
    const flushed = { br: zlib.constants.BROTLI_OPERATION_FLUSH, gzip: zlib.constants.Z_SYNC_FLUSH }
    const unpackSoFar = {
      br: (data: Uint8Array) => zlib.brotliDecompressSync(data, { finishFlush: flushed.br }),
      gzip: (data: Uint8Array) => zlib.gunzipSync(data, { finishFlush: flushed.gzip }),
    }
    for (const name of ['br', 'gzip'] as const) {
      const served = serve(
        async (_, response) => {
          response.writeHead(200, { 'Content-Type': 'text/event-stream', ETag: '"1"' })
          for (const line of ['one\n', 'two\n']) {
            await response.write(line)
            await served.scheduler.wait(1_000_000)
          }
          await response.end('three\n')
        },
        { codings },
      )
      served.peer.send(req('GET /', [`Accept-Encoding: ${name}`]))
      const soFar = async (text: string): Promise<void> => {
        await until(() => {
          const { received } = served.peer
          return received !== '' && unpackSoFar[name](chunksOf(received)).toString() === text
        })
      }
      await soFar('one\n')
      expect(served.peer.received).toMatch(
        new RegExp(`ETag: W/"1"[^]*Vary: Accept-Encoding[^]*Content-Encoding: ${name}`),
      )
      await served.scheduler.run(1_000_000)
      await soFar('one\ntwo\n')
      await served.scheduler.run(2_000_000)
      await soFar('one\ntwo\nthree\n')
      expect(served.peer.received.endsWith('0\r\n\r\n')).toBe(true)
    }
  })

  it('a writer is held back while the client reads nothing (memory stays bounded)', async () => {
    const random = new SeededRandom(1)
    const noise = Buffer.from(Array.from({ length: 20_000 }, () => random.int32())) // of which gzip makes nothing smaller
    let written = 0
    const served = serve(
      async (_, response) => {
        response.writeHead(200, typed)
        for (; written < 500; written++) await response.write(noise.toString('base64') + written)
        await response.end()
      },
      { codings },
    )
    const { peer } = served.connect(1000)
    peer.stream.pause()
    peer.send(req('GET /', ['Accept-Encoding: gzip']))
    for (let i = 0; i < 100; i++) await served.scheduler.settle()
    expect(written).toBeLessThan(100) // of 500, 10 MB: what the stream and the compressor hold
    peer.stream.destroy()
    for (let i = 0; i < 5; i++) await served.scheduler.settle()
    expect([written < 100, served.server.connectionCount]).toEqual([true, 1])
  })

  it('compressed or not, an answer is as long as Content-Length announced, or cut off (RFC 9110 §8.6)', async () => {
    for (const [length, isWhole] of [
      [TEXT.length, true],
      [TEXT.length + 1, false],
      [TEXT.length - 1, false],
    ] as const) {
      const served = serve(
        async (_, response) => {
          response.writeHead(200, { ...typed, 'Content-Length': length })
          await response.write(TEXT.slice(0, 1000))
          await response.end(TEXT.slice(1000))
        },
        { codings },
      )
      served.peer.send(req('GET /', ['Accept-Encoding: gzip']))
      const isOver = (): boolean => served.peer.closed || served.peer.received.endsWith('0\r\n\r\n')
      await until(isOver)
      expect([length, served.peer.closed, served.errors.length]).toEqual([length, !isWhole, isWhole ? 0 : 1])
      if (isWhole) expect(zlib.gunzipSync(chunksOf(served.peer.received)).toString()).toBe(TEXT)
    }
  })

  it('answers that are compressed on their way still come in the order of their requests (RFC 9112 §9.3.2)', async () => {
    const served = serve(
      async (request, response) => {
        response.writeHead(200, typed)
        await response.write(TEXT)
        await response.end(request.path)
      },
      { codings },
    )
    served.peer.send(['/1', '/2', '/3'].map((path) => req(`GET ${path}`, ['Accept-Encoding: gzip'])).join(''))
    await until(() => served.peer.received.split('0\r\n\r\n').length === 4)
    const bodies = served.peer.received
      .split(/(?=HTTP\/1.1 200)/)
      .map((one) => zlib.gunzipSync(chunksOf(one)).toString())
    expect(bodies.map((one) => one.slice(TEXT.length))).toEqual(['/1', '/2', '/3'])
  })

  it('HEAD has the fields of GET, and no length where GET has none of its own (RFC 9110 §9.3.2)', async () => {
    const { ask } = serve(
      (request) => ({
        headers: { ...typed, 'Content-Length': TEXT.length },
        body: request.method === 'HEAD' ? '' : TEXT,
      }),
      { codings },
    )
    const head = await ask(req('HEAD /', ['Accept-Encoding: gzip']))
    expect(head).toContain('Content-Encoding: gzip\r\n')
    expect(head).not.toContain('Content-Length')
    expect(await ask(req('HEAD /'))).toContain(`Content-Length: ${TEXT.length}\r\n`)
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
      expect(answer.includes('Vary')).toBe(path === '/partial')
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
    // RFC 9111 §4.3.4: with the strong tag nothing that is stored could be made fresh.
    expect(again).toContain(`ETag: ${etag}\r\n`)
    expect(await ask([`If-None-Match: ${etag}, ${etag?.slice(2)}`])).toContain(`ETag: ${etag?.slice(2)}\r\n`)
    const part = await ask(['Range: bytes=0-3'])
    expect(part).toContain('Vary: Accept-Encoding')
    expect(await ask(['Range: bytes=0-3,9-9'])).toMatch(/^HTTP\/1.1 206 [\s\S]*Vary: Accept-Encoding/)
    await served.scheduler.settle()
    expect(part).toMatch(/^HTTP\/1.1 206 [\s\S]*\r\n\r\nall $/)
  })
})
