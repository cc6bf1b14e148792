// Packets that ICMP errors quote: which may be, and reading one.
// Owns: both. Does not own: the errors (control.ts). Read first: RFC 1122 §3.2.2, RFC 4443 §2.4(e).

import { get16 } from '../base/bytes.ts'
import type { Packet } from '../link/device.ts'
import { type IpHeader, PROTOCOL } from './header.ts'
import { ICMP } from './icmp.ts'
import { ICMPV6 } from './icmpv6.ts'
import { IPV4_HEADER_BYTES } from './ipv4.ts'
import { FRAGMENT, IPV6_HEADER_BYTES } from './ipv6.ts'

/**
 * Whether an ICMP error may be sent about a packet (RFC 1122 §3.2.2, RFC 4443 §2.4(e)): not about ICMP errors, not
 * about what was sent to a group, not about later fragments, not to a source that is not one host.
 */
export function mayReport(packet: Packet, header: IpHeader, evenToGroups: boolean): boolean {
  if (!header.toUnicast && !evenToGroups) return false
  const { src } = header
  if (src.isUnspecified || src.isMulticast || (src.isLoopback && !header.fromSelf)) return false
  if (header.fragmentOffset !== 0) {
    // RFC 8200 §4.5 has one that is too long reported; of one of ICMPv6 nobody knows whether it is of an error.
    return header.family === 6 && header.protocol !== PROTOCOL.ICMPV6
  }
  const at = packet.start + header.headerBytes
  const type = at < packet.end ? packet.bytes[at] : -1
  if (header.family === 6) {
    if (header.protocol !== PROTOCOL.ICMPV6) return true
    return type >= 128 && type !== ICMPV6.redirect
  }
  const net = src.w3 >>> 24
  if (net === 0 || net >= 240) return false
  // Of ICMP only the queries; what we do not know may be an error.
  return header.protocol !== PROTOCOL.ICMP || type === ICMP.echoRequest || type === ICMP.echoReply
}

/**
 * Reads the header of a quoted packet, which may be cut off and whose length and checksum routers may have changed: more leniently than
 * parseIp. Returns the bytes before the transport header, 0 when there is no header of that family.
 */
export function readQuote(bytes: Uint8Array, start: number, end: number, family: 4 | 6, out: IpHeader): number {
  const available = end - start
  if (available < (family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES) || bytes[start] >>> 4 !== family) return 0
  if (family === 6) {
    // Our packets have no extension headers but that of fragments.
    out.totalBytes = IPV6_HEADER_BYTES + get16(bytes, start + 4)
    out.protocol = bytes[start + 6]
    out.fragmentOffset = 0
    out.src.read(bytes, start + 8, 6)
    out.dst.read(bytes, start + 24, 6)
    if (out.protocol !== FRAGMENT || available < IPV6_HEADER_BYTES + 8) return IPV6_HEADER_BYTES
    out.protocol = bytes[start + IPV6_HEADER_BYTES]
    out.fragmentOffset = get16(bytes, start + IPV6_HEADER_BYTES + 2) & 0xfff8
    return IPV6_HEADER_BYTES + 8
  }
  const headerBytes = (bytes[start] & 15) << 2
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes > available) return 0
  out.totalBytes = get16(bytes, start + 2)
  out.protocol = bytes[start + 9]
  out.fragmentOffset = (get16(bytes, start + 6) & 0x1fff) << 3
  out.src.read(bytes, start + 12, 4)
  out.dst.read(bytes, start + 16, 4)
  return headerBytes
}
