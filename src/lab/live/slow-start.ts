// E10 live: slow start of both stacks, counted in rounds.

import { claimAtLeast, claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import { fetchTwice, roundsNeeded, sizesOfRounds, slowStart, UNHINDERED } from '../experiments/slow-start.ts'
import { defineLive } from '../live.ts'
import { inMs } from '../measure.ts'
import type { Claim } from '../types.ts'

interface Values extends Record<string, number | string> {
  readonly segments: number
  readonly iw: number
  readonly rtt: number
  readonly congestion: string
}

/** Linux's initial window (RFC 6928). */
const LINUX_IW = 10

function claimsOf(who: string, sizes: readonly number[], segments: number, iw: number): Claim[] {
  const beside = [figure('packets a round', sizes.join(' '))]
  return [
    claimWithin(
      {
        text: `${segments} segments of ${who} take ceil(log2(n / IW + 1)) rounds, or one more or less.`,
        because: `RFC 5681 §3.1, with an initial window of ${iw}`,
        unit: 'rounds',
        beside,
      },
      sizes.length,
      roundsNeeded(segments, iw),
      1,
    ),
    claimTrue(
      {
        text: `The first round of ${who} is the initial window, and no round is more than twice the one before.`,
        because: 'RFC 5681 §3.1: at most one segment more for each one acknowledged',
        beside,
      },
      sizes[0] === Math.min(iw, segments) && sizes.every((n, i) => i === 0 || n <= 2 * sizes[i - 1] + 1),
    ),
  ]
}

/** E10 against Linux. */
export const slowStartLive = defineLive<Values>(slowStart, {}, async (context, { segments, iw, rtt, congestion }) => {
  context.sysctl('net/ipv4/tcp_congestion_control', 'reno')
  const tcp = { ...UNHINDERED, initialWindowSegments: iw, congestion }
  const toLinux = context.linux('client').world({ label: `our server, initial window ${iw}`, tcp })
  const fromLinux = context.linux('server').world({ label: 'Linux as the server', tcp })
  const [ours, linux] = await Promise.all([fetchTwice(toLinux, segments), fetchTwice(fromLinux, segments)])
  const sizes = sizesOfRounds(toLinux, ours.first, rtt)
  const saved = ours.first.endedAt - ours.first.startedAt - (ours.second.endedAt - ours.second.startedAt)
  return {
    claims: [
      ...claimsOf('ours', sizes, segments, iw),
      ...claimsOf('Linux’s', sizesOfRounds(fromLinux, linux.first, rtt), segments, LINUX_IW),
      claimAtLeast(
        {
          text: 'The second answer over the same connection needs no handshake and fewer rounds.',
          because: 'the window stays open: a round trip at least for the handshake, and most of the rounds',
          unit: 'ms saved',
          beside: [
            figure('first', inMs(ours.first.endedAt - ours.first.startedAt), 'ms'),
            figure('second', inMs(ours.second.endedAt - ours.second.startedAt), 'ms'),
          ],
        },
        inMs(saved),
        inMs(rtt * Math.max(1, sizes.length - 1)) * 0.9,
      ),
      claimExact(
        { text: 'Nothing was lost on the way.', because: 'a line without a queue', unit: 'segments sent again' },
        [toLinux, fromLinux].flatMap((world) => world.record().packets.filter(({ isAgain }) => isAgain)).length,
        0,
      ),
    ],
    why: [
      'Linux begins with 10 segments (RFC 6928); its congestion control is set to reno here, so that both double by the same rule.',
      'Linux may merge acknowledgements: a window then opens by fewer segments than were acknowledged.',
    ],
  }
})
