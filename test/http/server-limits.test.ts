// The server against slow and greedy peers, and how it ends.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { s } from './helpers.ts'
import { req, serve, statuses } from './server-helpers.ts'

const ok = (): { body: string } => ({ body: 'ok' })

describe('time', () => {
  it('a head that takes too long is 408, however it drips (RFC 9110 §15.5.9)', async () => {
    const { peer, scheduler, server } = serve(ok, { timeouts: { headersUs: 10 * SECOND } })
    for (let second = 0; second < 9; second++) {
      peer.send(second === 0 ? 'GET / HTTP/1.1\r\n' : `X${second}: y\r\n`)
      await scheduler.run(second * SECOND)
    }
    expect(peer.take()).toBe('')
    await scheduler.run(10.1 * SECOND)
    expect(statuses(peer.take())).toEqual([408])
    expect(peer.ended).toBe(true)
    expect(server.counters.timeouts).toBe(1)
  })

  it('a connection without any byte is closed without a word', async () => {
    const { peer, scheduler } = serve(ok, { timeouts: { headersUs: 10 * SECOND } })
    await scheduler.run(11 * SECOND)
    expect([peer.take(), peer.ended]).toEqual(['', true])
  })

  it('a kept connection is closed after its idle time, which each request begins anew (RFC 9112 §9.5)', async () => {
    const { peer, scheduler, ask } = serve(ok)
    await ask(req())
    await scheduler.run(4 * SECOND)
    expect(statuses(await ask(req()))).toEqual([200])
    await scheduler.run(8.9 * SECOND)
    expect(peer.ended).toBe(false)
    await scheduler.run(9.1 * SECOND)
    expect([peer.take(), peer.ended]).toEqual(['', true])
  })

  it('a body that takes too long is 408 (RFC 9110 §15.5.9)', async () => {
    const { peer, scheduler, errors } = serve(async (request) => ({ body: await request.text() }), {
      timeouts: { requestUs: 20 * SECOND },
    })
    peer.send(req('POST /', ['Content-Length: 100']))
    for (let second = 1; second < 20; second++) {
      await scheduler.run(second * SECOND)
      peer.send('x')
    }
    await scheduler.run(21 * SECOND)
    expect(statuses(peer.take())).toEqual([408])
    expect(errors).toMatchObject([{ reason: 'timeout' }])
  })

  it('the time that a handler lets a body wait does not count', async () => {
    const served = serve(
      async (request) => {
        await served.scheduler.wait(60 * SECOND)
        return { body: String((await request.bytes()).length) }
      },
      { timeouts: { requestUs: 20 * SECOND } },
    )
    served.peer.send(req('POST /', ['Content-Length: 300000'], 'x'.repeat(300_000)))
    await served.scheduler.run(61 * SECOND)
    expect(served.peer.take()).toMatch(/300000$/)
  })

  it('a peer that takes nothing of an answer is dropped after a while', async () => {
    const served = serve(() => ({ body: 'x'.repeat(1_000_000) }), { timeouts: { writeUs: 30 * SECOND } })
    served.peer.stream.pause()
    served.peer.send(req())
    await served.scheduler.run(29 * SECOND)
    expect(served.server.connectionCount).toBe(1)
    await served.scheduler.run(31 * SECOND)
    expect(served.server.connectionCount).toBe(0)
    expect(served.scheduler.pending).toBe(0)
  })

  it('no timer is left when a connection is gone', async () => {
    const served = serve(ok)
    await served.ask(req())
    served.peer.stream.destroy()
    await served.scheduler.settle()
    expect(served.scheduler.pending).toBe(0)
  })
})

describe('back-pressure', () => {
  it('an answer is made no faster than it is read (memory stays bounded)', async () => {
    let made = 0
    async function* flood(): AsyncGenerator<Uint8Array> {
      for (; made < 20_000_000; made += 50_000) yield new Uint8Array(50_000)
    }
    const served = serve(() => ({ body: flood() }))
    served.peer.stream.pause()
    served.peer.send(req())
    await served.scheduler.settle()
    expect(made).toBeLessThan(500_000)
    let got = 0
    served.peer.stream.on('data', (chunk: Uint8Array) => {
      got += chunk.length
    })
    served.peer.stream.resume()
    while (got < 20_000_000 && !served.peer.closed) await served.scheduler.settle()
    expect(made).toBe(20_000_000)
  })

  it('a body is taken no faster than it is wanted (memory stays bounded)', async () => {
    const served = serve(async (request) => {
      let length = 0
      for await (const part of request.body) {
        length += part.length
        await served.scheduler.wait(1000)
      }
      return { body: String(length) }
    })
    served.peer.send(req('POST /', ['Content-Length: 5000000']))
    let sent = 0
    const more = (): void => {
      while (sent < 5_000_000) {
        sent += 50_000
        if (!served.peer.stream.write(new Uint8Array(50_000))) return
      }
    }
    served.peer.stream.on('drain', more)
    more()
    await served.scheduler.run(1000)
    expect(sent).toBeLessThan(1_000_000)
    await served.scheduler.run(10 * SECOND)
    expect(served.peer.take()).toMatch(/5000000$/)
  })

  it('pipelined requests wait outside once enough of them wait inside', async () => {
    const served = serve(async () => {
      await served.scheduler.wait(SECOND)
      return ok()
    })
    const one = req('GET /', [`A: ${'x'.repeat(10_000)}`])
    let blocked = 0
    for (let i = 0; i < 60; i++) if (!served.peer.stream.write(one)) blocked++
    await served.scheduler.run(0.5 * SECOND)
    expect(blocked).toBeGreaterThan(0)
    expect(served.peer.stream.writableLength).toBeGreaterThan(200_000)
    await served.scheduler.run(70 * SECOND)
    expect(statuses(served.peer.take()).length).toBe(60)
  })
})

describe('closing', () => {
  it('close() ends idle connections, and busy ones after an answer that says so (RFC 9112 §9.6)', async () => {
    const served = serve(async () => {
      await served.scheduler.wait(SECOND)
      return ok()
    })
    const busy = served.connect()
    busy.peer.send(req())
    await served.scheduler.settle()
    let closed = false
    void served.server.close().then(() => {
      closed = true
    })
    await served.scheduler.settle()
    expect([served.peer.ended, busy.peer.ended, closed]).toEqual([true, false, false])
    served.peer.stream.end()
    await served.scheduler.run(1.5 * SECOND)
    expect(busy.peer.take()).toContain('Connection: close')
    expect(busy.peer.ended).toBe(true)
    busy.peer.stream.end()
    await served.scheduler.settle()
    expect(closed).toBe(true)
    const late = served.connect()
    await served.scheduler.settle()
    expect(late.peer.closed).toBe(true)
  })

  it('closeAll() drops everything at once', async () => {
    const served = serve(() => undefined)
    served.peer.send(req())
    await served.scheduler.settle()
    served.server.closeAll()
    await served.server.close()
    expect(served.server.connectionCount).toBe(0)
    expect(served.records).toMatchObject([{ aborted: true, status: 0 }])
  })

  it('a client that goes away aborts the request, its body and its answer', async () => {
    const seen: string[] = []
    const served = serve(async (request, response) => {
      request.signal.addEventListener('abort', () => seen.push('signal'))
      await request.text().catch((error: { code: string }) => seen.push(`body ${error.code}`))
      await response.write('x').catch((error: { code: string }) => seen.push(`write ${error.code}`))
      response.end()
    })
    served.peer.send(req('POST /', ['Content-Length: 5'], 'ab'))
    await served.scheduler.settle()
    served.peer.stream.destroy()
    await served.scheduler.settle()
    expect(seen).toEqual(['signal', 'body ECONNRESET', 'write ECONNRESET'])
    expect(served.errors).toEqual([])
  })

  it('a record of every exchange tells what was sent', async () => {
    const { ask, records } = serve(async (request) => ({ status: 201, body: await request.text() }))
    const answer = await ask(req('POST /a?b', ['Content-Length: 3'], 'abc'))
    expect(records).toMatchObject([
      {
        method: 'POST',
        target: '/a?b',
        status: 201,
        requestBodyBytes: 3,
        responseBytes: s(Buffer.from(answer)).length,
        responseBodyBytes: 3,
        aborted: false,
      },
    ])
  })

  it('limits and timeouts out of range are RangeErrors', () => {
    expect(() => serve(ok, { limits: { headerCount: -1 } })).toThrow(RangeError)
    expect(() => serve(ok, { limits: { bodyBytes: Number.NaN } })).toThrow(RangeError)
    expect(() => serve(ok, { timeouts: { idleUs: 0 } })).toThrow(RangeError)
  })
})
