// A DHCP message on the wire: the fields of BOOTP, then options.
// Owns: its bytes, both ways; options that are cut up or stand in the fields of names. Does not own: what options say (options.ts).
// Read first: RFC 2131 §2; RFC 2132 §9.3 (overload); RFC 3396 (one option in several pieces).
//
//   op 1 | htype 1 | hlen 1 | hops 1 | xid 4 | secs 2 | flags 2 | ciaddr 4 | yiaddr 4 | siaddr 4 | giaddr 4
//   chaddr 16 | sname 64 | file 128 | 99.130.83.99 | options

import { get16, get32, put16, put32 } from '../base/bytes.ts'
import { IpAddress } from '../ip/address.ts'

/** From clients, and from servers. */
export const DHCP_OP = { request: 1, reply: 2 } as const

/** Ports of UDP (RFC 2131 §4.1). */
export const DHCP_PORT = { server: 67, client: 68 } as const

const FIXED_BYTES = 236
const COOKIE = 0x63825363
const SNAME_AT = 44
const FILE_AT = 108
const HTYPE_ETHERNET = 1
const PAD = 0
const END = 255
const OVERLOAD = 52
/** The least that BOOTP relays and servers take (RFC 1542 §2.1). */
const LEAST_BYTES = 300
/** Most bytes of options that are read: those of the longest datagram that every host takes, twice over. */
const MOST_OPTION_BYTES = 1500

/** A message. */
export interface DhcpMessage {
  readonly op: number
  /** int32. */
  readonly xid: number
  readonly secs: number
  /** The answer must go to everybody: the client cannot receive packets to an address that it does not have yet. */
  readonly isBroadcast: boolean
  readonly ciaddr: IpAddress
  readonly yiaddr: IpAddress
  readonly siaddr: IpAddress
  readonly giaddr: IpAddress
  /** The client's Ethernet address, 6 bytes. */
  readonly chaddr: Uint8Array
  /** By number, their data. Pieces of one option are joined. */
  readonly options: ReadonlyMap<number, Uint8Array>
}

/** 0.0.0.0. */
export const NO_ADDRESS = new IpAddress(0, 0, 0xffff, 0)

/** Reads a message; null when it is none, or cut off, or not of Ethernet. Never throws. */
export function parseDhcp(bytes: Uint8Array): DhcpMessage | null {
  if (bytes.length < FIXED_BYTES + 4 || get32(bytes, FIXED_BYTES) !== COOKIE) return null
  if (bytes[1] !== HTYPE_ETHERNET || bytes[2] !== 6 || (bytes[0] !== 1 && bytes[0] !== 2)) return null
  const pieces = new Map<number, Uint8Array[]>()
  if (!readOptions(bytes, FIXED_BYTES + 4, bytes.length, pieces)) return null
  // RFC 2132 §9.3: the fields of names may hold options, the file's before the server's (RFC 3396 §5).
  const overload = pieces.get(OVERLOAD)?.[0]?.[0] ?? 0
  if ((overload & 1) !== 0 && !readOptions(bytes, FILE_AT, FIXED_BYTES, pieces)) return null
  if ((overload & 2) !== 0 && !readOptions(bytes, SNAME_AT, FILE_AT, pieces)) return null
  const options = new Map<number, Uint8Array>()
  let total = 0
  for (const [code, list] of pieces) {
    const joined = joinPieces(list)
    total += joined.length
    options.set(code, joined)
  }
  if (total > MOST_OPTION_BYTES) return null
  return {
    op: bytes[0],
    xid: get32(bytes, 4),
    secs: get16(bytes, 8),
    isBroadcast: (bytes[10] & 0x80) !== 0,
    ciaddr: readAddress(bytes, 12),
    yiaddr: readAddress(bytes, 16),
    siaddr: readAddress(bytes, 20),
    giaddr: readAddress(bytes, 24),
    chaddr: bytes.slice(28, 34),
    options,
  }
}

function readAddress(bytes: Uint8Array, at: number): IpAddress {
  const address = new IpAddress()
  address.read(bytes, at, 4)
  return address
}

function readOptions(bytes: Uint8Array, from: number, end: number, pieces: Map<number, Uint8Array[]>): boolean {
  for (let at = from; at < end; ) {
    const code = bytes[at]
    if (code === END) return true
    if (code === PAD) {
      at++
      continue
    }
    if (at + 1 >= end || at + 2 + bytes[at + 1] > end) return false
    const data = bytes.slice(at + 2, at + 2 + bytes[at + 1])
    const list = pieces.get(code)
    if (list === undefined) pieces.set(code, [data])
    else list.push(data)
    at += 2 + data.length
  }
  return true // DEVIATION: RFC 2132 §3.2 has the end marked; it need not be, as in common servers
}

function joinPieces(list: readonly Uint8Array[]): Uint8Array {
  if (list.length === 1) return list[0]
  const joined = new Uint8Array(list.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of list) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

/** Writes a message, at least 300 bytes of it; an option of more than 255 bytes goes in pieces. The result is the caller's. */
export function writeDhcp(message: DhcpMessage): Uint8Array {
  let length = FIXED_BYTES + 5
  for (const { length: bytes } of message.options.values()) length += bytes + 2 * Math.max(1, Math.ceil(bytes / 255))
  const out = new Uint8Array(Math.max(LEAST_BYTES, length))
  out[0] = message.op
  out[1] = HTYPE_ETHERNET
  out[2] = 6
  put32(out, 4, message.xid)
  put16(out, 8, message.secs)
  put16(out, 10, message.isBroadcast ? 0x8000 : 0)
  message.ciaddr.write(out, 12)
  message.yiaddr.write(out, 16)
  message.siaddr.write(out, 20)
  message.giaddr.write(out, 24)
  out.set(message.chaddr.subarray(0, 6), 28)
  put32(out, FIXED_BYTES, COOKIE)
  let at = FIXED_BYTES + 4
  for (const [code, data] of message.options) {
    for (let from = 0; from === 0 || from < data.length; from += 255) {
      const piece = data.subarray(from, from + 255)
      out[at] = code
      out[at + 1] = piece.length
      out.set(piece, at + 2)
      at += 2 + piece.length
    }
  }
  out[at] = END
  return out
}
