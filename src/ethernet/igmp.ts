// IGMP: which IPv4 groups this host is in, told to switches and routers that ask, and unasked when it enters or leaves one.
// Owns: the bytes of a query and of a version 3 report with its IP header. Does not own: when to report (MldListener in mld.ts, whose rules
// and kinds of record are the same), which groups (src/ip).
// Read first: RFC 3376 §4 (formats), §5.1 and §5.2. 224.0.0.1 is never reported (§5).
// DEVIATION: RFC 3376 §7.2.1 has a host answer an older router in its version; here it is always the third.

import { put16 } from '../base/bytes.ts'
import { MILLISECOND } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'
import { finishChecksum, sumBytes } from '../ip/checksum.ts'
import type { IpHeader } from '../ip/header.ts'
import type { MldQuery, MldReport } from './mld.ts'

/** Its number as a protocol of IP. */
export const IGMP_PROTOCOL = 2

/** 224.0.0.22, where reports of version 3 go (RFC 3376 §4.2.14). */
export const ALL_IGMP_ROUTERS = IpAddress.parse('224.0.0.22')

const QUERY = 0x11
const REPORT_V3 = 0x22
const HEADER_BYTES = 24

/** Reads the query at `bytes[start, end)`. Null when it is none that counts. Never throws. */
export function parseIgmpQuery(bytes: Uint8Array, start: number, end: number, ip: IpHeader): MldQuery | null {
  if (end - start < 8 || bytes[start] !== QUERY || !ip.dst.isMulticast) return null
  if (finishChecksum(sumBytes(bytes, start, end)) !== 0) return null
  const code = bytes[start + 1]
  // RFC 3376 §4.1.1: tenths of a second, from 128 on as a floating point number; version 1 (§7.1) has none and means ten seconds.
  const isFloat = code >= 128 && end - start >= 12
  const tenths = code === 0 ? 100 : isFloat ? ((code & 15) | 16) * 2 ** (((code >>> 4) & 7) + 3) : code
  const group = new IpAddress()
  group.read(bytes, start + 4, 4)
  if (!group.isUnspecified && !group.isMulticast) return null
  return { responseUs: tenths * 100 * MILLISECOND, group: group.isUnspecified ? null : group }
}

/** Writes a report of version 3 as a whole IPv4 packet with a router alert (RFC 2113) at `at`. @returns its bytes */
export function writeIgmpReport({ kind, groups }: MldReport, bytes: Uint8Array, at: number, src: IpAddress): number {
  const total = HEADER_BYTES + 8 + 8 * groups.length
  bytes.fill(0, at, at + total)
  bytes.set([0x46, 0xc0], at)
  put16(bytes, at + 2, total)
  bytes.set([0x40, 0, 1, IGMP_PROTOCOL], at + 6)
  src.write(bytes, at + 12)
  ALL_IGMP_ROUTERS.write(bytes, at + 16)
  bytes.set([0x94, 4, 0, 0], at + 20)
  put16(bytes, at + 10, finishChecksum(sumBytes(bytes, at, at + HEADER_BYTES)))
  const start = at + HEADER_BYTES
  bytes[start] = REPORT_V3
  put16(bytes, start + 6, groups.length)
  for (const [i, group] of groups.entries()) {
    bytes[start + 8 + 8 * i] = kind
    group.write(bytes, start + 12 + 8 * i)
  }
  put16(bytes, start + 2, finishChecksum(sumBytes(bytes, start, at + total)))
  return total
}
