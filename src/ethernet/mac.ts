// Ethernet addresses as numbers of 48 bits, which a double holds exactly: they compare with === and stand as keys of a Map.
// Owns: text and bytes of an address, groups, the address of an IP group, interface identifiers. Does not own: frames (frame.ts).
// Read first: RFC 1112 §6.4, RFC 2464 §4 and §7.

import { get16, get32, put16, put32 } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { IpAddress } from '../ip/address.ts'

/** An Ethernet address, 0 to 2^48 - 1; `NO_MAC` for none. */
export type Mac = number

/** Stands where there is no address. */
export const NO_MAC: Mac = -1
/** ff:ff:ff:ff:ff:ff. */
export const BROADCAST_MAC: Mac = 2 ** 48 - 1

const TWO_32 = 2 ** 32
const IPV4_GROUPS = 0x01005e * 2 ** 24
const IPV6_GROUPS = 0x3333 * TWO_32

/** Reads the six bytes at `at`. */
export function readMac(bytes: Uint8Array, at: number): Mac {
  return get16(bytes, at) * TWO_32 + (get32(bytes, at + 2) >>> 0)
}

/** Writes six bytes at `at`. */
export function writeMac(mac: Mac, bytes: Uint8Array, at: number): void {
  put16(bytes, at, Math.floor(mac / TWO_32))
  put32(bytes, at + 2, mac % TWO_32)
}

/** Whether it is the address of a group; the broadcast address is one. */
export function isGroupMac(mac: Mac): boolean {
  return (Math.floor(mac / 2 ** 40) & 1) !== 0
}

/** `02:00:00:00:00:01`. */
export function formatMac(mac: Mac): string {
  const digits = mac.toString(16).padStart(12, '0')
  return digits.replace(/(..)(?!$)/g, '$1:')
}

/** Reads `02:00:00:00:00:01`. @throws {TypeError} when the text is no address of one host */
export function parseMac(text: string): Mac {
  const mac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? Number.parseInt(text.replaceAll(':', ''), 16) : NO_MAC
  if (mac <= 0 || isGroupMac(mac)) {
    throw new TypeError(`'${text}' is not the Ethernet address of one host, as 02:00:00:00:00:01`)
  }
  return mac
}

/** A random address of those that everyone may give out (IEEE 802-2014 §8.4.4: the second bit of the first octet is set). */
export function randomMac(random: Random): Mac {
  const high = (random.int32() & 0xfcff) | 0x0200
  return high * TWO_32 + (random.int32() >>> 0)
}

/** Where packets to a group go (RFC 1112 §6.4: the low 23 bits; RFC 2464 §7: the low 32 bits). */
export function groupMac(group: IpAddress): Mac {
  return group.family === 4 ? IPV4_GROUPS + (group.w3 & 0x7fffff) : IPV6_GROUPS + (group.w3 >>> 0)
}

/** An address in a /64: the prefix, then the modified EUI-64 of the Ethernet address (RFC 2464 §4). */
export function eui64Address(prefix: IpAddress, mac: Mac): IpAddress {
  const high = Math.floor(mac / 2 ** 24)
  const low = mac % 2 ** 24
  return new IpAddress(prefix.w0, prefix.w1, ((high ^ 0x020000) << 8) | 0xff, (0xfe << 24) | low)
}

/** fe80::/64 with the modified EUI-64 of the Ethernet address (RFC 2464 §5). */
export function linkLocalAddress(mac: Mac): IpAddress {
  return eui64Address(new IpAddress(0xfe800000, 0, 0, 0), mac)
}

/** The group of all addresses that end in the same 24 bits (RFC 4291 §2.7.1). */
export function solicitedNode(address: IpAddress): IpAddress {
  return new IpAddress(0xff020000, 0, 1, 0xff000000 | (address.w3 & 0xffffff))
}
