// The AccECN option (RFC 9768 §3.2.3): which counters go when, what has precedence in the option space, paths that spoil it, and what the
// sender makes of it. `acc0 9 4 1` is order 0: EE0B, ECEB, EE1B; `acc1` the other way around.

import { expect } from 'vitest'
import { FLAG, parseTcp, SegmentHeader, SegmentPlan, writeTcp } from '../../src/tcp/header.ts'
import { formatSegment } from '../../src/trace/packet-line.ts'
import { listening, Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const tcp = { ecn: 'accurate' } as const

/** ESTABLISHED with AccECN, asked for by us; the peer's SYN,ACK has the option. */
function accurate(options: ScriptOptions = {}, first = 'acc0 1 0 1'): Script {
  const all = { mss, ...options, tcp: { ...tcp, ...options.tcp } }
  const c = new Script(all).connect().out('[-] SeWE 0').advance(100)
  const list = [c.synOptions().slice(1, -1), ...(first === '' ? [] : [first])].join(',')
  c.in(`SW. 0 ack 1 <${list}>`).out('[-] W. 1 ack 1')
  c.events()
  return c
}

/** Ten segments in flight. */
function inFlight(options: ScriptOptions = {}, first?: string): Script {
  const c = accurate(options, first).write(40_000)
  c.out(`[ect0] eE. 1:1001 ack 1`)
  for (let at = 1001; at < 10_001; at += mss) c.out(`[ect0] eE. ${at}:${at + mss} ack 1`)
  return c
}

scenario('an option of any length gives the fields that are whole (RFC 9768 §3.2.3 table 5)', () => {
  const plan = new SegmentPlan()
  const bytes = new Uint8Array(60)
  const header = new SegmentHeader()
  Object.assign(plan, { flags: FLAG.ACK, accEcnKind: 174, echoedE0: 0x010203, echoedCe: 0xfffffe, echoedE1: 7 })
  const seen = []
  for (plan.accEcnFields = 0; plan.accEcnFields <= 3; plan.accEcnFields++) {
    const length = writeTcp(plan, bytes, 0)
    expect(parseTcp(bytes, 0, length, header)).toBe('ok')
    seen.push([length, header.accEcnFields, header.echoedE1, header.echoedCe, header.echoedE0])
  }
  expect(seen).toEqual([
    [24, 0, -1, -1, -1],
    [28, 1, 7, -1, -1],
    [28, 2, 7, 0xfffffe, -1],
    [32, 3, 7, 0xfffffe, 0x010203],
  ])
  plan.accEcnFields = 2
  parseTcp(bytes, 0, writeTcp(plan, bytes, 0), header)
  expect(formatSegment(header)).toContain('options [accecn ceb 16777214 e1b 7]')
  plan.accEcnFields = 3
  writeTcp(plan, bytes, 0)
  bytes[21] = 10 // two fields and two octets of padding
  parseTcp(bytes, 0, 32, header)
  expect([header.accEcnFields, header.echoedE1, header.echoedCe, header.echoedE0]).toEqual([2, 7, 0xfffffe, -1])
})

scenario(
  'SYN,ACK, the ACK that answers it and the first text test the path, a SYN does not (RFC 9768 §3.2.3.2.1)',
  () => {
    const server = listening({ mss, ts: true, sack: true, wscale: 7, tcp })
    server.in(`SeWE 0 ${server.synOptions()}`).out('SW. 0 ack 1 <mss 1460,sackOK,TS,wscale 5,acc0 1 0 1>')
    const c = new Script({ mss, tcp }).connect().out('SeWE 0 <mss 1460,sackOK,TS,wscale 5>').advance(100)
    c.in('SW. 0 ack 1 <mss 1000,acc0 1 0 1>')
      .out('W. 1 ack 1 <acc0 1 0 1>')
      .write(9)
      .out('PeE. 1:10 ack 1 <acc0 1 0 1>')
    c.in('eE. ack 10').write(9).out('PeE. 10:19 ack 1 <>')
  },
)

scenario('a SYN,ACK that goes again goes without the option, and so does text (RFC 9768 §3.2.3.2.2)', () => {
  const server = listening({ mss, tcp }).in('SeWE 0 <mss 1000>').out('SW. 0 ack 1 <mss 1460,acc0 1 0 1>')
  server.advance(1000).out('SW. 0 ack 1 <mss 1460>').in('W. 1 ack 1').accept()
  server.in('[ect0] PeE. 1:10 ack 1').advance(40).out('eE. 1 ack 10 <acc0 10>')
  accurate().write(9).out('PeE. 1:10 ack 1 <acc0 1 0 1>').advance(300).out('PeE. 1:10 ack 1 <>')
})

scenario('each acknowledgement tells the counters that have ever changed, and no others (RFC 9768 §3.2.3.3)', () => {
  const c = accurate()
  c.in('[ect0] PeE. 1:101 ack 1').advance(40).out('eE. 1 ack 101 <acc0 101>')
  c.in('[ce] PeE. 101:201 ack 1').out('eW. 1 ack 201 <acc0 101 100>')
  c.in('[ect0] PeE. 201:301 ack 1').advance(40).out('eW. 1 ack 301 <acc0 201 100>')
  c.in('[-] PeE. 301:401 ack 1').advance(40).out('eW. 1 ack 401 <acc0 201 100>') // repeated once
  c.in('[-] PeE. 401:501 ack 1').advance(40).out('eW. 1 ack 501 <>')
  c.in('[ect1] PeE. 501:601 ack 1').advance(40).out('eW. 1 ack 601 <acc0 201 100 101>')
  const info = c.connection.info()
  expect([info.tcpi_received_ce, info.tcpi_received_e0_bytes, info.tcpi_received_e1_bytes]).toEqual([1, 200, 100])
  expect([info.tcpi_received_ce_bytes, info.accEcnOption]).toEqual([100, 'seen'])
})

scenario('with ECT(1) alone the order is the other (RFC 9768 §3.2.3.3)', () => {
  const c = accurate().in('[ect1] PeE. 1:101 ack 1').advance(40).out('eE. 1 ack 101 <acc1 101>')
  c.in('[ce] PeE. 101:201 ack 1').out('eW. 1 ack 201 <acc1 101 100>')
})

scenario('text of a SYN does not count (RFC 9768 §3.2.1), nor do acknowledgements', () => {
  const c = accurate().in('[ect0] eE. 1 ack 1', '[ce] eE. 1 ack 1').silent(100)
  c.in('[ect0] PeE. 1:11 ack 1').advance(40).out('eW. 1 ack 11 <acc0 11>')
})

scenario(
  "'minimum' tells of changes, of marks, and three times a round trip; 'off' of nothing (RFC 9768 §3.2.3.3)",
  () => {
    const c = accurate({ tcp: { accEcnOption: 'minimum', delayedAckUs: 0 } }).advance(1000)
    c.in('[ect0] PeE. 1:101 ack 1').out('eE. 1 ack 101 <acc0 101>')
    c.in('[ect0] PeE. 101:201 ack 1').out('eE. 1 ack 201 <acc0 201>')
    c.in('[ect0] PeE. 201:301 ack 1').out('eE. 1 ack 301 <>')
    c.advance(34).in('[ect0] PeE. 301:401 ack 1').out('eE. 1 ack 401 <acc0 401>')
    c.in('[ce] PeE. 401:501 ack 1').out('eW. 1 ack 501 <acc0 401 100>')
    c.in('[ce] PeE. 501:601 ack 1').out('eWE. 1 ack 601 <acc0 401 200>')
    const d = accurate({ tcp: { accEcnOption: 'off' } })
      .in('[ce] PeE. 1:101 ack 1')
      .out('eW. 1 ack 101 <>')
    expect(d.connection.info().accEcnOption).toBe('off')
  },
)

scenario('two SACK blocks come before the option, the option before a third (RFC 9768 §3.2.3.3)', () => {
  const c = accurate({ sack: true, ts: true }).in('[ect0] PeE. 1:101 ack 1').advance(40).out('eE. 1 ack 101')
  c.in('[ect0] eE. 201:301 ack 1').out('eE. 1 ack 101 <TS,acc0 201,sack 201:301>')
  c.in('[ect0] eE. 401:501 ack 1').out('eE. 1 ack 101 <TS,acc0 301,sack 401:501 201:301>')
  c.in('[ect0] eE. 601:701 ack 1').out('eE. 1 ack 101 <TS,acc0 401,sack 601:701 401:501>')
  c.in('[ect1] eE. 801:901 ack 1').out('eE. 1 ack 101 <TS,acc1 101,sack 801:901 601:701>') // the one that has changed
  c.in('[ect0] eE. 851:901 ack 1').out('eE. 1 ack 101 <TS,acc0 451 0,sack 801:901 601:701>')
  c.in('[ect0] eE. 1001:1101 ack 1', '[ect1] eE. 1201:1301 ack 1') // both have changed: 12 octets, no room beside two blocks
  c.out('eE. 1 ack 101 <TS,sack 1001:1101 801:901 601:701>', 'eE. 1 ack 101')
})

scenario('beside text of full size there is no room: the option goes with an acknowledgement of its own', () => {
  const c = accurate().write(9).out('PeE. 1:10 ack 1').in('eE. ack 10').advance(1000)
  c.in('[ect0] PeE. 1:1001 ack 10', '[ect0] PeE. 1001:2001 ack 10').out('eE. 10 ack 2001 <acc0 2001>')
  const d = accurate().in('[ce] PeE. 1:101 ack 1').out('eW. 1 ack 101 <acc0 1 100>')
  d.write(5000).drain()
  d.in('[ect0] eE. 101:1101 ack 5001', '[ect0] eE. 1101:2101 ack 5001').out('eW. 5001 ack 2101 <acc0 2001 100>')
})

scenario(
  'old text again and again says that acknowledgements with the option do not arrive (RFC 9768 §3.2.3.2.2)',
  () => {
    const c = accurate().in('[ect0] PeE. 1:101 ack 1').advance(40).out('eE. 1 ack 101 <acc0 101>')
    for (let i = 0; i < 3; i++) c.in('[ect0] PeE. 1:101 ack 1').drain()
    c.in('[ect0] PeE. 101:201 ack 1').advance(40).out('eE. 1 ack 201 <>')
    const d = accurate().in('[ect0] PeE. 1:101 ack 1').advance(40).out('eE. 1 ack 101 <acc0 101>')
    for (let i = 0; i < 2; i++) d.in('[ect0] PeE. 1:101 ack 1').drain()
    d.in('[ect0] PeE. 101:201 ack 1').drain()
    d.in('[ect0] PeE. 1:101 ack 1').drain()
    d.in('[ect0] PeE. 201:301 ack 1').advance(40).out('eE. 1 ack 301 <acc0 301>')
  },
)

scenario('where the counter may have gone around, marked octets say how often (RFC 9768 §3.2.2.5.2)', () => {
  const c = inFlight().in('eW. ack 10001 <acc0 9001 1000>') // ten segments, ACE one further: one, not nine
  expect(c.tcb.ecn.deliveredCe).toBe(1)
  expect(c.connection.info().tcpi_delivered_ce_bytes).toBe(1000)
  expect(c.connection.info().tcpi_delivered_e0_bytes).toBe(9000)
  c.drain()
  const d = inFlight().in('eW. ack 10001 <acc0 1001 9000>')
  expect(d.tcb.ecn.deliveredCe).toBe(9)
  d.drain()
  const e = inFlight().in('eE. ack 10001 <acc0 2001 8000>') // eight: the counter stands where it stood
  expect(e.tcb.ecn.deliveredCe).toBe(8)
  e.drain()
})

scenario('marks that ACE told of are not counted again when the octets follow (RFC 9768 §3.2.3.2.5)', () => {
  const c = inFlight().in('eW. ack 2001').in('eW. ack 4001 <acc0 3001 1000>')
  expect(c.tcb.ecn.deliveredCe).toBe(1)
  c.drain()
})

scenario('an option older than the last one is passed over (RFC 9768 §3.2.3.1); counters go around at 24 bits', () => {
  const c = inFlight().in('eE. ack 2001 <acc0 2001 0 1>').drain()
  expect(c.length).toBeGreaterThan(0)
  const d = inFlight().in('eE. ack 3001 <acc0 3001>')
  d.drain()
  d.in('eE. ack 4001 <acc0 2001>').drain()
  expect(d.connection.info().tcpi_delivered_e0_bytes).toBe(3000)
  d.tcb.ecn.option?.delivered.splice(2, 1, 0xffffff)
  d.in('eE. ack 5001 <acc0 1000>').drain()
  expect(d.tcb.ecn.option?.delivered[2]).toBe(0xffffff + 1001)
})

scenario('without the option on the SYN,ACK ACE alone counts, until one comes (RFC 9768 §3.2.3.2.3)', () => {
  const c = inFlight({}, '')
  expect(c.connection.info().accEcnOption).toBe('absent')
  c.in('eE. ack 2001 <acc0 2001>').drain()
  expect(c.connection.info().accEcnOption).toBe('seen')
  const server = listening({ mss, tcp }).in('SeWE 0 <mss 1000>').out('SW. 0 ack 1').in('W. 1 ack 1').accept()
  expect(server.connection.info().accEcnOption).toBe('absent')
  const other = listening({ mss, tcp }).in('SeWE 0 <mss 1000>').out('SW. 0 ack 1').in('W. 1 ack 1 <acc0 1 0 1>')
  expect(other.accept().connection.info().accEcnOption).toBe('seen')
})

scenario('an option that was zeroed on the way is of no use (RFC 9768 §3.2.3.2.4)', () => {
  const c = inFlight({}, 'acc0 0 0 0').in('eW. ack 10001 <acc0 0 1000>')
  expect([c.tcb.ecn.deliveredCe, c.connection.info().accEcnOption]).toEqual([9, 'ignored'])
  c.drain()
})

scenario('marked octets while ACE certainly stands still: nothing may be marked any more (RFC 9768 §3.2.3.2.5)', () => {
  const c = accurate().write(900).out('[ect0] PeE. 1:901 ack 1').in('eE. ack 901 <acc0 1 900>')
  c.write(900).out('[-] PeE. 901:1801 ack 1')
  const d = accurate().write(900).out('[ect0] PeE. 1:901 ack 1').in('eW. ack 901 <acc0 1 900>')
  d.write(900).out('[ect0] PeE. 901:1801 ack 1')
})
