// A new connection's record, in CLOSED: first values of everything that tcb.ts describes.
// Owns: the values. Does not own: shapes (tcb.ts), what happens then (handshake.ts, syn-output.ts).

import { ByteRing } from '../base/byte-ring.ts'
import { Ranges } from '../base/ranges.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { ChallengeBudget } from './challenge-budget.ts'
import type { TcpConfig } from './config.ts'
import type { CongestionControl } from './congestion/interface.ts'
import type { TcpCounters } from './counters.ts'
import { createDelivery } from './delivery.ts'
import { createEcn } from './ecn-state.ts'
import { createFastOpen, UNUSED_FAST_OPEN } from './fast-open-state.ts'
import { Flight } from './flight.ts'
import { createLife, createPath } from './life.ts'
import { createAck, createTuning } from './receive-state.ts'
import { createRack, createTailProbe, UNUSED_FRTO, UNUSED_PRR, UNUSED_UNDO } from './recovery-state.ts'
import { createRtt } from './rtt.ts'
import { NO_NUMBERS, type Seq, seq, seqAdd } from './seq.ts'
import type { ReceiveState, RecoveryState, SendState, Tcb, TimerState } from './tcb.ts'
import { createTotals } from './totals-state.ts'
import { createUsage } from './usage.ts'

/** What a new connection is made from. */
export interface TcbSeed {
  passive: boolean
  local: IpAddress
  localPort: number
  remote: IpAddress
  remotePort: number
  config: TcpConfig
  counters: TcpCounters
  challenges: ChallengeBudget
  control: CongestionControl
  iss: Seq
  timestampOffset: number
  /** Largest TCP segment (header and text) that the path takes. */
  pathSegmentBytes: number
  now: Micros
}

const NEVER = Number.POSITIVE_INFINITY

/** A connection in CLOSED, ready to be opened. */
export function createTcb(seed: TcbSeed): Tcb {
  const { config, iss } = seed
  return {
    state: 'CLOSED',
    passive: seed.passive,
    local: seed.local,
    localPort: seed.localPort,
    remote: seed.remote,
    remotePort: seed.remotePort,
    config,
    counters: seed.counters,
    challenges: seed.challenges,
    snd: createSend(iss, config.sendBufferBytes),
    rcv: createReceive(Math.min(config.mss, seed.pathSegmentBytes - 20)), // RFC 9293 §3.7.1 [MUST-67]
    ack: createAck(),
    tuning: createTuning(),
    ts: {
      enabled: config.timestamps,
      recent: 0,
      recentAt: 0,
      lastAckSent: seq(0),
      floor: 0,
      nextFloor: 0,
      nextFloorSeq: seq(0),
      offset: seed.timestampOffset,
    },
    rtt: createRtt(config),
    recovery: createRecovery(iss),
    rack: createRack(iss),
    prr: UNUSED_PRR,
    undo: UNUSED_UNDO,
    frto: UNUSED_FRTO,
    tlp: createTailProbe(iss),
    ecn: createEcn(iss),
    delivery: createDelivery(seed.now),
    usage: createUsage(iss, seed.now),
    totals: createTotals(seed.now),
    timers: createTimers(),
    control: seed.control,
    cc: { cwnd: 0, ssthresh: NEVER, mss: 0, acked: 0, pacingRate: 0, data: null },
    life: createLife(seed.now, config.userTimeoutOption),
    path: createPath(seed.pathSegmentBytes, iss, seed.now),
    pathSegmentBytes: seed.pathSegmentBytes,
    sackEnabled: config.sack,
    fastOpen: config.fastOpen ? createFastOpen() : UNUSED_FAST_OPEN,
    md5Key: null,
    hold: 'nothing',
    ackHold: 'none',
    resetPending: false,
    isResetBare: false,
    probePending: false,
    probes: 0,
    windowProbes: 0,
    sentAt: seed.now,
    challengeAt: seed.now,
    paceAt: seed.now,
    heardAt: seed.now,
    progressAt: seed.now,
    orphaned: false,
    scaleEnabled: config.windowScale,
    error: null,
    events: 0,
    onState: null,
  }
}

function createRecovery(iss: Seq): RecoveryState {
  return {
    phase: 'open',
    point: iss,
    dupAcks: 0,
    partialAcks: 0,
    highestSacked: iss,
    judged: iss,
    suspected: iss,
    forced: false,
    retransmits: 0,
  }
}

function createTimers(): TimerState {
  return {
    retransmit: NEVER,
    persist: NEVER,
    delayedAck: NEVER,
    reorder: NEVER,
    lossProbe: NEVER,
    pace: NEVER,
    keepAlive: NEVER,
    cork: NEVER,
    linger: NEVER,
    upkeep: NEVER,
  }
}

function createSend(iss: Seq, bufferBytes: number): SendState {
  return {
    una: iss,
    nxt: iss,
    wnd: 0,
    maxWnd: 0,
    wl1: iss,
    iss,
    scale: 0,
    mss: 0,
    buffer: new ByteRing(),
    flight: new Flight(),
    finQueued: false,
    finSent: false,
    up: iss,
    isUrgent: false,
    isUrgentTold: false,
    wantsRoom: false,
    bufferBytes,
    tailStart: iss,
    hasMore: false,
    isPushed: false,
    smallEnd: iss,
    pushedEnd: seqAdd(iss, 1),
    pushEnds: NO_NUMBERS,
    recordEnds: NO_NUMBERS,
    isMoreOver: false,
  }
}

function createReceive(mss: number): ReceiveState {
  return {
    nxt: seq(0),
    irs: seq(0),
    edge: seq(0),
    scale: 0,
    isWindowTold: false,
    mss,
    seenMss: 0,
    buffer: new ByteRing(),
    unread: 0,
    outOfOrder: new Ranges(),
    recentRanges: NO_NUMBERS,
    duplicates: NO_NUMBERS,
    finSeen: false,
    finSeq: seq(0),
    discard: false,
    up: seq(0),
    isUrgent: false,
    unacked: 0,
    acksOwed: 0,
  }
}
