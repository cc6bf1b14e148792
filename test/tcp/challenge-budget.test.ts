// What all connections of a host together may challenge (RFC 5961 §10).

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { ChallengeBudget } from '../../src/tcp/challenge-budget.ts'
import { established, scenario } from './script.ts'

function granted(budget: ChallengeBudget, second: number): number {
  let count = 0
  while (count < 10_000 && budget.take(second * 1_000_000 + count)) count++
  return count
}

test('each second grants another number, from half of it to one and a half (RFC 5961 §10)', () => {
  const budget = new ChallengeBudget(1000, new SeededRandom(1))
  const counts = Array.from({ length: 200 }, (_, second) => granted(budget, second))
  for (const count of counts) expect(count >= 500 && count < 1500).toBe(true)
  expect(new Set(counts).size).toBeGreaterThan(150)
  const mean = counts.reduce((sum, count) => sum + count) / 200
  expect(Math.abs(mean - 1000)).toBeLessThan(60)
  const other = new ChallengeBudget(1000, new SeededRandom(2))
  expect(Array.from({ length: 5 }, (_, second) => granted(other, second))).not.toEqual(counts.slice(0, 5))
})

test('none, and no limit', () => {
  expect(granted(new ChallengeBudget(0, new SeededRandom(1)), 1)).toBe(0)
  expect(granted(new ChallengeBudget(Number.POSITIVE_INFINITY, new SeededRandom(1)), 1)).toBe(10_000)
  for (const bad of [-1, Number.NaN]) expect(() => new ChallengeBudget(bad, new SeededRandom(1))).toThrow(RangeError)
})

scenario('challenges beyond the host’s bound are not answered, nor counted, until the next second', () => {
  const c = established({ stack: { challengeAcksPerSecond: 10 } })
  let answered = 0
  for (let i = 0; i < 50; i++) answered += c.in('R 1000').drain().length
  expect(answered >= 5 && answered < 15).toBe(true)
  expect(c.stack.tcp.counters.TcpExtTCPChallengeACK).toBe(answered)
  c.advance(1000).in('R 1000').out('. 1 ack 1')
  const free = established({ stack: { challengeAcksPerSecond: Number.POSITIVE_INFINITY } })
  for (let i = 0; i < 50; i++) free.in('R 1000').out('. 1 ack 1')
})

scenario(
  'what other connections were challenged for does not silence the answers to probes (RFC 9293 §3.8.4, §3.8.6.1)',
  () => {
    const c = established({ stack: { challengeAcksPerSecond: 0 }, tcp: { challengeIntervalUs: 500_000 } })
    c.in('. 0 ack 1').out('. 1 ack 1') // Linux probes so, an idle peer and a shut window
    c.in('. 0 ack 1').silent(500)
    c.in('S. 0 ack 1').out('. 1 ack 1') // our ACK of it was lost
    c.silent(500).in('R 1000').quiet()
    expect(c.stack.tcp.counters.TcpExtTCPChallengeACK).toBe(0)
  },
)

scenario('a FIN that comes again is acknowledged each time, in TIME-WAIT too (RFC 9293 §3.10.7.4)', () => {
  const c = established({ stack: { challengeAcksPerSecond: 0 }, tcp: { challengeIntervalUs: 500_000 } })
  c.in('F. 1 ack 1').out('. 1 ack 2')
  c.times(1, 'F. 1 ack 1').out('. 1 ack 2').in('F. 1 ack 1').out('. 1 ack 2')
  c.call((connection) => connection.shutdownWrite()).out('F. 1 ack 2')
  const d = established({ stack: { challengeAcksPerSecond: 0 }, tcp: { challengeIntervalUs: 500_000 } })
  d.call((connection) => connection.shutdownWrite()).out('F. 1 ack 1')
  d.in('F. 1 ack 2').out('. 2 ack 2')
  expect(d.state).toBe('TIME-WAIT')
  for (let i = 0; i < 3; i++) d.in('F. 1 ack 2').out('. 2 ack 2')
})
