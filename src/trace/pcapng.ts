// Capture files in pcapng format, which Wireshark, tshark and tcpdump read: one interface per file, times in nanoseconds.
// Owns: the bytes of the three blocks it writes. Does not own: where they go (the injected sink), which packets (src/link/capture).
// Read first: draft-ietf-opsawg-pcapng §3 (block structure), §4.1 (section header), §4.2 (interface), §4.3 (enhanced packet).
// One file per capture point: both ends of a link in one file look like retransmissions to Wireshark.

import type { Micros } from '../base/time.ts'

const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 1
const ENHANCED_PACKET = 6
const BYTE_ORDER_MAGIC = 0x1a2b3c4d
const SNAP_LENGTH = 262144
const OPTION_COMMENT = 1
const OPTION_IF_NAME = 2
const OPTION_EPB_FLAGS = 2
const OPTION_USER_APPLICATION = 4
const OPTION_IF_TSRESOL = 9
const NANOSECONDS = 9
const FLAG_INBOUND = 1
const FLAG_OUTBOUND = 2
const LINK_TYPES = { ipv4: 228, ipv6: 229, raw: 101, ethernet: 1 } as const
const TWO_32 = 4294967296
const MAX_COMMENT_BYTES = 65535

/** What the packets of a file are: all IPv4, all IPv6, both, or Ethernet frames. */
export type PcapngFamily = keyof typeof LINK_TYPES

/** Options of a capture file. */
export interface PcapngOptions {
  /** LINKTYPE_IPV4 (228), LINKTYPE_IPV6 (229), LINKTYPE_RAW (101) for both in one file, LINKTYPE_ETHERNET (1). Default `'raw'`. */
  readonly family?: PcapngFamily
  /** Name of the interface, as Wireshark shows it. */
  readonly name?: string
  /** Added to each packet's time: what the instant 0 of its clock is in microseconds since 1970. Default 0. */
  readonly epochUs?: Micros
}

/** What may be said about one packet. */
export interface PcapngPacketOptions {
  readonly direction?: 'in' | 'out'
  /** Shown by Wireshark as `frame.comment`; cut at 65535 bytes. */
  readonly comment?: string
}

/** The blocks that begin a file: section header and interface description, little-endian. */
export function encodePcapngHeader(options: PcapngOptions = {}): Uint8Array {
  const application = utf8('tunstack')
  const name = utf8(options.name ?? '')
  const section = new Block(SECTION_HEADER, 16 + optionBytes(application.length) + 4)
  section.put32(BYTE_ORDER_MAGIC)
  section.put16(1)
  section.put16(0)
  section.put32(0xffffffff) // section length unknown: -1 in 64 bits
  section.put32(0xffffffff)
  section.putOption(OPTION_USER_APPLICATION, application)
  section.put32(0)
  const named = name.length === 0 ? 0 : optionBytes(name.length)
  const description = new Block(INTERFACE_DESCRIPTION, 8 + named + optionBytes(1) + 4)
  description.put16(LINK_TYPES[options.family ?? 'raw'])
  description.put16(0)
  description.put32(SNAP_LENGTH)
  if (named > 0) description.putOption(OPTION_IF_NAME, name)
  description.putOption(OPTION_IF_TSRESOL, Uint8Array.of(NANOSECONDS))
  description.put32(0)
  const first = section.finish()
  const second = description.finish()
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

/**
 * One enhanced packet block for the IP packet `bytes[start, end)` at `at` (microseconds since 1970, fractions allowed). The result
 * is the caller's.
 */
export function encodePcapngPacket(
  bytes: Uint8Array,
  start: number,
  end: number,
  at: Micros,
  options: PcapngPacketOptions = {},
): Uint8Array {
  const length = end - start
  const comment = options.comment === undefined ? null : utf8(options.comment).subarray(0, MAX_COMMENT_BYTES)
  const flags = options.direction === undefined ? 0 : optionBytes(4)
  const comments = comment === null ? 0 : optionBytes(comment.length)
  const optionsEnd = flags + comments === 0 ? 0 : 4
  const block = new Block(ENHANCED_PACKET, 20 + padded(length) + flags + comments + optionsEnd)
  block.put32(0)
  // Nanoseconds do not fit a double: split the microseconds at 2^32 first.
  const whole = Math.floor(at)
  const low = (whole % TWO_32) * 1000 + Math.floor((at - whole) * 1000)
  block.put32(Math.floor(whole / TWO_32) * 1000 + Math.floor(low / TWO_32))
  block.put32(low % TWO_32)
  block.put32(length)
  block.put32(length)
  block.putPadded(bytes.subarray(start, end))
  if (flags > 0) {
    const value = options.direction === 'in' ? FLAG_INBOUND : FLAG_OUTBOUND
    block.putOption(OPTION_EPB_FLAGS, Uint8Array.of(value, 0, 0, 0))
  }
  if (comment !== null) block.putOption(OPTION_COMMENT, comment)
  if (optionsEnd > 0) block.put32(0)
  return block.finish()
}

/** Writes a capture file to a sink, chunk by chunk; each chunk is whole blocks. */
export class PcapngWriter {
  readonly #write: (bytes: Uint8Array) => void
  readonly #epochUs: Micros
  /** Packets written so far. */
  packets = 0

  /** Writes the file's header at once. @param write takes each chunk and owns it. */
  constructor(write: (bytes: Uint8Array) => void, options: PcapngOptions = {}) {
    this.#write = write
    this.#epochUs = options.epochUs ?? 0
    write(encodePcapngHeader(options))
  }

  /** Writes one packet (a Packet, or anything with its three fields), borrowed; `at` is an instant of the capture's clock. */
  packet(
    packet: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
    direction: 'in' | 'out',
    at: Micros,
    comment?: string,
  ): void {
    this.packets++
    const options = { direction, comment }
    this.#write(encodePcapngPacket(packet.bytes, packet.start, packet.end, this.#epochUs + at, options))
  }
}

const encoder = new TextEncoder()

function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

function padded(length: number): number {
  return (length + 3) & ~3
}

function optionBytes(length: number): number {
  return 4 + padded(length)
}

/** A block under construction: type, length, body, length. */
class Block {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(type: number, bodyBytes: number) {
    this.#bytes = new Uint8Array(12 + bodyBytes)
    this.#view = new DataView(this.#bytes.buffer)
    this.put32(type)
    this.put32(this.#bytes.length)
  }

  put16(value: number): void {
    this.#view.setUint16(this.#at, value, true)
    this.#at += 2
  }

  put32(value: number): void {
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }

  putPadded(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at)
    this.#at += padded(bytes.length)
  }

  putOption(code: number, value: Uint8Array): void {
    this.put16(code)
    this.put16(value.length)
    this.putPadded(value)
  }

  finish(): Uint8Array {
    this.put32(this.#bytes.length)
    return this.#bytes
  }
}
