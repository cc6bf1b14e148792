// What a server answers or refuses for itself, how many it serves, and how it makes an end.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { req, serve, statuses } from './server-helpers.ts'

const ok = (): { body: string } => ({ body: 'ok' })

describe('an origin server', () => {
  it('answers OPTIONS * for itself (RFC 9110 §9.3.7)', async () => {
    const { ask } = serve(ok)
    for (const target of ['*', 'http://a']) {
      const answer = await ask(req(`OPTIONS ${target}`))
      expect(answer).toContain('Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\nContent-Length: 0\r\n')
    }
    expect(await ask(req('OPTIONS /x'))).toMatch(/ok$/)
  })

  it('refuses TRACE unless told otherwise (RFC 9110 §9.3.8, §15.5.6)', async () => {
    const answer = await serve(ok).ask(req('TRACE /'))
    expect(statuses(answer)).toEqual([405])
    expect(answer).toContain('Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n')
  })

  it('sends TRACE back as it came, without its secrets, where it is on (RFC 9110 §9.3.8)', async () => {
    const { ask } = serve(ok, { trace: true })
    const answer = await ask(req('TRACE /p?q', ['X-A: \xe9', 'Cookie: a=b', 'authorization: Basic x']))
    expect(answer).toContain('Content-Type: message/http\r\n')
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe('TRACE /p?q HTTP/1.1\r\nHost: a\r\nX-A: \xe9\r\n\r\n')
  })

  it('refuses an https target that came without TLS: 421 (RFC 9110 §7.4, §15.5.20)', async () => {
    expect(statuses(await serve(ok).ask(req('GET https://a/')))).toEqual([421])
    expect(statuses(await serve(ok).ask(req('GET http://a/')))).toEqual([200])
  })

  it('a proxy hands all of these to its handler (RFC 9110 §7.6)', async () => {
    const seen: string[] = []
    const { ask } = serve(
      (request) => {
        seen.push(`${request.method} ${request.target}`)
        return ok()
      },
      { role: 'proxy' },
    )
    await ask(req('OPTIONS *') + req('TRACE http://b/') + req('GET https://b/'))
    expect(seen).toEqual(['OPTIONS *', 'TRACE http://b/', 'GET https://b/'])
  })

  it('tells a 1.1 client that asks how long it is kept, and names the field in Connection (RFC 9110 §7.6.1)', async () => {
    const answer = await serve(ok).ask(req('GET /', ['Connection: keep-alive']))
    expect(answer).toContain('Keep-Alive: timeout=5\r\n')
    expect(answer).toContain('Connection: keep-alive\r\n')
  })
})

describe('the number of connections', () => {
  it('beyond the limit the one that has waited longest makes room, whatever it dribbles', async () => {
    const served = serve(ok, { limits: { connections: 3 } })
    const second = served.connect()
    served.peer.send('GET / HTTP/1.1\r\nX: ')
    const third = served.connect()
    await served.scheduler.settle()
    const fourth = served.connect()
    fourth.peer.send(req())
    await served.scheduler.settle()
    expect(statuses(fourth.peer.take())).toEqual([200])
    expect([served.peer.closed, second.peer.closed, third.peer.closed]).toEqual([true, false, false])
    expect(served.server.connectionCount).toBe(3)
    expect(served.server.counters.overloads).toBe(1)
  })

  it('it waits from its last answer on, not from its beginning', async () => {
    const served = serve(ok, { limits: { connections: 2 } })
    const second = served.connect()
    second.peer.send(req())
    await served.scheduler.settle()
    await served.ask(req())
    served.connect()
    await served.scheduler.settle()
    expect([served.peer.closed, second.peer.closed]).toEqual([false, true])
  })

  it('when all are busy a new one gets 503 and its end (RFC 9110 §15.6.4)', async () => {
    const served = serve(() => undefined, { limits: { connections: 1 } })
    await served.ask(req())
    const { peer } = served.connect()
    peer.send(req())
    await served.scheduler.settle()
    const answer = peer.take()
    expect(statuses(answer)).toEqual([503])
    expect(answer).toContain('Retry-After: 1\r\nConnection: close\r\n')
    expect(peer.ended).toBe(true)
    await served.scheduler.run(6 * SECOND)
    expect(peer.closed).toBe(true)
    expect(served.server.connectionCount).toBe(1)
  })
})

describe('a graceful end', () => {
  it('waits for answers, and no longer than it is told (RFC 9112 §9.6)', async () => {
    const served = serve(async (request) => {
      await served.scheduler.wait(Number(request.path.slice(1)) * SECOND)
      return ok()
    })
    const never = served.connect()
    served.peer.send(req('GET /1'))
    never.peer.send(req('GET /1000'))
    await served.scheduler.settle()
    let closed = false
    void served.server.close(10 * SECOND).then(() => {
      closed = true
    })
    await served.scheduler.run(2 * SECOND)
    expect(served.peer.take()).toMatch(/Connection: close[\s\S]*ok$/)
    await served.scheduler.run(9 * SECOND)
    expect(closed).toBe(false)
    await served.scheduler.run(11 * SECOND)
    expect([closed, never.peer.closed]).toEqual([true, true])
  })

  it('our side ends first, and input is taken until the peer ends or the time is over (RFC 9112 §9.6)', async () => {
    const served = serve(ok, { timeouts: { lingerUs: 5 * SECOND } })
    served.peer.send(req('GET /', ['Connection: close']))
    await served.scheduler.run(SECOND)
    expect([served.peer.ended, served.stream.destroyed]).toEqual([true, false])
    served.peer.send('x'.repeat(100_000))
    await served.scheduler.run(4 * SECOND)
    expect([served.peer.error, served.stream.destroyed]).toEqual([null, false])
    await served.scheduler.run(7 * SECOND)
    expect(served.stream.destroyed).toBe(true)
  })
})
