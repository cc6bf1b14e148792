// E12: Nagle's algorithm at one end and delayed acknowledgements at the other: each waits for the other, until a timer ends it.

import type { Micros } from '../../base/time.ts'
import { claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { Worlds } from '../live.ts'
import { inMs } from '../measure.ts'
import { pairOf } from '../topology.ts'

/** A way to write a request of a head and a body. */
export interface Way {
  readonly label: string
  readonly noDelay: boolean
  readonly isOneWrite: boolean
}

/** The three ways. */
export const WAYS: readonly Way[] = [
  { label: 'Nagle, two writes', noDelay: false, isOneWrite: false },
  { label: 'TCP_NODELAY, two writes', noDelay: true, isOneWrite: false },
  { label: 'Nagle, one write', noDelay: false, isOneWrite: true },
]

/** The head of the request. */
export const HEAD = new TextEncoder().encode('POST /order HTTP/1.1\r\nHost: server\r\nContent-Length: 10\r\n\r\n')
/** Its body. */
export const BODY = new TextEncoder().encode('name=brian')
/** What the server says to it. */
export const ANSWER = new TextEncoder().encode('HTTP/1.1 204 No Content\r\n\r\n')

/** Sends the request and waits for its answer; how long that took. */
export async function ask(context: Worlds, { label, noDelay, isOneWrite }: Way, delayedAckUs: Micros): Promise<Micros> {
  const world = context.world({ label, tcp: { delayedAck: 'fixed', delayedAckUs } })
  return world.run(async () => {
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
      await world.sleep(1000) // the program makes the body
      socket.write(BODY)
    }
    await answered
    return world.now() - from
  })
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
    const took = new Map<Way, Micros>()
    for (const way of WAYS) took.set(way, await ask(context, way, ack))
    const [stalled, undelayed, joined] = WAYS.map((way) => took.get(way) as Micros)
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
        claimWithin(
          { text: 'With TCP_NODELAY the stall is gone.', because: 'the body goes as it is written, 1 ms later', unit },
          inMs(undelayed),
          inMs(rtt + 1000),
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
          title: 'Three ways to write the same request',
          columns: ['', 'until the answer, ms'],
          rows: WAYS.map((way) => [way.label, inMs(took.get(way) as Micros)]),
        },
      ],
    }
  },
})
