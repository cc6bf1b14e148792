// The cache at work: in front of a server that is a function, in virtual time.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../../src/http/cache/store.ts'
import { dropBody } from '../../../src/http/hop.ts'
import { b } from '../helpers.ts'
import { type Answer, ago, Cached, URI } from './cache-helpers.ts'

const fresh = (seconds = 60): Answer => ({ headers: { 'Cache-Control': `max-age=${seconds}`, ETag: '"1"' } })

describe('hits', () => {
  it('the second request is answered from the store, with Age and Cache-Status (RFC 9111 §4, RFC 9211)', async () => {
    const cached = new Cached(() => fresh())
    expect(await cached.ask()).toMatchObject({ text: 'body', did: 'tunstack; fwd=uri-miss; fwd-status=200; stored' })
    await cached.pass(10)
    const second = await cached.ask()
    expect(second).toMatchObject({ status: 200, text: 'body', did: 'tunstack; hit; ttl=50' })
    expect(second.headers.get('age')).toBe('10')
    expect(cached.asked).toHaveLength(1)
  })

  it('HEAD is answered from GET without a body (RFC 9111 §4)', async () => {
    const cached = new Cached(() => fresh())
    await cached.ask()
    const head = await cached.ask({}, 'HEAD')
    expect([head.status, head.text, head.headers.get('content-length')]).toEqual([200, '', '4'])
    expect(cached.asked).toHaveLength(1)
  })

  it('variants are kept side by side, and a URI is one however it is spelled (RFC 9111 §4.1, RFC 9110 §4.2.3)', async () => {
    const cached = new Cached(({ headers }) => ({
      headers: { 'Cache-Control': 'max-age=60', Vary: 'Accept-Language' },
      body: headers.get('accept-language') ?? 'none',
    }))
    for (const one of ['de', 'fr']) expect((await cached.ask({ 'Accept-Language': one })).text).toBe(one)
    expect((await cached.ask({ 'Accept-Language': 'de' }, 'GET', 'HTTP://O:80/x#part')).text).toBe('de')
    expect(cached.asked).toHaveLength(2)
  })

  it('fields under no-cache="..." are not shown without validation (RFC 9111 §5.2.2.4)', async () => {
    const cached = new Cached(() => ({ headers: { 'Cache-Control': 'max-age=9, no-cache="X-User"', 'X-User': 'al' } }))
    expect((await cached.ask()).headers.get('x-user')).toBe('al')
    expect((await cached.ask()).headers.get('x-user')).toBe(null)
  })

  it('only-if-cached and not there: 504 (RFC 9111 §5.2.1.7)', async () => {
    const cached = new Cached(() => fresh())
    expect(await cached.ask({ 'Cache-Control': 'only-if-cached' })).toMatchObject({ status: 504 })
    expect(cached.asked).toHaveLength(0)
  })
})

describe('validation (RFC 9111 §4.3)', () => {
  it('a stale answer is asked about by its tag and date; 304 renews its fields and its age (RFC 9111 §4.3.1, §4.3.4)', async () => {
    let answers = 0
    const cached = new Cached(() =>
      answers++ === 0
        ? {
            headers: {
              'Cache-Control': 'max-age=9',
              ETag: '"1"',
              'Last-Modified': ago(99),
              X: 'old',
              Age: '3',
              'Content-Type': 'a/b',
            },
          }
        : {
            status: 304,
            headers: {
              'Cache-Control': 'max-age=99',
              ETag: '"1"',
              X: 'new',
              'Content-Type': 'c/d',
              'Content-Length': '7',
            },
            body: '',
          },
    )
    await cached.ask()
    await cached.pass(20)
    const got = await cached.ask({ Range: 'bytes=0-1' })
    expect(cached.asked[1].headers.toJSON()).toEqual([
      ['If-None-Match', '"1"'],
      ['If-Modified-Since', ago(99)],
    ])
    expect(got).toMatchObject({ status: 206, text: 'bo', did: 'tunstack; fwd=stale; fwd-status=304; ttl=99' })
    const again = await cached.ask()
    expect(again).toMatchObject({ text: 'body', did: 'tunstack; hit; ttl=99' })
    const fields = ['x', 'content-type', 'content-length', 'age'].map((name) => again.headers.get(name))
    expect(fields).toEqual(['new', 'a/b', '4', '0'])
  })

  it('a 304 about another representation is not believed: the whole is asked for (RFC 9111 §4.3.4)', async () => {
    const replies: Answer[] = [
      fresh(1),
      { status: 304, headers: { ETag: '"other"' }, body: '' },
      { ...fresh(1), body: 'new' },
    ]
    const cached = new Cached(() => replies.shift() as Answer)
    await cached.ask()
    await cached.pass(5)
    expect(await cached.ask()).toMatchObject({ status: 200, text: 'new' })
    expect(cached.asked[2].headers.has('if-none-match')).toBe(false)
  })

  it('a 304 renews whatever is stored under its strong tag, and nothing under another (RFC 9111 §4.3.4)', async () => {
    const cached = new Cached(({ headers }) => ({
      headers: {
        'Cache-Control': 'max-age=9',
        Vary: 'X-A',
        ETag: headers.get('x-a') === 'c' ? '"2"' : '"1"',
      },
    }))
    for (const one of ['a', 'b', 'c']) await cached.ask({ 'X-A': one })
    await cached.pass(10)
    cached.origin = () => ({ status: 304, headers: { 'Cache-Control': 'max-age=9', ETag: '"1"' }, body: '' })
    expect((await cached.ask({ 'X-A': 'a' })).did).toMatch(/fwd-status=304/)
    expect((await cached.ask({ 'X-A': 'b' })).did).toBe('tunstack; hit; ttl=9')
    expect(await cached.ask({ 'X-A': 'c', 'Cache-Control': 'only-if-cached' })).toMatchObject({ status: 504 })
    expect(cached.cache.store.get(URI)).toHaveLength(3)
  })

  it('a store that gives copies keeps one record of a validated answer, not one more for each time', async () => {
    const memory = new MemoryStore()
    const copies = {
      limits: memory.limits,
      get: (uri: string) => memory.get(uri).map((one) => ({ ...one })),
      set: (uri: string, records: Parameters<MemoryStore['set']>[1]) => memory.set(uri, records),
    }
    const cached = new Cached(({ headers }) => ({ ...fresh(9), status: headers.has('if-none-match') ? 304 : 200 }), {
      store: copies,
    })
    for (let i = 0; i < 3; i++) {
      await cached.ask()
      await cached.pass(10)
    }
    expect(memory.get(URI)).toHaveLength(1)
  })

  it('what a PUT has overtaken on its way is not stored, be it whole or a 304 (RFC 9111 §4.4)', async () => {
    for (const isValidation of [false, true]) {
      const cached = new Cached(() => fresh(9))
      if (isValidation) {
        await cached.ask()
        await cached.pass(10)
      }
      let answerNow = (_: Answer): void => undefined
      cached.origin = ({ method }) =>
        method === 'PUT' ? { status: 204, body: '' } : new Promise((resolve) => (answerNow = resolve))
      const slow = cached.ask()
      await cached.scheduler.settle()
      await cached.ask({}, 'PUT')
      answerNow(isValidation ? { ...fresh(9), status: 304, body: '' } : fresh(9))
      expect(await slow).toMatchObject({ status: 200, text: 'body' })
      expect(cached.cache.store.get(URI)).toHaveLength(0)
    }
  })

  it('a new answer takes the place of the old one (RFC 9111 §4.3.3)', async () => {
    let n = 0
    const cached = new Cached(() => ({ headers: { 'Cache-Control': 'max-age=9', ETag: `"${++n}"` }, body: `v${n}` }))
    await cached.ask()
    await cached.pass(10)
    expect((await cached.ask()).text).toBe('v2')
    expect((await cached.ask()).text).toBe('v2')
    expect(cached.cache.store.get(URI)).toHaveLength(1)
  })

  it("a client's own condition is answered here: 304 for what it has (RFC 9111 §4.3.2)", async () => {
    const cached = new Cached(() => ({
      headers: { 'Cache-Control': 'max-age=60', ETag: 'W/"1"', 'Last-Modified': ago(50) },
    }))
    await cached.ask()
    expect(await cached.ask({ 'If-None-Match': '"0", W/"1"' })).toMatchObject({ status: 304, text: '' })
    expect(await cached.ask({ 'If-None-Match': '*' })).toMatchObject({ status: 304 })
    expect(await cached.ask({ 'If-None-Match': '"2"' })).toMatchObject({ status: 200 })
    expect(await cached.ask({ 'If-Modified-Since': ago(50) })).toMatchObject({ status: 304 })
    expect(await cached.ask({ 'If-Modified-Since': ago(51) })).toMatchObject({ status: 200 })
    expect(await cached.ask({ 'If-None-Match': '"2"', 'If-Modified-Since': ago(0) })).toMatchObject({ status: 200 })
    const kept = await cached.ask({ 'If-None-Match': 'W/"1"' })
    expect(kept.headers.get('etag')).toBe('W/"1"')
    expect(kept.headers.has('content-length')).toBe(false)
    expect(cached.asked).toHaveLength(1)
  })

  it("with nothing stored the client's condition goes on, and its 304 comes back unstored (RFC 9111 §4.3.3)", async () => {
    const cached = new Cached(() => ({ status: 304, headers: { ETag: '"1"', 'Cache-Control': 'max-age=9' }, body: '' }))
    expect(await cached.ask({ 'If-None-Match': '"1"' })).toMatchObject({ status: 304 })
    expect(cached.asked[0].headers.get('if-none-match')).toBe('"1"')
    expect(cached.cache.store.get(URI)).toHaveLength(0)
  })

  it('HEAD renews a stored answer, or marks it when it tells of another one (RFC 9111 §4.3.5)', async () => {
    let tag = '"1"'
    const cached = new Cached(() => ({ headers: { 'Cache-Control': 'max-age=9', ETag: tag }, body: 'body' }))
    await cached.ask()
    await cached.pass(10)
    await cached.ask({ 'Cache-Control': 'no-store' }, 'HEAD')
    expect((await cached.ask({ 'Cache-Control': 'only-if-cached' })).status, 'no part of it is stored (§5.2.1.5)').toBe(
      504,
    )
    await cached.ask({ 'Cache-Control': 'no-cache' }, 'HEAD')
    expect(await cached.ask()).toMatchObject({ did: 'tunstack; hit; ttl=9' })
    tag = '"2"'
    await cached.pass(10)
    cached.origin = () => ({ headers: { 'Cache-Control': 'max-age=9', ETag: '"2"' }, body: 'body' })
    await cached.ask({ 'Cache-Control': 'no-cache' }, 'HEAD')
    expect((await cached.ask()).did).toMatch(/fwd=stale/)
  })
})

describe('failures', () => {
  it('stale-if-error: 5xx and lost connections give the stale answer, for so long (RFC 5861 §4)', async () => {
    for (const failure of ['503', 'lost']) {
      let isDown = false
      const cached = new Cached(() => {
        if (isDown && failure === 'lost') throw new Error('lost')
        return isDown ? { status: 503, body: 'down' } : { headers: { 'Cache-Control': 'max-age=9, stale-if-error=30' } }
      })
      await cached.ask()
      isDown = true
      await cached.pass(20)
      expect(await cached.ask()).toMatchObject({
        status: 200,
        text: 'body',
        did: expect.stringContaining('ttl=-11; detail=stale-if-error'),
      })
      await cached.pass(60)
      if (failure === 'lost') await expect(cached.ask()).rejects.toThrow('lost')
      else expect(await cached.ask()).toMatchObject({ status: 503, text: 'down' })
    }
  })

  it('must-revalidate is never served stale when cut off (RFC 9111 §5.2.2.2)', async () => {
    for (const [said, answered] of [
      ['max-age=1', true],
      ['max-age=1, must-revalidate', false],
    ] as const) {
      const cached = new Cached(() => ({ headers: { 'Cache-Control': said } }), { staleWhenDisconnected: true })
      await cached.ask()
      await cached.pass(5)
      cached.origin = () => {
        throw new Error('cut off')
      }
      const result = await cached.ask().catch(() => null)
      expect(result?.status ?? null).toBe(answered ? 200 : null)
    }
  })

  it('stale-while-revalidate: the stale answer at once, a new one for the next (RFC 5861 §3)', async () => {
    let n = 0
    const cached = new Cached(() => ({
      headers: { 'Cache-Control': 'max-age=9, stale-while-revalidate=30' },
      body: `v${++n}`,
    }))
    await cached.ask()
    await cached.pass(10)
    const answers = await Promise.all([cached.ask(), cached.ask(), cached.ask()])
    expect(answers.map(({ text }) => text)).toEqual(['v1', 'v1', 'v1'])
    await cached.scheduler.settle()
    expect((await cached.ask()).text).toBe('v2')
    expect(n).toBe(2)
  })

  it('a body cut short is passed on, and never stored (RFC 9111 §3.3)', async () => {
    async function* cut(): AsyncGenerator<Uint8Array> {
      yield b('bo')
      throw new Error('cut')
    }
    const cached = new Cached(() => ({ headers: { 'Cache-Control': 'max-age=60' }, body: cut() }))
    await expect(cached.ask()).rejects.toThrow('cut')
    expect(cached.cache.store.get(URI)).toHaveLength(0)
    // And one that ends well but is shorter than it said.
    const short = new Cached(() => ({
      headers: { 'Cache-Control': 'max-age=60', 'Content-Length': '9' },
      body: 'body',
    }))
    await short.ask()
    expect(short.cache.store.get(URI)).toHaveLength(0)
  })

  it('cut at every place, with a length or without, and left by the reader at any: never stored (RFC 9111 §3.3)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
        fc.nat(4),
        fc.constantFrom('throw', 'leave', 'whole'),
        async (parts, at, how) => {
          const text = parts.join('')
          async function* body(): AsyncGenerator<Uint8Array> {
            for (const [i, part] of parts.entries()) {
              if (how === 'throw' && i === at % parts.length) throw new Error('cut')
              yield Uint8Array.from(Buffer.from(part))
            }
          }
          const length = Buffer.byteLength(text)
          const cached = new Cached(() => ({
            headers: { 'Cache-Control': 'max-age=60', 'Content-Length': length },
            body: body(),
          }))
          const response = await cached.start()
          if (how === 'leave') {
            for await (const _ of response.body) break
          } else await dropBody(response)
          expect(cached.cache.store.get(URI).length).toBe(how === 'whole' ? 1 : 0)
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('ranges (RFC 9111 §3.3, §3.4)', () => {
  const text = '0123456789abcdefghij'
  /** A server with ranges, and a strong tag that may change. */
  const ranged = (): Cached & { tag: string } => {
    const cached: Cached & { tag: string } = Object.assign(
      new Cached(({ headers }): Answer => {
        const asked = /^bytes=([0-9]+)-([0-9]+)$/.exec(headers.get('range') ?? '')
        const fields = { 'Cache-Control': 'max-age=60', ETag: cached.tag }
        if (asked === null) return { headers: fields, body: text }
        const [start, last] = asked.slice(1).map(Number)
        return {
          status: 206,
          headers: { ...fields, 'Content-Range': `bytes ${start}-${last}/20` },
          body: text.slice(start, last + 1),
        }
      }),
      { tag: '"1"' },
    )
    return cached
  }

  it('a range of what is stored whole, a suffix, what lies behind the end (RFC 9110 §14)', async () => {
    const cached = ranged()
    await cached.ask()
    const part = await cached.ask({ Range: 'bytes=2-5' })
    expect([part.status, part.text, part.headers.get('content-range')]).toEqual([206, '2345', 'bytes 2-5/20'])
    expect(part.headers.get('content-length')).toBe('4')
    expect((await cached.ask({ Range: 'bytes=-2' })).text).toBe('ij')
    expect(await cached.ask({ Range: 'bytes=20-' })).toMatchObject({ status: 416, text: '' })
    expect(await cached.ask({ Range: 'rows=1-2' })).toMatchObject({ status: 200, text })
    expect(await cached.ask({ Range: 'bytes=1-2', 'If-Range': '"1"' })).toMatchObject({ status: 206 })
    expect(await cached.ask({ Range: 'bytes=1-2', 'If-Range': '"0"' })).toMatchObject({ status: 200, text })
    expect(await cached.ask({ Range: 'bytes=1-2', 'If-Range': 'W/"1"' })).toMatchObject({ status: 200, text })
    expect(cached.asked).toHaveLength(1)
  })

  it('parts are put together, and a whole of parts answers a plain request (RFC 9111 §3.4)', async () => {
    const cached = ranged()
    await cached.ask({ Range: 'bytes=5-9' })
    expect((await cached.ask({ Range: 'bytes=6-8' })).text).toBe('678')
    expect(cached.asked).toHaveLength(1)
    await cached.ask({ Range: 'bytes=15-19' })
    expect((await cached.ask({ Range: 'bytes=8-16' })).did).toMatch(/fwd=partial/)
    expect((await cached.ask({ Range: 'bytes=5-19' })).text).toBe(text.slice(5))
    await cached.ask({ Range: 'bytes=0-4' })
    expect(await cached.ask()).toMatchObject({ status: 200, text, did: 'tunstack; hit; ttl=60' })
    expect(cached.asked).toHaveLength(4)
  })

  it('parts of different tags are never mixed (RFC 9111 §3.4)', async () => {
    const cached = ranged()
    await cached.ask({ Range: 'bytes=0-9' })
    cached.tag = '"2"'
    await cached.ask({ Range: 'bytes=10-19' })
    expect((await cached.ask()).did).toMatch(/fwd=partial/)
    const weak = ranged()
    weak.tag = 'W/"1"'
    await weak.ask({ Range: 'bytes=0-9' })
    await weak.ask({ Range: 'bytes=10-19' })
    expect((await weak.ask()).did).toMatch(/fwd=partial/)
  })

  it('several ranges of what is stored come as multipart/byteranges, of a part too when it has them all (RFC 9110 §15.3.7.2)', async () => {
    const cached = ranged()
    await cached.ask({ Range: 'bytes=5-19' })
    for (const asked of ['bytes=6-7,-2', 'bytes=5-5, 18-18,7-8']) {
      const got = await cached.ask({ Range: asked })
      const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(got.headers.get('content-type') ?? '')?.[1]
      const parts = got.text.split(new RegExp(`(?:\r\n)?--${boundary}(?:--)?\r\n`)).slice(1, -1)
      expect([got.status, got.headers.get('content-range'), got.headers.get('content-length')]).toEqual([
        206,
        null,
        String(got.text.length),
      ])
      expect(parts).toEqual(
        asked === 'bytes=6-7,-2'
          ? ['Content-Range: bytes 6-7/20\r\n\r\n67', 'Content-Range: bytes 18-19/20\r\n\r\nij']
          : [5, 18, 7].map(
              (at, i) =>
                `Content-Range: bytes ${at}-${at + (i === 2 ? 1 : 0)}/20\r\n\r\n${text.slice(at, at + (i === 2 ? 2 : 1))}`,
            ),
      )
    }
    expect(cached.asked).toHaveLength(1)
    expect((await cached.ask({ Range: 'bytes=0-1,6-7' })).did).toMatch(/fwd=partial/)
  })

  it('whatever ranges were asked for, what comes is those bytes', async () => {
    const range = fc.tuple(fc.nat(19), fc.nat(19)).map(([x, y]) => [Math.min(x, y), Math.max(x, y)] as const)
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 8 }), async (ranges) => {
        const cached = ranged()
        for (const [start, last] of ranges) {
          const got = await cached.ask({ Range: `bytes=${start}-${last}` })
          expect([got.status, got.text]).toEqual([206, text.slice(start, last + 1)])
        }
        expect((await cached.ask()).text).toBe(text)
      }),
      { numRuns: 60 },
    )
  })
})

describe('invalidation (RFC 9111 §4.4)', () => {
  it.each([
    ['POST', 200, {}, true],
    ['PUT', 204, {}, true],
    ['DELETE', 302, {}, true],
    ['UNKNOWN', 200, {}, true],
    ['POST', 404, {}, false],
    ['POST', 500, {}, false],
    ['OPTIONS', 200, {}, false],
    ['TRACE', 200, {}, false],
  ] as const)('%s answered %d %j: thrown away %s', async (method, status, headers, expected) => {
    const cached = new Cached(() => fresh())
    await cached.ask()
    cached.origin = () => ({ status, headers, body: status === 204 ? '' : 'x' })
    await cached.ask({}, method)
    expect(cached.cache.store.get(URI).length).toBe(expected ? 0 : 1)
  })

  it('Location and Content-Location of the same origin, and of no other', async () => {
    const cached = new Cached(() => fresh())
    for (const uri of ['http://o/x', 'http://o/a', 'http://o/b', 'http://other/a']) await cached.ask({}, 'GET', uri)
    cached.origin = () => ({ status: 201, headers: { Location: '/a', 'Content-Location': 'http://other/a' } })
    await cached.ask({}, 'POST', 'http://o/new')
    const left = ['http://o/x', 'http://o/a', 'http://o/b', 'http://other/a'].map(
      (uri) => cached.cache.store.get(uri).length,
    )
    expect(left).toEqual([1, 0, 1, 1])
  })
})

describe('one request for many', () => {
  it('requests for the same wait for the first, and are answered from what it brought', async () => {
    let go = (): void => undefined
    const cached = new Cached(async () => {
      await new Promise<void>((resolve) => {
        go = resolve
      })
      return fresh()
    })
    const all = [1, 2, 3].map(() => cached.ask())
    await cached.scheduler.settle()
    expect(cached.asked).toHaveLength(1)
    go()
    const got = await Promise.all(all)
    expect(got.map(({ text }) => text)).toEqual(['body', 'body', 'body'])
    expect(got[1].did).toMatch(/hit; ttl=60; collapsed/)
    expect(cached.asked).toHaveLength(1)
  })

  it('what cannot be stored is not waited for twice, and a slow first not for ever', async () => {
    const cached = new Cached(() => ({ headers: { 'Cache-Control': 'no-store' } }))
    await Promise.all([cached.ask(), cached.ask()])
    expect(cached.asked).toHaveLength(2)
    let isFirst = true
    const slow = new Cached(() => {
      if (!isFirst) return fresh()
      isFirst = false
      return new Promise(() => undefined)
    })
    void slow.ask()
    const second = slow.ask()
    await slow.pass(6)
    expect(await second).toMatchObject({ text: 'body' })
  })
})

describe('the store in memory', () => {
  it('forgets what was not used for longest when it is full (RFC 9111 §2)', async () => {
    const store = new MemoryStore({ entries: 2 })
    const cached = new Cached(() => fresh(), { store })
    for (const path of ['a', 'b', 'a', 'c']) await cached.ask({}, 'GET', `http://o/${path}`)
    expect(['a', 'b', 'c'].map((path) => store.get(`http://o/${path}`).length)).toEqual([1, 0, 1])
  })

  it('keeps within its bytes, and takes nothing that is too large', async () => {
    const store = new MemoryStore({ bytes: 5000, bodyBytes: 2000 })
    const cached = new Cached(
      ({ uri }) => ({
        headers: { 'Cache-Control': 'max-age=60' },
        body: 'x'.repeat(Number(uri.slice(9))),
      }),
      { store },
    )
    for (let size = 1000; size < 1100; size++) {
      await cached.ask({}, 'GET', `http://o/${size}`)
      expect(store.bytes).toBeLessThanOrEqual(5000)
    }
    expect(store.size).toBe(3)
    await cached.ask({}, 'GET', 'http://o/2001')
    expect(store.get('http://o/2001')).toHaveLength(0)
    expect(() => new MemoryStore({ bytes: -1 })).toThrow('store limit bytes')
  })
})
