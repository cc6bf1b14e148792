// E7: the handshake. A small transaction spends half of its time on opening its connection; the request can ride on the third packet.

import type { Micros } from '../../base/time.ts'
import { claimAtLeast, claimAtMost, claimExact, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { Worlds } from '../live.ts'
import { inMs, rounded } from '../measure.ts'
import type { PacketRecord } from '../record.ts'
import { pairOf } from '../topology.ts'
import { bodyOf, browse, type Fetched, serve } from '../web.ts'
import { roundsNeeded } from './slow-start.ts'

const MSS = 1448
const HEAD_BYTES = 45
/** The request that may ride on the handshake's ACK. */
export const REQUEST = 'GET / HTTP/1.1\r\nHost: server\r\n\r\n'
/** Acknowledgements of whole windows come at once here, more than CUBIC's HyStart++ lets count (RFC 9406 §4.2: L). */
const TCP = { congestion: 'reno', delayedAckUs: 0 }
const SIZES = [100, 1_000, 10_000, 30_000, 100_000, 300_000]
const ROUND_TRIPS: readonly Micros[] = [10_000, 50_000, 100_000, 300_000]

interface Measured {
  readonly fetched: Fetched
  /** Time until there was a connection. */
  readonly setupUs: Micros
}

/** One transaction over a new connection. */
export async function fetchOnce(
  context: Worlds,
  label: string,
  bytes: number,
  rttUs: Micros,
  isShown: boolean,
): Promise<Measured> {
  const world = context.world({
    label,
    isShown,
    topology: pairOf({ delay: rttUs / 2 }),
    tcp: TCP,
    ...(isShown ? {} : { mostPackets: 400 }),
  })
  const fetched = await world.run(async () => {
    await serve(world, 'server', () => ({ status: 200, body: bodyOf(bytes) }))
    return browse(world, 'client').get('http://server/')
  })
  const [{ connectedAt, startedAt }] = world.record().transactions
  return { fetched, setupUs: connectedAt - startedAt }
}

/** The share of its time that a transaction spent on its connection. */
export const shareOf = ({ fetched, setupUs }: Measured): number => setupUs / (fetched.endedAt - fetched.startedAt)

/** Opens a connection with the request already written, so that it can ride on the handshake's ACK; the packets until the answer. */
export async function rideOnAck(context: Worlds, label: string, isEarly: boolean): Promise<PacketRecord[]> {
  const world = context.world({ label })
  await world.run(async () => {
    await world.listen(
      'server',
      80,
      (socket) => socket.once('data', () => socket.write('HTTP/1.1 204 No Content\r\n\r\n')),
      { noDelay: true },
    )
    // Whoever may send with the SYN (RFC 7413) has the request at hand when the handshake's ACK goes.
    const socket = world.open('client', 'server', 80, { noDelay: true, tcp: { fastOpen: isEarly } })
    const answered = new Promise<void>((resolve) => socket.once('data', () => resolve()))
    socket.write(REQUEST)
    await answered
  })
  return [...world.record().packets]
}

/** E7: what a handshake costs. */
export const handshake = defineExperiment({
  id: 'handshake',
  fact: 'E7',
  title: 'The handshake’s share of a transaction',
  question: 'How much of its time does a transaction spend on opening its connection?',
  read: ['RFC 9293 §3.5', 'RFC 7413'],
  parameters: {
    bytes: {
      default: '500',
      unit: 'bytes',
      range: ['0', '1000'],
      doc: 'body of the small transaction; it fits a segment',
    },
    rtt: { default: '80ms', unit: 'time', range: ['1ms', '2s'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['waterfall', 'ladder'],

  async run(context, { bytes, rtt }) {
    const small = await fetchOnce(context, 'a small transaction', bytes, rtt, true)
    const late = await rideOnAck(context, 'request after the ACK', false)
    const early = await rideOnAck(context, 'request on the ACK', true)
    const rows: (string | number)[][] = []
    let worst = 0
    const curves: { name: string; points: [number, number][] }[] = []
    for (const rttUs of ROUND_TRIPS) {
      const points: [number, number][] = []
      for (const size of SIZES) {
        const share = shareOf(await fetchOnce(context, '', size, rttUs, false))
        const expected = 1 / (1 + roundsNeeded(Math.ceil((size + HEAD_BYTES) / MSS), 10))
        worst = Math.max(worst, Math.abs(share - expected))
        points.push([size, rounded(100 * share, 1)])
        rows.push([inMs(rttUs), size, rounded(100 * share, 1), rounded(100 * expected, 1)])
      }
      curves.push({ name: `${inMs(rttUs)} ms`, points })
    }
    const third = (packets: readonly PacketRecord[]): PacketRecord | undefined =>
      packets.filter((p) => p.from === 'client')[1]
    return {
      claims: [
        claimAtLeast(
          {
            text: 'A small transaction spends half of its time or more on opening its connection.',
            because: 'a round trip for the handshake, another for request and answer',
            unit: '%',
            beside: [
              figure('handshake', inMs(small.setupUs), 'ms'),
              figure('all', inMs(small.fetched.endedAt - small.fetched.startedAt), 'ms'),
            ],
          },
          rounded(100 * shareOf(small), 1),
          50,
        ),
        claimAtMost(
          {
            text: 'The share is 1 / (1 + rounds of slow start), whatever the round trip and the size.',
            because: 'everything is counted in round trips: one to open, ceil(log2(n / IW + 1)) for the answer',
            unit: 'points off at the worst place',
          },
          rounded(100 * worst, 2),
          0.5,
        ),
        claimExact(
          {
            text: 'The handshake’s third packet can carry the request.',
            because: 'RFC 9293 §3.5: nothing forbids text with the ACK',
            unit: 'bytes of text',
          },
          third(early)?.textBytes ?? -1,
          REQUEST.length,
        ),
        claimExact(
          { text: 'That saves a packet.', because: 'a bare ACK less', unit: 'packets' },
          late.length - early.length,
          1,
        ),
      ],
      tables: [
        { title: 'Share of the handshake', columns: ['round trip ms', 'body bytes', 'measured %', 'expected %'], rows },
      ],
      plots: [{ title: 'Share of the handshake', x: 'body, bytes', y: '% of the time', logX: true, curves }],
    }
  },
})
