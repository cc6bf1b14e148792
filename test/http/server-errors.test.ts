// The server on bad requests, bad handlers, slow and rude peers.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { req, serve, statuses } from './server-helpers.ts'

const ok = (): { body: string } => ({ body: 'ok' })

describe('error answers', () => {
  const table: [number, string, string][] = [
    [400, 'a malformed request line (RFC 9112 §3)', 'GET /\r\n\r\n'],
    [400, 'no Host (RFC 9112 §3.2)', 'GET / HTTP/1.1\r\n\r\n'],
    [400, 'two Hosts (RFC 9112 §3.2)', req('GET /', ['Host: b'])],
    [400, 'a folded line (RFC 9112 §5.2)', req('GET /', ['A: b', ' c'])],
    [400, 'a bad chunk (RFC 9112 §7.1)', req('POST /', ['Transfer-Encoding: chunked'], 'zz\r\n')],
    [413, 'a body beyond the limit, announced (RFC 9110 §15.5.14)', req('POST /', ['Content-Length: 1001'])],
    [
      413,
      'a body beyond the limit, chunked',
      req('POST /', ['Transfer-Encoding: chunked'], `3e9\r\n${'x'.repeat(1001)}\r\n`),
    ],
    [413, 'a length beyond all numbers', req('POST /', ['Content-Length: 99999999999999999999'])],
    [414, 'a target beyond the limit (RFC 9112 §3)', req(`GET /${'x'.repeat(300)}`)],
    [417, 'an expectation that nobody knows (RFC 9110 §10.1.1)', req('GET /', ['Expect: the-unexpected'])],
    [431, 'a header section beyond the limit (RFC 6585 §5)', req('GET /', [`A: ${'x'.repeat(600)}`])],
    [
      431,
      'too many fields (RFC 6585 §5)',
      req(
        'GET /',
        Array.from({ length: 20 }, (_, i) => `A${i}: b`),
      ),
    ],
    [501, 'an unknown transfer coding (RFC 9112 §6.1)', req('POST /', ['Transfer-Encoding: gzip, chunked'])],
    [501, 'a method without end (RFC 9112 §3)', 'X'.repeat(300)],
    [505, 'another major version (RFC 9110 §15.6.6)', 'GET / HTTP/2.0\r\n\r\n'],
  ]
  for (const [status, name, text] of table) {
    it(`${name} gets ${status}, and the connection closes`, async () => {
      const limits = { startLineBytes: 200, headerBytes: 500, headerCount: 16, bodyBytes: 1000 }
      const served = serve(async (request) => ({ body: await request.text() }), { limits })
      const answer = await served.ask(text)
      expect(statuses(answer)).toEqual([status])
      expect(answer).toContain('Connection: close\r\n')
      expect(answer).toMatch(/Content-Length: [1-9]/)
      expect(served.peer.ended).toBe(true)
      expect(served.server.counters.protocolErrors).toBe(1)
      expect(served.errors).toEqual([expect.objectContaining({ status })])
    })
  }

  it('an error answer to HEAD has no body (RFC 9110 §9.3.2)', async () => {
    const { ask } = serve(ok)
    expect(await ask('HEAD / HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*\r\n\r\n$/)
  })

  it('good requests before the bad one are answered first, those behind it never (RFC 9112 §11.2)', async () => {
    const seen: string[] = []
    const { ask } = serve((request) => {
      seen.push(request.path)
      return ok()
    })
    const smuggled = req(
      'POST /bad',
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      `0\r\n\r\n${req('GET /secret')}`,
    )
    expect(statuses(await ask(req('GET /1') + smuggled + req('GET /2')))).toEqual([200, 400])
    expect(seen).toEqual(['/1'])
  })

  for (const [name, lines, body] of [
    ['CL.TE', ['Content-Length: 6', 'Transfer-Encoding: chunked'], '0\r\n\r\nG'],
    ['TE.CL', ['Transfer-Encoding: chunked', 'Content-Length: 4'], '5c\r\n'],
    ['TE.TE with a disguised second', ['Transfer-Encoding: chunked', 'Transfer-Encoding: xchunked'], '0\r\n\r\n'],
    ['TE with a space before the colon', ['Transfer-Encoding : chunked', 'Content-Length: 4'], '0\r\n\r\n'],
    ['TE on a folded line', ['Transfer-Encoding:', ' chunked', 'Content-Length: 4'], '0\r\n\r\n'],
    ['TE behind a bare LF', ['X: y\nTransfer-Encoding: chunked', 'Content-Length: 4'], '0\r\n\r\n'],
    ['TE behind a bare CR', ['X: y\rTransfer-Encoding: chunked', 'Content-Length: 4'], '0\r\n\r\n'],
    ['CL.CL', ['Content-Length: 0', 'Content-Length: 44'], ''],
    ['CL with a plus', ['Content-Length: +4'], 'abcd'],
  ] as const) {
    it(`smuggling by ${name} is 400 and closes (RFC 9112 §11.2)`, async () => {
      const { ask, records } = serve(ok)
      expect(statuses(await ask(req('POST /', lines, body + req('GET /secret'))))).toEqual([400])
      expect(records.filter(({ status }) => status === 200)).toEqual([])
    })
  }
})

describe('handlers that fail', () => {
  it('throwing before the head is 500, without the reason (RFC 9110 §15.6.1)', async () => {
    for (const handler of [
      () => {
        throw new Error('secret')
      },
      async () => Promise.reject(new Error('secret')),
    ]) {
      const served = serve(handler)
      const answer = await served.ask(req())
      expect(statuses(answer)).toEqual([500])
      expect(answer).not.toContain('secret')
      expect(served.errors).toMatchObject([{ message: 'secret' }])
      expect(served.server.counters.handlerErrors).toBe(1)
    }
  })

  it('a header that would inject is 500, not injected (RFC 9112 §11.1)', async () => {
    const { ask } = serve((request) => ({ headers: { Location: `/x${request.params.get('to')}` } }))
    const answer = await ask(req('GET /?to=%0d%0aSet-Cookie:%20a=b'))
    expect(statuses(answer)).toEqual([500])
    expect(answer).not.toContain('Set-Cookie')
  })

  it('throwing in the middle of a body cuts the connection, so that nobody takes it for complete (RFC 9112 §8)', async () => {
    const served = serve(async (_, response) => {
      await response.write('half')
      await served.scheduler.settle()
      throw new Error('oops')
    })
    const answer = await served.ask(req())
    expect(answer).not.toMatch(/0\r\n\r\n$/)
    await served.scheduler.settle()
    expect(served.peer.error).toMatchObject({ code: 'ECONNRESET' })
    expect(served.records).toMatchObject([{ aborted: true, status: 200 }])
  })

  it('a body other than Content-Length says is cut off, not completed (RFC 9112 §6.2)', async () => {
    for (const body of ['ab', 'abcd']) {
      const served = serve((_, response) => {
        response.headers.set('Content-Length', 3)
        response.end(body)
      })
      await served.ask(req())
      expect(served.errors).toMatchObject([{ reason: 'body-length', side: 'local' }])
      expect(served.peer.closed).toBe(true)
    }
  })

  it('an error thrown after the answer is told to the owner and to nobody else', async () => {
    const served = serve((_, response) => {
      response.end('ok')
      throw new Error('late')
    })
    expect(statuses(await served.ask(req()))).toEqual([200])
    expect(served.errors).toMatchObject([{ message: 'late' }])
    expect(statuses(await served.ask(req()))).toEqual([200])
  })

  it('a body that is too large for text() is 413', async () => {
    const { ask } = serve(async (request) => ({ body: await request.text(3) }))
    expect(statuses(await ask(req('POST /', ['Content-Length: 4'], 'abcd')))).toEqual([413])
  })
})

describe('unread bodies', () => {
  it('a small one is thrown away and the connection kept', async () => {
    const { ask } = serve(ok)
    expect(statuses(await ask(req('POST /', ['Content-Length: 5'], 'hello') + req()))).toEqual([200, 200])
    expect(statuses(await ask(req('POST /', ['Transfer-Encoding: chunked'], '1\r\nx\r\n')))).toEqual([200])
    expect(statuses(await ask(`0\r\n\r\n${req()}`))).toEqual([200])
  })

  it('a large one closes the connection, which the answer says (RFC 9112 §9.3)', async () => {
    const { ask, peer } = serve(ok)
    expect(await ask(req('POST /', ['Content-Length: 1000000'], 'hello'))).toContain('Connection: close')
    expect(peer.ended).toBe(true)
  })

  it('a chunked one that does not end closes it after the limit', async () => {
    const { ask, peer } = serve(ok, { limits: { drainBytes: 100 } })
    expect(statuses(await ask(req('POST /', ['Transfer-Encoding: chunked'])))).toEqual([200])
    await ask(`32\r\n${'x'.repeat(50)}\r\n`)
    expect(peer.ended).toBe(false)
    await ask(`64\r\n${'x'.repeat(100)}\r\n`)
    expect(peer.ended).toBe(true)
  })

  it('the close lingers: a peer that still sends gets the answer and no reset (RFC 9112 §9.6)', async () => {
    const served = serve(ok)
    expect(statuses(await served.ask(req('POST /', ['Content-Length: 10000000'], 'x')))).toEqual([200])
    for (let i = 0; i < 50; i++) served.peer.send('y'.repeat(10_000))
    await served.scheduler.run(4 * SECOND)
    expect([served.peer.ended, served.peer.error]).toEqual([true, null])
    served.peer.stream.end()
    await served.scheduler.settle()
    expect([served.peer.closed, served.peer.error]).toEqual([true, null])
    expect(served.server.connectionCount).toBe(0)
  })

  it('but not for ever (RFC 9112 §9.6)', async () => {
    const served = serve(ok, { timeouts: { lingerUs: 2 * SECOND } })
    await served.ask(req('GET /', ['Connection: close']))
    await served.scheduler.run(1.9 * SECOND)
    expect(served.server.connectionCount).toBe(1)
    await served.scheduler.run(2.1 * SECOND)
    expect(served.server.connectionCount).toBe(0)
  })
})
