// CONNECT: tunnels through the proxy, and two streams joined.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { joinStreams, type TunnelEnding } from '../../src/http/tunnel.ts'
import { RawPeer, streamPair, VirtualScheduler } from './helpers.ts'
import { at, fieldsOf, via, World } from './proxy-helpers.ts'
import { statuses } from './server-helpers.ts'

const connect = (to: string, lines: readonly string[] = []): string =>
  [`CONNECT ${to} HTTP/1.1`, `Host: ${to}`, ...lines, '', ''].join('\r\n')

describe('CONNECT (RFC 9110 §9.3.6)', () => {
  it('bytes pass both ways, those sent behind the request too', async () => {
    const world = new World()
    const servers = world.raw('o:443')
    const { proxy } = world.proxy('p')
    const peer = await world.dial('p')
    peer.send(`${connect('o:443')}hello`)
    await world.scheduler.settle()
    expect(peer.take()).toBe('HTTP/1.1 200 OK\r\n\r\n')
    expect(servers[0].take()).toBe('hello')
    servers[0].send('HTTP/1.1 is not looked at here\r\n')
    peer.send('\x00\x16')
    await world.scheduler.settle()
    expect(peer.take()).toBe('HTTP/1.1 is not looked at here\r\n')
    expect(servers[0].take()).toBe('\x00\x16')
    expect(proxy.counters).toMatchObject({ tunnels: 1, tunnelBytes: 5 + 32 + 2 })
  })

  it('half-close: one side has finished, the other may still send', async () => {
    const world = new World()
    const servers = world.raw('o:443')
    const { proxy } = world.proxy('p')
    const peer = await world.dial('p')
    peer.send(connect('o:443'))
    await world.scheduler.settle()
    peer.take()
    peer.send('last words')
    peer.stream.end()
    await world.scheduler.settle()
    expect(servers[0]).toMatchObject({ received: 'last words', ended: true })
    servers[0].send('and the answer')
    await world.scheduler.settle()
    expect(peer).toMatchObject({ received: 'and the answer', ended: false })
    servers[0].stream.end()
    await world.scheduler.settle()
    expect(peer.ended).toBe(true)
    expect(proxy.connectionCount).toBe(0)
  })

  it('an end that came with the request is passed on', async () => {
    const world = new World()
    const servers = world.raw('o:443')
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(`${connect('o:443')}x`)
    peer.stream.end()
    await world.scheduler.settle()
    expect(servers[0]).toMatchObject({ received: 'x', ended: true })
  })

  it('a reset on one side is a close on the other', async () => {
    const world = new World()
    const servers = world.raw('o:443')
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(connect('o:443'))
    await world.scheduler.settle()
    servers[0].stream.destroy()
    await world.scheduler.settle()
    expect(peer.closed || peer.ended).toBe(true)
  })

  it('only to ports that are allowed, and only to what can be reached', async () => {
    const world = new World()
    world.proxy('p')
    world.proxy('q', { connectPorts: 'all' })
    expect(statuses(await world.ask('p', connect('o:25')))).toEqual([403])
    expect(statuses(await world.ask('p', connect('o:443')))).toEqual([502])
    expect(statuses(await world.ask('q', connect('o:25')))).toEqual([502])
    for (const bad of ['o', 'o:', ':443', 'o:99999', 'http://o:443/', 'u@o:443']) {
      expect(statuses(await world.ask('q', connect(bad))), bad).toEqual([400])
    }
  })

  it('407 before any tunnel, and the next request on the same connection may bring credentials', async () => {
    const world = new World()
    world.raw('o:443')
    world.proxy('p', { authenticate: { realm: 'r', check: (user, password) => user === 'a' && password === 'b' } })
    const peer = await world.dial('p')
    peer.send(connect('o:443'))
    await world.scheduler.settle()
    expect(statuses(peer.take())).toEqual([407])
    peer.send(connect('o:443', ['Proxy-Authorization: Basic YTpi']))
    await world.scheduler.settle()
    expect(peer.take()).toMatch(/^HTTP\/1.1 200 OK/)
  })
})

describe('through another proxy', () => {
  it('CONNECT goes on to the parent, whose tunnel becomes ours, and whose refusal too (RFC 9110 §9.3.6)', async () => {
    const world = new World()
    const servers = world.raw('o:443')
    const { proxy } = world.proxy('a', { parent: at('b'), connectPorts: 'all' })
    const { hops } = world.proxy('b')
    const peer = await world.dial('a')
    peer.send(`${connect('o:443')}early`)
    await world.scheduler.settle()
    expect(peer.take()).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    expect(fieldsOf(hops[0])).toContain('Via: 1.1 a')
    expect(servers[0].take()).toBe('early')
    servers[0].send('late')
    await world.scheduler.settle()
    expect(peer.take()).toBe('late')
    peer.stream.destroy()
    await world.scheduler.settle()
    expect(servers[0].closed || servers[0].ended).toBe(true)
    expect(proxy.upstreamCount).toBe(0)
    expect(await world.ask('a', connect('o:25'))).toMatch(
      /^HTTP\/1.1 403 .*Proxy-Status: b; error=http_request_denied/s,
    )
  })

  it('a loop of tunnels is found by Via', async () => {
    const world = new World()
    world.proxy('a', { parent: at('b'), connectPorts: 'all' })
    world.proxy('b', { parent: at('a'), connectPorts: 'all' })
    expect(statuses(await world.ask('a', connect('o:25')))).toEqual([508])
  })
})

describe('Upgrade (RFC 9110 §7.8)', () => {
  const lines = ['Connection: Upgrade, X-Hop', 'Upgrade: chat/1', 'X-Hop: 1', 'X: y']

  it('by option it is proposed to the server, and after 101 the bytes belong to the new protocol', async () => {
    const world = new World()
    const servers = world.raw('o')
    const { hops } = world.proxy('p', { upgrade: true })
    const peer = await world.dial('p')
    peer.send(via('http://o/c', lines))
    await world.scheduler.settle()
    expect(servers[0].take()).toBe(
      'GET /c HTTP/1.1\r\nHost: o\r\nX: y\r\nUpgrade: chat/1\r\nConnection: Upgrade\r\nVia: 1.1 p\r\n\r\n',
    )
    servers[0].send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n\r\nhi')
    await world.scheduler.settle()
    expect(peer.take()).toMatch(/^HTTP\/1.1 101 .*Upgrade: chat\/1\r\n.*\r\n\r\nhi$/s)
    peer.send('ho')
    await world.scheduler.settle()
    expect(servers[0].take()).toBe('ho')
    expect(hops[1].line).toBe('GET /c HTTP/1.1')
  })

  it('a server that declines answers in HTTP; without the option nothing is proposed', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: String(request.headers.get('upgrade')) }))
    world.proxy('p', { upgrade: true })
    world.proxy('q')
    expect(await world.ask('p', via('http://o/', lines))).toMatch(/200 OK.*chat\/1$/s)
    expect(await world.ask('q', via('http://o/', lines))).toMatch(/200 OK.*null$/s)
  })
})

describe('two streams joined', () => {
  function joined(): { scheduler: VirtualScheduler; one: RawPeer; two: RawPeer; ending: () => TunnelEnding | null } {
    const scheduler = new VirtualScheduler()
    const [outerA, a] = streamPair()
    const [outerB, b] = streamPair()
    const none = new Uint8Array(0)
    let ending: TunnelEnding | null = null
    const limits = { scheduler, idleUs: 10 * SECOND, halfClosedUs: 3 * SECOND }
    void joinStreams({ stream: a, head: none, ended: false }, { stream: b, head: none, ended: false }, limits).then(
      (how) => {
        ending = how
      },
    )
    return { scheduler, one: new RawPeer(outerA), two: new RawPeer(outerB), ending: () => ending }
  }

  it('a slow reader holds the writer back', async () => {
    const { scheduler, one, two } = joined()
    two.stream.pause()
    let written = 0
    while (written < 5_000_000 && one.stream.write(new Uint8Array(10_000))) {
      written += 10_000
      await scheduler.settle()
    }
    expect(written).toBeLessThan(600_000)
    two.stream.resume()
    await scheduler.settle()
    expect(two.received.length).toBeGreaterThanOrEqual(written)
  })

  it('one that carries nothing is cut, sooner when half-closed', async () => {
    const { scheduler, one, two, ending } = joined()
    await scheduler.run(9 * SECOND)
    one.send('x')
    await scheduler.run(18 * SECOND)
    expect(ending()).toBe(null)
    two.stream.end()
    await scheduler.run(20 * SECOND)
    expect(ending()).toBe(null)
    await scheduler.run(22 * SECOND)
    expect(ending()).toBe('idle')
    expect(one.closed).toBe(true)
  })

  it('done when both have finished', async () => {
    const { scheduler, one, two, ending } = joined()
    one.stream.end('a')
    two.stream.end('b')
    await scheduler.settle()
    expect([one.received, two.received, ending()]).toEqual(['b', 'a', 'done'])
  })
})
