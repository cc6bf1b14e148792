// What the options of DHCP say.
// Owns: their numbers, reading and writing their values. Does not own: where they stand (message.ts), what is asked for (client.ts).
// Read first: RFC 2132.

import { get32, put32 } from '../base/bytes.ts'
import { IpAddress } from '../ip/address.ts'

/** Numbers of options (RFC 2132). */
export const OPTION = {
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostName: 12,
  domain: 15,
  mtu: 26,
  broadcast: 28,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  maxSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  clientId: 61,
} as const

/** Kinds of message (RFC 2132 §9.6). */
export const DHCP_TYPE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const

/** A set of options. */
export type Options = ReadonlyMap<number, Uint8Array>

/** The kind of a message; 0 when it is BOOTP's. */
export function typeOf(options: Options): number {
  const data = options.get(OPTION.messageType)
  return data?.length === 1 ? data[0] : 0
}

/** An option of one IPv4 address; null when it is not there or is none. */
export function addressOption(options: Options, code: number): IpAddress | null {
  const data = options.get(code)
  return data?.length === 4 ? IpAddress.fromBytes(data) : null
}

/** An option of IPv4 addresses. */
export function addressesOption(options: Options, code: number): IpAddress[] {
  const data = options.get(code)
  if (data === undefined || data.length % 4 !== 0) return []
  return Array.from({ length: data.length / 4 }, (_, i) => IpAddress.fromBytes(data.subarray(4 * i, 4 * i + 4)))
}

/** An option of 32 bits; -1 when it is not there. */
export function uint32Option(options: Options, code: number): number {
  const data = options.get(code)
  return data?.length === 4 ? get32(data, 0) >>> 0 : -1
}

/** An option of text, without trailing zeros (RFC 2132 §2); null when it is not there, or is not printable ASCII. */
export function textOption(options: Options, code: number): string | null {
  const data = options.get(code)
  if (data === undefined) return null
  const text = String.fromCharCode(...data).replace(/\0+$/, '')
  return /^[!-~]+$/.test(text) ? text : null
}

/** The prefix length of a mask; -1 when its ones are not all in front. */
export function prefixOfMask(mask: IpAddress): number {
  const length = Math.clz32(~mask.w3)
  return length === 32 || mask.w3 << length === 0 ? length : -1
}

/** The mask of a prefix length. */
export function maskOfPrefix(prefixLength: number): IpAddress {
  return new IpAddress(0, 0, 0xffff, prefixLength === 0 ? 0 : -1 << (32 - prefixLength))
}

/** The data of an option of IPv4 addresses. */
export function addressBytes(...addresses: readonly IpAddress[]): Uint8Array {
  const out = new Uint8Array(4 * addresses.length)
  for (const [i, address] of addresses.entries()) address.write(out, 4 * i)
  return out
}

/** The data of an option of 32 bits. */
export function uint32Bytes(value: number): Uint8Array {
  const out = new Uint8Array(4)
  put32(out, 0, value)
  return out
}

/** The data of an option of ASCII. */
export function textBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}

/** Bytes as `02:00:00:00:00:01`. */
export function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}
