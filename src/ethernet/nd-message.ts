// The five messages of neighbour discovery on the wire, with their options.
// Owns: their bytes, both ways, and every check that needs the message alone. Does not own: what to make of one
// (neighbour-discovery.ts, autoconfiguration.ts).
// Read first: RFC 4861 §4 (formats), §6.1, §7.1, §8.1 (what makes a message valid); RFC 8106 §5.1 (DNS servers).

import { get16, get32, put16, put32 } from '../base/bytes.ts'
import { IpAddress } from '../ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import { type IpHeader, PROTOCOL } from '../ip/header.ts'
import { isGroupMac, type Mac, NO_MAC, readMac, solicitedNode, writeMac } from './mac.ts'

/** ICMPv6 types (RFC 4861 §4). */
export const ND_TYPE = {
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
} as const

const OPTION = { sourceMac: 1, targetMac: 2, prefix: 3, mtu: 5, dns: 25 } as const

/** Prefixes and DNS servers read of one message; what is beyond is counted in `skipped`. */
const MOST_OF_ONE = 16

/** A prefix of a router advertisement (RFC 4861 §4.6.2). */
export interface PrefixInformation {
  readonly prefix: IpAddress
  readonly prefixLength: number
  readonly isOnLink: boolean
  /** Addresses may be made from it (the flag A). */
  readonly isAutonomous: boolean
  /** In seconds; 0xffffffff for ever. */
  readonly validS: number
  readonly preferredS: number
}

/** Why a message is not valid. */
export type NdVerdict =
  | 'ok'
  | 'nd-bad-hop-limit'
  | 'nd-bad-checksum'
  | 'nd-bad-code'
  | 'nd-too-short'
  | 'nd-bad-option'
  | 'nd-bad-target'
  | 'nd-bad-source'
  | 'nd-bad-destination'
  | 'nd-bad-flags'

/** A message of any of the five types. A scratch record; what it does not have keeps its default. */
export class NdMessage {
  type: number = 0
  /** Of solicitations, advertisements and redirects of neighbours. */
  readonly target = new IpAddress()
  /** The options of link-layer addresses; NO_MAC when there is none. */
  sourceMac: Mac = NO_MAC
  targetMac: Mac = NO_MAC
  // Neighbour advertisements:
  isRouter = false
  isSolicited = false
  isOverride = false
  // Router advertisements; 0 is "not said" but for the lifetime:
  hopLimit = 0
  isManaged = false
  isOther = false
  lifetimeS = 0
  reachableMs = 0
  retransMs = 0
  mtu = 0
  prefixes: PrefixInformation[] = []
  dnsServers: { readonly address: IpAddress; readonly lifetimeS: number }[] = []

  /** Sets everything but the type and the target to its default. */
  reset(): void {
    this.sourceMac = this.targetMac = NO_MAC
    this.isRouter = this.isSolicited = this.isOverride = this.isManaged = this.isOther = false
    this.hopLimit = this.lifetimeS = this.reachableMs = this.retransMs = this.mtu = 0
    this.prefixes = []
    this.dnsServers = []
  }
}

/** Bytes before the options, by type. */
const BODY_BYTES: Readonly<Record<number, number>> = { 133: 8, 134: 16, 135: 24, 136: 24, 137: 40 }

/** Whether an ICMPv6 type is one of the five. */
export function isNdType(type: number): boolean {
  return type >= ND_TYPE.routerSolicitation && type <= ND_TYPE.redirect
}

/**
 * Reads and checks the message at `bytes[start, end)`, whose IPv6 header is `ip`. Never throws.
 * @param isTrusted the checksum need not be verified
 */
export function parseNd(
  bytes: Uint8Array,
  start: number,
  end: number,
  ip: IpHeader,
  out: NdMessage,
  isTrusted = false,
): NdVerdict {
  if (ip.hopLimit !== 255) return 'nd-bad-hop-limit'
  if (end - start < 8) return 'nd-too-short'
  if (!isTrusted) {
    const sum = sumBytes(bytes, start, end, pseudoHeaderSum(ip.src, ip.dst, PROTOCOL.ICMPV6, end - start))
    if (finishChecksum(sum) !== 0) return 'nd-bad-checksum'
  }
  if (bytes[start + 1] !== 0) return 'nd-bad-code'
  out.type = bytes[start]
  out.reset()
  const bodyBytes = BODY_BYTES[out.type] ?? 0
  if (bodyBytes === 0 || end - start < bodyBytes) return 'nd-too-short'
  readBody(bytes, start, out)
  if (!readOptions(bytes, start + bodyBytes, end, out)) return 'nd-bad-option'
  return judge(ip, out, bytes, start)
}

function readBody(bytes: Uint8Array, at: number, out: NdMessage): void {
  if (out.type === ND_TYPE.routerAdvertisement) {
    out.hopLimit = bytes[at + 4]
    out.isManaged = (bytes[at + 5] & 0x80) !== 0
    out.isOther = (bytes[at + 5] & 0x40) !== 0
    out.lifetimeS = get16(bytes, at + 6)
    out.reachableMs = get32(bytes, at + 8) >>> 0
    out.retransMs = get32(bytes, at + 12) >>> 0
  } else if (out.type !== ND_TYPE.routerSolicitation) {
    out.target.read(bytes, at + 8, 6)
    if (out.type === ND_TYPE.neighbourAdvertisement) {
      out.isRouter = (bytes[at + 4] & 0x80) !== 0
      out.isSolicited = (bytes[at + 4] & 0x40) !== 0
      out.isOverride = (bytes[at + 4] & 0x20) !== 0
    }
  }
}

// RFC 4861 §4.6: in units of 8 bytes; 0 is no length, and unknown options are skipped (§6.1.2).
function readOptions(bytes: Uint8Array, from: number, end: number, out: NdMessage): boolean {
  for (let at = from; at < end; ) {
    const length = at + 1 < end ? bytes[at + 1] * 8 : 0
    if (length === 0 || at + length > end || !readOption(bytes, at, length, out)) return false
    at += length
  }
  return true
}

function readOption(bytes: Uint8Array, at: number, length: number, out: NdMessage): boolean {
  switch (bytes[at]) {
    case OPTION.sourceMac:
    case OPTION.targetMac: {
      const mac = readMac(bytes, at + 2)
      if (length !== 8 || isGroupMac(mac) || mac === 0) return false
      if (bytes[at] === OPTION.sourceMac) out.sourceMac = mac
      else out.targetMac = mac
      return true
    }
    case OPTION.prefix: {
      if (length !== 32 || bytes[at + 2] > 128) return false
      const prefix = new IpAddress()
      prefix.read(bytes, at + 16, 6)
      const isOnLink = (bytes[at + 3] & 0x80) !== 0
      const isAutonomous = (bytes[at + 3] & 0x40) !== 0
      const validS = get32(bytes, at + 4) >>> 0
      const preferredS = get32(bytes, at + 8) >>> 0
      const information = { prefix, prefixLength: bytes[at + 2], isOnLink, isAutonomous, validS, preferredS }
      if (out.prefixes.length < MOST_OF_ONE) out.prefixes.push(information)
      return true
    }
    case OPTION.mtu:
      if (length !== 8) return false
      out.mtu = get32(bytes, at + 4) >>> 0
      return true
    case OPTION.dns: {
      // RFC 8106 §5.1: an odd number of units, three at least.
      if (length < 24 || length % 16 !== 8) return false
      for (let i = at + 8; i < at + length && out.dnsServers.length < MOST_OF_ONE; i += 16) {
        const address = new IpAddress()
        address.read(bytes, i, 6)
        out.dnsServers.push({ address, lifetimeS: get32(bytes, at + 4) >>> 0 })
      }
      return true
    }
    default:
      return true
  }
}

function judge(ip: IpHeader, message: NdMessage, bytes: Uint8Array, at: number): NdVerdict {
  const { src, dst } = ip
  const isFromNobody = src.isUnspecified
  switch (message.type) {
    case ND_TYPE.routerSolicitation: // RFC 4861 §6.1.1
      return isFromNobody && message.sourceMac !== NO_MAC ? 'nd-bad-source' : 'ok'
    case ND_TYPE.routerAdvertisement: // §6.1.2
      return isLinkLocal(src) ? 'ok' : 'nd-bad-source'
    case ND_TYPE.neighbourSolicitation: // §7.1.1
      if (!isHostAddress(message.target)) return 'nd-bad-target'
      if (!isFromNobody) return isHostAddress(src) ? 'ok' : 'nd-bad-source'
      if (!dst.equals(solicitedNode(message.target))) return 'nd-bad-destination'
      return message.sourceMac === NO_MAC ? 'ok' : 'nd-bad-source'
    case ND_TYPE.neighbourAdvertisement: // §7.1.2
      if (!isHostAddress(message.target)) return 'nd-bad-target'
      if (!isHostAddress(src)) return 'nd-bad-source'
      return dst.isMulticast && message.isSolicited ? 'nd-bad-flags' : 'ok'
    default: {
      // §8.1: the target is the destination itself, or a router by its link-local address.
      if (!isLinkLocal(src)) return 'nd-bad-source'
      const destination = new IpAddress()
      destination.read(bytes, at + 24, 6)
      if (destination.isMulticast) return 'nd-bad-destination'
      return isLinkLocal(message.target) || message.target.equals(destination) ? 'ok' : 'nd-bad-target'
    }
  }
}

/** fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal(address: IpAddress): boolean {
  return address.w0 >>> 22 === 0x3fa
}

function isHostAddress(address: IpAddress): boolean {
  return !address.isMulticast && !address.isUnspecified && !address.isLoopback && address.family === 6
}

/**
 * Writes a solicitation or an advertisement of a neighbour, or a router solicitation, at `at`, with the option for the address that is set.
 * @returns its bytes, at most 32
 */
export function writeNd(message: NdMessage, bytes: Uint8Array, at: number, src: IpAddress, dst: IpAddress): number {
  const { type, sourceMac, targetMac } = message
  let end = at + (BODY_BYTES[type] ?? 8)
  bytes.fill(0, at, end)
  bytes[at] = type
  if (type === ND_TYPE.neighbourAdvertisement) {
    bytes[at + 4] = (message.isRouter ? 0x80 : 0) | (message.isSolicited ? 0x40 : 0) | (message.isOverride ? 0x20 : 0)
  }
  if (type === ND_TYPE.neighbourAdvertisement || type === ND_TYPE.neighbourSolicitation) {
    message.target.write(bytes, at + 8)
  }
  if (sourceMac !== NO_MAC) end = writeMacOption(OPTION.sourceMac, sourceMac, bytes, end)
  if (targetMac !== NO_MAC) end = writeMacOption(OPTION.targetMac, targetMac, bytes, end)
  put16(bytes, at + 2, finishChecksum(sumBytes(bytes, at, end, pseudoHeaderSum(src, dst, PROTOCOL.ICMPV6, end - at))))
  return end - at
}

function writeMacOption(kind: number, mac: Mac, bytes: Uint8Array, at: number): number {
  bytes[at] = kind
  bytes[at + 1] = 1
  writeMac(mac, bytes, at + 2)
  return at + 8
}

/** Writes a router advertisement with its options at `at`, for tests and scripted routers. @returns its bytes */
export function writeRouterAdvertisement(
  message: NdMessage,
  bytes: Uint8Array,
  at: number,
  src: IpAddress,
  dst: IpAddress,
): number {
  bytes.fill(0, at, at + 16)
  bytes[at] = ND_TYPE.routerAdvertisement
  bytes[at + 4] = message.hopLimit
  bytes[at + 5] = (message.isManaged ? 0x80 : 0) | (message.isOther ? 0x40 : 0)
  put16(bytes, at + 6, message.lifetimeS)
  put32(bytes, at + 8, message.reachableMs)
  put32(bytes, at + 12, message.retransMs)
  let end = at + 16
  if (message.sourceMac !== NO_MAC) end = writeMacOption(OPTION.sourceMac, message.sourceMac, bytes, end)
  if (message.mtu !== 0) {
    bytes.fill(0, end, end + 8)
    bytes[end] = OPTION.mtu
    bytes[end + 1] = 1
    put32(bytes, end + 4, message.mtu)
    end += 8
  }
  for (const { prefix, prefixLength, isOnLink, isAutonomous, validS, preferredS } of message.prefixes) {
    bytes.fill(0, end, end + 32)
    bytes.set([OPTION.prefix, 4, prefixLength, (isOnLink ? 0x80 : 0) | (isAutonomous ? 0x40 : 0)], end)
    put32(bytes, end + 4, validS)
    put32(bytes, end + 8, preferredS)
    prefix.write(bytes, end + 16)
    end += 32
  }
  put16(bytes, at + 2, finishChecksum(sumBytes(bytes, at, end, pseudoHeaderSum(src, dst, PROTOCOL.ICMPV6, end - at))))
  return end - at
}
