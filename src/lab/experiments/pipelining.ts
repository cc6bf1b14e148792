// E24: pipelining. Requests leave without waiting for answers: round trips are saved. A POST waits; a connection that is cut has exactly
// the unanswered idempotent requests done again.

import type { PoolEvent } from '../../http/pool-options.ts'
import { claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { Worlds } from '../live.ts'
import { inMs } from '../measure.ts'
import { PLAIN_TCP } from '../page-load.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'
import { bodyOf, browse, type Fetched, serve } from '../web.ts'

interface Run {
  readonly totalUs: number
  readonly fetched: readonly Fetched[]
}

/** One request first, as the connection must be known to stay; then all the others at once. */
export function fetchAll(context: Worlds, label: string, depth: number, methods: readonly string[]): Promise<Run> {
  const world = context.world({ label, tcp: PLAIN_TCP })
  return world.run(async () => {
    await serve(world, 'server', () => ({ body: bodyOf(200) }))
    const browser = browse(world, 'client', { maxPerOrigin: 1, pipelineDepth: depth })
    await browser.get('http://server/first')
    const from = world.now()
    const fetched = await Promise.all(
      methods.map((method, i) =>
        browser.get(`http://server/${i + 1}`, method === 'POST' ? { method, body: 'order' } : {}),
      ),
    )
    return { totalUs: world.now() - from, fetched }
  })
}

interface Cut {
  /** Times that the server was asked, by path. */
  readonly asked: ReadonlyMap<string, number>
  readonly failed: readonly string[]
  readonly repeats: readonly string[]
}

/** The server answers so many pipelined requests and then drops the connection, once. */
export function cutAfter(context: Worlds, answers: number, requests: number): Promise<Cut> {
  const world = context.world({ label: 'cut', tcp: PLAIN_TCP })
  return world.run(async () => {
    const asked = new Map<string, number>()
    let connections = 0
    await world.listen(
      'server',
      80,
      (socket) => {
        const isFirst = ++connections === 1
        let text = ''
        let answered = 0
        socket.on('data', (chunk: Uint8Array) => {
          text += new TextDecoder().decode(chunk)
          for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
            const path = text.split(' ')[1]
            text = text.slice(end + 4)
            asked.set(path, (asked.get(path) ?? 0) + 1)
            // The first request proves the connection, then come those that are pipelined.
            if (isFirst && answered === answers + 1) {
              socket.end()
              continue
            }
            if (isFirst && answered > answers) continue
            answered++
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
          }
        })
      },
      { noDelay: true, allowHalfOpen: true },
    )
    const events: PoolEvent[] = []
    const browser = browse(world, 'client', {
      maxPerOrigin: 1,
      pipelineDepth: 100,
      onEvent: (event) => events.push(event),
    })
    await browser.get('http://server/first')
    const failed: string[] = []
    await Promise.all(
      Array.from({ length: requests }, async (_, i) => {
        await browser.get(`http://server/${i + 1}`).catch(() => failed.push(`/${i + 1}`))
      }),
    )
    const repeats = events.filter(({ type }) => type === 'repeat').map(({ detail }) => detail.split(' ')[1])
    return { asked, failed, repeats }
  })
}

/** What the claims are reckoned from. */
interface Measured {
  readonly plain: Run
  readonly piped: Run
  readonly cut: Cut
  readonly unanswered: readonly string[]
  readonly ends: readonly number[]
  readonly requests: number
  readonly rtt: number
}

function claimsOf({ plain, piped, cut, unanswered, ends, requests, rtt }: Measured): Claim[] {
  return [
    claimWithin(
      {
        text: 'One after another each request takes a round trip.',
        because: 'kept connection, small answers',
        unit: 'ms',
      },
      inMs(plain.totalUs),
      inMs(requests * rtt),
      1,
    ),
    claimWithin(
      {
        text: 'Pipelined they take one round trip together.',
        because: `${requests - 1} round trips are saved`,
        unit: 'ms',
      },
      inMs(piped.totalUs),
      inMs(rtt),
      1,
    ),
    claimExact(
      {
        text: 'A POST waits until all before it are answered, and what comes behind it waits for the POST.',
        because: 'RFC 9112 §9.3.2: not with non-idempotent methods: GET GET | POST | GET GET',
        unit: 'round trips until each was answered',
      },
      ends.map((us) => Math.round(us / rtt)).join(' '),
      '1 1 2 3 3',
    ),
    claimExact(
      {
        text: 'When the connection is cut exactly the unanswered ones are asked again, in their order.',
        because: 'RFC 9112 §9.3.2',
        unit: 'paths',
      },
      cut.repeats.join(' '),
      unanswered.join(' '),
    ),
    claimTrue(
      {
        text: 'All are answered in the end, and what had been answered was asked once.',
        because: 'GET may be repeated; an answer that came need not be',
        beside: [
          figure('failed', cut.failed.length),
          figure('asked once', [...cut.asked.values()].filter((n) => n === 1).length),
          figure('asked twice', [...cut.asked.values()].filter((n) => n === 2).length),
        ],
      },
      cut.failed.length === 0 &&
        [...cut.asked].every(([path, times]) => times === 1 || (times === 2 && unanswered.includes(path))),
    ),
  ]
}

/** E24: pipelining. */
export const pipelining = defineExperiment({
  id: 'pipelining',
  fact: 'E24',
  title: 'Pipelining saves round trips, and must be ready to ask again',
  question: 'What does a pipeline save, what may not go into it, and what is done again when it breaks?',
  read: ['RFC 9112 §9.3.2', 'RFC 9112 §9.3.1', 'RFC 9110 §9.2.2'],
  parameters: {
    requests: { default: '8', unit: 'count', range: ['3', '20'], doc: 'requests behind the first one' },
    answers: { default: '3', unit: 'count', range: ['0', '19'], doc: 'answered before the connection is cut' },
    rtt: { default: '100ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['waterfall', 'ladder'],

  async run(context, { requests, answers, rtt }) {
    const gets = new Array<string>(requests).fill('GET')
    const plain = await fetchAll(context, 'one after another', 1, gets)
    const piped = await fetchAll(context, 'pipelined', 100, gets)
    const withPost = await fetchAll(context, 'a POST among them', 100, ['GET', 'GET', 'POST', 'GET', 'GET'])
    const cut = await cutAfter(context, Math.min(answers, requests - 1), requests)
    const unanswered = Array.from({ length: requests - Math.min(answers, requests - 1) }, (_, i) => {
      return `/${Math.min(answers, requests - 1) + i + 1}`
    })
    const ends = withPost.fetched.map(({ endedAt }) => endedAt - withPost.fetched[0].startedAt)
    return {
      claims: claimsOf({ plain, piped, cut, unanswered, ends, requests, rtt }),
      tables: [
        {
          title: 'How often the server was asked when the pipeline was cut',
          columns: ['path', 'times'],
          rows: [...cut.asked].map(([path, times]) => [path, times]),
        },
      ],
    }
  },
})
