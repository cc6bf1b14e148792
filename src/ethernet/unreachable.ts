// The ICMP error about a packet whose neighbour does not answer. No router sends it: the host tells itself, so that a connection fails of
// EHOSTUNREACH as it would behind one.
// Owns: its bytes. Does not own: when (neighbour-cache.ts), what comes of it (src/ip/control.ts).
// Read first: RFC 4861 §7.2.2, RFC 1122 §2.4 and §3.2.2.1.

import type { IpAddress } from '../ip/address.ts'
import { IpHeader, PROTOCOL } from '../ip/header.ts'
import { ICMP, ICMP_HEADER_BYTES, IcmpMessage, writeIcmp } from '../ip/icmp.ts'
import { ICMPV6, UNREACHABLE_V6, writeIcmpv6 } from '../ip/icmpv6.ts'
import { parseIp, writeIp } from '../ip/parse.ts'
import { HEADROOM, Packet } from '../link/device.ts'

/** Host unreachable (RFC 792). */
const HOST_UNREACHABLE = 1
/** What is quoted: enough for the ports and the sequence number, little enough for every link. */
const QUOTE_BYTES = 128

/**
 * The error about `packet`, as if the neighbour itself had sent it; null for what no error is sent about (RFC 1122 §3.2.2): errors, packets
 * to groups, later fragments.
 */
export function hostUnreachable(packet: Packet, neighbour: IpAddress): Packet | null {
  const quoted = new IpHeader()
  if (parseIp(packet.bytes, packet.start, packet.end, quoted) !== 'ok') return null
  const isTransport = quoted.protocol === PROTOCOL.TCP || quoted.protocol === PROTOCOL.UDP
  if (!isTransport || quoted.fragmentOffset !== 0 || quoted.dst.isMulticast || quoted.src.isUnspecified) return null
  const is4 = quoted.family === 4
  const bodyBytes = Math.min(packet.length, QUOTE_BYTES)
  const headerBytes = is4 ? 20 : 40
  const out = new Packet(new Uint8Array(HEADROOM + headerBytes + ICMP_HEADER_BYTES + bodyBytes))
  out.end = out.bytes.length
  const at = out.start + headerBytes
  out.bytes.set(packet.bytes.subarray(packet.start, packet.start + bodyBytes), at + ICMP_HEADER_BYTES)
  const message = new IcmpMessage()
  message.kind = 'unreachable'
  message.type = is4 ? ICMP.unreachable : ICMPV6.unreachable
  message.code = is4 ? HOST_UNREACHABLE : UNREACHABLE_V6.address
  const header = new IpHeader()
  header.family = quoted.family
  header.src.assign(neighbour)
  header.dst.assign(quoted.src)
  header.protocol = is4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6
  header.totalBytes = out.length
  if (is4) writeIcmp(message, out.bytes, at, out.end)
  else writeIcmpv6(message, out.bytes, at, out.end, neighbour, quoted.src)
  writeIp(header, out.bytes, out.start)
  return out
}
