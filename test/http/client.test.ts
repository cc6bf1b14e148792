// One client connection against raw answers: what it sends, what it makes of what comes.
import { describe, expect, it } from 'vitest'
import type { ConnectionRequest } from '../../src/http/client-message.ts'
import { dial, exchange, OK } from './client-helpers.ts'

describe('answers that are not quite valid', () => {
  it('are refused unless the leniency is asked for by name (RFC 9112 §2.2, §6.3)', async () => {
    const odd = 'HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 2\n\nok'
    expect(await exchange(dial(), odd)).toMatchObject({ side: 'remote', reason: 'line-ending' })
    expect(await exchange(dial({ lenient: { bareLf: true } }), odd)).toMatchObject({
      reason: 'duplicate-content-length',
    })
    expect(await exchange(dial({ lenient: { bareLf: true, repeatedLength: true } }), odd)).toEqual([200, 'ok'])
  })
})

describe('requests on the wire', () => {
  it('head and body leave in one write, Host first (RFC 9110 §7.2)', async () => {
    const dialled = dial()
    expect(
      await exchange(dialled, OK, { method: 'PUT', target: '/x?y', headers: { 'X-A': 'b' }, body: 'caf\u00e9' }),
    ).toEqual([200, 'ok'])
    expect(dialled.peer.take()).toBe('PUT /x?y HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 5\r\n\r\ncaf\xc3\xa9')
    expect(dialled.stream.writes.length).toBe(1)
  })

  it('a POST without a body says so, a GET does not (RFC 9110 §8.6)', async () => {
    const dialled = dial()
    await exchange(dialled, OK, { method: 'POST' })
    expect(dialled.peer.take()).toContain('Content-Length: 0\r\n')
    await exchange(dialled, OK)
    expect(dialled.peer.take()).toBe('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  })

  it('an iterable body is chunked, or of the length that the headers name (RFC 9112 §7.1)', async () => {
    async function* parts(): AsyncGenerator<string> {
      yield 'ab'
      yield 'c'
    }
    const dialled = dial()
    await exchange(dialled, OK, { method: 'POST', body: parts() })
    expect(dialled.peer.take()).toMatch(/Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n$/)
    await exchange(dialled, OK, { method: 'POST', body: parts(), headers: { 'Content-Length': 3 } })
    expect(dialled.peer.take()).toMatch(/Content-Length: 3\r\n\r\nabc$/)
  })

  it('a body that is not as long as its header says is an error of the caller, and cuts the connection (RFC 9112 §6.2)', async () => {
    async function* parts(): AsyncGenerator<string> {
      yield 'abcd'
    }
    const dialled = dial()
    expect(
      await exchange(dialled, '', { method: 'POST', body: parts(), headers: { 'Content-Length': 3 } }),
    ).toMatchObject({
      reason: 'body-length',
      side: 'local',
    })
    expect(dialled.peer.closed).toBe(true)
    const other = dial()
    expect(await exchange(other, '', { method: 'POST', body: 'x', headers: { 'Content-Length': 3 } })).toMatchObject({
      reason: 'body-length',
    })
  })

  it('a body at hand that its header belies is refused before the head leaves, and the connection stays good (RFC 9112 §6.2)', async () => {
    const dialled = dial()
    for (const request of [
      { method: 'POST', body: 'abcd', headers: { 'Content-Length': 3 } },
      { method: 'POST', body: 'ab', headers: { 'Content-Length': 3 } },
      { headers: { 'Content-Length': 3 } },
    ]) {
      await expect(dialled.http.request({ target: '/', ...request })).rejects.toMatchObject({ reason: 'body-length' })
    }
    expect(dialled.stream.written).toBe('')
    expect(await exchange(dialled, OK)).toEqual([200, 'ok'])
  })

  it('what cannot be written is refused before a byte leaves, and the connection stays good (RFC 9112 §11.1)', async () => {
    const dialled = dial()
    const bad: Partial<ConnectionRequest>[] = [
      { headers: { 'X-A': 'a\r\nb' } },
      { target: '/a b' },
      { target: '/\r\nX: y' },
      { method: 'GE T' },
      { method: 'CONNECT', target: 'a:1', body: 'x' },
      { headers: { Upgrade: 'x\ny' } },
    ]
    for (const request of bad)
      await expect(dialled.http.request({ target: '/', ...request })).rejects.toThrow(TypeError)
    expect(dialled.stream.written).toBe('')
    expect(await exchange(dialled, OK)).toEqual([200, 'ok'])
  })

  it('HTTP/1.0 with keep-alive is kept when the answer agrees, and only then (RFC 9112 §9.3)', async () => {
    const request = { httpVersion: '1.0', headers: { Connection: 'keep-alive' } } as const
    const kept = dial()
    await exchange(kept, 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', request)
    expect(kept.http.reusable).toBe(true)
    const dropped = dial()
    await exchange(dropped, OK, request)
    expect(dropped.http.reusable).toBe(false)
    expect(dropped.peer.ended).toBe(true)
  })
})

describe('answers', () => {
  it('are handed out at their head; the body follows, with trailers at its end (RFC 9112 §7.1.2)', async () => {
    const { http, peer, scheduler } = dial()
    const asked = http.request({ target: '/' })
    peer.send('HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n1\r\na\r\n')
    const response = await asked
    expect([response.status, response.statusText, response.httpVersion, response.ok]).toEqual([
      200,
      'Fine',
      '1.1',
      true,
    ])
    expect(response.headers.get('x-a')).toBe('b')
    expect(response.trailers).toBeNull()
    peer.send('1\r\nb\r\n0\r\nX-T: 1\r\n\r\n')
    expect(await response.text()).toBe('ab')
    await scheduler.settle()
    expect(response.trailers?.get('x-t')).toBe('1')
  })

  it('requests go out one after another, when the one before is answered in full', async () => {
    const { http, peer, scheduler } = dial()
    const asked = ['/1', '/2', '/3'].map((target) => http.request({ target }).then((response) => response.text()))
    await scheduler.settle()
    expect(peer.take()).toMatch(/^GET \/1 /)
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na')
    await scheduler.settle()
    expect(peer.take()).toMatch(/^GET \/2 /)
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb')
    await scheduler.settle()
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc')
    expect(await Promise.all(asked)).toEqual(['a', 'b', 'c'])
    expect(http.requests).toBe(3)
  })

  it('a body without a length lasts until the close (RFC 9112 §6.3 rule 8)', async () => {
    const dialled = dial()
    expect(await exchange(dialled, 'HTTP/1.0 200 OK\r\n\r\nall of it', {}, true)).toEqual([200, 'all of it'])
    await dialled.http.closed
  })

  for (const [name, answer] of [
    ['a length that is not reached', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc'],
    ['chunks without a last one', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc'],
  ] as const) {
    it(`${name} is an error, never a short body (RFC 9112 §8)`, async () => {
      const [status, error] = (await exchange(dial(), answer, {}, true)) as [number, unknown]
      expect(status).toBe(200)
      expect(error).toMatchObject({ name: 'ProtocolError', reason: 'truncated', code: 'ECONNRESET' })
    })
  }

  it('a head that is cut off is an error (RFC 9112 §8)', async () => {
    expect(await exchange(dial(), 'HTTP/1.1 200 OK\r\nCont', {}, true)).toMatchObject({ reason: 'truncated' })
    expect(await exchange(dial(), 'HTTP/1.1 100 Continue\r\n\r\n', {}, true)).toMatchObject({ reason: 'truncated' })
  })

  it('a close without a byte of an answer says that nothing was answered (RFC 9112 §9.3.1)', async () => {
    expect(await exchange(dial(), '', {}, true)).toMatchObject({ code: 'ECONNRESET', answered: false, sent: true })
    const reset = dial()
    const asked = reset.http.request({ target: '/' }).catch((error: unknown) => error)
    await reset.scheduler.settle()
    reset.peer.stream.destroy()
    expect(await asked).toMatchObject({ code: 'ECONNRESET', answered: false })
  })

  it('an answer that is no HTTP, ambiguous or unreadable is an error of the server', async () => {
    for (const answer of [
      'SSH-2.0-x\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'HTTP/1.1 200 OK\r\nA : b\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    ]) {
      const dialled = dial()
      expect(await exchange(dialled, answer)).toMatchObject({ name: 'ProtocolError', side: 'remote' })
      expect(dialled.http.reusable).toBe(false)
    }
  })

  it('HEAD has no body whatever the length says (RFC 9110 §9.3.2)', async () => {
    const dialled = dial()
    expect(await exchange(dialled, 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n', { method: 'HEAD' })).toEqual([
      200,
      '',
    ])
    expect(await exchange(dialled, OK)).toEqual([200, 'ok'])
  })

  it('1xx are reported and skipped (RFC 9110 §15.2)', async () => {
    const { http, peer } = dial()
    const seen: number[] = []
    const asked = http.request({ target: '/', hooks: { onInformational: ({ status }) => seen.push(status) } })
    peer.send(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`)
    const response = await asked
    expect(seen).toEqual([103, 102])
    expect(response.informational.map(({ headers }) => headers.get('link'))).toEqual(['</a>', null])
    expect(await response.text()).toBe('ok')
  })

  it('bytes behind an answer are nobody\u2019s: the connection is not used again (RFC 9112 §9.2)', async () => {
    const dialled = dial()
    expect(await exchange(dialled, `${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`)).toEqual([200, 'ok'])
    expect(dialled.http.reusable).toBe(false)
    const idle = dial()
    await exchange(idle, OK)
    idle.peer.send('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
    await idle.scheduler.settle()
    expect(idle.http.reusable).toBe(false)
    await expect(idle.http.request({ target: '/' })).rejects.toMatchObject({ code: 'ECONNRESET', sent: false })
  })

  it('requests behind an answer that closes are told that they were not sent', async () => {
    const dialled = dial()
    const first = exchange(dialled, 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    const second = dialled.http.request({ target: '/2' }).catch((error: unknown) => error)
    expect(await first).toEqual([200, ''])
    expect(await second).toMatchObject({ code: 'ECONNRESET', sent: false, answered: false })
  })
})
