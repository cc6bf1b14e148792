// An IP packet of either family, by the version in its first bits.
// Owns: the choice between the two codecs. Does not own: the codecs (ipv4.ts, ipv6.ts), whether the packet is ours
// (layer.ts).

import type { DropReason } from './drops.ts'
import type { IpHeader } from './header.ts'
import { parseIpv4, writeIpv4 } from './ipv4.ts'
import { parseIpv6, writeIpv6 } from './ipv6.ts'

/**
 * Reads the IP header of either family at `bytes[start, end)` into `out`. Never throws.
 * @returns 'ok', or why the packet must be dropped
 */
export function parseIp(bytes: Uint8Array, start: number, end: number, out: IpHeader): 'ok' | DropReason {
  out.problemOffset = -1
  if (end <= start) return 'ip-too-short'
  const version = bytes[start] >>> 4
  if (version === 4) return parseIpv4(bytes, start, end, out)
  if (version === 6) return parseIpv6(bytes, start, end, out)
  return 'ip-bad-version'
}

/**
 * Writes `header` at `at` in the form of `header.family`, without options or extension headers.
 * @returns the bytes written: 20 or 40
 */
export function writeIp(header: IpHeader, bytes: Uint8Array, at: number): number {
  return header.family === 4 ? writeIpv4(header, bytes, at) : writeIpv6(header, bytes, at)
}
