// E25: one page in all ways of using connections, on three lines, side by side; and the slow answer that holds up a pipeline.
// The last way is HTTP/2's multiplexing as a script (multiplex.ts): when bytes can go, frame by frame. It is not node:http2, whose HPACK,
// settings and windows of streams are left out.

import type { Micros } from '../../base/time.ts'
import { claimExact, claimOrder, claimTrue, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs, mean, rounded } from '../measure.ts'
import { lineOf, loadIn, type PageLoad, PLAIN_TCP, tripsOf, WAYS, type Way } from '../page-load.ts'
import type { Link } from '../topology.ts'
import type { Claim } from '../types.ts'

/** Runs of a lossy line whose mean is taken. */
const REPEATS = [0, 1, 2, 3]

/** What the claims are reckoned from. */
interface Measured {
  readonly of: (way: Way, line?: number) => number
  readonly trips: readonly number[]
  readonly sizes: readonly number[]
  readonly parallel: number
  readonly images: number
  readonly held: (way: Way) => number
}

function firstClaims({ of, trips, sizes, parallel, images, held }: Measured): Claim[] {
  return [
    claimExact(
      {
        text: 'On a line that is only long each way takes the round trips that paper says.',
        because: 'handshakes, slow start and who waits for whom, reckoned answer by answer',
        unit: `round trips (${WAYS.join(', ')})`,
      },
      trips.join(' '),
      WAYS.map((way) => tripsOf(way, sizes, parallel)).join(' '),
    ),
    claimOrder(
      {
        text: 'Persistent and parallel connections together beat either alone.',
        because: 'no handshake and no slow start again, and waits overlap',
        unit: 'ms',
      },
      [
        ['together', of('persistent + parallel')],
        ['parallel', of('parallel')],
      ],
    ),
    claimOrder({ text: 'And so with persistent ones alone.', because: 'the same', unit: 'ms' }, [
      ['together', of('persistent + parallel')],
      ['persistent', of('persistent')],
      ['serial', of('serial')],
    ]),
    claimExact(
      {
        text: 'A slow answer holds up all that stand behind it in a pipeline.',
        because: 'RFC 9112 §9.3.2: answers come in the order of the requests',
        unit: 'images that took as long as the slow one, or longer',
        beside: [figure('over several connections', held('persistent + parallel'))],
      },
      held('pipelined'),
      images,
    ),
  ]
}

function otherClaims({ of, held }: Measured): Claim[] {
  return [
    claimExact(
      {
        text: 'Multiplexed, it holds up itself alone.',
        because: 'RFC 9113 §5: streams are independent of each other',
        unit: 'images that took as long as the slow one, or longer',
      },
      held('multiplexed'),
      1,
    ),
    claimTrue(
      {
        text: 'On the narrow line the ways differ less than on the fast one.',
        because: 'the bytes on the wire are the same for all',
        beside: [
          figure('slowest / fastest on the fast line', rounded(of('serial') / Math.min(...WAYS.map((w) => of(w))))),
          figure('on the narrow one', rounded(of('serial', 1) / Math.min(...WAYS.map((w) => of(w, 1))))),
        ],
      },
      of('serial', 1) / Math.min(...WAYS.map((w) => of(w, 1))) < of('serial') / Math.min(...WAYS.map((w) => of(w))),
    ),
    claimOrder(
      {
        text: 'On the lossy line serial is the slowest, and several kept connections beat one.',
        because: `mean of ${REPEATS.length} runs; a loss stops one connection of several`,
        unit: 'ms',
      },
      [
        ['persistent + parallel', of('persistent + parallel', 2)],
        ['persistent', of('persistent', 2)],
        ['serial', of('serial', 2)],
      ],
    ),
  ]
}

/** E25: all ways side by side. */
export const pageWays = defineExperiment({
  id: 'page-ways',
  fact: 'E25',
  title: 'Six ways to load a page',
  question:
    'Serial, parallel, persistent, pipelined, persistent and parallel, multiplexed: which is how fast, and where?',
  read: ['RFC 9112 §9.3, §9.3.2, §9.4', 'RFC 9113 §1, §5'],
  parameters: {
    images: { default: '12', unit: 'count', range: ['2', '40'], doc: 'images of the page' },
    html: { default: '10000', unit: 'bytes', range: ['100', '200000'], doc: 'bytes of the page' },
    image: { default: '15000', unit: 'bytes', range: ['100', '200000'], doc: 'bytes of each image' },
    parallel: { default: '4', unit: 'count', range: ['2', '20'], doc: 'connections at once, where there are several' },
    rtt: { default: '80ms', unit: 'time', range: ['2ms', '2s'], doc: 'round trip' },
    narrow: { default: '512kbit', unit: 'rate', range: ['32kbit', '1gbit'], doc: 'rate of the narrow line' },
    loss: { default: '2%', unit: 'percent', range: ['0%', '20%'], doc: 'of the lossy line, at 10 Mbit/s' },
    think: {
      default: '500ms',
      unit: 'time',
      range: ['1ms', '10s'],
      doc: 'time that the server takes for the slow image',
    },
  },
  topology: ({ rtt }) => lineOf(rtt),
  figures: ['waterfall', 'throughput', 'ladder'],

  async run(context, { images, html, image, parallel, rtt, narrow, loss, think }) {
    const page = { htmlBytes: html, images, imageBytes: image }
    const sizes = [html, ...new Array<number>(images).fill(image)]
    const lines: readonly (readonly [string, Omit<Link, 'from' | 'to' | 'delay'>])[] = [
      ['fast', {}],
      ['narrow', { rate: narrow, queue: 'drop-tail 200p' }],
      ['lossy', { rate: 10e6, loss }],
    ]
    const fast = new Map<Way, PageLoad>()
    const totals = new Map<Way, number[]>()
    for (const way of WAYS) {
      fast.set(way, await loadIn(context.world({ label: way, tcp: PLAIN_TCP }), page, way, parallel))
      const list: number[] = []
      for (const [name, line] of lines) {
        const times: Micros[] = []
        for (const repeat of name === 'lossy' ? REPEATS : [0]) {
          const world = context.world({
            label: '',
            isShown: false,
            repeat,
            topology: lineOf(rtt, line),
            tcp: PLAIN_TCP,
          })
          times.push((await loadIn(world, page, way, parallel)).totalUs)
        }
        list.push(mean(times))
      }
      totals.set(way, list)
    }
    const slow = new Map<Way, PageLoad>()
    for (const way of ['pipelined', 'persistent + parallel', 'multiplexed'] as const) {
      const world = context.world({ label: '', isShown: false, tcp: PLAIN_TCP })
      slow.set(way, await loadIn(world, { ...page, slowFirstUs: think }, way, parallel))
    }
    const of = (way: Way, line = 0): number => inMs(totals.get(way)?.[line] ?? 0)
    const trips = WAYS.map((way) => rounded((fast.get(way)?.totalUs ?? 0) / rtt))
    const held = (way: Way): number =>
      slow.get(way)?.objects.filter(({ endedAt, startedAt }) => endedAt - startedAt >= think).length ?? 0
    const measured: Measured = { of, trips, sizes, parallel, images, held }
    return {
      claims: [...firstClaims(measured), ...otherClaims(measured)],
      tables: [
        {
          title: 'The whole page, ms',
          columns: ['', ...lines.map(([name]) => name), 'connections', 'at once', 'round trips on the fast line'],
          rows: WAYS.map((way, i) => [
            way,
            ...(totals.get(way) ?? []).map(inMs),
            fast.get(way)?.connections ?? 0,
            fast.get(way)?.peak ?? 0,
            trips[i],
          ]),
        },
      ],
      plots: [
        {
          title: 'Objects that are whole, on the fast line',
          x: 'ms',
          y: 'objects',
          curves: WAYS.map((way) => ({ name: way, shape: 'step' as const, points: finished(fast.get(way)) })),
        },
      ],
      why: [
        'The last way is a script with HTTP/2’s frame sizes over one TCP connection: without HPACK, settings and windows of streams. ' +
          'It says when bytes can go; an implementation of HTTP/2, node:http2 say, is not measured here.',
      ],
    }
  },
})

function finished(load: PageLoad | undefined): [number, number][] {
  const times = (load?.objects ?? []).map(({ endedAt }) => endedAt).sort((a, b) => a - b)
  return [[0, 0], ...times.map((at, i): [number, number] => [inMs(at), i + 1])]
}
