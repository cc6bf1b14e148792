// Several flows share a bottleneck: how evenly, and what a longer round trip costs.

import { type Micros, SECOND } from '../../base/time.ts'
import { bulk } from '../bulk.ts'
import { claimAtLeast, claimAtMost, claimTrue, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { inMs, jain, rounded } from '../measure.ts'
import { dumbbell, type Topology } from '../topology.ts'

const CONTROLLERS = ['reno', 'cubic', 'bbr'] as const
/** Flows start one after another, so that they do not move in step. */
const STAGGER_US: Micros = 300_000

interface Shared {
  readonly rates: readonly number[]
  readonly index: number
  /** Of the bottleneck's rate. */
  readonly use: number
}

function network(rateBps: number, roundTrips: readonly Micros[]): Topology {
  // A queue of one bandwidth-delay product of 40 ms.
  const packets = Math.max(10, Math.round((rateBps * 0.04) / 8 / 1500))
  return dumbbell(
    { rate: rateBps, delay: 5_000, queue: `drop-tail ${packets}p` },
    roundTrips.map((rtt) => ({ delay: rtt / 2 - 5_000 })),
  )
}

async function share(
  context: RunContext,
  label: string,
  congestion: string,
  rateBps: number,
  roundTrips: readonly Micros[],
  forUs: Micros,
): Promise<Shared> {
  const tcp = { congestion, sendBufferBytes: 1 << 20, receiveBufferBytes: 1 << 20 }
  const world = context.world({ label, tcp, topology: network(rateBps, roundTrips), mostPackets: 400 })
  const results = await world.run(() =>
    Promise.all(
      roundTrips.map((_, i) =>
        bulk(world, {
          from: `client${i + 1}`,
          to: `server${i + 1}`,
          startUs: i * STAGGER_US,
          untilUs: forUs,
          countFromUs: forUs / 3,
        }),
      ),
    ),
  )
  const rates = results.map(({ bitsPerSecond }) => rounded(bitsPerSecond / 1e6, 3))
  return { rates, index: rounded(jain(rates), 3), use: rounded(rates.reduce((a, b) => a + b, 0) / (rateBps / 1e6), 3) }
}

/** Flows on one bottleneck. */
export const fairness = defineExperiment({
  id: 'fairness',
  fact: '',
  title: 'Flows share a bottleneck',
  question: 'Do flows of one kind get the same, and what does a longer round trip cost?',
  read: [
    'RFC 5681',
    'RFC 9438 §5.1',
    'Jain, Chiu, Hawe: A quantitative measure of fairness (1984)',
    'Lakshman, Madhow (1997)',
  ],
  parameters: {
    flows: { default: '3', unit: 'count', range: ['2', '8'], doc: 'flows with the same round trip' },
    rate: { default: '6mbit', unit: 'rate', range: ['1mbit', '100mbit'], doc: 'of the bottleneck' },
    rtt: { default: '40ms', unit: 'time', range: ['20ms', '200ms'], doc: 'round trip of the short ones' },
    seconds: {
      default: '30',
      unit: 'count',
      range: ['10', '300'],
      doc: 'length of each run; the first third is not counted',
    },
  },
  topology: ({ flows, rate, rtt }) => network(rate, new Array(flows).fill(rtt)),
  figures: ['throughput', 'window', 'round-trip', 'queue'],

  async run(context, { flows, rate, rtt, seconds }) {
    const forUs = seconds * SECOND
    const rows: (string | number)[][] = []
    const same = new Map<string, Shared>()
    const apart = new Map<string, number>()
    for (const congestion of CONTROLLERS) {
      const equal = await share(context, `${flows} ${congestion}`, congestion, rate, new Array(flows).fill(rtt), forUs)
      same.set(congestion, equal)
      rows.push([congestion, `${flows} of ${inMs(rtt)} ms`, equal.rates.join(' '), equal.index, equal.use])
      if (congestion === 'bbr') continue
      const mixed = await share(context, `${congestion}, two round trips`, congestion, rate, [rtt, 4 * rtt], forUs)
      apart.set(congestion, rounded(mixed.rates[0] / mixed.rates[1], 2))
      rows.push([congestion, `${inMs(rtt)} and ${inMs(4 * rtt)} ms`, mixed.rates.join(' '), mixed.index, mixed.use])
    }
    const [reno, cubic] = [apart.get('reno') ?? 0, apart.get('cubic') ?? 0]
    return {
      claims: [
        ...CONTROLLERS.map((name) =>
          claimAtLeast(
            {
              text: `Flows of ${name} with the same round trip share evenly: Jain’s index.`,
              because: '1 means all get the same; all go by the same signal',
            },
            same.get(name)?.index ?? 0,
            0.95,
          ),
        ),
        ...CONTROLLERS.map((name) =>
          claimAtLeast(
            {
              text: `Together those of ${name} use the line.`,
              because: 'a queue of one bandwidth-delay product',
              unit: 'of its rate',
            },
            same.get(name)?.use ?? 0,
            0.85,
          ),
        ),
        claimTrue(
          {
            text: 'With Reno a round trip that is four times as long costs more than half, and up to its square.',
            because:
              'a segment a round trip: between the ratio of the round trips, queue included, and its square (Lakshman, Madhow 1997)',
            beside: [figure('short to long', reno, 'times')],
          },
          reno > 2 && reno < 16,
        ),
        claimAtMost(
          {
            text: 'CUBIC is milder to the long one than Reno.',
            because: 'RFC 9438 §5.1: its growth depends on time, not on round trips',
            unit: 'times',
          },
          cubic,
          reno,
        ),
      ],
      tables: [
        {
          title: 'Who got what',
          columns: ['controller', 'flows', 'Mbit/s each', 'Jain’s index', 'use of the line'],
          rows,
        },
      ],
    }
  },
})
