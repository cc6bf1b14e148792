// From a packet to a segment that may be looked at: for one host, whole, its checksum right (RFC 9293 §3.1), its options read.
// Owns: these checks. Does not own: the header's codec (header.ts), whose segment it is (layer.ts, demux.ts).

import { finishChecksum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import type { DropReason } from '../ip/drops.ts'
import { type IpHeader, PROTOCOL } from '../ip/header.ts'
import type { Packet } from '../link/device.ts'
import { parseTcp, type SegmentHeader } from './header.ts'

/** Reads the segment of a packet, whose IP header is `header`, into `segment`. Returns 'ok' or why it is dropped. */
export function parseSegment(packet: Packet, header: IpHeader, segment: SegmentHeader): 'ok' | DropReason {
  if (!header.toUnicast) return 'tcp-not-unicast' // [MUST-57]
  const start = packet.start + header.headerBytes
  if (packet.checksum === 'complete' && !isChecksumRight(packet.bytes, start, packet.end, header)) {
    return 'tcp-bad-checksum' // [MUST-3]
  }
  const parsed = parseTcp(packet.bytes, start, packet.end, segment)
  if (parsed !== 'ok') return parsed
  if (segment.sourcePort === 0 || segment.destinationPort === 0) return 'tcp-port-zero'
  segment.ecn = header.trafficClass & 3
  segment.packets = packet.segmentBytes > 0 ? Math.ceil(segment.textLength / packet.segmentBytes) : 1
  return 'ok'
}

/** Whether the checksum of the segment in `bytes[start, end)` is right for the addresses of its IP header. */
function isChecksumRight(bytes: Uint8Array, start: number, end: number, header: IpHeader): boolean {
  const pseudo = pseudoHeaderSum(header.src, header.dst, PROTOCOL.TCP, end - start)
  return finishChecksum(sumBytes(bytes, start, end, pseudo)) === 0
}
