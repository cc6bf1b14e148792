// A case of the swarm: a whole network, what its links and hosts do to it, and who talks to whom, as plain data that JSON can hold. The
// same case always runs the same way: whatever is left to chance while it runs is drawn from its seed.
// Owns: the shapes, and their text. Does not own: drawing one (draw.ts), running it (world.ts).

import type { TcpConfig } from '../../src/tcp/config.ts'

/** One direction of a link. */
export interface PathPlan {
  delayUs: number
  jitterUs: number
  /** Probability of a loss; while a burst lasts that of `burst`. */
  loss: number
  /** Gilbert and Elliott's two states: probabilities for each packet to enter, to leave, and to be lost in between. */
  burst: { enter: number; leave: number; loss: number } | null
  duplicate: number
  /** Packets that are held for `reorderUs` longer, or skip the delay when that is 0. */
  reorder: number
  reorderUs: number
  corrupt: number
  /** CE marks; what is not ECN-capable is not harmed. */
  mark: number
  /** Bits per second; 0 for no bottleneck. */
  rateBps: number
  queueBytes: number
  /** Larger packets are dropped: with a word (ICMP) or without (`isHole`). */
  mtu: number
  isHole: boolean
}

/** A link between two nodes; hosts come first, then routers. */
export interface LinkPlan {
  a: number
  b: number
  ab: PathPlan
  ba: PathPlan
}

/** Who listens on a host. */
export interface ListenerPlan {
  port: number
  backlog: number
  /** Accepts one every so often; 0: at once. */
  acceptUs: number
  md5: boolean
  config: Partial<TcpConfig>
}

/** One host. */
export interface HostPlan {
  mtu: number
  offload: 'none' | 'split' | 'whole'
  /** Packets are taken in together every so often; 0: each as it comes. */
  batchUs: number
  timeWaitMax: number
  config: Partial<TcpConfig>
  listener: ListenerPlan | null
}

/** How an application ends. */
export type Ending =
  /** Writes all, half-closes, reads to the end, closes. */
  | 'polite'
  /** Reads to the end, then writes all, then closes. */
  | 'answer'
  /** Writes all and closes, whatever the peer still sends. */
  | 'close'
  /** Closes after a while with what it has not read. */
  | 'unread'
  /** Aborts after a while. */
  | 'abort'

/** One end of a flow. */
export interface AppPlan {
  bytes: number
  /** Most bytes of one write, and the pause after it. */
  chunk: number
  writeUs: number
  /** Most bytes of one read (0: all), and the pause after it. */
  readBytes: number
  readUs: number
  /** Reads nothing for `stallUs` once so many bytes have come. */
  stallAt: number
  stallUs: number
  /** Every so many-th write is urgent; 0: none. */
  urgentEvery: number
  /** Writes promise more, except the last. */
  more: boolean
  /** Throws away what still comes once so many bytes have come; -1: never. */
  discardAt: number
  ending: Ending
  endUs: number
  /** Settings that change while it lives. */
  changes: { afterUs: number; set: Partial<TcpConfig> }[]
}

/** One connection. */
export interface FlowPlan {
  id: number
  at: number
  from: number
  to: number
  /** Own port; 0 for any. */
  localPort: number
  /** The other side opens too, at the same time. */
  both: boolean
  config: Partial<TcpConfig>
  client: AppPlan
  server: AppPlan
}

/** Something that happens once. */
export type Incident =
  | { at: number; kind: 'path'; link: number; side: 'ab' | 'ba' | 'both'; set: Partial<PathPlan> }
  | { at: number; kind: 'down'; link: number; forUs: number }
  | { at: number; kind: 'stall'; host: number; forUs: number }
  | { at: number; kind: 'jump'; host: number; byUs: number }
  | { at: number; kind: 'icmp'; host: number; type: number; code: number; mtu: number; inWindow: boolean }
  | { at: number; kind: 'echo'; host: number; bytes: number }
  | { at: number; kind: 'replay'; count: number; old: boolean }
  | { at: number; kind: 'probe'; host: number; port: number; flags: number }

/** A case. */
export interface Case {
  seed: number
  family: 4 | 6
  /** Initial sequence numbers begin here, one step each; null: as RFC 6528 has them. */
  isn: number | null
  shape: string
  routers: number
  hosts: HostPlan[]
  links: LinkPlan[]
  flows: FlowPlan[]
  incidents: Incident[]
}

/** A case as text. Infinity is kept. */
export function caseToJson(it: Case): string {
  return JSON.stringify(it, (_key, value) => (value === Number.POSITIVE_INFINITY ? 'Infinity' : value), 1)
}

/** The case that a text tells. */
export function caseFromJson(text: string): Case {
  return JSON.parse(text, (_key, value) => (value === 'Infinity' ? Number.POSITIVE_INFINITY : value))
}
