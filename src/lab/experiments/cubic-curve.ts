// CUBIC's curve: after a loss the window climbs back along W(t) = C (t - K)^3 + W_max, whatever the round trip (RFC 9438 §4.2).

import { SECOND } from '../../base/time.ts'
import { bulk } from '../bulk.ts'
import { claimNear, claimWithin } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { rounded } from '../measure.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'

/** RFC 9438 §4.1, §4.6, written down here once more: not asked of the controller that is looked at. */
const C = 0.4
const BETA = 0.7
const kOf = (wMax: number, reduced: number): number => Math.cbrt((wMax - reduced) / C)
const windowAfter = (seconds: number, k: number, wMax: number): number => C * (seconds - k) ** 3 + wMax

/** What was measured, put to the test. */
function claimsOf({
  wMax,
  reduced,
  backAt,
  k,
  at,
}: {
  readonly wMax: number
  readonly reduced: number
  readonly backAt: number
  readonly k: number
  readonly at: (seconds: number) => number
}): Claim[] {
  const unit = 'segments'
  return [
    claimNear(
      { text: `The loss leaves ${BETA} of the window.`, because: 'RFC 9438 §4.6: beta_cubic', unit },
      rounded(reduced, 2),
      rounded(BETA * wMax, 2),
      0.02,
    ),
    claimWithin(
      {
        text: 'It is back where it was after K = cbrt(W_max (1 - beta) / C) seconds.',
        because: 'RFC 9438 §4.2, figure 2, on a plateau half a segment high',
        unit: 's',
      },
      rounded(backAt, 2),
      rounded(k - Math.cbrt(0.5 / C), 2),
      0.35,
    ),
    ...[0.5, 1, 1.5, 2].map((part) =>
      claimNear(
        {
          text: `At ${part} K the window is that of the curve.`,
          because: 'W(t) = C (t - K)^3 + W_max (RFC 9438 §4.2, figure 1)',
          unit,
        },
        rounded(at(part * k), 2),
        rounded(windowAfter(part * k, k, wMax), 2),
        0.03,
      ),
    ),
  ]
}

/** CUBIC against its own formula. */
export const cubicCurve = defineExperiment({
  id: 'cubic-curve',
  fact: '',
  title: 'CUBIC climbs along its curve',
  question: 'Does the window after a loss follow the cubic function of RFC 9438?',
  read: ['RFC 9438 §4.2', 'Ha, Rhee, Xu: CUBIC (2008)'],
  parameters: {
    segment: {
      default: '200',
      unit: 'count',
      range: ['100', '1500'],
      doc: 'the data segment that is lost, in slow start: it decides how large the window is',
    },
    rtt: { default: '100ms', unit: 'time', range: ['50ms', '400ms'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2, rate: '1gbit', queue: 'drop-tail 10000p' }),
  figures: ['window', 'round-trip', 'throughput'],

  async run(context, { segment }) {
    const world = context.world({
      label: 'one loss',
      tcp: { congestion: 'cubic', delayedAckUs: 0, sendBufferBytes: 1 << 23, receiveBufferBytes: 1 << 23 },
      faults: [`drop data segment ${segment} from client`],
      mostPackets: 1200,
    })
    const seconds = 13
    const { mss } = await world.run(() => bulk(world, { from: 'client', to: 'server', untilUs: seconds * SECOND }))
    const end = world.record().connections[0].ends.find(({ host }) => host === 'client')
    const windows = (end?.windows ?? []).map(({ at, cwnd, phase, ssthresh }) => ({
      at,
      w: cwnd / mss,
      phase,
      ssthresh,
    }))
    const lossAt = windows.findIndex(({ phase }) => phase === 'recovery')
    const wMax = windows[lossAt - 1].w
    const start = windows.findIndex(({ phase }, i) => i > lossAt && phase === 'open')
    const t0 = windows[start].at
    const reduced = windows[start].w
    const k = kOf(wMax, reduced)
    const at = (seconds: number): number => windows.findLast(({ at }) => at <= t0 + seconds * SECOND)?.w ?? 0
    const curve = windows
      .filter(({ at }) => at >= t0)
      .map(({ at, w }): [number, number] => [(at - t0) / SECOND, rounded(w, 2)])
    const backAt = curve.find(([, w]) => w >= wMax - 0.5)?.[0] ?? -1
    const expected = Array.from({ length: 60 }, (_, i): [number, number] => {
      const t = (i * (seconds - t0 / SECOND)) / 59
      return [rounded(t, 3), rounded(windowAfter(t, k, wMax), 2)]
    })
    const rows = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2].map((part) => [
      part,
      rounded(part * k, 2),
      rounded(at(part * k), 1),
      rounded(windowAfter(part * k, k, wMax), 1),
    ])
    return {
      claims: claimsOf({ wMax, reduced, backAt, k, at }),
      tables: [{ title: 'The curve', columns: ['t / K', 't s', 'measured segments', 'W(t)'], rows }],
      plots: [
        {
          title: 'Window after the loss',
          x: 'seconds after recovery',
          y: 'segments',
          curves: [
            { name: 'CUBIC', points: curve.filter((_, i) => i % Math.ceil(curve.length / 400) === 0), shape: 'step' },
            { name: 'W(t)', points: expected, isReference: true },
          ],
        },
      ],
    }
  },
})
