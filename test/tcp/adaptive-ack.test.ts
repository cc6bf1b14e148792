// When to acknowledge, as Linux does it (`delayedAck: 'adaptive'`): quick at first and after losses, by the pauses between segments,
// waiting for an answer; and the reasons that are given for it (RFC 9293 §3.8.6.3, RFC 5681 §4.2).

import { expect, test } from 'vitest'
import { tcpConfig } from '../../src/tcp/config.ts'
import { ACK_HOLD_REASONS, ACK_REASONS, HOLD_REASONS } from '../../src/tcp/reasons.ts'
import { Pair } from '../stack/pair.ts'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

/** An adaptive connection; SRTT is 100 ms, RTO 300 ms. */
function open(tcp: ScriptOptions['tcp'] = {}, options: ScriptOptions = {}): Script {
  return established({ ...options, tcp: { delayedAck: 'adaptive', ...tcp } })
}

/** Without quick acknowledgements. */
const slow = (tcp: ScriptOptions['tcp'] = {}, options: ScriptOptions = {}): Script =>
  open({ quickAcks: 0, ...tcp }, options)

const why = (c: Script): string[] => {
  const { ackHold, lastAckReason } = c.connection.info()
  return [ackHold, lastAckReason]
}

/** The next 100 octets of the peer. */
function hundred(c: Script): Script {
  const at = 1 + ((c.tcb.rcv.nxt - c.origin.irs - 1) | 0)
  return c.in(`P. ${at}:${at + 100} ack ${(c.tcb.snd.nxt - c.origin.iss) | 0}`)
}

scenario(
  'the first sixteen acknowledgements go at once, for the peer starts from a small window (RFC 5681 §4.2)',
  () => {
    const c = open()
    for (let i = 1; i <= 16; i++) hundred(c).out(`. 1 ack ${1 + 100 * i}`)
    expect(why(c)).toEqual(['none', 'quick'])
    hundred(c).quiet()
    expect(why(c)).toEqual(['delayed', 'quick'])
    c.silent(39.999).advance(0.001).out('. 1 ack 1701')
    expect(why(c)).toEqual(['none', 'timer'])
    for (const tcp of [{ quickAcks: 0 }, { delayedAck: 'fixed' } as const]) {
      hundred(open(tcp)).silent(39.999).advance(0.001).out('. 1 ack 101')
    }
  },
)

scenario(
  'no more go at once than half the window’s segments draw, and two where that is less than one (RFC 5681 §4.2)',
  () => {
    for (const [segments, lengths] of [
      [8, [1460, 1460, 1460, 1460]],
      [1, [700]],
      [1, [740, 300]],
    ] as const) {
      const c = open({ receiveBufferBytes: 1460 * segments })
      let at = 1
      for (const length of lengths) {
        c.in(`. ${at}:${at + length} ack 1`).drain()
        at += length
        expect(why(c)).toEqual(['none', 'quick'])
      }
      c.in(`. ${at}:${at + 10} ack 1`).quiet()
    }
  },
)

scenario('a batch is acknowledged once, quickly or not (RFC 9293 §3.10.7.4 [MUST-58])', () => {
  const c = open()
  c.in('. 1:1461 ack 1', '. 1461:2921 ack 1', '. 2921:4381 ack 1', 'P. 4381:4400 ack 1').out('. 1 ack 4400')
  c.in('P. 4400:4500 ack 1', 'P. 4500:4600 ack 1').out('. 1 ack 4600')
  expect(c.tcb.ack.quickLeft).toBe(14)
})

scenario('at least every second full segment is acknowledged at once (RFC 9293 §3.8.6.3 [SHLD-19])', () => {
  const c = slow()
  c.in('. 1:1461 ack 1').quiet().in('. 1461:2921 ack 1').out('. 1 ack 2921')
  expect(why(c)).toEqual(['none', 'full-segments'])
  c.in('. 2921:4381 ack 1').quiet().in('P. 4381:4382 ack 1').out('. 1 ack 4382') // as Linux: more than one
  const d = slow({ delayedAck: 'fixed' })
  d.in('. 1:1461 ack 1').quiet().in('P. 1461:1462 ack 1').silent(39).advance(1).out('. 1 ack 1462')
})

scenario(
  'with timestamps a full segment is shorter, and two of them are counted as such (RFC 9293 §3.8.6.3 [SHLD-19])',
  () => {
    for (const delayedAck of ['adaptive', 'fixed'] as const) {
      const c = slow({ delayedAck }, { ts: true })
      c.in('. 1:4345 ack 1').out('. 1 ack 4345') // a super-segment
      c.in('. 4345:5793 ack 1').quiet().in('. 5793:7241 ack 1').out('. 1 ack 7241')
    }
  },
)

scenario(
  'an answer makes the connection interactive: the next acknowledgement waits for one (RFC 9293 §3.8.6.3)',
  () => {
    const c = open()
    hundred(c).out('. 1 ack 101').write(50).out('P. 1:51 ack 101')
    hundred(c).quiet()
    expect(why(c)).toEqual(['interactive', 'quick'])
    c.advance(20).write(50).out('P. 51:101 ack 201')
    expect(why(c)).toEqual(['none', 'text'])
    c.in('. ack 101').silent(1000)
    const d = open({ interactiveReplies: 0 })
    hundred(d).out('. 1 ack 101').write(50).out('P. 1:51 ack 101')
    hundred(d).out('. 51 ack 201')
  },
)

scenario('what is sent long after is no answer (RFC 9293 §3.8.6.3)', () => {
  const c = open()
  hundred(c).out('. 1 ack 101').advance(40).write(50).out('P. 1:51 ack 101')
  hundred(c).out('. 51 ack 201')
  expect(why(c)).toEqual(['none', 'quick'])
  const d = open({ interactiveReplies: 2 })
  hundred(d).out('. 1 ack 101').write(50).out('P. 1:51 ack 101')
  hundred(d).out('. 51 ack 201').write(50).out('P. 51:101 ack 201')
  hundred(d).quiet().advance(40).out('. 101 ack 301')
})

scenario(
  'where the answer does not come the timer ends, and the connection is interactive no more (RFC 9293 §3.8.6.3)',
  () => {
    const c = open()
    hundred(c).out('. 1 ack 101').write(50).out('P. 1:51 ack 101')
    hundred(c).silent(39.999).advance(0.001).out('. 51 ack 201')
    expect(why(c)).toEqual(['none', 'timer'])
    expect(c.tcb.counters.TcpExtDelayedACKs).toBe(1)
    hundred(c).out('. 51 ack 301')
    expect(why(c)).toEqual(['none', 'quick'])
  },
)

scenario('each timer that ends doubles the wait, up to a round trip (RFC 9293 §3.8.6.3 [MUST-40])', () => {
  const c = slow()
  for (const [i, ms] of [40, 80, 100, 100].entries()) {
    hundred(c)
      .silent(ms - 0.001)
      .advance(0.001)
      .out(`. 1 ack ${101 + 100 * i}`)
    c.silent(500)
  }
  const far = slow({}, { rttMs: 900 })
  for (const [i, ms] of [40, 80, 160, 200, 200].entries()) {
    hundred(far)
      .silent(ms - 0.001)
      .advance(0.001)
      .out(`. 1 ack ${101 + 100 * i}`)
    far.silent(4000)
  }
  const bound = slow({ delayedAckMaxUs: 60_000 })
  for (const [i, ms] of [40, 60, 60].entries()) {
    hundred(bound)
      .silent(ms - 0.001)
      .advance(0.001)
      .out(`. 1 ack ${101 + 100 * i}`)
    bound.silent(500)
  }
})

test('no setting delays an acknowledgement by half a second (RFC 9293 §3.8.6.3 [MUST-40])', () => {
  for (const name of ['delayedAckUs', 'delayedAckMaxUs']) {
    expect(() => tcpConfig({ [name]: 500_000 }), name).toThrow(RangeError)
  }
  expect(() => tcpConfig({ delayedAck: 'never' as 'fixed' })).toThrow(
    "'delayedAck' is 'never'; it must be one of adaptive, fixed",
  )
})

scenario('the wait follows the pauses between segments (RFC 5681 §4.2)', () => {
  const c = slow()
  hundred(c).advance(30)
  hundred(c).out('. 1 ack 201') // the timer would have ended 10 ms later: not worth a wake-up
  expect(c.tcb.ack.atoUs).toBe(50_000)
  c.advance(30)
  hundred(c)
  expect(c.tcb.ack.atoUs).toBe(55_000)
  c.silent(54.999).advance(0.001).out('. 1 ack 301')
  expect(c.tcb.ack.atoUs).toBe(110_000) // nothing came to ride on
  hundred(c).in('P. 401:411 ack 1')
  expect(c.tcb.ack.atoUs).toBe(0.5 * (0.5 * 110_000 + 55_000) + 20_000) // two close together: it goes down
  c.drain()
})

scenario(
  'a pause longer than the retransmission timeout: the peer starts anew, and so do quick ones (RFC 5681 §4.1, §4.2)',
  () => {
    const c = open({ quickAcks: 2 })
    hundred(c).out('. 1 ack 101')
    hundred(c).out('. 1 ack 201').advance(299)
    hundred(c).quiet().advance(40).out('. 1 ack 301').advance(301)
    hundred(c).out('. 1 ack 401')
    hundred(c).out('. 1 ack 501')
    hundred(c).quiet().advance(40).out('. 1 ack 601')
  },
)

scenario('after a loss the acknowledgements are quick again, and wait for no answer (RFC 5681 §4.2)', () => {
  const c = open({ quickAcks: 2 })
  hundred(c).out('. 1 ack 101')
  hundred(c).out('. 1 ack 201').write(10).out('P. 1:11 ack 201')
  hundred(c).quiet()
  expect(why(c)[0]).toBe('interactive')
  c.in('P. 401:501 ack 11').out('. 11 ack 301')
  expect(why(c)).toEqual(['none', 'out-of-order'])
  c.in('P. 301:401 ack 11').out('. 11 ack 501')
  expect(why(c)).toEqual(['none', 'gap'])
  c.in('P. 1:101 ack 11').out('. 11 ack 501')
  expect(why(c)).toEqual(['none', 'duplicate'])
  expect(c.tcb.counters.TcpExtDelayedACKLost).toBe(1)
  hundred(c).out('. 11 ack 601')
  expect(why(c)).toEqual(['none', 'quick'])
  hundred(c).quiet().advance(40).out('. 11 ack 701')
})

scenario(
  'when all was read, an acknowledgement for less than a full segment goes at once, as in Linux (RFC 9293 §3.8.6.3)',
  () => {
    const c = slow()
    hundred(c).quiet().reads(60, 60).quiet().reads(40).out('. 1 ack 101')
    expect(why(c)).toEqual(['none', 'read'])
    c.in('. 101:1561 ack 1').reads(1460).quiet().advance(40).out('. 1 ack 1561') // a full one: more follow
    hundred(c).reads(100).out('. 1 ack 1661').write(10).out('P. 1:11 ack 1661')
    hundred(c).reads(100).quiet() // interactive: the answer is on its way
    hundred(c).reads(100).out('. 11 ack 1861') // two of them: it is not
    hundred(slow({ delayedAck: 'fixed' }))
      .reads(100)
      .silent(39)
  },
)

scenario('an application can ask for quick acknowledgements, and for waiting (TCP_QUICKACK)', () => {
  const c = open()
  hundred(c)
    .out('. 1 ack 101')
    .call((connection) => connection.quickAck(false))
  hundred(c).quiet()
  expect(why(c)[0]).toBe('interactive')
  c.call((connection) => connection.quickAck()).out('. 1 ack 201')
  expect(why(c)).toEqual(['none', 'asked'])
  hundred(c).out('. 1 ack 301')
  c.call((connection) => connection.quickAck()).quiet()
  const fixed = hundred(open({ delayedAck: 'fixed' })).quiet()
  fixed.call((connection) => connection.quickAck()).out('. 1 ack 101')
  hundred(fixed).quiet().advance(40).out('. 1 ack 201')
})

scenario('with a delay of 0 every segment is acknowledged at once, whatever else', () => {
  const c = open({ delayedAckUs: 0 })
  c.call((connection) => connection.quickAck(false))
  hundred(c).out('. 1 ack 101')
  expect(why(c)).toEqual(['none', 'undelayed'])
})

scenario('each acknowledgement has a reason that can be asked for', () => {
  const c = open({ receiveBufferBytes: 1000, mss: 1000 })
  expect(why(c)).toEqual(['none', 'handshake'])
  c.in('. 1:1001 ack 1').out('. 1 ack 1001 win 0')
  c.in('. 1001:1002 ack 1').out('. 1 ack 1001 win 0')
  expect(why(c)).toEqual(['none', 'refused'])
  c.reads(1000).out('. 1 ack 1001 win 1000')
  expect(why(c)).toEqual(['none', 'window-update'])
  c.in('S 5000').out('. 1 ack 1001')
  expect(why(c)).toEqual(['none', 'challenge'])
  c.in('F. 1001 ack 1').out('. 1 ack 1002')
  expect(why(c)).toEqual(['none', 'fin'])
})

test('every reason says what it means', () => {
  for (const [name, { text, clause }] of Object.entries({ ...HOLD_REASONS, ...ACK_HOLD_REASONS, ...ACK_REASONS })) {
    expect(text.length, name).toBeGreaterThan(10)
    expect(clause, name).toMatch(/^(|RFC \d+ §[\d.]+)$/)
  }
})

test('a bulk transfer draws hardly more acknowledgements than by count and time: one for two full segments (RFC 5681 §4.2)', () => {
  const count = (delayedAck: 'adaptive' | 'fixed'): number => {
    const pair = new Pair({ seed: 3, sends: [700_000, 1], tcp: { delayedAck } }).transfer().expectDelivered()
    return pair.seen.filter(({ from, segment }) => from === 1 && segment.textLength === 0).length
  }
  const [adaptive, fixed] = [count('adaptive'), count('fixed')]
  expect(fixed).toBeGreaterThan(200)
  expect(adaptive).toBeLessThanOrEqual(fixed + 16)
})
