// Cutting up an IPv4 packet on its way, which may be a piece already, and may have options (RFC 791 §3.2, RFC 1812 §4.2.2.7).
// Owns: the pieces. Does not own: datagrams of our own (outbound.ts), whether a packet may be cut up (stack/router.ts).

import { get16, put16 } from '../base/bytes.ts'
import type { Packet } from '../link/device.ts'
import { finishChecksum, sumBytes } from './checksum.ts'
import { IPV4_HEADER_BYTES } from './ipv4.ts'

const MORE_FRAGMENTS = 0x2000
const FLAGS = 0xe000
const OPTION_END = 0
const OPTION_NOP = 1
const COPIED = 0x80

/**
 * Cuts the IPv4 packet `whole` into pieces of at most `mtu` bytes; each is written into `piece` and handed to `emit`. The header must have
 * been found to be right. Returns how many there were; 0 when a piece would hold nothing but its header.
 */
export function refragment(whole: Packet, mtu: number, piece: Packet, emit: (piece: Packet) => void): number {
  const { bytes, start, end } = whole
  const headerBytes = (bytes[start] & 15) << 2
  const flagsAndOffset = get16(bytes, start + 6)
  const total = end - start - headerBytes
  let count = 0
  let done = 0
  while (done < total) {
    const header = count === 0 ? headerBytes : writeLaterHeader(whole, headerBytes, piece)
    if (count === 0) piece.bytes.set(bytes.subarray(start, start + headerBytes), piece.start)
    const room = (mtu - header) & ~7
    if (room < 8) return 0
    const length = Math.min(mtu - header >= total - done ? total - done : room, total - done)
    const at = piece.start + header
    piece.bytes.set(bytes.subarray(start + headerBytes + done, start + headerBytes + done + length), at)
    piece.end = at + length
    const more = done + length < total ? MORE_FRAGMENTS : flagsAndOffset & MORE_FRAGMENTS
    put16(piece.bytes, piece.start + 2, header + length)
    put16(
      piece.bytes,
      piece.start + 6,
      (flagsAndOffset & FLAGS & ~MORE_FRAGMENTS) | more | ((flagsAndOffset & 0x1fff) + (done >>> 3)),
    )
    put16(piece.bytes, piece.start + 10, 0)
    put16(piece.bytes, piece.start + 10, finishChecksum(sumBytes(piece.bytes, piece.start, piece.start + header)))
    piece.checksum = 'complete'
    piece.segmentBytes = 0
    emit(piece)
    done += length
    count++
  }
  return count
}

/** The header of every piece but the first: of the options only those that say so go along (RFC 791 §3.1). Returns its length. */
function writeLaterHeader(whole: Packet, headerBytes: number, piece: Packet): number {
  const { bytes, start } = whole
  piece.bytes.set(bytes.subarray(start, start + IPV4_HEADER_BYTES), piece.start)
  let to = IPV4_HEADER_BYTES
  for (let at = IPV4_HEADER_BYTES; at < headerBytes; ) {
    const type = bytes[start + at]
    if (type === OPTION_END) break
    const length = type === OPTION_NOP ? 1 : bytes[start + at + 1]
    if ((type & COPIED) !== 0) {
      piece.bytes.set(bytes.subarray(start + at, start + at + length), piece.start + to)
      to += length
    }
    at += length
  }
  const padded = (to + 3) & ~3
  piece.bytes.fill(OPTION_END, piece.start + to, piece.start + padded)
  piece.bytes[piece.start] = 0x40 | (padded >>> 2)
  return padded
}
