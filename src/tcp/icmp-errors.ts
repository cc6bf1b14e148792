// ICMP errors about segments that we sent (RFC 9293 §3.9.2.2, RFC 5927 for what may be believed, RFC 1191 and 8201 for path MTU).
// Owns: what each does to the connection that caused it. Does not own: decoding (src/ip/control.ts).

import type { TransportError } from '../ip/control.ts'
import { failTcb } from './closing.ts'
import type { TcpErrorCode } from './errors.ts'
import { failEmbryo } from './fast-open-server.ts'
import { TCP_HEADER_BYTES } from './header.ts'
import { isLargeEnough, keepSegments } from './linux-ways.ts'
import { onPathMtuLowered } from './loss.ts'
import { standingOptionBytes } from './md5.ts'
import { notePathMtuTold, plateauBelow, probeWasTooBig } from './path-mtu.ts'
import { type Seq, seqGe, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'
import { noteSoftError } from './trouble.ts'

/** Least path MTU that is believed: RFC 791 §3.2 for IPv4 (with room for some text), RFC 8200 §5 for IPv6. */
const LEAST_MTU = { 4: 296, 6: 1280 } as const

/** Handles an error about a segment of this connection. Whatever quotes a sequence number not in flight is ignored (RFC 5927 §4.1). */
export function handleIcmpError(tcb: Tcb, error: TransportError, ipHeaderBytes: number): void {
  const sequence = error.sequence as Seq
  if (!seqGe(sequence, tcb.snd.una) || !seqLt(sequence, tcb.snd.nxt)) {
    tcb.counters.TcpExtOutOfWindowIcmps++
    return
  }
  if (error.kind === 'packet-too-big') {
    arrivesTooBig(tcb, error, ipHeaderBytes)
    return
  }
  // [SHLD-26], RFC 5461 §4.1: while the connection opens, a hard error ends it. [MUST-56]: all others are soft, and once it is open the
  // hard ones too (RFC 5461 §4.1, RFC 5927 §5.2): whoever forges them could reset it.
  const isOpening = tcb.state === 'SYN-SENT' || tcb.state === 'SYN-RECEIVED'
  const ends = isHard(error) || (tcb.config.softErrorsEndOpening && !tcb.passive)
  if (!isOpening || !ends) noteSoftError(tcb, codeOf(error))
  else if (tcb.passive)
    failEmbryo(tcb, codeOf(error)) // as for a reset
  else failTcb(tcb, codeOf(error))
}

/** RFC 1191 §5: an old router does not say which MTU it has. */
function arrivesTooBig(tcb: Tcb, error: TransportError, ipHeaderBytes: number): void {
  const mtu = error.mtu === 0 && tcb.remote.family === 4 ? plateauBelow(error.packetBytes) : error.mtu
  if (mtu < LEAST_MTU[tcb.remote.family]) return
  if (probeWasTooBig(tcb, error.sequence as Seq, mtu - ipHeaderBytes)) return
  if (isLargeEnough(tcb, mtu - ipHeaderBytes - TCP_HEADER_BYTES - standingOptionBytes(tcb))) return
  const before = tcb.pathSegmentBytes
  lowerPathMtu(tcb, mtu - ipHeaderBytes)
  if (tcb.pathSegmentBytes < before) notePathMtuTold(tcb)
}

/** By code, for Destination Unreachable (RFC 792, RFC 1812 §5.2.7.1); as Linux names them. */
const UNREACHABLE_V4: Readonly<Record<number, TcpErrorCode>> = {
  0: 'ENETUNREACH',
  2: 'ENOPROTOOPT',
  3: 'ECONNREFUSED',
  5: 'EOPNOTSUPP',
  6: 'ENETUNREACH',
  7: 'EHOSTDOWN',
  9: 'ENETUNREACH',
  11: 'ENETUNREACH',
}
/** The same for ICMPv6 (RFC 4443 §3.1). */
const UNREACHABLE_V6: Readonly<Record<number, TcpErrorCode>> = {
  0: 'ENETUNREACH',
  1: 'EACCES',
  4: 'ECONNREFUSED',
  5: 'EACCES',
  6: 'EACCES',
}

/** What Linux tells an application of such a message. */
function codeOf({ kind, code, dst }: TransportError): TcpErrorCode {
  if (kind === 'parameter-problem') return 'EPROTO'
  if (kind === 'time-exceeded') return 'EHOSTUNREACH'
  return (dst.family === 4 ? UNREACHABLE_V4 : UNREACHABLE_V6)[code] ?? 'EHOSTUNREACH'
}

/** Destination Unreachable: protocol or port (RFC 1122 §4.2.3.9; ICMPv6 codes 4 and, by policy, 1). */
function isHard(error: TransportError): boolean {
  if (error.kind !== 'unreachable') return false
  return error.dst.family === 4 ? error.code === 2 || error.code === 3 : error.code === 4
}

/** The path takes no more than that (header and text): what goes next is smaller, what was too large goes again in pieces. */
export function lowerPathMtu(tcb: Tcb, segmentBytes: number): void {
  if (segmentBytes >= tcb.pathSegmentBytes) return
  tcb.pathSegmentBytes = segmentBytes
  const most = segmentBytes - 20 - standingOptionBytes(tcb)
  if (tcb.snd.mss <= most) return
  keepSegments(tcb, most)
  tcb.snd.mss = most
  tcb.cc.mss = most
  onPathMtuLowered(tcb)
}
