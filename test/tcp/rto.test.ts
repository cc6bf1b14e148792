// The retransmission timer (RFC 6298; RFC 9293 §3.8.1, §3.8.3) and the arithmetic behind it.

import { expect, test } from 'vitest'
import { tcpConfig } from '../../src/tcp/config.ts'
import { backedOffRtoUs, createRtt, sampleRtt } from '../../src/tcp/rtt.ts'
import { established, type Script, scenario } from './script.ts'

const rtoMs = (c: Script): number => c.connection.info().tcpi_rto / 1000

/** Writes an octet and has it acknowledged after `ms`. */
function sample(c: Script, at: number, ms: number): number {
  c.write(1)
    .out(`P. ${at}:${at + 1} ack 1`)
    .advance(ms)
    .in(`. ack ${at + 1}`)
  return rtoMs(c)
}

test('before any sample the timeout is 1 s (RFC 6298 §2.1)', () => {
  const rtt = createRtt(tcpConfig())
  expect([rtt.rtoUs, rtt.srttUs, rtt.minUs]).toEqual([1_000_000, -1, Number.POSITIVE_INFINITY])
})

scenario('the first sample sets SRTT and RTTVAR (RFC 6298 §2.2 [MUST-18])', () => {
  for (const [ms, rto] of [
    [100, 300],
    [80, 280], // 4 * RTTVAR is 160 ms, below the least variance of 200 ms
    [400, 1200],
    [0.001, 200.001],
  ]) {
    const c = established({ rttMs: ms })
    expect(rtoMs(c)).toBeCloseTo(rto, 6)
    expect(c.tcb.rtt.rttvarUs).toBe((ms * 1000) / 2)
  }
})

scenario('further samples move SRTT by an eighth and RTTVAR by a quarter (RFC 6298 §2.3 [MUST-18])', () => {
  const c = established({ rttMs: 100 })
  expect(sample(c, 1, 60)).toBe(295) // SRTT 95, RTTVAR 47.5
  expect(sample(c, 2, 180)).toBe(95 * 0.875 + 180 / 8 + 4 * (47.5 * 0.75 + 85 / 4)) // SRTT 105.625, RTTVAR 56.875
  expect(c.tcb.rtt.minUs).toBe(60_000)
})

test('RTO is SRTT plus the greater of 4 * RTTVAR and the least variance, up to the greatest (RFC 6298 §2.4 DEVIATION, §2.5)', () => {
  const config = tcpConfig({ maxRtoUs: 2_000_000 })
  const rtt = createRtt(config)
  for (let i = 0; i < 100; i++) sampleRtt(rtt, 50_000, config)
  expect(rtt.rtoUs).toBeCloseTo(250_000, 0)
  sampleRtt(rtt, 0, config)
  expect(rtt.latestUs).toBe(1)
  sampleRtt(rtt, 60_000_000, config)
  expect(rtt.rtoUs).toBe(2_000_000)
  for (const [backoff, expected] of [
    [0, 250_000],
    [1, 500_000],
    [2, 1_000_000],
    [3, 2_000_000],
    [99, 2_000_000],
  ]) {
    expect(backedOffRtoUs({ ...rtt, rtoUs: 250_000, backoff }, config)).toBe(expected)
  }
})

scenario('each timeout doubles the next one (RFC 6298 §5.5 [MUST-19])', () => {
  const c = established()
  c.write(100).out('P. 1:101 ack 1')
  for (const ms of [300, 600, 1200, 2400, 4800, 9600])
    c.silent(ms - 0.001)
      .advance(0.001)
      .out('P. 1:101 ack 1')
})

scenario('the timeout is bounded by two minutes (RFC 6298 §2.5)', () => {
  const c = established()
  c.write(100).out('P. 1:101 ack 1')
  for (let ms = 300; ms < 120_000; ms *= 2) c.advance(ms).out('P. 1:101 ack 1')
  c.silent(119_999.999).advance(0.001).out('P. 1:101 ack 1')
})

scenario(
  'the timer starts with the first text, and anew with each acknowledgement of new text (RFC 6298 §5.1 §5.3)',
  () => {
    const c = established({ mss: 1000 })
    c.write(2000).outText(1, 2001)
    c.advance(100).in('. ack 1001') // a sample of 100 ms: RTTVAR 37.5, RTO stays 300
    c.silent(299.999).advance(0.001).out('P. 1001:2001 ack 1')
  },
)

scenario('a duplicate acknowledgement does not restart it (RFC 6298 §5.3)', () => {
  const c = established({ mss: 1000 })
  c.write(2000).outText(1, 2001)
  c.advance(200).in('. ack 1').silent(99.999).advance(0.001).out('. 1:1001 ack 1')
})

scenario('it is off when everything is acknowledged (RFC 6298 §5.2)', () => {
  const c = established()
  c.write(100).out('P. 1:101 ack 1').in('. ack 101')
  expect(c.tcb.timers.retransmit).toBe(Number.POSITIVE_INFINITY)
  c.silent(600_000)
})

scenario(
  'text that was sent twice gives no sample; the doubling ends with the step forward (RFC 6298 §3 [MUST-18], §5 DEVIATION)',
  () => {
    const c = established()
    c.write(100).out('P. 1:101 ack 1').advance(300).out('P. 1:101 ack 1')
    c.advance(500).in('. ack 101')
    expect([c.tcb.rtt.srttUs, rtoMs(c)]).toEqual([100_000, 300])
    c.write(100).out('P. 101:201 ack 1')
    c.silent(299.999).advance(0.001).out('P. 101:201 ack 1') // and doubles from there
    c.silent(599.999).advance(0.001).out('P. 101:201 ack 1').in('. ack 201')
    expect(sample(c, 201, 100)).toBe(300)
  },
)

scenario(
  'losses one after the other, each mended by a timeout, do not add up to an ever longer one (RFC 6298 §5)',
  () => {
    const c = established({ mss: 1000 })
    c.write(5000).outText(1, 5001)
    c.advance(300).out('. 1:1001 ack 1')
    for (let una = 1001; una < 5001; una += 1000) {
      c.advance(100).in(`. ack ${una}`)
      c.drain() // what follows is lost as well
      expect(c.tcb.timers.retransmit - c.now).toBe(300_000)
      c.advance(300).drain()
    }
  },
)

scenario('text that waited for what was lost before it gives no sample (RFC 6298 §3 Karn)', () => {
  const c = established({ mss: 1000 })
  c.write(5000).outText(1, 5001)
  c.advance(100).times(3, '. ack 1').out('. 1:1001 ack 1')
  c.advance(150).in('. ack 5001') // the last segment was sent once, 250 ms ago, and arrived long since
  expect(c.tcb.rtt.latestUs).toBe(100_000)
})

scenario('text that was SACKed before it was acknowledged gives no sample (RFC 6298 §3)', () => {
  const c = established({ mss: 1000, sack: true })
  c.write(3000).outText(1, 3001)
  c.advance(10).in('. ack 1 <sack 1001:3001>')
  c.advance(200).in('. ack 3001')
  expect(c.tcb.rtt.latestUs).toBe(100_000)
})

scenario('after a timeout the rest follows in slow start (RFC 5681 §3.1, RFC 6298 §5.4)', () => {
  const c = established({ mss: 1000 })
  c.write(8000).outText(1, 8001)
  c.advance(300).out('. 1:1001 ack 1')
  c.in('. ack 1001').outText(1001, 3001, 1, false)
  c.in('. ack 2001').outText(3001, 5001, 1, false)
  c.in('. ack 5001').outText(5001, 8001)
  c.in('. ack 8001')
  expect(c.tcb.recovery.phase).toBe('open')
  expect(c.connection.info().tcpi_total_retrans).toBe(8)
})

scenario('after a timeout what had arrived is not sent again once it is acknowledged (RFC 5681 §3.1)', () => {
  const c = established({ mss: 1000 })
  c.write(8000).outText(1, 8001)
  c.advance(300).out('. 1:1001 ack 1')
  c.in('. ack 7001').out('P. 7001:8001 ack 1')
})

scenario(
  'text that nobody acknowledges ends the connection after R2 (RFC 9293 §3.8.3 [MUST-20] [MUST-21] [SHLD-11])',
  () => {
    const c = established({ tcp: { retransmitTimeoutUs: 100_000_000 } })
    c.write(100).out('P. 1:101 ack 1')
    let count = 0
    while (c.ms < 99_000) {
      c.advance(1000)
      count += c.drain().length
    }
    expect(c.state).toBe('ESTABLISHED')
    expect(count).toBeGreaterThanOrEqual(3) // [SHLD-10]
    c.advance(2000)
    expect(c.connection.error?.code).toBe('ETIMEDOUT')
    expect(c.events()).toEqual(['error', 'closed', 'trouble'])
  },
)

scenario('R2 counts from the last progress, not from the first loss (RFC 9293 §3.8.3)', () => {
  const c = established({ mss: 1000, tcp: { retransmitTimeoutUs: 20_000_000, maxRtoUs: 1_000_000 } })
  c.write(3000).outText(1, 3001)
  for (let i = 0; i < 3; i++) {
    c.advance(15_000).drain()
    c.in(`. ack ${1001 + 1000 * i}`).drain()
  }
  expect(c.state).toBe('ESTABLISHED')
})

scenario('R2 may be infinite (RFC 9293 §3.8.3 [MUST-21])', () => {
  const c = established({ tcp: { retransmitTimeoutUs: Number.POSITIVE_INFINITY } })
  c.write(100).out('P. 1:101 ack 1')
  for (let i = 0; i < 20; i++) c.advance(100_000).drain()
  expect(c.state).toBe('ESTABLISHED')
})

scenario('the default R2 is 15 minutes (RFC 9293 §3.8.3 [SHLD-11])', () => {
  const c = established()
  c.write(1).drain()
  c.advance(899_000).drain()
  expect(c.state).toBe('ESTABLISHED')
  c.advance(1500).drain()
  expect(c.connection.error?.code).toBe('ETIMEDOUT')
})

scenario('a timeout splits what is too long for the path by then (RFC 1191 §6.5)', () => {
  const c = established({ offload: { checksum: true, superSegmentBytes: 65535 }, mss: 1000 })
  c.write(5000).out('P. 1:5001 ack 1')
  c.advance(300).out('. 1:1001 ack 1')
})

scenario('a timeout halves FlightSize, or cwnd whether used or not (RFC 5681 §3.1 equation 4, RFC 9438 §4.6)', () => {
  for (const [reducedFrom, ssthresh] of [
    ['flight', 2000],
    ['cwnd', 5000],
  ] as const) {
    const c = established({ mss: 1000, tcp: { reducedFrom, congestion: 'reno', initialWindowSegments: 10 } })
    c.write(1000).out('P. 1:1001 ack 1').advance(1000, true)
    expect(c.tcb.cc.ssthresh).toBe(ssthresh)
    expect([c.connection.info().tcpi_total_rto_recoveries, c.tcb.totals.timeoutSince > 0]).toEqual([1, true])
    c.in('. ack 1001')
    expect(c.tcb.totals.timeoutSince).toBe(-1)
  }
})
