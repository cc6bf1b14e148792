// The pool: who gets which connection, limits, fairness, keeping and letting go.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { originKey } from '../../src/http/pool.ts'
import { RawPeer, streamPair } from './helpers.ts'
import { answer, farm, pathOf, ScriptedServer } from './pool-helpers.ts'

const paths = (n: number): string[] => Array.from({ length: n }, (_, i) => `/${i + 1}`)

describe('limits', () => {
  it('at most six connections to an origin, the others wait their turn (RFC 9112 §9.4)', async () => {
    const held: ScriptedServer[] = []
    const { get, servers, scheduler, pool } = farm({}, (server) => held.push(server))
    const asked = paths(10).map((path) => get(path))
    await scheduler.settle()
    expect(servers.length).toBe(6)
    expect(pool.waiting).toBe(4)
    while (held.length > 0) {
      const server = held.shift() as ScriptedServer
      server.send(answer(pathOf(server.requests.at(-1) ?? '')))
      await scheduler.settle()
    }
    expect(await Promise.all(asked)).toEqual(paths(10))
    expect(servers.length).toBe(6)
    expect(servers.flatMap(({ lines }) => lines).sort()).toEqual(
      paths(10)
        .map((path) => `GET ${path}`)
        .sort(),
    )
    expect(pool.counters).toMatchObject({ connections: 6, requests: 10, reused: 4 })
  })

  it('a limit in all; idle connections of other origins give way, the one idle longest first', async () => {
    const { get, servers, scheduler, pool } = farm({ maxTotal: 2, keepAliveUs: 60 * SECOND })
    for (const host of ['a', 'b', 'c']) {
      expect(await get('/x', {}, host)).toBe('/x')
      await scheduler.run(scheduler.now() + SECOND)
    }
    expect(pool.connections.map(({ origin }) => origin)).toEqual(['http://b:80', 'http://c:80'])
    expect(servers[0].peer.ended).toBe(true)
    expect(pool.counters.evicted).toBe(1)
  })

  it('fairness: an origin that keeps its connection busy does not starve another that has waited longer', async () => {
    const { get, scheduler, servers } = farm({ maxTotal: 1 }, (server, head) => {
      scheduler.schedule(scheduler.now() + SECOND, () => server.send(answer(pathOf(head))))
    })
    const order: string[] = []
    const ask = (path: string, host: string): Promise<void> =>
      get(path, {}, host).then((got) => void order.push(`${host}${got}`))
    const all = [ask('/1', 'a'), ask('/2', 'a'), ask('/3', 'b'), ask('/4', 'a'), ask('/5', 'a')]
    await scheduler.run(20 * SECOND)
    await Promise.all(all)
    expect(order).toEqual(['a/1', 'a/2', 'b/3', 'a/4', 'a/5'])
    expect(servers.map(({ origin }) => origin.host)).toEqual(['a', 'b', 'a'])
  })

  it('one more than may wait is refused with EBUSY, and nothing of it is sent', async () => {
    const { get, scheduler } = farm({ maxPerOrigin: 1, maxWaiting: 2 }, () => undefined)
    void get('/1')
    await scheduler.settle()
    void get('/2')
    void get('/3')
    expect(await get('/4')).toMatchObject({ code: 'EBUSY', sent: false })
  })

  it('waiting has a time limit, and so has connecting', async () => {
    const waits = farm({ maxPerOrigin: 1, waitUs: 2 * SECOND }, () => undefined)
    void waits.get('/1')
    await waits.scheduler.settle()
    const second = waits.get('/2')
    await waits.scheduler.run(3 * SECOND)
    expect(await second).toMatchObject({ code: 'ETIMEDOUT', sent: false })
    const never = farm({ connectUs: 5 * SECOND, connect: () => new Promise(() => undefined) })
    const asked = never.get('/1')
    await never.scheduler.run(6 * SECOND)
    expect(await asked).toMatchObject({ code: 'ETIMEDOUT', sent: false })
    expect(never.scheduler.pending).toBe(0)
  })

  it('an option out of its bounds is a RangeError that names it', () => {
    for (const [name, value] of [
      ['maxPerOrigin', 0],
      ['maxTotal', 1.5],
      ['pipelineDepth', 0],
      ['keepAliveUs', -1],
    ] as const) {
      expect(() => farm({ [name]: value })).toThrow(new RegExp(name))
    }
  })
})

describe('keeping connections', () => {
  it('the connection used last is used first, so that the others can age (RFC 9112 §9.3)', async () => {
    const { get, scheduler, servers } = farm({}, (server, head) => {
      scheduler.schedule(scheduler.now() + (pathOf(head) === '/slow' ? 2 : 1) * SECOND, () => server.send(answer('x')))
    })
    const both = [get('/fast'), get('/slow')]
    await scheduler.run(3 * SECOND)
    await Promise.all(both)
    const third = get('/third')
    await scheduler.run(5 * SECOND)
    await third
    expect(servers.map(({ lines }) => lines)).toEqual([['GET /fast'], ['GET /slow', 'GET /third']])
  })

  it('serial: a connection for each request says close and is not counted on (RFC 9112 §9.6)', async () => {
    const { get, servers, scheduler } = farm({ maxRequests: 1 }, (server, head) => {
      server.send(answer(pathOf(head), 'Connection: close\r\n'))
      server.stream.end()
    })
    for (const path of ['/1', '/2']) expect(await get(path)).toBe(path)
    await scheduler.settle()
    expect(servers.map(({ requests }) => requests.length)).toEqual([1, 1])
    for (const { requests } of servers) expect(requests[0]).toMatch(/^Connection: close$/m)
  })

  it('maxRequests: only the last request of a connection says close', async () => {
    const { get, servers } = farm({ maxRequests: 2 })
    for (const path of paths(3)) await get(path)
    expect(servers.map(({ requests }) => requests.map((head) => /^Connection: close$/m.test(head)))).toEqual([
      [false, true],
      [false],
    ])
  })

  it('Keep-Alive: max= is obeyed, also while others are under way', async () => {
    const { get, servers } = farm({}, (server, head) =>
      server.send(answer(pathOf(head), `Keep-Alive: timeout=60, max=${1 - server.requests.length + 1}\r\n`)),
    )
    for (const path of paths(5)) expect(await get(path)).toBe(path)
    expect(servers.map(({ requests }) => requests.length)).toEqual([2, 2, 1])
  })

  for (const [hint, least] of [
    ['timeout=5', 4],
    ['timeout=1', 0.5],
    ['timeout=100', 4],
  ] as const) {
    it(`Keep-Alive: ${hint} keeps an idle connection for ${least} s: less than the server, never more than our own 4 s (RFC 9112 §9.5)`, async () => {
      const { get, scheduler, pool } = farm({}, (server) => server.send(answer('x', `Keep-Alive: ${hint}\r\n`)))
      await get('/')
      await scheduler.run((least - 0.1) * SECOND)
      expect(pool.connections.length).toBe(1)
      await scheduler.run((least + 0.1) * SECOND)
      expect(pool.connections.length).toBe(0)
    })
  }

  it('an idle connection that the server has closed is not used', async () => {
    const { get, scheduler, servers, pool } = farm()
    await get('/1')
    servers[0].stream.end()
    await scheduler.settle()
    expect(pool.connections.length).toBe(0)
    expect(await get('/2')).toBe('/2')
    expect(servers.length).toBe(2)
    expect(pool.counters.retries).toBe(0)
  })

  it('a last look before use finds one of whose end nobody was told', async () => {
    let dead = false
    const { get, servers, pool } = farm({ isLive: () => !dead })
    await get('/1')
    dead = true
    const second = get('/2')
    dead = false
    expect(await second).toBe('/2')
    expect(servers.length).toBe(2)
    expect(pool.counters.retries).toBe(0)
  })

  it('words of the server that nobody asked for end an idle connection (RFC 9112 §9.5: a 408)', async () => {
    const { get, scheduler, servers } = farm()
    await get('/1')
    servers[0].send('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
    await scheduler.settle()
    expect(await get('/2')).toBe('/2')
    expect(servers.length).toBe(2)
  })

  it('an answer that says close frees its place only when it has ended (RFC 9112 §9.6)', async () => {
    const { get, scheduler, servers } = farm({ maxPerOrigin: 1 }, (server, head) => {
      server.send(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n${pathOf(head)}`)
    })
    const both = [get('/1'), get('/2')]
    await scheduler.settle()
    expect(servers.length).toBe(1)
    servers[0].send('..')
    await scheduler.settle()
    expect(servers.length).toBe(2)
    servers[1].send('..')
    expect(await Promise.all(both)).toEqual(['/1..', '/2..'])
  })
})

describe('opening', () => {
  it('a request takes a connection that becomes free while its own is still being opened', async () => {
    let opened = 0
    const { get, scheduler, servers } = farm({
      connect: async (origin) => {
        const slow = opened++ > 0
        if (slow) await scheduler.wait(10 * SECOND)
        const [ours, theirs] = streamPair()
        servers.push(
          new ScriptedServer(theirs, origin, (server, head) => {
            scheduler.schedule(scheduler.now() + SECOND, () => server.send(answer(pathOf(head))))
          }),
        )
        return ours
      },
    })
    const first = get('/1')
    await scheduler.settle()
    const second = get('/2')
    await scheduler.run(3 * SECOND)
    expect(await Promise.all([first, second])).toEqual(['/1', '/2'])
    expect(servers.map(({ lines }) => lines)).toEqual([['GET /1', 'GET /2']])
  })

  it('a failure to connect is heard by the request that has waited longest, each by one', async () => {
    let n = 0
    const { get, pool } = farm({ connect: () => Promise.reject(new Error(`refused ${++n}`)) })
    const all = await Promise.all([get('/1'), get('/2')])
    expect(all.map((error) => (error as Error).message)).toEqual(['refused 1', 'refused 2'])
    expect(pool.counters.failedConnects).toBe(2)
    expect(pool.connections).toEqual([])
  })

  it('an abort while connecting ends the attempt; a stream that comes all the same is dropped', async () => {
    const control = new AbortController()
    let signal: AbortSignal | undefined
    let give = (): void => undefined
    const [ours, theirs] = streamPair()
    const peer = new RawPeer(theirs)
    const { get, scheduler, pool } = farm({
      connect: (_, context) => {
        signal = context.signal
        return new Promise((resolve) => {
          give = () => resolve(ours)
        })
      },
    })
    const asked = get('/1', { signal: control.signal })
    await scheduler.settle()
    control.abort()
    expect(await asked).toMatchObject({ name: 'AbortError' })
    expect(signal?.aborted).toBe(true)
    give()
    await scheduler.settle()
    expect(ours.destroyed).toBe(true)
    expect(peer.closed).toBe(true)
    expect(pool.connections).toEqual([])
  })

  it('close() refuses what waits and lets what is under way end; destroy() drops everything', async () => {
    for (const how of ['close', 'destroy'] as const) {
      const { get, scheduler, pool, servers } = farm({ maxPerOrigin: 1 }, () => undefined)
      const first = get('/1')
      await scheduler.settle()
      const second = get('/2')
      pool[how]()
      expect(await second).toMatchObject({ code: 'ECONNABORTED', sent: false })
      await scheduler.settle()
      servers[0].send(answer('late'))
      await scheduler.settle()
      if (how === 'close') expect(await first).toBe('late')
      else expect(await first).toMatchObject({ code: 'ECONNRESET' })
      await scheduler.run(scheduler.now() + 10 * SECOND)
      expect(scheduler.pending).toBe(0)
      expect(await get('/3')).toBeInstanceOf(TypeError)
    }
  })
})

it('origins behind one proxy share its connections, unless they are https', () => {
  const proxy = { protocol: 'http:', host: 'p', port: 3128, authorization: null } as const
  const http = (host: string) => originKey({ protocol: 'http:', host, port: 80, proxy })
  const https = (host: string) => originKey({ protocol: 'https:', host, port: 443, proxy })
  expect(http('a')).toBe(http('b'))
  expect(https('a')).not.toBe(https('b'))
  expect(originKey({ protocol: 'http:', host: 'fd00::1', port: 80 })).toBe('http://[fd00::1]:80')
})
