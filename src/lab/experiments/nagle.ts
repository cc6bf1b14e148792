// E11: Nagle's algorithm. Many small writes become few packets, at the price of waiting; TCP_NODELAY turns it off.

import { claimExact, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { LabWorld, Worlds } from '../live.ts'
import { dataFrom, inMs } from '../measure.ts'
import { pairOf } from '../topology.ts'

interface Sent {
  readonly world: LabWorld
  readonly packets: number
  /** From the first write to the arrival of the last byte. */
  readonly tookUs: number
}

/** Writes `count` single bytes, one each `everyUs`, and waits until all are there. */
export async function type(
  context: Worlds,
  label: string,
  noDelay: boolean,
  count: number,
  everyUs: number,
): Promise<Sent> {
  const mostPackets = 2 * count + 100 // each and its acknowledgement: the claims count them
  const world = context.world({ label, mostPackets, tcp: { delayedAckUs: 0, nagleVariant: 'rfc' } })
  const tookUs = await world.run(async () => {
    let come = 0
    let done = (): void => undefined
    const all = new Promise<void>((resolve) => {
      done = resolve
    })
    await world.listen('server', 7, (socket) => {
      socket.on('data', (chunk: Uint8Array) => {
        come += chunk.length
        if (come === count) done()
      })
    })
    const socket = await world.connect('client', 'server', 7, { noDelay })
    const from = world.now()
    for (let i = 0; i < count; i++) {
      socket.write(new Uint8Array([97 + (i % 26)]))
      if (i + 1 < count) await world.sleep(everyUs)
    }
    await all
    return world.now() - from
  })
  return { world, packets: dataFrom(world.record(), 'client').length, tookUs }
}

/** When each packet leaves by Nagle's rule: with nothing in flight, all that was written so far. */
export function expectedByNagle(count: number, everyUs: number, rttUs: number): { packets: number; tookUs: number } {
  let at = 0
  let sent = 0
  let packets = 0
  let arrives = 0
  while (sent < count) {
    // At `at` nothing is in flight; if nothing has been written by then, the next write goes at once.
    const written = Math.min(count, Math.floor(at / everyUs) + 1)
    if (written === sent) at = sent * everyUs
    else sent = written
    if (written > 0 && sent === written) {
      packets++
      arrives = at + rttUs / 2
      at += rttUs
    } else if (written < sent) throw new RangeError('nothing goes back')
  }
  return { packets, tookUs: arrives }
}

/** E11: many small writes with Nagle's algorithm and without. */
export const nagle = defineExperiment({
  id: 'nagle',
  fact: 'E11',
  title: 'Nagle’s algorithm gathers small writes',
  question: 'What do many small writes cost with Nagle’s algorithm, and what without?',
  read: ['RFC 896', 'RFC 9293 §3.7.4'],
  parameters: {
    writes: { default: '50', unit: 'count', range: ['2', '2000'], doc: 'writes of one byte each' },
    every: { default: '10ms', unit: 'time', range: ['1ms', '10s'], doc: 'time from one write to the next' },
    rtt: {
      default: '85ms',
      unit: 'time',
      range: ['2ms', '10s'],
      doc: 'round trip; not a multiple of the above, or two things happen at once',
    },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['time-sequence', 'ladder'],

  async run(context, { writes, every, rtt }) {
    const on = await type(context, 'Nagle', false, writes, every)
    const off = await type(context, 'TCP_NODELAY', true, writes, every)
    const expected = expectedByNagle(writes, every, rtt)
    const headers = 52 // IPv4, TCP, timestamps
    const row = (name: string, { packets, tookUs }: Sent): (string | number)[] => [
      name,
      packets,
      packets * headers + writes,
      Math.round((100 * packets * headers) / (packets * headers + writes)),
      inMs(tookUs),
    ]
    return {
      claims: [
        claimExact(
          {
            text: 'With Nagle one packet goes each round trip, with all that was written meanwhile.',
            because: 'RFC 9293 §3.7.4: a small segment waits while anything is unacknowledged',
            unit: 'packets',
          },
          on.packets,
          expected.packets,
        ),
        claimExact(
          {
            text: 'With TCP_NODELAY each write is a packet.',
            because: 'RFC 9293 §3.7.4 [MUST-17]: an application can turn it off',
            unit: 'packets',
          },
          off.packets,
          writes,
        ),
        claimWithin(
          {
            text: 'With Nagle the last byte waits for the acknowledgement of what went before.',
            because: 'the rule, reckoned write by write',
            unit: 'ms',
            beside: [figure('without Nagle', inMs(off.tookUs), 'ms')],
          },
          inMs(on.tookUs),
          inMs(expected.tookUs),
          0.1,
        ),
        claimWithin(
          {
            text: 'Without it the last byte is there half a round trip after it was written.',
            because: '(n - 1) pauses and one way',
            unit: 'ms',
          },
          inMs(off.tookUs),
          inMs((writes - 1) * every + rtt / 2),
          0.1,
        ),
      ],
      tables: [
        {
          title: 'The same text twice',
          columns: ['', 'packets', 'bytes on the wire', 'headers %', 'until all was there, ms'],
          rows: [row('Nagle', on), row('TCP_NODELAY', off)],
        },
      ],
    }
  },
})
