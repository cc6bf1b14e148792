// The server on good requests.
import { describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/http/headers.ts'
import type { ServerRequest } from '../../src/http/server-message.ts'
import { s } from './helpers.ts'
import { req, serve, statuses } from './server-helpers.ts'

describe('answers', () => {
  it('head and first body bytes leave in one write, so that no delayed ACK can part them (RFC 9293 §3.7.4)', async () => {
    const { ask, stream } = serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain' })
      response.write('hello')
      response.end(' world')
    })
    expect(await ask(req())).toBe(
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
    )
    expect(stream.writes.length).toBe(1)
  })

  it('flushHead sends the head alone, for those who want to see what that costs', async () => {
    const { ask, stream } = serve((_, response) => {
      response.headers.set('Content-Length', 5)
      response.flushHead()
      response.end('hello')
    })
    expect(await ask(req())).toMatch(/hello$/)
    expect(stream.writes.map((one) => s(one).length)).toEqual([40 - 2, 5])
  })

  it('a body given at once gets its length, and no body gets length 0 (RFC 9110 §8.6)', async () => {
    const { ask } = serve((request, response) => void response.end(request.path === '/x' ? 'h\u00e9' : undefined))
    expect(await ask(req('GET /x'))).toBe('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nh\xc3\xa9')
    expect(await ask(req())).toBe('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })

  it('a returned object is a response, also from an async handler', async () => {
    const { ask } = serve(async (request) => {
      if (request.path === '/none') return { status: 204 }
      return { status: 404, headers: { 'X-A': 'b' }, body: 'no\n' }
    })
    expect(await ask(req())).toBe(
      'HTTP/1.1 404 Not Found\r\nX-A: b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nno\n',
    )
    expect(await ask(req('GET /none'))).toBe('HTTP/1.1 204 No Content\r\n\r\n')
  })

  it('an iterable is sent as it comes, chunked, with trailers where asked (RFC 9112 §7.1)', async () => {
    async function* parts(): AsyncGenerator<string> {
      yield 'a'
      yield ''
      yield 'bc'
    }
    const { ask } = serve(async (request, response) => {
      if (request.path === '/') return { body: parts() }
      response.write('x')
      await response.end(undefined, new HeaderList({ 'X-Sum': '1' }))
      return {}
    })
    expect(await ask(req())).toBe('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n')
    expect(await ask(req('GET /t'))).toMatch(/\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n$/)
  })

  it('HEAD gets the head that GET would get, and never a body (RFC 9110 §9.3.2)', async () => {
    let read = false
    async function* parts(): AsyncGenerator<string> {
      read = true
      yield 'x'
    }
    const { ask } = serve((request, response) => {
      if (request.path === '/end') response.end('hello')
      else if (request.path === '/write') {
        response.headers.set('Content-Length', 5)
        response.write('hello')
        response.end()
      } else return { headers: { 'Content-Length': 1 }, body: parts() }
      return undefined
    })
    expect(await ask(req('HEAD /end'))).toBe('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    expect(await ask(req('HEAD /write'))).toBe('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    expect(await ask(req('HEAD /'))).toBe('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n')
    expect(read).toBe(false)
    expect(statuses(await ask(req('GET /end')))).toEqual([200])
  })

  it('205 has none either, and says so (RFC 9110 §15.3.6)', async () => {
    const { ask } = serve((request, response) => {
      if (request.path === '/whole') return { status: 205, body: 'x' }
      response.status = 205
      void response.write('x')
      return response.end()
    })
    const empty = 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n'
    expect((await ask(req('GET /whole') + req('GET /parts'))).replace(/Content-Type.*\r\n/, '')).toBe(empty + empty)
  })

  it('204 and 304 have no body whatever the handler writes (RFC 9110 §6.4.1)', async () => {
    const { ask } = serve((request, response) => void response.send(Number(request.path.slice(1)), {}, 'text'))
    expect(await ask(req('GET /204') + req('GET /304'))).toMatch(
      /^HTTP\/1.1 204 No Content\r\n[\s\S]*\r\n\r\nHTTP\/1.1 304 [\s\S]*\r\n\r\n$/,
    )
  })

  it('Server and Date are added when there is a name and a clock, and a handler may set its own (RFC 9110 §6.6.1)', async () => {
    const { ask } = serve((_, response) => void response.end(), {
      serverName: 'tunstack',
      wallClock: () => 784_111_777_900,
    })
    expect(await ask(req())).toContain('Server: tunstack\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n')
    expect(() => serve(() => undefined, { serverName: 'a\r\nb' })).toThrow(TypeError)
  })

  it('early hints go out at once, but not to HTTP/1.0 (RFC 8297 §2, RFC 9110 §15.2)', async () => {
    const { ask } = serve((_, response) => {
      response.informational(103, { Link: '</a.css>' })
      response.end('x')
    })
    expect(await ask(req())).toMatch(/^HTTP\/1.1 103 Early Hints\r\nLink: <\/a.css>\r\n\r\nHTTP\/1.1 200 OK/)
    expect(statuses(await ask(req('GET /', [], '', '1.0')))).toEqual([200])
  })

  it('misuse is a TypeError at the place where it happens', async () => {
    const caught: string[] = []
    const attempt = (run: () => unknown): void => {
      try {
        run()
      } catch (error) {
        caught.push((error as Error).constructor.name)
      }
    }
    const { ask } = serve((_, response) => {
      attempt(() => response.writeHead(200, { 'X-A': 'a\r\nb' }))
      attempt(() => response.informational(200))
      response.flushHead()
      attempt(() => response.writeHead(404))
      response.end('ok')
      attempt(() => response.write('more'))
      attempt(() => response.end())
    })
    expect(await ask(req())).toMatch(/ok\r\n0\r\n\r\n$/)
    expect(caught).toEqual(['TypeError', 'RangeError', 'TypeError', 'TypeError', 'TypeError'])
  })
})

describe('requests', () => {
  it('are taken apart: path, query, authority of the target before Host (RFC 9112 §3.3)', async () => {
    const seen: ServerRequest[] = []
    const { ask } = serve((request, response) => {
      seen.push(request)
      response.end()
    })
    await ask(req('GET /a%20b?x=1&y=%41') + req('GET http://other:81/p') + req('OPTIONS /p'))
    expect(seen.map(({ path, query, authority }) => [path, query, authority])).toEqual([
      ['/a%20b', 'x=1&y=%41', 'a'],
      ['/p', '', 'other:81'],
      ['/p', '', 'a'],
    ])
    expect(seen[0].params.get('y')).toBe('A')
    expect(seen[0].connection.remoteAddress).toBe('10.0.0.1')
    expect(seen[0].headers.get('host')).toBe('a')
  })

  it('bodies are read as text, as bytes, or chunk by chunk, with their trailers (RFC 9112 §6, §7.1.2)', async () => {
    const { ask } = serve(async (request) => {
      if (request.path === '/text') return { body: await request.text() }
      const parts: string[] = []
      for await (const part of request.body) parts.push(s(part))
      return { body: `${parts.join('|')} ${request.trailers?.get('x-sum')}` }
    })
    expect(await ask(req('POST /text', ['Content-Length: 3'], 'abc'))).toMatch(/\r\n\r\nabc$/)
    const chunked = req('POST /', ['Transfer-Encoding: chunked'], '1\r\na\r\n2\r\nbc\r\n0\r\nX-Sum: 7\r\n\r\n')
    expect(await ask(chunked)).toMatch(/\r\n\r\na\|bc 7$/)
    expect(await ask(req('GET /text'))).toMatch(/Content-Length: 0\r\n\r\n$/)
  })

  it('a body may be answered while it still comes in', async () => {
    const { ask, peer, scheduler } = serve((request) => ({ body: request.body }))
    expect(await ask(req('POST /', ['Transfer-Encoding: chunked'], '1\r\na\r\n'))).toMatch(/\r\n\r\n1\r\na\r\n$/)
    peer.send('1\r\nb\r\n')
    await scheduler.settle()
    expect(peer.take()).toBe('1\r\nb\r\n')
    expect(await ask('0\r\n\r\n')).toBe('0\r\n\r\n')
    expect(statuses(await ask(req('POST /', ['Content-Length: 0'])))).toEqual([200])
  })

  it('CONNECT that a handler accepts without a tunnel just closes (RFC 9110 §9.3.6)', async () => {
    const { ask, peer } = serve((_, response) => void response.end())
    expect(await ask('CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nhello')).toBe('HTTP/1.1 200 OK\r\n\r\n')
    expect(peer.ended).toBe(true)
    const refused = serve(() => ({ status: 405 }))
    expect(statuses(await refused.ask('CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n'))).toEqual([405])
  })

  it('an Upgrade that nobody takes up is an ordinary request (RFC 9110 §7.8)', async () => {
    const { ask } = serve(() => ({ body: 'x' }))
    const upgrade = req('GET /', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAA'])
    expect(statuses(await ask(upgrade + req()))).toEqual([200, 200])
  })

  it('a body can be read once', async () => {
    const { ask } = serve(async (request) => {
      await request.text()
      return { body: await request.text().catch((error: Error) => error.name) }
    })
    expect(await ask(req('POST /', ['Content-Length: 1'], 'x'))).toMatch(/TypeError$/)
  })
})

describe('persistence', () => {
  it('1.1 is kept, and closed when asked (RFC 9112 §9.3)', async () => {
    const { ask, peer } = serve((_, response) => void response.end('x'))
    expect(await ask(req())).not.toContain('Connection')
    expect(await ask(req('GET /', ['Connection: close']))).toContain('Connection: close\r\n')
    expect(peer.ended).toBe(true)
    expect(await ask(req())).toBe('')
  })

  it('1.0 is closed, and kept when asked, with Keep-Alive to say how long (RFC 9112 §9.3, appendix C.2.2)', async () => {
    const first = serve((_, response) => void response.end('x'), { limits: { requestsPerConnection: 3 } })
    const kept = req('GET /', ['Connection: keep-alive'], '', '1.0')
    expect(await first.ask(kept)).toContain('Keep-Alive: timeout=5, max=2\r\n')
    expect(await first.ask(kept)).toContain('Connection: keep-alive\r\n')
    const last = await first.ask(kept)
    expect(last).toContain('Connection: close\r\n')
    expect(last).not.toContain('Keep-Alive')
    const second = serve((_, response) => void response.end('x'))
    expect(await second.ask('GET / HTTP/1.0\r\n\r\n')).toContain('Connection: close')
    expect(second.peer.ended).toBe(true)
  })

  it('a 1.0 answer without a known length ends with the connection (RFC 9112 §6.3 rule 8)', async () => {
    const { ask, peer } = serve((_, response) => {
      response.write('ab')
      response.end('cd')
    })
    expect(await ask(req('GET /', ['Connection: keep-alive'], '', '1.0'))).toBe(
      'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcd',
    )
    expect(peer.ended).toBe(true)
  })

  it('a server of version 1.0 speaks as one (RFC 9110 §2.5)', async () => {
    const { ask } = serve((_, response) => void response.end('x'), { httpVersion: '1.0' })
    expect(await ask(req())).toBe('HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx')
  })

  it('pipelined requests are answered in order, one handler at a time where that is wanted (RFC 9112 §9.3.2)', async () => {
    let running = 0
    let most = 0
    const handler = async (request: ServerRequest): Promise<{ body: string }> => {
      most = Math.max(most, ++running)
      await served.scheduler.wait(10_000 - Number(request.path.slice(1)) * 1000)
      running--
      return { body: request.path }
    }
    const served = serve(handler, { limits: { pipelineRequests: 1 } })
    const { peer, scheduler } = served
    const count = 9
    peer.send(Array.from({ length: count }, (_, i) => req(`GET /${i}`)).join(''))
    await scheduler.run(1_000_000)
    expect([...peer.take().matchAll(/\r\n\r\n\/(\d)/g)].map((match) => Number(match[1]))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8,
    ])
    expect(most).toBe(1)
    expect(served.records.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('answers to pipelined requests that are ready at once share a write', async () => {
    const { ask, stream } = serve((request, response) => void response.end(request.path))
    expect(statuses(await ask(req('GET /1') + req('GET /2') + req('GET /3')))).toEqual([200, 200, 200])
    expect(stream.writes.length).toBeLessThanOrEqual(3)
  })

  it('a client that ends its side after asking is still answered (RFC 9112 §9.6)', async () => {
    const served = serve(async (request) => {
      await served.scheduler.wait(1000)
      return { body: request.path }
    })
    served.peer.send(req('GET /1') + req('GET /2'))
    served.peer.stream.end()
    await served.scheduler.run(10_000)
    expect(statuses(served.peer.take())).toEqual([200, 200])
    expect(served.peer.closed).toBe(true)
    expect(served.server.connectionCount).toBe(0)
  })
})

describe('Expect: 100-continue', () => {
  const head = req('POST /', ['Content-Length: 3', 'Expect: 100-continue'])

  it('is answered when the handler begins to read (RFC 9110 §10.1.1)', async () => {
    const { ask } = serve(async (request) => ({ body: await request.text() }))
    expect(await ask(head)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    expect(await ask('abc')).toMatch(/^HTTP\/1.1 200 OK[\s\S]*abc$/)
    expect(statuses(await ask(req('GET /')))).toEqual([200])
  })

  it('a handler that does not want the body answers at once, and the connection closes (RFC 9110 §10.1.1)', async () => {
    const { ask, peer } = serve(() => ({ status: 403 }))
    const answer = await ask(head)
    expect(statuses(answer)).toEqual([403])
    expect(answer).toContain('Connection: close')
    expect(peer.ended).toBe(true)
  })

  it('is not sent when the body has come already, nor to HTTP/1.0', async () => {
    const { ask } = serve(async (request) => ({ body: await request.text() }))
    expect(statuses(await ask(`${head}abc`))).toEqual([200])
    expect(statuses(await ask(head.replace('1.1', '1.0')))).toEqual([])
    expect(statuses(await ask('abc'))).toEqual([200])
  })
})
