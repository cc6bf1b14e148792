// E9 live: which of Linux's acknowledgements ride and which wait, and ours towards Linux.

import type { Micros } from '../../base/time.ts'
import { claimAtLeast, claimAtMost, claimWithin } from '../claims.ts'
import { delayedAck, send, waits } from '../experiments/delayed-ack.ts'
import { defineLive, type LiveContext } from '../live.ts'
import { bareAcksFrom, dataFrom, inMs, mean, quantile } from '../measure.ts'
import type { WorldRecord } from '../record.ts'
import type { Claim } from '../types.ts'

interface Values extends Record<string, number> {
  readonly ack: number
  readonly messages: number
}

/** How long Linux waits at least (TCP_ATO_MIN). */
const LINUX_ATO: Micros = 40_000

const bare = (record: WorldRecord): number => bareAcksFrom(record, 'server').length

async function measure(context: LiveContext, { ack, messages }: Values) {
  const [toLinux, fromLinux] = [context.linux('server'), context.linux('client')]
  const base = { messages: 4 * messages, bytes: 100, everyUs: (3 * LINUX_ATO) / 2 }
  const slow = { messages, bytes: 100, everyUs: 2 * ack }
  const isAnswered = (n: number): boolean => n % 4 !== 3
  const [atOnce, never, missed, bulk, oursSoon, oursNever] = await Promise.all([
    send(toLinux, { ...base, label: 'answered at once', thinkUs: 0 }, ack),
    send(toLinux, { ...base, label: 'never answered', thinkUs: -1 }, ack),
    send(toLinux, { ...base, label: 'every fourth not answered', thinkUs: 0, isAnswered }, ack),
    send(toLinux, { ...base, label: 'full segments in a row', bytes: 1448, everyUs: 0, thinkUs: -1 }, ack),
    send(fromLinux, { ...slow, label: 'answered by us within the timer', thinkUs: ack / 2 }, ack),
    send(fromLinux, { ...slow, label: 'never answered by us', thinkUs: -1 }, ack),
  ])
  const unanswered = waits(missed).filter((_, n) => !isAnswered(n))
  const row = (record: WorldRecord): (string | number)[] => [
    record.label,
    dataFrom(record, 'client').length,
    dataFrom(record, 'server').length,
    bare(record),
    inMs(mean(waits(record))),
  ]
  return { ack, base, slow, atOnce, never, missed, bulk, oursSoon, oursNever, unanswered, row }
}

/** What was measured, put to the test. */
function claimsOf({
  ack,
  base,
  slow,
  atOnce,
  never,
  bulk,
  oursSoon,
  oursNever,
  unanswered,
}: Awaited<ReturnType<typeof measure>>): Claim[] {
  const unit = 'ms'
  return [
    claimAtMost(
      {
        text: 'Answered at once, nearly every acknowledgement of Linux rides.',
        because: 'RFC 9293 §3.8.6.3; until it has seen that the connection talks both ways it acknowledges at once',
        unit: 'bare ACKs',
      },
      bare(atOnce),
      base.messages / 4,
    ),
    claimWithin(
      {
        text: 'Where answers are usual, what is not answered waits for Linux’s timer.',
        because: 'TCP_ATO_MIN: 40 ms',
        unit,
      },
      inMs(quantile(unanswered.slice(1), 0.5)),
      inMs(LINUX_ATO),
      12,
    ),
    claimAtMost(
      {
        text: 'Linux does otherwise on a connection that only listens: it acknowledges as soon as the program has read.',
        because: 'there is no answer to be expected that an acknowledgement could ride on',
        unit,
      },
      inMs(quantile(waits(never), 0.5)),
      10,
    ),
    claimAtLeast(
      {
        text: 'Of full segments in a row at least every second one is acknowledged.',
        because: 'RFC 5681 §4.2',
        unit: 'bare ACKs',
      },
      bare(bulk),
      base.messages / 2,
    ),
    claimAtMost(
      {
        text: 'Our acknowledgements ride on an answer that comes before the timer.',
        because: 'half of the timer is waited for, and no more',
        unit: 'bare ACKs',
      },
      bare(oursSoon),
      slow.messages / 4,
    ),
    claimWithin(
      { text: 'What we do not answer is acknowledged when our timer ends.', because: 'nothing to ride on', unit },
      inMs(quantile(waits(oursNever), 0.5)),
      inMs(ack),
      15,
    ),
  ]
}

/** E9 against Linux. */
export const delayedAckLive = defineLive<Values>(
  delayedAck,
  {
    ack: { default: '100ms', range: ['50ms', '150ms'] },
    messages: { default: '7', range: ['4', '40'] },
  },
  async (context, values) => {
    const measured = await measure(context, values)
    const { atOnce, never, missed, bulk, oursSoon, oursNever, row } = measured
    return {
      claims: claimsOf(measured),
      tables: [
        {
          title: 'Acknowledgements that rode, and that waited',
          columns: ['', 'segments', 'rode', 'bare', 'mean wait ms'],
          rows: [atOnce, never, missed, bulk, oursSoon, oursNever].map(row),
        },
      ],
      why: [
        'Linux waits 40 ms, and only on a connection that has answered before; the 100 to 200 ms of the book are other stacks’.',
        'Linux acknowledges the first 16 segments of a connection at once, so that the slow start of the sender is not held back.',
      ],
    }
  },
)
