// The IPv4 header on the wire (RFC 791 §3.1).
// Owns: its bytes, both ways, and a safe walk over the options. Does not own: fragments (decoded here, judged in
// layer.ts), addresses that are not ours (layer.ts).
//
//    0                   1                   2                   3
//   |Version|  IHL  | DSCP and ECN  |          Total Length         |
//   |         Identification        |Flags|      Fragment Offset    |
//   |  Time to Live |    Protocol   |         Header Checksum       |
//   |       Source Address          |      Destination Address      |  (4 bytes each, then options)

import { get16, put16 } from '../base/bytes.ts'
import { finishChecksum, sumBytes } from './checksum.ts'
import type { DropReason } from './drops.ts'
import type { IpHeader } from './header.ts'

/** Bytes of an IPv4 header without options: what this stack sends. */
export const IPV4_HEADER_BYTES = 20

const DONT_FRAGMENT = 0x4000
const MORE_FRAGMENTS = 0x2000
const OFFSET_MASK = 0x1fff

const OPTION_END = 0
const OPTION_NOP = 1
const OPTION_LOOSE_SOURCE_ROUTE = 131
const OPTION_STRICT_SOURCE_ROUTE = 137

/**
 * Reads the IPv4 header at `bytes[start, end)` into `out`, and verifies its length, checksum and options. Bytes after
 * the total length are padding of the link and are not looked at. Never throws.
 * @returns 'ok', or why the packet must be dropped; `out` is then partly overwritten
 */
export function parseIpv4(bytes: Uint8Array, start: number, end: number, out: IpHeader): 'ok' | DropReason {
  const available = end - start
  if (available < IPV4_HEADER_BYTES) return 'ip-too-short'
  const first = bytes[start]
  if (first >>> 4 !== 4) return 'ip-bad-version' // RFC 1122 §3.2.1.1
  const headerBytes = (first & 15) << 2
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes > available) return 'ip-bad-header-length'
  const totalBytes = get16(bytes, start + 2)
  if (totalBytes < headerBytes || totalBytes > available) return 'ip-bad-length'
  // RFC 1122 §3.2.1.2: a host MUST verify the header checksum.
  if (finishChecksum(sumBytes(bytes, start, start + headerBytes)) !== 0) return 'ip-bad-checksum'

  const fragment = get16(bytes, start + 6)
  out.family = 4
  out.src.read(bytes, start + 12, 4)
  out.dst.read(bytes, start + 16, 4)
  out.protocol = bytes[start + 9]
  out.hopLimit = bytes[start + 8]
  out.trafficClass = bytes[start + 1]
  out.identification = get16(bytes, start + 4)
  out.moreFragments = (fragment & MORE_FRAGMENTS) !== 0
  out.fragmentOffset = (fragment & OFFSET_MASK) << 3
  out.dontFragment = (fragment & DONT_FRAGMENT) !== 0
  out.headerBytes = headerBytes
  out.totalBytes = totalBytes
  out.flowLabel = 0
  out.protocolOffset = 9
  out.problemOffset = -1
  out.toUnicast = true
  return headerBytes === IPV4_HEADER_BYTES ? 'ok' : judgeOptions(bytes, start + IPV4_HEADER_BYTES, start + headerBytes)
}

/**
 * RFC 1122 §3.2.1.8, RFC 9293 §3.9.2 [MUST-50]: options we do not know are skipped, their length not trusted.
 * DEVIATION: source routes are refused though RFC 1122 §3.2.1.8(c) asks hosts to take them; RFC 7126 §4.3 and §4.4 say
 * why.
 */
function judgeOptions(bytes: Uint8Array, start: number, end: number): 'ok' | DropReason {
  let at = start
  while (at < end) {
    const type = bytes[at]
    if (type === OPTION_END) return 'ok'
    if (type === OPTION_NOP) {
      at++
      continue
    }
    if (type === OPTION_LOOSE_SOURCE_ROUTE || type === OPTION_STRICT_SOURCE_ROUTE) return 'ip-source-route'
    const length = at + 1 < end ? bytes[at + 1] : 0
    if (length < 2 || at + length > end) return 'ip-bad-options'
    at += length
  }
  return 'ok'
}

/**
 * Writes `header` as an IPv4 header without options at `at`, with `header.totalBytes` as its length and a fresh
 * checksum; `headerBytes` and `flowLabel` are not read. The caller leaves 20 bytes there.
 * @returns the bytes written: 20
 */
export function writeIpv4(header: IpHeader, bytes: Uint8Array, at: number): number {
  const flags = (header.dontFragment ? DONT_FRAGMENT : 0) | (header.moreFragments ? MORE_FRAGMENTS : 0)
  bytes[at] = 0x45
  bytes[at + 1] = header.trafficClass
  put16(bytes, at + 2, header.totalBytes)
  put16(bytes, at + 4, header.identification)
  put16(bytes, at + 6, flags | (header.fragmentOffset >>> 3))
  bytes[at + 8] = header.hopLimit
  bytes[at + 9] = header.protocol
  put16(bytes, at + 10, 0)
  header.src.write(bytes, at + 12)
  header.dst.write(bytes, at + 16)
  put16(bytes, at + 10, finishChecksum(sumBytes(bytes, at, at + IPV4_HEADER_BYTES)))
  return IPV4_HEADER_BYTES
}
