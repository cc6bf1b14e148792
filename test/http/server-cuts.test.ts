// Peers that vanish, at every byte; and ten thousand that dawdle beside one that does not. Virtual time.
import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { HttpServer } from '../../src/http/server.ts'
import type { Handler } from '../../src/http/server-message.ts'
import { VirtualTime } from '../../src/sim/virtual-time.ts'
import { b, s, type VirtualScheduler } from './helpers.ts'
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

/** A connection that costs a test next to nothing: what is written to it is kept, and may be refused for ever. */
class Line extends EventEmitter {
  destroyed = false
  ended = false
  text = ''
  isFull = false

  say(text: string): void {
    this.emit('data', b(text))
  }

  write(bytes: Uint8Array): boolean {
    this.text += s(bytes)
    return !this.isFull
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }

  pause(): void {}
  resume(): void {}
}

describe('a crowd', () => {
  const crowd = (
    count: number,
    handler: Handler,
  ): { time: VirtualTime; server: HttpServer; slow: Line[]; fast: Line } => {
    const time = new VirtualTime()
    const server = new HttpServer({
      handler,
      scheduler: time,
      timeouts: { headersUs: 10 * SECOND, writeUs: 20 * SECOND },
    })
    const connect = (): Line => {
      const line = new Line()
      server.handleConnection(line, {})
      return line
    }
    return { time, server, slow: Array.from({ length: count }, connect), fast: connect() }
  }
  /** Asks on a connection; whether the answer is there at this very moment of virtual time. */
  const isAnswered = (time: VirtualTime, line: Line): boolean => {
    const events = time.events
    line.text = ''
    line.say(req())
    time.runSync({ until: time.now() })
    return line.text.endsWith('\r\n\r\nok') && time.events - events < 10
  }

  it('of ten thousand that dawdle over their heads costs a fast one neither time nor answers; each of them gets 408 (RFC 9110 §15.5.9)', async () => {
    const { time, server, slow, fast } = crowd(10_000, () => ({ body: 'ok' }))
    for (const line of slow) line.say('GET / HTTP/1.1\r\nX: ')
    for (let second = 4; second <= 8; second += 4) {
      expect(isAnswered(time, fast)).toBe(true)
      time.runSync({ until: second * SECOND })
      for (const line of slow) line.say('y')
    }
    expect(isAnswered(time, fast)).toBe(true)
    expect(slow.filter(({ text }) => text !== '')).toHaveLength(0)
    time.runSync({ until: 11 * SECOND })
    expect(slow.filter(({ text, ended }) => !text.startsWith('HTTP/1.1 408 ') || !ended)).toHaveLength(0)
    expect(isAnswered(time, fast)).toBe(true)
    await new Promise(setImmediate)
    time.runSync({ until: 19 * SECOND })
    expect(slow.filter(({ destroyed }) => !destroyed)).toHaveLength(0)
    expect(server.connectionCount).toBe(1)
  })

  it('that reads nothing of its answers holds what fits a buffer each, and is dropped in the end', async () => {
    let most = 0
    const { time, server, slow, fast } = crowd(500, async (request, response) => {
      if (request.path === '/') return response.send(200, {}, 'ok')
      for (let i = 1; ; i++) {
        most = Math.max(most, i)
        await response.write('x'.repeat(20_000))
      }
    })
    for (const line of slow) {
      line.isFull = true
      line.say(req('GET /endless'))
    }
    time.runSync({ until: SECOND })
    await new Promise(setImmediate)
    expect([isAnswered(time, fast), most]).toEqual([true, 1])
    time.runSync({ until: 22 * SECOND })
    expect(slow.filter(({ destroyed }) => !destroyed)).toHaveLength(0)
    expect(server.counters.timeouts).toBe(500)
  })
})
