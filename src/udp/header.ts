// The UDP header on the wire (RFC 768).
// Owns: its bytes, both ways, and the rules of its checksum in both families. Does not own: whose a datagram is (layer.ts).
//
//    0                   1                   2                   3
//   |          Source Port          |       Destination Port        |
//   |            Length             |           Checksum            |

import { get16, put16 } from '../base/bytes.ts'
import type { IpAddress } from '../ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import type { DropReason } from '../ip/drops.ts'
import { PROTOCOL } from '../ip/header.ts'

/** Bytes of a UDP header. */
export const UDP_HEADER_BYTES = 8

/** A parsed UDP header, or one to be written. A scratch record. */
export class UdpHeader {
  sourcePort = 0
  destinationPort = 0
  /** Where the data begins in the buffer that was parsed. */
  dataStart = 0
  /** One past its last byte, by the header's own length: what may follow is padding. */
  dataEnd = 0
}

/**
 * Reads the datagram at `bytes[start, end)` into `out`. Never throws.
 * @param src of the IP header, for the checksum
 * @param dst of the IP header, for the checksum
 * @param trusted the checksum need not be verified (`Packet.checksum` is not 'complete')
 */
export function parseUdp(
  bytes: Uint8Array,
  start: number,
  end: number,
  src: IpAddress,
  dst: IpAddress,
  out: UdpHeader,
  trusted = false,
): 'ok' | DropReason {
  if (end - start < UDP_HEADER_BYTES) return 'udp-too-short'
  const length = get16(bytes, start + 4)
  if (length < UDP_HEADER_BYTES || length > end - start) return 'udp-bad-length'
  out.sourcePort = get16(bytes, start)
  out.destinationPort = get16(bytes, start + 2)
  out.dataStart = start + UDP_HEADER_BYTES
  out.dataEnd = start + length
  if (trusted) return 'ok'
  if (get16(bytes, start + 6) === 0) {
    // RFC 768: the sender made none. RFC 8200 §8.1: in IPv6 it must.
    return dst.family === 4 ? 'ok' : 'udp-no-checksum'
  }
  const sum = sumBytes(bytes, start, start + length, pseudoHeaderSum(src, dst, PROTOCOL.UDP, length))
  return finishChecksum(sum) === 0 ? 'ok' : 'udp-bad-checksum' // RFC 1122 §4.1.3.4
}

/**
 * Writes the 8 bytes before data that the caller has put at `bytes[at + 8, end)`, with the checksum over all and the pseudo-header.
 * @param isPartial the pseudo-header alone is summed: the device finishes it (`Packet.checksum` is 'partial')
 * @returns the bytes of the datagram: `end - at`
 */
export function writeUdp(
  header: UdpHeader,
  bytes: Uint8Array,
  at: number,
  end: number,
  src: IpAddress,
  dst: IpAddress,
  isPartial = false,
): number {
  const length = end - at
  put16(bytes, at, header.sourcePort)
  put16(bytes, at + 2, header.destinationPort)
  put16(bytes, at + 4, length)
  put16(bytes, at + 6, 0)
  const pseudo = pseudoHeaderSum(src, dst, PROTOCOL.UDP, length)
  if (isPartial) {
    put16(bytes, at + 6, ~finishChecksum(pseudo) & 0xffff)
    return length
  }
  const sum = finishChecksum(sumBytes(bytes, at, end, pseudo))
  put16(bytes, at + 6, sum === 0 ? 0xffff : sum) // RFC 768: 0 would say that there is none
  return length
}

/** One line in tcpdump's manner: `UDP 5353 > 53 length 12`. */
export function formatUdp(header: UdpHeader): string {
  return `UDP ${header.sourcePort} > ${header.destinationPort} length ${header.dataEnd - header.dataStart}`
}
