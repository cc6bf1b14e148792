// E30: a graceful close. Close the output, go on reading until the peer's end, look from time to time, and force it after a while.

import { type Micros, SECOND } from '../../base/time.ts'
import { claimExact, claimWithin, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { LabSocket, LabWorld, Worlds } from '../live.ts'
import { inMs } from '../measure.ts'
import type { Claim } from '../types.ts'

/** Bytes that each side has to say. */
export const OURS = 300_000
/** The same of the other side. */
export const THEIRS = 200_000

/** How the peer behaves once our output has ended. */
type Peer = 'slow' | 'silent' | 'rude'

interface Closed {
  /** Bytes of ours that the peer's application got, and of the peer's that ours got. */
  readonly delivered: number
  readonly received: number
  readonly tookUs: Micros
  readonly how: 'by itself' | 'forced' | 'reset'
}

/**
 * Ends our output and waits for the peer's end, at most so long; then resets. What still comes is read.
 * @returns how it ended
 */
function closeGracefully(world: LabWorld, socket: LabSocket, mostUs: Micros): Promise<Closed['how']> {
  return new Promise((resolve) => {
    let how: Closed['how'] = 'by itself'
    const deadline = world.time.schedule(world.now() + mostUs, () => {
      how = 'forced'
      socket.resetAndDestroy()
    })
    socket.on('error', () => {
      if (how === 'by itself') how = 'reset'
    })
    socket.once('close', () => {
      deadline.cancel()
      resolve(how)
    })
    socket.end()
  })
}

/** Says all that we have to say, and closes. `pauseUs`: between the four parts that a slow peer says. */
export async function converse(
  context: Worlds,
  peer: Peer,
  isGraceful: boolean,
  mostUs: Micros,
  pauseUs: Micros = SECOND / 2,
): Promise<Closed> {
  const world = context.world({ label: `${peer} peer${isGraceful ? '' : ', abrupt close'}`, mostPackets: 900 })
  return world.run(async () => {
    let delivered = 0
    await world.listen(
      'peer',
      80,
      (socket) => {
        socket.on('data', (chunk: Uint8Array) => {
          delivered += chunk.length
        })
        socket.once('end', async () => {
          if (peer === 'silent') return
          if (peer === 'rude') {
            socket.resetAndDestroy()
            return
          }
          for (let i = 0; i < 4; i++) {
            await world.sleep(pauseUs)
            socket.write(new Uint8Array(THEIRS / 4))
          }
          socket.end()
        })
      },
      { allowHalfOpen: true },
    )
    const socket = await world.connect('us', 'peer', 80, { allowHalfOpen: true })
    let received = 0
    socket.on('data', (chunk: Uint8Array) => {
      received += chunk.length
    })
    socket.write(new Uint8Array(OURS))
    const from = world.now()
    let how: Closed['how'] = 'forced'
    if (isGraceful) how = await closeGracefully(world, socket, mostUs)
    else socket.resetAndDestroy()
    const tookUs = world.now() - from
    await world.sleep(2 * pauseUs)
    return { delivered, received, tookUs, how }
  })
}

/** What was measured, put to the test. */
function claimsOf({
  slow,
  silent,
  rude,
  abrupt,
  timeout,
}: {
  readonly slow: Closed
  readonly silent: Closed
  readonly rude: Closed
  readonly abrupt: Closed
  readonly timeout: Micros
}): Claim[] {
  const unit = 'bytes'
  return [
    claimExact(
      {
        text: 'A slow peer gets all of ours, and we get all of its.',
        because: 'the input stays open until its FIN (RFC 9293 §3.6)',
        unit,
      },
      `${slow.delivered} and ${slow.received}`,
      `${OURS} and ${THEIRS}`,
    ),
    claimExact(
      {
        text: 'A silent peer has all of ours too; what ends it is our timer.',
        because: 'FIN-WAIT-2 has no end of its own',
        unit,
        beside: [figure('ended', silent.how)],
      },
      silent.delivered,
      OURS,
    ),
    claimWithin(
      { text: 'The timer ends it when it should.', because: 'the time given', unit: 'ms' },
      inMs(silent.tookUs),
      inMs(timeout),
      0.01,
    ),
    claimExact(
      {
        text: 'A rude peer resets, but only after it had everything.',
        because: 'its reset answers our FIN, which comes last',
        unit,
        beside: [figure('ended', rude.how)],
      },
      rude.delivered,
      OURS,
    ),
    claimExact(
      { text: 'How each of them ended.', because: 'FIN, our timer, the peer’s reset' },
      [slow, silent, rude].map(({ how }) => how).join(', '),
      'by itself, forced, reset',
    ),
    claimExact(
      {
        text: 'An abrupt close loses text in both directions.',
        because: 'RFC 9293 §3.10.5: ABORT drops what was not sent',
        beside: [figure('delivered', abrupt.delivered, unit), figure('of', OURS, unit)],
      },
      abrupt.delivered < OURS && abrupt.received < THEIRS ? 'lost' : 'nothing lost',
      'lost',
    ),
  ]
}

/** E30: three peers. */
export const gracefulClose = defineExperiment({
  id: 'graceful-close',
  fact: 'E30',
  title: 'A graceful close loses nothing',
  question: 'Is anything lost when a side closes its output, waits for the other’s end and forces it after a while?',
  read: ['RFC 9293 §3.6', 'RFC 9112 §9.6', 'RFC 9293 §3.10.5'],
  parameters: {
    timeout: { default: '10s', unit: 'time', range: ['4s', '60s'], doc: 'how long the peer is waited for' },
    rate: { default: '5mbit', unit: 'rate', range: ['1mbit', '1gbit'], doc: 'of the line' },
  },
  topology: ({ rate }) => ({ hosts: { us: {}, peer: {} }, links: [{ from: 'us', to: 'peer', delay: '20ms', rate }] }),
  figures: ['time-sequence', 'ladder'],

  async run(context, { timeout }) {
    const slow = await converse(context, 'slow', true, timeout)
    const silent = await converse(context, 'silent', true, timeout)
    const rude = await converse(context, 'rude', true, timeout)
    const abrupt = await converse(context, 'slow', false, timeout)
    const row = (name: string, { delivered, received, tookUs, how }: Closed): (string | number)[] => [
      name,
      how,
      delivered,
      received,
      inMs(tookUs),
    ]
    return {
      claims: claimsOf({ slow, silent, rude, abrupt, timeout }),
      tables: [
        {
          title: 'Who got what',
          columns: ['', 'ended', 'ours delivered', 'theirs received', 'ms'],
          rows: [
            row('slow peer', slow),
            row('silent peer', silent),
            row('rude peer', rude),
            row('slow peer, abrupt close', abrupt),
          ],
        },
      ],
    }
  },
})
