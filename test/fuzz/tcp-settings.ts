// What a fuzzed world is like, by the first bytes of an input: one byte a choice, so that a change of one byte changes one choice.
// Owns: the choices. Does not own: what happens in the world (tcp-world.ts).

import type { TcpConfig } from '../../src/tcp/config.ts'

/** Bytes that say what a world is like. */
export const HEAD_BYTES = 24

/** A world's settings. */
export interface WorldSettings {
  readonly family: 4 | 6
  readonly mtu: number
  readonly tcp: readonly [Partial<TcpConfig>, Partial<TcpConfig>]
  readonly backlog: number
  readonly md5Key: string | null
  readonly offload: boolean
  readonly isn: readonly [number, number]
  /** Forged segments tell no lie that TCP has to believe: both streams are to arrive whole. */
  readonly isIntact: boolean
  readonly readsAtOnce: boolean
  readonly acceptsAtOnce: boolean
  /** How the first connection is made: 0 by the first host, 1 by the second, 2 by both at once, 3 not at all. */
  readonly opening: number
  readonly handshakes: boolean
}

const of = <T>(byte: number, ...list: readonly T[]): T => list[byte % list.length]

/** Reads the head of an input. */
export function worldSettings(head: Uint8Array): WorldSettings {
  const h = (i: number): number => head[i] ?? 0
  const family = of(h(0), 4, 4, 6)
  const md5Key = of(h(1), null, null, null, null, null, 'secret')
  const common = {
    mslUs: 1_000_000,
    sack: of(h(2), true, true, false),
    timestamps: of(h(3), true, true, false),
    ecn: of(h(4), 'off', 'on', 'accurate', 'passive'),
    congestion: of(h(5), 'cubic', 'cubic', 'reno', 'bbr', 'dctcp', 'none', 'newreno', 'fixed'),
    fastOpen: of(h(6), false, true),
    initialWindowSegments: of(h(20), 10, 2, 4),
    challengeIntervalUs: of(h(21), 500_000, 0),
    keepAlive: of(h(22), false, true),
    keepAliveIdleUs: 5_000_000,
    userTimeoutOption: of(h(23), false, true),
    finWait2TimeoutUs: 5_000_000,
    orphanTimeoutUs: 20_000_000,
  } satisfies Partial<TcpConfig>
  const first: Partial<TcpConfig> = {
    ...common,
    windowScale: of(h(7), true, true, false),
    receiveBufferBytes: of(h(8), 16384, 65536, 3000, 200_000),
    receiveBufferAutotune: of(h(8) >> 4, false, true),
    receiveBufferMaxBytes: of(h(8) >> 5, 200_000, 1 << 20),
    sendBufferBytes: of(h(9), 16384, 4096, 65536),
    sendBufferAutotune: of(h(9) >> 4, false, true),
    sendBufferMaxBytes: 1 << 17,
    delayedAck: of(h(10), 'adaptive', 'fixed'),
    nagle: of(h(10) >> 2, true, false),
    pacing: of(h(10) >> 4, 'controller', 'controller', 'always'),
    synBacklog: of(h(11), 4, 1, 8),
    synCookies: of(h(11) >> 4, 'pressure', 'always', 'never'),
    abortOnOverflow: of(h(12), false, true),
    deferAcceptUs: of(h(12) >> 2, 0, 0, 0, 1_000_000),
    fastOpenQueue: of(h(12) >> 5, 4, 0, 1),
    outOfOrderRanges: of(h(13), 64, 4),
    outOfOrderPrune: of(h(13) >> 2, false, true),
    flightPieces: of(h(13) >> 4, 512, 64),
    rack: of(h(14), true, true, false),
    tailLossProbe: of(h(14) >> 2, true, false),
    prr: of(h(14) >> 3, true, false),
    frto: of(h(14) >> 4, true, false),
    undo: of(h(14) >> 5, true, false),
    dsack: of(h(14) >> 6, true, false),
    windowValidation: of(h(15), 'decay', 'keep', 'off'),
    nagleVariant: of(h(15) >> 3, 'minshall', 'rfc'),
    sillyWindowAvoidance: of(h(15) >> 4, true, true, false),
    ...(h(15) & 128 && { mss: 300 }),
  }
  const isIntact = h(19) % 3 === 0
  if (isIntact) {
    // A half-open connection may be given up for another, and its peer, which takes it for open, be reset; and so it is when a probe
    // comes before the acknowledgement that brings a cookie back.
    first.abortOnOverflow = false
    first.synCookies = 'pressure'
  }
  const isWrapping = h(16) % 3 === 0
  return {
    family,
    mtu: family === 6 ? of(h(17), 1500, 1280) : of(h(17), 1500, 576, 9000),
    tcp: [first, { ...common, receiveBufferBytes: 32768, sendBufferBytes: 16384, synBacklog: 4 }],
    backlog: of(h(18), 4, 1),
    md5Key,
    offload: md5Key === null && h(18) >> 4 === 1,
    isn: isWrapping ? [-2000, 0x7fffffff - 1500] : [1000, 500_000],
    isIntact,
    acceptsAtOnce: isIntact || (h(18) & 4) === 0,
    readsAtOnce: (h(19) >> 3) % 3 !== 0,
    opening: of(h(19) >> 5, 0, 1, 1, 0, 2, 1, 3),
    handshakes: (h(19) & 4) === 0,
  }
}
