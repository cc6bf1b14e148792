// E27: an answer shorter than its Content-Length. The client has an error, a cache does not store it, a proxy passes it on as it is.

import { HttpCache } from '../../http/cache/cache.ts'
import { claimExact, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { PROXY_PORT, rowOf, serveProxy } from '../hops.ts'
import type { Worlds } from '../live.ts'
import { browse } from '../web.ts'

interface Outcome {
  /** 'whole', or the reason of the error. */
  readonly first: string
  readonly second: string
  /** Bytes of the body that came, and that were announced. */
  readonly came: number
  readonly announced: number
  /** Times that the server was asked. */
  readonly asked: number
  readonly stored: number
}

/** Fetches twice; the server sends so many bytes of the body that it announces, and closes. */
export function fetchTwice(
  context: Worlds,
  label: string,
  sent: number,
  announced: number,
  isCached: boolean,
): Promise<Outcome> {
  const world = context.world({ label })
  return world.run(async () => {
    let asked = 0
    await world.listen(
      'server',
      80,
      (socket) =>
        socket.once('data', () => {
          asked++
          const head = `HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: ${announced}\r\n\r\n`
          socket.end(head + '.'.repeat(sent))
        }),
      { noDelay: true, allowHalfOpen: true },
    )
    const wallClock = (): number => 1_700_000_000_000 + world.now() / 1000
    const cache = new HttpCache({ scheduler: world.time, wallClock })
    await serveProxy(world, 'proxy', isCached ? { cache, wallClock } : {})
    const { client } = browse(world, 'client', { proxy: { url: `http://proxy:${PROXY_PORT}` } })
    let came = 0
    let told = 0
    const ask = async (): Promise<string> => {
      const response = await client.fetch('http://server/')
      told = Number(response.headers.get('content-length'))
      came = 0
      try {
        for await (const part of response.body) came += part.length
        return 'whole'
      } catch (error) {
        return (error as { reason?: string }).reason ?? 'error'
      }
    }
    const first = await ask()
    const second = await ask()
    return { first, second, came, announced: told, asked, stored: cache.counters.stored }
  })
}

/** E27: truncated answers. */
export const truncation = defineExperiment({
  id: 'truncation',
  fact: 'E27',
  title: 'An answer that is cut short',
  question: 'Who notices that a body is shorter than its Content-Length, and what do proxies and caches do with it?',
  read: ['RFC 9112 §8', 'RFC 9111 §3.3', 'RFC 9110 §8.6'],
  parameters: {
    announced: { default: '20000', unit: 'bytes', range: ['2', '1000000'], doc: 'Content-Length' },
    sent: { default: '9000', unit: 'bytes', range: ['1', '999999'], doc: 'bytes that come before the server closes' },
    rtt: { default: '20ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip of each link' },
  },
  topology: ({ rtt }) => rowOf(['client', 'proxy', 'server'], rtt),
  figures: ['ladder'],

  async run(context, { announced, sent }) {
    const plain = await fetchTwice(context, 'through a proxy', sent, announced, false)
    const cached = await fetchTwice(context, 'through a cache', sent, announced, true)
    const whole = await fetchTwice(context, 'whole, through a cache', announced, announced, true)
    return {
      claims: [
        claimExact(
          { text: 'The client has an error, not a short body.', because: 'RFC 9112 §8' },
          plain.first,
          'truncated',
        ),
        claimExact(
          {
            text: 'The proxy passes it on uncorrected: the length that was announced, the bytes that came.',
            because: 'RFC 9110 §8.6: it must not mend Content-Length',
            unit: 'bytes of those announced',
          },
          `${plain.came} of ${plain.announced}`,
          `${sent} of ${announced}`,
        ),
        claimExact(
          {
            text: 'The cache does not store it: the second request goes to the server again.',
            because: 'RFC 9111 §3.3: not as a complete answer',
            unit: 'requests at the server',
            beside: [figure('stored', cached.stored), figure('the second client’s end', cached.second)],
          },
          cached.asked,
          2,
        ),
        claimExact(
          {
            text: 'A whole one it does store.',
            because: 'fresh for an hour',
            unit: 'requests at the server',
            beside: [figure('stored', whole.stored)],
          },
          whole.asked,
          1,
        ),
      ],
    }
  },
})
