// Networks in virtual time: cables with delay, loss and the rest between devices, all from one seed. What is attached to an end is up to
// the caller: a Stack with a Driver, a Host with sockets, or a script that plays the peer.
//
//     const network = new Network({ seed: 1 })
//     const [left, right] = network.cable({ delayUs: 20 * MILLISECOND, lossRate: 0.01 })
//     createHost({ device: left, address: '10.0.0.1/24', scheduler: network.time, random: network.random() })
//
// Owns: time, seeds, cables. Does not own: hosts (src/stack, src/net), what a link does to packets (src/link/impairment).

import { type Random, SeededRandom } from '../base/random.ts'
import type { PacketDevice } from '../link/device.ts'
import { type ImpairedDevice, impair } from '../link/impair.ts'
import type { Impairment } from '../link/impairment.ts'
import { memoryPair } from '../link/pair.ts'
import { type SimRouter, type SimRouterOptions, simRouter } from './router.ts'
import { VirtualTime } from './virtual-time.ts'

/** How a network is set up. */
export interface NetworkOptions {
  /** Equal seeds give equal runs, to the byte. */
  readonly seed: number
  /** A clock to share with other networks; by default a new one. */
  readonly time?: VirtualTime
}

/** What a cable does to packets; an Impairment for both directions, and what the devices are like. */
export interface CableOptions extends Impairment {
  readonly mtu?: number
  readonly names?: readonly [string, string]
  /** Packets that wait at each end before further ones are dropped. */
  readonly txQueueLength?: number
  /** Super-segments up to this size, handed over whole; only on a cable that loses and reorders nothing. */
  readonly superSegmentBytes?: number
  /** What happens from the second end to the first, when it differs. */
  readonly back?: Impairment
}

/** A network in virtual time. */
export class Network {
  readonly time: VirtualTime
  readonly #random: SeededRandom

  constructor(options: NetworkOptions) {
    if (!Number.isFinite(options.seed)) throw new TypeError(`the seed is a number, not ${options.seed}`)
    this.time = options.time ?? new VirtualTime()
    this.#random = new SeededRandom(options.seed)
  }

  /** A source of randomness of its own for a host or an application. */
  random(): Random {
    return this.#random.fork()
  }

  /** A cable; its two ends. Each end impairs what it sends. @throws {RangeError} for an option out of its bounds */
  cable(options: CableOptions = {}): readonly [PacketDevice, PacketDevice] {
    const { mtu, names, txQueueLength, superSegmentBytes, back, ...forth } = options
    const [left, right] = memoryPair({
      scheduler: this.time,
      ...(mtu === undefined ? {} : { mtu }),
      ...(names === undefined ? {} : { names }),
      ...(txQueueLength === undefined ? {} : { txQueueLength }),
      ...(superSegmentBytes === undefined ? {} : { superSegmentBytes }),
    })
    const keepOffload = superSegmentBytes !== undefined && superSegmentBytes > 0
    return [this.#impaired(left, forth, keepOffload), this.#impaired(right, back ?? forth, keepOffload)]
  }

  /** A router between cables: `router({ ports: [{ device: right, addresses: ['10.0.0.254/24'] }, ...] })`. */
  router(options: SimRouterOptions): SimRouter {
    return simRouter(options, this.time, this.random())
  }

  #impaired(device: PacketDevice, out: Impairment, keepOffload: boolean): PacketDevice {
    const random = this.#random.fork()
    if (Object.keys(out).length === 0) return device
    return impair(device, { scheduler: this.time, random, out, keepOffload }) satisfies ImpairedDevice
  }
}
