// Accurate ECN (RFC 9768): the handshake in three bits, the counter of marks, what the sender makes of it, and peers without it.
// In the flags `e` is AE: `eWE` is ACE 7, `eE` is 5.

import { expect } from 'vitest'
import { aceFlags, aceOf, judgeSynAck } from '../../src/tcp/accecn.ts'
import { listening, Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const tcp = { ecn: 'accurate' } as const
const FIELDS = ['-', 'ect1', 'ect0', 'ce']
/** RFC 9768 tables 2 and 3, by the field that they tell. */
const CODES = ['W', 'WE', 'e', 'eW']

const asking = (options: ScriptOptions = {}): Script =>
  new Script({ mss, ...options, tcp: { ...tcp, ...options.tcp } }).connect().out('[-] SeWE 0').advance(100)

/** ESTABLISHED with AccECN, asked for by us. */
function accurate(options: ScriptOptions = {}): Script {
  const c = asking(options)
  c.in(`SW. 0 ack 1 ${c.synOptions()}`).out('[-] W. 1 ack 1')
  c.events()
  return c
}

scenario('the three bits are a number, and back', () => {
  for (let n = 0; n < 20; n++) expect(aceOf(aceFlags(n))).toBe(n % 8)
  expect([0, 1, 2, 3, 4, 5, 6, 7].map((code) => judgeSynAck(aceFlags(code)))).toEqual(
    'off classic accurate accurate accurate accurate accurate off'.split(' '),
  )
})

scenario('a server tells the ECN field of the SYN in its SYN,ACK (RFC 9768 §3.1.1 table 2)', () => {
  for (let i = 0; i < 4; i++) {
    const c = listening({ mss, tcp }).in(`[${FIELDS[i]}] SeWE 0 <mss 1000>`).out(`[-] S${CODES[i]}. 0 ack 1`)
    c.in('W. 1 ack 1').accept().write(9).out('[ect0] PeE. 1:10 ack 1')
    expect(c.connection.info().tcpi_options).toEqual(expect.arrayContaining(['ecn', 'accecn']))
  }
})

scenario(
  'a client tells the ECN field of the SYN,ACK in its acknowledgement, before any text (RFC 9768 §3.2.2.1 table 3)',
  () => {
    for (let i = 0; i < 4; i++) {
      const c = asking().write(9).in(`[${FIELDS[i]}] SW. 0 ack 1 <mss 1000>`).out(`[-] ${CODES[i]}. 1 ack 1`)
      c.out(`[ect0] P${i === 3 ? 'eW' : 'eE'}. 1:10 ack 1`)
      c.in('SW. 0 ack 1 <mss 1000>').out(`${CODES[i]}. 10 ack 1`) // our answer was lost: it goes again
    }
  },
)

scenario('with a peer of RFC 3168 it is RFC 3168, with one of neither it is nothing (RFC 9768 §3.1.1 table 2)', () => {
  const classic = asking().in('SE. 0 ack 1 <mss 1000>').out('. 1 ack 1').in('[ce] P. 1:10 ack 1').out('E. 1 ack 10')
  classic.write(9).out('[ect0] PE. 1:10 ack 10')
  for (const answer of ['S.', 'SeWE.']) {
    asking().in(`${answer} 0 ack 1 <mss 1000>`).out('. 1 ack 1').write(9).out('[-] P. 1:10 ack 1')
  }
  const server = listening({ mss, tcp }).in('SWE 0 <mss 1000>').out('SE. 0 ack 1')
  expect(server.tcb.ecn.mode).toBe('classic')
  listening({ mss, tcp }).in('S 0 <mss 1000>').out('S. 0 ack 1')
  listening({ mss }).in('SeWE 0 <mss 1000>').out('SE. 0 ack 1') // who knows RFC 3168 only does not see AE
})

scenario('combinations kept for later stand for those that are known (RFC 9768 §3.1.2)', () => {
  listening({ mss, tcp }).in('Se 0 <mss 1000>').out('SW. 0 ack 1')
  asking().in('SeE. 0 ack 1 <mss 1000>').out('W. 1 ack 1').write(9).out('[ect0] PeE. 1:10 ack 1')
})

scenario('a SYN that was lost twice goes again without the bits (RFC 9768 §3.1.4.1), a SYN,ACK as well', () => {
  const c = new Script({ mss, tcp }).connect().out('SeWE 0').advance(1000).out('SeWE 0').advance(2000).out('S 0')
  c.in('S. 0 ack 1').out('. 1 ack 1')
  const d = listening({ mss, tcp }).in('SeWE 0 <mss 1000>').out('SW. 0 ack 1').advance(1000).out('SW. 0 ack 1')
  d.advance(2000).out('S. 0 ack 1').in('. 1 ack 1').accept().write(9).out('[-] PeE. 1:10 ack 1')
})

scenario(
  'a path that changes or clears the bits gets nothing that could be marked (RFC 9768 §3.2.2.3, §3.2.2.4)',
  () => {
    asking().in('SeW. 0 ack 1 <mss 1000>').out('W. 1 ack 1').write(9).out('[-] PeE. 1:10 ack 1')
    const c = listening({ mss, tcp }).in('SeWE 0 <mss 1000>').out('SW. 0 ack 1').in('. 1 ack 1').accept()
    c.write(9).out('[-] PeE. 1:10 ack 1')
    const d = accurate().write(9).out('[ect0] PeE. 1:10 ack 1').in('. ack 10').write(9).out('[-] PeE. 10:19 ack 1')
    expect(d.tcb.ecn.deliveredCe).toBe(0)
  },
)

scenario(
  'a SYN,ACK of DCTCP may be marked: that counts as the first mark (RFC 8257 §3.6, RFC 9768 §3.2.2.1 table 4)',
  () => {
    const open = (code: string): Script => {
      const c = listening({ mss, tcp: { ...tcp, congestion: 'dctcp' } })
        .in('[ect0] SeWE 0 <mss 1000>')
        .out('[ect0] Se. 0 ack 1')
      return c.in(`${code}. 1 ack 1`).accept().write(1000)
    }
    const c = open('eW').out('[ect0] PeE. 1:1001 ack 1').in('eW. ack 1001') // 6 is what it was
    expect(c.tcb.ecn.deliveredCe).toBe(0)
    open('e').out('[ect0] PeE. 1:1001 ack 1')
    open('W').out('[-] PeE. 1:1001 ack 1') // the path has cleared it
  },
)

scenario(
  'each mark is counted, the first and every second are told at once, bare ACKs wait (RFC 9768 §3.2.2.5.1)',
  () => {
    const c = accurate().in('[ce] PeE. 1:101 ack 1').out('eW. 1 ack 101')
    c.in('[ce] PeE. 101:201 ack 1').silent(1).in('[ce] PeE. 201:301 ack 1').out('. 1 ack 301') // 8: around
    c.in('[ce] eE. 301 ack 1').in('[ce] eE. 301 ack 1').in('[ce] eE. 301 ack 1').silent(50)
    c.in('[ect0] PeE. 301:401 ack 1').silent(39).advance(1).out('WE. 1 ack 401') // 11
  },
)

scenario('more marks in a batch than the counter can tell of are told in parts (RFC 9768 §3.2.2.5.1)', () => {
  const c = accurate()
  c.in(...Array.from({ length: 15 }, (_, i) => `[ce] eE. ${1 + 100 * i}:${101 + 100 * i} ack 1`))
  c.out('WE. 1 ack 601', 'E. 1 ack 1201', 'e. 1 ack 1501') // 11, 17, 20
  expect(c.tcb.ecn.receivedCe).toBe(20)
})

/** Ten segments in flight. */
function inFlight(options: ScriptOptions = {}): Script {
  const c = accurate(options).write(40_000)
  for (let at = 1; at < 10_001; at += mss) c.out(`[ect0] eE. ${at}:${at + mss} ack 1`)
  return c
}

scenario(
  'the window is lowered once for the marks of a window, whatever their number; CWR does not follow (RFC 9768 §3.2.2)',
  () => {
    const c = inFlight().in('eW. ack 1001') // 6: one mark
    expect([c.tcb.cc.cwnd, c.tcb.cc.ssthresh, c.tcb.ecn.deliveredCe]).toEqual([5000, 5000, 1])
    c.in('. ack 3001') // 8: two more
    expect([c.tcb.cc.cwnd, c.tcb.ecn.deliveredCe]).toEqual([5000, 3])
    c.in('. ack 6001').out('[ect0] eE. 10001:11001 ack 1')
    expect(c.connection.info().tcpi_delivered_ce).toBe(3)
  },
)

scenario(
  'an acknowledgement without marks opens the window, one that brings nothing is passed over (RFC 9768 §3.2.2.2)',
  () => {
    const c = inFlight().in('eE. ack 1001')
    expect([c.tcb.cc.cwnd, c.drain().length]).toEqual([11_000, 2])
    c.in('W. ack 1001').out('[ect0] eE. 12001:13001 ack 1') // the handshake's code once more, no counter
    expect([c.tcb.cc.cwnd, c.tcb.ecn.deliveredCe]).toEqual([11_000, 0])
  },
)

scenario(
  'where the counter may have gone around, of what is possible the most is taken; one that stands still is believed (RFC 9768 §3.2.2.5.2)',
  () => {
    const c = inFlight().in('eW. ack 10001') // ten segments, ACE one further: 1 or 9
    expect(c.tcb.ecn.deliveredCe).toBe(9)
    const d = inFlight().in('eE. ack 10001')
    expect(d.tcb.ecn.deliveredCe).toBe(0)
    d.drain()
    c.drain()
  },
)

scenario('a segment whose bits hold CWR is no super-segment, all others are', () => {
  const c = accurate({ offload: { checksum: false, superSegmentBytes: 65535 } }).write(10_000)
  expect(c.drain().map((line) => line.end - line.seq)).toEqual([10_000])
  c.in('[ce] PeE. 1:101 ack 10001').out('eW. 10001 ack 101').write(10_000)
  expect(new Set(c.drain().map((line) => line.end - line.seq))).toEqual(new Set([1000]))
})
