// The window that we tell, whatever is sent, read and waited for: its right edge never moves left (RFC 9293 §3.8.6 [SHLD-14]), what lies
// within it is taken, and a peer that keeps to it can always go on (RFC 9293 §3.8.6.2.2 [MUST-39]).

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { receiveBufferBytes } from '../../src/tcp/receive-buffer.ts'
import { established, type Script } from './script.ts'
import { inWorld, WORLDS } from './world.ts'

/** A peer that knows what it was told, and judges it. */
class Peer {
  readonly c: Script
  readonly unit: number
  /** The right edge as last told, the farthest ever told, what was sent, acknowledged, and read. */
  edge = 0
  farthest = 0
  acked = 1
  next = 1
  read = 0
  /** Pieces left out, to be sent later. */
  readonly holes: [number, number][] = []

  constructor(c: Script) {
    this.c = c
    this.unit = 2 ** c.tcb.rcv.scale
    this.farthest = this.edge = 1 + c.connection.info().tcpi_rcv_wnd
  }

  look(): void {
    for (const { ack, win } of this.c.drain()) {
      const edge = ack! + win! * this.unit
      this.acked = Math.max(this.acked, ack!)
      // RFC 7323 §2.4: where the units of the scale are larger than an octet the edge may seem to move left by less than one of them.
      expect(edge, 'the right edge').toBeGreaterThan(this.farthest - this.unit)
      const { mss } = this.c.tcb.rcv
      const step = edge - this.farthest // right by rounding, or by as much as is worth telling
      const worth = Math.min(mss, Math.floor(receiveBufferBytes(this.c.tcb) / 2))
      if (step >= this.unit) expect(step, 'a step of the window').toBeGreaterThan(worth - this.unit)
      this.edge = edge
      this.farthest = Math.max(this.farthest, edge)
    }
  }

  send(from: number, to: number): void {
    this.c.in(`. ${from}:${to} ack 1`)
    this.look()
  }

  /** Up to `most` octets of new text; its first `hole` octets are left out for now. */
  sendNew(most: number, hole: number): void {
    const end = Math.min(this.next + Math.min(most, this.c.tcb.rcv.mss), this.farthest)
    if (end <= this.next) return
    const from = Math.min(end - 1, this.next + hole)
    if (from > this.next) this.holes.push([this.next, from])
    this.send(from, end)
    this.next = end
  }

  fillHole(): void {
    const hole = this.holes.shift()
    if (hole !== undefined) this.send(...hole)
  }

  take(most: number): void {
    const length = Math.min(most, this.c.connection.readableBytes)
    if (length === 0) return
    this.c.reads(length, length)
    this.read += length
    this.look()
  }

  wait(ms: number): void {
    this.c.advance(ms)
    this.look()
  }

  /** Everything is read: after a probe, at the latest, the window is open by as much as can be asked for. */
  goOn(): void {
    while (this.holes.length > 0) this.fillHole()
    this.take(Number.POSITIVE_INFINITY)
    expect(this.read, 'all that was sent within the window has come').toBe(this.next - 1)
    this.wait(500)
    this.c.in(`. ${this.next - 1} ack 1`)
    this.look()
    expect(this.acked).toBe(this.next)
    const { mss } = this.c.tcb.rcv
    const asked = Math.min(mss, Math.floor(receiveBufferBytes(this.c.tcb) / 2))
    expect(this.edge - this.next, 'the window after all was read').toBeGreaterThanOrEqual(asked - (asked % this.unit))
    expect(this.edge - this.next).toBeGreaterThan(0)
  }
}

const size = fc.oneof(fc.integer({ min: 2, max: 3000 }), fc.integer({ min: 2, max: 300_000 }))
const settings = fc.record({
  receiveBufferBytes: size,
  receiveBufferMaxBytes: fc.oneof(size, fc.integer({ min: 2, max: 2 ** 30 })),
  receiveBufferAutotune: fc.boolean(),
  delayedAck: fc.constantFrom('adaptive' as const, 'fixed' as const),
  delayedAckUs: fc.constantFrom(0, 40_000),
  mss: fc.integer({ min: 48, max: 1460 }),
})
const step = fc.oneof(
  fc.record({
    kind: fc.constant('send' as const),
    n: fc.integer({ min: 1, max: 2000 }),
    hole: fc.constantFrom(0, 0, 0, 1, 200),
  }),
  fc.record({
    kind: fc.constantFrom('read' as const, 'wait' as const, 'fill' as const),
    n: fc.integer({ min: 1, max: 4000 }),
    hole: fc.constant(0),
  }),
)

test('whatever is sent, read and waited for, the right edge stays, text within it is taken, and the peer can go on', () => {
  fc.assert(
    fc.property(
      settings,
      fc.constantFrom(...WORLDS),
      fc.constantFrom(undefined, 0, 7),
      fc.boolean(),
      fc.array(fc.array(step, { minLength: 1, maxLength: 25 }), { minLength: 1, maxLength: 4 }),
      (tcp, world, wscale, ts, parts) =>
        inWorld(world, () => {
          const peer = new Peer(established({ tcp, sack: true, ts, ...(wscale !== undefined && { wscale }) }))
          for (const steps of parts) {
            for (const { kind, n, hole } of steps) {
              if (kind === 'send') peer.sendNew(n, hole)
              else if (kind === 'read') peer.take(n)
              else if (kind === 'wait') peer.wait(n / 20)
              else peer.fillHole()
            }
            peer.goOn()
          }
        }),
    ),
    { numRuns: 300, seed: 7 },
  )
})
