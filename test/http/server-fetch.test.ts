// Handlers in the shape of fetch.
import { describe, expect, it } from 'vitest'
import { fetchHandler } from '../../src/http/server-fetch.ts'
import { req, serve, statuses } from './server-helpers.ts'

describe('a fetch-style handler', () => {
  it('gets a Request and answers with a Response', async () => {
    const { ask } = serve(
      fetchHandler(async (request, connection) => {
        const { pathname, searchParams, host } = new URL(request.url)
        const headers = new Headers([
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ])
        const text = `${request.method} ${host}${pathname} ${searchParams.get('x')} ${connection.remoteAddress} ${await request.text()}`
        return new Response(text, { status: 201, headers })
      }),
    )
    const answer = await ask(req('POST /p?x=%41', ['Content-Length: 3'], 'abc'))
    expect(statuses(answer)).toEqual([201])
    expect(answer).toContain('set-cookie: a=1\r\nset-cookie: b=2\r\n')
    expect(answer).toContain('POST a/p A 10.0.0.1 abc')
    expect(statuses(await ask(req('HEAD /')))).toEqual([201])
  })

  it('streams both ways, and asks for a body that waits for 100 (RFC 9110 §10.1.1)', async () => {
    const { ask } = serve(fetchHandler((request) => new Response(request.body)))
    const head = req('PUT /', ['Content-Length: 6', 'Expect: 100-continue'])
    expect(await ask(head)).toContain('HTTP/1.1 100 Continue\r\n\r\n')
    expect(await ask('abc')).toContain('3\r\nabc\r\n')
    expect(await ask('def')).toBe('3\r\ndef\r\n0\r\n\r\n')
  })

  it('an answer of none is empty, 204 has no body, a redirect its Location', async () => {
    const { ask } = serve(
      fetchHandler((request) => {
        if (request.url.endsWith('/none')) return new Response(null, { status: 204 })
        return Response.redirect('http://a/none', 303)
      }),
    )
    expect(await ask(req('GET /none'))).toBe('HTTP/1.1 204 No Content\r\n\r\n')
    expect(await ask(req('GET /'))).toMatch(/^HTTP\/1.1 303 See Other\r\nlocation: http:\/\/a\/none\r\n/)
  })

  it('what it throws is 500, and a network error cannot be sent', async () => {
    const served = serve(
      fetchHandler((request) => {
        if (request.url.endsWith('/error')) return Response.error()
        throw new Error('secret')
      }),
    )
    expect(await served.ask(req('GET /'))).not.toContain('secret')
    const second = served.connect()
    second.peer.send(req('GET /error'))
    await served.scheduler.settle()
    expect(statuses(second.peer.take())).toEqual([500])
  })

  it('a client that goes away cancels the stream and aborts the signal', async () => {
    const seen: string[] = []
    const served = serve(
      fetchHandler((request) => {
        request.signal.addEventListener('abort', () => seen.push('signal'))
        const chunk = new Uint8Array(50_000)
        return new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(chunk),
            cancel: () => void seen.push('cancel'),
          }),
        )
      }),
    )
    served.peer.stream.pause()
    served.peer.send(req())
    await served.scheduler.settle()
    served.peer.stream.destroy()
    await served.scheduler.settle()
    expect(seen.sort()).toEqual(['cancel', 'signal'])
  })

  it('a method that Request does not take is 501 (RFC 9110 §15.6.2)', async () => {
    const { ask } = serve(fetchHandler(() => new Response('x')))
    expect(statuses(await ask('CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n'))).toEqual([501])
  })
})
