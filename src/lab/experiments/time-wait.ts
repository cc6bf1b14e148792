// E13: TIME-WAIT. The end that closes first keeps the four values for twice the lifetime of a segment, so that nothing old finds its way
// into a new connection between the same ends.
//
// The new connection's sequence numbers begin where the clock is (RFC 9293 §3.4.1: 250,000 a second); a connection that sent faster than
// that has used numbers ahead of it, and an old segment from there fits into the new one's window. (Its acknowledgement has to fit too, RFC
// 5961 §5.2: after 2 s it would not any more, unless the window is large.)

import { MILLISECOND, type Micros } from '../../base/time.ts'
import { claimAtLeast, claimExact, claimWithin } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { LabWorld, Worlds } from '../live.ts'
import { inMs } from '../measure.ts'
import { pairOf } from '../topology.ts'

const OLD = 0x61 // a
const NEW = 0x62 // b
const PORT = 40_000
const OLD_BYTES = 2_000_000
/** When the second connection is opened, and how far behind its first number the old segment lies then. */
const AGAIN_US: Micros = 600 * MILLISECOND
const AHEAD_BYTES = 50_000
/** What the new connection carries. */
export const NEW_BYTES = 200_000

interface Way {
  readonly label: string
  readonly mslUs: Micros
  readonly timestamps: boolean
}

interface Outcome {
  /** Opening again at once: 'open' or the code of the error. */
  readonly again: string
  /** Old bytes that the application got as part of the new stream, and all that it got. */
  readonly oldBytes: number
  readonly newBytes: number
  /** How long TIME-WAIT lasted; -1: it was not over. */
  readonly waitedUs: Micros
}

async function send(world: LabWorld, letter: number, parts: readonly number[], pauseUs: Micros): Promise<void> {
  const socket = await world.connect('client', 'server', 80, { localPort: PORT })
  socket.resume()
  for (const bytes of parts) {
    if (!socket.write(new Uint8Array(bytes).fill(letter))) await new Promise((resolve) => socket.once('drain', resolve))
    if (pauseUs > 0) await world.sleep(pauseUs)
  }
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.end()
  await closed
}

/** Two connections with the same four values, and an old segment that comes back during the second. */
export async function reuse(context: Worlds, { label, mslUs, timestamps }: Way): Promise<Outcome> {
  const number = Math.ceil((AGAIN_US / 4 + AHEAD_BYTES) / (timestamps ? 1448 : 1460))
  const world = context.world({
    label,
    mostPackets: 5000,
    // RFC 1337: what answers the old segment must not end TIME-WAIT.
    tcp: { mslUs, timestamps, timeWaitIgnoresResets: true, receiveBufferBytes: 1 << 18 },
    faults: [`duplicate data segment ${number} from client after ${(AGAIN_US + 150 * MILLISECOND) / 1000}ms`],
  })
  const streams: number[][] = []
  let again = 'open'
  await world.run(async () => {
    await world.listen('server', 80, (socket) => {
      const counts = [0, 0]
      streams.push(counts)
      socket.on('data', (chunk: Uint8Array) => {
        for (const letter of chunk) counts[letter === OLD ? 0 : 1]++
      })
    })
    await send(world, OLD, [OLD_BYTES], 0)
    await world.sleep(AGAIN_US - world.now())
    const second = (): Promise<void> => send(world, NEW, [1000, NEW_BYTES - 1000], 500 * MILLISECOND)
    try {
      await second()
    } catch (error) {
      again = (error as { code?: string }).code ?? 'an error'
      await world.sleep(2 * mslUs)
      await second()
    }
  })
  const states = world.record().connections[0]?.ends.find(({ host }) => host === 'client')?.states ?? []
  const from = states.find(({ to }) => to === 'TIME-WAIT')?.at ?? 0
  const over = states.find(({ at, to }) => to === 'CLOSED' && at >= from)?.at
  const [oldBytes, newBytes] = streams[1] ?? [0, 0]
  return { again, oldBytes, newBytes, waitedUs: over === undefined ? -1 : over - from }
}

/** E13: an old segment, with TIME-WAIT and without. */
export const timeWait = defineExperiment({
  id: 'time-wait',
  fact: 'E13',
  title: 'TIME-WAIT keeps old segments out',
  question: 'What happens when an old segment comes back while a new connection uses the same four values?',
  read: ['RFC 9293 §3.6.1', 'RFC 9293 §3.4.1', 'RFC 1337', 'RFC 7323 §5'],
  parameters: {
    msl: {
      default: '30s',
      unit: 'time',
      range: ['5s', '120s'],
      doc: 'maximum segment lifetime; TIME-WAIT lasts twice as long',
    },
  },
  topology: () => pairOf({ delay: '5ms', rate: '100mbit', queue: 'drop-tail 2000p' }),
  figures: ['time-sequence', 'ladder'],

  async run(context, { msl }) {
    const without = await reuse(context, { label: 'without TIME-WAIT', mslUs: 0, timestamps: false })
    const paws = await reuse(context, { label: 'without it, but with timestamps', mslUs: 0, timestamps: true })
    const kept = await reuse(context, { label: 'with TIME-WAIT', mslUs: msl, timestamps: false })
    const row = (name: string, { again, oldBytes, newBytes }: Outcome): (string | number)[] => [
      name,
      again,
      oldBytes,
      newBytes,
    ]
    const unit = 'bytes'
    return {
      claims: [
        claimAtLeast(
          {
            text: 'Without TIME-WAIT the old segment is taken for text of the new connection: the stream is damaged, and nobody is told.',
            because: 'its sequence numbers fit into the window (RFC 9293 §3.4.1)',
            unit,
          },
          without.oldBytes,
          1,
        ),
        claimExact(
          {
            text: 'With TIME-WAIT the four values cannot be used again yet.',
            because: 'RFC 9293 §3.6.1 [MUST-13]: linger for 2 MSL',
          },
          kept.again,
          'EADDRINUSE',
        ),
        claimWithin(
          { text: 'It lasts for twice the maximum segment lifetime.', because: '2 MSL', unit: 'ms' },
          inMs(kept.waitedUs),
          inMs(2 * msl),
          0.001,
        ),
        claimExact(
          {
            text: 'After that the new connection gets its own text and nothing else.',
            because: 'the old segment is dead by then',
            unit,
          },
          `${kept.oldBytes} old, ${kept.newBytes} new`,
          `0 old, ${NEW_BYTES} new`,
        ),
        claimExact(
          {
            text: 'Timestamps tell the old segment apart even without TIME-WAIT.',
            because: 'RFC 7323 §5: PAWS refuses a timestamp that is older than one it has taken',
            unit,
          },
          `${paws.oldBytes} old, ${paws.newBytes} new`,
          `0 old, ${NEW_BYTES} new`,
        ),
      ],
      tables: [
        {
          title: 'What the new connection’s application got',
          columns: ['', 'opening again after 0.6 s', 'old bytes', 'new bytes'],
          rows: [
            row('without TIME-WAIT', without),
            row('without it, with timestamps', paws),
            row('with TIME-WAIT', kept),
          ],
        },
      ],
    }
  },
})
