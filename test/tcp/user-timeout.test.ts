// The user timeout (RFC 9293 §3.8.3 [MUST-21]; RFC 5482; Linux's TCP_USER_TIMEOUT).

import { expect, test } from 'vitest'
import { MINUTE, SECOND } from '../../src/base/time.ts'
import { parseTcp, SegmentHeader, SegmentPlan, writeTcp } from '../../src/tcp/header.ts'
import { decodeUserTimeout, encodeUserTimeout } from '../../src/tcp/user-timeout.ts'
import { connecting, established, listening, type Script, scenario } from './script.ts'

const code = (c: Script): string | undefined => c.connection.error?.code

scenario(
  'text without progress ends the connection after the user timeout (RFC 9293 §3.8.3 [MUST-21], RFC 5482 §3)',
  () => {
    const c = established({ tcp: { userTimeoutUs: 5_000_000 } })
    c.write(100).out('P. 1:101 ack 1')
    c.advance(4999.999, true)
    expect([c.state, c.connection.info().userTimeoutUs]).toEqual(['ESTABLISHED', 5_000_000])
    c.silent(0.001)
    expect(code(c)).toBe('ETIMEDOUT')
  },
)

scenario('progress starts it anew (RFC 9293 §3.8.3)', () => {
  const c = established({ tcp: { userTimeoutUs: 1_000_000 } })
  c.write(2 * 1460).outText(1, 2921)
  c.advance(250).in('. ack 1461').advance(600, true).advance(399, true)
  expect(c.state).toBe('ESTABLISHED')
  c.advance(1, true)
  expect(code(c)).toBe('ETIMEDOUT')
})

scenario(
  'set on a connection whose timer has backed off far, it is kept all the same (RFC 9293 §3.8.3 [MUST-21])',
  () => {
    const c = established()
    c.write(100).out('P. 1:101 ack 1').advance(10_000, true)
    c.call((connection) => connection.configure({ userTimeoutUs: 12_000_000 }))
    c.advance(1999.999, true)
    expect(c.state).toBe('ESTABLISHED')
    c.silent(0.001)
    expect(code(c)).toBe('ETIMEDOUT')
  },
)

scenario('Infinity: never given up, whatever the general limit (RFC 9293 §3.8.3 [MUST-21])', () => {
  const c = established({ tcp: { userTimeoutUs: Number.POSITIVE_INFINITY, retransmitTimeoutUs: 1_000_000 } })
  c.write(100).out('P. 1:101 ack 1').advance(7_200_000, true)
  expect(c.state).toBe('ESTABLISHED')
  c.call((connection) => connection.configure({ userTimeoutUs: 0 })).advance(120_000, true)
  expect(code(c)).toBe('ETIMEDOUT')
})

scenario(
  'a peer that answers probes of its shut window does not keep text waiting longer than that (Linux: TCP_USER_TIMEOUT)',
  () => {
    for (const userTimeoutUs of [0, 5_000_000]) {
      const c = established({ win: 100, tcp: { userTimeoutUs } })
      c.write(200).out('. 1:101 ack 1').in('. ack 101 win 0').quiet()
      for (let ms = 0; ms < 5000 && c.state === 'ESTABLISHED'; ms += 100) {
        c.advance(100)
        if (c.drain().length > 0 && c.state === 'ESTABLISHED') c.in('. ack 101 win 0')
      }
      expect(code(c)).toBe(userTimeoutUs === 0 ? undefined : 'ETIMEDOUT')
      if (userTimeoutUs > 0) expect(Math.round(c.ms)).toBe(5100)
    }
  },
)

scenario('nor one that shuts its window on what is in flight (Linux: TCP_USER_TIMEOUT)', () => {
  for (const userTimeoutUs of [0, 5_000_000]) {
    const c = established({ tcp: { userTimeoutUs, retransmitTimeoutUs: 3_000_000 } })
    c.write(200).out('P. 1:201 ack 1').in('. ack 1 win 0').quiet()
    for (let ms = 0; ms < 5000 && c.state === 'ESTABLISHED'; ms += 100) {
      c.advance(100)
      if (c.drain().length > 0 && c.state === 'ESTABLISHED') c.in('. ack 1 win 0')
    }
    expect(code(c)).toBe(userTimeoutUs === 0 ? undefined : 'ETIMEDOUT')
  }
})

scenario('keep-alive: the user timeout stands in for the count of probes (Linux: TCP_USER_TIMEOUT)', () => {
  const on = { keepAlive: true, keepAliveIdleUs: 10_000_000, keepAliveIntervalUs: 2_000_000, keepAliveCount: 2 }
  const c = established({ tcp: { ...on, userTimeoutUs: 17_000_000 } })
  for (const ms of [10_000, 2000, 2000, 2000]) c.advance(ms).out('. 0 ack 1')
  c.silent(2000)
  expect(code(c)).toBe('ETIMEDOUT')
  const d = established({ tcp: { ...on, userTimeoutUs: 1_000_000 } })
  d.advance(10_000).out('. 0 ack 1').silent(2000) // shorter than the idle time: one probe goes all the same
  expect(code(d)).toBe('ETIMEDOUT')
})

scenario('SYNs have a limit of their own (RFC 9293 §3.8.3 [MUST-23])', () => {
  const c = listening({ tcp: { userTimeoutUs: 1_000_000 } })
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').advance(60_000, true)
  expect(c.stack.tcp.connectionCount).toBe(1)
})

test('the option says seconds where they suffice, then minutes, never 0 (RFC 5482 §3.2)', () => {
  expect([SECOND / 2, SECOND, 1.5 * SECOND, 32767 * SECOND].map(encodeUserTimeout)).toEqual([1, 1, 2, 32767])
  expect([32768 * SECOND, Number.POSITIVE_INFINITY].map(encodeUserTimeout)).toEqual([0x8000 | 547, 0xffff])
  expect([1, 0x8001, 0, 0x8000].map(decodeUserTimeout)).toEqual([SECOND, MINUTE, 0, 0])
})

test('the option on the wire: kind 28, length 4; another length is ignored (RFC 5482 §3)', () => {
  const plan = new SegmentPlan()
  plan.reset()
  plan.userTimeout = 0x8005
  const bytes = new Uint8Array(60)
  expect(writeTcp(plan, bytes, 0)).toBe(24)
  expect([...bytes.subarray(20, 24)]).toEqual([28, 4, 0x80, 5])
  const header = new SegmentHeader()
  expect([parseTcp(bytes, 0, 24, header), header.userTimeout]).toEqual(['ok', 0x8005])
  bytes[21] = 3
  expect([parseTcp(bytes, 0, 24, header), header.userTimeout]).toEqual(['ok', -1])
})

const withOption = { userTimeoutOption: true, retransmitTimeoutUs: 300 * SECOND }

scenario('both ends tell theirs, in SYN and once after it; the longer one holds (RFC 5482 §3.1, §3.2)', () => {
  const c = established({ tcp: withOption })
  expect(c.tcb.life.isUserTimeoutDue).toBe(false)
  c.in('P. 1:2 ack 1 <uto 600>').reads(1)
  expect(c.connection.info().userTimeoutUs).toBe(600 * SECOND)
  c.in('P. 2:3 ack 1 <uto 5>').reads(1)
  expect(c.connection.info().userTimeoutUs).toBe(300 * SECOND) // never below our own
  c.in('P. 3:4 ack 1 <uto 0>').reads(1).advance(40).drain()
  expect(c.connection.info().userTimeoutUs).toBe(300 * SECOND)
})

scenario('whatever the peer says, the limits hold (RFC 5482 §3.1, U_LIMIT and L_LIMIT)', () => {
  const c = established({ tcp: { ...withOption, retransmitTimeoutUs: 10 * SECOND, userTimeoutMostUs: 400 * SECOND } })
  c.in('P. 1:2 ack 1 <uto 1>').reads(1)
  expect(c.connection.info().userTimeoutUs).toBe(100 * SECOND)
  c.in('P. 2:3 ack 1 <uto 30000>').reads(1).advance(40).drain()
  expect(c.connection.info().userTimeoutUs).toBe(400 * SECOND)
})

scenario(
  'what the application has set is not changed by the peer, and is told when it changes (RFC 5482 §3.1, CHANGEABLE)',
  () => {
    const c = established({ tcp: { ...withOption, userTimeoutUs: 20 * SECOND } })
    c.in('P. 1:2 ack 1 <uto 600>').reads(1).advance(40).drain()
    expect(c.connection.info().userTimeoutUs).toBe(20 * SECOND)
    c.call((connection) => connection.configure({ userTimeoutUs: 50 * SECOND })).quiet()
    c.write(1460).out('P. 1:1461 ack 2 <>') // a full segment has no room for it
    c.write(10).quiet().in('. ack 1461').out('P. 1461:1471 ack 2 <uto 50>').in('. ack 1471')
    c.write(10).out('P. 1471:1481 ack 2 <>')
  },
)

scenario('without the setting the option is neither sent nor heeded (RFC 5482 §3.1, ENABLED)', () => {
  const c = established()
  c.in('P. 1:2 ack 1 <uto 6000>').reads(1).advance(40).out('. 1 ack 2 <>')
  expect(c.connection.info().userTimeoutUs).toBe(900 * SECOND)
})

scenario('a listener’s SYN,ACK carries it, and the first segment after it (RFC 5482 §3.2)', () => {
  const c = listening({ tcp: withOption })
  c.in('S 0 <mss 1460,uto 700>').out('S. 0 ack 1 <mss 1460,uto 300>').in('. 1 ack 1').accept()
  expect(c.connection.info().userTimeoutUs).toBe(700 * SECOND)
  c.write(10).out('P. 1:11 ack 1 <uto 300>').in('. ack 11').write(10).out('P. 11:21 ack 1 <>')
})

scenario(
  'it holds in SYN-SENT too, in the place of the limit for SYNs (RFC 9293 §3.10.8, §3.8.3 [MUST-21] [MUST-22])',
  () => {
    const c = connecting({ tcp: { userTimeoutUs: 2_500_000 } })
    c.advance(1000).out('S 0').advance(1499.999)
    expect(c.state).toBe('SYN-SENT')
    c.silent(0.001)
    expect(code(c)).toBe('ETIMEDOUT')
  },
)

scenario(
  "counted as Linux does it lasts from the first retransmission on (DEVIATION from RFC 5482 §2, 'retransmission')",
  () => {
    const c = established({ tcp: { userTimeoutUs: 2_000_000, userTimeoutFrom: 'retransmission' } })
    c.write(100).out('P. 1:101 ack 1')
    c.advance(2299.999, true) // RTO is 300 ms
    expect(c.state).toBe('ESTABLISHED')
    c.advance(0.001, true)
    expect(code(c)).toBe('ETIMEDOUT')
  },
)
