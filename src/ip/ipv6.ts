// The IPv6 header on the wire (RFC 8200 §3) and its extension headers (§4).
// Owns: its bytes, both ways; the walk over extension headers to the transport, bounded in length and depth.
// Does not own: fragments (decoded here, judged in layer.ts), the ICMPv6 answer to a bad header (control.ts).
//
//    0                   1                   2                   3
//   |Version| Traffic Class |           Flow Label                  |
//   |         Payload Length        |  Next Header  |   Hop Limit   |
//   |                 Source Address (16 bytes)                     |
//   |               Destination Address (16 bytes)                  |

import { get16, get32, put16, put32 } from '../base/bytes.ts'
import type { IpAddress } from './address.ts'
import type { DropReason } from './drops.ts'
import type { IpHeader } from './header.ts'

/** Bytes of an IPv6 header without extension headers: what this stack sends. */
export const IPV6_HEADER_BYTES = 40

/** The longest packet: its length field counts what follows the header (RFC 8200 §3). */
export const MAX_IPV6_BYTES = IPV6_HEADER_BYTES + 65535

/** Most extension headers that are skipped. RFC 8200 §4.1 has each kind once and destination options twice: five. */
export const MAX_EXTENSION_HEADERS = 8

const HOP_BY_HOP = 0
const ROUTING = 43
/** IPv6 Next Header: a Fragment header (RFC 8200 §4.5). */
export const FRAGMENT = 44
const DESTINATION = 60

const OPTION_PAD1 = 0
const NEXT_HEADER_OFFSET = 6

/**
 * Reads the IPv6 header at `bytes[start, end)` into `out` and skips the extension headers after it. Bytes after the
 * payload length are not looked at. Behind the Fragment header of a true fragment nothing is parsed: `out.protocol` is
 * then what the whole packet would go on with. Never throws.
 * @returns 'ok', or why the packet must be dropped; when `out.problemOffset` is not -1 the sender is owed an ICMPv6
 * parameter problem, and the other fields of the IPv6 header itself are valid
 */
export function parseIpv6(bytes: Uint8Array, start: number, end: number, out: IpHeader): 'ok' | DropReason {
  out.problemOffset = -1
  if (end - start < IPV6_HEADER_BYTES) return 'ip-too-short'
  if (bytes[start] >>> 4 !== 6) return 'ip-bad-version'
  const totalBytes = IPV6_HEADER_BYTES + get16(bytes, start + 4)
  if (totalBytes > end - start) return 'ip-bad-length'

  const word = get32(bytes, start)
  out.family = 6
  out.src.read(bytes, start + 8, 6)
  out.dst.read(bytes, start + 24, 6)
  out.protocol = bytes[start + NEXT_HEADER_OFFSET]
  out.hopLimit = bytes[start + 7]
  out.trafficClass = (word >>> 20) & 0xff
  out.identification = 0
  out.moreFragments = false
  out.fragmentOffset = 0
  out.dontFragment = true
  out.headerBytes = IPV6_HEADER_BYTES
  out.totalBytes = totalBytes
  out.flowLabel = word & 0xfffff
  out.protocolOffset = NEXT_HEADER_OFFSET
  out.toUnicast = true
  return isExtension(out.protocol) ? skipExtensions(bytes, start, out) : 'ok'
}

function isExtension(next: number): boolean {
  return next === HOP_BY_HOP || next === ROUTING || next === FRAGMENT || next === DESTINATION
}

function skipExtensions(bytes: Uint8Array, start: number, out: IpHeader): 'ok' | DropReason {
  const end = start + out.totalBytes
  for (let count = 0; isExtension(out.protocol); count++) {
    const kind = out.protocol
    // RFC 8200 §4.1: hop-by-hop options stand directly after the IPv6 header; elsewhere 0 is an unknown protocol.
    if (kind === HOP_BY_HOP && count > 0) return 'ok'
    if (count === MAX_EXTENSION_HEADERS) return 'ip-bad-header-chain'
    const at = start + out.headerBytes
    if (end - at < 8) return 'ip-bad-header-chain'
    const length = kind === FRAGMENT ? 8 : (bytes[at + 1] + 1) * 8
    if (length > end - at) return 'ip-bad-header-chain'
    if (kind === FRAGMENT) {
      const fragment = get16(bytes, at + 2)
      out.fragmentOffset = fragment & 0xfff8
      out.moreFragments = (fragment & 1) !== 0
      out.identification = get32(bytes, at + 4)
    } else if (kind === ROUTING) {
      // RFC 8200 §4.4: a routing header that is used up is skipped. RFC 5095 §3: type 0 is like any type we do not
      // know.
      if (bytes[at + 3] !== 0) {
        out.problemOffset = at + 2 - start
        return 'ip-source-route'
      }
    } else {
      const verdict = judgeOptions(bytes, start, at + 2, at + length, out)
      if (verdict !== 'ok') return verdict
    }
    out.protocol = bytes[at]
    out.protocolOffset = at - start
    out.headerBytes += length
    // RFC 6946 §4: an atomic fragment (offset 0, no more to come) is a whole packet and goes on.
    if (out.isFragment) return 'ok'
  }
  return 'ok'
}

/**
 * RFC 8200 §4.2: the two high bits of an unknown option's type say what to do: 00 skip, 01 discard, 10 and 11 report.
 */
function judgeOptions(bytes: Uint8Array, start: number, from: number, end: number, out: IpHeader): 'ok' | DropReason {
  let at = from
  while (at < end) {
    const type = bytes[at]
    if (type === OPTION_PAD1) {
      at++
      continue
    }
    if (at + 1 >= end || at + 2 + bytes[at + 1] > end) return 'ip-bad-options'
    const action = type >>> 6
    if (action === 1) return 'ip-bad-options'
    if (action >= 2) {
      out.problemOffset = at - start
      return 'ip-unknown-option'
    }
    at += 2 + bytes[at + 1]
  }
  return 'ok'
}

/**
 * Where the header chain of a first fragment ends (RFC 7112 §3): the protocol of the transport and where its header begins; null when the
 * fragment ends before.
 * @param next the kind of the header at `at`
 */
export function endOfHeaderChain(
  bytes: Uint8Array,
  at: number,
  end: number,
  next: number,
): { readonly protocol: number; readonly at: number } | null {
  let position = at
  let protocol = next
  while (isExtension(protocol)) {
    if (end - position < 8) return null
    const length = protocol === FRAGMENT ? 8 : (bytes[position + 1] + 1) * 8
    protocol = bytes[position]
    position += length
    if (position > end) return null
  }
  return { protocol, at: position }
}

/** Offset in a fragment of the byte that announces its Fragment header; the packet is one that parseIpv6 found to be a fragment. */
export function nextHeaderOfFragment(bytes: Uint8Array, start: number): number {
  let offset = NEXT_HEADER_OFFSET
  let at = start + IPV6_HEADER_BYTES
  while (bytes[start + offset] !== FRAGMENT) {
    offset = at - start
    at += (bytes[at + 1] + 1) * 8
  }
  return offset
}

/**
 * Writes the Fragment header (RFC 8200 §4.5) at `at`. @returns the bytes written: 8
 * @param offset in bytes, a multiple of 8
 */
export function writeFragmentHeader(
  bytes: Uint8Array,
  at: number,
  next: number,
  offset: number,
  moreFragments: boolean,
  identification: number,
): number {
  bytes[at] = next
  bytes[at + 1] = 0
  put16(bytes, at + 2, offset | (moreFragments ? 1 : 0))
  put32(bytes, at + 4, identification)
  return 8
}

/**
 * Writes `header` as an IPv6 header without extension headers at `at`, with `header.totalBytes - 40` as its payload
 * length. The caller leaves 40 bytes there.
 * @returns the bytes written: 40
 */
export function writeIpv6(header: IpHeader, bytes: Uint8Array, at: number): number {
  put32(bytes, at, (6 << 28) | (header.trafficClass << 20) | header.flowLabel)
  put16(bytes, at + 4, header.totalBytes - IPV6_HEADER_BYTES)
  bytes[at + 6] = header.protocol
  bytes[at + 7] = header.hopLimit
  putAddress(bytes, at + 8, header.src)
  putAddress(bytes, at + 24, header.dst)
  return IPV6_HEADER_BYTES
}

// Not IpAddress.write, which writes 4 bytes when somebody has put a mapped IPv4 address into an IPv6 header.
function putAddress(bytes: Uint8Array, at: number, address: IpAddress): void {
  put32(bytes, at, address.w0)
  put32(bytes, at + 4, address.w1)
  put32(bytes, at + 8, address.w2)
  put32(bytes, at + 12, address.w3)
}
