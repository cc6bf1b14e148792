// What createHost takes. Owns: the options, their names. Does not own: what they do (host.ts).

import type { LookupFunction } from 'node:net'
import type { Random } from '../base/random.ts'
import { didYouMean } from '../base/suggest.ts'
import type { Scheduler } from '../base/time.ts'
import type { InterfaceAddress } from '../ip/address.ts'
import type { PacketDevice } from '../link/device.ts'
import type { TcpConfig } from '../tcp/index.ts'
import type { DnsOptions } from './dns.ts'
import type { HostRoute } from './routes.ts'

/** How a host is set up. */
export interface HostOptions {
  /** The host owns it from now on: `close` closes it. */
  readonly device: PacketDevice
  /** Own addresses with prefix lengths: '10.77.0.2/24', 'fd77::2/64'. [] for a host that learns them: see `Host.addAddress`. */
  readonly address: string | readonly (string | InterfaceAddress)[]
  /** Routes besides those to the prefixes of `address`. Default: one default route for each family, on the link itself. */
  readonly routes?: readonly HostRoute[]
  /** The clock. Default: real time, with timers that do not keep the program alive; see createHost for a cable in memory. */
  readonly scheduler?: Scheduler
  /** Default: the operating system's. */
  readonly random?: Random
  /** TCP settings of all connections. */
  readonly tcp?: Partial<TcpConfig>
  /** IPv4 time to live, IPv6 hop limit: 1 to 255. Default 64. */
  readonly hopLimit?: number
  /** Most connections in TIME-WAIT; over that the oldest goes (Linux's tcp_max_tw_buckets). Default 65536; Infinity for no limit. */
  readonly timeWaitMax?: number
  /** First and last port of those that TCP's connections get by themselves (Linux's ip_local_port_range). Default 32768 to 60999. */
  readonly ephemeralPorts?: readonly [number, number]
  /** Most connections closed by their socket and not over; one more is reset (Linux's tcp_max_orphans). Default 32768. */
  readonly orphanMax?: number
  /** Most challenge acknowledgements in a second, about, of all connections (RFC 5961 §10). Default 1000; Infinity for no limit. */
  readonly challengeAcksPerSecond?: number
  /** Resolves names for `connect`, as node:dns's `lookup` does. Without it only addresses can be connected to. */
  readonly lookup?: LookupFunction
  /** A resolver of the host's own, for `connect` and `host.lookup`; `lookup` counts more. See `host.resolver`. */
  readonly dns?: DnsOptions
}

const HOST_OPTIONS: Readonly<Record<keyof HostOptions, true>> = {
  device: true,
  address: true,
  routes: true,
  scheduler: true,
  random: true,
  tcp: true,
  hopLimit: true,
  timeWaitMax: true,
  ephemeralPorts: true,
  orphanMax: true,
  challengeAcksPerSecond: true,
  lookup: true,
  dns: true,
}

/** @throws {TypeError} for no options, or naming an option that is none and the one that may be meant */
export function checkOptionNames(options: HostOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError("createHost needs options, as { device, address: '10.77.0.2/24' }")
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(HOST_OPTIONS, name)) continue
    const known = didYouMean(name, Object.keys(HOST_OPTIONS)) || `; known: ${Object.keys(HOST_OPTIONS).join(', ')}`
    throw new TypeError(`createHost does not know the option '${name}'${known}`)
  }
}
