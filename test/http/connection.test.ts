// Two machines without I/O that talk to each other.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HttpConnection } from '../../src/http/connection.ts'
import { ProtocolError } from '../../src/http/errors.ts'
import { CLOSED, dataEvent, endEvent, type HttpEvent, type HttpVersion } from '../../src/http/events.ts'
import { HeaderList, type HeadersInit } from '../../src/http/headers.ts'
import { b, s } from './helpers.ts'

const request = (method = 'GET', headers: HeadersInit = {}, version: HttpVersion = '1.1'): HttpEvent => ({
  type: 'request',
  method,
  target: '/',
  version,
  headers: new HeaderList({ Host: 'a' }).appendAll(headers),
})
const response = (status = 200, headers: HeadersInit = {}, version: HttpVersion = '1.1'): HttpEvent => ({
  type: status < 200 ? 'informational' : 'response',
  status,
  reason: '',
  version,
  headers: new HeaderList(headers),
})

class Pair {
  readonly client = new HttpConnection({ role: 'client' })
  readonly server = new HttpConnection({ role: 'server' })

  /** Sends events from one side and returns what the other makes of them. */
  send(from: 'client' | 'server', ...events: HttpEvent[]): string[] {
    const to = from === 'client' ? this.server : this.client
    for (const event of events) {
      const bytes = this[from].send(event)
      if (event.type === 'closed') to.receiveEnd()
      else to.receiveData(bytes.slice())
    }
    return drain(to)
  }

  get states(): string[] {
    return [this.client.ourState, this.client.theirState, this.server.theirState, this.server.ourState]
  }
}

function drain(http: HttpConnection): string[] {
  const seen: string[] = []
  for (;;) {
    const event = http.nextEvent()
    if (typeof event === 'string') return seen
    seen.push(event.type === 'data' ? `data ${s(event.data)}` : event.type)
  }
}

describe('an exchange', () => {
  it('goes through the states of both sides and starts again (RFC 9112 §9.3)', () => {
    const pair = new Pair()
    for (let i = 0; i < 3; i++) {
      expect(pair.send('client', request('POST', { 'Content-Length': 3 }), dataEvent(b('abc')), endEvent())).toEqual([
        'request',
        'data abc',
        'end',
      ])
      expect(pair.send('server', response(200), dataEvent(b('xy')), endEvent())).toEqual(['response', 'data xy', 'end'])
      expect(pair.states).toEqual(['done', 'done', 'done', 'done'])
      pair.client.startNextCycle()
      pair.server.startNextCycle()
    }
  })

  const persistence: [string, HttpEvent, HttpEvent, boolean][] = [
    ['1.1 and 1.1', request(), response(), true],
    ['1.1 with close asked', request('GET', { Connection: 'close' }), response(), false],
    ['1.1 with close answered', request(), response(200, { Connection: 'close' }), false],
    ['1.0 without keep-alive', request('GET', {}, '1.0'), response(200, { 'Content-Length': 0 }), false],
    [
      '1.0 with keep-alive and a length',
      request('GET', { Connection: 'keep-alive' }, '1.0'),
      response(200, { 'Content-Length': 0 }),
      true,
    ],
    ['1.0 with keep-alive and no length', request('GET', { Connection: 'keep-alive' }, '1.0'), response(200), false],
    ['a 1.0 answer without a length', request(), response(200, {}, '1.0'), false],
    ['a 1.0 answer with a length', request(), response(200, { 'Content-Length': 0 }, '1.0'), true],
  ]
  for (const [name, ask, answer, kept] of persistence) {
    it(`${name}: both sides find the connection ${kept ? 'kept' : 'closing'} (RFC 9112 §9.3)`, () => {
      const pair = new Pair()
      pair.send('client', ask, endEvent())
      pair.send('server', answer, endEvent())
      if (!kept) pair.send('server', CLOSED)
      expect([pair.client.keepAlive, pair.server.keepAlive]).toEqual([kept, kept])
      expect(pair.states[0]).toBe(kept ? 'done' : 'must-close')
    })
  }

  it('pipelined input waits until the answer is done (RFC 9112 §9.3.2)', () => {
    const server = new HttpConnection({ role: 'server' })
    server.receiveData(b('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect(drain(server)).toEqual(['request', 'end'])
    expect(server.nextEvent()).toBe('paused')
    expect(() => server.startNextCycle()).toThrow(ProtocolError)
    server.send(response(204))
    server.send(endEvent())
    server.startNextCycle()
    expect(drain(server)).toEqual(['request', 'end'])
    expect(server.request?.target).toBe('/2')
  })

  it('after an error nothing more is read, and the answer closes (RFC 9112 §2.2)', () => {
    const server = new HttpConnection({ role: 'server' })
    server.receiveData(b('GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect(() => server.nextEvent()).toThrow(ProtocolError)
    expect(server.nextEvent()).toBe('paused')
    expect(s(server.send(response(400, { 'Content-Length': 0 })))).toContain('Connection: close')
    server.send(endEvent())
    expect(server.ourState).toBe('must-close')
  })

  it('a refused event changes nothing, so that another may be sent', () => {
    const pair = new Pair()
    pair.send('client', request(), endEvent())
    const injected = new HeaderList().appendUnchecked('A', 'b\r\n')
    expect(() => pair.server.send({ ...response(200), headers: injected } as HttpEvent)).toThrow(TypeError)
    expect(() => pair.server.send(response(99))).toThrow(RangeError)
    expect(() => pair.server.send(dataEvent(b('x')))).toThrow(ProtocolError)
    expect(() => pair.server.send(response(200, { 'Content-Length': 'x' }))).toThrow(ProtocolError)
    expect(pair.server.ourState).toBe('send-response')
    expect(pair.send('server', response(500, { 'Content-Length': 0 }), endEvent())).toEqual(['response', 'end'])
  })

  it('a client must name a host and a server may not ask (RFC 9112 §3.2)', () => {
    const client = new HttpConnection({ role: 'client' })
    expect(() => client.send({ ...request(), headers: new HeaderList() } as HttpEvent)).toThrow(
      expect.objectContaining({ side: 'local', reason: 'bad-host' }),
    )
    expect(client.ourState).toBe('idle')
    expect(() => new HttpConnection({ role: 'server' }).send(request())).toThrow(ProtocolError)
    expect(() => client.send(response())).toThrow(ProtocolError)
  })
})

describe('100 (Continue)', () => {
  const expecting = request('POST', { 'Content-Length': 3, Expect: '100-continue' })

  it('is waited for until it comes (RFC 9110 §10.1.1)', () => {
    const pair = new Pair()
    pair.send('client', expecting)
    expect([pair.client.clientWaitsForContinue, pair.server.clientWaitsForContinue]).toEqual([true, true])
    expect(pair.send('server', response(100))).toEqual(['informational'])
    expect([pair.client.clientWaitsForContinue, pair.server.clientWaitsForContinue]).toEqual([false, false])
    pair.send('client', dataEvent(b('abc')), endEvent())
    pair.send('server', response(200), endEvent())
    expect(pair.server.keepAlive).toBe(true)
  })

  it('is not needed once the body has come', () => {
    const pair = new Pair()
    pair.send('client', expecting, dataEvent(b('abc')))
    expect(pair.server.clientWaitsForContinue).toBe(false)
  })

  it('a final answer instead of it closes, because nobody knows whether the body comes (RFC 9110 §10.1.1)', () => {
    const pair = new Pair()
    pair.send('client', expecting)
    pair.send('server', response(403, { 'Content-Length': 0 }), endEvent())
    expect(pair.server.keepAlive).toBe(false)
    expect(pair.client.keepAlive).toBe(false)
  })
})

describe('switching protocols', () => {
  it('101 hands the rest of the stream over (RFC 9110 §7.8)', () => {
    const pair = new Pair()
    pair.send('client', request('GET', { Connection: 'upgrade', Upgrade: 'x' }), endEvent())
    pair.server.receiveData(b('early'))
    expect(pair.server.nextEvent()).toBe('paused')
    pair.send('server', response(101, { Connection: 'upgrade', Upgrade: 'x' }))
    expect(pair.states).toEqual(['switched', 'switched', 'switched', 'switched'])
    expect(s(pair.server.takeTrailingData())).toBe('early')
  })

  it('an ordinary answer declines, and HTTP goes on', () => {
    const pair = new Pair()
    pair.send('client', request('GET', { Connection: 'upgrade', Upgrade: 'x' }), endEvent())
    pair.send('server', response(200), endEvent())
    expect(pair.states).toEqual(['done', 'done', 'done', 'done'])
  })
})

describe('any exchange', () => {
  it('round-trips for any bodies, framings and versions (RFC 9112 §6)', () => {
    const part = fc.uint8Array({ maxLength: 30 })
    fc.assert(
      fc.property(fc.array(part), fc.array(part), fc.boolean(), fc.boolean(), (up, down, upLength, downLength) => {
        const pair = new Pair()
        const size = (parts: Uint8Array[]): number => parts.reduce((sum, one) => sum + one.length, 0)
        const framing = upLength ? { 'Content-Length': size(up) } : { 'Transfer-Encoding': 'chunked' }
        const asked = pair.send('client', request('POST', framing), ...up.map(dataEvent), endEvent())
        const answered = pair.send(
          'server',
          response(200, downLength ? { 'Content-Length': size(down) } : {}),
          ...down.map(dataEvent),
          endEvent(),
        )
        const text = (seen: string[]): string =>
          seen.flatMap((one) => (one.startsWith('data ') ? [one.slice(5)] : [])).join('')
        expect(text(asked)).toBe(s(Buffer.concat(up)))
        expect(text(answered)).toBe(s(Buffer.concat(down)))
        expect(pair.states).toEqual(['done', 'done', 'done', 'done'])
      }),
    )
  })
})
