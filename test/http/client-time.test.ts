// One client connection: waiting, time limits, aborts, endings.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { dial, exchange, OK } from './client-helpers.ts'
import { b, s } from './helpers.ts'

describe('Expect: 100-continue', () => {
  const request = { method: 'POST', body: 'abc', expectContinue: true } as const

  it('the body waits for 100 (RFC 9110 §10.1.1)', async () => {
    const { http, peer, scheduler } = dial()
    const asked = http.request({ target: '/', ...request })
    await scheduler.settle()
    expect(peer.take()).toMatch(/Expect: 100-continue\r\n\r\n$/)
    peer.send('HTTP/1.1 100 Continue\r\n\r\n')
    await scheduler.settle()
    expect(peer.take()).toBe('abc')
    peer.send(OK)
    expect((await asked).status).toBe(200)
    expect(await (await asked).text()).toBe('ok')
    expect(http.reusable).toBe(true)
  })

  it('the body goes out anyway after a second', async () => {
    const { http, peer, scheduler } = dial()
    const asked = http.request({ target: '/', ...request })
    await scheduler.run(0.9 * SECOND)
    expect(peer.take()).not.toMatch(/abc$/)
    await scheduler.run(1.1 * SECOND)
    expect(peer.take()).toBe('abc')
    peer.send(OK)
    expect((await asked).status).toBe(200)
  })

  it('a final answer keeps the body back, and the connection is not used again', async () => {
    const dialled = dial()
    expect(await exchange(dialled, 'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n', request)).toEqual([403, ''])
    expect(dialled.peer.take()).not.toMatch(/abc$/)
    expect(dialled.http.reusable).toBe(false)
  })
})

describe('time and endings', () => {
  it('no answer in time is ETIMEDOUT (RFC 9112 §9.5)', async () => {
    const { http, scheduler } = dial({ timeouts: { responseUs: 10 * SECOND } })
    const asked = http.request({ target: '/' }).catch((error: unknown) => error)
    await scheduler.run(11 * SECOND)
    expect(await asked).toMatchObject({ code: 'ETIMEDOUT', answered: false })
    await http.closed
    expect(scheduler.pending).toBe(0)
  })

  it('a body that stops coming is ETIMEDOUT, one that drips is not', async () => {
    const { http, peer, scheduler } = dial({ timeouts: { idleUs: 10 * SECOND } })
    const asked = http.request({ target: '/' })
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n')
    const text = (await asked).text().catch((error: unknown) => error)
    for (let i = 1; i <= 5; i++) {
      await scheduler.run(i * 8 * SECOND)
      peer.send('x')
    }
    await scheduler.run(49 * SECOND)
    expect(http.reusable).toBe(true)
    await scheduler.run(51 * SECOND)
    expect(await text).toMatchObject({ code: 'ETIMEDOUT', answered: true })
  })

  it('the time that the program lets a body wait does not count, and the sender is held back', async () => {
    const { http, peer, scheduler } = dial({ timeouts: { idleUs: 10 * SECOND } })
    const asked = http.request({ target: '/' })
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n')
    let sent = 0
    const more = (): void => {
      while (sent < 5_000_000) {
        sent += 50_000
        if (!peer.stream.write(new Uint8Array(50_000))) return
      }
    }
    peer.stream.on('drain', more)
    more()
    const response = await asked
    await scheduler.run(100 * SECOND)
    expect(sent).toBeLessThan(1_000_000)
    expect((await response.bytes()).length).toBe(5_000_000)
    expect(http.reusable).toBe(true)
  })

  it('an abort before, during and after (AbortSignal)', async () => {
    const early = dial()
    const aborted = AbortSignal.abort()
    await expect(early.http.request({ target: '/', signal: aborted })).rejects.toMatchObject({ name: 'AbortError' })
    expect(early.http.reusable).toBe(true)
    const waiting = new AbortController()
    const first = early.http.request({ target: '/1' })
    const second = early.http.request({ target: '/2', signal: waiting.signal })
    waiting.abort()
    await expect(second).rejects.toMatchObject({ name: 'AbortError' })
    early.peer.send(OK)
    expect(await (await first).text()).toBe('ok')
    expect(early.http.reusable).toBe(true)

    const during = dial()
    const controller = new AbortController()
    const asked = during.http.request({ target: '/', signal: controller.signal })
    during.peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')
    const response = await asked
    controller.abort()
    await expect(response.text()).rejects.toMatchObject({ name: 'AbortError' })
    expect(during.http.reusable).toBe(false)
  })

  it('leaving the loop over a body early keeps the connection when little is left, and drops it otherwise', async () => {
    for (const [length, kept] of [
      [100, true],
      [10_000_000, false],
    ] as const) {
      const { http, peer, scheduler } = dial()
      const asked = http.request({ target: '/' })
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n0123456789`)
      for await (const _ of (await asked).body) break
      peer.send('x'.repeat(90))
      await scheduler.settle()
      expect(http.reusable).toBe(kept)
    }
  })

  it('an answer that ends before the request does ends the connection', async () => {
    const { http, peer, scheduler } = dial()
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        await scheduler.wait(SECOND)
        yield b('x')
      }
    }
    const asked = http.request({ target: '/', method: 'POST', body: endless() })
    await scheduler.run(3 * SECOND)
    peer.send('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')
    await scheduler.settle()
    expect((await asked).status).toBe(413)
    await scheduler.run(5 * SECOND)
    expect([http.reusable, peer.ended]).toEqual([false, true])
  })

  it('a body of the program that fails cuts the request off and is what the caller gets', async () => {
    const { http, peer, scheduler } = dial()
    async function* failing(): AsyncGenerator<string> {
      yield 'a'
      throw new Error('disk gone')
    }
    const asked = http.request({ target: '/', method: 'POST', body: failing() }).catch((error: Error) => error.message)
    await scheduler.settle()
    expect(await asked).toBe('disk gone')
    await scheduler.settle()
    expect(peer.closed).toBe(true)
    expect(peer.take()).not.toMatch(/0\r\n\r\n$/)
  })

  it('a server that takes nothing of a request is given up after a while', async () => {
    const { http, peer, scheduler } = dial({ timeouts: { writeUs: 30 * SECOND } })
    peer.stream.pause()
    const asked = http
      .request({ target: '/', method: 'POST', body: new Uint8Array(1_000_000) })
      .catch((e: unknown) => e)
    await scheduler.run(31 * SECOND)
    expect(await asked).toMatchObject({ code: 'ETIMEDOUT', answered: false })
  })

  it('discard() reads the rest so that the connection becomes free', async () => {
    const { http, peer, scheduler } = dial()
    const asked = http.request({ target: '/' })
    peer.send(OK)
    await (await asked).discard()
    await scheduler.settle()
    expect([http.reusable, http.busy]).toEqual([true, false])
  })

  it('timings tell when the request left, the first byte came and the answer ended', async () => {
    const { http, peer, scheduler } = dial()
    const seen: string[] = []
    await scheduler.run(1 * SECOND)
    const asked = http.request({
      target: '/',
      hooks: {
        onSent: (at) => seen.push(`sent ${at / SECOND}`),
        onFirstByte: (at) => seen.push(`first ${at / SECOND}`),
        onEnd: ({ endAt }) => seen.push(`end ${endAt / SECOND}`),
      },
    })
    await scheduler.run(2 * SECOND)
    peer.send('HTTP/1.1 200')
    await scheduler.run(3 * SECOND)
    peer.send(' OK\r\nContent-Length: 2\r\n\r\no')
    await scheduler.run(4 * SECOND)
    peer.send('k')
    await scheduler.settle()
    const { timings } = await asked
    expect(timings).toEqual({
      queuedAt: SECOND,
      sentAt: SECOND,
      firstByteAt: 2 * SECOND,
      headAt: 3 * SECOND,
      endAt: 4 * SECOND,
    })
    expect(seen).toEqual(['sent 1', 'first 2', 'end 4'])
  })

  it('close() lets what is under way finish and then ends; closed resolves', async () => {
    const { http, peer, scheduler } = dial()
    const asked = http.request({ target: '/' })
    http.close()
    peer.send(OK)
    expect(await (await asked).text()).toBe('ok')
    await scheduler.settle()
    expect(peer.ended).toBe(true)
    peer.stream.end()
    await http.closed
    const idle = dial()
    idle.http.close()
    await idle.scheduler.run(6 * SECOND)
    await idle.http.closed
    expect(s(Buffer.from(idle.peer.take()))).toBe('')
  })
})
