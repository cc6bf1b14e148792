// Packets that no stack made: what routers say by ICMP, probes out of nowhere; and one bit of a packet turned over.
// Owns: bytes, and a pool for packets on their way. Does not own: when they are sent (world.ts).

import { get16, get32, put16, put32 } from '../../src/base/bytes.ts'
import type { IpAddress } from '../../src/ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { writeIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import type { Dice } from './dice.ts'

const POOLED = HEADROOM + 1600
/** In the place of an offset that nobody reads. */
const HARMED = -1
const pool: Packet[] = []

/** A copy of a packet, from the pool. */
export function copyOf(packet: Packet): Packet {
  if (packet.end - packet.start > 1600) return packet.clone()
  const copy = pool.pop() ?? new Packet(new Uint8Array(POOLED))
  copy.copyFrom(packet)
  return copy
}

/** A copy goes back into the pool. */
export function release(packet: Packet): void {
  if (packet.bytes.length === POOLED && pool.length < 4096) pool.push(packet)
}

/** An IP packet around a transport's bytes. */
function wrap(src: IpAddress, dst: IpAddress, protocol: number, body: Uint8Array): Packet {
  const ip = new IpHeader()
  ip.family = dst.family
  ip.src.assign(src)
  ip.dst.assign(dst)
  ip.protocol = protocol
  ip.hopLimit = 64
  const headerBytes = dst.family === 4 ? 20 : 40
  ip.totalBytes = headerBytes + body.length
  const packet = new Packet(new Uint8Array(HEADROOM + ip.totalBytes))
  writeIp(ip, packet.bytes, HEADROOM)
  packet.bytes.set(body, HEADROOM + headerBytes)
  packet.end = HEADROOM + ip.totalBytes
  return packet
}

/** A message of a router about a packet, to its sender. `skew` is added to the sequence number that it quotes. */
export function icmpAbout(packet: Packet, type: number, code: number, mtu: number, skew: number): Packet {
  const { bytes, start, end } = packet
  const family = bytes[start] >>> 4 === 4 ? 4 : 6
  const ip = new IpHeader()
  ip.src.read(bytes, start + (family === 4 ? 12 : 8), family)
  ip.dst.read(bytes, start + (family === 4 ? 16 : 24), family)
  const headerBytes = family === 4 ? 20 : 40
  const quoted = Math.min(end - start, headerBytes + (family === 4 ? 8 : 600))
  const body = new Uint8Array(8 + quoted)
  body[0] = type
  body[1] = code
  put32(body, 4, mtu)
  body.set(bytes.subarray(start, start + quoted), 8)
  put32(body, 8 + headerBytes + 4, (get32(body, 8 + headerBytes + 4) + skew) | 0)
  return icmpPacket(ip.dst, ip.src, body)
}

function icmpPacket(src: IpAddress, dst: IpAddress, body: Uint8Array): Packet {
  const v4 = dst.family === 4
  const initial = v4 ? 0 : pseudoHeaderSum(src, dst, PROTOCOL.ICMPV6, body.length)
  put16(body, 2, finishChecksum(sumBytes(body, 0, body.length, initial)))
  return wrap(src, dst, v4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6, body)
}

/** What a router says of a packet that is too large for what comes next. */
export function tooBig(packet: Packet, mtu: number): Packet {
  return packet.bytes[packet.start] >>> 4 === 4 ? icmpAbout(packet, 3, 4, mtu, 0) : icmpAbout(packet, 2, 0, mtu, 0)
}

/** An echo request. */
export function echoRequest(src: IpAddress, dst: IpAddress, length: number): Packet {
  const body = new Uint8Array(8 + length)
  body[0] = dst.family === 4 ? 8 : 128
  return icmpPacket(src, dst, body)
}

/** A segment out of nowhere, with any flags. */
export function strayTcp(src: IpAddress, dst: IpAddress, port: number, flags: number, d: Dice): Packet {
  const body = new Uint8Array(20 + d.whole(0, 10))
  put16(body, 0, d.whole(1024, 19999))
  put16(body, 2, port)
  put32(body, 4, d.random.int32())
  put32(body, 8, d.random.int32())
  body[12] = 5 << 4
  body[13] = flags
  put16(body, 14, d.whole(0, 65535))
  put16(body, 16, finishChecksum(sumBytes(body, 0, body.length, pseudoHeaderSum(src, dst, PROTOCOL.TCP, body.length))))
  return wrap(src, dst, PROTOCOL.TCP, body)
}

/** The source port of a packet without IP options. */
export const sourcePortOf = ({ bytes, start }: Packet): number =>
  get16(bytes, start + (bytes[start] >>> 4 === 4 ? 20 : 40))

/**
 * Turns over one bit that a checksum covers: any of IPv4; of IPv6 the addresses and what follows. One bit always shows in a sum of
 * ones' complement, so that nobody may take such a packet. A second one might put the sum right again: each packet is harmed once.
 */
export function flipBit(packet: Packet, d: Dice): void {
  if (packet.transportOffset === HARMED) return
  packet.transportOffset = HARMED
  const { bytes, start, end } = packet
  const from = bytes[start] >>> 4 === 4 ? start : start + 8
  bytes[d.whole(from, end - 1)] ^= 1 << d.whole(0, 7)
}

/** A few bytes of a packet that tell it from others, for the trace of a run. */
export function tokenOf(packet: Packet): number {
  const { bytes, start, end } = packet
  const transport = start + (bytes[start] >>> 4 === 4 ? 20 : 40)
  let token = (end - start) | 0
  if (end - transport >= 18) {
    token = Math.imul(token ^ get32(bytes, transport), 0x2c1b3c6d)
    token = Math.imul(token ^ get32(bytes, transport + 4), 0x297a2d39) ^ get32(bytes, transport + 8)
    token = Math.imul(token ^ get32(bytes, transport + 12), 0x2c1b3c6d) ^ get16(bytes, transport + 16)
  }
  return token
}
