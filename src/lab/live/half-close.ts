// E29 live: the server closes both halves before the last request: once ours with Linux's client, once Linux's with ours.

import { claimExact, figure } from '../claims.ts'
import { halfClose, pipeline } from '../experiments/half-close.ts'
import { defineLive } from '../live.ts'

interface Values extends Record<string, number> {
  readonly requests: number
}

/** E29 against Linux. */
export const halfCloseLive = defineLive<Values>(halfClose, {}, async (context, { requests }) => {
  const [oursReads, linuxReads] = [context.linux('server'), context.linux('client')]
  const [full, half, linuxFull, linuxHalf] = await Promise.all([
    pipeline(oursReads, 'Linux closes both halves', requests, (socket) => socket.destroy()),
    pipeline(oursReads, 'Linux closes its output', requests, (socket) => socket.end()),
    pipeline(linuxReads, 'we close both halves', requests, (socket) => socket.destroy()),
    pipeline(linuxReads, 'we close our output', requests, (socket) => socket.end()),
  ])
  const unit = 'answers read'
  return {
    claims: [
      claimExact(
        {
          text: 'Linux closes completely: its reset for one more request erases every answer that our client had not read.',
          because: 'RFC 9293 §3.10.7.4: all queues are flushed',
          unit,
          beside: [figure('our client’s end', full.end)],
        },
        full.answers,
        0,
      ),
      claimExact(
        { text: 'Our client is told of the reset.', because: 'the server has nobody left to read' },
        full.end,
        'ECONNRESET',
      ),
      claimExact(
        {
          text: 'Linux does otherwise when the reset comes to it: what had arrived can still be read, and then the end.',
          because: 'its receive queue outlives the reset, and the FIN came before; only a write is told (EPIPE)',
          unit: 'answers read, and what the client is told',
        },
        `${linuxFull.answers}, ${linuxFull.end}`,
        `${requests}, end`,
      ),
      claimExact(
        { text: 'The server closes its output only: neither client loses any.', because: 'RFC 9112 §9.6', unit },
        `${half.answers}, ${linuxHalf.answers}`,
        `${requests}, ${requests}`,
      ),
      claimExact(
        { text: 'Then both see the end of the stream.', because: 'FIN instead of RST' },
        `${half.end}, ${linuxHalf.end}`,
        'end, end',
      ),
    ],
    tables: [
      {
        title: `${requests} answers and one more request`,
        columns: ['', 'answers read', 'the client is told'],
        rows: [
          ['Linux closes both halves, we read', full.answers, full.end],
          ['we close both halves, Linux reads', linuxFull.answers, linuxFull.end],
          ['Linux closes its output, we read', half.answers, half.end],
          ['we close our output, Linux reads', linuxHalf.answers, linuxHalf.end],
        ],
      },
    ],
    why: [
      'RFC 9293 §3.10.7.4 has a reset flush all queues, and so do we; Linux lets the program read what had arrived before the reset.',
    ],
  }
})
