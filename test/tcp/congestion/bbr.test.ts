import { describe, expect, test } from 'vitest'
import { type BbrData, bbr, CYCLE_GAINS, HIGH_GAIN, PROBE_RTT_US } from '../../../src/tcp/congestion/bbr.ts'
import { aggregationBytes, bdpBytes, createBbrModel, updateAggregation } from '../../../src/tcp/congestion/bbr-model.ts'
import type { CongestionState } from '../../../src/tcp/congestion/interface.ts'
import { reno } from '../../../src/tcp/congestion/reno.ts'
import { createWindowedMax, pushWindowedMax, windowedMax } from '../../../src/tcp/congestion/windowed-max.ts'
import { acknowledge, ackOf, begun, Rounds } from './harness.ts'
import { type LinkOptions, ModelLink } from './model-link.ts'

const dataOf = (state: CongestionState): BbrData => state.data as BbrData

/** 10 Mbit/s, 40 ms, ten times what the path holds of queue. */
const PATH: LinkOptions = { rate: 1.25e6, buffer: 500_000, rttUs: 40_000 }
const BDP = (1.25e6 * 0.0408 * 1000) / 1000

interface Step {
  mode: string
  at: number
  flight: number
  queue: number
  cwnd: number
}

/** The states a link's BBR goes through, with what was in flight when it came into each. */
function walk(link: ModelLink, untilUs: number): Step[] {
  const steps: Step[] = []
  link.run(untilUs, ({ state, now, flight, queue }) => {
    const { mode } = dataOf(state)
    if (steps[steps.length - 1]?.mode !== mode) steps.push({ mode, at: now, flight, queue, cwnd: state.cwnd })
  })
  return steps
}

/** Rounds at 1,000,000 bytes a second and 50 ms, until the pipe is full. */
function filled(): Rounds {
  const rounds = new Rounds(bbr)
  for (let i = 0; i < 8; i++) {
    rounds.round(50_000, { rateBytesPerSecond: Math.min(1e6, 2e5 * 2 ** i), flight: 0, priorFlight: 60_000 })
  }
  expect(dataOf(rounds.state)).toMatchObject({ mode: 'probe-bw', model: { isPipeFull: true } })
  return rounds
}

describe('the windowed maximum', () => {
  test('forgets what is ten rounds old, and keeps one value for a round', () => {
    const filter = createWindowedMax()
    pushWindowedMax(filter, 100, 1, 10)
    for (let round = 2; round <= 10; round++) {
      pushWindowedMax(filter, 50 - round, round, 10)
      pushWindowedMax(filter, 40 - round, round, 10)
      expect(windowedMax(filter)).toBe(100)
    }
    expect(filter.values.length).toBe(10)
    pushWindowedMax(filter, 1, 11, 10)
    expect(windowedMax(filter)).toBe(48)
    pushWindowedMax(filter, 48, 11, 10)
    expect(filter).toEqual({ values: [48], rounds: [11] })
    pushWindowedMax(filter, 7, 40, 10)
    expect(windowedMax(filter)).toBe(7)
  })
})

describe('BBR on a link', () => {
  test('walks through startup, drain and probe-bw, with the bandwidth found and the queue gone (BBR draft §4.3)', () => {
    const link = new ModelLink(bbr, PATH)
    const steps = walk(link, 5e6)
    expect(steps.map(({ mode }) => mode)).toEqual(['startup', 'drain', 'probe-bw'])
    const [, drain, probe] = steps
    expect(drain.at).toBeLessThan(20 * 40_000)
    expect(drain.queue).toBeGreaterThan(BDP)
    expect(probe.flight).toBeLessThan(1.15 * BDP)
    const { model } = dataOf(link.state)
    expect(Math.abs(model.bandwidth / PATH.rate - 1)).toBeLessThan(0.05)
    expect(Math.abs(model.minRttUs / 40_800 - 1)).toBeLessThan(0.01)
    expect(link.drops).toBe(0)
  })

  test('keeps the link full and the queue short: 5/4 queues a quarter of the path for a round, 3/4 takes it away (§4.3.4)', () => {
    const link = new ModelLink(bbr, PATH)
    link.run(1e6)
    const { delivered } = link
    const queues: number[] = []
    link.run(9e6, ({ queue }) => queues.push(queue))
    expect((link.delivered - delivered) / 8).toBeGreaterThan(0.95 * PATH.rate)
    expect(Math.max(...queues)).toBeLessThan(0.6 * BDP)
    expect(queues.reduce((sum, queue) => sum + queue) / queues.length).toBeLessThan(0.25 * BDP)
  })

  test('looks for the least round trip every 10 s: four segments for 200 ms, then on as before (§4.3.5)', () => {
    const link = new ModelLink(bbr, PATH)
    let least = Number.POSITIVE_INFINITY
    link.run(9e6)
    const steps = walk(link, 42e6)
    const probes = steps.filter(({ mode }) => mode === 'probe-rtt')
    expect(probes.length).toBe(4)
    for (const [i, { at }] of probes.entries()) {
      if (i > 0) expect((at - probes[i - 1].at) / 1e6).toBeCloseTo(10.3, 0)
      const after = steps[steps.findIndex((step) => step.at === at) + 1]
      expect(after.mode).toBe('probe-bw')
      expect(after.at - at).toBeGreaterThan(PROBE_RTT_US)
      expect(after.at - at).toBeLessThan(PROBE_RTT_US + 100_000)
      expect(after.queue).toBe(0)
      expect(after.cwnd).toBeGreaterThan(2 * BDP)
    }
    link.run(60e6, ({ state, flight }) => {
      if (dataOf(state).mode === 'probe-rtt') least = Math.min(least, flight)
      expect(dataOf(state).model.bandwidth).toBeGreaterThan(0.95 * PATH.rate)
    })
    expect(least).toBeLessThanOrEqual(4000)
    expect(dataOf(link.state).model.minRttUs).toBeLessThan(40_801)
  })

  test('does not believe the rates of four segments: they would be all of ten rounds on a short path (§4.3.5)', () => {
    const link = new ModelLink(bbr, { ...PATH, rttUs: 5000 })
    link.run(5e6)
    const modes = new Set<string>()
    link.run(25e6, ({ state }) => {
      modes.add(dataOf(state).mode)
      expect(dataOf(state).model.bandwidth).toBeGreaterThan(0.95 * PATH.rate)
    })
    expect([...modes].sort()).toEqual(['probe-bw', 'probe-rtt'])
  })

  test('takes a path that has become faster within a few cycles, and one that has become slower within ten rounds and a cycle', () => {
    const options = { ...PATH }
    const link = new ModelLink(bbr, options)
    link.run(3e6)
    options.rate = 2.5e6
    link.run(6e6)
    expect(dataOf(link.state).model.bandwidth / 2.5e6).toBeGreaterThan(0.95)
    options.rate = 1.25e6
    link.run(9e6)
    expect(Math.abs(dataOf(link.state).model.bandwidth / 1.25e6 - 1)).toBeLessThan(0.05)
  })

  test('one loss in a hundred costs a tenth of the link, where Reno has a thirtieth of it (§3)', () => {
    const options = { rate: 12.5e6, buffer: 500_000, rttUs: 40_000, dropEvery: 100 }
    const [link, other] = [new ModelLink(bbr, options), new ModelLink(reno, options)]
    for (const each of [link, other]) each.run(9e6)
    expect(link.losses.length).toBeGreaterThan(50)
    // It is in recovery nearly all the time, which keeps it from probing.
    expect(link.delivered / 9).toBeGreaterThan(0.8 * 12.5e6)
    expect(other.delivered / 9).toBeLessThan(0.05 * 12.5e6)
  })

  test('lives with a queue that is a tenth of the path, at the price of losses', () => {
    const link = new ModelLink(bbr, { ...PATH, buffer: 5000 })
    link.run(9e6)
    expect(link.delivered / 9).toBeGreaterThan(0.8 * PATH.rate)
    expect(Math.abs(dataOf(link.state).model.bandwidth / PATH.rate - 1)).toBeLessThan(0.05)
  })
})

describe('BBR and acknowledgements that come in bunches, or out of order', () => {
  /** Part of the link that is used; `isOn` false: the term for aggregation is taken away after each acknowledgement. */
  function used(bunchUs: number, isOn: boolean): number {
    const link = new ModelLink(bbr, { rate: 12.5e6, buffer: 1e6, rttUs: 5000, bunchUs })
    const off = ({ state }: ModelLink): void => {
      Object.assign(dataOf(state).model, { extraAcked: 0, priorExtraAcked: 0, epochAcked: -1e9 })
    }
    link.run(2e6, isOn ? undefined : off)
    const { delivered } = link
    link.run(6e6, isOn ? undefined : off)
    return (link.delivered - delivered) / 4 / 12.5e6
  }

  test('acknowledgements in bunches four round trips apart leave the link full, thanks to extra_acked (§4.2.3.2)', () => {
    expect(used(20_000, true)).toBeGreaterThan(0.95)
    expect(used(20_000, false)).toBeLessThan(0.3)
    expect(used(0, true)).toBeGreaterThan(0.99)
  })

  test('a smooth path gives no room to aggregation, and a bunch is forgotten after ten rounds', () => {
    const model = { ...createBbrModel(0), bandwidth: 1e6, isPipeFull: true }
    let now = 0
    const smooth = (ms: number): void => {
      for (let i = 0; i < ms; i++) {
        now += 1000
        model.isRoundStart = i % 50 === 0
        updateAggregation(model, ackOf(1000, { now, rateBytesPerSecond: 1e6 }), 200_000)
      }
    }
    smooth(600)
    expect(aggregationBytes(model)).toBeLessThanOrEqual(1000)
    now += 1000
    updateAggregation(model, ackOf(40_000, { now, rateBytesPerSecond: 1e6 }), 30_000)
    expect(aggregationBytes(model)).toBe(30_000) // no more than cwnd
    updateAggregation(model, ackOf(9000, { now }), 200_000) // without a rate it tells nothing
    expect(aggregationBytes(model)).toBe(30_000)
    smooth(200)
    expect(aggregationBytes(model)).toBeGreaterThanOrEqual(30_000)
    now += 1e6 // an epoch that is behind BtlBw begins anew
    smooth(600)
    expect(aggregationBytes(model)).toBeLessThanOrEqual(1000)
  })

  test('aggregation counts for no more than 100 ms, and only once the pipe is full', () => {
    const model = { ...dataOf(filled().state).model, extraAcked: 1e9 }
    expect(aggregationBytes(model)).toBe(100_000)
    expect(aggregationBytes({ ...model, isPipeFull: false })).toBe(0)
  })

  test.each([true, false])(
    'a packet that skips the delay does not shrink the window on a path that reorders: seen %s',
    (isReordered) => {
      const rounds = filled()
      const { model } = dataOf(rounds.state)
      const fields = { rateBytesPerSecond: 1e6, flight: 40_000, priorFlight: 60_000, srttUs: 45_000, isReordered }
      rounds.round(50_000, fields, (i) => (i === 20 ? 200 : 50_000))
      rounds.round(50_000, fields)
      expect(model.minRttUs).toBe(isReordered ? 33_750 : 200)
      expect(bdpBytes(model)).toBe(isReordered ? 33_750 : 200)
    },
  )

  test('what was the least round trip before the first sign of reordering is measured anew', () => {
    const rounds = filled()
    const { model } = dataOf(rounds.state)
    const at = { srttUs: 45_000, rateBytesPerSecond: 1e6, now: rounds.now }
    bbr.onEveryAck?.(rounds.state, ackOf(1000, { ...at, rttUs: 100 }))
    expect(model.minRttUs).toBe(100)
    bbr.onEveryAck?.(rounds.state, ackOf(1000, { ...at, rttUs: 50_000, isReordered: true }))
    expect(model.minRttUs).toBe(50_000)
    bbr.onEveryAck?.(rounds.state, ackOf(1000, { ...at, rttUs: 60_000, isReordered: true }))
    expect(model.minRttUs).toBe(50_000)
  })
})

describe('BBR’s parts', () => {
  test('paces the first window as if the round trip were 1 ms, then by the round trip measured (§4.2.1)', () => {
    const state = begun(bbr)
    expect(state.pacingRate).toBe(Math.round(HIGH_GAIN * 10_000 * 1000))
    bbr.onEveryAck?.(state, ackOf(1000, { rttUs: 50_000, srttUs: 50_000, now: 50_000 }))
    expect(state.pacingRate).toBe(Math.round((HIGH_GAIN * 10_000) / 0.05))
  })

  test('three rounds without a quarter more fill the pipe; rounds that the application held back do not count (§4.3.2.2)', () => {
    const rounds = new Rounds(bbr)
    const fields = { rateBytesPerSecond: 1e6, flight: 1e9 }
    for (let i = 0; i < 10; i++) rounds.round(50_000, { ...fields, isAppLimited: true })
    expect(dataOf(rounds.state).mode).toBe('startup')
    const modes = [1, 2, 3, 4].map(() => {
      rounds.round(50_000, fields)
      return dataOf(rounds.state).mode
    })
    expect(modes).toEqual(['startup', 'startup', 'startup', 'drain'])
    expect(rounds.state.pacingRate).toBe(Math.round(1e6 / HIGH_GAIN))
  })

  test.each([
    ['a round with a quarter more', 1.3e6],
    ['a timeout', 1e6],
  ])('%s begins the count of rounds anew (§4.3.2.2)', (what, rateBytesPerSecond) => {
    const rounds = new Rounds(bbr)
    for (let i = 0; i < 3; i++) rounds.round(50_000, { rateBytesPerSecond: 1e6, flight: 1e9 })
    expect(dataOf(rounds.state).model.fullBandwidthRounds).toBe(2)
    if (what === 'a timeout') bbr.onTimeout(rounds.state, 1000, true, rounds.now)
    const modes = [1, 2, 3, 4].map(() => {
      rounds.round(50_000, { rateBytesPerSecond, flight: 1e9 })
      return dataOf(rounds.state).mode
    })
    expect(modes).toEqual(['startup', 'startup', 'startup', 'drain'])
  })

  test('a rate that the application held back counts only when it is the highest (§4.1.1)', () => {
    const rounds = filled()
    const { model } = dataOf(rounds.state)
    for (let i = 0; i < 12; i++) rounds.round(50_000, { isAppLimited: true, rateBytesPerSecond: 5e5 })
    expect(model.bandwidth).toBe(1e6)
    rounds.round(50_000, { isAppLimited: true, rateBytesPerSecond: 3e6 })
    expect(model.bandwidth).toBe(3e6)
  })

  test('cycles through 5/4, 3/4 and six times 1, and never begins with 3/4 (§4.3.4.3)', () => {
    const rounds = filled()
    expect(dataOf(rounds.state).pacingGain).not.toBe(0.75)
    const gains: number[] = []
    for (let i = 0; i < 16; i++) {
      rounds.round(50_001, { rateBytesPerSecond: 1e6, rttUs: 50_000, priorFlight: 1e6, flight: 1e6 })
      gains.push(dataOf(rounds.state).pacingGain)
    }
    const from = gains.indexOf(1.25)
    expect(gains.slice(from, from + 8)).toEqual(CYCLE_GAINS)
    const starts = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const state = begun(bbr, { segments: 10 + i })
      const data = dataOf(state)
      Object.assign(data.model, { isPipeFull: true, bandwidth: 1e6, minRttUs: 50_000 + i })
      bbr.onEveryAck?.(state, ackOf(1000, { now: i, totalDelivered: 1000 + 1448 * i }))
      starts.add(data.cycleIndex)
    }
    expect([...starts].sort()).toEqual([0, 2, 3, 4, 5, 6, 7])
  })

  test('recovery begins with one segment out for each that has left, and gives the window back at its end (§4.2.3.4)', () => {
    const { state, now, delivered } = filled()
    const before = state.cwnd
    bbr.onLoss(state, before, now)
    const at = { now, phase: 'recovery' as const, rateBytesPerSecond: 1e6 }
    const entry = { lost: 2000, priorFlight: 50_000, flight: 47_000, totalDelivered: delivered + 1000 }
    acknowledge(bbr, state, ackOf(0, { ...at, ...entry, delivered: 1000, priorDelivered: delivered - 1 }))
    expect(state.cwnd).toBe(48_000)
    const next = { delivered: 2000, flight: 46_000, totalDelivered: delivered + 3000, priorDelivered: delivered }
    acknowledge(bbr, state, ackOf(0, { ...at, ...next }))
    expect(state.cwnd).toBe(48_000)
    // A round trip later it grows again, up to what the model allows.
    const later = {
      delivered: 1000,
      flight: 46_000,
      totalDelivered: delivered + 50_000,
      priorDelivered: delivered + 2000,
    }
    acknowledge(bbr, state, ackOf(0, { ...at, ...later }))
    expect(state.cwnd).toBe(49_000)
    acknowledge(bbr, state, ackOf(0, { ...at, ...later, lost: 3000, priorDelivered: 0 }))
    expect(state.cwnd).toBe(47_000)
    bbr.onRecovered(state, 0, now)
    acknowledge(bbr, state, ackOf(1000, { ...at, ...later, phase: 'open', priorDelivered: 0 }))
    expect(state.cwnd).toBe(before)
  })

  test('a timeout leaves one segment, and the window of before comes back when it is mended (§4.2.3.4)', () => {
    const { state, now, delivered } = filled()
    const before = state.cwnd
    bbr.onTimeout(state, before, true, now)
    expect(state.cwnd).toBe(1000)
    bbr.onTimeout(state, 1000, false, now)
    const at = { now, rateBytesPerSecond: 1e5, priorDelivered: 0, totalDelivered: delivered }
    acknowledge(bbr, state, ackOf(1000, { ...at, phase: 'loss' }))
    expect(state.cwnd).toBe(4000)
    acknowledge(bbr, state, ackOf(1000, { ...at, phase: 'open' }))
    expect(state.cwnd).toBe(before)
  })

  test('goes on after a pause at the bandwidth that it knows, and does not take the pause for an old round trip (§4.3.4.4)', () => {
    const { state, now, delivered } = filled()
    dataOf(state).pacingGain = 1.25
    state.pacingRate = 1.25e6
    const before = state.cwnd
    bbr.onIdle(state, 10_000, now + 60e6)
    expect([state.cwnd, state.pacingRate]).toEqual([before, 1e6])
    const late = { now: now + 60e6 + 70_000, rttUs: 70_000, isAppLimited: true, rateBytesPerSecond: 1e4 }
    acknowledge(bbr, state, ackOf(1000, { ...late, priorDelivered: delivered, totalDelivered: delivered + 1000 }))
    expect(dataOf(state)).toMatchObject({ mode: 'probe-bw', model: { minRttUs: 70_000, bandwidth: 1e6 } })
  })

  test.each([true, false])(
    'an old round trip is looked for again unless the path was empty: nothing to send %s (§4.3.5)',
    (isAppLimited) => {
      const { state, now, delivered } = filled()
      const at = { rttUs: 70_000, flight: 0, priorDelivered: delivered, totalDelivered: delivered + 1000 }
      acknowledge(bbr, state, ackOf(1000, { ...at, now, isAppLimited }))
      acknowledge(bbr, state, ackOf(1000, { ...at, now: now + 11e6, isAppLimited }))
      expect(dataOf(state).mode).toBe(isAppLimited ? 'probe-bw' : 'probe-rtt')
    },
  )

  test('the window is twice what the path holds, and three bursts (§4.2.3.2)', () => {
    const { state } = filled()
    // 1 MB/s is below 24 Mbit/s: a burst is two segments.
    // The rounds of this test bring more than the rate that they tell: that counts as aggregation.
    expect(state.cwnd).toBe(2 * 50_000 + 3 * 2000 + aggregationBytes(dataOf(state).model))
  })
})
