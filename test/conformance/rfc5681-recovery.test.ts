// Clauses of RFC 5681, RFC 6582, RFC 6675, RFC 6691 and RFC 7323 that no single feature's tests name.

import { expect } from 'vitest'
import { connecting, established, type Script, scenario } from '../tcp/script.ts'

const mss = 1000
const windows = (c: Script): number[] => [c.tcb.cc.cwnd, c.tcb.cc.ssthresh]

/** So many times the same acknowledgement, whatever is sent on it. */
function duplicates(c: Script, count: number, line: string): void {
  for (let i = 0; i < count; i++) {
    c.in(line)
    c.drain()
  }
}

scenario('ssthresh begins beyond any window, so that slow start finds the path’s (RFC 5681 §3.1)', () => {
  const c = established({ mss, wscale: 14 })
  expect(c.tcb.cc.ssthresh).toBe(Number.POSITIVE_INFINITY)
})

scenario('a small segment does not go beyond cwnd either (RFC 5681 §3.1)', () => {
  const c = established({ mss, tcp: { nagle: false } })
  c.write(10_000).outText(1, 10_001)
  c.write(10).quiet()
  expect(c.tcb.hold).toBe('cwnd')
  c.in('. 1 ack 1001').out('P. 10001:10011 ack 1')
})

scenario('the same segment timing out again leaves ssthresh (RFC 5681 §3.1)', () => {
  const c = established({ mss })
  c.write(8000).drain()
  c.advance(300).out('. 1:1001 ack 1')
  expect(windows(c)).toEqual([1000, 4000])
  c.advance(600).out('. 1:1001 ack 1')
  expect(windows(c)).toEqual([1000, 4000])
})

scenario('losses in two windows one after the other are two signs of congestion (RFC 5681 §4.3)', () => {
  const c = established({ mss })
  c.write(60_000).drain()
  duplicates(c, 3, '. 1 ack 1')
  expect(c.tcb.cc.ssthresh).toBe(5000)
  const first = (c.tcb.snd.nxt - c.tcb.snd.iss) | 0
  c.in(`. 1 ack ${first}`).drain()
  expect(windows(c)).toEqual([5000, 5000])
  const second = first + 1000
  c.in(`. 1 ack ${second}`).drain()
  duplicates(c, 3, `. 1 ack ${second}`)
  expect(c.tcb.recovery.phase).toBe('recovery')
  expect(c.tcb.cc.ssthresh).toBe(2500)
})

scenario(
  'after a timeout duplicates of what was sent before it begin no fast retransmit (RFC 6582 §3.2 step 4)',
  () => {
    const c = established({ mss })
    c.write(8000).drain()
    c.advance(300).out('. 1:1001 ack 1')
    c.times(5, '. 1 ack 1').quiet()
    expect(c.tcb.recovery.phase).toBe('loss')
    c.in('. 1 ack 8001').write(4000).drain()
    const before = windows(c)
    c.times(3, '. 1 ack 8001')
    expect([c.tcb.recovery.phase, ...windows(c)]).toEqual(['open', ...before])
    c.drain()
  },
)

scenario('with SACK a loss halves the window too, once a recovery (RFC 6675 §5 (4.2))', () => {
  const c = established({ mss, sack: true })
  c.write(10_000).drain()
  for (const right of [3001, 4001, 5001]) c.in(`. 1 ack 1 <sack 2001:${right}>`).drain()
  expect([c.tcb.recovery.phase, ...windows(c)]).toEqual(['recovery', 5000, 5000])
  c.in('. 1 ack 1 <sack 6001:10001 2001:5001>').drain()
  expect(c.tcb.cc.ssthresh).toBe(5000)
  c.in('. 1 ack 10001').drain()
  expect([c.tcb.recovery.phase, ...windows(c)]).toEqual(['open', 5000, 5000])
})

scenario('the MSS that is announced does not depend on the options of our segments (RFC 6691 §2)', () => {
  for (const timestamps of [true, false]) {
    const [syn] = connectingWith(timestamps).drain()
    expect(syn.options).toContain('mss 1460')
  }
})

function connectingWith(timestamps: boolean): Script {
  const c = connecting({ tcp: { timestamps } })
  return c.advance(1000) // the SYN again
}

scenario('once agreed on, timestamps are on every segment: text, again, FIN, probes, ACKs (RFC 7323 §3.2)', () => {
  const c = established({ ts: true, sack: true, tcp: { keepAlive: true, keepAliveIdleUs: 60_000_000 } })
  c.write(1448)
  const sent = c.drain()
  c.advance(300)
  sent.push(...c.drain())
  c.in('. 1 ack 1449 win 0').write(1).advance(1000)
  sent.push(...c.drain())
  c.in('. 1 ack 1449 win 60000')
  sent.push(...c.drain())
  c.in('. 1449:2897 ack 1450') // a gap: a duplicate acknowledgement
  sent.push(...c.drain())
  c.call((connection) => connection.shutdownWrite())
  sent.push(...c.drain())
  expect(sent.length).toBeGreaterThanOrEqual(6)
  for (const { options } of sent) expect(options?.some((option) => option.startsWith('TS val'))).toBe(true)
})
