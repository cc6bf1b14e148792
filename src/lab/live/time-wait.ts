// E13 live: TIME-WAIT of both stacks, and an old segment that comes back to Linux.

import { MILLISECOND } from '../../base/time.ts'
import { claimAtLeast, claimExact, claimWithin } from '../claims.ts'
import { NEW_BYTES, reuse, timeWait } from '../experiments/time-wait.ts'
import { defineLive, type LiveContext, type LiveWorlds } from '../live.ts'
import { inMs } from '../measure.ts'
import type { WorldRecord } from '../record.ts'
import type { Claim } from '../types.ts'

interface Values extends Record<string, number> {
  readonly msl: number
}

const PORT = 40_001
/** When an old segment comes back to Linux, which has closed first. */
const LATER = 300 * MILLISECOND

/** Linux's client closes first, opens again from the same port, and an old segment of ours comes to it. */
async function linuxWaits(
  worlds: LiveWorlds,
  timestamps: boolean,
): Promise<{ again: string; answers: number; record: WorldRecord }> {
  const faults = [`duplicate data segment 1 from server after ${LATER / MILLISECOND}ms`]
  const world = worlds.world({
    label: `Linux in TIME-WAIT, ${timestamps ? 'with' : 'without'} timestamps`,
    tcp: { timestamps },
    faults,
  })
  const again = await world.run(async () => {
    await world.listen('server', 80, (socket) => socket.once('data', () => socket.write('answer')))
    const socket = await world.connect('client', 'server', 80, { localPort: PORT })
    const over = new Promise((resolve) => socket.once('close', resolve))
    socket.once('data', () => socket.end())
    socket.write('?')
    await over
    const outcome = await world.connect('client', 'server', 80, { localPort: PORT }).then(
      () => 'open',
      (error: { code?: string }) => error.code ?? 'an error',
    )
    await world.sleep(2 * LATER)
    return outcome
  })
  const record = world.record()
  const old = record.packets.findLast(({ fate }) => fate !== '')
  const answers = record.packets.filter(
    (p) => p.from === 'client' && old !== undefined && p.sentAt > old.sentAt + LATER,
  )
  return { again, answers: answers.length, record }
}

async function measure(context: LiveContext, { msl }: Values) {
  context.sysctl('net/ipv4/tcp_tw_reuse', '0')
  const [toLinux, fromLinux] = [context.linux('server'), context.linux('client')]
  const [without, kept, linux, stamped] = await Promise.all([
    reuse(toLinux, { label: 'without TIME-WAIT', mslUs: 0, timestamps: false }),
    reuse(toLinux, { label: 'with TIME-WAIT', mslUs: msl, timestamps: false }),
    linuxWaits(fromLinux, false),
    linuxWaits(fromLinux, true),
  ])
  return { msl, without, kept, linux, stamped }
}

/** What was measured, put to the test. */
function claimsOf({ msl, without, kept, linux, stamped }: Awaited<ReturnType<typeof measure>>): Claim[] {
  const unit = 'bytes'
  return [
    claimExact(
      {
        text: 'Linux closed first: it does not use the same four values again yet.',
        because: 'RFC 9293 §3.6.1 [MUST-13]',
      },
      linux.again,
      'EADDRNOTAVAIL',
    ),
    claimExact(
      {
        text: 'Linux does otherwise with timestamps: a program that names the port itself gets it at once.',
        because: 'RFC 6191 §2: what is older tells itself apart by its timestamp',
      },
      stamped.again,
      'open',
    ),
    claimAtLeast(
      {
        text: 'An old segment that comes meanwhile is answered with an acknowledgement, and given to nobody.',
        because: 'RFC 9293 §3.10.7.4: TIME-WAIT answers what is not acceptable',
        unit: 'answers',
      },
      linux.answers,
      1,
    ),
    claimExact(
      { text: 'We closed first: nor do we.', because: 'RFC 9293 §3.6.1 [MUST-13]: linger for 2 MSL' },
      kept.again,
      'EADDRINUSE',
    ),
    claimWithin(
      { text: 'Our TIME-WAIT lasts for twice the maximum segment lifetime.', because: '2 MSL', unit: 'ms' },
      inMs(kept.waitedUs),
      inMs(2 * msl),
      60,
    ),
    claimExact(
      { text: 'After that the new connection gets its own text and nothing else.', because: '2 MSL', unit },
      `${kept.oldBytes} old, ${kept.newBytes} new`,
      `0 old, ${NEW_BYTES} new`,
    ),
    claimExact(
      {
        text: 'Linux does otherwise without TIME-WAIT: it refuses the old segment, where our stack in virtual time takes it.',
        because:
          'RFC 5961 §5.2: its acknowledgement is too old, because Linux’s initial sequence numbers go on by 15.6 million a second',
        unit,
      },
      `${without.oldBytes} old, ${without.newBytes} new`,
      `0 old, ${NEW_BYTES} new`,
    ),
  ]
}

/** E13 against Linux. */
export const timeWaitLive = defineLive<Values>(
  timeWait,
  { msl: { default: '1s', range: ['500ms', '5s'] } },
  async (context, values) => {
    const measured = await measure(context, values)
    const { without, kept } = measured
    return {
      claims: claimsOf(measured),
      tables: [
        {
          title: 'What the new connection’s program got',
          columns: ['', 'opening again after 0.6 s', 'old bytes', 'new bytes'],
          rows: [
            ['without TIME-WAIT, to Linux', without.again, without.oldBytes, without.newBytes],
            ['with TIME-WAIT, to Linux', kept.again, kept.oldBytes, kept.newBytes],
          ],
        },
      ],
      why: [
        'Linux’s TIME-WAIT lasts 60 s, whatever the settings: tcp_fin_timeout is about FIN-WAIT-2.',
        'With tcp_tw_reuse and timestamps Linux uses such a port by itself after a second.',
      ],
    }
  },
)
