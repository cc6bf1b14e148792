// E31: a cache near the user saves the long path: what is fresh never takes it, what is stale takes it once and brings back no body.

import { HttpCache } from '../../http/cache/cache.ts'
import { claimExact, claimOrder, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { PROXY_PORT, serveProxy } from '../hops.ts'
import { inMs } from '../measure.ts'
import { PLAIN_TCP, roundsFor } from '../page-load.ts'
import type { Claim } from '../types.ts'
import { bodyOf, browse, serve } from '../web.ts'

/** What the claims are reckoned from. */
interface Measured {
  readonly near: number
  readonly far: number
  readonly bytes: number
  readonly direct: number
  readonly miss: number
  readonly hit: number
  readonly stale: number
  readonly rounds: number
  readonly statuses: readonly number[]
}

function claimsOf({ near, far, direct, miss, hit, stale, rounds, statuses }: Measured): Claim[] {
  return [
    claimWithin(
      {
        text: 'From afar: every round trip is long.',
        because: `(1 + ${rounds}) round trips of near and far`,
        unit: 'ms',
      },
      inMs(direct),
      inMs((1 + rounds) * (near + far)),
      1,
    ),
    claimWithin(
      {
        text: 'From the cache: every round trip is short.',
        because: `(1 + ${rounds}) round trips of near`,
        unit: 'ms',
      },
      inMs(hit),
      inMs((1 + rounds) * near),
      1,
    ),
    claimOrder(
      {
        text: 'Fresh beats stale, and stale beats not stored.',
        because: 'no path, a path without a body, all of it',
        unit: 'ms',
      },
      [
        ['fresh', inMs(hit)],
        ['stale', inMs(stale)],
        ['not stored', inMs(miss)],
      ],
    ),
    claimExact(
      {
        text: 'The server sends the body to whoever asks first, and later only that it still holds.',
        because: 'RFC 9111 §4.3.1: direct 200, miss 200, hit nothing, stale 304',
        beside: [figure('stale saves', inMs(miss - stale), 'ms')],
      },
      statuses.join(' '),
      '200 200 304',
    ),
  ]
}

/** E31: near, far and cached. */
export const cacheDistance = defineExperiment({
  id: 'cache-distance',
  fact: 'E31',
  title: 'A cache near the user',
  question:
    'How long does an answer take from afar, from a cache near by, and from one that has to ask whether it still holds?',
  read: ['RFC 9111 §4', 'RFC 9111 §4.3 (validation)'],
  parameters: {
    near: { default: '10ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip to the cache' },
    far: { default: '190ms', unit: 'time', range: ['2ms', '2s'], doc: 'round trip from the cache to the server' },
    bytes: { default: '30000', unit: 'bytes', range: ['100', '200000'], doc: 'of the answer' },
    fresh: { default: '60s', unit: 'time', range: ['1s', '60min'], doc: 'how long it is fresh' },
  },
  topology: ({ near, far }) => ({
    hosts: { client: {}, cache: {}, server: {} },
    links: [
      { from: 'client', to: 'cache', delay: near / 2 },
      { from: 'cache', to: 'server', delay: far / 2 },
    ],
  }),
  figures: ['waterfall', 'ladder'],

  async run(context, { near, far, bytes, fresh }) {
    const world = context.world({ label: 'far, missed, cached, stale', tcp: PLAIN_TCP })
    const { direct, miss, hit, stale, statuses } = await world.run(async () => {
      const statuses: number[] = []
      await serve(world, 'server', (request) => {
        const status = request.headers.get('if-none-match') === '"1"' ? 304 : 200
        statuses.push(status)
        const headers = { ETag: '"1"', 'Cache-Control': `max-age=${Math.floor(fresh / 1e6)}` }
        return status === 304 ? { status, headers } : { headers, body: bodyOf(bytes) }
      })
      const wallClock = (): number => 1_700_000_000_000 + world.now() / 1000
      const cache = new HttpCache({ scheduler: world.time, wallClock })
      await serveProxy(world, 'cache', { cache, wallClock })
      // Every request on connections of its own, so that only distance counts.
      const get = async (isNear: boolean): Promise<number> => {
        const proxy = isNear ? { proxy: { url: `http://cache:${PROXY_PORT}` } } : {}
        const { startedAt, endedAt } = await browse(world, 'client', { keepAlive: false, ...proxy }).get(
          'http://server/',
        )
        return endedAt - startedAt
      }
      const direct = await get(false)
      const miss = await get(true)
      const hit = await get(true)
      await world.sleep(fresh + 10e6)
      return { direct, miss, hit, stale: await get(true), statuses }
    })
    const rounds = roundsFor(bytes)
    return {
      claims: claimsOf({ near, far, bytes, direct, miss, hit, stale, rounds, statuses }),
    }
  },
})
