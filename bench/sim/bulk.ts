// P9: one connection over a link in virtual time, as fast as the machine can: prints how much faster than real time that was.
//   bulk.js RATE_BPS DELAY_US SECONDS checked|unchecked|super [count|profile]
// unchecked: the cable spares both ends the checksums, as a good network card; super: it takes segments of 64 KiB too, and each is late as
// a whole. count: also tells what is allocated.
// Owns: the network and its application. Does not own: repetitions (virtual.ts).

import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { Network } from '../../src/sim/index.ts'
import { type Connection, Driver, EVENT, type EventSource, Stack } from '../../src/stack/index.ts'
import { AllocationCounter } from '../allocations.ts'

const [rateBps, delayUs, seconds] = process.argv.slice(2, 5).map(Number)
const isUnchecked = process.argv[5] === 'unchecked'
const isSuper = process.argv[5] === 'super'
const CHUNK = new Uint8Array(64 * 1024)

const network = new Network({ seed: 1 })
const { time } = network
const queuePackets = Math.ceil((rateBps * 2 * delayUs) / 1e6 / 8 / 1500)
const [left, right] = network.cable({
  delayUs,
  rateBps,
  queuePackets,
  txQueueLength: 65536,
  ...(isSuper ? { superSegmentBytes: 65_535 } : {}),
})

interface Host {
  readonly stack: Stack
  readonly driver: Driver
}

function host(device: typeof left, address: string, onEvent: (source: EventSource, events: number) => void): Host {
  // What a cable in memory carries nobody damages.
  const offload = isUnchecked ? { checksum: true, superSegmentBytes: 0 } : device.offload
  const stack = new Stack({ addresses: [address], mtu: device.mtu, random: network.random(), offload })
  return { stack, driver: new Driver({ stack, device, scheduler: time, onEvent }) }
}

let received = 0
const server = host(right, '10.0.0.2/24', (source) => {
  if (source === listener) {
    for (let c = listener.accept(); c !== null; c = listener.accept()) c.user = c
    return
  }
  const connection = source as Connection
  received += connection.readWith(() => undefined)
  server.driver.wake()
})
const listener = server.stack.listen({ port: 80 })
const client = host(left, '10.0.0.1/24', (source, events) => {
  if ((events & (EVENT.connected | EVENT.writable)) !== 0) fill(source as Connection)
})

function fill(connection: Connection): void {
  while (connection.write(CHUNK) === CHUNK.length);
  client.driver.wake()
}

const packets = (): number => left.counters.txPackets + right.counters.txPackets

const remote = server.stack.ip.addresses[0].address
fill(client.stack.connect({ remote, remotePort: 80 }, time.now()))
time.runSync({ until: time.now() + SECOND }) // slow start, and code gets compiled
const before = received
const packetsBefore = packets()
const counter = process.argv[6] === undefined ? null : new AllocationCounter(process.argv[6] === 'profile')
counter?.start()
const start = performance.now()
time.runSync({ until: time.now() + seconds * SECOND })
const wall = (performance.now() - start) / 1000
const allocated = counter?.stop() ?? null
const mbit = ((received - before) * 8) / 1e6 / seconds
const segments = (received - before) / 1448
const result = {
  timesRealTime: seconds / wall,
  mbit,
  usPerSegment: (wall * 1e6) / segments,
  delayMs: delayUs / MILLISECOND,
  allocated,
  packets: packets() - packetsBefore,
}
process.stdout.write(`${JSON.stringify(result)}\n`)
