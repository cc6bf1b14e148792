// Routes as a program writes them.
// Owns: reading them. Does not own: the table (src/ip/routes.ts).

import { type IpAddress, parseAddress, parseCidr } from '../ip/address.ts'
import type { Route } from '../ip/routes.ts'

/** A route of a host. */
export interface HostRoute {
  /** '10.1.0.0/16', 'fd00:1::/32'; 'default': everywhere, in the family of `via` (without it IPv4), as '0.0.0.0/0' and '::/0'. */
  readonly to: string
  /** The router to send through; absent: it is on the link itself. */
  readonly via?: string
  /** The own address that packets should come from. */
  readonly from?: string
  /** Of two routes to the same prefix the one with the smaller metric is used. Default 0; when taking one away: any. */
  readonly metric?: number
  /** The interface, by number, where a host has several. Default 0; when taking one away: any. */
  readonly port?: number
}

/** @throws {TypeError} naming what is no address or prefix */
export function readRoute({ to, via, from, metric, port }: HostRoute): Route {
  const gateway = via === undefined ? null : read(via)
  const text = to === 'default' ? (gateway?.family === 6 ? '::/0' : '0.0.0.0/0') : to
  const { address: destination, prefixLength } = parseCidr(text)
  return {
    destination,
    prefixLength,
    ...(gateway === null ? {} : { gateway }),
    ...(from === undefined ? {} : { source: read(from) }),
    ...(metric === undefined ? {} : { metric }),
    ...(port === undefined ? {} : { port }),
  }
}

function read(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === null) throw new TypeError(`a route names addresses, and '${text}' is none`)
  return address
}
