// The scoreboard against a model that keeps a mark for every octet (RFC 6675 §3, §4).

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDelivery } from '../../src/tcp/delivery.ts'
import { Flight, type FlightMark } from '../../src/tcp/flight.ts'
import { type Seq, seq, seqAdd, seqDiff } from '../../src/tcp/seq.ts'

interface Octet {
  mark: FlightMark
  transmissions: number
}

const counts = createDelivery(0)
const nothing = (): void => undefined

const part = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
const step = fc.record({
  kind: fc.constantFrom(
    'push',
    'push',
    'push',
    'lost',
    'sacked',
    'sack',
    'unlose',
    'resend',
    'split',
    'release' as const,
  ),
  part,
  within: part,
  length: fc.integer({ min: 1, max: 20 }),
})

function check(flight: Flight, model: readonly Octet[], una: Seq): void {
  let at = 0
  for (let i = 0; i < flight.size; i++) {
    const { start, end, mark, transmissions } = flight.at(i)
    expect(seqDiff(start, una)).toBe(at)
    const length = seqDiff(end, start)
    const octets = model.slice(at, at + length)
    expect(octets.every((octet) => octet.mark === mark)).toBe(true)
    expect(Math.max(...octets.map((octet) => octet.transmissions))).toBe(transmissions) // SACKed neighbours are one entry
    expect(flight.indexOf(start)).toBe(i)
    expect(flight.indexOf(seqAdd(end, -1))).toBe(i)
    at += length
  }
  expect([at, flight.bytes]).toEqual([model.length, model.length])
  expect(flight.indexOf(seqAdd(una, at))).toBe(flight.size)
  const count = (mark: FlightMark): number => model.filter((octet) => octet.mark === mark).length
  expect([flight.sackedBytes, flight.lostBytes]).toEqual([count('sacked'), count('lost')])
  expect(flight.pipe).toBe(count('sent') + count('resent'))
  let inNetwork = 0
  let latest = Number.NEGATIVE_INFINITY
  for (let entry = flight.oldest; entry !== null; entry = entry.newer) {
    expect(entry.sentAt).toBeGreaterThanOrEqual(latest)
    latest = entry.sentAt
    inNetwork += seqDiff(entry.end, entry.start)
  }
  expect(inNetwork).toBe(flight.pipe)
  const first = flight.firstLost()
  const expected = model.findIndex((octet) => octet.mark === 'lost')
  expect(first < 0 ? -1 : seqDiff(flight.at(first).start, una)).toBe(expected)
}

for (const start of [0, 2 ** 31 - 50, 2 ** 32 - 50]) {
  test(`marks, counts and order hold whatever happens, from ${start} on (RFC 6675 §4)`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const flight = new Flight()
        let clock = 0
        let una = seq(start)
        let nxt = una
        let model: Octet[] = []
        for (const { kind, part, within, length } of steps) {
          const i = Math.floor(part * flight.size)
          const from = flight.size > 0 ? seqDiff(flight.at(i).start, una) : 0
          const to = flight.size > 0 ? seqDiff(flight.at(i).end, una) : 0
          if (kind === 'push') {
            flight.push(nxt, seqAdd(nxt, length), ++clock, counts)
            nxt = seqAdd(nxt, length)
            model.push(...Array.from({ length }, (): Octet => ({ mark: 'sent', transmissions: 1 })))
          } else if (flight.size === 0) {
            expect(flight.release(una, nothing)).toBe(null)
          } else if (kind === 'lost' || kind === 'sacked') {
            flight.mark(i, kind)
            for (let k = from; k < to; k++) model[k].mark = kind
          } else if (kind === 'sack') {
            const whole = flight.sack(i, 1)
            for (let k = from; k < to; k++) model[k].mark = 'sacked'
            expect(seqDiff(flight.at(whole).start, una)).toBeLessThanOrEqual(from)
            expect(seqDiff(flight.at(whole).end, una)).toBeGreaterThanOrEqual(to)
          } else if (kind === 'unlose') {
            flight.unlose()
            for (const octet of model) if (octet.mark === 'lost') octet.mark = 'sent'
          } else if (kind === 'resend') {
            flight.resend(i, ++clock, counts)
            const { transmissions } = flight.at(i)
            for (let k = from; k < to; k++) model[k] = { mark: 'resent', transmissions }
            expect(flight.at(i).sentAt).toBe(clock)
          } else if (kind === 'split') {
            const at = from + Math.floor(within * (to - from))
            if (at > from) flight.split(i, seqAdd(una, at))
          } else {
            const acked = Math.floor(part * (model.length + 1))
            const wasWhole = [...Array(flight.size).keys()].some((k) => seqDiff(flight.at(k).end, una) <= acked)
            const isAmbiguous = model.slice(0, acked).some(({ transmissions }) => transmissions > 1)
            const newest = flight.release(seqAdd(una, acked), nothing)
            expect(newest !== null).toBe(wasWhole && !isAmbiguous)
            una = seqAdd(una, acked)
            model = model.slice(acked)
          }
          check(flight, model, una)
        }
        flight.clear()
        expect([flight.size, flight.bytes, flight.firstLost()]).toEqual([0, 0, -1])
      }),
      { numRuns: 60 },
    )
  })
}

test('a long flight is released from its front without keeping what is gone', () => {
  const flight = new Flight()
  for (let i = 0; i < 500; i++) flight.push(seq(i * 10), seq(i * 10 + 10), i, counts)
  for (let i = 1; i <= 500; i++) {
    expect(flight.release(seq(i * 10), nothing)?.sentAt).toBe(i - 1)
    expect(flight.size).toBe(500 - i)
  }
})

test('misuse is a defect of ours: an assertion', () => {
  const flight = new Flight()
  expect(() => flight.push(seq(5), seq(5), 0, counts)).toThrow('empty')
  flight.push(seq(5), seq(9), 0, counts)
  expect(() => flight.split(0, seq(5))).toThrow('outside')
  expect(() => flight.split(0, seq(9))).toThrow('outside')
})

test('SACKed neighbours become one entry that knows how many segments it is; the rest keeps its order (RFC 6675 §3, RFC 8985 §6.2)', () => {
  const flight = new Flight()
  for (let i = 0; i < 9; i++) flight.push(seq(i * 10), seq(i * 10 + 10), i, counts)
  expect([flight.sack(3, 1), flight.sack(5, 2), flight.sack(4, 1)]).toEqual([3, 5, 3])
  expect([flight.size, flight.sackedBytes, flight.sackedSegments]).toEqual([7, 30, 4])
  flight.lose(flight.at(0), 'rack')
  flight.lose(flight.at(1), 'rack')
  flight.resend(1, 9, counts)
  flight.unlose()
  const order: number[] = []
  for (let entry = flight.oldest; entry !== null; entry = entry.newer) order.push(entry.start)
  expect(order).toEqual([0, 20, 60, 70, 80, 10])
  flight.release(seq(60), nothing)
  expect([flight.size, flight.sackedSegments]).toEqual([3, 0])
})

test('pieces that went back into the network stand where they were sent, though others of their time are there (RFC 8985 §6.2)', () => {
  const flight = new Flight()
  for (let i = 0; i < 6; i++) flight.push(seq(i * 10), seq(i * 10 + 10), Math.floor(i / 2), counts)
  for (const i of [0, 1, 3, 4]) flight.lose(flight.at(i), 'rto')
  expect(flight.at(3).cause).toBe('rto')
  flight.unlose()
  const order: number[] = []
  for (let entry = flight.oldest; entry !== null; entry = entry.newer) order.push(entry.start)
  expect(order).toEqual([0, 10, 20, 30, 40, 50])
})
