// E8 live: our client visits a server on Linux that gives cookies for Fast Open, twice, and once with a cookie that Linux does not know.

import { MILLISECOND } from '../../base/time.ts'
import { claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import { cookieIn, fastOpen, listen, REQUEST, visit } from '../experiments/fast-open.ts'
import { defineLive, type LiveContext } from '../live.ts'
import { inMs } from '../measure.ts'
import type { Claim } from '../types.ts'

interface Values extends Record<string, number> {
  readonly rtt: number
}

/** net.ipv4.tcp_fastopen: client, server, and every listener without asking for it. */
const FOR_ALL = String(0x1 | 0x2 | 0x400)
const REST = 50 * MILLISECOND

async function measure(context: LiveContext, { rtt }: Values) {
  context.sysctl('net/ipv4/tcp_fastopen', FOR_ALL)
  context.sysctl('net/ipv4/tcp_fastopen_key', '11111111-22222222-33333333-44444444')
  const world = context.linux('server').world({ label: 'with Fast Open', tcp: { fastOpen: true } })
  const visits = await world.run(async () => {
    const asked = await listen(world)
    const first = await visit(world, 'first visit', asked, REST)
    const second = await visit(world, 'second visit', asked, REST)
    context.sysctl('net/ipv4/tcp_fastopen_key', '55555555-66666666-77777777-88888888')
    const stale = await visit(world, 'Linux has a new key', asked, REST)
    return { first, second, stale, mended: await visit(world, 'after that', asked, REST) }
  })
  const { first, second, stale, mended } = visits
  const late = inMs(rtt) / 2
  return { rtt, visits, first, second, stale, mended, late }
}

/** What was measured, put to the test. */
function claimsOf({ rtt, visits, first, second, stale, mended, late }: Awaited<ReturnType<typeof measure>>): Claim[] {
  const unit = 'ms'
  return [
    claimWithin(
      {
        text: 'The first visit takes two round trips; its SYN asks for a cookie.',
        because: 'RFC 7413 §4.1.3',
        unit,
        beside: [figure('cookie in the SYN', cookieIn(first.syn))],
      },
      inMs(first.tookUs),
      inMs(2 * rtt),
      late,
    ),
    claimWithin(
      { text: 'The second takes one: Linux takes the text of the SYN.', because: 'RFC 7413 §4.2', unit },
      inMs(second.tookUs),
      inMs(rtt),
      late,
    ),
    claimExact(
      {
        text: 'Its SYN carries the whole request, and the cookie.',
        because: 'RFC 7413 §4.1.1',
        unit: 'bytes of text',
        beside: [figure('cookie', cookieIn(second.syn))],
      },
      cookieIn(second.syn).length === 16 ? second.syn.textBytes : -1,
      REQUEST.length,
    ),
    claimTrue(
      {
        text: 'A cookie that Linux does not know costs a handshake; the one that comes with the refusal is good.',
        because: 'RFC 7413 §4.2.1, §4.2.2',
        beside: [
          figure('with the old cookie', inMs(stale.tookUs), unit),
          figure('with the new one', inMs(mended.tookUs), unit),
        ],
      },
      stale.tookUs > 1.5 * rtt && mended.tookUs < 1.5 * rtt && cookieIn(mended.syn) !== cookieIn(stale.syn),
    ),
    claimExact(
      { text: 'Linux’s program gets each request once.', because: 'what was not taken goes again', unit: 'times' },
      Object.values(visits)
        .map(({ asked }) => asked)
        .join(' '),
      '1 1 1 1',
    ),
  ]
}

/** E8 against Linux. */
export const fastOpenLive = defineLive<Values>(fastOpen, {}, async (context, values) => {
  const measured = await measure(context, values)
  const { visits } = measured
  return {
    claims: claimsOf(measured),
    tables: [
      {
        title: 'Visits',
        columns: ['visit', 'until the answer, ms', 'cookie in the SYN', 'text in the SYN, bytes', 'text again'],
        rows: Object.values(visits).map(({ name, tookUs, syn, again }) => [
          name,
          inMs(tookUs),
          cookieIn(syn),
          syn.textBytes,
          again,
        ]),
      },
    ],
    why: [
      'Linux gives cookies only to listeners that ask for it (TCP_FASTOPEN), or to all with tcp_fastopen 0x400, as here.',
    ],
  }
})
