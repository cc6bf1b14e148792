// Helpers of the IP tests: arbitrary addresses, packets built by hand, a checksum written independently of the
// library's.

import fc from 'fast-check'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress, parseCidr } from '../../src/ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { IpLayer, type IpLayerOptions } from '../../src/ip/layer.ts'
import { parseIp, writeIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'

/** Any text of an address. */
export const ip = (text: string): IpAddress => IpAddress.parse(text)

/** The bytes of hexadecimal digits; blanks and line ends are skipped. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))
}

/** RFC 1071 §4.1, word by word with the carry added at once: the oracle. */
export function slowChecksum(...pieces: Uint8Array[]): number {
  const bytes = Buffer.concat(pieces)
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i] * 256 + (i + 1 < bytes.length ? bytes[i + 1] : 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return 0xffff - sum
}

export const anyWord = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
export const anyIpv4 = anyWord.map((w) => new IpAddress(0, 0, 0xffff, w))
export const anyIpv6 = fc
  .tuple(anyWord, anyWord, anyWord, anyWord)
  .map(([a, b, c, d]) => new IpAddress(a, b, c, d))
  .filter((a) => a.family === 6)

/** The parts of a packet made by hand; everything has a default. */
export interface Made {
  src?: string
  dst?: string
  protocol?: number
  payload?: Uint8Array
  hopLimit?: number
  trafficClass?: number
  /** IPv4 options or IPv6 extension headers, inserted as they are. */
  extra?: Uint8Array
  /** IPv4 only. */
  fragmentOffset?: number
  /** IPv4 only. */
  moreFragments?: boolean
}

/** A whole packet with a correct IP header. */
export function make(made: Made): Packet {
  const { payload = new Uint8Array(), extra = new Uint8Array() } = made
  const header = new IpHeader()
  header.dst.assign(ip(made.dst ?? '10.0.0.2'))
  header.src.assign(ip(made.src ?? (header.dst.family === 4 ? '10.0.0.1' : 'fd00::1')))
  header.family = made.src?.includes(':') || made.dst?.includes(':') ? 6 : 4
  header.protocol = made.protocol ?? PROTOCOL.TCP
  header.hopLimit = made.hopLimit ?? 64
  header.trafficClass = made.trafficClass ?? 0
  header.fragmentOffset = made.fragmentOffset ?? 0
  header.moreFragments = made.moreFragments ?? false
  const base = header.family === 4 ? 20 : 40
  header.totalBytes = base + extra.length + payload.length
  const packet = new Packet(new Uint8Array(HEADROOM + header.totalBytes))
  packet.end = packet.start + header.totalBytes
  writeIp(header, packet.bytes, packet.start)
  packet.bytes.set(extra, packet.start + base)
  packet.bytes.set(payload, packet.start + base + extra.length)
  if (header.family === 4 && extra.length > 0) {
    packet.bytes[packet.start] = 0x40 | ((20 + extra.length) >> 2)
    fixHeaderChecksum(packet)
  }
  return packet
}

/** Writes a correct IPv4 header checksum after a test has changed the header. */
export function fixHeaderChecksum(packet: Packet): void {
  const { bytes, start } = packet
  bytes[start + 10] = 0
  bytes[start + 11] = 0
  const sum = slowChecksum(bytes.subarray(start, start + (bytes[start] & 15) * 4))
  bytes[start + 10] = sum >> 8
  bytes[start + 11] = sum & 255
}

/** An ICMP message with its checksum; for ICMPv6 give both addresses. */
export function icmp(
  type: number,
  code: number,
  rest: string,
  body: Uint8Array,
  src?: string,
  dst?: string,
): Uint8Array {
  const bytes = Uint8Array.from([type, code, 0, 0, ...hex(rest), ...body])
  const pseudo = src && dst ? pseudoHeaderSum(ip(src), ip(dst), PROTOCOL.ICMPV6, bytes.length) : 0
  const sum = finishChecksum(sumBytes(bytes, 0, bytes.length, pseudo))
  bytes[2] = sum >> 8
  bytes[3] = sum & 255
  return bytes
}

/** A host with 10.0.0.2/24 and fd00::2/64, and what came out of it. */
export function host(options: Partial<IpLayerOptions> = {}) {
  const layer = new IpLayer({
    addresses: [parseCidr('10.0.0.2/24'), parseCidr('fd00::2/64')],
    mtu: 1500,
    random: new SeededRandom(1),
    ...options,
  })
  const header = new IpHeader()
  return {
    layer,
    header,
    /** Receives a packet, and handles it when it is ICMP, as a stack does. */
    take(packet: Packet, now = 0) {
      const verdict = layer.receive(packet, header, now)
      if (verdict !== 'ok') return verdict
      if (header.protocol === PROTOCOL.ICMP || header.protocol === PROTOCOL.ICMPV6) {
        return layer.handleIcmp(packet, header, now)
      }
      return verdict
    },
    /** All packets that wait, parsed. */
    sent() {
      const out: { header: IpHeader; bytes: Uint8Array; body: Uint8Array }[] = []
      for (;;) {
        const packet = new Packet()
        if (!layer.pollTransmit(packet)) return out
        const parsed = new IpHeader()
        if (parseIp(packet.bytes, packet.start, packet.end, parsed) !== 'ok') throw new Error('sent a bad packet')
        const bytes = packet.bytes.slice(packet.start, packet.end)
        out.push({ header: parsed, bytes, body: bytes.subarray(parsed.headerBytes) })
      }
    },
  }
}
