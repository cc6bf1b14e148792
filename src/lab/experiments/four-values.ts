// E3: a connection is its four values. Two connections may share three of them; the fourth tells them apart.

import { claimExact, claimTrue, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { World } from '../world.ts'

/** A connection to make: from where, to which port, with which own port. */
interface Plan {
  readonly name: string
  readonly from: string
  readonly localAddress?: string
  readonly localPort: number
  readonly to: string
  readonly port: number
}

const FIRST: Plan = { name: 'the first', from: 'client', localPort: 2034, to: 'server', port: 80 }

const PLANS: readonly Plan[] = [
  FIRST,
  { ...FIRST, name: 'another source port', localPort: 3227 },
  { ...FIRST, name: 'another destination port', port: 8080 },
  { ...FIRST, name: 'another source address', from: 'other' },
  { ...FIRST, name: 'another destination address', to: 'mirror' },
]

interface Made {
  readonly plan: Plan
  /** The four values as the server saw them, or the code of the error. */
  readonly four: string
  readonly answer: string
}

/** Opens a connection, says its name and reads what comes back. */
async function make(world: World, plan: Plan, seen: Map<string, string>): Promise<Made> {
  const { name, from, localPort, to, port } = plan
  try {
    const socket = await world.connect(from, to, port, { localPort })
    const answer = new Promise<string>((resolve) =>
      socket.once('data', (chunk: Uint8Array) => resolve(new TextDecoder().decode(chunk))),
    )
    socket.write(name)
    return { plan, answer: await answer, four: seen.get(name) ?? 'not seen' }
  } catch (error) {
    return { plan, four: (error as { code?: string }).code ?? 'an error', answer: '' }
  }
}

/** How many of the four values two connections have in common. */
function common(a: Plan, b: Plan): number {
  return (['from', 'localPort', 'to', 'port'] as const).filter((value) => a[value] === b[value]).length
}

/** E3: five connections that differ in one value each, and one that differs in none. */
export const fourValues = defineExperiment({
  id: 'four-values',
  fact: 'E3',
  title: 'Four values name a connection',
  question: 'What may two connections share, and what tells their segments apart?',
  read: ['RFC 9293 §3.3.1', 'RFC 9293 §3.10.1'],
  parameters: {},
  topology: () => ({
    hosts: { client: {}, other: {}, server: {}, mirror: {} },
    routers: ['router'],
    links: [
      { from: 'client', to: 'router', delay: '10ms' },
      { from: 'other', to: 'router', delay: '15ms' },
      { from: 'router', to: 'server', delay: '5ms' },
      { from: 'router', to: 'mirror', delay: '5ms' },
    ],
  }),
  figures: ['ladder'],

  async run(context) {
    const world = context.world({ label: 'five at once' })
    const { made, clash } = await world.run(async () => {
      const seen = new Map<string, string>()
      for (const [host, port] of [
        ['server', 80],
        ['server', 8080],
        ['mirror', 80],
      ] as const) {
        await world.listen(host, port, (socket) => {
          const four = `${socket.remoteAddress}:${socket.remotePort} > ${socket.localAddress}:${socket.localPort}`
          socket.on('data', (chunk: Uint8Array) => {
            const name = new TextDecoder().decode(chunk)
            seen.set(name, four)
            socket.write(`${name} is at ${host}:${port}`)
          })
        })
      }
      const all = await Promise.all(PLANS.map((plan) => make(world, plan, seen)))
      return { made: all, clash: await make(world, { ...FIRST, name: 'the same four' }, seen) }
    })
    const right = made.filter(({ plan, answer }) => answer === `${plan.name} is at ${plan.to}:${plan.port}`).length
    const shared = made.slice(1).map(({ plan }) => common(plan, FIRST))
    return {
      claims: [
        claimExact(
          {
            text: 'All five are open at once, and each gets its own answer.',
            because: 'segments find their connection by the four values (RFC 9293 §3.3.1)',
          },
          right,
          PLANS.length,
        ),
        claimTrue(
          {
            text: 'Each of the others shares three of its four values with the first.',
            because: 'one that differs is enough',
            beside: [figure('shared', shared.join(' '))],
          },
          shared.every((count) => count === 3) && new Set(made.map(({ four }) => four)).size === PLANS.length,
        ),
        claimExact(
          {
            text: 'A connection with all four values of another is refused.',
            because: 'RFC 9293 §3.10.1: connection already exists',
          },
          clash.four,
          'EADDRINUSE',
        ),
      ],
      tables: [
        {
          title: 'The connections, as the servers see them',
          columns: ['differs in', 'source > destination', 'answer'],
          rows: [...made, clash].map(({ plan, four, answer }) => [plan.name, four, answer === '' ? 'refused' : answer]),
        },
      ],
    }
  },
})
