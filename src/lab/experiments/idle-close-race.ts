// E26: anyone may close at any time. A server gives up an idle connection while a request is on its way.

import { claimExact, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs } from '../measure.ts'
import { pairOf } from '../topology.ts'
import { bodyOf, browse, serve } from '../web.ts'

/** E26: the idle-close race. */
export const idleCloseRace = defineExperiment({
  id: 'idle-close-race',
  fact: 'E26',
  title: 'A request meets the close of an idle connection',
  question: 'What becomes of a request that is on its way when the server gives its connection up?',
  read: ['RFC 9112 §9.3.1', 'RFC 9112 §9.5'],
  parameters: {
    idle: { default: '5s', unit: 'time', range: ['1s', '1min'], doc: 'how long the server keeps an idle connection' },
    rtt: { default: '200ms', unit: 'time', range: ['20ms', '900ms'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['ladder'],

  async run(context, { idle, rtt }) {
    const step = rtt / 8
    const rows: (string | number)[][] = []
    const raced: Record<string, number> = { GET: 0, POST: 0 }
    const failed: Record<string, number> = { GET: 0, POST: 0 }
    // From long before the server's close to long after it is known; never upon an instant at which two things happen.
    for (let pauseUs = idle - 2 * rtt + step / 2; pauseUs < idle + rtt; pauseUs += step) {
      for (const method of ['GET', 'POST']) {
        const world = context.world({
          label: `${method} after ${inMs(pauseUs)} ms`,
          isShown: pauseUs === idle - rtt + step / 2,
        })
        const { outcome, isRaced } = await world.run(async () => {
          await serve(world, 'server', () => ({ body: bodyOf(100) }), { timeouts: { idleUs: idle } })
          const { client } = browse(world, 'client')
          await (await client.fetch('http://server/first')).discard()
          await world.sleep(pauseUs)
          const isKept = client.connections.length > 0
          const outcome = await client
            .fetch('http://server/second', method === 'POST' ? { method, body: 'order' } : {})
            .then(
              (response) => (response.connection?.reused === true ? 'kept connection' : 'new connection'),
              (error: { code?: string }) => error.code ?? 'error',
            )
          return { outcome, isRaced: isKept && outcome !== 'kept connection' }
        })
        if (isRaced) raced[method]++
        if (!outcome.endsWith('connection')) failed[method]++
        rows.push([method, inMs(pauseUs), outcome, isRaced ? 'yes' : ''])
      }
    }
    return {
      claims: [
        claimWithin(
          {
            text: 'The race is open for a round trip.',
            because: 'half a trip for the request, half for the FIN: who asks in between cannot know',
            unit: 'ms',
          },
          inMs(raced.GET * step),
          inMs(rtt),
          inMs(step),
        ),
        claimExact(
          {
            text: 'A GET that loses the race is asked again by itself: none fails.',
            because: 'idempotent (RFC 9112 §9.3.1)',
          },
          failed.GET,
          0,
        ),
        claimExact(
          {
            text: 'A POST that loses it fails each time: only its user may decide.',
            because: 'the server may have acted upon it',
            beside: [figure('raced', raced.POST)],
          },
          failed.POST,
          raced.POST,
        ),
      ],
      tables: [
        {
          title: 'By the pause before the second request',
          columns: ['method', 'pause, ms', 'went over', 'raced'],
          rows,
        },
      ],
    }
  },
})
