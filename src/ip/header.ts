// The IP header of both families as one record, made once and reused for every packet.
// Owns: the record, protocol numbers, its one-line form. Does not own: the bytes (ipv4.ts, ipv6.ts, parse.ts), or
// whether a packet is welcome (layer.ts).
// Read first: RFC 791 §3.1, RFC 8200 §3.

import { IpAddress } from './address.ts'

/** Protocol numbers (IPv6: Next Header values) of what this stack knows (IANA). */
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const

/** IPv6 Next Header: nothing follows (RFC 8200 §4.7). */
export const NO_NEXT_HEADER = 59

/**
 * A parsed IP header, or one to be written. A scratch record: `parseIp` and the codecs overwrite all of it, the
 * addresses in place, so copy what you keep.
 */
export class IpHeader {
  family: 4 | 6 = 4
  /** Scratch: overwritten by the next packet. */
  readonly src = new IpAddress()
  /** Scratch: overwritten by the next packet. */
  readonly dst = new IpAddress()
  /** The transport protocol; for IPv6 that after the extension headers that were skipped. */
  protocol = 0
  /** IPv4's time to live. */
  hopLimit = 64
  /** DSCP and ECN in one byte (RFC 2474 §3, RFC 3168 §5). */
  trafficClass = 0
  /** IPv4: 16 bits. IPv6: the int32 of a Fragment header, or 0. */
  identification = 0
  /** Never set in headers that this stack writes: see outbound.ts. */
  moreFragments = false
  /** In bytes, a multiple of 8. */
  fragmentOffset = 0
  /** Always true for IPv6, where only the source fragments. */
  dontFragment = false
  /** Bytes before the transport header, IPv4 options and skipped IPv6 extension headers included. */
  headerBytes = 20
  /** Length of the whole packet by its length field, padding of the link excluded. */
  totalBytes = 20
  /** IPv6 only, 20 bits. */
  flowLabel = 0
  /** Offset in the packet of the byte that gave `protocol`. */
  protocolOffset = 9
  /** Offset in the packet of what an ICMPv6 parameter problem must point at, or -1 when there is no such problem. */
  problemOffset = -1
  /** Set by IpLayer.receive: the destination is one of our addresses, neither broadcast nor multicast. */
  toUnicast = true
  /** Set by IpLayer.receive: this host has sent it to itself. */
  fromSelf = false

  /** Whether the packet is one piece of a larger one. */
  get isFragment(): boolean {
    return this.moreFragments || this.fragmentOffset !== 0
  }
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6' }

/** One line as tcpdump -v prints it: `IP 10.0.0.1 > 10.0.0.2: TCP ttl 64 id 7 [DF] length 40`. */
export function formatIp(header: IpHeader): string {
  const parts = [
    `${header.family === 4 ? 'IP' : 'IP6'} ${header.src} > ${header.dst}:`,
    PROTOCOL_NAMES[header.protocol] ?? `protocol ${header.protocol}`,
    `${header.family === 4 ? 'ttl' : 'hlim'} ${header.hopLimit}`,
  ]
  if (header.trafficClass !== 0) parts.push(`class 0x${header.trafficClass.toString(16)}`)
  if (header.family === 4) parts.push(`id ${header.identification}`)
  else if (header.flowLabel !== 0) parts.push(`flow 0x${header.flowLabel.toString(16)}`)
  if (header.family === 4 && header.dontFragment) parts.push('[DF]')
  if (header.isFragment) parts.push(`fragment ${header.fragmentOffset}${header.moreFragments ? '+' : ''}`)
  parts.push(`length ${header.totalBytes}`)
  return parts.join(' ')
}
