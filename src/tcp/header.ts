// The TCP header and its options on the wire (RFC 9293 §3.1, §3.2; RFC 7323 §2.2, §3.2; RFC 2018 §2, §3;
// RFC 9768 §3.2.2 for AE; RFC 2385 §3.0 for the MD5 signature).
//
//     0                   1                   2                   3
//    |          Source Port          |       Destination Port        |
//    |                        Sequence Number                        |
//    |                    Acknowledgment Number                      |
//    | Offset|Rsrvd|E|C|E|U|A|P|R|S|F|            Window             |      AE CWR ECE URG ACK PSH RST SYN FIN
//    |           Checksum            |         Urgent Pointer        |
//    |                           [Options]                           |
//
// Owns: parsing into a reused record, writing. Does not own: the pseudo-header (src/ip/checksum.ts), what a segment means.

import { get16, get32, put16, put32 } from '../base/bytes.ts'
import { ACCECN, accEcnBytes, parseAccEcn, writeAccEcn } from './accecn-bytes.ts'
import type { RetransmitCause } from './reasons.ts'
import { type Seq, seq } from './seq.ts'

/** The control bits of RFC 9293 §3.1, and AE of RFC 9768, which stands in the byte before them. */
export const FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128, AE: 256 } as const

/** Length of a TCP header without options. */
export const TCP_HEADER_BYTES = 20
/** Length of the largest TCP header. */
export const TCP_HEADER_MAX = 60

/** Option kinds (IANA "TCP Option Kind Numbers"). */
export const OPTION = {
  END: 0,
  NOP: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
  MD5: 19,
  USER_TIMEOUT: 28,
  FAST_OPEN: 34,
} as const

/** Bytes of the MD5 signature option with the two NOPs before it (RFC 2385 §3.0). */
export const MD5_OPTION_BYTES = 20
const MD5_LENGTH = 18

/** Bytes of a Fast Open cookie, when there is one: an even number (RFC 7413 §4.1.1). */
export const COOKIE_LENGTH = { least: 4, most: 16 } as const

/** Why a segment's header cannot be used. */
export type TcpDropReason = 'tcp-too-short' | 'tcp-bad-data-offset' | 'tcp-bad-checksum' | 'tcp-port-zero'

/** A received segment: header fields, options, and where its text lies. Reused: valid until the next parse. */
export class SegmentHeader {
  sourcePort = 0
  destinationPort = 0
  /** SEG.SEQ */
  seq: Seq = seq(0)
  /** SEG.ACK; meaningful when FLAG.ACK is set. */
  ack: Seq = seq(0)
  flags = 0
  /** SEG.WND as it stands in the header, not yet scaled. */
  window = 0
  /** SEG.UP; meaningful when FLAG.URG is set. */
  urgent = 0
  headerBytes = TCP_HEADER_BYTES
  /** The buffer that holds the segment; borrowed. */
  bytes: Uint8Array = new Uint8Array(0)
  /** Where its text starts in `bytes`. */
  textStart = 0
  /** Length of its text in bytes. */
  textLength = 0
  /** MSS option, -1 when absent. */
  mss = -1
  /** Window scale option (shift count as sent, 0-255), -1 when absent. */
  windowScale = -1
  sackPermitted = false
  hasTimestamps = false
  /** TSval as int32. */
  tsVal = 0
  /** TSecr as int32. */
  tsEcr = 0
  /** Bytes of the Fast Open cookie (RFC 7413 §4.1.1), 0 for a request; -1 when the option is absent. */
  cookieLength = -1
  /** Where the cookie starts in `bytes`. */
  cookieStart = 0
  /** User timeout option (RFC 5482 §3): granularity bit and 15 bits, -1 when absent. */
  userTimeout = -1
  /** Where the 16 octets of an MD5 signature start in `bytes` (RFC 2385 §3.0), -1 when the option is absent. */
  md5Start = -1
  /** The ECN field of the packet that brought it, and of how many packets it is made (a super-segment): whoever parses knows. */
  ecn = 0
  packets = 1
  /** Fields of the AccECN option (RFC 9768 §3.2.3), -1 when it is absent; and those fields, 24 bits each, -1 when absent. */
  accEcnFields = -1
  echoedE0 = -1
  echoedCe = -1
  echoedE1 = -1
  sackCount = 0
  /** Left and right edges of the SACK blocks in the order sent, int32 pairs. */
  readonly sackEdges = new Int32Array(8)

  /** SEG.LEN: text, and one for each of SYN and FIN. */
  get length(): number {
    return this.textLength + ((this.flags & FLAG.SYN) >> 1) + (this.flags & FLAG.FIN)
  }
}

/**
 * Parses `bytes[start, end)` into `out`. Never throws. Unknown options are skipped [MUST-6]; an option whose length is illegal ends
 * the options, and those before it count [MUST-7].
 */
export function parseTcp(bytes: Uint8Array, start: number, end: number, out: SegmentHeader): 'ok' | TcpDropReason {
  if (end - start < TCP_HEADER_BYTES) return 'tcp-too-short'
  const headerBytes = (bytes[start + 12] >>> 4) * 4
  if (headerBytes < TCP_HEADER_BYTES || start + headerBytes > end) return 'tcp-bad-data-offset'
  out.sourcePort = get16(bytes, start)
  out.destinationPort = get16(bytes, start + 2)
  out.seq = get32(bytes, start + 4) as Seq
  out.ack = get32(bytes, start + 8) as Seq
  out.flags = bytes[start + 13] | ((bytes[start + 12] & 1) << 8)
  out.window = get16(bytes, start + 14) // unsigned [MUST-1]
  out.urgent = get16(bytes, start + 18)
  out.headerBytes = headerBytes
  out.bytes = bytes
  out.textStart = start + headerBytes
  out.textLength = end - start - headerBytes
  out.mss = -1
  out.windowScale = -1
  out.sackPermitted = false
  out.hasTimestamps = false
  out.cookieLength = -1
  out.userTimeout = -1
  out.md5Start = -1
  out.accEcnFields = -1
  out.sackCount = 0
  if (headerBytes > TCP_HEADER_BYTES) parseOptions(bytes, start + TCP_HEADER_BYTES, start + headerBytes, out)
  return 'ok'
}

/** In any segment [MUST-5], wherever a word begins [MUST-64]; all but END and NOP have a length [MUST-68]. */
function parseOptions(bytes: Uint8Array, start: number, end: number, out: SegmentHeader): void {
  let at = start
  while (at < end) {
    const kind = bytes[at]
    if (kind === OPTION.END) return
    if (kind === OPTION.NOP) {
      at++
      continue
    }
    const length = at + 1 < end ? bytes[at + 1] : 0
    if (length < 2 || at + length > end) return
    parseOption(bytes, at, kind, length, out)
    at += length
  }
}

/** Takes one option [MUST-4]; an option of known kind with a wrong length is ignored. What belongs into SYN counts there only [MUST-65]. */
function parseOption(bytes: Uint8Array, at: number, kind: number, length: number, out: SegmentHeader): void {
  const isSyn = (out.flags & FLAG.SYN) !== 0
  switch (kind) {
    case OPTION.MSS:
      if (length === 4 && isSyn) out.mss = get16(bytes, at + 2)
      break
    case OPTION.WINDOW_SCALE:
      if (length === 3 && isSyn) out.windowScale = bytes[at + 2]
      break
    case OPTION.SACK_PERMITTED:
      if (length === 2 && isSyn) out.sackPermitted = true
      break
    case OPTION.FAST_OPEN:
      if (isSyn && isCookieLength(length - 2)) {
        out.cookieLength = length - 2
        out.cookieStart = at + 2
      }
      break
    case OPTION.TIMESTAMPS:
      if (length === 10) {
        out.hasTimestamps = true
        out.tsVal = get32(bytes, at + 2)
        out.tsEcr = get32(bytes, at + 6)
      }
      break
    case OPTION.USER_TIMEOUT:
      if (length === 4) out.userTimeout = get16(bytes, at + 2)
      break
    case OPTION.MD5:
      if (length === MD5_LENGTH) out.md5Start = at + 2
      break
    case OPTION.SACK:
      if (length >= 10 && (length - 2) % 8 === 0) {
        out.sackCount = (length - 2) >> 3
        for (let i = 0; i < out.sackCount * 2; i++) out.sackEdges[i] = get32(bytes, at + 2 + 4 * i)
      }
      break
    case ACCECN.ORDER_0:
    case ACCECN.ORDER_1:
      parseAccEcn(bytes, at, kind, length, out)
      break
  }
}

/** Whether a Fast Open option may carry so many bytes: none asks for a cookie. */
function isCookieLength(length: number): boolean {
  return length === 0 || (length >= COOKIE_LENGTH.least && length <= COOKIE_LENGTH.most && length % 2 === 0)
}

const NO_COOKIE = new Uint8Array(0)

/** Everything about a segment that is to be sent but its text. Reused by the connection that fills it in. */
export class SegmentPlan {
  sourcePort = 0
  destinationPort = 0
  seq: Seq = seq(0)
  ack: Seq = seq(0)
  flags = 0
  /** The 16 bits that go into the window field. */
  window = 0
  urgent = 0
  /** Bytes of text. */
  textLength = 0
  /** Where the text starts in the send buffer, as an offset from its head; -1: it is garbage (RFC 9293 §3.8.4 [MAY-6]). */
  textOffset = 0
  /** For a super-segment the text of each segment on the wire; 0 otherwise. */
  segmentBytes = 0
  /** The ECN field of the packet. */
  ecn = 0
  /** It has been sent before. */
  isResent = false
  /** Why it is sent again; 'tlp' also for new text that goes as a tail loss probe, 'none' for everything else that is new. */
  cause: RetransmitCause | 'none' = 'none'
  /** Options to write: -1 or false when absent. */
  mss = -1
  windowScale = -1
  sackPermitted = false
  hasTimestamps = false
  tsVal = 0
  tsEcr = 0
  /** Fast Open: a cookie, empty to ask for one; `hasCookie` false: no option. */
  hasCookie = false
  cookie: Uint8Array = NO_COOKIE
  /** User timeout option (RFC 5482 §3). */
  userTimeout = -1
  /** The AccECN option (RFC 9768 §3.2.3): its kind, how many fields, -1 for no option, and the three counters. */
  accEcnKind: number = ACCECN.ORDER_0
  accEcnFields = -1
  echoedE0 = 0
  echoedCe = 0
  echoedE1 = 0
  /** The key to sign it with (RFC 2385); null: it is not signed. */
  md5Key: Uint8Array | null = null
  sackCount = 0
  readonly sackEdges = new Int32Array(8)

  /** Empties the plan: an acknowledgement without options. */
  reset(): void {
    this.flags = 0
    this.urgent = 0
    this.textLength = 0
    this.textOffset = 0
    this.segmentBytes = 0
    this.ecn = 0
    this.isResent = false
    this.cause = 'none'
    this.mss = -1
    this.windowScale = -1
    this.sackPermitted = false
    this.hasTimestamps = false
    this.hasCookie = false
    this.userTimeout = -1
    this.accEcnFields = -1
    this.md5Key = null
    this.sackCount = 0
  }
}

/** Bytes that the plan's options will take, a multiple of four. */
export function optionBytes(plan: SegmentPlan): number {
  let length = plan.md5Key === null ? 0 : MD5_OPTION_BYTES
  if (plan.mss >= 0) length += 4
  if (plan.sackPermitted && !plan.hasTimestamps) length += 4
  if (plan.hasTimestamps) length += 12
  if (plan.windowScale >= 0) length += 4
  if (plan.hasCookie) length += (plan.cookie.length + 5) & ~3
  if (plan.userTimeout >= 0) length += 4
  if (plan.accEcnFields >= 0) length += accEcnBytes(plan.accEcnFields)
  if (plan.sackCount > 0) length += 4 + 8 * plan.sackCount
  return length
}

/**
 * Writes header and options at `at` with a checksum field of zero; returns the header's length. The options stand in Linux's order:
 * MD5 signature (its 16 octets are zeros until md5.ts signs), MSS, SACK-permitted (in the place of the timestamps' padding), timestamps,
 * window scale, Fast Open, user timeout, AccECN, SACK.
 */
export function writeTcp(plan: SegmentPlan, out: Uint8Array, at: number): number {
  put16(out, at, plan.sourcePort)
  put16(out, at + 2, plan.destinationPort)
  put32(out, at + 4, plan.seq)
  put32(out, at + 8, plan.ack)
  out[at + 13] = plan.flags
  put16(out, at + 14, plan.window)
  put16(out, at + 16, 0)
  put16(out, at + 18, plan.urgent)
  const headerBytes = writeOptions(plan, out, at + TCP_HEADER_BYTES) - at
  out[at + 12] = ((headerBytes >> 2) << 4) | ((plan.flags >> 8) & 1)
  return headerBytes
}

/** What pads them to a word are NOPs, so that nothing follows an END [MUST-69]. */
function writeOptions(plan: SegmentPlan, out: Uint8Array, start: number): number {
  let at = start
  if (plan.md5Key !== null) {
    put32(out, at, (OPTION.NOP << 24) | (OPTION.NOP << 16) | (OPTION.MD5 << 8) | MD5_LENGTH)
    out.fill(0, at + 4, at + MD5_OPTION_BYTES)
    at += MD5_OPTION_BYTES
  }
  if (plan.mss >= 0) {
    put32(out, at, (OPTION.MSS << 24) | (4 << 16) | plan.mss)
    at += 4
  }
  if (plan.sackPermitted && !plan.hasTimestamps) {
    put32(out, at, (OPTION.NOP << 24) | (OPTION.NOP << 16) | (OPTION.SACK_PERMITTED << 8) | 2)
    at += 4
  }
  if (plan.hasTimestamps) {
    put16(out, at, plan.sackPermitted ? (OPTION.SACK_PERMITTED << 8) | 2 : (OPTION.NOP << 8) | OPTION.NOP)
    put16(out, at + 2, (OPTION.TIMESTAMPS << 8) | 10)
    put32(out, at + 4, plan.tsVal)
    put32(out, at + 8, plan.tsEcr)
    at += 12
  }
  if (plan.windowScale >= 0) {
    put32(out, at, (OPTION.NOP << 24) | (OPTION.WINDOW_SCALE << 16) | (3 << 8) | plan.windowScale)
    at += 4
  }
  if (plan.hasCookie) at = writeCookie(plan.cookie, out, at)
  if (plan.userTimeout >= 0) {
    put32(out, at, (OPTION.USER_TIMEOUT << 24) | (4 << 16) | plan.userTimeout)
    at += 4
  }
  if (plan.accEcnFields >= 0) at = writeAccEcn(plan, out, at)
  if (plan.sackCount > 0) {
    put32(out, at, (OPTION.NOP << 24) | (OPTION.NOP << 16) | (OPTION.SACK << 8) | (2 + 8 * plan.sackCount))
    at += 4
    for (let i = 0; i < plan.sackCount * 2; i++, at += 4) put32(out, at, plan.sackEdges[i])
  }
  return at
}

/** A Fast Open option, padded to a multiple of four. */
function writeCookie(cookie: Uint8Array, out: Uint8Array, start: number): number {
  let at = start
  out[at++] = OPTION.FAST_OPEN
  out[at++] = 2 + cookie.length
  for (let i = 0; i < cookie.length; i++) out[at++] = cookie[i]
  while ((at - start) % 4 !== 0) out[at++] = OPTION.NOP
  return at
}

/** Flags in tcpdump's letters: `S`, `S.`, `P.`, `F.`, `R`, `.`, `e` for AE; `none` when no bit is set. */
export function formatFlags(flags: number): string {
  let text = ''
  if (flags & FLAG.FIN) text += 'F'
  if (flags & FLAG.SYN) text += 'S'
  if (flags & FLAG.RST) text += 'R'
  if (flags & FLAG.PSH) text += 'P'
  if (flags & FLAG.URG) text += 'U'
  if (flags & FLAG.ECE) text += 'E'
  if (flags & FLAG.CWR) text += 'W'
  if (flags & FLAG.AE) text += 'e'
  if (flags & FLAG.ACK) text += '.'
  return text === '' ? 'none' : text
}
