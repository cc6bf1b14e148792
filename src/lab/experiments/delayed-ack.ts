// E9: delayed acknowledgements. One waits a little for text to ride on, or for a second segment; what nobody answers waits for the timer.

import type { Micros } from '../../base/time.ts'
import { claimExact, claimWithin } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { Worlds } from '../live.ts'
import { bareAcksFrom, dataFrom, inMs, mean } from '../measure.ts'
import type { WorldRecord } from '../record.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'

interface Traffic {
  readonly label: string
  readonly messages: number
  readonly bytes: number
  /** Time from one message to the next; 0 for all at once. */
  readonly everyUs: Micros
  /** How long the server thinks before it answers; -1: it does not answer. */
  readonly thinkUs: Micros
  /** Whether the n-th message is answered, from 0. Default all of them. */
  readonly isAnswered?: (n: number) => boolean
}

/** Messages from the client to the server. */
export async function send(context: Worlds, traffic: Traffic, delayedAckUs: Micros): Promise<WorldRecord> {
  const { label, messages, bytes, everyUs, thinkUs, isAnswered = () => true } = traffic
  // RFC 6298 §2.4's second: with Linux's 200 ms over the round trip the timer of the sender would end together with that of the receiver.
  const sender = { minRtoUs: 1_000_000, tailLossProbe: false }
  const world = context.world({
    label,
    tcp: { delayedAck: 'fixed', delayedAckUs, initialWindowSegments: 100, ...sender },
  })
  await world.run(async () => {
    await world.listen(
      'server',
      7,
      (socket) => {
        let come = 0
        socket.on('data', async () => {
          if (thinkUs < 0 || !isAnswered(come++)) return
          if (thinkUs > 0) await world.sleep(thinkUs)
          socket.write('answer')
        })
      },
      { noDelay: true },
    )
    const socket = await world.connect('client', 'server', 7, { noDelay: true })
    socket.resume()
    for (let i = 0; i < messages; i++) {
      socket.write(new Uint8Array(bytes))
      if (everyUs > 0) await world.sleep(everyUs)
    }
    await world.sleep(1_000_000)
  })
  return world.record()
}

/** How long each message waited for the acknowledgement that covers it to leave, in microseconds. */
export function waits(record: WorldRecord): number[] {
  const answers = record.packets.filter((p) => p.from === 'server' && p.ack >= 0 && (p.flags & 2) === 0)
  return dataFrom(record, 'client').flatMap(({ receivedAt, seq, textBytes }) => {
    const ack = answers.find((p) => p.sentAt >= receivedAt && p.ack >= seq + textBytes)
    return ack === undefined ? [] : [ack.sentAt - receivedAt]
  })
}

/** Acknowledgements that went with text. */
const ridden = (record: WorldRecord): number => dataFrom(record, 'server').length

/** What was measured, put to the test. */
function claimsOf({
  bare,
  atOnce,
  soon,
  late,
  never,
  bulk,
  messages,
  ack,
}: {
  readonly bare: (record: WorldRecord) => number
  readonly atOnce: WorldRecord
  readonly soon: WorldRecord
  readonly late: WorldRecord
  readonly never: WorldRecord
  readonly bulk: WorldRecord
  readonly messages: number
  readonly ack: Micros
}): Claim[] {
  const unit = 'ms'
  return [
    claimExact(
      {
        text: 'Answered at once, every acknowledgement rides: there is no bare one.',
        because: 'RFC 9293 §3.8.6.3: the answer leaves first',
        unit: 'bare ACKs',
      },
      bare(atOnce),
      0,
    ),
    claimExact(
      {
        text: 'An answer that comes before the timer still takes it along.',
        because: 'half of the timer is waited for, and no more',
        unit: 'bare ACKs',
      },
      bare(soon),
      0,
    ),
    claimExact(
      {
        text: 'An answer that comes later finds it gone: two packets instead of one.',
        because: 'the timer ended first',
        unit: 'bare ACKs',
      },
      bare(late),
      messages,
    ),
    claimWithin(
      { text: 'What nobody answers is acknowledged when the timer ends.', because: 'nothing to ride on', unit },
      inMs(mean(waits(never))),
      inMs(ack),
      0.01,
    ),
    claimExact(
      {
        text: 'Of full segments in a row every second one is acknowledged at once.',
        because: 'RFC 5681 §4.2: at least every second full-sized segment',
        unit: 'bare ACKs',
      },
      bare(bulk),
      messages,
    ),
  ]
}

/** E9: who rides and who waits. */
export const delayedAck = defineExperiment({
  id: 'delayed-ack',
  fact: 'E9',
  title: 'Delayed acknowledgements look for a ride',
  question: 'Which acknowledgements ride on text, and which wait for their timer?',
  read: ['RFC 9293 §3.8.6.3', 'RFC 5681 §4.2', 'RFC 1122 §4.2.3.2'],
  parameters: {
    ack: { default: '200ms', unit: 'time', range: ['1ms', '499ms'], doc: 'how long an acknowledgement waits' },
    messages: { default: '10', unit: 'count', range: ['2', '80'], doc: 'messages of each kind' },
    rtt: { default: '40ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2, rate: '10mbit' }),
  figures: ['ladder', 'time-sequence'],

  async run(context, { ack, messages, rtt }) {
    const everyUs = rtt + 2 * ack + 500_000
    const base = { messages, bytes: 100, everyUs }
    const atOnce = await send(context, { ...base, label: 'answered at once', thinkUs: 0 }, ack)
    const soon = await send(context, { ...base, label: 'answered within the timer', thinkUs: ack / 2 }, ack)
    const late = await send(context, { ...base, label: 'answered after the timer', thinkUs: ack + 100_000 }, ack)
    const never = await send(context, { ...base, label: 'never answered', thinkUs: -1 }, ack)
    const bulk = await send(
      context,
      { label: 'full segments in a row', messages: 2 * messages, bytes: 1448, everyUs: 0, thinkUs: -1 },
      ack,
    )
    const bare = (record: WorldRecord): number => bareAcksFrom(record, 'server').length
    const row = (record: WorldRecord): (string | number)[] => [
      record.label,
      dataFrom(record, 'client').length,
      ridden(record),
      bare(record),
      inMs(mean(waits(record))),
    ]
    return {
      claims: claimsOf({ bare, atOnce, soon, late, never, bulk, messages, ack }),
      tables: [
        {
          title: 'Acknowledgements that rode, and that waited',
          columns: ['', 'segments', 'rode', 'bare', 'mean wait ms'],
          rows: [atOnce, soon, late, never, bulk].map(row),
        },
      ],
    }
  },
})
