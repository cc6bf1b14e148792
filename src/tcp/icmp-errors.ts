// ICMP errors about segments that we sent (RFC 9293 §3.9.2.2, RFC 5927 for what may be believed, RFC 1191 and 8201 for path MTU).
// Owns: what each does to the connection that caused it. Does not own: decoding (src/ip/control.ts).

import type { TransportError } from '../ip/control.ts'
import { failTcb } from './closing.ts'
import { TIMESTAMP_OPTION_BYTES } from './handshake.ts'
import { onPathMtuLowered } from './loss.ts'
import { type Seq, seqGe, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** Least path MTU that is believed: RFC 791 §3.2 for IPv4 (with room for some text), RFC 8200 §5 for IPv6. */
const LEAST_MTU = { 4: 296, 6: 1280 } as const

/** Handles an error about a segment of this connection. Whatever quotes a sequence number not in flight is ignored (RFC 5927 §4.1). */
export function handleIcmpError(tcb: Tcb, error: TransportError, ipHeaderBytes: number): void {
  const sequence = error.sequence as Seq
  if (!seqGe(sequence, tcb.snd.una) || !seqLt(sequence, tcb.snd.nxt)) return
  if (error.kind === 'packet-too-big') {
    if (error.mtu >= LEAST_MTU[tcb.remote.family]) lowerPathMtu(tcb, error.mtu - ipHeaderBytes)
    return
  }
  // [MUST-56]: the rest are soft errors on an open connection. [SHLD-26], RFC 5461 §4.1: while it opens, a hard one ends it.
  if (error.kind === 'unreachable' && tcb.state === 'SYN-SENT' && isHard(error)) failTcb(tcb, 'ECONNREFUSED')
}

/** Destination Unreachable: protocol or port (RFC 1122 §4.2.3.9; ICMPv6 codes 4 and, by policy, 1). */
function isHard(error: TransportError): boolean {
  return error.dst.family === 4 ? error.code === 2 || error.code === 3 : error.code === 4
}

function lowerPathMtu(tcb: Tcb, segmentBytes: number): void {
  if (segmentBytes >= tcb.pathSegmentBytes) return
  tcb.pathSegmentBytes = segmentBytes
  const most = segmentBytes - 20 - (tcb.ts.enabled ? TIMESTAMP_OPTION_BYTES : 0)
  if (tcb.snd.mss <= most) return
  tcb.snd.mss = most
  tcb.cc.mss = most
  onPathMtuLowered(tcb)
}
