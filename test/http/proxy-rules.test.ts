// The smart proxy where one side fails, leaves early or shuts down, and what switching and asking for the proxy itself must carry along.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { VirtualScheduler } from './helpers.ts'
import { at, pieces, via, World } from './proxy-helpers.ts'
import { statuses } from './server-helpers.ts'

/** A clock whose turns end where those of real time do: behind all that the turn's input has set going. */
class TurnScheduler extends VirtualScheduler {
  override defer(task: () => void): void {
    setImmediate(task)
  }
}

describe('a server that fails in the middle', () => {
  it.each([
    ['a chunk that is none', 'Transfer-Encoding: chunked\r\n\r\nxyz\r\n', 'http_protocol_error'],
    ['a body cut short', 'Content-Length: 10\r\n\r\n', 'connection_terminated'],
  ])(
    '%s, before the head has gone on: 502 without a field of that answer (RFC 9110 §15.6.3)',
    async (_, rest, type) => {
      const world = new World(new TurnScheduler())
      const servers = world.raw('o')
      world.proxy('p')
      const peer = await world.dial('p')
      peer.send(via('http://o/'))
      await world.scheduler.settle()
      servers[0].stream.end(`HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nCache-Control: max-age=9\r\n${rest}`)
      await world.scheduler.settle()
      const text = peer.take()
      expect(text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/)
      expect(text).toContain(`Proxy-Status: p; error=${type}\r\n`)
      expect(text).not.toMatch(/Set-Cookie|Cache-Control|Transfer-Encoding/)
    },
  )

  it.each([
    ['ends', false],
    ['resets', true],
  ])('one that refuses a body before it has come, and %s: its answer arrives (RFC 9112 §9.6)', async (_, isReset) => {
    const world = new World()
    const servers = world.raw('o')
    const { proxy } = world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/', ['Content-Length: 9000000'], 'a part of it', 'POST'))
    await world.scheduler.settle()
    servers[0].send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n')
    if (!isReset) servers[0].stream.end()
    await world.scheduler.settle()
    if (isReset) servers[0].stream.destroy()
    await world.scheduler.settle()
    expect(peer.take()).toMatch(/^HTTP\/1\.1 413 .*Connection: close\r\n.*\r\n\r\nno\n$/s)
    expect(peer.ended).toBe(true)
    await world.scheduler.run(20 * SECOND)
    expect([proxy.upstreamCount, proxy.connectionCount]).toEqual([0, 0])
  })

  it('a body that nobody reads is not taken without limit (RFC 9112 §9.3)', async () => {
    const world = new World()
    world.raw('o').length = 0
    world.listen('o', (stream) => stream.pause())
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/', ['Content-Length: 9000000'], '', 'POST'))
    let taken = 0
    while (taken < 8_000_000 && peer.stream.write(new Uint8Array(65_536))) {
      taken += 65_536
      await world.scheduler.settle()
    }
    expect(taken).toBeLessThan(1_500_000)
  })
})

describe('a client that leaves', () => {
  it('while it waits for a connection to the server, and nothing stays behind', async () => {
    const world = new World()
    const servers = world.raw('o')
    const { proxy } = world.proxy('p', { connectionsPerUser: 1 })
    const [one, two] = [await world.dial('p'), await world.dial('p')]
    one.send(via('http://o/1') + via('http://o/2'))
    two.send(via('http://o/3'))
    await world.scheduler.settle()
    // Two users, two connections, both for the one who pipelines: the other waits.
    expect(servers.length).toBe(2)
    one.stream.destroy()
    await world.scheduler.settle()
    servers[2].send('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
    await world.scheduler.settle()
    expect(statuses(two.take())).toEqual([200])
    await world.scheduler.run(30 * SECOND)
    expect([proxy.upstreamCount, servers.every((server) => server.ended || server.closed)]).toEqual([0, true])
  })

  it('in the middle of a long answer: the server is told at once (RFC 9112 §9.5)', async () => {
    const world = new World()
    const servers = world.raw('o')
    const { proxy } = world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/'))
    await world.scheduler.settle()
    servers[0].send('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome')
    await world.scheduler.settle()
    peer.stream.destroy()
    await world.scheduler.settle()
    expect(servers[0].closed).toBe(true)
    expect(proxy.counters).toMatchObject({ aborted: 1, truncated: 0 })
  })

  it('half-closed behind its request, it still gets its answer (RFC 9112 §9.6)', async () => {
    const world = new World()
    world.server('o', async () => {
      await world.scheduler.wait(SECOND)
      return { body: 'x' }
    })
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/'))
    peer.stream.end()
    await world.scheduler.run(2 * SECOND)
    expect(statuses(peer.take())).toEqual([200])
  })
})

describe('shutting down (RFC 9112 §9.6)', () => {
  it('what is under way is answered whole, with Connection: close; idle connections end; nothing is cut', async () => {
    const world = new World()
    const servers = world.raw('o')
    const { proxy } = world.proxy('p')
    const [busy, idle, waiting] = [await world.dial('p'), await world.dial('p'), await world.dial('p')]
    idle.send(via('http://o/idle'))
    await world.scheduler.settle()
    servers[0].send('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
    await world.scheduler.settle()
    busy.send(via('http://o/busy'))
    waiting.send(via('http://o/waiting'))
    await world.scheduler.settle()
    servers[0].send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
    await world.scheduler.settle()
    let closed = false
    void proxy.close().then(() => {
      closed = true
    })
    await world.scheduler.settle()
    expect([idle.ended, busy.ended, waiting.ended, closed]).toEqual([true, false, false, false])
    servers[0].send('def')
    servers[1].send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nghi')
    await world.scheduler.settle()
    expect([busy, waiting].map(({ ended }) => ended)).toEqual([true, true])
    expect(busy.take()).toMatch(/abcdef$/)
    expect(waiting.take()).toMatch(/Connection: close\r\n.*ghi$/s)
    for (const peer of [busy, idle, waiting, ...servers]) peer.stream.end()
    await world.scheduler.run(10 * SECOND)
    expect([closed, proxy.connectionCount, proxy.upstreamCount]).toEqual([true, 0, 0])
  })

  it('ten pipelined answers are not erased by an eleventh request that comes too late (RFC 9112 §9.6)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: request.path }))
    world.proxy('p', { limits: { requestsPerConnection: 10 } })
    const peer = await world.dial('p')
    peer.stream.pause()
    peer.send(Array.from({ length: 10 }, (_, i) => via(`http://o/${i}`)).join(''))
    await world.scheduler.settle()
    peer.send(via('http://o/late'))
    await world.scheduler.settle()
    peer.stream.resume()
    await world.scheduler.settle()
    expect([...peer.take().matchAll(/\r\n\r\n\/(\w)/g)].map(([, path]) => path)).toEqual([...'0123456789'])
    expect([peer.ended, peer.error]).toEqual([true, null])
  })
})

describe('requests that may become something else', () => {
  const lines = ['Connection: Upgrade', 'Upgrade: chat', 'Max-Forwards: 3']

  it('Upgrade carries Forwarded and counts Max-Forwards down, as any request does (RFC 9110 §7.6.2, RFC 7239)', async () => {
    const world = new World()
    const servers = world.raw('o')
    world.proxy('p', { upgrade: true, forwarded: 'forwarded' })
    const peer = await world.dial('p')
    peer.send(via('http://o/', lines, '', 'OPTIONS'))
    await world.scheduler.settle()
    const head = servers[0].take()
    expect(head).toMatch(/\r\nMax-Forwards: 2\r\n/)
    expect(head).toMatch(/\r\nForwarded: for=client;host=o;proto=http\r\n/)
    servers[0].send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await world.scheduler.settle()
    expect(statuses(peer.take())).toEqual([103, 200])
  })

  it('Upgrade that Connection does not name, or of HTTP/1.0, proposes nothing (RFC 9110 §7.8)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: String(request.headers.get('upgrade')) }))
    world.proxy('p', { upgrade: true })
    expect(await world.ask('p', via('http://o/', ['Upgrade: chat']))).toMatch(/\r\n\r\nnull$/)
    expect(await world.ask('p', via('http://o/', lines, '', 'GET', '1.0'))).toMatch(/\r\n\r\nnull$/)
  })

  it('CONNECT goes on to a parent with the Host of its target, whatever the client wrote there (RFC 9112 §3.2)', async () => {
    const world = new World()
    const parents = world.raw('b')
    world.proxy('a', { parent: at('b') })
    const peer = await world.dial('a')
    peer.send('CONNECT o:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n')
    await world.scheduler.settle()
    expect(parents[0].take()).toBe('CONNECT o:443 HTTP/1.1\r\nHost: o:443\r\nVia: 1.1 a\r\n\r\n')
  })
})

describe('Via (RFC 9110 §7.6.3)', () => {
  it('is found among comments, several lines and other versions; another name is no loop', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: request.headers.getAll('via').join(', ') }))
    world.proxy('p')
    for (const value of ['1.0 x (a comment), 1.1 P', 'HTTP/2.0 p', '1.1 a\r\nVia: 1.1 p']) {
      expect(statuses(await world.ask('p', via('http://o/', [`Via: ${value}`]))), value).toEqual([508])
    }
    expect(await world.ask('p', via('http://o/', ['Via: 1.1 pp, 1.0 x (p)']))).toMatch(/1\.1 pp, 1\.0 x \(p\), 1\.1 p$/)
  })

  it('of an answer tells who has passed it on, in the order from the server', async () => {
    const world = new World()
    const servers = world.raw('o')
    world.proxy('a', { parent: at('b') })
    world.proxy('b')
    const peer = await world.dial('a')
    peer.send(via('http://o/'))
    await world.scheduler.settle()
    servers[0].stream.end('HTTP/1.0 200 OK\r\nVia: 1.0 x\r\nContent-Length: 0\r\n\r\n')
    await world.scheduler.settle()
    expect([...peer.take().matchAll(/\r\nVia: (.*)/g)].map(([, value]) => value)).toEqual(['1.0 x', '1.0 b', '1.1 a'])
  })
})

describe('asking for the proxy itself, and for names in brackets', () => {
  it('OPTIONS * is answered by a forward proxy, and by the server of a reverse one (RFC 9110 §9.3.7)', async () => {
    const world = new World()
    world.server('o', () => ({ body: 'never' }))
    world.proxy('p')
    world.proxy('r', { origin: at('o') })
    const ask = (name: string): Promise<string> => world.ask(name, 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await ask('p')).toMatch(/^HTTP\/1\.1 200 OK\r\nAllow: GET, .*CONNECT\r\n/)
    expect(await ask('r')).toMatch(/^HTTP\/1\.1 200 OK\r\nAllow: GET, .*OPTIONS\r\n.*Via: 1\.1 r\r\n/s)
  })

  it('an IPv6 literal is dialled without its brackets and named with them (RFC 3986 §3.2.2)', async () => {
    const world = new World()
    const seen: string[] = []
    const serve = (request: { headers: { get(name: string): string | null } }): { body: string } => {
      seen.push(String(request.headers.get('host')))
      return { body: 'six' }
    }
    world.server('fd00::1:80', serve)
    world.server('fd00::1:8080', serve)
    world.raw('fd00::1:443')
    const { proxy } = world.proxy('p')
    expect(await world.ask('p', via('http://[fd00::1]/'))).toMatch(/six$/)
    expect(await world.ask('p', via('http://[FD00::1]:8080/'))).toMatch(/six$/)
    expect(seen).toEqual(['[fd00::1]', '[fd00::1]:8080'])
    expect(statuses(await world.ask('p', 'CONNECT [fd00::1]:443 HTTP/1.1\r\nHost: [fd00::1]:443\r\n\r\n'))).toEqual([
      200,
    ])
    expect(proxy.counters.tunnels).toBe(1)
    for (const bad of ['http://[fd00::1/', 'http://fd00::1/', 'http://[::x]/']) {
      expect(statuses(await world.ask('p', `GET ${bad} HTTP/1.1\r\nHost: o\r\n\r\n`)), bad).toEqual([400])
    }
  })
})

describe('bodies both ways', () => {
  it('a body that ends with trailers arrives with those that may pass, and with no field that frames (RFC 9110 §6.5.1)', async () => {
    const world = new World()
    const seen: unknown[] = []
    world.server('o', async (request, response) => {
      await request.text()
      seen.push(request.trailers?.toJSON())
      for await (const part of pieces('a')) await response.write(part)
      await response.end()
    })
    world.proxy('p')
    const trailers = 'X-Sum: 1\r\nContent-Length: 5\r\nHost: evil\r\nTransfer-Encoding: x\r\nAuthorization: y\r\n'
    await world.ask('p', via('http://o/', ['Transfer-Encoding: chunked'], `2\r\nhi\r\n0\r\n${trailers}\r\n`, 'POST'))
    expect(seen).toEqual([[['X-Sum', '1']]])
  })

  it('Expect goes on to the server; without its word the body comes when the client tires of waiting (RFC 9110 §10.1.1)', async () => {
    const world = new World()
    const servers = world.raw('o')
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/', ['Expect: 100-continue', 'Content-Length: 4'], '', 'PUT'))
    await world.scheduler.settle()
    expect(servers[0].take()).toMatch(/\r\nExpect: 100-continue\r\n/)
    expect(peer.take()).toBe('')
    servers[0].send('HTTP/1.1 100 Continue\r\n\r\n')
    await world.scheduler.settle()
    expect(peer.take()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    peer.send('body')
    await world.scheduler.settle()
    expect(servers[0].take()).toBe('body')
    servers[0].send('HTTP/1.1 204 No Content\r\n\r\n')
    await world.scheduler.settle()
    expect(statuses(peer.take())).toEqual([204])
  })
})
