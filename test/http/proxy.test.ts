// The smart proxy between a client and a server, one hop at a time.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { HeaderList } from '../../src/http/headers.ts'
import { at, fieldsOf, pieces, via, World } from './proxy-helpers.ts'
import { statuses } from './server-helpers.ts'

describe('fields of one hop', () => {
  it('what Connection names ends here, and so do the fields that are hop-by-hop anyway (RFC 9110 §7.6.1)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: JSON.stringify([...request.headers]) }))
    const { hops } = world.proxy('p')
    const lines = [
      'Connection: X-Private, Close-Me, keep-alive',
      'X-Private: secret',
      'Close-Me: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'TE: gzip',
      'Upgrade: h2c',
      'Proxy-Authorization: Basic YTpi',
      'Accept: a/b',
    ]
    const answer = await world.ask('p', via('http://o/x', lines))
    const seen = JSON.parse(/\r\n\r\n[0-9a-f]*\r?\n?(\[.*\])/s.exec(answer)?.[1] ?? 'null') as [string, string][]
    expect(seen).toEqual([
      ['Host', 'o'],
      ['Accept', 'a/b'],
      ['Via', '1.1 p'],
    ])
    expect(hops.map(({ what }) => what)).toEqual(['request-in', 'request-out', 'response-in', 'response-out'])
    expect(fieldsOf(hops[0])).toContain('X-Private: secret')
    expect(answer).toContain('Via: 1.1 p')
  })

  it('an answer loses the fields of its hop too, and a server cannot challenge for a proxy (RFC 9110 §7.6.1, §11.7.1)', async () => {
    const world = new World()
    const [servers] = [world.raw('o')]
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/'))
    await world.scheduler.settle()
    servers[0].send(
      'HTTP/1.1 407 No\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: max=3\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\nX: y\r\n\r\n',
    )
    await world.scheduler.settle()
    expect(peer.take()).toBe('HTTP/1.1 407 No\r\nContent-Length: 0\r\nX: y\r\nVia: 1.1 p\r\n\r\n')
  })

  it('Connection cannot take away what routes and frames a message (RFC 9110 §7.6.1)', async () => {
    const world = new World()
    world.server('o', async (request) => ({ body: `${request.headers.get('host')} ${await request.text()}` }))
    world.proxy('p')
    const answer = await world.ask(
      'p',
      via('http://o/', ['Connection: Host, Content-Length', 'Content-Length: 3'], 'abc', 'POST'),
    )
    expect(answer).toMatch(/o abc/)
  })

  it('TE: trailers is asked for anew, and trailers are passed on both ways (RFC 9110 §6.5.1, §10.1.4)', async () => {
    const world = new World()
    world.server('o', async (request, response) => {
      const body = await request.text()
      response.write(body)
      await response.end(undefined, new HeaderList({ 'X-Got': request.headers.get('te') ?? 'nothing' }))
    })
    world.proxy('p')
    const answer = await world.ask(
      'p',
      via(
        'http://o/',
        ['TE: trailers', 'Connection: TE', 'Transfer-Encoding: chunked'],
        '2\r\nhi\r\n0\r\nX-In: 1\r\n\r\n',
        'POST',
      ),
    )
    expect(answer).toMatch(/2\r\nhi\r\n0\r\nX-Got: trailers\r\n\r\n$/)
  })

  it('Via tells the version of each hop, and a request that comes round again is 508 (RFC 9110 §7.6.3)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: request.headers.get('via') ?? '' }))
    world.proxy('a', { parent: at('b') })
    world.proxy('b')
    expect(await world.ask('a', via('http://o/', [], '', 'GET', '1.0'))).toMatch(/\r\n\r\n1\.0 a, 1\.1 b$/)
    const loop = new World()
    loop.proxy('x', { parent: at('y') })
    const { proxy } = loop.proxy('y', { parent: at('x') })
    const answer = await loop.ask('x', via('http://o/'))
    expect(answer).toMatch(/^HTTP\/1.1 508 Loop Detected\r\n/)
    expect(answer).toContain('Proxy-Status: x; error=proxy_loop_detected')
    expect(proxy.counters.requests).toBe(1)
  })

  it('Forwarded or X-Forwarded-For by option (RFC 7239 §4)', async () => {
    const world = new World()
    world.server('o', (request) => ({
      body: `${request.headers.get('forwarded')}|${request.headers.get('x-forwarded-for')}`,
    }))
    world.proxy('f', { forwarded: 'forwarded' })
    world.proxy('x', { forwarded: 'x-forwarded' })
    world.proxy('n')
    expect(await world.ask('f', via('http://o/'))).toContain('for=client;host=o;proto=http|null')
    expect(await world.ask('x', via('http://o/', ['X-Forwarded-For: 10.0.0.9']))).toContain('null|10.0.0.9, client')
    expect(await world.ask('n', via('http://o/'))).toContain('null|null')
  })
})

describe('targets', () => {
  it('Host is what the absolute target says, whatever the client wrote there (RFC 9112 §3.2.2)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: `${request.target} ${request.headers.get('host')}` }), { role: 'proxy' })
    world.proxy('p')
    expect(await world.ask('p', 'GET http://O/a?b HTTP/1.1\r\nHost: evil\r\n\r\n')).toMatch(/\/a\?b o$/)
    expect(await world.ask('p', 'GET http://o HTTP/1.1\r\nHost: o\r\n\r\n')).toMatch(/\/ o$/)
    expect(await world.ask('p', 'OPTIONS http://o HTTP/1.1\r\nHost: o\r\n\r\n')).toMatch(/\* o$/)
    expect(await world.ask('p', 'GET http://o:80/ HTTP/1.0\r\n\r\n')).toMatch(/\/ o$/)
  })

  it('a forward proxy refuses what names no server (RFC 9112 §3.2.1)', async () => {
    const world = new World()
    world.proxy('p')
    for (const target of ['/', 'ftp://o/', 'http://o:99999/', 'http://o:0/', 'http://u@o/']) {
      expect(statuses(await world.ask('p', `GET ${target} HTTP/1.1\r\nHost: o\r\n\r\n`)), target).toEqual([400])
    }
  })

  it('a reverse proxy asks its server, by the name that the client used (RFC 9112 §3.2.1)', async () => {
    const world = new World()
    world.server('inner:8080', (request) => ({ body: `${request.target} ${request.headers.get('host')}` }))
    world.proxy('p', { origin: at('inner', 8080) })
    expect(await world.ask('p', 'GET /x HTTP/1.1\r\nHost: www.example\r\n\r\n')).toMatch(/\/x www\.example$/)
    expect(await world.ask('p', 'GET /x HTTP/1.0\r\n\r\n')).toMatch(/\/x inner:8080$/)
    expect(statuses(await world.ask('p', 'CONNECT o:443 HTTP/1.1\r\nHost: o:443\r\n\r\n'))).toEqual([403])
  })

  it('Max-Forwards counts down, and at 0 the proxy answers TRACE and OPTIONS itself (RFC 9110 §7.6.2)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: `at origin ${request.headers.get('max-forwards')}` }), { role: 'proxy' })
    world.proxy('p')
    expect(await world.ask('p', via('http://o/', ['Max-Forwards: 2'], '', 'TRACE'))).toMatch(/at origin 1$/)
    const trace = await world.ask('p', via('http://o/', ['Max-Forwards: 0', 'Cookie: c', 'X: y'], '', 'TRACE'))
    expect(trace).toMatch(/Content-Type: message\/http/)
    expect(trace).toMatch(/\r\n\r\nTRACE http:\/\/o\/ HTTP\/1\.1\r\nHost: o\r\nMax-Forwards: 0\r\nX: y\r\n\r\n$/)
    expect(await world.ask('p', via('http://o/', ['Max-Forwards: 0'], '', 'OPTIONS'))).toMatch(
      /^HTTP\/1.1 200 OK\r\nAllow: GET/,
    )
    expect(statuses(await world.ask('p', via('http://o/', ['Max-Forwards: x'], '', 'TRACE')))).toEqual([400])
    expect(await world.ask('p', via('http://o/', ['Max-Forwards: 0']))).toMatch(/at origin 0$/)
  })
})

describe('bodies', () => {
  it('chunks for an HTTP/1.1 client become bytes until the close for an HTTP/1.0 client (RFC 9112 §6.1)', async () => {
    const world = new World()
    world.server('o', () => ({ body: pieces('ab', 'c') }))
    world.proxy('p')
    expect(await world.ask('p', via('http://o/'))).toMatch(
      /Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n$/,
    )
    const peer = await world.dial('p')
    peer.send(via('http://o/', ['Connection: keep-alive'], '', 'GET', '1.0'))
    await world.scheduler.settle()
    expect(peer.take()).toMatch(/Connection: close\r\n\r\nabc$/)
    expect(peer.ended).toBe(true)
  })

  it('an answer of an HTTP/1.0 server, ended by its close, gets chunks and the connection stays (RFC 9112 §6.3)', async () => {
    const world = new World()
    const servers = world.raw('o')
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/'))
    await world.scheduler.settle()
    servers[0].send('HTTP/1.0 200 OK\r\n\r\nhello')
    servers[0].stream.end()
    await world.scheduler.settle()
    expect(peer.take()).toBe(
      'HTTP/1.1 200 OK\r\nVia: 1.0 p\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    )
    expect(peer.ended).toBe(false)
  })

  it('a chunked body gets a length for a server known to be HTTP/1.0, or 411 when it is too long (RFC 9112 §6.1)', async () => {
    const world = new World()
    const got: string[] = []
    world.server(
      'o',
      async (request) => {
        got.push(`${request.headers.get('content-length')} ${await request.text()}`)
        return { body: 'x' }
      },
      { httpVersion: '1.0' },
    )
    world.proxy('p', { gatherBytes: 8 })
    await world.ask('p', via('http://o/'))
    const post = (body: string): string => via('http://o/', ['Transfer-Encoding: chunked'], body, 'POST')
    expect(statuses(await world.ask('p', post('3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')))).toEqual([200])
    expect(statuses(await world.ask('p', post('a\r\n0123456789\r\n0\r\n\r\n')))).toEqual([411])
    expect(got).toEqual(['null ', '5 abcde'])
  })

  it.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', /Content-Length: 10\r\n.*\r\n\r\nabc$/s],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', /chunked\r\n\r\n3\r\nabc\r\n$/],
  ])('a body cut short of %s is passed on as it is and never completed (RFC 9112 §8)', async (_, answer, expected) => {
    const world = new World()
    const servers = world.raw('o')
    const { proxy } = world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/'))
    await world.scheduler.settle()
    servers[0].send(answer)
    await world.scheduler.settle()
    servers[0].stream.end()
    await world.scheduler.settle()
    expect(peer.take()).toMatch(expected)
    expect(peer.ended).toBe(true)
    expect(proxy.counters.truncated).toBe(1)
  })

  it('cut short towards an HTTP/1.0 client, to whom a close is an end, it is a reset (RFC 9112 §8)', async () => {
    const world = new World()
    const servers = world.raw('o')
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/', [], '', 'GET', '1.0'))
    await world.scheduler.settle()
    servers[0].send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await world.scheduler.settle()
    servers[0].stream.end()
    await world.scheduler.settle()
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' })
  })

  it('a slow client holds the server back, and a slow server the client (RFC 9112 §9)', async () => {
    const world = new World()
    let sent = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (; sent < 10_000_000; sent += 16_384) yield new Uint8Array(16_384)
    }
    world.server('o', () => ({ body: endless() }))
    world.proxy('p')
    const peer = await world.dial('p')
    peer.stream.pause()
    peer.send(via('http://o/'))
    await world.scheduler.settle()
    expect(sent).toBeLessThan(1_500_000)
    const slow = new World()
    let taken = 0
    slow.server('o', async (request) => {
      for await (const part of request.body) {
        taken += part.length
        await slow.scheduler.wait(SECOND)
      }
      return { body: 'x' }
    })
    slow.proxy('p')
    const up = await slow.dial('p')
    up.send(via('http://o/', ['Content-Length: 9000000'], '', 'POST'))
    let accepted = 0
    while (accepted < 8_000_000 && up.stream.write(new Uint8Array(16_384))) {
      accepted += 16_384
      await slow.scheduler.settle()
    }
    expect(accepted).toBeLessThan(1_500_000)
    expect(taken).toBeLessThan(accepted)
  })

  it('the head does not wait for a body that is slow to come, and a client that leaves takes the request with it', async () => {
    const world = new World()
    let aborted = false
    world.server('o', (request, response) => {
      request.signal.addEventListener('abort', () => {
        aborted = true
      })
      response.flushHead()
    })
    const { proxy } = world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/'))
    await world.scheduler.settle()
    expect(statuses(peer.take())).toEqual([200])
    peer.stream.destroy()
    await world.scheduler.settle()
    expect(aborted).toBe(true)
    expect(proxy.upstreamCount).toBe(0)
    expect(proxy.counters.aborted).toBe(1)
  })

  it('a client that leaves in the middle of its body leaves the server with a body cut short', async () => {
    const world = new World()
    let failure: unknown = null
    world.server('o', async (request) => {
      await request.text().catch((error: unknown) => {
        failure = error
      })
      return { body: 'x' }
    })
    world.proxy('p')
    const peer = await world.dial('p')
    peer.send(via('http://o/', ['Content-Length: 10'], 'abc', 'POST'))
    await world.scheduler.settle()
    peer.stream.destroy()
    await world.scheduler.settle()
    expect(failure).toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('100-continue and other 1xx', () => {
  it('1xx answers are passed on as they come, not to HTTP/1.0 clients (RFC 9110 §15.2)', async () => {
    const world = new World()
    world.server('o', (_, response) => {
      response.informational(103, { Link: '</a>' })
      return { body: 'x' }
    })
    world.proxy('p')
    expect(await world.ask('p', via('http://o/'))).toMatch(
      /^HTTP\/1.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1.1 200 OK/,
    )
    expect(await world.ask('p', via('http://o/', [], '', 'GET', '1.0'))).toMatch(/^HTTP\/1.1 200 OK/)
  })

  it("the server's 100 lets the client's body come, and its refusal reaches the client before (RFC 9110 §10.1.1)", async () => {
    const world = new World()
    world.server('o', async (request) => {
      if (request.path === '/no') return { status: 417 }
      return { body: await request.text() }
    })
    world.proxy('p')
    const lines = ['Expect: 100-continue', 'Content-Length: 4']
    const peer = await world.dial('p')
    peer.send(via('http://o/', lines, '', 'POST'))
    await world.scheduler.settle()
    expect(peer.take()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    peer.send('body')
    await world.scheduler.settle()
    expect(peer.take()).toMatch(/200 OK.*body$/s)
    expect(await world.ask('p', via('http://o/no', lines, '', 'POST'))).toMatch(/^HTTP\/1.1 417 .*Connection: close/s)
  })
})

describe('persistence on both sides', () => {
  it('each side keeps connections of its own (RFC 9112 §9.3)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: request.path }))
    const { proxy } = world.proxy('p')
    for (const path of ['/1', '/2', '/3']) {
      expect(await world.ask('p', via(`http://o${path}`, ['Connection: close']))).toMatch(
        new RegExp(`Connection: close\\r\\n.*${path}$`, 's'),
      )
    }
    expect(world.dialled.filter((one) => one === 'p > o')).toHaveLength(1)
    expect(proxy.counters).toMatchObject({ requests: 3, connections: 1, reused: 2 })
  })

  it('two connections to a server for each client, 2N for N (RFC 2616 §8.1.4)', async () => {
    const world = new World()
    let open = 0
    let most = 0
    world.server('o', async () => {
      most = Math.max(most, ++open)
      await world.scheduler.wait(SECOND)
      open--
      return { body: 'x' }
    })
    const { proxy } = world.proxy('p', { connectionsPerUser: 1 })
    const peers = await Promise.all([world.dial('p'), world.dial('p'), world.dial('p')])
    for (const peer of peers) peer.send(via('http://o/'))
    await world.scheduler.run(10 * SECOND)
    expect(most).toBe(3)
    const one = new World()
    const { proxy: single } = one.proxy('p', { connectionsPerUser: 1 })
    one.server('o', () => ({ body: 'x' }))
    await one.ask('p', via('http://o/1') + via('http://o/2'))
    expect(single.counters.connections).toBe(1)
    expect(proxy.counters.requests).toBe(3)
  })

  it('a kept connection that closes under a request: again for GET, 502 for POST (RFC 9112 §9.3.1)', async () => {
    for (const [method, expected] of [
      ['GET', 200],
      ['POST', 502],
    ] as const) {
      const world = new World()
      const servers = world.raw('o')
      const { proxy } = world.proxy('p')
      const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'
      const peer = await world.dial('p')
      peer.send(via('http://o/'))
      await world.scheduler.settle()
      servers[0].send(answer)
      await world.scheduler.settle()
      peer.take()
      peer.send(via('http://o/', ['Content-Length: 0'], '', method))
      servers[0].stream.destroy()
      await world.scheduler.settle()
      servers[1]?.send(answer)
      await world.scheduler.settle()
      expect(statuses(peer.take())).toEqual([expected])
      expect(proxy.counters.retries).toBe(method === 'GET' ? 1 : 0)
    }
  })
})

describe('errors', () => {
  it('what cannot be reached or understood is 502, what does not answer 504 (RFC 9110 §15.6)', async () => {
    const world = new World()
    const servers = world.raw('o')
    world.raw('silent')
    world.proxy('p', { serverTimeouts: { responseUs: 3 * SECOND } })
    const refused = await world.ask('p', via('http://nobody/'))
    expect(refused).toMatch(/^HTTP\/1.1 502 Bad Gateway\r\nProxy-Status: p; error=connection_refused\r\n/)
    const bad = await world.dial('p')
    bad.send(via('http://o/'))
    await world.scheduler.settle()
    servers[0].send('SSH-2.0\r\n\r\n')
    await world.scheduler.settle()
    expect(bad.take()).toMatch(/^HTTP\/1.1 502 .*error=http_protocol_error/s)
    const gone = await world.dial('p')
    gone.send(via('http://o/'))
    await world.scheduler.settle()
    servers[1].stream.end()
    await world.scheduler.settle()
    expect(gone.take()).toMatch(/^HTTP\/1.1 502 .*error=connection_terminated/s)
    const late = await world.dial('p')
    late.send(via('http://silent/'))
    await world.scheduler.run(10 * SECOND)
    expect(late.take()).toMatch(/^HTTP\/1.1 504 .*error=http_response_timeout/s)
  })

  it('a connection that does not open in time is 504', async () => {
    const world = new World()
    world.proxy('p', { connect: () => new Promise(() => undefined) })
    const peer = await world.dial('p')
    peer.send(via('http://o/'))
    await world.scheduler.run(9 * SECOND)
    expect(peer.take()).toBe('')
    await world.scheduler.run(11 * SECOND)
    expect(peer.take()).toMatch(/^HTTP\/1.1 504 .*connection_timeout/s)
  })

  it('407 until the credentials are right; they end here (RFC 9110 §11.7)', async () => {
    const world = new World()
    world.server('o', (request) => ({ body: String(request.headers.get('proxy-authorization')) }))
    const check = (user: string, password: string): boolean => user === 'al' && password === 'pw:d'
    world.proxy('p', { authenticate: { realm: 'a "b"', check } })
    const refused = await world.ask('p', via('http://o/'))
    expect(refused).toMatch(/^HTTP\/1.1 407 /)
    expect(refused).toContain('Proxy-Authenticate: Basic realm="a \\"b\\"", charset="UTF-8"')
    for (const value of ['Basic YWw6eA==', 'Bearer YWw6cHc6ZA==', 'Basic !!!', 'Basic YWw=']) {
      expect(statuses(await world.ask('p', via('http://o/', [`Proxy-Authorization: ${value}`])))).toEqual([407])
    }
    expect(await world.ask('p', via('http://o/', ['Proxy-Authorization: Basic YWw6cHc6ZA==']))).toMatch(/null$/)
  })

  it('limits of the client side answer 408, 413, 414 and 431 (RFC 9110 §15.5)', async () => {
    const world = new World()
    world.server('o', async (request) => ({ body: await request.text() }))
    world.proxy('p', { limits: { bodyBytes: 4, headerBytes: 200, startLineBytes: 100 } })
    expect(statuses(await world.ask('p', via('http://o/', ['Content-Length: 5'], '', 'POST')))).toEqual([413])
    expect(
      statuses(await world.ask('p', via('http://o/', ['Transfer-Encoding: chunked'], '5\r\nabcde\r\n', 'POST'))),
    ).toEqual([413])
    expect(statuses(await world.ask('p', via('http://o/', [`X: ${'y'.repeat(300)}`])))).toEqual([431])
    expect(statuses(await world.ask('p', via(`http://o/${'y'.repeat(300)}`)))).toEqual([414])
    const peer = await world.dial('p')
    peer.send('GET http://o/ HT')
    await world.scheduler.run(61 * SECOND)
    expect(statuses(peer.take())).toEqual([408])
  })
})
