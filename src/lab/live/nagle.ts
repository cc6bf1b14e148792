// E11 live: Nagle's algorithm of both stacks, ours towards Linux and Linux's towards us.

import { claimAtMost, claimNear, figure } from '../claims.ts'
import { expectedByNagle, nagle, type } from '../experiments/nagle.ts'
import { defineLive } from '../live.ts'
import { inMs } from '../measure.ts'

interface Values extends Record<string, number> {
  readonly writes: number
  readonly every: number
  readonly rtt: number
}

/** E11 against Linux. */
export const nagleLive = defineLive<Values>(nagle, {}, async (context, { writes, every, rtt }) => {
  const [toLinux, fromLinux] = [context.linux('server'), context.linux('client')]
  const [ours, ourOff, linux, linuxOff] = await Promise.all([
    type(toLinux, 'our Nagle', false, writes, every),
    type(toLinux, 'our TCP_NODELAY', true, writes, every),
    type(fromLinux, 'Linux’s Nagle', false, writes, every),
    type(fromLinux, 'Linux’s TCP_NODELAY', true, writes, every),
  ])
  const expected = expectedByNagle(writes, every, rtt)
  const unit = 'packets'
  const because = 'RFC 9293 §3.7.4: a small segment waits while anything is unacknowledged'
  return {
    claims: [
      claimAtMost(
        {
          text: 'Our Nagle sends no more packets than round trips pass.',
          because: `${because}; an acknowledgement that Linux delays makes fewer`,
          unit,
          beside: [figure('in virtual time', expected.packets, unit), figure('took', inMs(ours.tookUs), 'ms')],
        },
        ours.packets,
        Math.floor(ours.tookUs / rtt) + 1,
      ),
      claimAtMost(
        {
          text: 'Nor does Linux’s.',
          because,
          unit,
          beside: [figure('in virtual time', expected.packets, unit), figure('took', inMs(linux.tookUs), 'ms')],
        },
        linux.packets,
        Math.floor(linux.tookUs / rtt) + 1,
      ),
      claimNear(
        { text: 'With TCP_NODELAY each write of ours is a packet.', because: 'RFC 9293 §3.7.4 [MUST-17]', unit },
        ourOff.packets,
        writes,
        0.1,
      ),
      claimNear(
        { text: 'And each of Linux’s.', because: 'RFC 9293 §3.7.4 [MUST-17]', unit },
        linuxOff.packets,
        writes,
        0.1,
      ),
    ],
    why: [
      'Linux acknowledges the first segments of a connection at once (16 of them); later it waits up to 40 ms for company.',
      'Linux has Minshall’s variant of Nagle: a small segment waits only for one that was small too. For single bytes it is the same.',
    ],
  }
})
