// Pipelined requests: worked at together, answered in order, and what leaves HTTP on the way.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import type { Handler, TakenStream } from '../../src/http/server-message.ts'
import { b, s } from './helpers.ts'
import { req, serve, statuses } from './server-helpers.ts'

const paths = (text: string): string[] => [...text.matchAll(/\r\n\r\n(\/\w)/g)].map((match) => match[1])

describe('pipelined requests', () => {
  /** Answers each path after so many seconds, and notes when handlers began and how many ran at once. */
  function slow(seconds: (path: string) => number) {
    const began: string[] = []
    const state = { running: 0, most: 0 }
    const handler: Handler = async (request) => {
      began.push(request.path)
      state.most = Math.max(state.most, ++state.running)
      await request.text()
      await served.scheduler.wait(seconds(request.path) * SECOND)
      state.running--
      return { body: request.path }
    }
    const served = serve(handler, { limits: { pipelineRequests: 4 } })
    return { ...served, began, state }
  }

  it('with safe methods run together, as many as the limit, and are answered in order (RFC 9112 §9.3.2)', async () => {
    const { peer, scheduler, state, records } = slow((path) => 9 - Number(path.slice(1)))
    peer.send(Array.from({ length: 9 }, (_, i) => req(`GET /${i}`)).join(''))
    await scheduler.run(60 * SECOND)
    expect(paths(peer.take())).toEqual(['/0', '/1', '/2', '/3', '/4', '/5', '/6', '/7', '/8'])
    expect(state.most).toBe(4)
    expect(records.map(({ sequence, target }) => [sequence, target])[8]).toEqual([9, '/8'])
  })

  it('wait behind an unsafe one, and an unsafe one waits for those before it (RFC 9112 §9.3.2)', async () => {
    const { peer, scheduler, began } = slow(() => 1)
    const post = req('POST /p', ['Content-Length: 1'], 'x')
    peer.send(req('GET /a') + req('GET /b') + post + req('GET /c') + req('GET /d'))
    await scheduler.run(0.5 * SECOND)
    expect(began).toEqual(['/a', '/b'])
    await scheduler.run(1.5 * SECOND)
    expect(began).toEqual(['/a', '/b', '/p'])
    await scheduler.run(2.5 * SECOND)
    expect(began).toEqual(['/a', '/b', '/p', '/c', '/d'])
    await scheduler.run(9 * SECOND)
    expect(paths(peer.take())).toEqual(['/a', '/b', '/p', '/c', '/d'])
  })

  it('with an unsafe method wait for their turn even without a body (RFC 9112 §9.3.2)', async () => {
    const { peer, scheduler, began } = slow(() => 1)
    peer.send(req('GET /a') + req('DELETE /b') + req('GET /c'))
    await scheduler.run(0.5 * SECOND)
    expect(began).toEqual(['/a'])
    await scheduler.run(9 * SECOND)
    expect(paths(peer.take())).toEqual(['/a', '/b', '/c'])
  })

  it('behind one that closes are never begun (RFC 9112 §9.6)', async () => {
    const { peer, scheduler, began } = slow(() => 1)
    peer.send(req('GET /a') + req('GET /b', ['Connection: close']) + req('GET /c'))
    await scheduler.run(9 * SECOND)
    expect(began).toEqual(['/a', '/b'])
    expect(paths(peer.take())).toEqual(['/a', '/b'])
    expect(peer.ended).toBe(true)
  })

  it('a bad one is answered on its turn, and nothing behind it is read (RFC 9112 §11.2)', async () => {
    for (const bad of ['GET /x HTTP/1.1\r\n\r\n', 'nonsense\r\n\r\n', 'HEAD / HTTP/1.1\r\n\r\n']) {
      const { peer, scheduler, began } = slow(() => 1)
      peer.send(`${req('GET /a')}${req('GET /b')}${bad}${req('GET /c')}`)
      await scheduler.run(9 * SECOND)
      expect(began).toEqual(['/a', '/b'])
      const text = peer.take()
      expect(statuses(text)).toEqual([200, 200, 400])
      expect(text.endsWith('\r\n\r\n')).toBe(bad.startsWith('HEAD'))
      expect(peer.ended).toBe(true)
    }
  })

  it('a handler that fails ahead of its turn is 500 on its turn (RFC 9110 §15.6.1)', async () => {
    const served = serve(async (request) => {
      if (request.path === '/b') throw new Error('secret')
      await served.scheduler.wait(SECOND)
      return { body: request.path }
    })
    served.peer.send(req('GET /a') + req('GET /b') + req('GET /c'))
    await served.scheduler.run(9 * SECOND)
    const text = served.peer.take()
    expect(statuses(text)).toEqual([200, 500])
    expect(text).not.toContain('secret')
    expect(served.errors).toMatchObject([{ message: 'secret' }])
  })

  it('an answer that turns out to be shorter than announced is cut off, not completed (RFC 9112 §6.2)', async () => {
    const served = serve(async (request, response) => {
      if (request.path !== '/b') await served.scheduler.wait(SECOND)
      if (request.path === '/b') response.headers.set('Content-Length', 5)
      response.end('abc')
    })
    served.peer.send(req('GET /a') + req('GET /b') + req('GET /c'))
    await served.scheduler.run(9 * SECOND)
    expect(statuses(served.peer.take()).length).toBeLessThanOrEqual(2)
    expect(served.errors).toMatchObject([{ reason: 'body-length', side: 'local' }])
    expect(served.peer.closed).toBe(true)
  })

  it('an early answer is held to a bound, and its maker waits (memory stays bounded)', async () => {
    let made = 0
    async function* flood(): AsyncGenerator<Uint8Array> {
      for (; made < 1_000_000; made += 10_000) yield new Uint8Array(10_000)
    }
    const served = serve(async (request) => {
      if (request.path === '/flood') return { body: flood() }
      await served.scheduler.wait(SECOND)
      return { body: 'ok' }
    })
    served.peer.send(req('GET /a') + req('GET /flood'))
    await served.scheduler.run(0.5 * SECOND)
    expect(made).toBeLessThan(100_000)
    await served.scheduler.run(9 * SECOND)
    expect(made).toBe(1_000_000)
    expect(served.peer.take().length).toBeGreaterThan(1_000_000)
  })

  it('a lost connection aborts those that wait for their turn, too', async () => {
    const aborted: string[] = []
    const served = serve((request) => {
      request.signal.addEventListener('abort', () => aborted.push(request.path))
    })
    served.peer.send(req('GET /a') + req('GET /b') + req('GET /c'))
    await served.scheduler.settle()
    served.peer.stream.destroy()
    await served.scheduler.settle()
    expect(aborted).toEqual(['/a', '/b', '/c'])
    expect(served.scheduler.pending).toBe(0)
  })

  it('the limit of requests on a connection holds for those read ahead (RFC 9112 §9.3)', async () => {
    const { ask } = serve(() => ({ body: 'ok' }), { limits: { requestsPerConnection: 3 } })
    const text = await ask(Array.from({ length: 6 }, () => req('GET /')).join(''))
    expect(statuses(text)).toEqual([200, 200, 200])
    expect(text).toMatch(/Connection: close\r\n[\s\S]*ok$/)
  })
})

describe('leaving HTTP', () => {
  it('101 hands the stream over, with what the client has sent behind its request (RFC 9110 §7.8)', async () => {
    let taken: TakenStream | null = null
    const served = serve((request, response) => {
      if (request.headers.get('upgrade') === 'echo') taken = response.takeOver({ Upgrade: 'echo' })
      else response.end('plain')
    })
    const upgrade = req('GET /', ['Connection: Upgrade', 'Upgrade: echo'], 'early')
    expect(await served.ask(upgrade)).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n',
    )
    const { stream, head } = taken as unknown as TakenStream
    expect(s(head)).toBe('early')
    stream.on('data', (chunk) => void stream.write(chunk))
    stream.resume()
    expect(await served.ask('later')).toBe('later')
    expect(served.server.connectionCount).toBe(0)
    expect(served.records).toMatchObject([{ status: 101, aborted: false }])
    stream.end()
    await served.scheduler.settle()
    expect(served.peer.ended).toBe(true)
    expect(served.scheduler.pending).toBe(0)
  })

  it('CONNECT gets 200 and a tunnel (RFC 9110 §9.3.6)', async () => {
    const served = serve((_, response) => {
      const { stream, head } = response.takeOver()
      stream.write(b(`[${s(head)}]`))
      stream.resume()
    })
    const text = await served.ask('CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nhi')
    expect(text).toBe('HTTP/1.1 200 OK\r\n\r\n[hi]')
  })

  it('nothing is taken over that did not ask for it, or still sends (RFC 9110 §7.8)', async () => {
    const served = serve((request, response) => {
      response.takeOver(request.path === '/none' ? {} : { Upgrade: 'echo' })
    })
    expect(statuses(await served.ask(req('GET /')))).toEqual([500])
    const second = served.connect()
    second.peer.send(req('GET /none', ['Connection: Upgrade', 'Upgrade: echo']))
    const third = served.connect()
    third.peer.send(req('POST /', ['Connection: Upgrade', 'Upgrade: echo', 'Content-Length: 5'], 'he'))
    await served.scheduler.settle()
    expect([...statuses(second.peer.take()), ...statuses(third.peer.take())]).toEqual([500, 500])
    expect(served.errors.map((error) => (error as Error).name)).toEqual(['TypeError', 'TypeError', 'TypeError'])
  })
})
