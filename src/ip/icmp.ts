// ICMP for IPv4 on the wire (RFC 792), and the record that ICMPv6 shares with it.
// Owns: the bytes of echo and error messages, both ways, and what kind of message a type is. Does not own: answering
// (control.ts).
//
//    0                   1                   2                   3
//   |     Type      |     Code      |           Checksum            |
//   |      by type: identifier and sequence, or MTU, or pointer     |
//   |  body: echo data, or the head of the packet in question       |

import { get16, put16, put32 } from '../base/bytes.ts'
import { finishChecksum, sumBytes } from './checksum.ts'
import type { DropReason } from './drops.ts'

/** ICMP message types that this stack knows (IANA). */
export const ICMP = {
  echoReply: 0,
  unreachable: 3,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const

/** Codes of ICMP destination unreachable (RFC 792, RFC 1122 §3.2.2.1). */
export const UNREACHABLE = { network: 0, host: 1, protocol: 2, port: 3, fragmentationNeeded: 4 } as const

/** Code of time exceeded, of both families: fragments did not all come (RFC 792, RFC 4443 §3.3). */
export const REASSEMBLY_TIME_EXCEEDED = 1

/** Bytes before the body of an ICMP or ICMPv6 message. */
export const ICMP_HEADER_BYTES = 8

/** The errors that quote one of our packets. */
export type IcmpErrorKind = 'unreachable' | 'time-exceeded' | 'packet-too-big' | 'parameter-problem'

/** What a message is about, in both families. */
export type IcmpKind = 'echo-request' | 'echo-reply' | IcmpErrorKind | 'other'

/** A parsed ICMP or ICMPv6 message, or one to be written. A scratch record. */
export class IcmpMessage {
  kind: IcmpKind = 'other'
  type = 0
  code = 0
  /** Echo only. */
  identifier = 0
  /** Echo only. */
  sequence = 0
  /** Packet too big only: the MTU of the next hop; 0 when an old router did not say (RFC 1191 §5). */
  mtu = 0
  /** Parameter problem only: offset in the quoted packet. */
  pointer = 0
  /** Where the body begins in the buffer that was parsed. */
  bodyStart = 0
  /** One past the body's last byte. */
  bodyEnd = 0
}

/**
 * Reads the ICMP message at `bytes[start, end)` into `out`. Never throws.
 * @param trusted the checksum need not be verified (`Packet.checksum` is not 'complete')
 */
export function parseIcmp(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: IcmpMessage,
  trusted = false,
): 'ok' | DropReason {
  if (end - start < ICMP_HEADER_BYTES) return 'icmp-too-short'
  if (!trusted && finishChecksum(sumBytes(bytes, start, end)) !== 0) return 'icmp-bad-checksum'
  readMessage(bytes, start, end, out)
  out.kind = kindOf(out.type, out.code)
  if (out.kind === 'packet-too-big') out.mtu = get16(bytes, start + 6)
  if (out.kind === 'parameter-problem') out.pointer = bytes[start + 4]
  return 'ok'
}

/** Reads what both families share; the rest is zeroed. For the two codecs only. */
export function readMessage(bytes: Uint8Array, start: number, end: number, out: IcmpMessage): void {
  out.type = bytes[start]
  out.code = bytes[start + 1]
  out.identifier = get16(bytes, start + 4)
  out.sequence = get16(bytes, start + 6)
  out.mtu = 0
  out.pointer = 0
  out.bodyStart = start + ICMP_HEADER_BYTES
  out.bodyEnd = end
}

function kindOf(type: number, code: number): IcmpKind {
  switch (type) {
    case ICMP.echoRequest:
      return 'echo-request'
    case ICMP.echoReply:
      return 'echo-reply'
    case ICMP.unreachable:
      return code === UNREACHABLE.fragmentationNeeded ? 'packet-too-big' : 'unreachable'
    case ICMP.timeExceeded:
      return 'time-exceeded'
    case ICMP.parameterProblem:
      return 'parameter-problem'
    default:
      return 'other'
  }
}

/**
 * Writes the 8 bytes before a body that the caller has put at `bytes[at + 8, end)`, with the checksum over both. Reads
 * `kind`, `type`, `code` and the fields of that kind; of kind 'other' the bytes 4-7 are zero.
 * @returns the bytes of the message: `end - at`
 */
export function writeIcmp(message: IcmpMessage, bytes: Uint8Array, at: number, end: number): number {
  writeMessage(message, bytes, at)
  if (message.kind === 'packet-too-big') put16(bytes, at + 6, message.mtu)
  if (message.kind === 'parameter-problem') bytes[at + 4] = message.pointer
  put16(bytes, at + 2, finishChecksum(sumBytes(bytes, at, end)))
  return end - at
}

/** Writes what both families share, with a checksum of zero. For the two codecs only. */
export function writeMessage(message: IcmpMessage, bytes: Uint8Array, at: number): void {
  const isEcho = message.kind === 'echo-request' || message.kind === 'echo-reply'
  bytes[at] = message.type
  bytes[at + 1] = message.code
  put16(bytes, at + 2, 0)
  put32(bytes, at + 4, isEcho ? (message.identifier << 16) | message.sequence : 0)
}

/** One line in tcpdump's manner: `ICMP echo-request id 1 seq 2 length 64`. */
export function formatIcmp(message: IcmpMessage, family: 4 | 6 = 4): string {
  const parts = [family === 4 ? 'ICMP' : 'ICMP6', message.kind]
  switch (message.kind) {
    case 'echo-request':
    case 'echo-reply':
      parts.push(`id ${message.identifier} seq ${message.sequence}`)
      break
    case 'packet-too-big':
      parts.push(`mtu ${message.mtu}`)
      break
    case 'parameter-problem':
      parts.push(`code ${message.code} pointer ${message.pointer}`)
      break
    case 'other':
      parts.push(`type ${message.type} code ${message.code}`)
      break
    default:
      parts.push(`code ${message.code}`)
  }
  parts.push(`length ${message.bodyEnd - message.bodyStart + ICMP_HEADER_BYTES}`)
  return parts.join(' ')
}
