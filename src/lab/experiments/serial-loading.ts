// E16: a page with images, one after another, each on a connection of its own: every object pays for connecting and for slow start.

import { claimExact, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs, rounded } from '../measure.ts'
import { lineOf, loadIn, PLAIN_TCP, roundsFor, tripsOf } from '../page-load.ts'

/** E16: serial loading. */
export const serialLoading = defineExperiment({
  id: 'serial-loading',
  fact: 'E16',
  title: 'A page, one object after another',
  question: 'How long does a page take when every object waits for the one before and opens its own connection?',
  read: ['RFC 1945 §1.3 (a connection for each request)', 'RFC 5681 §3.1'],
  parameters: {
    images: { default: '3', unit: 'count', range: ['1', '50'], doc: 'images of the page' },
    html: { default: '5000', unit: 'bytes', range: ['100', '200000'], doc: 'bytes of the page' },
    image: { default: '30000', unit: 'bytes', range: ['100', '200000'], doc: 'bytes of each image' },
    rtt: { default: '80ms', unit: 'time', range: ['2ms', '2s'], doc: 'round trip' },
  },
  topology: ({ rtt }) => lineOf(rtt),
  figures: ['waterfall', 'window', 'ladder'],

  async run(context, { images, html, image, rtt }) {
    const page = { htmlBytes: html, images, imageBytes: image }
    const sizes = [html, ...new Array<number>(images).fill(image)]
    const world = context.world({ label: 'one after another', tcp: PLAIN_TCP })
    const load = await loadIn(world, page, 'serial', 1)
    const { transactions } = world.record()
    const handshakes = transactions.reduce((sum, t) => sum + (t.connectedAt - t.startedAt), 0)
    const overlaps = load.objects.filter(({ startedAt }, i) => i > 0 && startedAt < load.objects[i - 1].endedAt)
    const extraRounds = sizes.reduce((sum, bytes) => sum + roundsFor(bytes) - 1, 0)
    return {
      claims: [
        claimWithin(
          {
            text: 'The page takes the sum of its objects: each a round trip to connect and its rounds of slow start.',
            because: `${sizes.length} objects: ${tripsOf('serial', sizes, 1)} round trips`,
            unit: 'ms',
          },
          inMs(load.totalUs),
          inMs(tripsOf('serial', sizes, 1) * rtt),
          1,
        ),
        claimExact(
          { text: 'Every object opens a connection.', because: 'HTTP/1.0 without keep-alive', unit: 'connections' },
          load.connections,
          sizes.length,
        ),
        claimExact({ text: 'No two objects are under way at once.', because: 'serial' }, overlaps.length, 0),
        claimWithin(
          {
            text: 'Connecting and the rounds that a tuned connection would not need take their part of it.',
            because: 'one round trip each to connect; slow start begins anew each time',
            unit: '% of the time',
            beside: [
              figure('connecting', inMs(handshakes), 'ms'),
              figure('more rounds than one', inMs(extraRounds * rtt), 'ms'),
            ],
          },
          rounded((100 * (handshakes + extraRounds * rtt)) / load.totalUs, 1),
          rounded((100 * (sizes.length + extraRounds)) / tripsOf('serial', sizes, 1), 1),
          0.5,
        ),
      ],
      tables: [
        {
          title: 'Object by object',
          columns: ['object', 'begins, ms', 'first byte, ms', 'whole, ms', 'round trips'],
          rows: load.objects.map(({ path, startedAt, firstByteAt, endedAt }) => [
            path,
            inMs(startedAt),
            inMs(firstByteAt),
            inMs(endedAt),
            rounded((endedAt - startedAt) / rtt, 1),
          ]),
        },
      ],
    }
  },
})
