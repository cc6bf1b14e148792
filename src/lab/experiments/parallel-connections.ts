// E17: the same page with several connections at once: the waits overlap.

import { claimExact, claimOrder, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs, rounded } from '../measure.ts'
import { lineOf, loadIn, PLAIN_TCP, tripsOf } from '../page-load.ts'

/** E17: parallel connections. */
export const parallelConnections = defineExperiment({
  id: 'parallel-connections',
  fact: 'E17',
  title: 'Parallel connections overlap the waits',
  question: 'What does the same page gain when its images are fetched at once?',
  read: ['RFC 9112 §9.4 (concurrency)'],
  parameters: {
    images: { default: '3', unit: 'count', range: ['1', '50'], doc: 'images of the page' },
    html: { default: '5000', unit: 'bytes', range: ['100', '200000'], doc: 'bytes of the page' },
    image: { default: '30000', unit: 'bytes', range: ['100', '200000'], doc: 'bytes of each image' },
    parallel: { default: '4', unit: 'count', range: ['2', '50'], doc: 'connections at once; browsers keep to a few' },
    rtt: { default: '80ms', unit: 'time', range: ['2ms', '2s'], doc: 'round trip' },
  },
  topology: ({ rtt }) => lineOf(rtt),
  figures: ['waterfall', 'ladder'],

  async run(context, { images, html, image, parallel, rtt }) {
    const page = { htmlBytes: html, images, imageBytes: image }
    const sizes = [html, ...new Array<number>(images).fill(image)]
    const one = await loadIn(context.world({ label: 'one after another', tcp: PLAIN_TCP }), page, 'serial', 1)
    const many = await loadIn(context.world({ label: 'at once', tcp: PLAIN_TCP }), page, 'parallel', parallel)
    const trips = tripsOf('parallel', sizes, parallel)
    return {
      claims: [
        claimWithin(
          {
            text: 'The images take the time of the longest batch, not of all of them.',
            because: `${trips} round trips: the page, then ${Math.ceil(images / parallel)} batches`,
            unit: 'ms',
          },
          inMs(many.totalUs),
          inMs(trips * rtt),
          1,
        ),
        claimOrder({ text: 'That is faster than one after another.', because: 'the waits overlap', unit: 'ms' }, [
          ['at once', inMs(many.totalUs)],
          ['one after another', inMs(one.totalUs)],
        ]),
        claimWithin(
          {
            text: 'The gain is that of the round trips.',
            because: `${tripsOf('serial', sizes, 1)} / ${trips}`,
            unit: 'times as fast',
          },
          rounded(one.totalUs / many.totalUs),
          rounded(tripsOf('serial', sizes, 1) / trips),
          0.02,
        ),
        claimExact(
          {
            text: 'The server pays: so many connections at once, where there was one.',
            because: 'the least of connections that are wanted and allowed',
            unit: 'connections',
            beside: [figure('one after another', one.peak)],
          },
          many.peak,
          Math.min(images, parallel),
        ),
      ],
    }
  },
})
