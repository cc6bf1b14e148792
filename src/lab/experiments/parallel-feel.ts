// E19: on a narrow line several connections take as long as one after another, and feel faster: everything moves at once.

import { claimAtLeast, claimAtMost, claimOrder, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs, rounded } from '../measure.ts'
import { type Loaded, lineOf, loadIn, type PageLoad, PLAIN_TCP } from '../page-load.ts'
import type { Claim } from '../types.ts'

/** Images of which something has come by an instant. */
const begun = (objects: readonly Loaded[], at: number): number => objects.filter((o) => o.firstByteAt <= at).length

const lastFirstByte = ({ objects }: PageLoad): number => Math.max(...objects.map(({ firstByteAt }) => firstByteAt))

/** Points of a staircase: objects that have begun, by time. */
function staircase({ objects, totalUs }: PageLoad): [number, number][] {
  const times = objects.map(({ firstByteAt }) => firstByteAt).sort((a, b) => a - b)
  return [[0, 0], ...times.map((at, i): [number, number] => [inMs(at), i + 1]), [inMs(totalUs), times.length]]
}

/** What the claims are reckoned from. */
interface Measured {
  readonly one: PageLoad
  readonly many: PageLoad
  readonly images: number
  readonly half: number
  readonly begins: (load: PageLoad) => number
}

function claimsOf({ one, many, images, half, begins }: Measured): Claim[] {
  return [
    claimAtLeast(
      {
        text: 'In all, several connections take nearly as long: the line is full either way.',
        because: 'bytes / rate; only the pauses between objects are saved',
        unit: '% of the time of one after another',
        beside: [figure('one after another', inMs(one.totalUs), 'ms'), figure('at once', inMs(many.totalUs), 'ms')],
      },
      rounded((100 * many.totalUs) / one.totalUs, 1),
      80,
    ),
    claimOrder(
      { text: 'But every object has begun much sooner.', because: 'none waits for the one before', unit: 'ms' },
      [
        ['at once', inMs(lastFirstByte(many))],
        ['one after another', inMs(lastFirstByte(one))],
      ],
    ),
    claimAtMost(
      {
        text: 'At once: the last object begins in the first part of the time.',
        because: 'all requests leave together, and initial windows share the line',
        unit: '% of the time',
      },
      begins(many),
      40,
    ),
    claimAtLeast(
      {
        text: 'One after another: the last object begins when all others are there.',
        because: `1 - 1 / (images + a little page): ${images} images`,
        unit: '% of the time',
      },
      begins(one),
      rounded(100 * (1 - 1 / images), 1),
    ),
    claimOrder({ text: 'Half-way more objects move.', because: 'the same', unit: 'objects begun' }, [
      ['one after another', begun(one.objects, half)],
      ['at once', begun(many.objects, half)],
    ]),
  ]
}

/** E19: how soon everything has begun. */
export const parallelFeel = defineExperiment({
  id: 'parallel-feel',
  fact: 'E19',
  title: 'Parallel connections feel faster',
  question: 'When the line is the limit and the whole takes as long, what does a user see of several connections?',
  read: ['RFC 9112 §9.4'],
  parameters: {
    images: { default: '4', unit: 'count', range: ['2', '20'], doc: 'images of the page, each on its own connection' },
    image: { default: '60000', unit: 'bytes', range: ['1000', '500000'], doc: 'bytes of each image' },
    rate: { default: '512kbit', unit: 'rate', range: ['32kbit', '10gbit'], doc: 'of the line' },
    rtt: { default: '80ms', unit: 'time', range: ['2ms', '2s'], doc: 'round trip' },
  },
  topology: ({ rtt, rate }) => lineOf(rtt, { rate, queue: 'drop-tail 500p' }),
  figures: ['waterfall', 'queue', 'time-sequence'],

  async run(context, { images, image }) {
    const page = { htmlBytes: 5000, images, imageBytes: image }
    const one = await loadIn(context.world({ label: 'one after another', tcp: PLAIN_TCP }), page, 'serial', 1)
    const many = await loadIn(context.world({ label: 'at once', tcp: PLAIN_TCP }), page, 'parallel', images)
    const begins = (load: PageLoad): number => rounded((100 * lastFirstByte(load)) / load.totalUs, 1)
    const half = Math.min(one.totalUs, many.totalUs) / 2
    return {
      claims: claimsOf({ one, many, images, half, begins }),
      tables: [
        {
          title: 'First byte and last, object by object, ms',
          columns: ['object', 'serial: first', 'serial: last', 'at once: first', 'at once: last'],
          rows: one.objects.map(({ path, firstByteAt, endedAt }, i) => [
            path,
            inMs(firstByteAt),
            inMs(endedAt),
            inMs(many.objects[i].firstByteAt),
            inMs(many.objects[i].endedAt),
          ]),
        },
      ],
      plots: [
        {
          title: 'Objects of which something is to be seen',
          x: 'ms',
          y: 'objects',
          curves: [
            { name: 'one after another', shape: 'step', points: staircase(one) },
            { name: 'at once', shape: 'step', points: staircase(many) },
          ],
        },
      ],
    }
  },
})
