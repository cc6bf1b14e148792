// What the two SYNs agree on: MSS, window scale, SACK, timestamps (RFC 9293 §3.7.1, RFC 7323 §2 §3, RFC 2018 §2).

import { expect } from 'vitest'
import { finishChecksum, sumBytes } from '../../src/ip/checksum.ts'
import { PROTOCOL } from '../../src/ip/header.ts'
import { Packet } from '../../src/link/device.ts'
import { connecting, established, listening, Script, scenario } from './script.ts'
import { currentWorld } from './world.ts'

const ALL = '<mss 1460,sackOK,TS,wscale 5>'

scenario('our SYN offers MSS, SACK, timestamps and a window scale (RFC 9293 §3.7.1 [MUST-14] [SHLD-5] [MAY-3])', () => {
  new Script().connect().out(`S 0 win 65535 ${ALL}`)
})

for (const offer of ['sack', 'timestamps', 'windowScale'] as const) {
  scenario(
    `with ${offer} off our SYN does not offer it, and the peer's offer is not taken up (RFC 7323 §2.2 §3.2, RFC 2018 §2)`,
    () => {
      const left = {
        sack: '<mss 1460,TS,wscale 5>',
        timestamps: '<mss 1460,sackOK,wscale 5>',
        windowScale: '<mss 1460,sackOK,TS>',
      }
      const c = new Script({ tcp: { [offer]: false } }).connect().out(`S 0 ${left[offer]}`)
      c.in('S. 0 ack 1 <mss 1460,sackOK,TS,wscale 7>').out(offer === 'timestamps' ? '. 1 ack 1 <>' : '. 1 ack 1 <TS>')
      const { tcb } = c
      const agreed = { sack: tcb.sackEnabled, timestamps: tcb.ts.enabled, windowScale: tcb.scaleEnabled }
      expect(agreed).toEqual({ sack: true, timestamps: true, windowScale: true, [offer]: false })
    },
  )
}

const SYNS: readonly [string, string, string][] = [
  ['nothing', '<>', '<mss 1460>'],
  ['MSS', '<mss 1200>', '<mss 1460>'],
  ['SACK', '<mss 1460,sackOK>', '<mss 1460,sackOK>'],
  ['timestamps', '<mss 1460,TS>', '<mss 1460,TS>'],
  ['window scale', '<mss 1460,wscale 0>', '<mss 1460,wscale 5>'],
  ['everything', '<mss 1460,sackOK,TS,wscale 7>', ALL],
]

for (const [what, theirs, ours] of SYNS) {
  scenario(
    `a SYN that offers ${what} is answered with that and MSS (RFC 9293 §3.7.1, RFC 7323 §2.2 §3.2, RFC 2018 §2)`,
    () => {
      listening().in(`S 0 ${theirs}`).out(`S. 0 ack 1 win 65535 ${ours}`)
    },
  )
}

scenario('the windows of SYN and SYN,ACK are not scaled, later ones are (RFC 7323 §2.2)', () => {
  const c = connecting({ wscale: 4 })
  c.in('S. 0 ack 1 win 5000 <mss 1460,wscale 4>').out('. 1 ack 1 win 32768')
  expect(c.tcb.snd.wnd).toBe(5000)
  c.in('. 1 ack 1 win 5000')
  expect(c.tcb.snd.wnd).toBe(80_000)
  const d = listening({ wscale: 4 })
  d.in('S 0 win 5000 <mss 1460,wscale 4>').out('S. 0 ack 1 win 65535')
  expect(d.tcb.snd.wnd).toBe(5000)
  d.in('. 1 ack 1 win 5000')
  expect(d.tcb.snd.wnd).toBe(80_000)
})

scenario('a window is an unsigned number (RFC 9293 §3.1 [MUST-1])', () => {
  const c = established({ win: 65535 })
  expect(c.tcb.snd.wnd).toBe(65535)
  c.in('. 1 ack 1 win 32768')
  expect(c.tcb.snd.wnd).toBe(32768)
})

scenario('a window scale above 14 is taken for 14 (RFC 7323 §2.3)', () => {
  const c = connecting()
  c.in('S. 0 ack 1 <mss 1460,wscale 200>').out('. 1 ack 1')
  expect(c.tcb.snd.scale).toBe(14)
  c.in('. 1 ack 1 win 65535')
  expect(c.tcb.snd.wnd).toBe(65535 * 16384)
})

scenario('the scale that we offer is the smallest that tells our buffer (RFC 7323 §2.3)', () => {
  for (const [bytes, scale] of [
    [1000, 0],
    [65535, 0],
    [65536, 1],
    [1 << 20, 5],
    [1 << 26, 11],
  ]) {
    new Script({ tcp: { receiveBufferBytes: bytes } })
      .connect()
      .out(`S 0 win ${Math.min(bytes, 65535)} <mss 1460,sackOK,TS,wscale ${scale}>`)
  }
})

scenario('an MSS of 0 tells nothing: the same is assumed as without the option (RFC 9293 §3.7.1 [MUST-15])', () => {
  const mss = currentWorld().family === 4 ? 536 : 1220
  expect(established({ mss: 0 }).connection.tcb.snd.mss).toBe(mss)
  expect(established({ mss: 0, passive: true }).connection.tcb.snd.mss).toBe(mss)
})

scenario('without an MSS option 536 octets are assumed over IPv4, 1220 over IPv6 (RFC 9293 §3.7.1 [MUST-15])', () => {
  const mss = currentWorld().family === 4 ? 536 : 1220
  const c = established({ mss: null })
  c.write(3 * mss).out(
    `. 1:${mss + 1} ack 1`,
    `. ${mss + 1}:${2 * mss + 1} ack 1`,
    `P. ${2 * mss + 1}:${3 * mss + 1} ack 1`,
  )
  const d = established({ mss: null, passive: true })
  expect(d.tcb.snd.mss).toBe(mss)
})

scenario('text is cut to the smaller of the peer’s MSS and what our link takes (RFC 9293 §3.7.1 [MUST-16])', () => {
  established({ mss: 1000 }).write(1500).out('. 1:1001 ack 1').quiet()
  established({ mss: 9000 }).write(3000).out('. 1:1461 ack 1', '. 1461:2921 ack 1')
  established({ mss: 9000, mtu: 9000 }).write(9000).out('. 1:8961 ack 1')
})

scenario('timestamps take 12 octets of every segment (RFC 9293 §3.7.1 [MUST-16], RFC 6691 §2)', () => {
  const c = established({ mss: 1460, ts: true })
  c.write(2 * 1448).out('. 1:1449 ack 1 <TS>', 'P. 1449:2897 ack 1 <TS>')
  const d = established({ mss: null, ts: true })
  expect(d.tcb.snd.mss).toBe(currentWorld().family === 4 ? 524 : 1208)
})

scenario('the MSS that we announce is what our link takes less the fixed headers (RFC 9293 §3.7.1 [MUST-67])', () => {
  new Script({ mtu: 9000 }).connect().out('S 0 <mss 8960,sackOK,TS,wscale 5>')
  new Script({ tcp: { mss: 1000 } }).connect().out('S 0 <mss 1000,sackOK,TS,wscale 5>')
})

scenario('an MSS of almost nothing is taken for 48 octets (RFC 9293 §3.7.1)', () => {
  const c = connecting()
  c.in('S. 0 ack 1 <mss 1>').out('. 1 ack 1')
  expect(c.tcb.snd.mss).toBe(48)
})

scenario('no MSS, scale or SACK-permitted option outside of SYN is sent or believed (RFC 9293 §3.2 [MUST-65])', () => {
  const c = established({ sack: true, ts: true, wscale: 2 })
  c.in('. 1 ack 1 <mss 100,sackOK,TS,wscale 9>')
  expect([c.tcb.snd.mss, c.tcb.snd.scale]).toEqual([1448, 2])
  c.write(100).out('P. 1:101 ack 1 <TS>')
})

scenario(
  'options may stand in any segment and unaligned; unknown ones are skipped (RFC 9293 §3.1 §3.2 [MUST-4] [MUST-5] [MUST-6] [MUST-64] [MUST-68])',
  () => {
    const c = listening()
    const packet = c.packet('S 0 <mss 1111,sackOK,TS,wscale 9>')
    // NOP, unknown kind 77 of 3 octets, MSS 1200, NOP, window scale 3, unknown kind 254 of 5, END, then rubbish
    const odd = [1, 77, 3, 9, 2, 4, 4, 176, 1, 3, 3, 3, 254, 5, 1, 2, 3, 0, 2, 4]
    packet.bytes.set(odd, packet.start + c.ipHeaderBytes + 20)
    c.deliver(c.seal(packet)).out('S. 0 ack 1 <mss 1460,wscale 5>')
    expect([c.tcb.snd.mss, c.tcb.snd.scale, c.tcb.sackEnabled]).toEqual([1200, 3, false])
  },
)

scenario('an option with an illegal length ends the options; those before it count (RFC 9293 §3.1 [MUST-7])', () => {
  for (const bad of [
    [77, 0],
    [77, 1],
    [77, 200],
    [3, 0],
  ]) {
    const c = listening()
    const packet = c.packet('S 0 <mss 1111,sackOK,wscale 9>')
    packet.bytes.set([2, 4, 4, 176, ...bad, 4, 2, 0, 0, 0, 0], packet.start + c.ipHeaderBytes + 20)
    c.deliver(c.seal(packet)).out('S. 0 ack 1 <mss 1460>')
    expect([c.tcb.snd.mss, c.tcb.sackEnabled]).toEqual([1200, false])
  }
})

scenario('a wrong checksum drops the segment, in silence (RFC 9293 §3.1 [MUST-3])', () => {
  const c = established()
  const packet = c.packet('P. 1:101 ack 1')
  packet.bytes[packet.end - 1] ^= 1
  c.deliver(packet).quiet()
  expect(c.stack.drops.get('tcp-bad-checksum')).toBe(1)
  packet.bytes[packet.end - 1] ^= 1
  c.deliver(packet).reads(100).advance(40).out('. 1 ack 101')
})

scenario(
  'hop limit and traffic class of a connection are its settings (RFC 9293 §3.9.2 [MUST-48] [MUST-49] [SHLD-22])',
  () => {
    const c = new Script({ tcp: { hopLimit: 7, trafficClass: 0xb8 } }).connect()
    const [syn] = c.drain()
    expect([syn.hopLimit, syn.trafficClass]).toEqual([7, 0xb8])
  },
)

scenario(
  'IP options and extension headers that TCP does not understand are passed over (RFC 9293 §3.9.2 [MUST-50])',
  () => {
    const c = listening()
    const plain = c.packet('S 0 <mss 1460>')
    const v4 = currentWorld().family === 4
    const packet = new Packet(new Uint8Array(plain.bytes.length + 8))
    packet.copyFrom(plain)
    const { bytes, start } = packet
    const at = start + c.ipHeaderBytes
    packet.end += 8
    bytes.copyWithin(at + 8, at, packet.end - 8)
    // IPv4: an option of a kind that nobody knows; IPv6: hop-by-hop options, all padding.
    bytes.set(v4 ? [1, 0x9e, 6, 1, 2, 3, 4, 0] : [PROTOCOL.TCP, 0, 1, 4, 0, 0, 0, 0], at)
    if (v4) {
      bytes[start] = 0x47
      bytes[start + 3] += 8
      bytes[start + 10] = bytes[start + 11] = 0
      const sum = finishChecksum(sumBytes(bytes, start, start + 28))
      bytes[start + 10] = sum >> 8
      bytes[start + 11] = sum
    } else {
      bytes[start + 5] += 8
      bytes[start + 6] = 0
    }
    c.deliver(packet).out('S. 0 ack 1 <mss 1460>')
  },
)

scenario('windows are counted in more than 16 bits, up to 1 GiB (RFC 9293 §3.1 [REC-1], RFC 7323 §2.3)', () => {
  const c = established({ wscale: 14, win: 65535, tcp: { receiveBufferBytes: 1 << 30 } })
  c.in('. 1 ack 1 win 65535')
  expect(c.tcb.snd.wnd).toBe(65535 * 2 ** 14)
  c.write(1).drain()
  expect((c.tcb.rcv.edge - c.tcb.rcv.nxt) | 0).toBe(65535 * 2 ** 14)
})
