// E26 live: a server on Linux (Node's own) gives up idle connections while requests of our client are on their way.

import { SECOND } from '../../base/time.ts'
import { claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import { idleCloseRace } from '../experiments/idle-close-race.ts'
import { defineLive, type LiveWorlds } from '../live.ts'
import { inMs } from '../measure.ts'
import { browse } from '../web.ts'

interface Values extends Record<string, number> {
  readonly idle: number
  readonly rtt: number
}

interface Try {
  readonly method: string
  readonly pauseUs: number
  readonly outcome: string
  readonly isRaced: boolean
}

/** Second requests after many pauses, each on a connection of its own, all at the same time. */
function race(worlds: LiveWorlds, pauses: readonly number[], idle: number, isTimeoutTold: boolean): Promise<Try[]> {
  const world = worlds.world({ label: isTimeoutTold ? 'the timeout is told' : 'the timeout is not told' })
  const one = async (method: string, pauseUs: number): Promise<Try> => {
    const { client } = browse(world, 'client')
    await (await client.fetch('http://server/first')).discard()
    await world.sleep(pauseUs)
    const isKept = client.connections.length > 0
    const options = method === 'POST' ? { method, body: 'order' } : {}
    const outcome = await client.fetch('http://server/second', options).then(
      ({ connection }) => (connection?.reused === true ? 'kept connection' : 'new connection'),
      (error: { code?: string }) => error.code ?? 'error',
    )
    return { method, pauseUs, outcome, isRaced: isKept && outcome !== 'kept connection' }
  }
  return world.run(async () => {
    await world.serveLinux('server', { handler: () => ({ bodyBytes: 100 }), idleUs: idle, isTimeoutTold })
    return Promise.all(pauses.flatMap((pause) => [one('GET', pause), one('POST', pause)]))
  })
}

/** E26 against Linux. */
export const idleCloseRaceLive = defineLive<Values>(
  idleCloseRace,
  { idle: { default: '1s', range: ['600ms', '5s'] } },
  async (context, { idle, rtt }) => {
    const step = rtt / 5
    const worlds = context.linux('server')
    const pauses: number[] = []
    for (let pause = idle - 2 * rtt + step / 2; pause < idle + rtt; pause += step) pauses.push(pause)
    const [untold, told] = await Promise.all([race(worlds, pauses, idle, false), race(worlds, pauses, idle, true)])
    const tries = untold
    const raced = (method: string, of = tries): number =>
      of.filter((one) => one.method === method && one.isRaced).length
    const failed = (method: string): number =>
      tries.filter((one) => one.method === method && !one.outcome.endsWith('connection')).length
    return {
      claims: [
        claimWithin(
          {
            text: 'The race is open for about a round trip.',
            because:
              'half a trip for the request, half for the FIN; Linux’s program looks at its clock only now and then',
            unit: 'ms',
          },
          inMs(raced('GET') * step),
          inMs(rtt),
          inMs(2 * step),
        ),
        claimExact(
          { text: 'A GET that loses the race is asked again by itself: none fails.', because: 'RFC 9112 §9.3.1' },
          failed('GET'),
          0,
        ),
        claimTrue(
          {
            text: 'A POST that loses it fails: only its user may decide.',
            because: 'the server may have acted upon it',
            beside: [figure('raced', raced('POST')), figure('failed', failed('POST'))],
          },
          failed('POST') === raced('POST') && raced('POST') > 0,
        ),
        claimExact(
          {
            text: 'A server that tells its timeout spares its clients the race: ours gives the connection up first.',
            because: 'Keep-Alive: timeout=1 (RFC 2068 §19.7.1), which Node’s server sends unless it is told not to',
            unit: 'POSTs raced',
          },
          raced('POST', told),
          0,
        ),
      ],
      tables: [
        {
          title: `By the pause before the second request; the server keeps idle connections for ${idle / SECOND} s`,
          columns: ['method', 'pause, ms', 'went over', 'raced'],
          rows: tries.map(({ method, pauseUs, outcome, isRaced }) => [
            method,
            inMs(pauseUs),
            outcome,
            isRaced ? 'yes' : '',
          ]),
        },
      ],
    }
  },
)
