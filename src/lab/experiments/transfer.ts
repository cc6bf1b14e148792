// One transfer over one line: the grain of a sweep (docs/sweep.md). Small, and each seed throws other dice.

import { bulk } from '../bulk.ts'
import { claimAtMost, claimExact, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs, rounded } from '../measure.ts'
import { pairOf } from '../topology.ts'

/** One flow from the client to the server. */
export const transfer = defineExperiment({
  id: 'transfer',
  fact: '',
  title: 'A transfer over a line that loses',
  question: 'How long does a transfer take, by its size, the line and the congestion controller?',
  read: ['RFC 5681 §3', 'RFC 9438', 'RFC 8985'],
  parameters: {
    bytes: { default: '256kb', unit: 'bytes', range: ['1', '64mb'], doc: 'how much is sent' },
    rtt: { default: '40ms', unit: 'time', range: ['1ms', '2s'], doc: 'round trip' },
    rate: { default: '20mbit', unit: 'rate', range: ['10kbit', '10gbit'], doc: 'rate of the line' },
    loss: { default: '1%', unit: 'percent', range: ['0%', '50%'], doc: 'chance of each packet to be lost' },
    buffer: { default: '100', unit: 'count', range: ['1', '100000'], doc: 'packets that may wait for the line' },
    congestion: { default: 'cubic', unit: 'word', doc: 'congestion controller' },
  },
  topology: ({ rtt, rate, loss, buffer }) => pairOf({ delay: rtt / 2, rate, loss, queue: `drop-tail ${buffer}p` }),
  figures: ['time-sequence', 'window', 'round-trip'],

  async run(context, { bytes, rate, congestion }) {
    const world = context.world({ label: 'transfer', tcp: { congestion } })
    const untilUs = 3000e6
    const result = await world.run(async () => {
      const { bytes: come } = await bulk(world, { from: 'client', to: 'server', bytes, untilUs })
      return { come, tookUs: world.now() }
    })
    const { connections, packets, omitted } = world.record()
    const resent = connections[0]?.ends.find(({ host }) => host === 'client')?.resent.length ?? 0
    const mbits = rounded((result.come * 8) / result.tookUs, 6)
    return {
      claims: [
        claimExact({ text: 'All of it arrives.', because: 'TCP is reliable', unit: 'bytes' }, result.come, bytes),
        claimAtMost({ text: 'No faster than the line.', because: 'its rate', unit: 'Mbit/s' }, mbits, rate / 1e6),
      ],
      measures: [
        figure('goodput', mbits, 'Mbit/s'),
        figure('time', inMs(result.tookUs), 'ms'),
        figure('resent', resent, 'segments'),
        figure('packets', packets.length + omitted, 'packets'),
      ],
    }
  },
})
