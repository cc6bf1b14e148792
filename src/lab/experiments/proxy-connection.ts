// E23: Proxy-Connection was invented so that a blind relay hands on a field that servers do not know. It cures one blind relay and fails
// as soon as a blind one stands next to a smart one.

import { claimExact, claimWithin, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { type Asked, nodeAt, OldClient, rowOf, serveProxy, serveRelay } from '../hops.ts'
import { inMs } from '../measure.ts'
import { bodyOf, serve } from '../web.ts'
import type { World } from '../world.ts'

const CHAINS = ['smart', 'blind', 'blind, smart', 'smart, blind'] as const
type Chain = (typeof CHAINS)[number]

/** What paper says: statuses of both requests, and whether the second hangs. */
const EXPECTED: Readonly<Record<Chain, { readonly statuses: string; readonly hangs: boolean; readonly why: string }>> =
  {
    smart: { statuses: '200 200', hangs: false, why: 'one connection serves both' },
    blind: {
      statuses: '200 200',
      hangs: false,
      why: 'the server does not know the field and closes: nothing hangs, nothing is kept',
    },
    'blind, smart': {
      statuses: '200 0',
      hangs: true,
      why: 'the smart one believes what the blind one has relayed: the hang is back',
    },
    'smart, blind': {
      statuses: '200 200',
      hangs: true,
      why: 'the smart one keeps its connection to the blind one, hangs there, and asks anew',
    },
  }

async function build(world: World, chain: Chain, idleUs: number): Promise<void> {
  const timeouts = { idleUs }
  await serve(world, 'server', () => ({ body: bodyOf(500) }), { timeouts })
  const patience = { serverTimeouts: { responseUs: 10 * idleUs }, clientTimeouts: { idleUs } }
  if (chain === 'smart') await serveProxy(world, 'first')
  if (chain === 'blind') await serveRelay(world, 'first')
  if (chain === 'blind, smart') {
    await serveRelay(world, 'first', nodeAt('second'))
    await serveProxy(world, 'second', patience)
  }
  if (chain === 'smart, blind') {
    await serveProxy(world, 'first', { parent: nodeAt('second'), ...patience })
    await serveRelay(world, 'second')
  }
}

async function askTwice(context: RunContext, chain: Chain, idleUs: number): Promise<readonly [Asked, Asked]> {
  const world = context.world({ label: chain })
  return world.run(async () => {
    await build(world, chain, idleUs)
    const client = new OldClient(world, 'client', 'first')
    const first = await client.ask('http://server/1', 'Proxy-Connection: Keep-Alive')
    return [first, await client.ask('http://server/2', 'Proxy-Connection: Keep-Alive')]
  })
}

/** E23: four chains. */
export const proxyConnection = defineExperiment({
  id: 'proxy-connection',
  fact: 'E23',
  title: 'Proxy-Connection cures one blind relay, not two kinds side by side',
  question: 'Does another field for proxies help, and in which chains?',
  read: ['RFC 9112 appendix C.2.2'],
  parameters: {
    idle: { default: '15s', unit: 'time', range: ['2s', '10min'], doc: 'how long an idle connection is kept' },
    rtt: { default: '20ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip of each link' },
  },
  topology: ({ rtt }) => rowOf(['client', 'first', 'second', 'server'], rtt),
  figures: ['ladder'],

  async run(context, { idle, rtt }) {
    const asked = new Map<Chain, readonly [Asked, Asked]>()
    for (const chain of CHAINS) asked.set(chain, await askTwice(context, chain, idle))
    const claims = CHAINS.flatMap((chain) => {
      const [first, second] = asked.get(chain) as readonly [Asked, Asked]
      const { statuses, hangs, why } = EXPECTED[chain]
      return [
        claimExact(
          {
            text: `Client, ${chain}, server: ${why}.`,
            because: 'RFC 9112 appendix C.2.2; 0 is no answer at all',
            unit: 'statuses',
            beside: [figure('second over the same connection', second.isReused ? 'yes' : 'no')],
          },
          `${first.status} ${second.status}`,
          statuses,
        ),
        claimWithin(
          {
            text: hangs
              ? `Client, ${chain}, server: the second request hangs for the idle timeout.`
              : `Client, ${chain}, server: the second request does not hang.`,
            because: hangs
              ? 'until the last one that keeps the connection gives it up'
              : 'a few round trips over three links',
            unit: 'ms',
          },
          inMs(second.tookUs),
          hangs ? inMs(idle) : 0,
          inMs(10 * rtt),
        ),
      ]
    })
    return {
      claims,
      tables: [
        {
          title: 'Two requests with Proxy-Connection: Keep-Alive',
          columns: ['chain', 'first', 'second', 'second took, ms', 'same connection'],
          rows: CHAINS.map((chain) => {
            const [first, second] = asked.get(chain) as readonly [Asked, Asked]
            return [chain, first.status, second.status, inMs(second.tookUs), second.isReused ? 'yes' : 'no']
          }),
        },
      ],
    }
  },
})
