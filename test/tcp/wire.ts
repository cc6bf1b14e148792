// The peer's packets, made from the codecs, and ours taken apart. The checksums are computed word by word, without the library's sum.
// Owns: bytes. Does not own: which segment comes when (script.ts), the notation (notation.ts).

import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { IpAddress } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp, writeIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { FLAG, parseTcp, SegmentHeader, type SegmentPlan, writeTcp } from '../../src/tcp/header.ts'
import { type Line, optionNumber } from './notation.ts'

/** A sent segment as it was found on the wire. */
export interface Sent extends Line {
  seq: number
  end: number
  options: string[]
  /** Script time in milliseconds. */
  atMs: number
  segmentBytes: number
  hopLimit: number
  trafficClass: number
}

/** Octet `i` of our stream, and of the peer's. */
export const ourByte = (i: number): number => (i * 31 + (i >>> 8) * 17 + 7) & 255
export const peerByte = (i: number): number => (i * 37 + (i >>> 8) * 29 + 101) & 255

/** Octets [start, end) of a stream. */
export function text(byte: (i: number) => number, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, end - start))
  for (let i = 0; i < bytes.length; i++) bytes[i] = byte(start + i)
  return bytes
}

/** The ones' complement sum of pseudo-header and segment, folded; 0xffff when the checksum in it is right (RFC 9293 §3.1). */
export function transportSum(packet: Packet, protocol: number, headerBytes: number): number {
  const { bytes, start, end } = packet
  const v4 = bytes[start] >>> 4 === 4
  let sum = protocol + (end - start - headerBytes)
  const add = (from: number, to: number): void => {
    for (let i = from; i < to; i += 2) sum += bytes[i] * 256 + (i + 1 < to ? bytes[i + 1] : 0)
  }
  add(start + (v4 ? 12 : 8), start + (v4 ? 20 : 40))
  add(start + headerBytes, end)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536)
  return sum
}

/** An IP packet around a transport's bytes; `checksumAt` is where their checksum goes, -1 for a protocol whose bytes are complete. */
export function wrapIp(
  src: IpAddress,
  dst: IpAddress,
  protocol: number,
  payload: Uint8Array,
  checksumAt = 16,
  ecn = 0,
): Packet {
  const ip = new IpHeader()
  ip.family = dst.family
  ip.src.assign(src)
  ip.dst.assign(dst)
  ip.protocol = protocol
  ip.trafficClass = ecn
  const headerBytes = ip.family === 4 ? 20 : 40
  ip.totalBytes = headerBytes + payload.length
  const packet = new Packet(new Uint8Array(HEADROOM + ip.totalBytes))
  packet.end = packet.start + ip.totalBytes
  writeIp(ip, packet.bytes, packet.start)
  packet.bytes.set(payload, packet.start + headerBytes)
  if (checksumAt >= 0) seal(packet, protocol, headerBytes, checksumAt)
  return packet
}

/** Writes a right checksum after a test has changed a packet. */
export function seal(packet: Packet, protocol: number, headerBytes: number, checksumAt = 16): void {
  const at = packet.start + headerBytes + checksumAt
  packet.bytes[at] = packet.bytes[at + 1] = 0
  const sum = ~transportSum(packet, protocol, headerBytes)
  packet.bytes[at] = sum >> 8
  packet.bytes[at + 1] = sum
}

/** Header and text of a segment, without its checksum. */
export function segmentBytes(plan: SegmentPlan, content: Uint8Array): Uint8Array {
  const header = new Uint8Array(60)
  return Buffer.concat([header.subarray(0, writeTcp(plan, header, 0)), content])
}

/** The MD5 signature of a segment by RFC 2385 §2.0, made with Node's MD5; its checksum counts as zero. */
export function md5Signature(segment: Uint8Array, src: IpAddress, dst: IpAddress, key: string): Buffer {
  const v4 = src.family === 4
  const pseudo = Buffer.alloc(v4 ? 12 : 40)
  src.write(pseudo, 0)
  dst.write(pseudo, v4 ? 4 : 16)
  pseudo[v4 ? 9 : 39] = PROTOCOL.TCP
  pseudo.writeUInt16BE(segment.length, v4 ? 10 : 34)
  const header = Buffer.from(segment.subarray(0, 20))
  header.writeUInt16BE(0, 16)
  const content = segment.subarray((segment[12] >> 4) * 4)
  return createHash('md5').update(pseudo).update(header).update(content).update(key).digest()
}

/** Fills in the signature of a segment whose first option it is. */
export function sign(segment: Uint8Array, src: IpAddress, dst: IpAddress, key: string): Uint8Array {
  segment.set(md5Signature(segment, src, dst, key), 24)
  return segment
}

/** Whether a packet that the stack has sent is signed with that key; false too when it is not signed at all. */
export function isSignedWith(packet: Packet, key: string): boolean {
  const ip = new IpHeader()
  const tcp = new SegmentHeader()
  parseIp(packet.bytes, packet.start, packet.end, ip)
  const at = packet.start + ip.headerBytes
  parseTcp(packet.bytes, at, packet.end, tcp)
  if (tcp.md5Start < 0) return false
  const expected = md5Signature(packet.bytes.subarray(at, packet.end), ip.src, ip.dst, key)
  return Buffer.compare(expected, packet.bytes.subarray(tcp.md5Start, tcp.md5Start + 16)) === 0
}

/** What the numbers of the notation count from. */
export interface Origin {
  iss: number
  irs: number
  /** Our timestamps count from here. */
  tsOffset: number
  /** The peer's timestamp where a line does not say, and what it echoes then. */
  tsVal: number
  tsEcr: number
}

/** Puts the options of a line of the peer into a plan. */
export function fillOptions(plan: SegmentPlan, options: readonly string[], origin: Origin): void {
  for (const option of options) {
    if (option.startsWith('mss')) plan.mss = optionNumber(option, 'mss') ?? 0
    else if (option === 'sackOK') plan.sackPermitted = true
    else if (option.startsWith('wscale')) plan.windowScale = optionNumber(option, 'wscale') ?? 0
    else if (option.startsWith('uto')) plan.userTimeout = optionNumber(option, 'uto') ?? 0
    else if (option.startsWith('TS')) {
      const ecr = optionNumber(option, 'ecr')
      plan.hasTimestamps = true
      plan.tsVal = optionNumber(option, 'val') ?? origin.tsVal
      plan.tsEcr = plan.flags & FLAG.ACK ? (ecr === null ? origin.tsEcr : ecr + origin.tsOffset) : 0
    } else if (option.startsWith('sack ')) {
      const edges = option.slice(5).split(/[ :]/).map(Number)
      plan.sackCount = edges.length / 2
      for (let i = 0; i < edges.length; i++) plan.sackEdges[i] = origin.iss + edges[i]
    } else if (option === 'FO' || option.startsWith('FO ')) {
      plan.hasCookie = true
      plan.cookie = Buffer.from(option.slice(3), 'hex')
    } else if (option.startsWith('acc')) {
      const values = option
        .slice(5)
        .split(' ')
        .filter((word) => word !== '')
        .map(Number)
      plan.accEcnKind = option.startsWith('acc0') ? 172 : 174
      plan.accEcnFields = values.length
      const [first = 0, ce = 0, last = 0] = values
      plan.echoedCe = ce
      plan.echoedE0 = option.startsWith('acc0') ? first : last
      plan.echoedE1 = option.startsWith('acc0') ? last : first
    } else throw new Error(`unknown option '${option}'`)
  }
}

/** A packet that the stack has sent: verified, and as a line. Null when it is not TCP. */
export function readSent(packet: Packet, ends: string, origin: Origin, atMs: number): Sent | null {
  const ip = new IpHeader()
  expect(parseIp(packet.bytes, packet.start, packet.end, ip), 'the IP header of a sent packet').toBe('ok')
  if (ip.protocol !== PROTOCOL.TCP) return null
  const tcp = new SegmentHeader()
  const at = packet.start + ip.headerBytes
  expect(parseTcp(packet.bytes, at, packet.end, tcp), 'the TCP header of a sent packet').toBe('ok')
  expect(`${ip.src} ${tcp.sourcePort} > ${ip.dst} ${tcp.destinationPort}`).toBe(ends)
  if (packet.checksum === 'complete') {
    expect(transportSum(packet, PROTOCOL.TCP, ip.headerBytes), 'checksum (RFC 9293 §3.1 [MUST-2])').toBe(0xffff)
  }
  // A reset without a connection has the number 0 itself (RFC 9293 §3.10.7.1).
  const isBare = tcp.flags === (FLAG.RST | FLAG.ACK) && tcp.seq === 0
  const start = isBare ? 0 : (tcp.seq - origin.iss) | 0
  const content = packet.bytes.subarray(tcp.textStart, tcp.textStart + tcp.textLength)
  const first = start - 1 + (tcp.flags & FLAG.SYN ? 1 : 0)
  const same = Buffer.compare(content, text(ourByte, first, first + content.length))
  expect(same, `the octets of ${start}:${start + tcp.textLength}`).toBe(0)
  if (tcp.hasTimestamps) origin.tsEcr = tcp.tsVal
  return {
    ecn: ip.trafficClass & 3,
    flags: tcp.flags,
    seq: start,
    end: start + tcp.textLength,
    ack: tcp.flags & FLAG.ACK ? (tcp.ack - origin.irs) | 0 : null,
    win: tcp.window,
    urg: tcp.flags & FLAG.URG ? tcp.urgent : null,
    options: optionTexts(tcp, origin),
    atMs,
    segmentBytes: packet.segmentBytes,
    hopLimit: ip.hopLimit,
    trafficClass: ip.trafficClass,
  }
}

function optionTexts(tcp: SegmentHeader, { irs, tsOffset }: Origin): string[] {
  const list: string[] = []
  if (tcp.md5Start >= 0) list.push('md5')
  if (tcp.mss >= 0) list.push(`mss ${tcp.mss}`)
  if (tcp.sackPermitted) list.push('sackOK')
  if (tcp.hasTimestamps) list.push(`TS val ${(tcp.tsVal - tsOffset) | 0} ecr ${tcp.tsEcr}`)
  if (tcp.windowScale >= 0) list.push(`wscale ${tcp.windowScale}`)
  if (tcp.cookieLength === 0) list.push('FO')
  if (tcp.cookieLength > 0) {
    list.push(
      `FO ${Buffer.from(tcp.bytes.subarray(tcp.cookieStart, tcp.cookieStart + tcp.cookieLength)).toString('hex')}`,
    )
  }
  if (tcp.userTimeout >= 0) list.push(`uto ${tcp.userTimeout}`)
  if (tcp.accEcnFields >= 0) {
    const order = accEcnOrder(tcp)
    const echoes = [order === 0 ? tcp.echoedE0 : tcp.echoedE1, tcp.echoedCe, order === 0 ? tcp.echoedE1 : tcp.echoedE0]
    list.push([`acc${order}`, ...echoes.slice(0, tcp.accEcnFields)].join(' '))
  }
  const blocks = []
  for (let i = 0; i < tcp.sackCount; i++) {
    blocks.push(`${(tcp.sackEdges[2 * i] - irs) | 0}:${(tcp.sackEdges[2 * i + 1] - irs) | 0}`)
  }
  if (blocks.length > 0) list.push(`sack ${blocks.join(' ')}`)
  return list
}

/** Which of the two orders an AccECN option has: by its kind, wherever it stands among the options. */
function accEcnOrder(tcp: SegmentHeader): 0 | 1 {
  for (let at = tcp.textStart - tcp.headerBytes + 20; at < tcp.textStart; ) {
    const kind = tcp.bytes[at]
    if (kind === 172 || kind === 174) return kind === 172 ? 0 : 1
    at += kind === 1 ? 1 : tcp.bytes[at + 1]
  }
  return 0
}
