// Rules that everybody has, switched off to see what they are for.

import { expect } from 'vitest'
import { established, scenario } from './script.ts'

const mss = 1000

scenario(
  'limited transmit: the first duplicates let new segments go (RFC 3042 §2); off, they wait for the third',
  () => {
    for (const sack of [false, true]) {
      for (const limitedTransmit of [true, false]) {
        const c = established({ mss, sack, tcp: { limitedTransmit, initialWindowSegments: 4 } })
        c.write(10_000).outText(1, 4001, 1, false)
        const duplicate = (end: number): string => (sack ? `. ack 1 <sack 1001:${end}>` : '. ack 1')
        c.in(duplicate(2001))
        if (limitedTransmit) c.out('. 4001:5001 ack 1')
        c.quiet().in(duplicate(3001))
        if (limitedTransmit) c.out('. 5001:6001 ack 1')
        c.quiet().in(duplicate(4001))
        expect([c.tcb.recovery.phase, c.drain()[0]?.seq]).toEqual(['recovery', 1])
      }
    }
  },
)

scenario('silly windows, the sender: a small opening is not filled (RFC 9293 §3.8.6.2.1 [MUST-38]); off, it is', () => {
  for (const sillyWindowAvoidance of [true, false]) {
    const c = established({ mss, win: 4000, tcp: { sillyWindowAvoidance, nagle: false } })
    c.write(10_000).outText(1, 4001, 1, false).in('. ack 4001 win 100')
    if (sillyWindowAvoidance) {
      c.quiet()
      expect(c.tcb.hold).toBe('silly-window')
    } else c.out('. 4001:4101 ack 1')
  }
})

scenario('silly windows, the receiver: a small opening is not told (RFC 9293 §3.8.6.2.2 [MUST-39]); off, it is', () => {
  for (const sillyWindowAvoidance of [true, false]) {
    const c = established({ tcp: { sillyWindowAvoidance, receiveBufferBytes: 4000, delayedAckUs: 0 } })
    c.in('. 1:1461 ack 1', '. 1461:2921 ack 1', '. 2921:4001 ack 1').out('. 1 ack 4001 win 0')
    c.reads(100, 100)
    if (sillyWindowAvoidance) c.quiet()
    else c.out('. 1 ack 4001 win 100')
  }
})

scenario('PAWS: an old duplicate from before the wrap is refused (RFC 7323 §5.2); off, its text is taken', () => {
  for (const paws of [true, false]) {
    const c = established({ ts: true, tcp: { paws, delayedAckUs: 0 } })
    c.advance(10)
    c.in('. 1:11 ack 1').out('. 1 ack 11')
    c.in('P. 11:21 ack 1 <TS val 900>')
    c.out(paws ? '. 1 ack 11' : '. 1 ack 21')
  }
})

scenario(
  'pacing: a window goes in one burst; paced by cwnd and SRTT it spreads over half a round trip (RFC 9002 §7.7)',
  () => {
    for (const pacing of ['controller', 'always'] as const) {
      const c = established({ mss, wscale: 7, tcp: { pacing, congestion: 'cubic', initialWindowSegments: 10 } })
      c.write(10_000).outText(1, 10_001).advance(100).in('. ack 10001').write(100_000)
      const atOnce = c.drain().length
      if (pacing === 'controller') {
        expect(atOnce).toBe(18) // HyStart++ adds eight segments for one acknowledgement (RFC 9406 §4.2)
        continue
      }
      expect([atOnce, c.tcb.hold]).toEqual([1, 'pacing'])
      let sent = atOnce
      for (let ms = 0; ms < 50; ms++) {
        c.advance(1)
        sent += c.drain().length
      }
      expect(sent).toBeGreaterThan(16)
      expect(sent).toBeLessThanOrEqual(24)
      c.call((k) => k.configure({ pacing: 'controller' })).drain()
      expect(c.tcb.cc.pacingRate).toBe(0)
    }
  },
)
