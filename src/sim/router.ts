// A router in a network of cables: a stack over several ends, that sends on what is for others.
// Owns: joining them. Does not own: forwarding (src/stack/router.ts), cables (network.ts).

import type { Random } from '../base/random.ts'
import type { Scheduler } from '../base/time.ts'
import { parseCidr } from '../ip/address.ts'
import type { Route } from '../ip/routes.ts'
import type { PacketDevice } from '../link/device.ts'
import { Driver, Router, Stack } from '../stack/index.ts'

/** One interface of a router. */
export interface RouterPort {
  /** An end of a cable. */
  readonly device: PacketDevice
  /** The router's own addresses there: '10.1.0.1/24'. */
  readonly addresses: readonly string[]
}

/** How a router is set up. */
export interface SimRouterOptions {
  readonly ports: readonly RouterPort[]
  /** Routes besides those to the prefixes of the own addresses; `port` is a place in `ports`. Default: none. */
  readonly routes?: readonly Route[]
  /** Whether packets for others go on. Default true. */
  readonly forwarding?: boolean
}

/** A router that runs. */
export interface SimRouter {
  readonly router: Router
  readonly stack: Stack
  readonly driver: Driver
}

/** Makes a router and starts it. @throws {TypeError | RangeError} for an address or a port that cannot be */
export function simRouter(options: SimRouterOptions, scheduler: Scheduler, random: Random): SimRouter {
  const { ports, routes = [], forwarding = true } = options
  const router = new Router({ ports: ports.map(({ device }) => device), scheduler, forwarding })
  const addresses = ports.flatMap((one, port) => one.addresses.map((text) => ({ ...parseCidr(text), port })))
  const stack = new Stack({ addresses, mtu: router.mtu, random, routes })
  router.attach(stack.ip)
  const driver = new Driver({ stack, device: router, scheduler, onEvent: () => undefined })
  return { router, stack, driver }
}
