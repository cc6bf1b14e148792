// E8: TCP Fast Open. The first visit brings home a cookie, the next one sends its request with the SYN and saves a round trip; whatever
// the server does not take goes again after an ordinary handshake.

import { type Micros, SECOND } from '../../base/time.ts'
import { claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { LabWorld } from '../live.ts'
import { inMs } from '../measure.ts'
import type { PacketRecord } from '../record.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'

/** The request of a visit. */
export const REQUEST = new TextEncoder().encode('GET / HTTP/1.1\r\nHost: server\r\n\r\n')
const ANSWER = new TextEncoder().encode('HTTP/1.1 204 No Content\r\n\r\n')

/** One visit: opens, writes the request at once, reads the answer. */
export interface Visit {
  readonly name: string
  readonly tookUs: Micros
  /** The client's first SYN, and whether it had to go again. */
  readonly syn: PacketRecord
  readonly syns: number
  /** Text that the client sent after it had gone with a SYN. */
  readonly again: number
  /** How often the server's application had the request. */
  readonly asked: number
}

/** 'none', 'asked for' or the cookie in hexadecimal. */
export function cookieIn({ line }: PacketRecord): string {
  const [, cookie] = /tfo cookie ([0-9a-f]+)/.exec(line) ?? []
  return cookie ?? (line.includes('tfo cookiereq') ? 'asked for' : 'none')
}

/** @param restUs how long it is quiet after the visit */
export async function visit(world: LabWorld, name: string, asked: () => number, restUs = SECOND): Promise<Visit> {
  const before = world.record().packets.length
  const askedBefore = asked()
  const from = world.now()
  const socket = world.open('client', 'server', 80, { noDelay: true, tcp: { fastOpen: true } })
  const answered = new Promise<void>((resolve) => socket.once('data', () => resolve()))
  socket.write(REQUEST)
  await answered
  const tookUs = world.now() - from
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.end()
  await closed
  await world.sleep(restUs)
  const packets = world.record().packets.slice(before)
  const own = packets.filter((p) => p.from === 'client')
  const syns = own.filter(({ flags }) => (flags & 0x02) !== 0)
  const again = own.filter(({ isAgain, textBytes }) => isAgain && textBytes > 0).length
  return { name, tookUs, syn: syns[0], syns: syns.length, again, asked: asked() - askedBefore }
}

/** A server that counts requests. */
export async function listen(world: LabWorld): Promise<() => number> {
  let asked = 0
  await world.listen(
    'server',
    80,
    (socket) => {
      socket.on('data', () => {
        asked++
        socket.write(ANSWER)
      })
    },
    { noDelay: true },
  )
  return () => asked
}

type Visits = Readonly<Record<'plain' | 'first' | 'second' | 'stale' | 'mended' | 'lost', Visit>>

/** What happens when the server does not take the text. */
function refusals({ plain, first, second, stale, mended, lost }: Visits, rtt: number): Claim[] {
  const unit = 'ms'
  return [
    claimWithin(
      {
        text: 'A cookie that the server does not know costs what a handshake costs, and no more.',
        because: 'RFC 7413 §4.2.1: the server acknowledges the SYN alone, and the text goes again at once',
        unit,
        beside: [figure('text sent again', stale.again, 'segments')],
      },
      inMs(stale.tookUs),
      inMs(2 * rtt),
      0.01,
    ),
    claimTrue(
      {
        text: 'With the refusal comes a new cookie, and the visit after it is fast again.',
        because: 'RFC 7413 §4.2.2',
        beside: [
          figure('refused', cookieIn(stale.syn)),
          figure('then', cookieIn(mended.syn)),
          figure('took', inMs(mended.tookUs), unit),
        ],
      },
      cookieIn(mended.syn) !== cookieIn(stale.syn) && Math.abs(mended.tookUs - rtt) <= 10 && stale.again === 1,
    ),
    claimTrue(
      {
        text: 'Where such SYNs get lost an ordinary one follows, after a second, without cookie and text.',
        because: 'RFC 7413 §4.2.1, §7.1; RFC 6298 §2: the first timeout is a second',
        beside: [figure('took', inMs(lost.tookUs), unit), figure('SYNs', lost.syns)],
      },
      lost.syns === 2 && Math.abs(lost.tookUs - 2 * rtt - 1_000_000) <= 10,
    ),
    claimExact(
      {
        text: 'The server’s application gets each request once, whatever became of the SYN.',
        because: 'what was taken is acknowledged, what was not goes again',
        unit: 'times',
      },
      [plain, first, second, stale, mended, lost].map(({ asked }) => asked).join(' '),
      '1 1 1 1 1 1',
    ),
  ]
}

function claimsOf(visits: Visits, rtt: number): Claim[] {
  const { plain, first, second } = visits
  const unit = 'ms'
  return [
    claimWithin(
      {
        text: 'The first visit takes two round trips, as without Fast Open: its SYN asks for a cookie.',
        because: 'RFC 7413 §4.1.3: a SYN, then the request',
        unit,
        beside: [
          figure('cookie in the SYN', cookieIn(first.syn)),
          figure('without Fast Open', inMs(plain.tookUs), unit),
        ],
      },
      inMs(first.tookUs),
      inMs(2 * rtt),
      0.01,
    ),
    claimWithin(
      {
        text: 'The second takes one.',
        because: 'RFC 7413 §4.2: the request goes with the SYN, the answer follows the SYN,ACK',
        unit,
      },
      inMs(second.tookUs),
      inMs(rtt),
      0.01,
    ),
    claimExact(
      {
        text: 'Its SYN carries the whole request, and a cookie.',
        because: 'RFC 7413 §4.1.1',
        unit: 'bytes of text',
        beside: [figure('cookie', cookieIn(second.syn)), figure('text sent again', second.again, 'segments')],
      },
      cookieIn(second.syn).length === 16 ? second.syn.textBytes : -1,
      REQUEST.length,
    ),
    ...refusals(visits, rtt),
  ]
}

/** E8: text in the SYN. */
export const fastOpen = defineExperiment({
  id: 'fast-open',
  fact: 'E8',
  title: 'TCP Fast Open saves a round trip on the second visit',
  question: 'What does a request that goes with the SYN save, and what happens when the server does not take it?',
  read: ['RFC 7413 §4.1, §4.2, §7.1', 'RFC 9293 §3.5'],
  parameters: { rtt: { default: '100ms', unit: 'time', range: ['2ms', '500ms'], doc: 'round trip' } },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['ladder', 'time-sequence'],

  async run(context, { rtt }) {
    const without = context.world({ label: 'without Fast Open' })
    const plain = await without.run(async () => visit(without, 'without Fast Open', await listen(without)))
    const tcp = { fastOpen: true }
    const world = context.world({ label: 'with Fast Open', tcp })
    const { first, second, stale, mended } = await world.run(async () => {
      const asked = await listen(world)
      const first = await visit(world, 'first visit', asked)
      const second = await visit(world, 'second visit', asked)
      // Twice: the key before the present one is still known.
      const { maker } = world.host('server').stack.tcp.fastOpen
      maker.rotate()
      maker.rotate()
      const stale = await visit(world, 'the server has new keys', asked)
      return { first, second, stale, mended: await visit(world, 'after that', asked) }
    })
    const far = context.world({ label: 'SYNs with text get lost', tcp, faults: ['drop SYN 2 from client'] })
    const lost = await far.run(async () => {
      const asked = await listen(far)
      await visit(far, 'first visit', asked)
      return visit(far, 'its SYN is lost', asked)
    })
    const visits = { plain, first, second, stale, mended, lost }
    return {
      claims: claimsOf(visits, rtt),
      tables: [
        {
          title: 'Visits',
          columns: [
            'visit',
            'until the answer, ms',
            'cookie in the SYN',
            'text in the SYN, bytes',
            'SYNs',
            'text again',
          ],
          rows: Object.values(visits).map(({ name, tookUs, syn, syns, again }) => [
            name,
            inMs(tookUs),
            cookieIn(syn),
            syn.textBytes,
            syns,
            again,
          ]),
        },
      ],
    }
  },
})
