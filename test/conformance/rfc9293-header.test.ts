// RFC 9293 §3.1, §3.2: the header and its options on the wire, by an oracle of their own.

import { expect, test } from 'vitest'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { FLAG, SegmentPlan, writeTcp } from '../../src/tcp/header.ts'
import { slowChecksum } from '../ip/helpers.ts'
import { connecting, established, listening, type Script, scenario } from '../tcp/script.ts'

/** What the stack has to send now, as bytes from the IP header on. */
function packets(c: Script): Uint8Array[] {
  const found: Uint8Array[] = []
  const packet = new Packet(new Uint8Array(HEADROOM + 65536))
  while (c.stack.pollTransmit(packet, c.now)) found.push(packet.bytes.slice(packet.start, packet.end))
  return found
}

/** The sum of a segment and its pseudo-header, checksum field included: 0 when it is right. */
function sumOf(packet: Uint8Array): number {
  const [at, addresses] = packet[0] >>> 4 === 4 ? [20, packet.subarray(12, 20)] : [40, packet.subarray(8, 40)]
  const length = packet.length - at
  return slowChecksum(addresses, Uint8Array.of(0, 6, length >> 8, length & 255), packet.subarray(at))
}

scenario('every segment that we send has a checksum, and it is right (RFC 9293 §3.1 [MUST-2])', () => {
  const c = listening()
  c.handle(c.packet('S 0 <mss 1460,sackOK,TS,wscale 7>')) // answered with SYN,ACK
  const sent = packets(c)
  const d = established({ ts: true })
  d.connection.write(Uint8Array.from({ length: 3001 }, (_, i) => i * 7)) // of even and of odd length
  d.connection.shutdownWrite() // FIN with the last of it
  sent.push(...packets(d))
  d.connection.abort()
  sent.push(...packets(d))
  d.handle(d.packet('. 1 ack 1')) // nobody's: a reset without a connection
  sent.push(...packets(d))
  expect(sent.length).toBe(6)
  for (const packet of sent) {
    const at = packet[0] >>> 4 === 4 ? 20 : 40
    expect(packet[at + 16] | packet[at + 17], 'a checksum').not.toBe(0)
    expect(sumOf(packet)).toBe(0)
  }
})

scenario(
  'a segment with text may have options, known and unknown, in any place (RFC 9293 §3.1 §3.2 [MUST-5] [MUST-6] [MUST-64])',
  () => {
    const c = established({ ts: true })
    const packet = c.packet('P. 1:11 ack 1 <TS val 7777>')
    const at = packet.start + c.ipHeaderBytes + 20
    const timestamps = packet.bytes.slice(at + 2, at + 12) // behind the two NOPs
    packet.bytes.set([99, 2, ...timestamps], at) // two octets of an unknown kind in their place
    c.deliver(c.seal(packet)).reads(10).advance(40).out('. 1 ack 11 <TS ecr 7777>')
    const odd = c.packet('P. 11:21 ack 1 <TS val 7777>')
    odd.bytes.set([1, ...timestamps.subarray(0, 5), 99, ...timestamps.subarray(6), 0], at) // off by one more, then END
    c.deliver(c.seal(odd)).reads(10).advance(40).out('. 1 ack 21')
    expect(c.tcb.ts.recent & 255).toBe(99) // 7779
  },
)

scenario(
  'End ends the options, No-Operation fills, MSS counts: in SYN,ACK too (RFC 9293 §3.1 [MUST-4] [MUST-14])',
  () => {
    const c = connecting()
    const packet = c.packet('S. 0 ack 1 <mss 1460,sackOK,wscale 7>')
    // NOP, MSS 1000, END; what looks like a window scale behind it is none
    packet.bytes.set([1, 2, 4, 3, 232, 0, 2, 3, 3, 7, 1, 1], packet.start + c.ipHeaderBytes + 20)
    c.deliver(c.seal(packet)).out('. 1 ack 1')
    expect([c.tcb.snd.mss, c.tcb.scaleEnabled]).toEqual([1000, false])
    c.write(1500).out('. 1:1001 ack 1').in('. ack 1001').out('P. 1001:1501 ack 1')
  },
)

scenario('an option that reaches beyond the header takes nothing from the text (RFC 9293 §3.1 [MUST-7])', () => {
  const c = listening()
  const packet = c.packet('S 0:8 <mss 1460,wscale 7>', Uint8Array.of(3, 232, 9, 9, 9, 9, 9, 9))
  packet.bytes.set([1, 3, 3, 5, 1, 1, 2, 4], packet.start + c.ipHeaderBytes + 20) // an MSS of 1000, if text were options
  const mss = c.remote.family === 4 ? 536 : 1220
  c.deliver(c.seal(packet)).out('S. 0 ack 1 <mss 1460,wscale 5>')
  expect([c.tcb.snd.mss, c.tcb.snd.scale]).toEqual([mss, 5])
})

/** The kinds of a segment's options, read from its bytes: our own parser passes over what has no place in a segment. */
function kindsOf(packet: Uint8Array): number[] {
  const at = packet[0] >>> 4 === 4 ? 20 : 40
  const end = at + (packet[at + 12] >>> 4) * 4
  const kinds: number[] = []
  for (let i = at + 20; i < end && packet[i] !== 0; i += packet[i] === 1 ? 1 : packet[i + 1]) kinds.push(packet[i])
  return kinds
}

scenario('whatever we send once the SYN is out has no MSS option (RFC 9293 §3.2 [MUST-65])', () => {
  const c = established({ sack: true, ts: true, wscale: 7 })
  c.connection.write(new Uint8Array(4000))
  const sent = packets(c)
  c.stack.handleTimeout(c.now + 1_000_000) // the same again
  sent.push(...packets(c))
  c.handle(c.packet('. 1449:2897 ack 1')) // out of order: a duplicate acknowledgement with a SACK block
  sent.push(...packets(c))
  c.connection.shutdownWrite()
  c.handle(c.packet('. 1 ack 4001'))
  sent.push(...packets(c))
  c.connection.abort()
  sent.push(...packets(c))
  expect(sent.length).toBeGreaterThanOrEqual(5)
  for (const packet of sent)
    expect(kindsOf(packet).filter((kind) => kind === 2 || kind === 3 || kind === 4)).toEqual([])
})

test('every option that we write but End and No-Operation has its length, and zeros follow an End (RFC 9293 §3.1 [MUST-68] [MUST-69])', () => {
  const lengths: Record<number, number> = { 2: 4, 3: 3, 4: 2, 5: 10, 8: 10, 19: 18, 28: 4, 34: 6 }
  for (let set = 0; set < 256; set++) {
    const plan = new SegmentPlan()
    plan.flags = FLAG.SYN
    if (set & 1) plan.mss = 1460
    if (set & 2) plan.windowScale = 7
    if (set & 4) plan.sackPermitted = true
    if (set & 8) plan.sackCount = 1
    if (set & 16) plan.hasTimestamps = true
    if (set & 32) plan.md5Key = new Uint8Array(8)
    if (set & 64) plan.userTimeout = 9
    if (set & 128) Object.assign(plan, { hasCookie: true, cookie: new Uint8Array(4).fill(1) })
    const out = new Uint8Array(120).fill(0xee)
    const end = writeTcp(plan, out, 0)
    expect(end % 4).toBe(0)
    const kinds: number[] = []
    let at = 20
    while (at < end && out[at] !== 0) {
      if (out[at] !== 1) {
        kinds.push(out[at])
        expect(out[at + 1], `the length of kind ${out[at]}`).toBe(lengths[out[at]])
      }
      at += out[at] === 1 ? 1 : out[at + 1]
    }
    expect([...out.subarray(at, end)].every((octet) => octet === 0)).toBe(true)
    expect(at).toBeLessThanOrEqual(end)
    expect(new Set(kinds).size).toBe([1, 2, 4, 8, 16, 32, 64, 128].filter((bit) => set & bit).length)
  }
})
