// ARP on the wire, for IPv4 over Ethernet alone.
// Owns: its bytes, both ways. Does not own: what to make of it (arp.ts, claims.ts).
// Read first: RFC 826, RFC 5227 §1.1 (the words probe and announcement).

import { get16, put16 } from '../base/bytes.ts'
import { IpAddress } from '../ip/address.ts'
import { formatMac, isGroupMac, type Mac, NO_MAC, readMac, writeMac } from './mac.ts'

/** Bytes of a packet. */
export const ARP_BYTES = 28

/** Operations (RFC 826). */
export const ARP_OPERATION = { request: 1, reply: 2 } as const

const HARDWARE_ETHERNET = 1
const PROTOCOL_IPV4 = 0x0800

/** A packet. A scratch record, its addresses too. */
export class ArpPacket {
  operation: number = ARP_OPERATION.request
  senderMac: Mac = NO_MAC
  readonly senderIp = new IpAddress(0, 0, 0xffff, 0)
  targetMac: Mac = 0
  readonly targetIp = new IpAddress(0, 0, 0xffff, 0)
}

/**
 * Reads the packet at `bytes[start, end)`; bytes after it are padding. Never throws.
 * @returns 'ok'; 'arp-too-short'; 'arp-unknown-kind' for another hardware, protocol or operation; 'arp-bad-sender' for a sender that is a
 * group, or whose IP address cannot be that of a host
 */
export function parseArp(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ArpPacket,
): 'ok' | 'arp-too-short' | 'arp-unknown-kind' | 'arp-bad-sender' {
  if (end - start < 8) return 'arp-too-short'
  const isOurs = get16(bytes, start) === HARDWARE_ETHERNET && get16(bytes, start + 2) === PROTOCOL_IPV4
  if (!isOurs || bytes[start + 4] !== 6 || bytes[start + 5] !== 4) return 'arp-unknown-kind'
  if (end - start < ARP_BYTES) return 'arp-too-short'
  out.operation = get16(bytes, start + 6)
  if (out.operation !== ARP_OPERATION.request && out.operation !== ARP_OPERATION.reply) return 'arp-unknown-kind'
  out.senderMac = readMac(bytes, start + 8)
  out.senderIp.read(bytes, start + 14, 4)
  out.targetMac = readMac(bytes, start + 18)
  out.targetIp.read(bytes, start + 24, 4)
  const { senderIp } = out
  const isHost =
    senderIp.w3 === 0 || (senderIp.w3 >>> 24 !== 0 && senderIp.w3 >>> 24 !== 127 && senderIp.w3 >>> 28 < 14)
  return isHost && !isGroupMac(out.senderMac) && out.senderMac !== 0 ? 'ok' : 'arp-bad-sender'
}

/** Writes the packet at `at`. @returns its bytes, 28 */
export function writeArp(packet: ArpPacket, bytes: Uint8Array, at: number): number {
  put16(bytes, at, HARDWARE_ETHERNET)
  put16(bytes, at + 2, PROTOCOL_IPV4)
  bytes[at + 4] = 6
  bytes[at + 5] = 4
  put16(bytes, at + 6, packet.operation)
  writeMac(packet.senderMac, bytes, at + 8)
  packet.senderIp.write(bytes, at + 14)
  writeMac(packet.targetMac, bytes, at + 18)
  packet.targetIp.write(bytes, at + 24)
  return ARP_BYTES
}

/** As tcpdump prints it: `ARP, Request who-has 10.0.0.1 tell 10.0.0.2`, `ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:01`. */
export function formatArp(packet: ArpPacket): string {
  const { operation, senderIp, senderMac, targetIp } = packet
  if (operation === ARP_OPERATION.reply) return `ARP, Reply ${senderIp} is-at ${formatMac(senderMac)}`
  return `ARP, Request who-has ${targetIp} tell ${senderIp}`
}
