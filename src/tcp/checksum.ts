// The checksum of a received segment (RFC 9293 §3.1 [MUST-3]); writer.ts makes those of segments that are sent.

import { finishChecksum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import { type IpHeader, PROTOCOL } from '../ip/header.ts'

/** Whether the checksum of the segment in `bytes[start, end)` is right for the addresses of its IP header. */
export function isChecksumRight(bytes: Uint8Array, start: number, end: number, header: IpHeader): boolean {
  const pseudo = pseudoHeaderSum(header.src, header.dst, PROTOCOL.TCP, end - start)
  return finishChecksum(sumBytes(bytes, start, end, pseudo)) === 0
}
