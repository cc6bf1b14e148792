// SEGMENT ARRIVES, the whole of RFC 9293 §3.10.7 as one table: each of the eleven states against each kind of segment.
//
// N is RCV.NXT, M is SND.NXT, U is SND.UNA. A cell is the answer, then `>` and the state that follows when it is another:
//   -        no answer              ack, ack+n   an acknowledgement of N, of N+n
//   rst      <SEQ=SEG.ACK><RST>     rstack       <SEQ=0><ACK=SEG.SEQ+SEG.LEN><RST,ACK>
//   synack   SYN,ACK                x            does not apply
// Acknowledgements are not delayed here; SYN-RECEIVED comes from a passive open.

import { expect } from 'vitest'
import { parseLine } from './notation.ts'
import { scenario } from './script.ts'
import { inState, STATES } from './states.ts'

const MATRIX = `
segment                  | CLOSED | LISTEN              | SYN-SENT             | SYN-RECEIVED       | ESTABLISHED      | FIN-WAIT-1        | FIN-WAIT-2       | CLOSE-WAIT | CLOSING      | LAST-ACK  | TIME-WAIT
S N                      | rstack | synack>SYN-RECEIVED | synack>SYN-RECEIVED  | ->LISTEN           | ack              | ack               | ack              | ack        | ack          | ack       | ack
S N-10                   | x      | x                   | x                    | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
S. N ack M               | rst    | rst                 | ack+1>ESTABLISHED    | ->LISTEN           | ack              | ack               | ack              | ack        | ack          | ack       | ack
S. N ack M+1             | rst    | rst                 | rst                  | ->LISTEN           | ack              | ack               | ack              | ack        | ack          | ack       | ack
. N ack M                | rst    | rst                 | -                    | ->ESTABLISHED      | -                | ->FIN-WAIT-2      | -                | -          | ->TIME-WAIT  | ->CLOSED  | -
. N ack M-1              | rst    | rst                 | rst                  | rst                | -                | -                 | -                | -          | -            | -         | -
. N ack M+1              | rst    | rst                 | rst                  | rst                | ack              | ack               | ack              | ack        | ack          | ack       | ack
. N ack M-70000          | rst    | rst                 | rst                  | rst                | ack              | ack               | ack              | ack        | ack          | ack       | ack
. N-1 ack U              | rst    | rst                 | rst                  | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
. N+70000 ack M          | rst    | rst                 | -                    | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
none N                   | rstack | -                   | -                    | -                  | -                | -                 | -                | -          | -            | -         | -
none N-1                 | rstack | -                   | -                    | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
R N                      | -      | -                   | -                    | ->LISTEN           | ->CLOSED         | ->CLOSED          | ->CLOSED         | ->CLOSED   | ->CLOSED     | ->CLOSED  | ->CLOSED
R. N ack M               | -      | -                   | ->CLOSED             | ->LISTEN           | ->CLOSED         | ->CLOSED          | ->CLOSED         | ->CLOSED   | ->CLOSED     | ->CLOSED  | ->CLOSED
R. N ack M+1             | -      | -                   | -                    | ->LISTEN           | ->CLOSED         | ->CLOSED          | ->CLOSED         | ->CLOSED   | ->CLOSED     | ->CLOSED  | ->CLOSED
R N:N+5                  | -      | -                   | -                    | ->LISTEN           | ->CLOSED         | ->CLOSED          | ->CLOSED         | ->CLOSED   | ->CLOSED     | ->CLOSED  | ->CLOSED
R N+1                    | -      | -                   | -                    | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
R N-1                    | -      | -                   | -                    | -                  | -                | -                 | -                | -          | -            | -         | -
R N+70000                | -      | -                   | -                    | -                  | -                | -                 | -                | -          | -            | -         | -
F. N ack U               | rst    | rst                 | rst                  | rst                | ack+1>CLOSE-WAIT | ack+1>CLOSING     | ack+1>TIME-WAIT  | -          | -            | -         | ack
F. N ack M               | rst    | rst                 | -                    | ack+1>CLOSE-WAIT   | ack+1>CLOSE-WAIT | ack+1>TIME-WAIT   | ack+1>TIME-WAIT  | -          | ->TIME-WAIT  | ->CLOSED  | ack
F. N-1 ack U             | rst    | rst                 | rst                  | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
F N                      | rstack | -                   | -                    | -                  | -                | -                 | -                | -          | -            | -         | -
P. N:N+100 ack U         | rst    | rst                 | rst                  | rst                | ack+100          | ack+100           | ack+100          | -          | -            | -         | -
P. N:N+100 ack M         | rst    | rst                 | -                    | ack+100>ESTABLISHED| ack+100          | ack+100>FIN-WAIT-2| ack+100          | -          | ->TIME-WAIT  | ->CLOSED  | -
P. N-100:N ack U         | rst    | rst                 | rst                  | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
P. N+70000:N+70100 ack U | rst    | rst                 | rst                  | ack                | ack              | ack               | ack              | ack        | ack          | ack       | ack
P N:N+100                | rstack | -                   | -                    | -                  | -                | -                 | -                | -          | -            | -         | -
`

const [head, ...rows] = MATRIX.trim()
  .split('\n')
  .map((row) => row.split('|').map((cell) => cell.trim()))

/** Puts relative numbers in the place of N, M and U. */
function concrete(segment: string, n: number, m: number, u: number): string {
  return segment
    .replace(/([NMU])([+-]\d+)?/g, (_, name: string, plus = '0') => `${{ N: n, M: m, U: u }[name]! + Number(plus)}`)
    .replace(/^(\S*)$/, '$1')
}

function answer(cell: string, segment: string, n: number, m: number): string[] {
  const line = parseLine(segment)
  if (cell.startsWith('ack')) return [`. ${m} ack ${n + Number(cell.slice(3) || '0')}`]
  if (cell === 'synack') return ['S. 0 ack 1']
  if (cell === 'rst') return [`R ${line.ack}`]
  if (cell === 'rstack') return [`R. 0 ack ${line.end! + (line.flags & 1) + ((line.flags >> 1) & 1)}`]
  return []
}

expect(head.slice(1)).toEqual([...STATES])

for (const [segment, ...cells] of rows) {
  scenario(`<${segment}> does in each state what the RFC says (RFC 9293 §3.10.7, RFC 5961 §3 §4 §5)`, () => {
    cells.forEach((cell, i) => {
      if (cell === 'x') return
      const [reply, next = STATES[i]] = cell.split('>')
      const { c, rcvNxt, sndNxt, sndUna } = inState(STATES[i], { tcp: { delayedAckUs: 0 } })
      // `none`, `S`, `R` and `F` are flags: only what follows the first blank has numbers to fill in.
      const blank = segment.indexOf(' ')
      const line = segment.slice(0, blank) + concrete(segment.slice(blank), rcvNxt, sndNxt, sndUna)
      c.transcript.push(`in ${STATES[i]}, expecting ${cell}:`)
      c.in(line)
        .out(...answer(reply.trim(), line, rcvNxt, sndNxt))
        .quiet()
      expect(c.state, `the state after ${line} in ${STATES[i]}`).toBe(next)
    })
  })
}
