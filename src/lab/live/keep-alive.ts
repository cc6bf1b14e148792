// E20 and E21 live: our client keeps connections to Node's own server on Linux, and Linux's curl keeps those to ours.

import { MILLISECOND } from '../../base/time.ts'
import { claimExact } from '../claims.ts'
import { keepAlive, persistent } from '../experiments/keep-alive.ts'
import { defineLive, type LinuxSite, type LiveWorlds } from '../live.ts'
import { bodyOf, browse, type ServeOptions, serve } from '../web.ts'

interface Values extends Record<string, number> {
  readonly requests: number
  readonly max: number
  readonly timeout: number
}

const HANDLER: LinuxSite['handler'] = () => ({ bodyBytes: 300 })
/** Real time that there is for the server's idle timeout. */
const SHORT = {
  timeout: { default: '1s', range: ['1s', '5s'] },
  requests: { default: '6' },
  max: { default: '4' },
} as const

interface Visit extends Omit<LinuxSite, 'handler'> {
  readonly label: string
  readonly requests: number
  readonly version: '1.0' | '1.1'
  readonly connection?: string
  readonly pauseUs?: number
}

/** Requests of ours one after another to Linux. @returns connections that they took */
async function visit(worlds: LiveWorlds, { label, requests, version, ...more }: Visit): Promise<number> {
  const { connection = '', pauseUs = 0, ...site } = more
  const world = worlds.world({ label })
  return world.run(async () => {
    const counts = await world.serveLinux('server', { ...site, handler: HANDLER })
    const browser = browse(world, 'client')
    const headers = connection === '' ? {} : { Connection: connection }
    for (let i = 0; i < requests; i++) {
      await browser.get(`http://server/${i}`, { httpVersion: version, headers })
      if (pauseUs > 0) await world.sleep(pauseUs)
    }
    browser.client.close()
    return counts.connections
  })
}

/** Requests of Linux's curl to our server, one after another. @returns connections that they took */
async function visitByCurl(
  worlds: LiveWorlds,
  label: string,
  requests: number,
  options: readonly string[],
  settings: ServeOptions = {},
): Promise<number> {
  const world = worlds.world({ label: `curl: ${label}` })
  return world.run(async () => {
    const site = await serve(world, 'server', () => ({ body: bodyOf(300) }), settings)
    const url = `http://${world.addressesOf('server')[0]}/[1-${requests}]`
    await world.curl(...options, '-o', '/dev/null', url)
    return site.counters.connections
  })
}

/** E20 against Linux. */
export const keepAliveLive = defineLive<Values>(keepAlive, SHORT, async (context, { requests, max, timeout }) => {
  const [toLinux, fromLinux] = [context.linux('server'), context.linux('client')]
  const old = { requests, version: '1.0', connection: 'Keep-Alive', idleUs: timeout } as const
  const [agreed, unasked, slow, open, curled, counted, curlLimited] = await Promise.all([
    visit(toLinux, { ...old, label: 'both agree' }),
    visit(toLinux, { ...old, label: 'not asked for', connection: '' }),
    visit(toLinux, { ...old, label: 'slow', requests: 2, pauseUs: timeout + 400 * MILLISECOND }),
    visit(toLinux, { ...old, label: 'length unknown', isOpenEnded: true }),
    visitByCurl(fromLinux, 'both agree', requests, ['--http1.0', '-H', 'Connection: Keep-Alive']),
    visitByCurl(fromLinux, `max ${max}`, requests, ['--http1.0', '-H', 'Connection: Keep-Alive'], {
      limits: { requestsPerConnection: max },
    }),
    visitByCurl(fromLinux, 'refused', requests, ['--http1.0', '-H', 'Connection: Keep-Alive'], { keepAlive: false }),
  ])
  const unit = 'connections'
  return {
    claims: [
      claimExact(
        { text: 'Asked for and granted by Node’s server: one serves all.', because: 'both agree', unit },
        agreed,
        1,
      ),
      claimExact({ text: 'Not asked for: one each.', because: 'HTTP/1.0 closes unless told', unit }, unasked, requests),
      claimExact(
        { text: 'Requests further apart than the server’s timeout find no connection.', because: 'it is over', unit },
        slow,
        2,
      ),
      claimExact(
        {
          text: 'A body whose length is not known before ends with its connection.',
          because: 'RFC 9112 §6.3: without Content-Length, and no chunks in HTTP/1.0',
          unit,
        },
        open,
        requests,
      ),
      claimExact(
        { text: 'curl obeys the limit on requests that our server sets.', because: `ceil(${requests} / ${max})`, unit },
        counted,
        Math.ceil(requests / max),
      ),
      claimExact(
        { text: 'curl in HTTP/1.0 keeps a connection to our server when both agree.', because: 'the same', unit },
        curled,
        1,
      ),
      claimExact(
        { text: 'And opens one each when our server does not grant it.', because: 'the answer lacks it', unit },
        curlLimited,
        requests,
      ),
    ],
  }
})

/** E21 against Linux. */
export const persistentLive = defineLive<Values>(persistent, SHORT, async (context, { requests, max, timeout }) => {
  const [toLinux, fromLinux] = [context.linux('server'), context.linux('client')]
  const now = { requests, version: '1.1' } as const
  const limited = { limits: { requestsPerConnection: max } }
  const [plain, close, server, chunked, slow, curled, curlClose, curlLimited] = await Promise.all([
    visit(toLinux, { ...now, label: 'nothing said' }),
    visit(toLinux, { ...now, label: 'the client says close', connection: 'close' }),
    visit(toLinux, { ...now, label: 'the server says close', requestsPerConnection: max }),
    visit(toLinux, { ...now, label: 'length unknown', isOpenEnded: true }),
    visit(toLinux, { ...now, label: 'idle', requests: 2, idleUs: timeout, pauseUs: timeout + 400 * MILLISECOND }),
    visitByCurl(fromLinux, 'nothing said', requests, []),
    visitByCurl(fromLinux, 'says close', requests, ['-H', 'Connection: close']),
    visitByCurl(fromLinux, 'the server says close', requests, [], limited),
  ])
  const unit = 'connections'
  const both = (a: number, b: number): string => `${a} and ${b}`
  return {
    claims: [
      claimExact(
        { text: 'Nobody says anything: one serves all, of ours and of curl.', because: 'RFC 9112 §9.3', unit },
        both(plain, curled),
        both(1, 1),
      ),
      claimExact(
        { text: 'The client says Connection: close each time: one each.', because: 'RFC 9112 §9.6', unit },
        both(close, curlClose),
        both(requests, requests),
      ),
      claimExact(
        {
          text: 'The server says it now and then, and the client goes on elsewhere.',
          because: `ceil(n / ${max})`,
          unit,
        },
        both(server, curlLimited),
        both(Math.ceil(requests / max), Math.ceil(requests / max)),
      ),
      claimExact(
        { text: 'Chunks keep a connection whose bodies have no known length.', because: 'RFC 9112 §7.1', unit },
        chunked,
        1,
      ),
      claimExact(
        {
          text: 'Either side may close at any time: no request fails, each opens anew.',
          because: 'RFC 9112 §9.5',
          unit,
        },
        slow,
        2,
      ),
    ],
  }
})
