// E22: a proxy that relays Connection: Keep-Alive without knowing what it means. Both ends believe in a connection that stays, the relay
// waits for its end, and the second request is heard by nobody.

import { SECOND } from '../../base/time.ts'
import type { BlindEvent } from '../../http/proxy-blind.ts'
import { claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { type Asked, OldClient, rowOf, serveProxy, serveRelay } from '../hops.ts'
import { inMs } from '../measure.ts'
import type { Claim } from '../types.ts'
import { bodyOf, serve } from '../web.ts'

interface Twice {
  readonly first: Asked
  readonly second: Asked
  readonly events: readonly BlindEvent[]
  /** Value of Connection as the server saw it in the first request. */
  readonly seen: string
}

async function askTwice(context: RunContext, label: string, isBlind: boolean, idleUs: number): Promise<Twice> {
  const world = context.world({ label })
  return world.run(async () => {
    let seen = ''
    await serve(
      world,
      'server',
      (request) => {
        seen ||= request.headers.get('connection') ?? 'nothing'
        return { body: bodyOf(500) }
      },
      { timeouts: { idleUs } },
    )
    const events = isBlind ? await serveRelay(world, 'proxy') : []
    if (!isBlind) await serveProxy(world, 'proxy')
    const client = new OldClient(world, 'client', 'proxy')
    const first = await client.ask('http://server/1', 'Connection: Keep-Alive')
    const second = await client.ask('http://server/2', 'Connection: Keep-Alive')
    return { first, second, events, seen }
  })
}

/** What the claims are reckoned from. */
interface Measured {
  readonly blind: Twice
  readonly smart: Twice
  readonly idle: number
  readonly rtt: number
  readonly at: (what: BlindEvent['what']) => number
}

function claimsOf({ blind, smart, idle, rtt, at }: Measured): Claim[] {
  return [
    claimExact(
      {
        text: 'The blind relay hands the field on.',
        because: 'it does not know it',
        unit: 'Connection at the server',
      },
      blind.seen,
      'Keep-Alive',
    ),
    claimExact(
      { text: 'The first answer comes, and the client believes that the connection stays.', because: 'it says so' },
      `${blind.first.status}, then ${blind.second.isReused ? 'the same connection' : 'another connection'}`,
      '200, then the same connection',
    ),
    claimExact(
      {
        text: 'The second request is never answered.',
        because: 'the relay waits for the server to close',
        unit: 'status',
      },
      blind.second.status,
      0,
    ),
    claimWithin(
      {
        text: 'It hangs until the server has had enough of its idle connection.',
        because: 'the server’s idle timeout; the way there and back again is the same for the answer and for the end',
        unit: 'ms',
      },
      inMs(blind.second.tookUs),
      inMs(idle),
      inMs(rtt),
    ),
    claimTrue(
      {
        text: 'The request had reached the relay long before, unheard.',
        because: 'it is there, and nobody reads it',
        beside: [figure('unheard at', inMs(at('unheard')), 'ms'), figure('closed at', inMs(at('closed')), 'ms')],
      },
      at('unheard') > 0 && at('unheard') < at('closed') - SECOND / 2,
    ),
    claimExact(
      {
        text: 'A proxy that takes the field out and speaks for itself on each side: both answers come.',
        because: 'RFC 9110 §7.6.1: Connection is for one hop',
        unit: 'status, status, Connection: Keep-Alive at the server',
        beside: [figure('the second took', inMs(smart.second.tookUs), 'ms')],
      },
      `${smart.first.status}, ${smart.second.status}, ${smart.seen === 'Keep-Alive' ? 'yes' : 'no'}`,
      '200, 200, no',
    ),
    claimWithin(
      {
        text: 'Then both halves of the way are kept, each for itself.',
        because: 'a round trip over each link and no handshake',
        unit: 'ms',
      },
      inMs(smart.second.tookUs),
      inMs(2 * rtt),
      1,
    ),
  ]
}

/** E22: the dumb proxy. */
export const dumbProxy = defineExperiment({
  id: 'dumb-proxy',
  fact: 'E22',
  title: 'A blind relay and Keep-Alive: the second request hangs',
  question: 'What happens when a proxy passes on Connection: Keep-Alive without understanding it?',
  read: ['RFC 9112 appendix C.2.2', 'RFC 9110 §7.6.1'],
  parameters: {
    idle: { default: '15s', unit: 'time', range: ['1s', '10min'], doc: 'how long the server keeps an idle connection' },
    rtt: { default: '40ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip of each link' },
  },
  topology: ({ rtt }) => rowOf(['client', 'proxy', 'server'], rtt),
  figures: ['ladder'],

  async run(context, { idle, rtt }) {
    const blind = await askTwice(context, 'a blind relay', true, idle)
    const smart = await askTwice(context, 'a proxy that strips', false, idle)
    const at = (what: BlindEvent['what']): number => blind.events.find((event) => event.what === what)?.at ?? -1
    return {
      claims: claimsOf({ blind, smart, idle, rtt, at }),
      tables: [
        {
          title: 'What the blind relay does',
          columns: ['ms', 'what', 'bytes', 'text'],
          rows: blind.events.map(({ at: us, what, bytes, text }) => [inMs(us), what, bytes, text]),
        },
      ],
    }
  },
})
