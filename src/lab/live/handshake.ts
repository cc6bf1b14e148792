// E7 live: our client opens connections to Linux, and Linux to us.

import { claimAtLeast, claimAtMost, claimExact, figure } from '../claims.ts'
import { fetchOnce, handshake, REQUEST, rideOnAck, shareOf } from '../experiments/handshake.ts'
import { roundsNeeded } from '../experiments/slow-start.ts'
import { defineLive } from '../live.ts'
import { inMs, rounded } from '../measure.ts'
import type { PacketRecord } from '../record.ts'

interface Values extends Record<string, number> {
  readonly bytes: number
  readonly rtt: number
}

const MSS = 1448
const HEAD_BYTES = 45
const SIZES = [1_000, 30_000, 100_000]

const textOfThird = (packets: readonly PacketRecord[]): number =>
  packets.filter(({ from }) => from === 'client')[1]?.textBytes ?? -1

/** E7 against Linux. */
export const handshakeLive = defineLive<Values>(handshake, {}, async (context, { bytes, rtt }) => {
  context.sysctl('net/ipv4/tcp_congestion_control', 'reno')
  const [toLinux, fromLinux] = [context.linux('server'), context.linux('client')]
  const small = await fetchOnce(toLinux, 'a small transaction', bytes, rtt, true)
  const [late, early, linux] = await Promise.all([
    rideOnAck(toLinux, 'request after the ACK', false),
    rideOnAck(toLinux, 'request on the ACK', true),
    rideOnAck(fromLinux, 'Linux’s request', true),
  ])
  const sized: Awaited<ReturnType<typeof fetchOnce>>[] = []
  for (const size of SIZES) sized.push(await fetchOnce(toLinux, '', size, rtt, false))
  const rows = sized.map((measured, i) => {
    const expected = 1 / (1 + roundsNeeded(Math.ceil((SIZES[i] + HEAD_BYTES) / MSS), 10))
    return [SIZES[i], rounded(100 * shareOf(measured), 1), rounded(100 * expected, 1)] as const
  })
  const unit = 'bytes of text'
  return {
    claims: [
      claimAtLeast(
        {
          text: 'A small transaction spends about half of its time on opening its connection.',
          because: 'a round trip for the handshake, another for request and answer; real time adds some to both',
          unit: '%',
          beside: [
            figure('handshake', inMs(small.setupUs), 'ms'),
            figure('all', inMs(small.fetched.endedAt - small.fetched.startedAt), 'ms'),
          ],
        },
        rounded(100 * shareOf(small), 1),
        42,
      ),
      claimAtMost(
        {
          text: 'The share is about 1 / (1 + rounds of slow start).',
          because: 'one round trip to open, ceil(log2(n / 10 + 1)) for the answer of Linux',
          unit: 'points off at the worst place',
        },
        Math.max(...rows.map(([, measured, expected]) => Math.abs(measured - expected))),
        10,
      ),
      claimExact(
        {
          text: 'The third packet of our handshake can carry the request, and Linux takes it.',
          because: 'RFC 9293 §3.5: nothing forbids text with the ACK',
          unit,
        },
        textOfThird(early),
        REQUEST.length,
      ),
      claimExact(
        { text: 'Without the request at hand it is bare.', because: 'nothing to carry', unit },
        textOfThird(late),
        0,
      ),
      claimExact(
        {
          text: 'Linux’s own third packet is bare, whatever the program has written meanwhile.',
          because: 'its connect ends before the program may write',
          unit,
        },
        textOfThird(linux),
        0,
      ),
    ],
    tables: [{ title: 'Share of the handshake', columns: ['body bytes', 'measured %', 'expected %'], rows }],
    why: [
      'Linux acknowledges the SYN-ACK at once: a request rides on it only with TCP_DEFER_ACCEPT or Fast Open at the client.',
    ],
  }
})
