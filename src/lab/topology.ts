// Networks on paper: hosts, routers and the links between them, in the same words for TypeScript, YAML and the command line.
// Owns: the shape, reading its texts, checking it, common networks (line, dumbbell). Does not own: building it (wiring.ts), YAML (src/cli).
//
//     const net: Topology = {
//       hosts: { client: {}, server: { tcp: { initialWindowSegments: 4 } } },
//       links: [{ from: 'client', to: 'server', delay: '20ms', rate: '10mbit', queue: 'codel', loss: '1%' }],
//     }
//
// A host with several links passes on what is not for it; a router is a node without a host. Addresses are 10.0.0.1, 10.0.0.2, ... in the
// order of the hosts, unless they are given. What a link says holds for both directions; `back` says what differs on the way back.

import { didYouMean } from '../base/suggest.ts'
import { parseAddress } from '../ip/address.ts'
import { parseDuration, parsePackets, parsePercent, parseRate, parseSize } from '../link/impair-options.ts'
import type { TcpConfig } from '../tcp/config.ts'

/** One direction of a link. Numbers are microseconds, bits per second and shares from 0 to 1; texts carry their units. */
export interface LinkWay {
  /** Propagation delay: '20ms'. */
  readonly delay?: string | number
  /** Each packet's delay differs by up to this much, evenly. Never changes the order. */
  readonly jitter?: string | number
  /** Bits per second: '10mbit'. */
  readonly rate?: string | number
  /**
   * What waits for the line: 'drop-tail', 'red' or 'codel', and how much: 'drop-tail 100p' (packets), 'codel 256kb', 'red 30p 10p 300p'
   * (RED's least and most average, and its limit). Default 'drop-tail 1000p'. Needs `rate`.
   */
  readonly queue?: string
  /** Each packet's chance to be lost on the line: '1%'. */
  readonly loss?: string | number
  /** Bursts of loss (Gilbert, Elliott): chances to go from good to bad and back: '1% 30%'. */
  readonly bursts?: string
  readonly reorder?: string | number
  /** How long a reordered packet is held. Default: it overtakes the others instead. */
  readonly reorderBy?: string | number
  readonly duplicate?: string | number
  readonly corrupt?: string | number
}

/** A link between two nodes. */
export interface Link extends LinkWay {
  readonly from: string
  readonly to: string
  /** What differs from `to` to `from`. */
  readonly back?: LinkWay
  /** Largest IP packet in bytes. Default 1500. */
  readonly mtu?: number
}

/** A host. */
export interface HostPlan {
  /** One or more own addresses, with or without a prefix length: '10.0.0.1'. */
  readonly address?: string | readonly string[]
  /** TCP settings of all its connections. */
  readonly tcp?: Partial<TcpConfig>
}

/** A network. */
export interface Topology {
  readonly hosts: Readonly<Record<string, HostPlan>>
  readonly routers?: readonly string[]
  readonly links: readonly Link[]
}

/** Two hosts, 'client' and 'server', and one link. */
export function pairOf(link: Omit<Link, 'from' | 'to'> = {}, tcp: Partial<TcpConfig> = {}): Topology {
  return { hosts: { client: { tcp }, server: { tcp } }, links: [{ from: 'client', to: 'server', ...link }] }
}

/** A name for the n-th host of a kind: client1, client2, ... */
const numbered = (kind: string, i: number): string => `${kind}${i + 1}`

/**
 * A dumbbell: senders `client1`... and receivers `server1`..., each on a link of its own, share one `bottleneck` between two routers.
 * @param access what the links of each pair are like, one entry a pair
 */
export function dumbbell(
  bottleneck: Omit<Link, 'from' | 'to'>,
  access: readonly Omit<Link, 'from' | 'to'>[],
  tcp: Partial<TcpConfig> = {},
): Topology {
  const hosts: Record<string, HostPlan> = {}
  const links: Link[] = []
  access.forEach((way, i) => {
    hosts[numbered('client', i)] = { tcp }
    links.push({ from: numbered('client', i), to: 'left', ...way })
  })
  links.push({ from: 'left', to: 'right', ...bottleneck })
  access.forEach((_way, i) => {
    hosts[numbered('server', i)] = { tcp }
    links.push({ from: 'right', to: numbered('server', i) })
  })
  return { hosts, routers: ['left', 'right'], links }
}

const numeric = (value: string | number | undefined, read: (text: string) => number): number =>
  value === undefined ? 0 : typeof value === 'number' ? value : read(value)

/** A queue as its text says. */
export interface QueuePlan {
  readonly kind: 'drop-tail' | 'red' | 'codel'
  readonly packets?: number
  readonly bytes?: number
  /** RED's thresholds. */
  readonly minPackets?: number
  readonly maxPackets?: number
}

/** Reads a queue's text. @throws {TypeError} naming the mend */
export function parseQueue(text: string): QueuePlan {
  const mend = `'${text}': write drop-tail, red or codel, and how much may wait, as 'drop-tail 100p' or 'codel 256kb'`
  const [kind, ...sizes] = text.trim().split(/\s+/)
  if (kind !== 'drop-tail' && kind !== 'red' && kind !== 'codel') throw new TypeError(mend)
  if (kind === 'red' && sizes.length === 3) {
    const [minPackets, maxPackets, packets] = sizes.map(parsePackets)
    return { kind, minPackets, maxPackets, packets }
  }
  if (sizes.length > 1) throw new TypeError(mend)
  if (sizes.length === 0) return { kind, packets: 1000 }
  return sizes[0].endsWith('p') ? { kind, packets: parsePackets(sizes[0]) } : { kind, bytes: parseSize(sizes[0]) }
}

/** One direction with its texts read. */
export interface WayPlan {
  readonly delayUs: number
  readonly jitterUs: number
  /** Infinity: no line, packets do not wait. */
  readonly rateBps: number
  readonly queue: QueuePlan
  readonly lossRate: number
  readonly bursts: { readonly toBad: number; readonly toGood: number } | null
  readonly reorderRate: number
  readonly reorderDelayUs: number
  readonly duplicateRate: number
  readonly corruptRate: number
}

/** Reads the texts of one direction. @throws {TypeError} naming what cannot be read */
export function readWay(way: LinkWay): WayPlan {
  const bursts = way.bursts?.trim().split(/\s+/).map(parsePercent) ?? null
  if (bursts !== null && bursts.length !== 2) {
    throw new TypeError(`bursts '${way.bursts}': write the chances from good to bad and back, as '1% 30%'`)
  }
  if (way.queue !== undefined && way.rate === undefined)
    throw new TypeError('a queue needs a rate: nothing waits without')
  return {
    delayUs: numeric(way.delay, parseDuration),
    jitterUs: numeric(way.jitter, parseDuration),
    rateBps: way.rate === undefined ? Number.POSITIVE_INFINITY : numeric(way.rate, parseRate),
    queue: parseQueue(way.queue ?? 'drop-tail'),
    lossRate: numeric(way.loss, parsePercent),
    bursts: bursts === null ? null : { toBad: bursts[0], toGood: bursts[1] },
    reorderRate: numeric(way.reorder, parsePercent),
    reorderDelayUs: numeric(way.reorderBy, parseDuration),
    duplicateRate: numeric(way.duplicate, parsePercent),
    corruptRate: numeric(way.corrupt, parsePercent),
  }
}

/** What of a link holds on the way back. */
export function backOf(link: Link): LinkWay {
  const { back, from: _from, to: _to, mtu: _mtu, ...forth } = link
  return { ...forth, ...back }
}

/** Own addresses of each host with prefix lengths; those without are numbered 10.0.0.1, 10.0.0.2, ... */
export function addressesOf({ hosts }: Topology): Map<string, readonly string[]> {
  let next = 1
  return new Map(
    Object.entries(hosts).map(([name, { address }]) => {
      const number = next++
      const given = address === undefined ? [`10.0.0.${number}`] : typeof address === 'string' ? [address] : address
      return [name, given.map((text) => (text.includes('/') ? text : `${text}/${text.includes(':') ? 64 : 16}`))]
    }),
  )
}

/**
 * Checks that links join nodes that exist, addresses are addresses, and everything hangs together.
 * @throws {TypeError} naming what is wrong and the mend
 */
export function checkTopology(topology: Topology): void {
  const nodes = [...Object.keys(topology.hosts), ...(topology.routers ?? [])]
  if (Object.keys(topology.hosts).length === 0) throw new TypeError('a network needs hosts')
  const twice = nodes.find((name, i) => nodes.indexOf(name) !== i)
  if (twice !== undefined) throw new TypeError(`'${twice}' is there twice: a node is a host or a router`)
  for (const link of topology.links) {
    for (const end of [link.from, link.to]) {
      if (!nodes.includes(end))
        throw new TypeError(`a link names '${end}', and there is no such node${didYouMean(end, nodes)}`)
    }
    if (link.from === link.to) throw new TypeError(`a link joins '${link.from}' to itself`)
    readWay(link)
    readWay(backOf(link))
  }
  for (const [name, addresses] of addressesOf(topology)) {
    for (const address of addresses) {
      const [text] = address.split('/')
      if (parseAddress(text) === null) throw new TypeError(`'${text}' of ${name} is no IP address`)
    }
  }
  const reached = reachable(topology, nodes[0])
  const lonely = nodes.find((name) => !reached.has(name))
  if (nodes.length > 1 && lonely !== undefined) throw new TypeError(`no link leads to '${lonely}'`)
}

function reachable(topology: Topology, from: string): Set<string> {
  const reached = new Set([from])
  for (let grown = true; grown; ) {
    grown = false
    for (const { from: a, to: b } of topology.links) {
      if (reached.has(a) === reached.has(b)) continue
      reached.add(a).add(b)
      grown = true
    }
  }
  return reached
}
