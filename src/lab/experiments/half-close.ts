// E29: half-close. Who closes both halves while the other still sends answers the next segment with a reset, and a reset takes what had
// arrived and was not read yet.

import { SECOND } from '../../base/time.ts'
import { claimExact, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { LabSocket, Worlds } from '../live.ts'
import { pairOf } from '../topology.ts'

const ANSWER_BYTES = 100

interface Reading {
  /** Answers that the client read in full. */
  readonly answers: number
  /** 'end', or the code of the error. */
  readonly end: string
}

type Closing = (socket: LabSocket) => void

/** The server answers so many requests and closes; the client sends one more, and only then reads. */
export async function pipeline(context: Worlds, label: string, requests: number, close: Closing): Promise<Reading> {
  const world = context.world({ label })
  return world.run(async () => {
    await world.listen(
      'server',
      80,
      (socket) => {
        let come = 0
        socket.on('data', (chunk: Uint8Array) => {
          const before = come
          come += chunk.length
          for (let i = before; i < Math.min(come, requests); i++) socket.write(new Uint8Array(ANSWER_BYTES))
          if (before < requests && come >= requests) close(socket)
        })
      },
      { noDelay: true, allowHalfOpen: true },
    )
    const socket = world.open('client', 'server', 80, { noDelay: true, allowHalfOpen: true })
    socket.pause()
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
    for (let i = 0; i < requests; i++) socket.write('?') // a byte stands for a request
    await world.sleep(SECOND) // all answers have arrived, and wait in TCP
    socket.write('?')
    await world.sleep(SECOND)
    let bytes = 0
    let end = 'end'
    const over = new Promise<void>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => {
        end = error.code ?? error.message
      })
      socket.once('end', () => socket.end())
      socket.once('close', () => resolve())
    })
    socket.on('data', (chunk: Uint8Array) => {
      bytes += chunk.length
    })
    socket.resume()
    await over
    return { answers: Math.floor(bytes / ANSWER_BYTES), end }
  })
}

/** E29: ten answers and an eleventh request. */
export const halfClose = defineExperiment({
  id: 'half-close',
  fact: 'E29',
  title: 'Closing both halves erases answers',
  question: 'What becomes of answers that have arrived when the server closes its input too?',
  read: ['RFC 9293 §3.6', 'RFC 9293 §3.10.7.4', 'RFC 9112 §9.6', 'RFC 2525 §2.17'],
  parameters: {
    requests: {
      default: '10',
      unit: 'count',
      range: ['1', '50'],
      doc: 'pipelined requests that are answered; one more follows',
    },
    rtt: { default: '50ms', unit: 'time', range: ['2ms', '500ms'], doc: 'round trip' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['ladder'],

  async run(context, { requests }) {
    const full = await pipeline(context, 'the server closes both halves', requests, (socket) => socket.destroy())
    const half = await pipeline(context, 'the server closes its output', requests, (socket) => socket.end())
    return {
      claims: [
        claimExact(
          {
            text: 'The server closes completely: the reset for one more request erases every answer that was not read yet.',
            because: 'RFC 9293 §3.10.7.4: all queues are flushed; the application reads "connection reset by peer"',
            unit: 'answers read',
            beside: [figure('the client’s end', full.end)],
          },
          full.answers,
          0,
        ),
        claimExact(
          { text: 'The client is told of a reset.', because: 'the server has nobody left to read' },
          full.end,
          'ECONNRESET',
        ),
        claimExact(
          {
            text: 'The server closes its output only and goes on reading: none is lost.',
            because: 'RFC 9112 §9.6: half-close, then read until the client closes',
            unit: 'answers read',
          },
          half.answers,
          requests,
        ),
        claimExact(
          { text: 'Then the client sees the end of the stream.', because: 'FIN instead of RST' },
          half.end,
          'end',
        ),
      ],
      tables: [
        {
          title: `${requests} answers and one more request`,
          columns: ['the server', 'answers read', 'the client is told'],
          rows: [
            ['closes both halves', full.answers, full.end],
            ['closes its output', half.answers, half.end],
          ],
        },
      ],
    }
  },
})
