// Peers that vanish, at every byte; and ten thousand that dawdle beside one that does not. Virtual time.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import type { RawPeer, VirtualScheduler } from './helpers.ts'
import { req, serve, statuses } from './server-helpers.ts'

const CHUNKED = req('POST /2', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n')
const STREAM = req('GET /1') + CHUNKED + req('PUT /3', ['Content-Length: 2'], 'xy')
const ENDS = [req('GET /1').length, (req('GET /1') + CHUNKED).length, STREAM.length]

/** A server that notes the requests that it has seen whole. */
function effects() {
  const done: string[] = []
  const served = serve(async (request) => {
    await request.bytes()
    done.push(request.path)
    return { body: request.path }
  })
  return { ...served, done }
}

describe('a client that is cut off at any byte', () => {
  it('by the end of its side: each whole request has its effect and its answer, half of one is 400 (RFC 9112 §8)', async () => {
    const { connect, done, server, scheduler } = effects()
    for (let cut = 0; cut <= STREAM.length; cut++) {
      done.length = 0
      const { peer } = connect()
      peer.send(STREAM.slice(0, cut))
      peer.stream.end()
      await settle(scheduler, () => peer.closed || peer.ended)
      const whole = ENDS.filter((end) => end <= cut).length
      const isBetween = cut === 0 || ENDS.includes(cut)
      expect([cut, done.length, ...statuses(peer.take())]).toEqual([
        cut,
        whole,
        ...Array.from({ length: whole }, () => 200),
        ...(isBetween ? [] : [400]),
      ])
    }
    await scheduler.run(6 * SECOND)
    expect(server.connectionCount).toBe(1) // the one that never said anything
  })

  it('by a reset: nothing of a request that was not whole has an effect, and nothing is left behind', async () => {
    const { connect, done, server, scheduler, errors } = effects()
    for (let cut = 0; cut <= STREAM.length; cut++) {
      done.length = 0
      const { peer } = connect()
      peer.send(STREAM.slice(0, cut))
      await settle(scheduler, () => peer.stream.writableLength === 0)
      peer.stream.destroy()
      await settle(scheduler, () => server.connectionCount === 1)
      expect(server.connectionCount).toBe(1)
      expect(done.length).toBe(ENDS.filter((end) => end <= cut).length)
    }
    expect(errors.filter((error) => (error as Error).name !== 'HttpError')).toEqual([])
    expect(scheduler.pending).toBe(1)
  })

  it('while it reads the answer: the handler is told, whatever has gone out', async () => {
    let aborted = 0
    const { connect, server, scheduler } = serve(async (request, response) => {
      request.signal.addEventListener('abort', () => aborted++)
      for (;;) await response.write('x'.repeat(1000))
    })
    for (let tries = 1; tries <= 20; tries++) {
      const { peer } = connect(tries * 100)
      peer.stream.pause()
      peer.send(req())
      await settle(scheduler, () => peer.stream.readableLength > 0)
      peer.stream.destroy()
      await settle(scheduler, () => aborted === tries)
      expect([aborted, server.connectionCount]).toEqual([tries, 1])
    }
  })
})

async function settle(_: VirtualScheduler, until: () => boolean): Promise<void> {
  for (let turns = 0; turns < 4 && !(turns > 0 && until()); turns++) {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a crowd of slow clients', () => {
  it('costs a fast one neither time nor answers, and each slow one its 408 or its end (RFC 9110 §15.5.9)', async () => {
    const count = 400
    const { connect, scheduler, server, ask } = serve(() => ({ body: 'ok' }), { timeouts: { headersUs: 10 * SECOND } })
    const slow: RawPeer[] = []
    for (let i = 0; i < count; i++) {
      const { peer } = connect()
      slow.push(peer)
      peer.send('GET / HTTP/1.1\r\nX: ')
    }
    await scheduler.settle()
    for (let second = 1; second <= 8; second += 4) {
      for (const peer of slow) peer.send('y')
      const before = scheduler.now()
      expect(statuses(await ask(req()))).toEqual([200])
      expect(scheduler.now()).toBe(before)
      await scheduler.run(second * SECOND)
    }
    expect(server.connectionCount).toBe(count + 1)
    await scheduler.run(17 * SECOND)
    expect(slow.every((peer) => /^HTTP\/1\.1 408 /.test(peer.received) && peer.ended)).toBe(true)
    expect(server.connectionCount).toBeLessThanOrEqual(1)
  })
})
