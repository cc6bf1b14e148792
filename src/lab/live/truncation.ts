// E27 live: a program on Linux cuts its answer short; our proxy and our cache stand between it and a client on Linux, once curl.

import { HttpCache } from '../../http/cache/cache.ts'
import { claimExact, figure } from '../claims.ts'
import { fetchTwice, truncation } from '../experiments/truncation.ts'
import { PROXY_PORT, serveProxy } from '../hops.ts'
import { defineLive, type LiveWorlds } from '../live.ts'

interface Values extends Record<string, number> {
  readonly announced: number
  readonly sent: number
}

/** curl by way of our cache: its exit code, the bytes that it got, and how often the server was asked. */
async function byCurl(worlds: LiveWorlds, sent: number, announced: number) {
  const world = worlds.world({ label: 'curl, through our cache' })
  return world.run(async () => {
    let asked = 0
    const head = `HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: ${announced}\r\n\r\n`
    await world.listen('server', 80, (socket) =>
      socket.once('data', () => {
        asked++
        socket.end(head + '.'.repeat(sent))
      }),
    )
    const wallClock = (): number => 1_700_000_000_000 + world.now() / 1000
    await serveProxy(world, 'proxy', { cache: new HttpCache({ scheduler: world.time, wallClock }), wallClock })
    const proxy = `http://${world.addressesOf('proxy')[0]}:${PROXY_PORT}`
    const ask = () => world.curl('-x', proxy, '-w', '%{stderr}%{size_download}', '-o', '/dev/null', 'http://server/')
    const first = await ask()
    await ask()
    return { code: first.code, came: Number(/[0-9]+$/.exec(first.stderr)?.[0] ?? -1), asked }
  })
}

/** E27 against Linux. */
export const truncationLive = defineLive<Values>(truncation, {}, async (context, { announced, sent }) => {
  const worlds = context.linux('client', 'server')
  const plain = await fetchTwice(worlds, 'through our proxy', sent, announced, false)
  const cached = await fetchTwice(worlds, 'through our cache', sent, announced, true)
  const whole = await fetchTwice(worlds, 'whole, through our cache', announced, announced, true)
  const curl = await byCurl(worlds, sent, announced)
  return {
    claims: [
      claimExact(
        {
          text: 'curl has an error, not a short body: exit status 18, and the bytes that came.',
          because: 'RFC 9112 §8; curl: CURLE_PARTIAL_FILE',
        },
        `${curl.code}, ${curl.came} bytes`,
        `18, ${sent} bytes`,
      ),
      claimExact(
        {
          text: 'Our proxy passes it on uncorrected: the length that was announced, the bytes that came.',
          because: 'RFC 9110 §8.6: it must not mend Content-Length',
          unit: 'bytes of those announced',
          beside: [figure('the client’s end', plain.first)],
        },
        `${plain.came} of ${plain.announced}`,
        `${sent} of ${announced}`,
      ),
      claimExact(
        {
          text: 'Our cache does not store it: each request goes to Linux’s server.',
          because: 'RFC 9111 §3.3: not as a complete answer',
          unit: 'requests at the server, and of curl',
          beside: [figure('stored', cached.stored)],
        },
        `${cached.asked}, ${curl.asked}`,
        '2, 2',
      ),
      claimExact(
        { text: 'A whole one it does store.', because: 'fresh for an hour', unit: 'requests at the server' },
        whole.asked,
        1,
      ),
    ],
  }
})
