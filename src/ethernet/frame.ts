// The Ethernet header on the wire, with at most one tag of a VLAN.
// Owns: its bytes, both ways. Does not own: what it carries, to whom it goes (device.ts, switch.ts).
// Read first: RFC 894, RFC 2464 §3, IEEE 802.1Q §9.6 (the tag).
//
//   | destination (6) | source (6) | [0x8100 | priority 3, drop 1, VLAN 12] | type (2) | payload ...
//
// Frames here have neither preamble nor checksum, and need not be padded to 60 bytes: the hardware adds those, and a TAP has none.

import { get16, put16 } from '../base/bytes.ts'
import type { PacketDevice } from '../link/device.ts'
import { formatMac, isGroupMac, type Mac, NO_MAC, readMac, writeMac } from './mac.ts'

/**
 * A PacketDevice whose packets are whole Ethernet frames, so that `impair` and `capture` wrap it too. Its `mtu` is the largest frame:
 * that of IP and FRAME_OVERHEAD_BYTES.
 */
export type FrameDevice = PacketDevice

/** What a frame carries (IANA). */
export const ETHER_TYPE = { IPV4: 0x0800, ARP: 0x0806, VLAN: 0x8100, IPV6: 0x86dd } as const

/** Bytes of a header without a tag. */
export const ETHERNET_HEADER_BYTES = 14
/** Bytes of a tag. */
export const VLAN_TAG_BYTES = 4
/** What a frame is longer than its payload, a tag included. */
export const FRAME_OVERHEAD_BYTES = ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES

/** Below this the field is a length (IEEE 802.3 §3.2.6): LLC, as spanning tree has it. */
const LEAST_TYPE = 0x0600

/** Why a frame is dropped by its header alone. */
export type FrameVerdict = 'ok' | 'eth-too-short' | 'eth-bad-source' | 'eth-no-type'

/** A header. A scratch record, overwritten by the next frame. */
export class EthernetHeader {
  dst: Mac = NO_MAC
  src: Mac = NO_MAC
  etherType = 0
  /** 1 to 4094; -1 without a tag or with VLAN 0, which is a priority only. */
  vlan = -1
  /** 0 to 7, of the tag. */
  priority = 0
  /** 14, or 18 with a tag. */
  headerBytes = ETHERNET_HEADER_BYTES
}

/** Reads the header of the frame at `bytes[start, end)`. Never throws. A group is no source (IEEE 802.3 §3.2.3). */
export function parseEthernet(bytes: Uint8Array, start: number, end: number, out: EthernetHeader): FrameVerdict {
  if (end - start < ETHERNET_HEADER_BYTES) return 'eth-too-short'
  out.dst = readMac(bytes, start)
  out.src = readMac(bytes, start + 6)
  out.etherType = get16(bytes, start + 12)
  out.vlan = -1
  out.priority = 0
  out.headerBytes = ETHERNET_HEADER_BYTES
  if (isGroupMac(out.src)) return 'eth-bad-source'
  if (out.etherType === ETHER_TYPE.VLAN) {
    if (end - start < FRAME_OVERHEAD_BYTES) return 'eth-too-short'
    const tag = get16(bytes, start + 14)
    out.vlan = (tag & 0xfff) === 0 ? -1 : tag & 0xfff
    out.priority = tag >>> 13
    out.etherType = get16(bytes, start + 16)
    out.headerBytes = FRAME_OVERHEAD_BYTES
  }
  return out.etherType < LEAST_TYPE ? 'eth-no-type' : 'ok'
}

/** Writes a header at `at`, with a tag when `vlan` is not -1. @returns its bytes: 14 or 18 */
export function writeEthernet(header: EthernetHeader, bytes: Uint8Array, at: number): number {
  writeMac(header.dst, bytes, at)
  writeMac(header.src, bytes, at + 6)
  if (header.vlan < 0) {
    put16(bytes, at + 12, header.etherType)
    return ETHERNET_HEADER_BYTES
  }
  put16(bytes, at + 12, ETHER_TYPE.VLAN)
  put16(bytes, at + 14, (header.priority << 13) | header.vlan)
  put16(bytes, at + 16, header.etherType)
  return FRAME_OVERHEAD_BYTES
}

/** As tcpdump -e prints it: `02:..:01 > ff:..:ff, ethertype 0x0806, length 42`. */
export function formatEthernet(header: EthernetHeader, length: number): string {
  const vlan = header.vlan < 0 ? '' : `, vlan ${header.vlan}`
  const type = `0x${header.etherType.toString(16).padStart(4, '0')}`
  return `${formatMac(header.src)} > ${formatMac(header.dst)}${vlan}, ethertype ${type}, length ${length}`
}
