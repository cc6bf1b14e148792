// Nagle and delayed acknowledgements against each other: the time of one answer, for every variant of either and every shape of the answer.

import type { Micros } from '../../base/time.ts'
import type { TcpConfig } from '../../tcp/config.ts'
import { claimExact, claimTrue, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { inMs } from '../measure.ts'
import { pairOf } from '../topology.ts'

const MSS = 1448

const SENDERS: readonly (readonly [string, Partial<TcpConfig>])[] = [
  ['TCP_NODELAY', { nagle: false }],
  ['Minshall', { nagle: true, nagleVariant: 'minshall' }],
  ['Nagle', { nagle: true, nagleVariant: 'rfc' }],
]

/** The writes of an answer, in bytes. */
const ANSWERS: readonly (readonly [string, readonly number[]])[] = [
  ['one full segment and a tail', [MSS + 100]],
  ['two full segments and a tail', [2 * MSS + 100]],
  ['a head, then a tail', [200, 100]],
  ['a head, a full segment and a tail', [200, MSS + 100]],
]

/** Time from the first write to the last byte at the client. */
async function time(
  context: RunContext,
  sender: Partial<TcpConfig>,
  writes: readonly number[],
  delayedAckUs: Micros,
): Promise<Micros> {
  const quiet = { minRtoUs: 2_000_000, tailLossProbe: false } // no timer of the sender's ends the wait
  const world = context.world({
    label: '',
    isShown: false,
    tcp: { delayedAck: 'fixed', delayedAckUs, ...quiet, ...sender },
  })
  const all = writes.reduce((sum, bytes) => sum + bytes, 0)
  return world.run(async () => {
    let from = -1
    await world.listen('server', 80, (socket) =>
      socket.once('data', async () => {
        from = world.now()
        for (const [i, bytes] of writes.entries()) {
          if (i > 0) await world.sleep(100) // another turn of the program
          socket.write(new Uint8Array(bytes))
        }
      }),
    )
    const socket = await world.connect('client', 'server', 80)
    let come = 0
    const done = new Promise<void>((resolve) =>
      socket.on('data', (chunk: Uint8Array) => {
        come += chunk.length
        if (come === all) resolve()
      }),
    )
    socket.write('?')
    await done
    return world.now() - from
  })
}

/** Whether the tail waits for an acknowledgement, and that for the timer, by the rules alone. */
function waits(sender: string, writes: readonly number[]): boolean {
  if (sender === 'TCP_NODELAY') return false
  const [first] = writes
  const isSmall = first % MSS > 0
  // Minshall's rule: a small segment waits for small ones. Nagle's: for anything.
  if (writes.length > 1) return isSmall
  if (sender === 'Minshall') return false
  // The tail of one write waits for its full segments; the receiver acknowledges every second of them at once.
  return Math.floor(first / MSS) % 2 === 1
}

/** The matrix. */
export const nagleMatrix = defineExperiment({
  id: 'nagle-matrix',
  fact: '',
  title: 'Nagle’s variants against delayed acknowledgements',
  question: 'For which answers does which variant of Nagle’s algorithm wait for a delayed acknowledgement?',
  read: ['RFC 9293 §3.7.4', 'RFC 9293 §A.3 (Minshall)', 'RFC 5681 §4.2'],
  parameters: {
    ack: { default: '200ms', unit: 'time', range: ['50ms', '499ms'], doc: 'how long an acknowledgement waits' },
    rtt: { default: '20ms', unit: 'time', range: ['2ms', '200ms'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2, rate: '100mbit' }),
  figures: [],

  async run(context, { ack }) {
    const rows: (string | number)[][] = []
    let right = 0
    let all = 0
    const stalls: string[] = []
    for (const [answer, writes] of ANSWERS) {
      for (const delayedAckUs of [0, ack]) {
        const cells: number[] = []
        for (const [name, sender] of SENDERS) {
          const took = await time(context, sender, writes, delayedAckUs)
          const isStalled = took > ack
          all++
          if (isStalled === (delayedAckUs > 0 && waits(name, writes))) right++
          if (isStalled) stalls.push(`${name}: ${answer}`)
          cells.push(inMs(took))
        }
        rows.push([answer, delayedAckUs === 0 ? 'at once' : `${inMs(delayedAckUs)} ms`, ...cells])
      }
    }
    return {
      claims: [
        claimExact(
          {
            text: 'Who stalls and who does not is what the rules say, in every cell.',
            because: 'RFC 9293 §3.7.4, §A.3 and RFC 5681 §4.2 together',
            unit: 'cells',
          },
          right,
          all,
        ),
        claimTrue(
          {
            text: 'Minshall’s rule never lets the tail of one write wait for its full segments, Nagle’s does after an odd number of them.',
            because: 'a full segment is no reason to wait',
            beside: [figure('stalls', stalls.join('; '))],
          },
          !stalls.some((text) => text.startsWith('Minshall: one') || text.startsWith('Minshall: two')) &&
            stalls.includes('Nagle: one full segment and a tail'),
        ),
        claimTrue(
          { text: 'TCP_NODELAY never stalls.', because: 'nothing is held back' },
          !stalls.some((text) => text.startsWith('TCP_NODELAY')),
        ),
      ],
      tables: [
        { title: 'Time of an answer, ms', columns: ['answer', 'acknowledged', ...SENDERS.map(([name]) => name)], rows },
      ],
    }
  },
})
