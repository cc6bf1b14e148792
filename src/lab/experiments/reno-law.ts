// Reno against the square-root law: with one loss in 1 / p packets the window saws between W and 2 W, and a flow gets
// MSS / RTT * C / sqrt(p), with C = sqrt(3 / 2) where every acknowledged byte counts (Mathis, Semke, Mahdavi, Ott 1997).

import { MINUTE } from '../../base/time.ts'
import { bulk } from '../bulk.ts'
import { claimNear, claimOrder } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { rounded } from '../measure.ts'
import { pairOf } from '../topology.ts'

const PERIODS = [50, 100, 200, 400, 800]
/** Losses of one run, about. */
const LOSSES = 14

/** The law, in bits per second. */
export function squareRootLaw(mss: number, rttUs: number, lossRate: number): number {
  return (mss * 8e6 * Math.sqrt(1.5)) / (rttUs * Math.sqrt(lossRate))
}

/** One flow with every n-th packet lost: its rate, after two losses, and its MSS. */
async function run(context: RunContext, period: number, rttUs: number, isShown: boolean) {
  const label = `one packet of ${period} lost`
  const tcp = { congestion: 'reno', delayedAckUs: 0, sendBufferBytes: 1 << 22, receiveBufferBytes: 1 << 22 }
  const faults = [`drop every ${period}th data segment from client`]
  const world = context.world({ label, isShown, tcp, faults })
  // A cycle of the saw is W = sqrt(8 / 3 p) / 2 round trips long.
  const cycleUs = (Math.sqrt((8 * period) / 3) / 2) * rttUs
  const untilUs = (LOSSES + 4) * cycleUs
  return world.run(() => bulk(world, { from: 'client', to: 'server', untilUs, countFromUs: 4 * cycleUs }))
}

/** The square-root law. */
export const renoLaw = defineExperiment({
  id: 'reno-law',
  fact: '',
  title: 'Reno follows the square-root law',
  question: 'How does Reno’s throughput depend on loss and round trip?',
  read: [
    'RFC 5681 §3',
    'Mathis, Semke, Mahdavi, Ott: The macroscopic behavior of the TCP congestion avoidance algorithm (1997)',
  ],
  parameters: {
    rtt: { default: '60ms', unit: 'time', range: ['10ms', '500ms'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2, rate: '1gbit', queue: 'drop-tail 10000p' }),
  figures: ['window', 'throughput', 'time-sequence'],
  mostUs: 60 * MINUTE,

  async run(context, { rtt }) {
    const rows: (string | number)[][] = []
    const measured: [number, number][] = []
    const law: [number, number][] = []
    const claims = []
    for (const period of PERIODS) {
      const { bitsPerSecond, mss } = await run(context, period, rtt, period === 200)
      const expected = squareRootLaw(mss, rtt, 1 / period)
      const share = 100 / period
      measured.push([share, rounded(bitsPerSecond / 1e6, 3)])
      law.push([share, rounded(expected / 1e6, 3)])
      rows.push([
        rounded(share, 3),
        rounded(bitsPerSecond / 1e6, 3),
        rounded(expected / 1e6, 3),
        rounded(bitsPerSecond / expected, 3),
      ])
      claims.push(
        claimNear(
          {
            text: `With ${rounded(share, 3)} % of loss the throughput is that of the law.`,
            because: 'MSS / RTT * sqrt(3 / 2p)',
            unit: 'Mbit/s',
          },
          rounded(bitsPerSecond / 1e6, 3),
          rounded(expected / 1e6, 3),
          0.2,
        ),
      )
    }
    const points = [...measured].sort((a, b) => a[0] - b[0])
    return {
      claims: [
        ...claims,
        claimOrder(
          {
            text: 'Less loss gives more, but a quarter of it only twice as much.',
            because: 'the square root',
            unit: 'Mbit/s',
          },
          [...points].reverse().map(([share, rate]) => [`${rounded(share, 3)} %`, rate] as const),
        ),
      ],
      tables: [{ title: 'Throughput', columns: ['loss %', 'measured Mbit/s', 'law Mbit/s', 'of the law'], rows }],
      plots: [
        {
          title: 'Throughput against loss',
          x: 'loss, %',
          y: 'Mbit/s',
          logX: true,
          logY: true,
          curves: [
            { name: 'Reno', points },
            { name: 'square-root law', points: [...law].sort((a, b) => a[0] - b[0]), isReference: true },
          ],
        },
      ],
    }
  },
})
