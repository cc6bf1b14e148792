// The cache in its three places: in a proxy, in front of a server's handler, inside a client; and records as bytes.
import { describe, expect, it } from 'vitest'
import { HttpCache } from '../../../src/http/cache/cache.ts'
import { cachedFetch } from '../../../src/http/cache/client-cache.ts'
import { cachingHandler } from '../../../src/http/cache/gateway.ts'
import { decodeRecords, encodeRecords } from '../../../src/http/cache/record-codec.ts'
import { HttpClient } from '../../../src/http/client.ts'
import { at, via, World } from '../proxy-helpers.ts'
import { req, statuses } from '../server-helpers.ts'
import { NOW, PRIVATE, stored } from './cache-helpers.ts'

const cacheOf = (world: World, shared = true): HttpCache => {
  const { scheduler } = world
  return new HttpCache({ scheduler, wallClock: () => NOW + scheduler.now() / 1000, policy: { shared } })
}

describe('in a proxy', () => {
  it('the second client is answered near by, with the Via of both; a body cut short is not stored', async () => {
    const world = new World()
    let asked = 0
    world.server('o', () => {
      asked++
      return { headers: { 'Cache-Control': 'max-age=60' }, body: 'hello' }
    })
    world.proxy('p', { cache: cacheOf(world) })
    expect(await world.ask('p', via('http://o/x'))).toMatch(
      /fwd=uri-miss; fwd-status=200; stored\r\nVia: 1.1 p\r\n.*hello/s,
    )
    const second = await world.ask('p', via('http://o/x'))
    expect(second).toMatch(/Age: 0\r\nCache-Status: tunstack; hit; ttl=60\r\nVia: 1.1 p\r\n\r\nhello$/)
    expect(asked).toBe(1)
    const cut = new World()
    const servers = cut.raw('o')
    const cache = cacheOf(cut)
    cut.proxy('p', { cache })
    const peer = await cut.dial('p')
    peer.send(via('http://o/x'))
    await cut.scheduler.settle()
    servers[0].send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 9\r\n\r\nhell')
    await cut.scheduler.settle()
    servers[0].stream.end()
    await cut.scheduler.settle()
    expect(peer.take()).toMatch(/\r\n\r\nhell$/)
    expect(cache.store.get('http://o/x')).toEqual([])
  })

  it('what the cache asks by itself goes out without the body of a GET, which has gone by (RFC 9110 §9.3.1)', async () => {
    const world = new World()
    const asked: string[] = []
    world.server('o', async (request) => {
      const body = await request.text()
      asked.push(`${request.headers.get('if-none-match')} ${request.headers.get('content-length')} ${body}`)
      // The third answer is a 304 about something else: the cache asks a fourth time, for the whole.
      if (asked.length === 3) return { status: 304, headers: { ETag: '"other"' } }
      const lifetime = { 'Cache-Control': 'max-age=1, stale-while-revalidate=60', ETag: `"${asked.length}"` }
      return { headers: lifetime, body: `${asked.length}` }
    })
    const { proxy } = world.proxy('p', { cache: cacheOf(world) })
    const ask = async (lines: string[] = []): Promise<string> => {
      await world.scheduler.run(world.scheduler.now() + 10_000_000)
      return (await world.ask('p', via('http://o/x', ['Content-Length: 2', ...lines], 'hi'))).slice(-1)
    }
    expect([await ask(), await ask()]).toEqual(['1', '1'])
    await world.scheduler.settle()
    expect(asked).toEqual(['null 2 hi', '"1" null '])
    expect(await ask(['Cache-Control: no-cache'])).toBe('4')
    expect(asked.slice(2)).toEqual(['"2" 2 hi', 'null null '])
    await world.scheduler.run(world.scheduler.now() + 20_000_000)
    expect(proxy.upstreamCount).toBe(0)
  })

  it('caches of a chain each say their word, nearest to the origin first (RFC 9211 §2)', async () => {
    const world = new World()
    world.server('o', () => ({ headers: { 'Cache-Control': 'max-age=60' }, body: 'hello' }))
    const { scheduler } = world
    const own = (name: string): HttpCache => new HttpCache({ scheduler, wallClock: () => NOW, name })
    world.proxy('a', { parent: at('b'), cache: own('near') })
    world.proxy('b', { cache: own('far') })
    const answer = await world.ask('a', via('http://o/x'))
    expect(answer).toMatch(
      /Cache-Status: far; fwd=uri-miss; fwd-status=200; stored\r\nVia: 1.1 b\r\nCache-Status: near; fwd=uri-miss/,
    )
    expect(await world.ask('a', via('http://o/x'))).toMatch(/Cache-Status: near; hit; ttl=60/)
  })
})

describe('in front of a handler', () => {
  it('the handler is asked once, then only whether it still holds; what it throws is 500', async () => {
    const world = new World()
    const asked: (string | null)[] = []
    const cache = cacheOf(world)
    const handler = cachingHandler(
      async (request, response) => {
        if (request.path === '/bad') throw new Error('no')
        if (request.path === '/cut') {
          response.write('x'.repeat(10))
          throw new Error('cut')
        }
        if (request.method === 'POST') return { body: `got ${await request.text()}` }
        asked.push(request.headers.get('if-none-match'))
        const headers = { 'Cache-Control': 'max-age=10', ETag: '"1"' }
        return asked.length > 1 ? { status: 304, headers } : { headers, body: 'hello' }
      },
      cache,
      { scheduler: world.scheduler },
    )
    world.server('s', handler)
    expect(await world.ask('s', req('GET /x'))).toMatch(/hello$/)
    expect(await world.ask('s', req('GET /x'))).toMatch(/Cache-Status: tunstack; hit; ttl=10\r\n.*hello$/s)
    await world.scheduler.run(world.scheduler.now() + 20_000_000)
    expect(await world.ask('s', req('GET /x'))).toMatch(/fwd-status=304.*hello$/s)
    expect(asked).toEqual([null, '"1"'])
    expect(await world.ask('s', req('POST /x', ['Content-Length: 3'], 'abc'))).toMatch(/got abc$/)
    expect(cache.counters.invalidated).toBe(1)
    expect(statuses(await world.ask('s', req('GET /bad')))).toEqual([500])
    const cut = await world.ask('s', req('GET /cut'))
    expect(cut).toMatch(/chunked\r\n\r\na\r\nx{10}\r\n$/)
    expect(cache.store.get('http://a/cut')).toEqual([])
  })
})

describe('inside a client', () => {
  it('a private answer is kept for its user, and a POST throws it away', async () => {
    const world = new World()
    let asked = 0
    world.server('o', async (request) => {
      if (request.method === 'POST') return { body: await request.text() }
      return { headers: { 'Cache-Control': 'private, max-age=60' }, body: String(++asked) }
    })
    const cache = cacheOf(world, false)
    const client = new HttpClient({ scheduler: world.scheduler, connect: world.connect('client') })
    const get = async (): Promise<string> => (await cachedFetch(client, cache, 'http://o/x')).text()
    expect([await get(), await get()]).toEqual(['1', '1'])
    const posted = await cachedFetch(client, cache, 'http://o/x', { method: 'POST', body: 'new' })
    expect(await posted.text()).toBe('new')
    expect(await get()).toBe('2')
  })
})

describe('records as bytes', () => {
  const records = [
    stored({ 'Cache-Control': 'max-age=9', Vary: 'A' }, 5, { A: '1' }, PRIVATE),
    stored({ X: '\u00e9' }, 0, {}, PRIVATE),
  ]

  it('come back as they were', () => {
    const back = decodeRecords(encodeRecords(records))
    const plain = (list: typeof records | null): unknown =>
      list?.map((one) => ({ ...one, headers: one.headers.toJSON() }))
    expect(plain(back)).toEqual(plain(records))
  })

  it('cut off or changed at any byte they are nothing', () => {
    const bytes = encodeRecords(records)
    for (let at = 0; at < bytes.length; at++) {
      expect(decodeRecords(bytes.subarray(0, at))).toBe(null)
      const changed = bytes.slice()
      changed[at] ^= 1 << (at % 8)
      expect(decodeRecords(changed)).toBe(null)
    }
  })
})
