// ICMPv6 on the wire (RFC 4443): the same shape as ICMP (icmp.ts), other numbers, wider fields, and a pseudo-header.
// Owns: the bytes of echo and error messages, both ways. Does not own: answering (control.ts). There is no neighbour
// discovery: a TUN device has no link addresses.

import { get32, put16, put32 } from '../base/bytes.ts'
import type { IpAddress } from './address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from './checksum.ts'
import type { DropReason } from './drops.ts'
import { PROTOCOL } from './header.ts'
import { ICMP_HEADER_BYTES, type IcmpKind, type IcmpMessage, readMessage, writeMessage } from './icmp.ts'

/** ICMPv6 message types that this stack knows (IANA). Errors are those below 128. */
export const ICMPV6 = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  redirect: 137,
} as const

/** Codes of ICMPv6 destination unreachable (RFC 4443 §3.1). */
export const UNREACHABLE_V6 = { noRoute: 0, prohibited: 1, scope: 2, address: 3, port: 4 } as const

/** Codes of an ICMPv6 parameter problem (RFC 4443 §3.4, RFC 7112 §5). */
export const PARAMETER_PROBLEM_V6 = { header: 0, nextHeader: 1, option: 2, firstFragment: 3 } as const

/**
 * Reads the ICMPv6 message at `bytes[start, end)` into `out`. Never throws.
 * @param src of the IPv6 header, for the checksum
 * @param dst of the IPv6 header, for the checksum
 * @param trusted the checksum need not be verified (`Packet.checksum` is not 'complete')
 */
export function parseIcmpv6(
  bytes: Uint8Array,
  start: number,
  end: number,
  src: IpAddress,
  dst: IpAddress,
  out: IcmpMessage,
  trusted = false,
): 'ok' | DropReason {
  if (end - start < ICMP_HEADER_BYTES) return 'icmp-too-short'
  if (!trusted) {
    const sum = sumBytes(bytes, start, end, pseudoHeaderSum(src, dst, PROTOCOL.ICMPV6, end - start))
    if (finishChecksum(sum) !== 0) return 'icmp-bad-checksum'
  }
  readMessage(bytes, start, end, out)
  out.kind = kindOf(out.type)
  if (out.kind === 'packet-too-big') out.mtu = get32(bytes, start + 4) >>> 0
  if (out.kind === 'parameter-problem') out.pointer = get32(bytes, start + 4) >>> 0
  return 'ok'
}

function kindOf(type: number): IcmpKind {
  switch (type) {
    case ICMPV6.echoRequest:
      return 'echo-request'
    case ICMPV6.echoReply:
      return 'echo-reply'
    case ICMPV6.unreachable:
      return 'unreachable'
    case ICMPV6.packetTooBig:
      return 'packet-too-big'
    case ICMPV6.timeExceeded:
      return 'time-exceeded'
    case ICMPV6.parameterProblem:
      return 'parameter-problem'
    default:
      return 'other'
  }
}

/**
 * Writes the 8 bytes before a body that the caller has put at `bytes[at + 8, end)`, with the checksum over both and the
 * pseudo-header. Reads `kind`, `type`, `code` and the fields of that kind; of kind 'other' the bytes 4-7 are zero.
 * @returns the bytes of the message: `end - at`
 */
export function writeIcmpv6(
  message: IcmpMessage,
  bytes: Uint8Array,
  at: number,
  end: number,
  src: IpAddress,
  dst: IpAddress,
): number {
  writeMessage(message, bytes, at)
  if (message.kind === 'packet-too-big') put32(bytes, at + 4, message.mtu)
  if (message.kind === 'parameter-problem') put32(bytes, at + 4, message.pointer)
  const sum = sumBytes(bytes, at, end, pseudoHeaderSum(src, dst, PROTOCOL.ICMPV6, end - at))
  put16(bytes, at + 2, finishChecksum(sum))
  return end - at
}
