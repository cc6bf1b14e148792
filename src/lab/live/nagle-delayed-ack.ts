// E12 live: Linux's Nagle against our delayed acknowledgements, and our Nagle against Linux's.

import type { Micros } from '../../base/time.ts'
import { claimAtLeast, claimWithin, figure } from '../claims.ts'
import { ANSWER, ask, BODY, HEAD, nagleDelayedAck, WAYS, type Way } from '../experiments/nagle-delayed-ack.ts'
import { defineLive, type LiveWorlds } from '../live.ts'
import { inMs, quantile } from '../measure.ts'

interface Values extends Record<string, number> {
  readonly rtt: number
  readonly ack: number
}

/** From the second on Linux takes the connection for an interactive one, and holds acknowledgements back. */
const REQUESTS = 6

/** Requests to Linux over one connection; how long the first of them took, and the later ones at the median. */
async function askLinux(
  worlds: LiveWorlds,
  { label, noDelay, isOneWrite }: Way,
): Promise<{ first: Micros; later: Micros }> {
  const world = worlds.world({ label: `ours: ${label}`, tcp: { nagleVariant: 'rfc' } })
  return world.run(async () => {
    let come = 0
    const listener = (socket: Parameters<Parameters<typeof world.listen>[2]>[0]): unknown =>
      socket.on('data', (chunk: Uint8Array) => {
        come += chunk.length
        if (come % (HEAD.length + BODY.length) === 0) socket.write(ANSWER)
      })
    await world.listen('server', 80, listener, { noDelay: true })
    const socket = await world.connect('client', 'server', 80, { noDelay })
    const times: Micros[] = []
    for (let i = 0; i < REQUESTS; i++) {
      const from = world.now()
      const answered = new Promise<void>((resolve) => socket.once('data', () => resolve()))
      if (isOneWrite) socket.write(new Uint8Array([...HEAD, ...BODY]))
      else {
        socket.write(HEAD)
        await world.sleep(1000)
        socket.write(BODY)
      }
      await answered
      times.push(world.now() - from)
    }
    return { first: times[0], later: quantile(times.slice(1), 0.5) }
  })
}

/** E12 against Linux. */
export const nagleDelayedAckLive = defineLive<Values>(nagleDelayedAck, {}, async (context, { rtt, ack }) => {
  const [fromLinux, toLinux] = [context.linux('client'), context.linux('server')]
  const [linux, ours] = await Promise.all([
    Promise.all(WAYS.map(async (way) => (await ask(fromLinux, way, ack)).tookUs)),
    Promise.all(WAYS.map((way) => askLinux(toLinux, way))),
  ])
  const [stalled, undelayed, joined] = linux
  const unit = 'ms'
  const late = 50
  return {
    claims: [
      claimWithin(
        {
          text: 'Linux writes head and body apart: the body waits a round trip and our whole timer.',
          because: 'Linux’s Nagle holds the body for the ACK of the head, and we hold that ACK',
          unit,
        },
        inMs(stalled),
        inMs(2 * rtt + ack),
        late,
      ),
      claimWithin(
        { text: 'With TCP_NODELAY at Linux the stall is gone.', because: 'the body goes as it is written', unit },
        inMs(undelayed),
        inMs(rtt + 1000),
        late,
      ),
      claimWithin(
        { text: 'With one write it is gone too.', because: 'one segment', unit },
        inMs(joined),
        inMs(rtt),
        late,
      ),
      claimAtLeast(
        {
          text: 'The other way round we stall as well, for Linux’s timer, once Linux takes the connection for an interactive one.',
          because: 'TCP_ATO_MIN is 40 ms, and the hold of the body costs a round trip',
          unit,
          beside: [
            figure('apart', inMs(ours[0].later), unit),
            figure('with TCP_NODELAY', inMs(ours[1].later), unit),
            figure('the first request of the connection, apart', inMs(ours[0].first), unit),
          ],
        },
        inMs(ours[0].later - ours[2].later),
        inMs(rtt) + 30,
      ),
      claimWithin(
        { text: 'TCP_NODELAY at our end ends that too.', because: 'nothing waits', unit },
        inMs(ours[1].later),
        inMs(rtt + 1000),
        late,
      ),
    ],
    tables: [
      {
        title: 'Three ways to write the same request, until the answer, ms',
        columns: ['', 'Linux asks us', 'we ask Linux, first', 'later'],
        rows: WAYS.map(({ label }, i) => [label, inMs(linux[i]), inMs(ours[i].first), inMs(ours[i].later)]),
      },
    ],
    why: [
      'Linux acknowledges the head of the first request at once, so the stall begins with the second one; then it is 40 ms instead of 200.',
    ],
  }
})
