// Makes a network of a plan: links with their lines, queues and losses, relays where links meet, one device for each host.
// Owns: the order of what happens to a packet on a link. Does not own: the plan (topology.ts), hosts (world.ts).
//
//   host -> [faults] -> queue, line of a rate -> loss, bursts of loss -> delay, jitter, reordering, duplication, corruption -> next node

import type { Random } from '../base/random.ts'
import type { Scheduler } from '../base/time.ts'
import { parseAddress } from '../ip/address.ts'
import { burstLosses } from '../link/burst-loss.ts'
import { Codel } from '../link/codel.ts'
import type { Packet, PacketDevice } from '../link/device.ts'
import { impair } from '../link/impair.ts'
import type { Impairment } from '../link/impairment.ts'
import { memoryPair } from '../link/pair.ts'
import { DropTail, type QueueDiscipline } from '../link/queue-discipline.ts'
import { Red } from '../link/red.ts'
import { shape } from '../link/shape.ts'
import { Forwarder, type Rewrite } from './forwarder.ts'
import { addressesOf, backOf, checkTopology, type Link, readWay, type Topology, type WayPlan } from './topology.ts'

/** Packets that a cable holds at most: what limits them are the queues of the plan. */
const CABLE_PACKETS = 1_000_000

/** What wiring needs, and whom it tells. */
export interface WiringOptions {
  readonly scheduler: Scheduler
  /** A source of its own for whoever asks. */
  readonly random: () => Random
  /** A packet went no further, and why. */
  readonly onLost: (packet: Packet, fate: string) => void
  /** The queue of a direction of a link ('left > right') has changed. */
  readonly onQueue: (name: string, packets: number, bytes: number) => void
  /** That queue has dropped a packet. */
  readonly onQueueDrop: (name: string) => void
  /** Changes or drops packets that a node passes on (address translation), by the node's name. */
  readonly rewrites?: Readonly<Record<string, Rewrite>>
}

/** A network made real. */
export interface Wiring {
  /** The device of each host. */
  readonly devices: ReadonlyMap<string, PacketDevice>
  /** Own addresses of each host, with prefix lengths. */
  readonly addresses: ReadonlyMap<string, readonly string[]>
  /** Ends it: links close. */
  close(): void
}

interface End {
  readonly node: string
  readonly next: string
  readonly device: PacketDevice
}

/** Makes the network. @throws {TypeError | RangeError} for a plan that makes no sense */
export function wire(topology: Topology, options: WiringOptions): Wiring {
  checkTopology(topology)
  const ends = topology.links.flatMap((link) => wireLink(link, options))
  const addresses = addressesOf(topology)
  const devices = new Map<string, PacketDevice>()
  const relays: Forwarder[] = []
  for (const node of [...(topology.routers ?? []), ...Object.keys(topology.hosts)]) {
    const own = ends.filter((end) => end.node === node)
    const isHost = addresses.has(node)
    if (isHost && own.length === 1) {
      devices.set(node, own[0].device)
      continue
    }
    const relay = new Forwarder(options.scheduler, options.rewrites?.[node] ?? null)
    relays.push(relay)
    for (const { device } of own) relay.addPort(device)
    if (isHost) {
      const [inside, outside] = memoryPair({ scheduler: options.scheduler, txQueueLength: CABLE_PACKETS })
      devices.set(node, inside)
      relay.addPort(outside)
      route(relay, addresses.get(node) ?? [], outside)
    }
    for (const { next, device } of own) {
      for (const [host, list] of addresses)
        if (host !== node && nextHop(topology, node, host) === next) route(relay, list, device)
    }
  }
  return {
    devices,
    addresses,
    close() {
      for (const relay of relays) relay.close()
    },
  }
}

function route(relay: Forwarder, addresses: readonly string[], device: PacketDevice): void {
  for (const text of addresses) {
    const address = parseAddress(text.replace(/\/.*/, ''))
    if (address !== null) relay.addRoute(address, device)
  }
}

/** The neighbour over which the shortest way leads; of equal ones the first that was named. */
function nextHop({ links }: Topology, from: string, to: string): string | null {
  const back = new Map<string, string>([[to, to]])
  for (const node of back.keys()) {
    if (node === from) break
    for (const { from: a, to: b } of links) {
      const other = a === node ? b : b === node ? a : null
      if (other !== null && !back.has(other)) back.set(other, node)
    }
  }
  return back.get(from) ?? null
}

function wireLink(link: Link, options: WiringOptions): [End, End] {
  const { from, to, mtu } = link
  const [left, right] = memoryPair({
    scheduler: options.scheduler,
    txQueueLength: CABLE_PACKETS,
    names: [from, to],
    ...(mtu === undefined ? {} : { mtu }),
  })
  return [
    { node: from, next: to, device: wireWay(left, readWay(link), `${from} > ${to}`, options) },
    { node: to, next: from, device: wireWay(right, readWay(backOf(link)), `${to} > ${from}`, options) },
  ]
}

function wireWay(device: PacketDevice, way: WayPlan, name: string, options: WiringOptions): PacketDevice {
  const { scheduler, onLost, onQueue, onQueueDrop } = options
  const impaired = impair(device, { scheduler, random: options.random(), out: impairmentOf(way, options) })
  if (way.rateBps === Number.POSITIVE_INFINITY) return impaired
  const queue = queueOf(way, options)
  queue.onDrop = (packet, reason) => {
    onLost(packet, QUEUE_FATES[reason])
    onQueueDrop(name)
  }
  return shape(impaired, {
    scheduler,
    rateBps: way.rateBps,
    queue,
    onLength: (packets, bytes) => onQueue(name, packets, bytes),
  })
}

const QUEUE_FATES = { full: 'queue full', early: 'dropped early (RED)', late: 'dropped late (CoDel)' } as const

function impairmentOf(way: WayPlan, { random, onLost }: WiringOptions): Impairment {
  const dice = random()
  const inBurst = way.bursts === null ? null : burstLosses(way.bursts, random())
  const losses = way.lossRate > 0 || inBurst !== null
  return {
    delayUs: way.delayUs,
    jitterUs: way.jitterUs,
    reorderRate: way.reorderRate,
    reorderDelayUs: way.reorderDelayUs,
    duplicateRate: way.duplicateRate,
    corruptRate: way.corruptRate,
    ...(losses
      ? {
          drop: (packet: Packet) => {
            const isBurst = inBurst?.() ?? false
            const isLost = way.lossRate > 0 && dice.fraction() < way.lossRate
            if (isLost || isBurst) onLost(packet, 'lost on the line')
            return isLost || isBurst
          },
        }
      : {}),
  }
}

function queueOf({ queue, rateBps }: WayPlan, { random }: WiringOptions): QueueDiscipline {
  const { kind, packets, bytes } = queue
  const limits = { ...(packets === undefined ? {} : { packets }), ...(bytes === undefined ? {} : { bytes }) }
  if (kind === 'codel') return new Codel({ limits })
  if (kind === 'drop-tail') return new DropTail(limits)
  const { minPackets, maxPackets } = queue
  const packetUs = (1500 * 8e6) / rateBps
  return new Red({
    random: random(),
    limits,
    packetUs,
    ...(minPackets === undefined ? {} : { minPackets, maxPackets }),
  })
}
