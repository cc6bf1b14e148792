// Scripts for packetdrill, as people mistype them: the parser says what is wrong and where, and never throws; code between `%{` and `}%`
// fails with its own error only. Owns: texts put together from pieces. Does not own: the parser (src/packetdrill).

import { parseScript } from '../../src/packetdrill/parser.ts'
import { Python, PythonError } from '../../src/packetdrill/python.ts'
import { feature, type Target, violated } from './target.ts'

const PIECES = [
  ...['0 ', '+0 ', '+.1 ', '+0.01~+0.02 ', '* ', '+0...0.3 ', '-1 ', '1e9 ', '0x10 '],
  ...[
    'socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
    'bind(3, ..., ...) = 0',
    'listen(3, 1) = 0',
    'accept(3, ..., ...) = 4',
  ],
  ...[
    'setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0',
    'write(4, ..., 1000) = 1000',
    'read(4, ..., 1) = -1 EAGAIN (x)',
  ],
  ...[
    'sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}, MSG_MORE) = 10',
    'close(4) = 0',
    'poll([{fd=4, ',
  ],
  ...[
    '< ',
    '> ',
    '< S 0:0(0) win 1000',
    '> S. 0:0(0) ack 1',
    '< . 1:1(0) ack 1 win 257',
    '> P. 1:1001(1000) ack 1',
    ' sack 1:2',
  ],
  ...[
    ' <mss 1000,sackOK,nop,nop,nop,wscale 7>',
    ' <...>',
    ' <nop,nop,TS val 1 ecr 2>',
    ' <FO abcd,nop>',
    ' <sack 1:2 3:4>',
  ],
  ...['< icmp unreachable frag_needed mtu 1000 [1:2(1)]', '> [ect0] . 1:1(0)', '< udp (100)', ' urg 1', ' win 10'],
  ...[
    '%{ assert tcpi_snd_cwnd == 10 }%',
    '%{',
    '}%',
    '`echo a`',
    '`',
    '"',
    '// c\n',
    '/*',
    '*/',
    '#',
    '\n',
    '\n',
    ' ',
    ',',
    '...',
  ],
  ...[
    '--tolerance_usecs=1000\n',
    '--define=A=1\n',
    '--x',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '=',
    ':',
    '3',
    '-1',
    'A',
    '|',
    'é',
    '\0',
  ],
]
const CODE = [
  ...[
    'assert ',
    'print ',
    'print(',
    ')',
    'tcpi_snd_cwnd',
    'tcpi_rtt',
    'x',
    '1',
    '1.5',
    '0x1f',
    '"a"',
    "'",
    ' == ',
    ' <= ',
    ' = ',
  ],
  ...[
    ' and ',
    ' not ',
    ' in ',
    ' + ',
    ' - ',
    ' * ',
    ' / ',
    ' // ',
    ' % ',
    ' ** ',
    ' << ',
    '(',
    '[',
    ']',
    ', ',
    ': ',
    '\n',
    '\n  ',
    ';',
  ],
  ...[
    'if ',
    'else:',
    'elif ',
    'True',
    'None',
    'abs(',
    'max(',
    '#',
    '\\',
    ' if ',
    ' else ',
    '~',
    '&',
    '|',
    '!',
    '.',
    'é',
    'import os',
  ],
]

function textOf(input: Uint8Array, pieces: readonly string[]): string {
  let text = ''
  for (let at = 1; at < input.length; at++) text += pieces[input[at] % pieces.length]
  return text
}

/** Scripts and the code in them. */
export const scriptTarget: Target = {
  name: 'scripts',
  headBytes: 1,
  stepBytes: 1,
  mostSteps: 60,
  run(input) {
    if (((input[0] ?? 0) & 3) === 0) {
      try {
        new Python().run(textOf(input, CODE), { tcpi_snd_cwnd: 10, tcpi_rtt: 1000 })
      } catch (error) {
        if (!(error instanceof PythonError)) throw error
        if (!(error.line >= 1)) violated(`an error on line ${error.line}`)
      }
      return 1
    }
    const text = textOf(input, PIECES)
    const lines = text.split('\n').length
    const { complaints } = parseScript(text, 'script.pkt')
    feature(300 + complaints.length)
    for (const { line } of complaints)
      if (!(line >= 1 && line <= lines)) violated(`a complaint about line ${line} of ${lines}`)
    return 1
  },
}
