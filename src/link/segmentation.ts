// Cutting a super-segment of TCP, or a super-datagram of UDP, into the packets that it stands for, as a network card with TSO or USO does.
// Owns: the split, for devices that must treat each packet on its own (loss, reordering, corruption). Does not own: building
// super-segments (src/tcp/output) or super-datagrams (src/udp/layer.ts), nor the kernel's own split behind a TUN device.
// Read first: virtio 1.2 §5.1.6.2 (gso_type, gso_size); RFC 9293 §3.1 for the header fields that differ between the pieces.

import { get16, get32, put16, put32 } from '../base/bytes.ts'
import {
  checksumFieldOffset,
  completeChecksum,
  foldedSum,
  replaceWord,
  TCP,
  transportProtocolAt,
  UDP,
} from './checksum-offload.ts'
import { HEADROOM, type Packet, type PacketSink } from './device.ts'

const FIN = 0x01
const PSH = 0x08
const CWR = 0x80

/**
 * Hands `sink` the packets that `packet` stands for, in order, each with its own lengths, sequence number, IPv4 identification
 * and finished checksum. An ordinary packet is handed over as one, its checksum finished.
 *
 * @param packet not changed, except that a `'partial'` checksum of an ordinary packet is finished in place
 * @param scratch a packet that the pieces are built in; borrowed by `sink` until it returns
 * @returns how many packets were handed over; 0 when the packet's marks do not fit its bytes (it is dropped)
 */
export function splitSuperSegment(packet: Packet, scratch: Packet, sink: PacketSink): number {
  const { segmentBytes, payloadOffset, transportOffset } = packet
  if (segmentBytes === 0 || packet.length - payloadOffset <= segmentBytes) {
    if (!completeChecksum(packet)) return 0
    packet.segmentBytes = 0
    sink(packet)
    return 1
  }
  const isUdp = transportProtocolAt(packet, transportOffset) === UDP
  if (payloadOffset < transportOffset + (isUdp ? 8 : 20) || payloadOffset > packet.length) return 0
  const v4 = packet.bytes[packet.start] >>> 4 === 4
  const payload = packet.start + payloadOffset
  let count = 0
  for (let at = payload; at < packet.end; at += segmentBytes) {
    const end = Math.min(at + segmentBytes, packet.end)
    if (scratch.bytes.length < HEADROOM + payloadOffset + segmentBytes) {
      scratch.bytes = new Uint8Array(HEADROOM + payloadOffset + segmentBytes)
    }
    scratch.start = HEADROOM
    scratch.end = HEADROOM + payloadOffset + (end - at)
    scratch.bytes.set(packet.bytes.subarray(packet.start, payload), HEADROOM)
    scratch.bytes.set(packet.bytes.subarray(at, end), HEADROOM + payloadOffset)
    scratch.segmentBytes = 0
    scratch.payloadOffset = 0
    scratch.transportOffset = transportOffset
    if (v4) fixIpv4(scratch, count)
    else put16(scratch.bytes, HEADROOM + 4, scratch.length - 40)
    if (isUdp) put16(scratch.bytes, HEADROOM + transportOffset + 4, scratch.length - transportOffset)
    else fixTcp(scratch, at - payload, count > 0, end < packet.end)
    finishPiece(scratch, isUdp ? UDP : TCP)
    count++
    sink(scratch)
  }
  return count
}

function fixIpv4(piece: Packet, index: number): void {
  const { bytes, start } = piece
  replaceWord(bytes, start + 2, piece.length, start + 10)
  replaceWord(bytes, start + 4, (get16(bytes, start + 4) + index) & 0xffff, start + 10)
}

function fixTcp(piece: Packet, skipped: number, notFirst: boolean, notLast: boolean): void {
  const { bytes, start } = piece
  const tcp = start + piece.transportOffset
  put32(bytes, tcp + 4, (get32(bytes, tcp + 4) + skipped) | 0)
  if (notFirst) bytes[tcp + 13] &= ~CWR // RFC 3168 §6.1.2: CWR goes on the first new packet only
  if (notLast) bytes[tcp + 13] &= ~(FIN | PSH)
}

function finishPiece(piece: Packet, protocol: number): void {
  const { bytes, start, end } = piece
  const transport = start + piece.transportOffset
  const v4 = bytes[start] >>> 4 === 4
  const addresses = v4 ? foldedSum(bytes, start + 12, start + 20) : foldedSum(bytes, start + 8, start + 40)
  const pseudo = addresses + protocol + (end - transport)
  put16(bytes, transport + checksumFieldOffset(protocol), (pseudo & 0xffff) + (pseudo >>> 16))
  piece.checksum = 'partial'
  completeChecksum(piece)
}
