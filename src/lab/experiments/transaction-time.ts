// E6: most of a transaction's time is the network. One transaction after another, each with one thing that takes long, and the slices that
// its time is cut into, each with its cause in TCP.

import type { Micros } from '../../base/time.ts'
import { httpConnector } from '../../net/http-connect.ts'
import { claimAtLeast, claimExact, figure } from '../claims.ts'
import type { RunContext, WorldRequest } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { inMs, rounded } from '../measure.ts'
import type { TransactionRecord } from '../record.ts'
import type { Topology } from '../topology.ts'
import type { CauseName } from '../waterfall.ts'
import { type BrowseOptions, bodyOf, browse, serve } from '../web.ts'
import type { World } from '../world.ts'

const MSS = 1448
/** A body that makes so many segments with its head, not all full. */
const segmentsOf = (count: number): number => (count - 1) * MSS

/** One thing that takes long, and how long by arithmetic. */
interface Case {
  readonly name: string
  readonly world?: Partial<WorldRequest>
  readonly bytes?: number
  /** By DNS instead of the names of hosts. */
  readonly isByDns?: boolean
  readonly thinkUs?: Micros
  /** The server writes head and body apart, with Nagle's algorithm on. */
  readonly isApart?: boolean
  readonly browse?: BrowseOptions
  /** Which of several transactions is looked at; they are asked for one after another, or together. */
  readonly nth?: number
  readonly isTogether?: boolean
  /** Milliseconds by cause, in the order in which they come. */
  readonly slices: readonly (readonly [CauseName, number])[]
  readonly because: string
}

/** Nothing but what the case is about takes time. */
const PLAIN = { congestion: 'reno', delayedAckUs: 0, initialWindowSegments: 10 }

interface Times {
  readonly rtt: Micros
  readonly dns: Micros
  readonly think: Micros
  readonly ack: Micros
}

function casesOf({ rtt, dns, think, ack }: Times): Case[] {
  const [trip, half] = [inMs(rtt), inMs(rtt / 2)]
  const opened = ['handshake', trip] as const
  const asked = ['request', half] as const
  const back = ['travel', half] as const
  return [
    { name: 'a small answer', slices: [opened, asked, back], because: 'a round trip to open, one to ask' },
    {
      name: 'the name has to be looked up',
      isByDns: true,
      slices: [['resolve', inMs(dns)], opened, asked, back],
      because: 'a round trip to the DNS server comes first',
    },
    {
      name: 'the server thinks',
      thinkUs: think,
      slices: [opened, asked, ['server', inMs(think)], back],
      because: 'the one slice that is not the network’s',
    },
    {
      name: 'slow start',
      bytes: segmentsOf(7),
      world: { tcp: { ...PLAIN, initialWindowSegments: 1 } },
      slices: [opened, asked, ['slow-start', 2 * trip], back],
      because: '7 segments take log2(7 / 1 + 1) = 3 rounds, two of which are waited for',
    },
    {
      name: 'a kept connection',
      nth: 1,
      slices: [asked, back],
      because: 'no handshake: half of the time of the first one',
    },
    {
      name: 'no connection is free',
      nth: 1,
      isTogether: true,
      browse: { maxPerOrigin: 1 },
      slices: [['wait', 2 * trip], asked, back],
      because: 'it waits until the first one, with its handshake, is over',
    },
    {
      name: 'Nagle and the delayed acknowledgement',
      bytes: 500,
      isApart: true,
      world: { tcp: { ...PLAIN, delayedAck: 'fixed', delayedAckUs: ack, minRtoUs: 2_000_000, tailLossProbe: false } },
      slices: [opened, asked, ['nagle', half], ['nagle-delayed-ack', inMs(ack)], ['nagle', half], back],
      because: 'the body waits for the ACK of the head: one way, its timer, one way back',
    },
    {
      name: 'the receiver has little room',
      bytes: segmentsOf(6),
      world: { tcp: { ...PLAIN, receiveBufferBytes: 2 * MSS, windowScale: false } as WorldRequest['tcp'] },
      slices: [opened, asked, ['peer-window', 2 * trip], back],
      because: 'two segments a round trip: 6 take three rounds',
    },
    {
      name: 'a lost segment',
      world: {
        tcp: { ...PLAIN, tailLossProbe: false, minRtoUs: 1_000_000 },
        faults: ['drop data segment 1 from server'],
      },
      slices: [opened, asked, ['retransmission', trip + Math.max(1000, 2 * trip) + half]],
      because: 'RFC 6298 §2: the round trip, and a second or twice the round trip; then one way',
    },
  ]
}

async function answer(world: World, { bytes = 500, thinkUs = 0, isApart = false }: Case): Promise<void> {
  if (!isApart) {
    const think = async () => {
      if (thinkUs > 0) await world.sleep(thinkUs)
      return { status: 200, body: bodyOf(bytes) }
    }
    await serve(world, 'server', think)
    return
  }
  await world.listen('server', 80, (socket) =>
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`)
      setBody(world, () => socket.write(bodyOf(bytes)))
    }),
  )
}

/** Another turn of the server's program, at the same instant. */
function setBody(world: World, write: () => void): void {
  world.time.schedule(world.now(), write)
}

async function transact(context: RunContext, plan: Case): Promise<TransactionRecord> {
  const { name, nth = 0, isByDns = false, isTogether = false, browse: how = {} } = plan
  const world = context.world({ label: name, tcp: PLAIN, ...plan.world })
  await world.run(async () => {
    await answer(world, plan)
    let connector: BrowseOptions['connector']
    if (isByDns) {
      const zone = { origin: 'lab.example', text: `server A ${world.addressOf('server')}\n` }
      await world.host('dns').dnsServer({ zone })
      const client = world.host('client')
      connector = httpConnector(client, { resolver: client.resolver({ servers: [world.addressOf('dns')] }) })
    }
    const browser = browse(world, 'client', { ...how, ...(connector === undefined ? {} : { connector }) })
    const get = (i: number) => browser.get(`http://${isByDns ? 'server.lab.example' : 'server'}/${i}`)
    if (isTogether) await Promise.all([get(0), get(1)])
    else for (let i = 0; i <= nth; i++) await get(i)
  })
  return world.record().transactions[nth]
}

const inWords = (slices: readonly (readonly [string, number])[]): string =>
  slices.map(([cause, ms]) => `${cause} ${rounded(ms, 3)}`).join(', ')

const slicesOf = ({ slices }: TransactionRecord) =>
  slices.map(({ cause, from, to }) => [cause, inMs(to - from)] as const)

function topologyOf({ rtt, dns }: Pick<Times, 'rtt' | 'dns'>): Topology {
  return {
    hosts: { client: {}, server: {}, dns: {} },
    links: [
      { from: 'client', to: 'server', delay: rtt / 2 },
      { from: 'client', to: 'dns', delay: dns / 2 },
    ],
  }
}

/** E6: where the time of a transaction goes. */
export const transactionTime = defineExperiment({
  id: 'transaction-time',
  fact: 'E6',
  title: 'Where the time of a transaction goes',
  question: 'How much of a transaction is the network, and which part of TCP is each slice of it?',
  read: ['RFC 9293 §3.5, §3.7.4, §3.8.6.3', 'RFC 5681 §3.1', 'RFC 6298 §2', 'RFC 1035 §4.2.1'],
  parameters: {
    rtt: { default: '100ms', unit: 'time', range: ['4ms', '400ms'], doc: 'round trip to the server' },
    dns: { default: '40ms', unit: 'time', range: ['2ms', '400ms'], doc: 'round trip to the DNS server' },
    think: { default: '20ms', unit: 'time', range: ['1ms', '1s'], doc: 'how long the slow server thinks' },
    ack: { default: '200ms', unit: 'time', range: ['50ms', '499ms'], doc: 'how long an acknowledgement is held back' },
  },
  topology: topologyOf,
  figures: ['waterfall', 'ladder'],

  async run(context, times) {
    const cases = casesOf(times)
    const seen: TransactionRecord[] = []
    for (const plan of cases) seen.push(await transact(context, plan))
    const wholeOf = ({ startedAt, endedAt }: TransactionRecord): Micros => endedAt - startedAt
    const sum = (list: TransactionRecord, keep: (cause: string) => boolean): Micros =>
      list.slices.reduce((all, { cause, from, to }) => all + (keep(cause) ? to - from : 0), 0)
    const thinking = seen[cases.findIndex(({ thinkUs }) => thinkUs !== undefined)]
    return {
      claims: [
        claimAtLeast(
          {
            text: 'Most of the time is the network’s, even where the server thinks.',
            because: `two round trips beside ${inMs(times.think)} ms`,
            unit: '% of the time',
            beside: [
              figure('network', inMs(sum(thinking, (cause) => cause !== 'server')), 'ms'),
              figure('server', inMs(sum(thinking, (cause) => cause === 'server')), 'ms'),
            ],
          },
          rounded((100 * sum(thinking, (cause) => cause !== 'server')) / wholeOf(thinking), 1),
          50,
        ),
        ...cases.map(({ name, slices, because }, i) =>
          claimExact(
            { text: `${name[0].toUpperCase()}${name.slice(1)}: each slice has its cause.`, because, unit: 'ms' },
            inWords(slicesOf(seen[i])),
            inWords(slices),
          ),
        ),
        claimExact(
          {
            text: 'The slices of each make up its whole time.',
            because: 'each instant has one cause',
            unit: 'ms over or missing',
          },
          inMs(seen.reduce((off, one) => off + Math.abs(wholeOf(one) - sum(one, () => true)), 0)),
          0,
        ),
      ],
      tables: [
        {
          title: 'Transactions',
          columns: ['', 'ms', 'slices, ms'],
          rows: cases.map(({ name }, i) => [name, inMs(wholeOf(seen[i])), inWords(slicesOf(seen[i]))]),
        },
      ],
    }
  },
})
