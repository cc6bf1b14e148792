// RFC 7323 §2.4: what a scaled window promises, where it has to be rounded.

import { expect } from 'vitest'
import { established, scenario } from '../tcp/script.ts'

scenario(
  'an edge that rounding seems to draw back, by less than a unit, still holds: text up to it is taken (RFC 7323 §2.4, RFC 9293 §3.8.6 [SHLD-14])',
  () => {
    const tcp = { receiveBufferBytes: 4096, receiveBufferAutotune: true, delayedAckUs: 0 }
    const c = established({ wscale: 7, tcp })
    const unit = 2 ** c.tcb.rcv.scale
    let next = 1
    let promised = 0
    /** Sends so much, and returns the right edge that the acknowledgement tells. */
    const send = (length: number): number => {
      const [ack] = c.in(`. ${next}:${next + length} ack 1`).drain()
      next += length
      const told = (ack.ack ?? 0) + (ack.win ?? 0) * unit
      promised = Math.max(promised, told)
      return told
    }
    let told = send(unit - 1)
    for (let i = 0; i < 100 && told === promised; i++) told = send(unit - 1) // odd pieces, until there is no more to be rounded up
    expect(promised - told).toBeGreaterThan(0)
    expect(promised - told).toBeLessThan(unit)
    const last = promised
    for (; next < last; next += 100) c.in(`. ${next}:${Math.min(last, next + 100)} ack 1`).drain()
    expect((c.tcb.rcv.nxt - c.tcb.rcv.irs) | 0).toBe(last)
  },
)
