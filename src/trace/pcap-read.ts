// Reads capture files, pcap and pcapng, in either byte order: the IP packets of them with their times.
// Owns: both formats, taking link headers off. Does not own: writing (pcapng.ts), what the packets mean.
// Read first: draft-ietf-opsawg-pcap §4, §5; draft-ietf-opsawg-pcapng §3, §4; the registry of link types.

import type { Micros } from '../base/time.ts'

/** An IP packet of a capture. */
export interface CapturedPacket {
  /** Microseconds since 1970, or whatever the capture counts from. */
  readonly at: Micros
  /** From its IP header on; may be cut short, as the capture was. */
  readonly bytes: Uint8Array
}

/** Bytes before the IP header, by link type; Ethernet and those of which not every frame is IP are looked into. */
const RAW = new Set([12, 14, 101, 228, 229])
const ETHERTYPES = new Set([0x0800, 0x86dd])
/** More than any capture of a packet has: what says so is broken. */
const MOST_BYTES = 1 << 24

/** Whether a file begins as a capture does. */
export function isCapture(bytes: Uint8Array): boolean {
  if (bytes.length < 24) return false
  const magic = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true)
  return [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a].includes(magic)
}

/** The IP packets of a capture; other frames are left out, and so is what comes after a torn end. @throws {TypeError} when it is none */
export function readCapture(bytes: Uint8Array): CapturedPacket[] {
  if (!isCapture(bytes)) throw new TypeError('this is no capture: neither pcap nor pcapng')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return view.getUint32(0) === 0x0a0d0d0a ? readPcapng(bytes, view) : readPcap(bytes, view)
}

function readPcap(bytes: Uint8Array, view: DataView): CapturedPacket[] {
  const packets: CapturedPacket[] = []
  const magic = view.getUint32(0, true)
  const little = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d
  const perMicro = magic === 0xa1b23c4d || magic === 0x4d3cb2a1 ? 1000 : 1
  const linkType = view.getUint32(20, little) & 0xffff
  for (let at = 24; at + 16 <= bytes.length; ) {
    const length = view.getUint32(at + 8, little)
    if (length > MOST_BYTES || at + 16 + length > bytes.length) break
    const time = view.getUint32(at, little) * 1e6 + view.getUint32(at + 4, little) / perMicro
    keep(packets, time, linkType, bytes.subarray(at + 16, at + 16 + length))
    at += 16 + length
  }
  return packets
}

interface Interface {
  readonly linkType: number
  /** Ticks of its clock in a microsecond. */
  readonly perMicro: number
}

function readPcapng(bytes: Uint8Array, view: DataView): CapturedPacket[] {
  const packets: CapturedPacket[] = []
  let little = true
  let interfaces: Interface[] = []
  for (let at = 0; at + 12 <= bytes.length; ) {
    const isSection = view.getUint32(at) === 0x0a0d0d0a
    if (isSection) {
      little = view.getUint32(at + 8, true) === 0x1a2b3c4d
      interfaces = []
    }
    const type = view.getUint32(at, little)
    const length = view.getUint32(at + 4, little)
    if (length < 12 || length > MOST_BYTES || at + length > bytes.length) break
    if (type === 1 && length >= 20) interfaces.push(interfaceAt(view, at, length, little))
    if (type === 6 && length >= 32) {
      const from = interfaces[view.getUint32(at + 8, little)]
      const captured = view.getUint32(at + 20, little)
      const ticks = view.getUint32(at + 12, little) * 4294967296 + view.getUint32(at + 16, little)
      if (from !== undefined && captured <= length - 32) {
        keep(packets, ticks / from.perMicro, from.linkType, bytes.subarray(at + 28, at + 28 + captured))
      }
    }
    at += length
  }
  return packets
}

function interfaceAt(view: DataView, start: number, length: number, little: boolean): Interface {
  const linkType = view.getUint16(start + 8, little)
  let perMicro = 1
  for (let at = start + 16; at + 4 <= start + length - 4; ) {
    const [code, bytes] = [view.getUint16(at, little), view.getUint16(at + 2, little)]
    if (code === 0) break
    if (code === 9 && bytes === 1) {
      const resolution = view.getUint8(at + 4)
      perMicro = resolution < 128 ? 10 ** (resolution - 6) : 2 ** (resolution - 128) / 1e6
    }
    at += 4 + ((bytes + 3) & ~3)
  }
  return { linkType, perMicro }
}

function keep(packets: CapturedPacket[], at: Micros, linkType: number, frame: Uint8Array): void {
  const start = ipStart(linkType, frame)
  if (start < 0 || start >= frame.length) return
  const version = frame[start] >> 4
  if (version === 4 || version === 6) packets.push({ at, bytes: frame.subarray(start) })
}

/** Where the IP header begins; -1 when there is none. */
function ipStart(linkType: number, frame: Uint8Array): number {
  const word = (at: number): number => (frame[at] << 8) | frame[at + 1]
  if (RAW.has(linkType)) return 0
  if (linkType === 0 || linkType === 108) return 4 // BSD's loopback
  if (linkType === 113) return ETHERTYPES.has(word(14)) ? 16 : -1 // Linux cooked
  if (linkType === 276) return ETHERTYPES.has(word(0)) ? 20 : -1 // Linux cooked, version 2
  if (linkType !== 1) return -1
  let at = 12
  while (word(at) === 0x8100 || word(at) === 0x88a8) at += 4 // VLAN tags
  return ETHERTYPES.has(word(at)) ? at + 2 : -1
}
