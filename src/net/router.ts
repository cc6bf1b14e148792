// A host on several devices, that sends on what is for others.
// Owns: joining them. Does not own: forwarding (src/stack/router.ts), the host (host.ts).

import { parseCidr } from '../ip/address.ts'
import type { PacketDevice } from '../link/device.ts'
import { Router } from '../stack/index.ts'
import { createHost, type Host } from './host.ts'
import type { HostOptions } from './host-options.ts'
import { realTime } from './real-time.ts'

/** One interface. */
export interface RouterPort {
  /** A device without offload: `openTun({ ..., offload: false })`. */
  readonly device: PacketDevice
  /** Own addresses there: '10.1.0.1/24'. */
  readonly address: string | readonly string[]
}

/** How a router is set up: a host, with ports in place of device and address. */
export interface HostRouterOptions extends Omit<HostOptions, 'device' | 'address'> {
  /** Their places are the numbers that routes name. */
  readonly ports: readonly RouterPort[]
  /** Whether packets for others go on (RFC 1812). Default true; false: a host with several interfaces. */
  readonly forwarding?: boolean
}

/** A router, and the host that it is. */
export interface HostRouter {
  /** For sockets, servers and routes of the router itself; closing it closes the devices. */
  readonly host: Host
  readonly router: Router
}

/**
 * Makes a router: `createRouter({ ports: [{ device, address: '10.1.0.1/24' }, ...], routes: [{ to: 'default', via: '10.1.0.9' }] })`.
 * @throws {TypeError | RangeError} for a device that offloads, an address that is none, or a setting out of its bounds
 */
export function createRouter(options: HostRouterOptions): HostRouter {
  const { ports, forwarding = true, routes = [], scheduler = realTime(), ...rest } = options
  const router = new Router({ ports: ports.map(({ device }) => device), scheduler, forwarding })
  const address = ports.flatMap((one, port) =>
    (typeof one.address === 'string' ? [one.address] : one.address).map((text) => ({ ...parseCidr(text), port })),
  )
  const host = createHost({ ...rest, scheduler, routes, device: router, address })
  router.attach(host.stack.ip)
  return { host, router }
}
