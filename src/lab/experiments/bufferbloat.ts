// Bufferbloat: a large queue that a flow fills makes everybody wait; RED and CoDel keep it short at little cost.

import { type Micros, SECOND } from '../../base/time.ts'
import { bulk } from '../bulk.ts'
import { claimAtLeast, claimAtMost, claimNear, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { inMs, quantile, rounded } from '../measure.ts'
import { pairOf, type Topology } from '../topology.ts'
import type { Claim } from '../types.ts'

const PACKET_BITS = 1500 * 8

interface Measured {
  readonly bitsPerSecond: number
  /** Echoes over the same line, while the transfer goes on: microseconds. */
  readonly median: Micros
  readonly worst: Micros
  readonly drops: number
}

function network(rateBps: number, rttUs: Micros, queue: string): Topology {
  return pairOf({
    delay: rttUs / 2,
    rate: rateBps,
    queue,
    back: { delay: rttUs / 2, rate: rateBps * 10, queue: 'drop-tail 1000p' },
  })
}

/** A transfer from the server, and the client's pings beside it. */
async function load(context: RunContext, label: string, topology: Topology, forUs: Micros): Promise<Measured> {
  const tcp = { congestion: 'cubic', sendBufferBytes: 1 << 22, receiveBufferBytes: 1 << 22 }
  const world = context.world({ label, topology, tcp, mostPackets: 600 })
  const echoes: Micros[] = []
  const { bitsPerSecond } = await world.run(async () => {
    const transfer = bulk(world, { from: 'client', to: 'server', untilUs: forUs, countFromUs: forUs / 3 })
    while (world.now() < forUs - SECOND) {
      await world.sleep(SECOND / 10)
      if (world.now() < forUs / 3) continue
      try {
        echoes.push(await world.host('client').ping(world.addressOf('server'), { timeoutMs: 5000 }))
      } catch {
        // a queue drops echoes too
      }
    }
    return transfer
  })
  const drops = world.record().queues.reduce((sum, queue) => sum + queue.drops.length, 0)
  return { bitsPerSecond, median: quantile(echoes, 0.5), worst: quantile(echoes, 0.95), drops }
}

/** What was measured, put to the test. */
function claimsOf({
  all,
  full,
  rtt,
  rate,
}: {
  readonly all: readonly Measured[]
  readonly full: Micros
  readonly rtt: Micros
  readonly rate: number
}): Claim[] {
  const [bloated, , red, codel] = all
  const share = ({ bitsPerSecond }: Measured): number => rounded(bitsPerSecond / bloated.bitsPerSecond, 3)
  const unit = 'ms'
  return [
    claimNear(
      {
        text: 'At its worst a bloated queue adds its whole length to every round trip.',
        because: 'packets * 12,000 bits / rate',
        unit,
        beside: [figure('median', inMs(bloated.median), unit)],
      },
      inMs(bloated.worst),
      inMs(full),
      0.15,
    ),
    claimAtMost(
      {
        text: 'CoDel lets packets wait about its target.',
        because: 'RFC 8289 §4.4: 5 ms standing; twice that and a packet’s time for the median',
        unit,
      },
      inMs(codel.median - rtt),
      inMs(10_000 + (2 * PACKET_BITS * 1e6) / rate),
    ),
    claimAtMost(
      {
        text: 'RED keeps the queue at a fifth of the bloated one or less.',
        because: 'it drops from 5 packets on average',
        unit,
      },
      inMs(red.median - rtt),
      inMs((bloated.median - rtt) / 5),
    ),
    claimAtLeast(
      {
        text: 'CoDel’s short queue costs little throughput.',
        because: 'one flow, one bandwidth-delay product in flight',
        unit: 'of the bloated queue’s',
      },
      share(codel),
      0.85,
    ),
    claimAtLeast({ text: 'RED’s neither.', because: 'the same', unit: 'of the bloated queue’s' }, share(red), 0.8),
  ]
}

/** Queues before one line. */
export const bufferbloat = defineExperiment({
  id: 'bufferbloat',
  fact: '',
  title: 'Bufferbloat, and queues that know better',
  question: 'How long do others wait behind one transfer, with which queue, and what does a short queue cost?',
  read: [
    'RFC 7567',
    'RFC 8289 (CoDel)',
    'Floyd, Jacobson: Random Early Detection (1993)',
    'Gettys, Nichols: Bufferbloat (2011)',
  ],
  parameters: {
    rate: { default: '4mbit', unit: 'rate', range: ['1mbit', '50mbit'], doc: 'of the line' },
    rtt: { default: '40ms', unit: 'time', range: ['10ms', '200ms'], doc: 'round trip with empty queues' },
    buffer: { default: '300', unit: 'count', range: ['50', '2000'], doc: 'packets of the bloated queue' },
    seconds: {
      default: '30',
      unit: 'count',
      range: ['15', '300'],
      doc: 'length of each run; the first third is not counted',
    },
  },
  topology: ({ rate, rtt, buffer }) => network(rate, rtt, `drop-tail ${buffer}p`),
  figures: ['queue', 'round-trip', 'window', 'throughput'],

  async run(context, { rate, rtt, buffer, seconds }) {
    const product = Math.max(4, Math.round((rate * rtt) / 1e6 / PACKET_BITS))
    const kinds = [
      ['bloated drop-tail', `drop-tail ${buffer}p`],
      ['drop-tail of one product', `drop-tail ${product}p`],
      ['RED', `red 5p 15p ${buffer}p`],
      ['CoDel', `codel ${buffer}p`],
    ] as const
    const rows: (string | number)[][] = []
    const all: Measured[] = []
    for (const [name, queue] of kinds) {
      const measured = await load(context, name, network(rate, rtt, queue), seconds * SECOND)
      all.push(measured)
      const use = rounded((100 * measured.bitsPerSecond * 1.036) / rate, 1)
      rows.push([name, queue, use, inMs(measured.median), inMs(measured.worst), measured.drops])
    }
    const full = rtt + ((buffer * PACKET_BITS) / rate) * 1e6
    return {
      claims: claimsOf({ all, full, rtt, rate }),
      tables: [
        {
          title: 'Pings beside one transfer',
          columns: ['', 'queue', 'goodput, % of the line', 'median ping ms', '95 % below ms', 'dropped'],
          rows,
        },
      ],
    }
  },
})
