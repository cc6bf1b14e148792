// A lease: what a server has given to a client.
// Owns: the record, and whether an answer makes one. Does not own: when it is asked for or renewed (client.ts).
// Read first: RFC 2131 §3.1 and §4.4.5.

import type { Micros } from '../base/time.ts'
import { SECOND } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { DhcpMessage } from './message.ts'
import { addressesOption, addressOption, OPTION, prefixOfMask, textOption, uint32Option } from './options.ts'

/** What has been leased. Instants are of the client's clock; Infinity for ever. */
export interface Lease {
  readonly address: IpAddress
  readonly prefixLength: number
  readonly server: IpAddress
  readonly routers: readonly IpAddress[]
  readonly dnsServers: readonly IpAddress[]
  readonly domain: string | null
  /** 0: not said. */
  readonly mtu: number
  readonly leaseS: number
  /** T1, T2 and the end. */
  readonly renewAt: Micros
  readonly rebindAt: Micros
  readonly expiresAt: Micros
}

const FOREVER_S = 0xffffffff

/**
 * The lease that an offer or an acknowledgement makes, its times counted from `from`, when it was asked for. Null when it lacks what it
 * must have, or cannot be: the address of no host, no server, no time.
 */
export function leaseOf(message: DhcpMessage, from: Micros): Lease | null {
  const { yiaddr, options } = message
  const server = addressOption(options, OPTION.serverId)
  const leaseS = uint32Option(options, OPTION.leaseTime)
  const first = yiaddr.w3 >>> 24
  if (server === null || leaseS <= 0 || first === 0 || first === 127 || first >= 224) return null
  const mask = addressOption(options, OPTION.subnetMask)
  const prefixLength = mask === null ? classPrefix(first) : prefixOfMask(mask)
  if (prefixLength < 1) return null
  // RFC 2131 §4.4.5: half of the time, and seven eighths; what a server says otherwise must be in that order.
  const t2 = timeOr(uint32Option(options, OPTION.rebindingTime), leaseS, leaseS * 0.875)
  const t1 = timeOr(uint32Option(options, OPTION.renewalTime), t2, Math.min(leaseS * 0.5, t2))
  const at = (seconds: number): Micros => (leaseS === FOREVER_S ? Number.POSITIVE_INFINITY : from + seconds * SECOND)
  const mtu = options.get(OPTION.mtu)
  return {
    address: yiaddr,
    prefixLength,
    server,
    routers: addressesOption(options, OPTION.router),
    dnsServers: addressesOption(options, OPTION.dns),
    domain: textOption(options, OPTION.domain),
    mtu: mtu?.length === 2 ? mtu[0] * 256 + mtu[1] : 0,
    leaseS,
    renewAt: at(t1),
    rebindAt: at(t2),
    expiresAt: at(leaseS),
  }
}

function timeOr(said: number, most: number, otherwise: number): number {
  return said > 0 && said <= most ? said : otherwise
}

// RFC 2132 §3.3 lets a server leave the mask out where the network is one of the old classes.
function classPrefix(first: number): number {
  return first < 128 ? 8 : first < 192 ? 16 : 24
}
