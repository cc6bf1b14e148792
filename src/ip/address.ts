// IP addresses of both families in one shape: four 32-bit words, an IPv4 address as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2).
// TCP never asks which family it has: two addresses compare, hash and enter the pseudo-header sum in the same way,
// because the word 0x0000ffff of a mapped address adds nothing to a ones' complement sum.
// Owns: parsing, printing (RFC 5952), classes of addresses. Does not own: routes (routes.ts).

import { get32, put32 } from '../base/bytes.ts'

// The longest text of an address: eight groups, the last two as dotted decimal.
const MAX_TEXT = 45

/**
 * An IPv4 or IPv6 address. Treat it as immutable unless you own it (scratch headers reuse theirs: `clone()` what you
 * keep).
 */
export class IpAddress {
  /** The four words, most significant first, each an int32. */
  w0: number
  w1: number
  w2: number
  w3: number

  constructor(w0 = 0, w1 = 0, w2 = 0, w3 = 0) {
    this.w0 = w0 | 0
    this.w1 = w1 | 0
    this.w2 = w2 | 0
    this.w3 = w3 | 0
  }

  /** 4 or 6. */
  get family(): 4 | 6 {
    return this.w0 === 0 && this.w1 === 0 && this.w2 === 0xffff ? 4 : 6
  }

  /** Whether both are the same address. */
  equals(other: IpAddress): boolean {
    return this.w3 === other.w3 && this.w2 === other.w2 && this.w1 === other.w1 && this.w0 === other.w0
  }

  /** A copy of its own. */
  clone(): IpAddress {
    return new IpAddress(this.w0, this.w1, this.w2, this.w3)
  }

  /** Overwrites this address. Only for scratch headers. */
  assign(other: IpAddress): void {
    this.w0 = other.w0
    this.w1 = other.w1
    this.w2 = other.w2
    this.w3 = other.w3
  }

  /** Overwrites this address with the 4 or 16 bytes at `at`. Only for scratch headers. */
  read(bytes: Uint8Array, at: number, family: 4 | 6): void {
    if (family === 4) {
      this.w0 = 0
      this.w1 = 0
      this.w2 = 0xffff
      this.w3 = get32(bytes, at)
    } else {
      this.w0 = get32(bytes, at)
      this.w1 = get32(bytes, at + 4)
      this.w2 = get32(bytes, at + 8)
      this.w3 = get32(bytes, at + 12)
    }
  }

  /** Writes the address at `at`: 4 bytes for IPv4, 16 for IPv6. */
  write(bytes: Uint8Array, at: number): void {
    if (this.family === 4) {
      put32(bytes, at, this.w3)
    } else {
      put32(bytes, at, this.w0)
      put32(bytes, at + 4, this.w1)
      put32(bytes, at + 8, this.w2)
      put32(bytes, at + 12, this.w3)
    }
  }

  /** 0.0.0.0 or ::. */
  get isUnspecified(): boolean {
    return this.w0 === 0 && this.w1 === 0 && this.w3 === 0 && (this.w2 === 0xffff || this.w2 === 0)
  }

  /** 127.0.0.0/8 or ::1. */
  get isLoopback(): boolean {
    return this.family === 4 ? this.w3 >>> 24 === 127 : this.w0 === 0 && this.w1 === 0 && this.w2 === 0 && this.w3 === 1
  }

  /** 224.0.0.0/4 or ff00::/8. */
  get isMulticast(): boolean {
    return this.family === 4 ? this.w3 >>> 28 === 14 : this.w0 >>> 24 === 0xff
  }

  /** 255.255.255.255, the limited broadcast address; never true for IPv6. */
  get isLimitedBroadcast(): boolean {
    return this.family === 4 && this.w3 === -1
  }

  /** Whether both lie in the same prefix of `prefixLength` bits (of the family's own 32 or 128). */
  inPrefix(network: IpAddress, prefixLength: number): boolean {
    if (this.family !== network.family) return false
    const bits = this.family === 4 ? 96 + prefixLength : prefixLength
    return (
      sameBits(this.w0, network.w0, bits) &&
      sameBits(this.w1, network.w1, bits - 32) &&
      sameBits(this.w2, network.w2, bits - 64) &&
      sameBits(this.w3, network.w3, bits - 96)
    )
  }

  /** The usual text: dotted decimal, or RFC 5952. */
  toString(): string {
    return formatAddress(this)
  }

  /** Any 4-byte or 16-byte address in network order. @throws {RangeError} for another length */
  static fromBytes(bytes: Uint8Array): IpAddress {
    if (bytes.length !== 4 && bytes.length !== 16) throw new RangeError('an IP address has 4 or 16 bytes')
    const address = new IpAddress()
    address.read(bytes, 0, bytes.length === 4 ? 4 : 6)
    return address
  }

  /**
   * Reads dotted decimal (four parts, no leading zeros) or IPv6 text (RFC 4291 §2.2; no zone).
   * @throws {TypeError} when the text is no address
   */
  static parse(text: string): IpAddress {
    const address = parseAddress(text)
    if (address === null) throw new TypeError(`'${text}' is not an IPv4 or IPv6 address`)
    return address
  }
}

function sameBits(a: number, b: number, bits: number): boolean {
  if (bits <= 0) return true
  return bits >= 32 ? a === b : (a ^ b) >>> (32 - bits) === 0
}

/** Reads an address, or null when the text is none. See IpAddress.parse. */
export function parseAddress(text: string): IpAddress | null {
  if (text.length > MAX_TEXT) return null
  if (!text.includes(':')) {
    const v4 = parseIpv4(text)
    return v4 === null ? null : new IpAddress(0, 0, 0xffff, v4)
  }
  return parseIpv6(text)
}

function parseIpv4(text: string): number | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null
    value = (value << 8) | Number(part)
  }
  return value
}

function parseIpv6(text: string): IpAddress | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  // RFC 4291 §2.2: dotted decimal stands for the last 32 bits only, never before '::'.
  if (halves.length === 2 && halves[0].includes('.')) return null
  const head = parseGroups(halves[0])
  const tail = halves.length === 2 ? parseGroups(halves[1]) : []
  if (head === null || tail === null) return null
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail]
  const word = (i: number): number => (groups[i] << 16) | groups[i + 1]
  return new IpAddress(word(0), word(2), word(4), word(6))
}

function parseGroups(text: string): number[] | null {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes('.')) {
      const v4 = parseIpv4(part)
      if (v4 === null) return null
      groups.push(v4 >>> 16, v4 & 0xffff)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return null
    }
  }
  return groups
}

function formatAddress(address: IpAddress): string {
  const { w0, w1, w2, w3 } = address
  if (address.family === 4) return `${w3 >>> 24}.${(w3 >>> 16) & 255}.${(w3 >>> 8) & 255}.${w3 & 255}`
  const groups = [w0, w1, w2, w3].flatMap((w) => [w >>> 16, w & 0xffff])
  // RFC 5952 §4.2: the longest run of two or more zero groups becomes '::', the first one when several are as long.
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let n = 0
    while (i + n < 8 && groups[i + n] === 0) n++
    if (n > bestLength) {
      best = i
      bestLength = n
    }
  }
  const hex = groups.map((g) => g.toString(16))
  if (best < 0) return hex.join(':')
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`
}

/** An address with the length of its network's prefix, as in `10.77.0.2/24`. */
export interface InterfaceAddress {
  readonly address: IpAddress
  /** 0-32 for IPv4, 0-128 for IPv6. */
  readonly prefixLength: number
  /** Other own addresses are taken first for what is new (RFC 4862 §5.5.4). Default false. */
  readonly isDeprecated?: boolean
  /** Taken before others of its prefix (RFC 8981, RFC 6724 §5 rule 7). Default false. */
  readonly isTemporary?: boolean
  /** The interface it belongs to, by number, where a host has several: see stack/router.ts. */
  readonly port?: number
}

/**
 * Reads `10.77.0.2/24` or `fd77::2/64`; without a prefix length the address stands alone (/32, /128).
 * @throws {TypeError} when the text is neither
 */
export function parseCidr(text: string): InterfaceAddress {
  const [host, length, ...rest] = text.split('/')
  const address = IpAddress.parse(host)
  const most = address.family === 4 ? 32 : 128
  if (length === undefined) return { address, prefixLength: most }
  if (rest.length > 0 || !/^[0-9]{1,3}$/.test(length) || Number(length) > most) {
    throw new TypeError(`'${text}': the prefix length after '/' is a whole number from 0 to ${most}`)
  }
  return { address, prefixLength: Number(length) }
}

/** `10.77.0.2:80` or `[fd77::2]:80`. */
export function formatEndpoint(address: IpAddress, port: number): string {
  return address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`
}
