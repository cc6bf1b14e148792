// Finishing what a checksum-offloading sender left undone: packets marked 'partial' carry only the pseudo-header's sum.
// Owns: completing such a packet before it is captured, corrupted or handed to something that verifies. Does not own: verifying
// or making checksums (src/ip/checksum.ts, which this floor may not import; hence the small sum here).
// Read first: RFC 1071 §2, RFC 9293 §3.1 (checksum), RFC 768; virtio 1.2 §5.1.6.2 (VIRTIO_NET_HDR_F_NEEDS_CSUM).

import { get16, put16 } from '../base/bytes.ts'
import type { Packet } from './device.ts'

/** The protocols of which checksums can be left to a device. */
export const TCP = 6
/** The other one. */
export const UDP = 17
const MAX_EXTENSION_HEADERS = 8

/**
 * The protocol whose header stands `transportOffset` bytes into the packet, or -1 when no chain of headers leads there.
 * IPv6 extension headers are walked, at most eight of them (RFC 8200 §4).
 */
export function transportProtocolAt(packet: Packet, transportOffset: number): number {
  const { bytes, start, end } = packet
  if (end - start < 20) return -1
  if (bytes[start] >>> 4 === 4) return (bytes[start] & 15) * 4 === transportOffset ? bytes[start + 9] : -1
  let next = bytes[start + 6]
  let offset = 40
  for (let i = 0; i < MAX_EXTENSION_HEADERS && offset < transportOffset; i++) {
    if (start + offset + 8 > end) return -1
    const length = next === 44 ? 8 : (bytes[start + offset + 1] + 1) * 8 // 44: the fragment header has no length field
    next = bytes[start + offset]
    offset += length
  }
  return offset === transportOffset ? next : -1
}

/** Bytes from the transport header to its checksum field: 16 for TCP, 6 for UDP, -1 for any other protocol. */
export function checksumFieldOffset(protocol: number): number {
  return protocol === TCP ? 16 : protocol === UDP ? 6 : -1
}

/** The folded 16-bit ones' complement sum of `bytes[start, end)`; an odd last byte is padded with zero (RFC 1071 §2). */
export function foldedSum(bytes: Uint8Array, start: number, end: number): number {
  // High and low bytes are summed apart and joined once; 64 KiB of them stay below 2^31. Unrolled: twice as fast.
  let high = 0
  let low = 0
  let i = start
  for (const stop = end - 7; i < stop; i += 8) {
    high += bytes[i] + bytes[i + 2] + bytes[i + 4] + bytes[i + 6]
    low += bytes[i + 1] + bytes[i + 3] + bytes[i + 5] + bytes[i + 7]
  }
  for (; i < end - 1; i += 2) {
    high += bytes[i]
    low += bytes[i + 1]
  }
  if (i < end) high += bytes[i]
  let sum = high * 256 + low
  sum = (sum & 0xffff) + (sum >>> 16)
  return (sum & 0xffff) + (sum >>> 16)
}

/**
 * Finishes a `'partial'` checksum in place, for TCP and UDP over IPv4 and IPv6, and marks the packet `'complete'`.
 * A super-segment gets the checksum that it would have as one long segment. Other packets are left as they are.
 * @returns false when the packet is marked `'partial'` but no TCP or UDP header stands at its `transportOffset`
 */
export function completeChecksum(packet: Packet): boolean {
  if (packet.checksum !== 'partial') return true
  const protocol = transportProtocolAt(packet, packet.transportOffset)
  const field = checksumFieldOffset(protocol)
  const transport = packet.start + packet.transportOffset
  if (field < 0 || transport + field + 2 > packet.end) return false
  // The field holds the pseudo-header's sum already, so summing over it counts the pseudo-header in.
  const sum = ~foldedSum(packet.bytes, transport, packet.end) & 0xffff
  put16(packet.bytes, transport + field, sum === 0 && protocol === UDP ? 0xffff : sum) // RFC 768: 0 means "none"
  packet.checksum = 'complete'
  return true
}

/** Whether the TCP or UDP checksum of a packet with the given transport offset is right. For tests and captures. */
export function verifyTransportChecksum(packet: Packet, transportOffset: number): boolean {
  const { bytes, start, end } = packet
  const v4 = bytes[start] >>> 4 === 4
  const addresses = v4 ? foldedSum(bytes, start + 12, start + 20) : foldedSum(bytes, start + 8, start + 40)
  const length = end - start - transportOffset
  const protocol = transportProtocolAt(packet, transportOffset)
  let sum = addresses + protocol + length + foldedSum(bytes, start + transportOffset, end)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum === 0xffff
}

/** Replaces the 16-bit word at `at` and mends the checksum at `field` for it (RFC 1624 §3, equation 3). */
export function replaceWord(bytes: Uint8Array, at: number, value: number, field: number): void {
  const sum = (~get16(bytes, field) & 0xffff) + (~get16(bytes, at) & 0xffff) + (value & 0xffff)
  const folded = (sum & 0xffff) + (sum >>> 16)
  put16(bytes, field, ~((folded & 0xffff) + (folded >>> 16)) & 0xffff)
  put16(bytes, at, value)
}
