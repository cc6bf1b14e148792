// The 10-byte header that a TUN device puts before each packet when segmentation and checksums are offloaded (struct virtio_net_hdr).
// Owns: the codec between that header and the marks of a Packet. Does not own: reading and writing the device (tun.ts).
// Read first: virtio 1.2 §5.1.6 (little-endian here: TUN uses the machine's order, and Node runs on little-endian machines).
//
//   0 flags | 1 gso_type | 2-3 hdr_len | 4-5 gso_size | 6-7 csum_start | 8-9 csum_offset

import { checksumFieldOffset, TCP, transportProtocolAt, UDP } from './checksum-offload.ts'
import type { Packet } from './device.ts'

/** Length of the header in bytes. */
export const VNET_HEADER_BYTES = 10

const NEEDS_CSUM = 1
const DATA_VALID = 2
const GSO_NONE = 0
const GSO_TCPV4 = 1
const GSO_TCPV6 = 4
const GSO_UDP_L4 = 5
const GSO_ECN = 0x80
const TCP_HEADER = 20
const UDP_HEADER = 8

/**
 * Sets the marks of a packet from the header at `at`; `start` and `end` are set already and lie behind it. The header comes from
 * the kernel, but is checked against the bytes all the same.
 * @returns `'ok'`, or why the packet must be dropped
 */
export function readVnetHeader(bytes: Uint8Array, at: number, out: Packet): 'ok' | 'vnet-bad-header' {
  const flags = bytes[at]
  const gso = bytes[at + 1] & ~GSO_ECN
  out.checksum = (flags & NEEDS_CSUM) !== 0 ? 'partial' : (flags & DATA_VALID) !== 0 ? 'verified' : 'complete'
  out.segmentBytes = 0
  out.transportOffset = 0
  out.payloadOffset = 0
  if (out.checksum === 'partial') {
    out.transportOffset = bytes[at + 6] | (bytes[at + 7] << 8)
    const field = out.transportOffset + (bytes[at + 8] | (bytes[at + 9] << 8))
    if (field + 2 > out.length) return 'vnet-bad-header'
  }
  if (gso === GSO_NONE) return 'ok'
  // Nothing else was asked for with TUNSETOFFLOAD.
  if (gso !== GSO_TCPV4 && gso !== GSO_TCPV6 && gso !== GSO_UDP_L4) return 'vnet-bad-header'
  const transport = out.start + out.transportOffset
  const least = gso === GSO_UDP_L4 ? UDP_HEADER : TCP_HEADER
  if (out.checksum !== 'partial' || transport + least > out.end) return 'vnet-bad-header'
  if (transportProtocolAt(out, out.transportOffset) !== (gso === GSO_UDP_L4 ? UDP : TCP)) return 'vnet-bad-header'
  // Not hdr_len: Linux puts the length of its linear buffer there, which may reach into the payload.
  out.payloadOffset = out.transportOffset + (gso === GSO_UDP_L4 ? UDP_HEADER : (bytes[transport + 12] >>> 4) * 4)
  out.segmentBytes = bytes[at + 4] | (bytes[at + 5] << 8)
  return out.payloadOffset > out.length || out.segmentBytes === 0 ? 'vnet-bad-header' : 'ok'
}

/**
 * Writes the header for `packet` at `at`, all ten bytes.
 * @returns false when the packet is `'partial'` but has no TCP or UDP header at its `transportOffset`
 */
export function writeVnetHeader(packet: Packet, bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + VNET_HEADER_BYTES; i++) bytes[i] = 0
  if (packet.checksum !== 'partial') return packet.segmentBytes === 0 // a super-segment cannot carry its pieces' checksums
  const protocol = transportProtocolAt(packet, packet.transportOffset)
  const field = checksumFieldOffset(protocol)
  if (field < 0) return false
  bytes[at] = NEEDS_CSUM
  put16le(bytes, at + 6, packet.transportOffset)
  put16le(bytes, at + 8, field)
  if (packet.segmentBytes > 0 && packet.length - packet.payloadOffset > packet.segmentBytes) {
    const isV4 = packet.bytes[packet.start] >>> 4 === 4
    bytes[at + 1] = protocol === UDP ? GSO_UDP_L4 : isV4 ? GSO_TCPV4 : GSO_TCPV6
    put16le(bytes, at + 2, packet.payloadOffset)
    put16le(bytes, at + 4, packet.segmentBytes)
  }
  return true
}

function put16le(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}
