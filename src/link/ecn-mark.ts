// The ECN field of a packet on a link: reading it and setting it to CE, as a router does whose queue grows (RFC 3168 §5).
// Owns: these two bits of either family's header. Does not own: which packets are marked (impairment.ts), what TCP makes of it (src/tcp).

import { get16 } from '../base/bytes.ts'
import { replaceWord } from './checksum-offload.ts'
import type { Packet } from './device.ts'

/** The ECN field: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE; 0 for what is too short to have one. */
export function ecnField(packet: Packet): number {
  const { bytes, start, end } = packet
  if (end - start < 20) return 0
  return bytes[start] >>> 4 === 4 ? bytes[start + 1] & 3 : (bytes[start + 1] >> 4) & 3
}

/** Sets it to CE in place; IPv4's header checksum is mended. Only for packets whose field is not 0. */
export function markCe(packet: Packet): void {
  const { bytes, start } = packet
  if (bytes[start] >>> 4 === 4) replaceWord(bytes, start, get16(bytes, start) | 3, start + 10)
  else bytes[start + 1] |= 0x30
}
