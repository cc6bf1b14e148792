// One packet as one line, in tcpdump's format, so that the eyes of people who read tcpdump need nothing new.
// Owns: the text. Does not own: who saw the packet and when (recorder.ts).

import type { IpAddress } from '../ip/address.ts'
import {
  type DropReason,
  formatIcmp,
  IcmpMessage,
  IpHeader,
  PROTOCOL,
  parseIcmp,
  parseIcmpv6,
  parseIp,
} from '../ip/index.ts'
import type { Packet } from '../link/device.ts'
import { FLAG, formatFlags, parseTcp, SegmentHeader, type TcpDropReason } from '../tcp/header.ts'
import { type Seq, seqDiff } from '../tcp/seq.ts'

/** Where the sequence numbers of a connection begin, so that they can be printed from 0 as tcpdump does. */
export interface SequenceBase {
  /** Subtracted from SEG.SEQ. */
  readonly seq: Seq
  /** Subtracted from SEG.ACK. */
  readonly ack: Seq
}

/** A parsed packet; reused by its owner. */
export class ParsedPacket {
  readonly ip = new IpHeader()
  readonly tcp = new SegmentHeader()
  readonly icmp = new IcmpMessage()
  kind: 'tcp' | 'icmp' | 'other' = 'other'

  /** Parses headers for display; checksums are not judged. Returns 'ok' or what is wrong with it. */
  parse(packet: Packet): 'ok' | DropReason | TcpDropReason {
    const { ip } = this
    this.kind = 'other'
    const verdict = parseIp(packet.bytes, packet.start, packet.end, ip)
    if (verdict !== 'ok') return verdict
    const start = packet.start + ip.headerBytes
    const end = packet.start + ip.totalBytes
    if (ip.protocol === PROTOCOL.TCP) {
      this.kind = 'tcp'
      return parseTcp(packet.bytes, start, end, this.tcp)
    }
    if (ip.protocol === PROTOCOL.ICMP) {
      this.kind = 'icmp'
      return parseIcmp(packet.bytes, start, end, this.icmp, true)
    }
    if (ip.protocol === PROTOCOL.ICMPV6) {
      this.kind = 'icmp'
      return parseIcmpv6(packet.bytes, start, end, ip.src, ip.dst, this.icmp, true)
    }
    return 'ok'
  }
}

const scratch = new ParsedPacket()

/** The packet as tcpdump -n prints it, without the time; `base` gives relative sequence numbers. */
export function formatPacket(packet: Packet, base: SequenceBase | null = null): string {
  const verdict = scratch.parse(packet)
  if (verdict !== 'ok') return `[${verdict}] ${packet.length} bytes`
  const { ip } = scratch
  const family = ip.family === 4 ? 'IP' : 'IP6'
  switch (scratch.kind) {
    case 'tcp': {
      const { sourcePort, destinationPort } = scratch.tcp
      const ends = `${endpoint(ip.src, sourcePort)} > ${endpoint(ip.dst, destinationPort)}`
      return `${family} ${ends}: ${formatSegment(scratch.tcp, base)}`
    }
    case 'icmp':
      return `${family} ${ip.src} > ${ip.dst}: ${formatIcmp(scratch.icmp, ip.family)}`
    default:
      return `${family} ${ip.src} > ${ip.dst}: ip-proto-${ip.protocol} ${ip.totalBytes - ip.headerBytes}`
  }
}

/** tcpdump's way to write address and port, with a dot for both families. */
function endpoint(address: IpAddress, port: number): string {
  return `${address}.${port}`
}

/** A segment as tcpdump prints it after the addresses: `Flags [P.], seq 1:80, ack 1, win 502, options [...], length 79`. */
export function formatSegment(segment: SegmentHeader, base: SequenceBase | null = null): string {
  const { flags, textLength } = segment
  const parts = [`Flags [${formatFlags(flags)}]`]
  const first = base === null ? segment.seq >>> 0 : seqDiff(segment.seq, base.seq)
  if (textLength > 0) parts.push(`seq ${first}:${first + textLength}`)
  else if ((flags & (FLAG.SYN | FLAG.FIN | FLAG.RST)) !== 0) parts.push(`seq ${first}`)
  if ((flags & FLAG.ACK) !== 0) {
    parts.push(`ack ${base === null ? segment.ack >>> 0 : seqDiff(segment.ack, base.ack)}`)
  }
  parts.push(`win ${segment.window}`)
  if ((flags & FLAG.URG) !== 0) parts.push(`urg ${segment.urgent}`)
  const options = formatOptions(segment, base)
  if (options !== '') parts.push(`options [${options}]`)
  parts.push(`length ${textLength}`)
  return parts.join(', ')
}

function formatOptions(segment: SegmentHeader, base: SequenceBase | null): string {
  const parts: string[] = []
  if (segment.md5Start >= 0) parts.push('md5')
  if (segment.mss >= 0) parts.push(`mss ${segment.mss}`)
  if (segment.sackPermitted) parts.push('sackOK')
  if (segment.hasTimestamps) parts.push(`TS val ${segment.tsVal >>> 0} ecr ${segment.tsEcr >>> 0}`)
  if (segment.windowScale >= 0) parts.push(`wscale ${segment.windowScale}`)
  if (segment.cookieLength === 0) parts.push('tfo cookiereq')
  if (segment.cookieLength > 0) {
    const cookie = segment.bytes.subarray(segment.cookieStart, segment.cookieStart + segment.cookieLength)
    parts.push(`tfo cookie ${Array.from(cookie, (byte) => byte.toString(16).padStart(2, '0')).join('')}`)
  }
  if (segment.accEcnFields >= 0) {
    const { echoedE0, echoedCe, echoedE1 } = segment
    const told = { e0b: echoedE0, ceb: echoedCe, e1b: echoedE1 }
    const fields = Object.entries(told).filter(([, value]) => value >= 0)
    parts.push(['accecn', ...fields.map(([name, value]) => `${name} ${value}`)].join(' '))
  }
  if (segment.sackCount > 0) {
    const edge = (i: number): number =>
      base === null ? segment.sackEdges[i] >>> 0 : seqDiff(segment.sackEdges[i] as Seq, base.ack)
    const blocks = Array.from({ length: segment.sackCount }, (_, i) => `{${edge(2 * i)}:${edge(2 * i + 1)}}`)
    parts.push(`sack ${segment.sackCount} ${blocks.join('')}`)
  }
  return parts.join(',')
}
