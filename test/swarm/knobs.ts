// Drawing the settings of TCP: every knob within its bounds, with a bias to the default and to the ends. Bounds of time that would let a
// simulation run for ever, or end each connection at once, are drawn seldom.
// Owns: what is drawn for which knob. Does not own: what follows for the judgement (judge.ts).

import { KNOBS, type TcpConfig } from '../../src/tcp/config.ts'
import { congestionControlNames } from '../../src/tcp/congestion/index.ts'
import type { Dice } from './dice.ts'

type Draw = (d: Dice) => number | string | boolean

const MS = 1000
const S = 1e6
const MIN = 60e6
const CONTROLLERS = congestionControlNames()
const FOREVER = Number.POSITIVE_INFINITY

/** What a number is drawn from; knobs that are not named here are flags or words. */
const NUMBERS: { readonly [K in keyof TcpConfig]?: Draw } = {
  mss: (d) => d.pick(48, 64, 100, 256, 536, 1000, 1220, 1440, 1460, 8960, 65495),
  initialWindowSegments: (d) => d.pick(1, 1, 2, 3, 4, 10, 20, 100, 1000),
  congestion: (d) => d.pick(...CONTROLLERS),
  sendBufferBytes: (d) => d.pick(1, 100, 1000, 2920, 4096, 16 << 10, 64 << 10, 1 << 20),
  sendBufferMaxBytes: (d) => d.pick(4096, 64 << 10, 1 << 20, 1 << 26),
  notSentLowWaterBytes: (d) => d.pick(1, 100, 1460, 16 << 10),
  receiveBufferBytes: (d) => d.pick(1, 50, 500, 1000, 1460, 2920, 4096, 16 << 10, 64 << 10, 1 << 20),
  receiveBufferMaxBytes: (d) => d.pick(2000, 65535, 1 << 20, 1 << 28),
  corkLimitUs: (d) => d.pick(0, MS, 50 * MS, 200 * MS, 2 * S),
  delayedAckUs: (d) => d.pick(0, MS, 10 * MS, 40 * MS, 200 * MS, 499 * MS),
  delayedAckMaxUs: (d) => d.pick(0, MS, 40 * MS, 200 * MS, 499 * MS),
  quickAcks: (d) => d.pick(0, 1, 2, 16, 1000),
  interactiveReplies: (d) => d.pick(0, 1, 3, 1000),
  ackEverySegments: (d) => d.pick(1, 2, 2, 3, 8, 100, 1000),
  initialRtoUs: (d) => d.pick(MS, 50 * MS, S, 3 * S, 10 * S),
  minRtoUs: (d) => d.pick(0, MS, 50 * MS, 200 * MS, S),
  maxRtoUs: (d) => d.pick(S, 10 * S, MIN, 2 * MIN),
  dupThresh: (d) => d.pick(1, 2, 3, 10, 1000),
  synTimeoutUs: (d) => (d.chance(0.15) ? d.scaled(MS, 30 * S) : d.pick(180 * S, 10 * MIN, FOREVER)),
  synLinearTimeouts: (d) => d.pick(0, 1, 4, 127),
  sackDelayUs: (d) => d.pick(0, MS, 10 * MS, 100 * MS),
  synAckRetries: (d) => d.pick(0, 1, 3, 5, 8, 10),
  synBacklog: (d) => d.pick(1, 2, 3, 8, 1024),
  fastOpenQueue: (d) => d.pick(0, 1, 2, 256),
  deferAcceptUs: (d) => d.pick(0, 100 * MS, S, 10 * S, 40 * S),
  retransmitTimeoutUs: (d) => (d.chance(0.2) ? d.scaled(MS, 60 * S) : d.pick(15 * MIN, 60 * MIN, FOREVER)),
  mslUs: (d) => d.pick(0, 100 * MS, S, 30 * S, 2 * MIN),
  userTimeoutUs: (d) => (d.chance(0.3) ? d.scaled(10 * MS, 60 * S) : d.pick(0, 20 * MIN, FOREVER)),
  userTimeoutLeastUs: (d) => d.pick(S, 10 * S, 100 * S, 15 * MIN),
  userTimeoutMostUs: (d) => d.pick(100 * S, 30 * MIN, FOREVER),
  retransmitNoticeCount: (d) => d.pick(1, 3, 10, 1000),
  lingerUs: (d) => d.pick(-1, 0, MS, 500 * MS, 10 * S),
  pathMtuAgeUs: (d) => d.pick(5 * MIN, 10 * MIN, FOREVER),
  finWait2TimeoutUs: (d) => d.pick(-1, 0, S, 60 * S, FOREVER),
  orphanTimeoutUs: (d) => d.pick(MS, S, 5 * MIN, 30 * MIN),
  challengeIntervalUs: (d) => d.pick(0, MS, 500 * MS, 2 * S),
  outOfOrderRanges: (d) => d.pick(4, 5, 16, 1024),
  flightPieces: (d) => d.pick(64, 65, 256, 16384),
  keepAliveIdleUs: (d) => d.pick(100 * MS, S, 10 * S, 10 * MIN),
  keepAliveIntervalUs: (d) => d.pick(50 * MS, S, 75 * S),
  keepAliveCount: (d) => d.pick(1, 2, 9, 30),
  hopLimit: (d) => d.pick(0, 1, 64, 255),
  ecn: (d) => d.pick('off', 'passive', 'on', 'accurate'),
  trafficClass: (d) => d.whole(0, 255),
}

const NAMES = Object.keys(KNOBS) as (keyof TcpConfig)[]
/** What may change while a connection lives. */
const LIVE = NAMES.filter((name) => KNOBS[name].isFixed !== true)
/** Drawn by most cases that draw anything. */
const LIKELY: readonly (keyof TcpConfig)[] = [
  'congestion',
  'sack',
  'timestamps',
  'rack',
  'ecn',
  'mslUs',
  'windowScale',
  'receiveBufferBytes',
]

/** A value for one setting. */
function drawKnob(d: Dice, name: keyof TcpConfig): number | string | boolean {
  const draw = NUMBERS[name]
  if (draw !== undefined) return draw(d)
  const knob = KNOBS[name]
  if (knob.oneOf !== undefined) return d.pick(...(knob.oneOf as readonly string[]))
  if (typeof knob.default === 'boolean') return d.chance(0.75) ? !knob.default : knob.default
  throw new Error(`the swarm does not know what to draw for the setting '${name}': add it to test/swarm/knobs.ts`)
}

/** Settings of one side. */
export function drawConfig(d: Dice): Partial<TcpConfig> {
  const config: Record<string, unknown> = {}
  if (d.chance(0.35)) return config
  const count = d.chance(0.07) ? d.whole(10, NAMES.length) : d.whole(1, 7)
  for (let i = 0; i < count; i++) {
    const name = d.chance(0.25) ? d.pick(...LIKELY) : d.pick(...NAMES)
    config[name] = drawKnob(d, name)
  }
  return config as Partial<TcpConfig>
}

/** Settings that change while a connection lives. */
export function drawChanges(d: Dice): Partial<TcpConfig> {
  const config: Record<string, unknown> = {}
  const count = d.whole(1, 4)
  for (let i = 0; i < count; i++) {
    const name = d.chance(0.3) ? 'congestion' : d.pick(...LIVE)
    config[name] = drawKnob(d, name)
  }
  return config as Partial<TcpConfig>
}
