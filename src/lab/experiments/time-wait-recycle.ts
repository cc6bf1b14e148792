// E14, the remedy that was taken back: recycling. A host that remembers the last timestamp of each peer needs TIME-WAIT for a moment only,
// and then it refuses a peer whose clock seems to go back. Two hosts behind one address have two clocks.
//
// The rule stands at the server's door in this network, as a node of its own: this stack does not have it.

import { MILLISECOND, type Micros, SECOND } from '../../base/time.ts'
import type { Packet } from '../../link/device.ts'
import { FLAG } from '../../tcp/header.ts'
import { ParsedPacket } from '../../trace/packet-line.ts'
import { claimExact, claimNear, claimTrue, claimWithin, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import type { Rewrite } from '../forwarder.ts'
import { rounded } from '../measure.ts'
import { translate } from '../nat.ts'
import type { Topology } from '../topology.ts'
import type { Claim } from '../types.ts'
import type { World } from '../world.ts'

/** How long a timestamp is remembered: the longest that a segment may live, as the rule had it. */
const MEMORY_US: Micros = 60 * SECOND
/** What TIME-WAIT lasts for where it is recycled: 3.5 times the least retransmission timeout. */
const RECYCLED_US: Micros = 700 * MILLISECOND

/** The rule: a SYN whose timestamp is older than the last one of its address is dropped, in silence. */
class Recycler {
  dropped = 0
  readonly #parsed = new ParsedPacket()
  readonly #last = new Map<string, { value: number; at: Micros }>()

  /** False: it is dropped. */
  judge(packet: Packet, now: Micros): boolean {
    if (this.#parsed.parse(packet) !== 'ok' || this.#parsed.kind !== 'tcp') return true
    const { ip, tcp } = this.#parsed
    if (tcp.destinationPort !== 80 || !tcp.hasTimestamps) return true
    const peer = ip.src.toString()
    const known = this.#last.get(peer)
    if ((tcp.flags & FLAG.SYN) !== 0 && known !== undefined && now - known.at < MEMORY_US) {
      if (((known.value - tcp.tsVal) | 0) > 0) {
        this.dropped++
        return false
      }
    }
    // What TIME-WAIT would keep is kept here: the clock of the peer as its connection ended.
    if ((tcp.flags & FLAG.FIN) !== 0) this.#last.set(peer, { value: tcp.tsVal, at: now })
    return true
  }
}

const NETWORK: Topology = {
  hosts: { alice: {}, bob: {}, home: {}, server: {} },
  routers: ['door'],
  links: [
    { from: 'alice', to: 'home', delay: '1ms' },
    { from: 'bob', to: 'home', delay: '1ms' },
    { from: 'home', to: 'door', delay: '10ms' },
    { from: 'door', to: 'server' },
  ],
}

/** Who visits whom, and how. */
interface Setting {
  readonly label: string
  readonly isRecycling: boolean
  readonly isShared: boolean
  /** Each host has one clock for all its connections; otherwise one for each (RFC 7323 §5.4). */
  readonly hasOneClock: boolean
  readonly visitors: readonly ('alice' | 'bob')[]
}

/** Visits that came to an answer, of each, and SYNs that were dropped. */
interface Seen {
  readonly setting: Setting
  readonly served: Readonly<Record<string, number>>
  readonly codes: readonly string[]
  readonly dropped: number
}

/** The clocks: milliseconds since the host was started. Bob's PC has run for less long than Alice's. */
const STARTED: Readonly<Record<string, number>> = { alice: 5_000_000, bob: 1_000_000 }

async function visits(context: RunContext, setting: Setting, times: number): Promise<Seen> {
  const { label, isRecycling, isShared, hasOneClock, visitors } = setting
  const rule = new Recycler()
  let world: World
  const rewrites: Record<string, Rewrite> = {
    door: (packet) => !isRecycling || rule.judge(packet, world.now()),
  }
  if (isShared) rewrites['home'] = translate(['10.0.0.1', '10.0.0.2'], '10.0.0.3')
  world = context.world({ label, topology: NETWORK, rewrites })
  const served: Record<string, number> = { alice: 0, bob: 0 }
  const codes = new Set<string>()
  await world.run(async () => {
    for (const name of hasOneClock ? visitors : []) {
      // As hosts had it when the rule was made: one clock, that begins with the host.
      world.host(name).stack.tcp.timestampOffset = () => STARTED[name]
    }
    await world.listen('server', 80, (socket) => socket.once('data', () => socket.end('hello')))
    for (let i = 0; i < times; i++) {
      for (const name of visitors) {
        await visit(world, name).then(
          () => served[name]++,
          (error: { code?: string }) => codes.add(error.code ?? 'an error'),
        )
        await world.sleep(100 * MILLISECOND)
      }
    }
  })
  return { setting, served, codes: [...codes], dropped: rule.dropped }
}

async function visit(world: World, from: string): Promise<void> {
  const socket = await world.connect(from, 'server', 80, { timeoutMs: 2500 })
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.resume().write('?')
  await over
}

/** A client that closes first, at more connections than it has ports for: connections a second. */
async function ceiling(context: RunContext, ports: number, timeWaitUs: Micros, forUs: Micros): Promise<number> {
  const world = context.world({
    label: '',
    isShown: false,
    tcp: { mslUs: timeWaitUs / 2 },
    topology: { hosts: { client: {}, server: {} }, links: [{ from: 'client', to: 'server', delay: '1ms' }] },
    hosts: { client: { ephemeralPorts: [40_000, 40_000 + ports - 1] } },
  })
  let done = 0
  await world.run(async () => {
    await world.listen('server', 80, () => undefined)
    const fromUs = forUs / 4
    const pauseUs = Math.max(3 * MILLISECOND, timeWaitUs / (8 * ports))
    while (world.now() < forUs) {
      void world.connect('client', 'server', 80).then(
        (socket) => {
          if (world.now() >= fromUs && world.now() < forUs) done++
          socket.destroy()
        },
        () => undefined,
      )
      await world.sleep(pauseUs)
    }
  })
  return rounded(done / ((forUs * 0.75) / SECOND), 2)
}

function claimsOf(seen: readonly Seen[], times: number, rates: readonly [number, number], ports: number): Claim[] {
  const [plain, alone, shared, modern] = seen
  const inWords = ({ served }: Seen): string => `${served['alice']} and ${served['bob']}`
  const unit = 'visits of Alice and of Bob that were answered'
  return [
    claimNear(
      {
        text: 'Recycling lifts the ceiling: ports / 0.7 s instead of ports / 2 MSL.',
        because: `${ports} ports; a pair is kept for 3.5 timeouts of 200 ms`,
        unit: 'a second',
        beside: [figure('with TIME-WAIT of 20 s', rates[0], 'a second')],
      },
      rates[1],
      rounded(ports / (RECYCLED_US / SECOND), 2),
      0.05,
    ),
    claimExact(
      {
        text: 'Without it both are served, behind one address too.',
        because: 'ports tell them apart (RFC 3022 §2.2)',
        unit,
      },
      inWords(plain),
      `${times} and ${times}`,
    ),
    claimExact(
      {
        text: 'With it, each having an address of its own, too.',
        because: 'a clock of its own for each address',
        unit,
      },
      inWords(alone),
      `${times} and ${times}`,
    ),
    claimExact(
      {
        text: 'Behind one address the one whose clock is behind is never served.',
        because:
          'to the server it is one host whose clock goes back: its SYNs look old, for as long as the other one visits',
        unit,
        beside: [figure('SYNs dropped', shared.dropped)],
      },
      inWords(shared),
      `${times} and 0`,
    ),
    claimTrue(
      {
        text: 'It is told nothing: no reset comes, its attempts time out.',
        because: 'the SYN is dropped in silence, as one that was lost',
        beside: [figure('error', shared.codes.join(' '))],
      },
      shared.codes.join(' ') === 'ETIMEDOUT' && shared.dropped >= times,
    ),
    claimWithin(
      {
        text: 'With today’s clocks, one for each connection, it refuses half of a host’s visits, about, without any translation.',
        because: 'RFC 7323 §5.4: a random offset is behind the last one half of the time',
        unit: '% of the visits',
      },
      rounded((100 * (modern.served['alice'] ?? 0)) / (2 * times), 1),
      50,
      25,
    ),
  ]
}

/** E14: recycled TIME-WAIT, and two hosts behind one address. */
export const timeWaitRecycle = defineExperiment({
  id: 'time-wait-recycle',
  fact: 'E14',
  title: 'Recycled TIME-WAIT, and why address translation broke it',
  question: 'What did recycling connections by their peers’ timestamps give, and whom did it shut out?',
  read: ['RFC 1323 appendix B.2', 'RFC 7323 §5.4', 'RFC 3022 §2.2', 'RFC 6191'],
  parameters: {
    visits: { default: '12', unit: 'count', range: ['3', '20'], doc: 'of each of the two' },
    ports: {
      default: '14',
      unit: 'count',
      range: ['7', '100'],
      doc: 'ephemeral ports of the client that runs out of them',
    },
  },
  topology: () => NETWORK,
  figures: ['ladder'],

  async run(context, { visits: times, ports }) {
    const both = ['alice', 'bob'] as const
    const settings: Setting[] = [
      { label: 'no recycling, one address', isRecycling: false, isShared: true, hasOneClock: true, visitors: both },
      { label: 'recycling, two addresses', isRecycling: true, isShared: false, hasOneClock: true, visitors: both },
      { label: 'recycling, one address', isRecycling: true, isShared: true, hasOneClock: true, visitors: both },
      {
        label: 'recycling, a clock for each connection',
        isRecycling: true,
        isShared: false,
        hasOneClock: false,
        visitors: ['alice', 'alice'],
      },
    ]
    const seen: Seen[] = []
    for (const setting of settings) seen.push(await visits(context, setting, times))
    const forUs = 40 * SECOND
    const rates = [
      await ceiling(context, ports, 20 * SECOND, forUs),
      await ceiling(context, ports, RECYCLED_US, forUs),
    ] as const
    return {
      claims: claimsOf(seen, times, rates, ports),
      tables: [
        {
          title: 'Visits that were answered',
          columns: ['', 'Alice', 'Bob', 'SYNs dropped', 'the others ended with'],
          rows: seen.map(({ setting, served, codes, dropped }) => [
            setting.label,
            served['alice'],
            setting.visitors.includes('bob') ? served['bob'] : '-',
            dropped,
            codes.join(' '),
          ]),
        },
      ],
      why: [
        'The node "door" stands for the server’s rule, which Linux had until 2017 (tcp_tw_recycle); this stack does not have it.',
      ],
    }
  },
})
