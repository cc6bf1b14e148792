// E10: slow start. A new connection sends a few segments, then twice as many each round trip; a connection that has sent before goes on
// where it was.

import type { Micros } from '../../base/time.ts'
import { claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import type { LabWorld } from '../live.ts'
import { dataFrom, inMs, rounds } from '../measure.ts'
import { pairOf } from '../topology.ts'
import type { Curve, Plot } from '../types.ts'
import { bodyOf, browse, type Fetched, serve } from '../web.ts'
import type { World } from '../world.ts'

/** MSS on Ethernet with timestamps: 1500 - 20 - 20 - 12. */
const MSS = 1448
/** Sizes and windows of the table. */
const SIZES = [1, 2, 3, 7, 10, 15, 31, 63, 100]
const WINDOWS = [1, 2, 4, 10]

/** Nothing but the congestion window holds the sender back: buffers are large, and the window neither decays (RFC 2861) nor restarts. */
export const UNHINDERED = {
  delayedAckUs: 0,
  windowValidation: 'off' as const,
  slowStartAfterIdle: false,
  sendBufferBytes: 4 * 1024 * 1024,
  receiveBufferBytes: 4 * 1024 * 1024,
}

/** Rounds that a window which doubles each round needs for so many segments. */
export function roundsNeeded(segments: number, initialWindow: number): number {
  return Math.ceil(Math.log2(segments / initialWindow + 1))
}

/** The server's window at an instant, in segments of MSS; what it was before is `least`. */
function windowAt(world: World, at: Micros, least: number): number {
  const ends = world.record().connections.flatMap(({ ends }) => ends)
  const points = ends.filter(({ host }) => host === 'server').flatMap(({ windows }) => windows)
  const cwnd = points.reduce((latest, point) => (point.at <= at ? point.cwnd : latest), 0)
  return Math.max(least, Math.floor(cwnd / MSS))
}

interface Fetches {
  readonly first: Fetched
  readonly second: Fetched
}

/** Fetches a body of so many segments, its head included, twice over one connection. */
export function fetchTwice(world: LabWorld, segments: number): Promise<Fetches> {
  return world.run(async () => {
    await serve(world, 'server', (request) => ({ status: 200, body: bodyOf(Number(request.path.slice(1))) }))
    const browser = browse(world, 'client')
    const url = `http://server/${bodyFor(segments)}`
    const first = await browser.get(url)
    const second = await browser.get(url)
    return { first, second }
  })
}

/** A body that makes, with its head, full segments. */
function bodyFor(segments: number): number {
  const rest = segments * MSS - 'HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n'.length
  return rest - String(rest - 4).length
}

/** Packets of each round of a fetch. */
export function sizesOfRounds(world: LabWorld, fetched: Fetched, rttUs: number): number[] {
  const packets = dataFrom(world.record(), 'server').filter(
    (p) => p.sentAt >= fetched.startedAt && p.sentAt <= fetched.endedAt,
  )
  return rounds(packets, rttUs / 2)
}

async function sweep(context: RunContext, rttUs: number, congestion: string) {
  const rows: (string | number)[][] = []
  let right = 0
  let all = 0
  for (const initialWindowSegments of WINDOWS) {
    for (const segments of SIZES) {
      const tcp = { ...UNHINDERED, initialWindowSegments, congestion }
      const world = context.world({ label: '', isShown: false, mostPackets: 1000, tcp })
      const { first } = await fetchTwice(world, segments)
      const measured = sizesOfRounds(world, first, rttUs)
      const expected = roundsNeeded(segments, initialWindowSegments)
      all++
      if (measured.length === expected) right++
      rows.push([initialWindowSegments, segments, expected, measured.length, measured.join(' ')])
    }
  }
  return { rows, right, all }
}

/** Rounds against the initial window, for some of the sizes; dashed, the formula. */
function roundsPlot(rows: readonly (readonly (string | number)[])[]): Plot {
  const curves = [10, 31, 100].flatMap((segments): Curve[] => {
    const own = rows.filter((row) => row[1] === segments)
    const name = `${segments} segments`
    return [
      { name, shape: 'dots', points: own.map((row) => [Number(row[0]), Number(row[3])]) },
      {
        name: `${name}, ceil(log2(n / IW + 1))`,
        isReference: true,
        points: WINDOWS.map((iw) => [iw, roundsNeeded(segments, iw)]),
      },
    ]
  })
  return { title: 'Rounds against the initial window', x: 'initial window, segments', y: 'rounds', curves }
}

/** E10: a new connection against a tuned one. */
export const slowStart = defineExperiment({
  id: 'slow-start',
  fact: 'E10',
  title: 'Slow start opens the congestion window',
  question: 'How many round trips does a new connection need for an answer, and a tuned one?',
  read: ['RFC 5681 §3.1', 'RFC 6928 (initial window of 10)', 'RFC 3465 (counting bytes)'],
  parameters: {
    segments: {
      default: '40',
      unit: 'count',
      range: ['2', '500'],
      doc: 'size of the answer, in full segments of 1448 bytes',
    },
    iw: {
      default: '1',
      unit: 'count',
      range: ['1', '100'],
      doc: 'initial window in segments; 1 is that of the book, 10 today’s',
    },
    rtt: { default: '100ms', unit: 'time', range: ['2ms', '500ms'], doc: 'round trip' },
    congestion: {
      default: 'reno',
      unit: 'word',
      oneOf: ['reno', 'newreno'],
      doc: 'congestion controller; CUBIC counts 8 segments an acknowledgement at most (HyStart++, RFC 9406 §4.2)',
    },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['time-sequence', 'window', 'waterfall', 'ladder'],

  async run(context, { segments, iw, rtt, congestion }) {
    const tcp = { ...UNHINDERED, initialWindowSegments: iw, congestion }
    const world = context.world({ label: `initial window ${iw}`, tcp })
    const { first, second } = await fetchTwice(world, segments)
    const measured = sizesOfRounds(world, first, rtt)
    const expected = roundsNeeded(segments, iw)
    const doubling = measured.map((_, i) => Math.min(iw * 2 ** i, segments - iw * (2 ** i - 1)))
    const later = roundsNeeded(segments, windowAt(world, second.startedAt + rtt / 2, iw))
    const saved = first.endedAt - first.startedAt - (second.endedAt - second.startedAt)
    const { rows, right, all } = await sweep(context, rtt, congestion)
    return {
      claims: [
        claimExact(
          {
            text: `${segments} segments take ceil(log2(n / IW + 1)) rounds.`,
            because: 'each round acknowledges a window and so doubles it (RFC 5681 §3.1)',
            unit: 'rounds',
          },
          measured.length,
          expected,
        ),
        claimExact(
          {
            text: 'Each round sends twice the packets of the one before.',
            because: 'RFC 5681 §3.1: one segment more for each one acknowledged',
            unit: 'packets',
          },
          measured.join(' '),
          doubling.join(' '),
        ),
        claimWithin(
          {
            text:
              'A second answer over the same connection needs no handshake and goes on with the window it has reached: ' +
              `${later} ${later === 1 ? 'round' : 'rounds'}.`,
            because: `the connection is tuned: (1 + ${measured.length} - ${later}) round trips are saved`,
            unit: 'ms',
            beside: [
              figure('first', inMs(first.endedAt - first.startedAt), 'ms'),
              figure('second', inMs(second.endedAt - second.startedAt), 'ms'),
            ],
          },
          inMs(saved),
          inMs(rtt * (1 + measured.length - later)),
          1,
        ),
        claimTrue(
          {
            text: 'The formula holds for every size and initial window of the table.',
            because: 'the same arithmetic',
            beside: [figure('right', right), figure('of', all)],
          },
          right === all,
        ),
      ],
      plots: [roundsPlot(rows)],
      tables: [
        {
          title: 'Rounds by size and initial window',
          columns: ['IW', 'segments', 'expected', 'measured', 'packets a round'],
          rows,
        },
      ],
    }
  },
})
