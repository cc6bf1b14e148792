// E14 live: Linux's client with few ports towards our server, with each remedy; and our client towards Linux.

import { MILLISECOND, SECOND } from '../../base/time.ts'
import { claimAtLeast, claimExact, claimNear } from '../claims.ts'
import { type Bench, bench, portExhaustion } from '../experiments/port-exhaustion.ts'
import { defineLive, type LiveContext, type LiveWorld, type LiveWorlds } from '../live.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'

interface Values extends Record<string, number> {
  readonly ports: number
  readonly msl: number
}

const FIRST_PORT = 40_000
const TWO_ADDRESSES = {
  ...pairOf({ delay: '1ms' }),
  hosts: { client: { address: ['10.0.0.1', '10.0.0.2'] }, server: { address: '10.0.9.9' } },
}

interface Asked {
  readonly done: number
  readonly refused: number
  /** The code of the last one. */
  readonly why: string
}

/** Requests of Linux's client, each over a connection of its own that it closes first. */
async function askOften(
  worlds: LiveWorlds,
  label: string,
  requests: number,
  way: { readonly addresses?: number; readonly isReset?: boolean; readonly pauseUs?: number } = {},
): Promise<Asked> {
  const { addresses = 1, isReset = false, pauseUs = 0 } = way
  const topology = addresses === 1 ? {} : { topology: TWO_ADDRESSES }
  const world: LiveWorld = worlds.world({ label, ...topology, isShown: false })
  return world.run(async () => {
    await world.listen('server', 80, (socket) => socket.once('data', () => socket.write('OK')), { noDelay: true })
    let done = 0
    let refused = 0
    let why = ''
    const one = async (i: number): Promise<void> => {
      const own = addresses === 1 ? {} : { localAddress: world.addressesOf('client')[i % addresses] }
      const socket = await world.connect('client', 'server', 80, { noDelay: true, ...own })
      const answered = new Promise<void>((resolve) => socket.once('data', () => resolve()))
      socket.write('GET')
      await answered
      const closed = new Promise((resolve) => socket.once('close', resolve))
      if (isReset) socket.resetAndDestroy()
      else socket.destroy()
      await closed
    }
    for (let i = 0; i < requests; i++) {
      if (i === requests / 2 && pauseUs > 0) await world.sleep(pauseUs)
      await one(i).then(
        () => done++,
        (error: { code?: string }) => {
          refused++
          why = error.code ?? 'an error'
        },
      )
    }
    return { done, refused, why }
  })
}

async function measure(context: LiveContext, { ports, msl }: Values) {
  const [fromLinux, toLinux] = [context.linux('client'), context.linux('server')]
  const requests = 2 * ports
  const ceiling = ports / ((2 * msl) / SECOND)
  const plan: Bench = { label: '', ports, mslUs: msl, offered: 4 * ceiling, forUs: 8 * msl }
  // The two stacks' clients have nothing to do with one another.
  const [measured, linux] = await Promise.all([bench(toLinux, plan), measureLinux(context, fromLinux, ports, requests)])
  return { ports, msl, requests, ceiling, measured, ...linux }
}

/** Linux's client, with each remedy after the other: they turn the same knobs. */
async function measureLinux(context: LiveContext, fromLinux: LiveWorlds, ports: number, requests: number) {
  const range = (first: number): void => context.sysctl('net/ipv4/ip_local_port_range', `${first} ${first + ports - 1}`)
  range(FIRST_PORT)
  context.sysctl('net/ipv4/tcp_tw_reuse', '0')
  const plain = await askOften(fromLinux, 'nothing', requests)
  const linger = await askOften(fromLinux, 'SO_LINGER 0', requests, { isReset: true })
  context.sysctl('net/ipv4/tcp_tw_reuse', '1')
  const again = await askOften(fromLinux, 'tcp_tw_reuse', requests, { pauseUs: 1200 * MILLISECOND })
  // Linux does not take a port by itself that a program has named an address for: so these are others.
  range(FIRST_PORT + 10_000)
  const two = await askOften(fromLinux, 'two addresses', requests, { addresses: 2 })
  return { plain, two, linger, again }
}

/** What was measured, put to the test. */
function claimsOf({
  ports,
  msl,
  requests,
  plain,
  two,
  linger,
  again,
  ceiling,
  measured,
}: Awaited<ReturnType<typeof measure>>): Claim[] {
  const unit = 'connections'
  return [
    claimExact(
      {
        text: 'Linux closes first: each port serves once, then there is none.',
        because: `${ports} ports, and Linux's TIME-WAIT lasts 60 s: ports / 60 s and no more`,
        unit,
      },
      plain.done,
      ports,
    ),
    claimExact({ text: 'A second address doubles it.', because: 'another place differs', unit }, two.done, 2 * ports),
    claimExact(
      { text: 'SO_LINGER 0 leaves no TIME-WAIT: all succeed.', because: 'a reset ends the connection', unit },
      linger.done,
      requests,
    ),
    claimAtLeast(
      {
        text: 'With tcp_tw_reuse ports come back after a second: all succeed.',
        because: 'RFC 6191 §2: newer timestamps tell old segments apart',
        unit,
      },
      again.done,
      requests,
    ),
    claimNear(
      {
        text: 'Our client towards Linux has ports / 2 MSL connections a second, however many are asked for.',
        because: `${ports} ports / ${(2 * msl) / SECOND} s`,
        unit: 'a second',
      },
      measured.rate,
      ceiling,
      0.15,
    ),
    claimExact(
      { text: 'What found no port was told so at once.', because: 'the rest of the requests' },
      `${plain.refused} times ${plain.why}`,
      `${requests - ports} times EADDRNOTAVAIL`,
    ),
  ]
}

/** E14 against Linux. */
export const portExhaustionLive = defineLive<Values>(
  portExhaustion,
  {
    ports: { default: '40', range: ['10', '200'] },
    msl: { default: '500ms', range: ['100ms', '2s'] },
  },
  async (context, values) => {
    const measured = await measure(context, values)
    const { ports, requests, plain, two, linger, again } = measured
    return {
      claims: claimsOf(measured),
      tables: [
        {
          title: `Linux with ${ports} ports asks ${requests} times`,
          columns: ['', 'done', 'failed', 'with'],
          rows: [
            ['nothing', plain.done, plain.refused, plain.why],
            ['two client addresses', two.done, two.refused, two.why],
            ['SO_LINGER 0 (reset)', linger.done, linger.refused, linger.why],
            ['tcp_tw_reuse, a second later', again.done, again.refused, again.why],
          ],
        },
      ],
      why: [
        'Linux’s TIME-WAIT cannot be shortened: tcp_fin_timeout is about FIN-WAIT-2 (kernel documentation, ip-sysctl).',
      ],
    }
  },
)
