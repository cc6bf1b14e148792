// From which of our addresses a connection goes out (RFC 9293 §3.9.1.1). Owns: the checks of both addresses. Not ports (ports.ts).

import type { IpAddress } from '../ip/address.ts'
import type { IpLayer } from '../ip/layer.ts'
import { TcpError } from './errors.ts'
import type { ConnectOptions } from './layer-options.ts'

/**
 * The own address of an active open: the one asked for, or the one that IP would use [MUST-43] [MUST-44].
 * @throws {TcpError} ENETUNREACH, EADDRNOTAVAIL
 */
export function localAddress(ip: IpLayer, { local, remote }: ConnectOptions): IpAddress {
  if (remote.isMulticast || remote.isUnspecified || ip.isBroadcast(remote)) {
    throw new TcpError('ENETUNREACH', `${remote} is not the address of one host`) // [MUST-46]
  }
  if (ip.isLocal(remote)) ip.enableLoopback()
  const own = local ?? ip.sourceFor(remote)
  if (own === null) throw new TcpError('ENETUNREACH', `no address of ours can reach ${remote}`)
  if (!ip.isLocal(own) || own.family !== remote.family) {
    throw new TcpError('EADDRNOTAVAIL', `${own} is not an address of this host that can reach ${remote}`)
  }
  return own
}

/** The own address that equals `address`, which a record may keep: all connections to it share one. */
export function ownAddress(ip: IpLayer, address: IpAddress): IpAddress {
  for (const own of ip.addresses) if (own.address.equals(address)) return own.address
  return address.clone()
}
