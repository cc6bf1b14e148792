// E24 live: our client pipelines to a server on Linux.

import { claimExact, claimTrue, claimWithin, figure } from '../claims.ts'
import { cutAfter, fetchAll, pipelining } from '../experiments/pipelining.ts'
import { defineLive } from '../live.ts'
import { inMs } from '../measure.ts'

interface Values extends Record<string, number> {
  readonly requests: number
  readonly answers: number
  readonly rtt: number
}

/** E24 against Linux. */
export const pipeliningLive = defineLive<Values>(pipelining, {}, async (context, { requests, answers, rtt }) => {
  const worlds = context.linux('server')
  const gets = new Array<string>(requests).fill('GET')
  const least = Math.min(answers, requests - 1)
  const [plain, piped, withPost, cut] = await Promise.all([
    fetchAll(worlds, 'one after another', 1, gets),
    fetchAll(worlds, 'pipelined', 100, gets),
    fetchAll(worlds, 'a POST among them', 100, ['GET', 'GET', 'POST', 'GET', 'GET']),
    cutAfter(worlds, least, requests),
  ])
  const unanswered = Array.from({ length: requests - least }, (_, i) => `/${least + i + 1}`)
  const ends = withPost.fetched.map(({ endedAt }) => endedAt - withPost.fetched[0].startedAt)
  return {
    claims: [
      claimWithin(
        { text: 'One after another each request takes a round trip.', because: 'kept connection', unit: 'round trips' },
        Math.round((10 * plain.totalUs) / rtt) / 10,
        requests,
        requests / 4,
      ),
      claimWithin(
        {
          text: 'Pipelined they take one round trip together.',
          because: `${requests - 1} round trips are saved`,
          unit: 'ms',
          beside: [figure('one after another', inMs(plain.totalUs), 'ms')],
        },
        inMs(piped.totalUs),
        inMs(rtt),
        inMs(rtt) * 0.6,
      ),
      claimExact(
        {
          text: 'A POST waits until all before it are answered, and what comes behind it waits for the POST.',
          because: 'RFC 9112 §9.3.2: not with non-idempotent methods: GET GET | POST | GET GET',
          unit: 'round trips until each was answered',
        },
        ends.map((us) => Math.round(us / rtt)).join(' '),
        '1 1 2 3 3',
      ),
      claimExact(
        {
          text: 'When Linux’s server cuts the connection exactly the unanswered ones are asked again, in their order.',
          because: 'RFC 9112 §9.3.2',
          unit: 'paths',
        },
        cut.repeats.join(' '),
        unanswered.join(' '),
      ),
      claimTrue(
        {
          text: 'All are answered in the end, and what had been answered was asked once.',
          because: 'GET may be repeated; an answer that came need not be',
          beside: [figure('failed', cut.failed.length)],
        },
        cut.failed.length === 0 &&
          [...cut.asked].every(([path, times]) => times === 1 || (times === 2 && unanswered.includes(path))),
      ),
    ],
    why: [
      'The server’s program is the same as in virtual time, on Linux’s sockets: order and timing are those of Linux’s TCP.',
    ],
  }
})
