// E12: Nagle's algorithm at one end and delayed acknowledgements at the other: each waits for the other, until a timer ends it.

import { type Micros, SECOND } from '../../base/time.ts'
import { claimExact, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { Worlds } from '../live.ts'
import { bareAcksFrom, dataFrom, inMs } from '../measure.ts'
import type { HoldSpan, WorldRecord } from '../record.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'

/** A way to write a request of a head and a body. */
export interface Way {
  readonly label: string
  readonly noDelay: boolean
  readonly isOneWrite: boolean
  readonly faults?: readonly string[]
}

/** The three ways. */
export const WAYS: readonly Way[] = [
  { label: 'Nagle, two writes', noDelay: false, isOneWrite: false },
  { label: 'TCP_NODELAY, two writes', noDelay: true, isOneWrite: false },
  { label: 'Nagle, one write', noDelay: false, isOneWrite: true },
]

/** The same with the acknowledgement lost that the body waits for. */
const DEAF: Way = {
  label: 'Nagle, two writes, the ACK is lost',
  noDelay: false,
  isOneWrite: false,
  faults: ['drop ACK 1 from server'],
}

/** No timer of the sender's ends the wait: its timeout is a second beyond the round trip (RFC 6298 §2.4), and there is no probe. */
const PATIENT = { minRtoUs: SECOND, tailLossProbe: false }
/** From the head to the body: the program makes it. */
const APART_US: Micros = 1000

/** The head of the request. */
export const HEAD = new TextEncoder().encode('POST /order HTTP/1.1\r\nHost: server\r\nContent-Length: 10\r\n\r\n')
/** Its body. */
export const BODY = new TextEncoder().encode('name=brian')
/** What the server says to it. */
export const ANSWER = new TextEncoder().encode('HTTP/1.1 204 No Content\r\n\r\n')

interface Asked {
  /** When the head was written, and how long the answer took from then. */
  readonly from: Micros
  readonly tookUs: Micros
  readonly record: WorldRecord
}

/** Sends the request and waits for its answer. */
export async function ask(context: Worlds, way: Way, delayedAckUs: Micros): Promise<Asked> {
  const { label, noDelay, isOneWrite, faults } = way
  const world = context.world({ label, faults, tcp: { delayedAck: 'fixed', delayedAckUs, ...PATIENT } })
  const times = await world.run(async () => {
    await world.listen(
      'server',
      80,
      (socket) => {
        let come = 0
        socket.on('data', (chunk: Uint8Array) => {
          come += chunk.length
          if (come === HEAD.length + BODY.length) socket.write(ANSWER)
        })
      },
      { noDelay: true },
    )
    const socket = await world.connect('client', 'server', 80, { noDelay })
    const from = world.now()
    const answered = new Promise<void>((resolve) => socket.once('data', () => resolve()))
    if (isOneWrite) {
      socket.cork()
      socket.write(HEAD)
      socket.write(BODY)
      socket.uncork()
    } else {
      socket.write(HEAD)
      await world.sleep(APART_US)
      socket.write(BODY)
    }
    await answered
    return { from, tookUs: world.now() - from }
  })
  return { ...times, record: world.record() }
}

const holdsOf = ({ connections }: WorldRecord, host: string, kind: 'holds' | 'ackHolds'): readonly HoldSpan[] =>
  connections[0].ends.find((end) => end.host === host)?.[kind] ?? []

/** The two waits, as each end gave its reasons, and what ended them. */
function mechanism({ from, record }: Asked, rtt: Micros, ack: Micros): Claim[] {
  const span = (spans: readonly HoldSpan[], reason: string): string =>
    spans
      .filter((hold) => hold.reason === reason && hold.from >= from && hold.to > hold.from)
      .map((hold) => `${inMs(hold.from - from)} to ${inMs(hold.to - from)}`)
      .join(', ')
  const held = holdsOf(record, 'server', 'ackHolds').filter((hold) => hold.from >= from)
  const body = dataFrom(record, 'client').find(({ textBytes }) => textBytes === BODY.length)
  const [released] = bareAcksFrom(record, 'server')
  const unit = 'ms after the head was written'
  return [
    claimExact(
      {
        text: 'The client’s TCP holds the body for Nagle’s rule, from its write until that acknowledgement is there.',
        because: 'the reason that TCP gave itself, RFC 9293 §3.7.4',
        unit,
      },
      span(holdsOf(record, 'client', 'holds'), 'nagle'),
      `${inMs(APART_US)} to ${inMs(rtt + ack)}`,
    ),
    claimExact(
      {
        text: 'The server’s TCP holds the acknowledgement of the head meanwhile, and it is the timer that sends it.',
        because: 'RFC 9293 §3.8.6.3: no answer to ride on, no second segment',
        unit,
        beside: [figure('ended by', held[0]?.endedBy ?? 'nothing')],
      },
      held[0]?.endedBy === 'timer' ? span(held, 'delayed') : 'not by the timer',
      `${inMs(rtt / 2)} to ${inMs(rtt / 2 + ack)}`,
    ),
    claimExact(
      {
        text: 'The body leaves at the instant at which that acknowledgement arrives; nothing was sent again.',
        because: 'one event causes the other',
        unit,
        beside: [figure('sent again', record.packets.filter(({ isAgain }) => isAgain).length, 'segments')],
      },
      record.packets.some(({ isAgain }) => isAgain) ? 'something was sent again' : inMs((body?.sentAt ?? 0) - from),
      inMs((released?.receivedAt ?? -1) - from),
    ),
  ]
}

/** E12: a request whose head and body are written apart. */
export const nagleDelayedAck = defineExperiment({
  id: 'nagle-delayed-ack',
  fact: 'E12',
  title: 'Nagle and delayed acknowledgements wait for each other',
  question: 'What does it cost to write the head and the body of a request one after the other?',
  read: ['RFC 9293 §3.7.4', 'RFC 1122 §4.2.3.2', 'RFC 9293 §3.8.6.3'],
  parameters: {
    rtt: { default: '20ms', unit: 'time', range: ['3ms', '1s'], doc: 'round trip' },
    ack: {
      default: '200ms',
      unit: 'time',
      range: ['2ms', '499ms'],
      doc: 'how long an acknowledgement waits for company',
    },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['ladder', 'time-sequence'],

  async run(context, { rtt, ack }) {
    const asked: Asked[] = []
    for (const way of [...WAYS, DEAF]) asked.push(await ask(context, way, ack))
    const [stalled, undelayed, joined, deaf] = asked.map(({ tookUs }) => tookUs)
    const timeout = rtt + Math.max(SECOND, 2 * rtt)
    const unit = 'ms'
    return {
      claims: [
        claimWithin(
          {
            text: 'Written apart, the body waits a round trip and the whole timer of the acknowledgement.',
            because:
              'Nagle holds the body for the ACK of the head; the server holds that ACK for an answer that needs the body',
            unit,
          },
          inMs(stalled),
          inMs(2 * rtt + ack),
          0.01,
        ),
        ...mechanism(asked[0], rtt, ack),
        claimWithin(
          {
            text: 'Were that acknowledgement lost, the body would wait on, until the head is sent again.',
            because: 'RFC 6298 §2: the round trip, and a second or twice the round trip; then two round trips',
            unit,
          },
          inMs(deaf),
          inMs(timeout + 2 * rtt),
          0.01,
        ),
        claimWithin(
          { text: 'With TCP_NODELAY the stall is gone.', because: 'the body goes as it is written, 1 ms later', unit },
          inMs(undelayed),
          inMs(rtt + APART_US),
          0.01,
        ),
        claimWithin(
          { text: 'Written at once it is gone too.', because: 'one segment, and nothing to wait for', unit },
          inMs(joined),
          inMs(rtt),
          0.01,
        ),
        claimWithin(
          {
            text: 'The stall is as long as the timer of the delayed acknowledgement, and a round trip.',
            because: 'the difference of the first and the last',
            unit,
            beside: [figure('times as long', Math.round((10 * stalled) / joined) / 10)],
          },
          inMs(stalled - joined),
          inMs(ack + rtt),
          0.01,
        ),
      ],
      tables: [
        {
          title: 'Ways to write the same request',
          columns: ['', 'until the answer, ms'],
          rows: [...WAYS, DEAF].map((way, i) => [way.label, inMs(asked[i].tookUs)]),
        },
      ],
    }
  },
})
