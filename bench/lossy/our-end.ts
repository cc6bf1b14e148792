// Our end of a transfer: a host of its own on a cable in memory, whose other end the bridge carries on. It lives in the bridge's process,
// on the clock that every host has.
// Owns: the host, its settings, counting what its congestion controller is told. Does not own: the link (link.ts).

import { memoryPair, type PacketDevice } from '../../src/link/index.ts'
import { createHost, type Host, realTime } from '../../src/net/index.ts'
import { type CongestionControl, congestionControl, registerCongestionControl } from '../../src/tcp/index.ts'
import { type Received, receiveStream, sendStream } from './stream.ts'

const CABLE_PACKETS = 16384

/** What the sender's congestion controller was told. */
export interface Told {
  /** Recoveries begun (RFC 5681 §3.2), timeouts, and how many of both were taken back as mistakes. */
  losses: number
  timeouts: number
  undone: number
}

let count = 0

/** The controller of that name under a new one, counting what it is told. */
function counted(name: string, told: Told): CongestionControl {
  const inner = congestionControl(name)
  const control: CongestionControl = {
    ...inner,
    name: `${name}-${count++}`,
    onLoss(...args) {
      told.losses++
      inner.onLoss(...args)
    },
    onTimeout(...args) {
      told.timeouts++
      inner.onTimeout(...args)
    },
    onSpuriousLoss(...args) {
      told.undone++
      inner.onSpuriousLoss?.(...args)
    },
  }
  registerCongestionControl(control)
  return control
}

/** A host for one transfer. */
export class OurEnd {
  /** The bridge's end of the cable. */
  readonly device: PacketDevice
  readonly told: Told = { losses: 0, timeouts: 0, undone: 0 }
  readonly #host: Host

  /** @param address with its prefix length @param offload whether the cable takes super-segments */
  constructor(address: string, offload: boolean) {
    const superSegmentBytes = offload ? 65_535 : 0
    const [inner, outer] = memoryPair({ scheduler: realTime(), txQueueLength: CABLE_PACKETS, superSegmentBytes })
    this.device = outer
    const congestion = counted('cubic', this.told).name
    const tcp = { congestion } // buffers tune themselves, as the kernel's do
    this.#host = createHost({ device: inner, address, tcp, scheduler: realTime({ ref: true }) })
  }

  /** Opens a port; the result resolves at the end of the measurement. */
  async receive(port: number, seed: number, seconds: number): Promise<{ readonly done: Promise<Received> }> {
    const server = await this.#host.listen({ port })
    const done = new Promise<Received>((resolve) => {
      server.on('connection', (socket) => {
        socket.on('error', () => undefined)
        resolve(receiveStream(socket, seed, seconds))
      })
    })
    return { done }
  }

  /** Connects and sends until the end. */
  async send(host: string, port: number, seed: number): Promise<void> {
    const socket = await this.#host.connect({ host, port })
    sendStream(socket, seed)
  }

  /** Resets what is open. */
  async close(): Promise<void> {
    await this.#host.close({ graceMs: 0 })
  }
}
