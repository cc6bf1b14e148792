// One bulk transfer in virtual time through a bottleneck, under one pattern of losses that is the same for every controller, with the
// sender's event stream recorded: what the figures of plots.ts are drawn from. Equal runs give equal bytes.

import { MILLISECOND, type Micros, SECOND } from '../../src/base/index.ts'
import type { Packet } from '../../src/link/index.ts'
import { createHost } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'
import type { TcpConfig, TcpEvent } from '../../src/tcp/index.ts'

/** The path: 10 Mbit/s, 100 ms round trip, a queue of one bandwidth-delay product. */
export const PATH = { rateBps: 10e6, delayUs: 50 * MILLISECOND, queuePackets: 83 }
/** When packets are lost besides those that find the queue full: how many in a row of those that leave from then on. */
export const LOSSES: readonly (readonly [Micros, number])[] = [
  [12 * SECOND, 1],
  [20 * SECOND, 3],
  [28 * SECOND, 1],
]
const TEXT_PACKET_BYTES = 1000

/** What a run gave. */
export interface Run {
  readonly congestion: string
  readonly events: readonly TcpEvent[]
  /** When each packet was lost on the line, and when one found the queue full; since the start. */
  readonly lost: readonly Micros[]
  readonly mss: number
  /** Bytes that arrived, in `seconds`. */
  readonly received: number
  readonly seconds: number
}

/** Sends for so many seconds with the given controller. */
export async function run(congestion: string, seconds: number, tcp: Partial<TcpConfig> = {}): Promise<Run> {
  const network = new Network({ seed: 1 })
  const { time } = network
  const lost: Micros[] = []
  let pending = 0
  let next = 0
  const drop = (packet: Packet): boolean => {
    if (packet.length < TEXT_PACKET_BYTES) return false
    if (next < LOSSES.length && time.now() >= LOSSES[next][0]) pending += LOSSES[next++][1]
    if (pending === 0) return false
    pending--
    lost.push(time.now())
    return true
  }
  const [left, right] = network.cable({ ...PATH, drop, back: { delayUs: PATH.delayUs } })
  const buffers = { sendBufferBytes: 1 << 22, receiveBufferBytes: 1 << 22 }
  const settings = { scheduler: time, tcp: { ...buffers, ...tcp, congestion } }
  const sender = createHost({ ...settings, device: left, address: '10.0.0.1/24', random: network.random() })
  const receiver = createHost({ ...settings, device: right, address: '10.0.0.2/24', random: network.random() })
  const events: TcpEvent[] = []
  sender.stack.tcp.observe((event) => events.push(event))
  let received = 0
  receiver
    .createServer((socket) => {
      socket.on('data', (chunk: Uint8Array) => {
        received += chunk.length
      })
      socket.on('error', () => undefined)
    })
    .listen(80)
  const chunk = new Uint8Array(1 << 16)
  const socket = sender.createConnection({ host: '10.0.0.2', port: 80 })
  const fill = (): void => {
    while (socket.write(chunk));
  }
  socket.on('connect', fill).on('drain', fill)
  socket.on('error', () => undefined)
  let mss = 0
  let arrived = 0
  let recorded = 0
  await time.runFor(
    new Promise<void>((resolve) => {
      time.schedule(seconds * SECOND, () => {
        mss = socket.info()?.tcpi_snd_mss ?? 0
        arrived = received // what comes while everything closes does not count
        recorded = events.length
        resolve()
      })
    }),
  )
  socket.destroy()
  await time.runFor(Promise.all([sender.close(), receiver.close()]))
  return { congestion, events: events.slice(0, recorded), lost, mss, received: arrived, seconds }
}
