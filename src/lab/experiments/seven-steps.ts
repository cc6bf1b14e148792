// E1: the seven steps of a fetch: host name, DNS, port, connect, request, response, close, each with its time and the packets under it.

import type { Micros } from '../../base/time.ts'
import { httpConnector } from '../../net/http-connect.ts'
import { claimExact, claimTrue, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import { inMs } from '../measure.ts'
import { MSS, PLAIN_TCP, roundsFor } from '../page-load.ts'
import type { PacketRecord, WorldRecord } from '../record.ts'
import type { Claim, Table } from '../types.ts'
import { bodyOf, browse, type Fetched, serve } from '../web.ts'

const URL_TEXT = 'http://www.hardware.example/tools.html'
const ADDRESS_RECORDS = 2 // A and AAAA are asked for at once (RFC 8305 §3)

/** A step: it ends where the next one begins. */
interface Step {
  readonly name: string
  readonly what: string
  readonly from: Micros
  readonly to: Micros
  readonly packets: readonly PacketRecord[]
}

/** What the steps are cut from. */
interface Seen {
  readonly fetched: Fetched
  readonly record: WorldRecord
  readonly address: string
}

const instantOf = ({ sentAt, receivedAt }: PacketRecord): Micros => (sentAt < 0 ? receivedAt : sentAt)

/** When both ends knew that the connection was over: the last packet has arrived. */
const overAt = ({ packets }: WorldRecord): Micros => Math.max(...packets.map(({ receivedAt }) => receivedAt))

/** Which step a packet is of, by what it is. */
function stepOf({ connection, flags, textBytes, from, ack }: PacketRecord, finAt: Micros, at: Micros): string {
  if (connection < 0) return 'DNS'
  if ((flags & 0x02) !== 0) return 'connect'
  if (at >= finAt && textBytes === 0) return 'close'
  if (from === 'client' && textBytes > 0) return 'request'
  if (from === 'client' && ack === 1) return 'connect' // the handshake's third
  return 'response'
}

function stepsOf({ fetched, record, address }: Seen): Step[] {
  const { startedAt, endedAt, sentAt, use } = fetched
  if (use === null) throw new Error('the answer came over no connection')
  const { lookupEndAt, connectEndAt, remotePort } = use.dial
  const request = record.packets.find(({ http }) => http.startsWith('GET '))
  const finAt = record.packets.find(({ flags }) => (flags & 0x01) !== 0)?.sentAt ?? Number.POSITIVE_INFINITY
  const packetsOf = (name: string): PacketRecord[] =>
    record.packets.filter((packet) => stepOf(packet, finAt, instantOf(packet)) === name)
  const { host, pathname } = new URL(URL_TEXT)
  const times = [
    ['host name', `${host}, from the URL`, startedAt, startedAt],
    ['DNS', `${host} is ${address}`, startedAt, lookupEndAt],
    ['port', `${remotePort}, as the URL names none`, lookupEndAt, lookupEndAt],
    ['connect', `to ${address}:${remotePort}`, lookupEndAt, connectEndAt],
    ['request', `GET ${pathname}`, connectEndAt, request?.receivedAt ?? sentAt],
    ['response', `${fetched.status}, ${fetched.bytes} bytes`, request?.receivedAt ?? sentAt, endedAt],
    ['close', 'FIN both ways', endedAt, overAt(record)],
  ] as const
  return times.map(([name, what, from, to]) => ({ name, what, from, to, packets: packetsOf(name) }))
}

/** What paper says of a step: its time, and its packets when they can be counted beforehand. */
interface Plan {
  readonly name: string
  readonly us: Micros
  readonly because: string
}

function plansOf(rtt: Micros, dns: Micros, bytes: number): Plan[] {
  const rounds = roundsFor(bytes)
  return [
    { name: 'host name', us: 0, because: 'it is in the URL' },
    { name: 'DNS', us: dns, because: 'a round trip to the DNS server' },
    { name: 'port', us: 0, because: 'RFC 9110 §4.2.1: 80 unless it is given' },
    { name: 'connect', us: rtt, because: 'a round trip (RFC 9293 §3.5)' },
    { name: 'request', us: rtt / 2, because: 'one way' },
    { name: 'response', us: rtt / 2 + (rounds - 1) * rtt, because: `${rounds} rounds of slow start, the last one way` },
    { name: 'close', us: rtt, because: 'our FIN goes with the ACK of the server’s, and is acknowledged' },
  ]
}

function claimsOf(steps: readonly Step[], plans: readonly Plan[], seen: Seen, bytes: number): Claim[] {
  const { packets } = seen.record
  const placed = steps.reduce((sum, step) => sum + step.packets.length, 0)
  const count = (name: string): number => steps.find((step) => step.name === name)?.packets.length ?? 0
  const segments = steps.find(({ name }) => name === 'response')?.packets.filter((p) => p.textBytes > 0) ?? []
  const text = segments.reduce((sum, { textBytes, isAgain }) => sum + (isAgain ? 0 : textBytes), 0)
  return [
    claimExact(
      {
        text: 'A fetch is seven steps, in this order.',
        because: 'what each needs is what the one before has found',
        unit: 'ms at which each begins',
      },
      steps.map(({ from }) => inMs(from)).join(' '),
      plans.map((_, i) => inMs(plans.slice(0, i).reduce((sum, { us }) => sum + us, 0))).join(' '),
    ),
    ...plans.map(({ name, us, because }) => {
      const { from, to } = steps.find((step) => step.name === name) as Step
      return claimExact(
        { text: `The step '${name}' takes ${inMs(us)} ms.`, because, unit: 'ms' },
        inMs(to - from),
        inMs(us),
      )
    }),
    claimExact(
      {
        text: 'DNS asks for both families at once; the handshake is three packets, the request one.',
        because: 'RFC 8305 §3; RFC 9293 §3.5; it fits a segment',
        unit: 'packets',
      },
      `${count('DNS')}, ${count('connect')}, ${count('request')}`,
      `${2 * ADDRESS_RECORDS}, 3, 1`,
    ),
    claimTrue(
      {
        text: 'The response is cut into as few segments as it can be, and every packet is of one of the steps.',
        because: `ceil(n / ${MSS})`,
        beside: [
          figure('bytes, head included', text),
          figure('segments', segments.length),
          figure('packets in steps', placed),
          figure('packets', packets.length),
        ],
      },
      text > bytes && segments.length === Math.ceil(text / MSS) && placed === packets.length,
    ),
  ]
}

function tablesOf(steps: readonly Step[]): Table[] {
  return [
    {
      title: 'The seven steps',
      columns: ['', 'step', 'what', 'from, ms', 'takes, ms', 'packets'],
      rows: steps.map(({ name, what, from, to, packets }, i) => [
        `${i + 1}`,
        name,
        what,
        inMs(from),
        inMs(to - from),
        packets.length,
      ]),
    },
    {
      title: 'The packets under them',
      columns: ['step', 'sent, ms', 'there, ms', 'from', 'to', 'packet'],
      rows: steps.flatMap(({ name, packets }) =>
        packets.map(({ sentAt, receivedAt, from, to, line, http }) => [
          name,
          inMs(sentAt),
          inMs(receivedAt),
          from,
          to,
          http === '' ? line.replace(/, options \[[^\]]*\]/, '') : http,
        ]),
      ),
    },
  ]
}

/** E1: one fetch, step by step. */
export const sevenSteps = defineExperiment({
  id: 'seven-steps',
  fact: 'E1',
  title: 'The seven steps of a fetch',
  question: 'What does a browser do from a URL to a page, how long does each step take, and which packets is it?',
  read: ['RFC 9110 §4.2.1, §7.1', 'RFC 1035 §4.1', 'RFC 9293 §3.5, §3.6', 'RFC 9112 §9.6'],
  parameters: {
    rtt: { default: '100ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip to the web server' },
    dns: { default: '30ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip to the DNS server' },
    bytes: { default: '20000', unit: 'bytes', range: ['100', '200000'], doc: 'of the page' },
  },
  topology: ({ rtt, dns }) => ({
    hosts: { client: {}, dns: {}, server: {} },
    links: [
      { from: 'client', to: 'dns', delay: dns / 2 },
      { from: 'client', to: 'server', delay: rtt / 2 },
    ],
  }),
  figures: ['waterfall', 'ladder'],

  async run(context, { rtt, dns, bytes }) {
    const world = context.world({ label: 'one fetch', tcp: PLAIN_TCP })
    const address = world.addressOf('server')
    const fetched = await world.run(async () => {
      await serve(world, 'server', () => ({ status: 200, body: bodyOf(bytes) }))
      await world.host('dns').dnsServer({ zone: { origin: 'hardware.example', text: `www A ${address}\n` } })
      const client = world.host('client')
      const resolver = client.resolver({ servers: [world.addressOf('dns')] })
      const browser = browse(world, 'client', { keepAlive: false, connector: httpConnector(client, { resolver }) })
      const answer = await browser.get(URL_TEXT)
      await world.sleep(2 * rtt) // for the close
      return answer
    })
    const seen: Seen = { fetched, record: world.record(), address }
    const steps = stepsOf(seen)
    return { claims: claimsOf(steps, plansOf(rtt, dns, bytes), seen, bytes), tables: tablesOf(steps) }
  },
})
