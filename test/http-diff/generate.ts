// Streams of requests by chance: valid ones, then bent at a few places in the ways in which parsers are known to disagree.
// Owns: what is generated. Does not own: what anybody makes of it.

import type { Random } from '../../src/base/random.ts'

const METHODS = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
  'get',
  'FOO',
  'M-SEARCH',
]
const TARGETS = [
  '/',
  '/a?b=c',
  '/%41',
  'http://h/x',
  'http://h:80',
  'https://h/',
  '*',
  'h:80',
  '/a b',
  '//x',
  '/[]|',
  'x',
  '/#',
  '',
]
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.10',
  'HTTP/1',
  'HTTP/11',
  '',
]
const HOSTS = [
  'Host: a',
  'host:a',
  'Host: a:80',
  'Host:',
  'Host: [::1]',
  'Host: a b',
  'Host: a/b',
  'Host: u@a',
  'HOST: a:x',
  'Host: a, b',
]
const LENGTHS = [
  '5',
  '0',
  '05',
  '+5',
  '-5',
  '5 5',
  '5,5',
  '5, 6',
  '0x5',
  '',
  '5;',
  '99999999999999999999',
  '9007199254740993',
  ' 5',
  '5\t',
]
const CODINGS = [
  'chunked',
  'Chunked',
  'chunked ',
  'xchunked',
  'chunked, chunked',
  'gzip, chunked',
  'chunked, gzip',
  'identity',
  'gzip',
  '',
  'chunked;q=1',
  '"chunked"',
  ', chunked',
  'chunked,',
  'chunked\x0b',
  '\x0bchunked',
  'identity, chunked',
  'chunked chunked',
]
const FIELDS = [
  'X: y',
  'X:y',
  'X:',
  'X : y',
  ' X: y',
  '\tX: y',
  'X',
  ':',
  'X Y: z',
  'X: \x01',
  'X: \0',
  'X: \x7f',
  'X: \xff',
  'X\xff: y',
  'X: a\rb',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: keep-alive, close',
  'Connection: upgrade\r\nUpgrade: x',
  'Expect: 100-continue',
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'X: "a',
  'X: a,b',
  'Cookie: a=b',
  'Trailer: X',
  'X(: y',
  '"X": y',
  'X;: y',
]
const CHUNKS = [
  '5\r\nhello\r\n',
  '005\r\nhello\r\n',
  '5;a=b\r\nhello\r\n',
  '5 ;a\r\nhello\r\n',
  '5;a="b"\r\nhello\r\n',
  '5;a="b\r\nhello\r\n',
  '5;\r\nhello\r\n',
  '5 \r\nhello\r\n',
  ' 5\r\nhello\r\n',
  '+5\r\nhello\r\n',
  '0x5\r\nhello\r\n',
  '5\nhello\r\n',
  '5\r\nhello\n',
  '5\r\nhellox\r\n',
  '5\r\nhello',
  'ffffffffffffffff\r\n',
  '10000000000000005\r\nhello\r\n',
  '00000000000000000005\r\nhello\r\n',
  '5;a\nb\r\nhello\r\n',
  '5\r\r\nhello\r\n',
  'A\r\n0123456789\r\n',
  'a\r\n0123456789\r\n',
  '-1\r\n',
  '\r\nhello\r\n',
  '5;a b\r\nhello\r\n',
  '5;a=\r\nhello\r\n',
  '5\thello\r\n',
  '5_\r\nhello\r\n',
]
const ENDS = [
  '0\r\n\r\n',
  '0\r\n\r\n',
  '0\r\n\r\n',
  '000\r\n\r\n',
  '0\r\nX: y\r\n\r\n',
  '0\r\nX : y\r\n\r\n',
  '0\n\n',
  '0\r\n\n',
  '0;a\r\n\r\n',
  '0\r\n',
  '0 \r\n\r\n',
  '0\r\nContent-Length: 5\r\n\r\n',
]
const BYTES = [
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xff',
  'a',
  '0',
  '/',
  '"',
  '\r\n',
  '\n\n',
  '\r\n\r\n',
]

/** Chooses by chance, the first of a list more often than the rest. */
export class Choice {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** A whole number below `most`. */
  below(most: number): number {
    return (this.#random.int32() >>> 0) % most
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }

  /** The first in three of four cases. */
  mostly<T>(list: readonly T[]): T {
    return this.below(4) > 0 ? list[0] : this.of(list)
  }

  oneIn(n: number): boolean {
    return this.below(n) === 0
  }
}

/** A stream of one to four requests as a Latin-1 string; some are good, most of the others wrong at one place only. */
export function generateStream(random: Random): string {
  const choice = new Choice(random)
  let text = ''
  for (let count = 1 + choice.below(4); count > 0; count--) text += request(choice)
  for (let bends = choice.oneIn(2) ? 0 : choice.below(3); bends > 0; bends--) text = bend(text, choice)
  return text
}

function request(choice: Choice): string {
  const isOdd = choice.oneIn(2)
  const pick = <T>(list: readonly T[]): T => (isOdd ? choice.mostly(list) : list[0])
  const lines = [
    `${isOdd ? choice.mostly(METHODS) : choice.of(METHODS.slice(0, 4))} ${pick(TARGETS)} ${pick(VERSIONS)}`,
  ]
  if (!isOdd || !choice.oneIn(12)) lines.push(pick(HOSTS))
  for (let more = choice.below(3); more > 0; more--)
    lines.push(isOdd ? choice.of(FIELDS) : choice.of(FIELDS.slice(0, 3)))
  let body = ''
  const framing = choice.below(4)
  if (framing === 1) {
    lines.push(`Content-Length: ${pick(LENGTHS)}`)
    body = 'hello'
  } else if (framing === 2) {
    lines.push(`Transfer-Encoding: ${pick(CODINGS)}`)
    for (let chunks = choice.below(3); chunks > 0; chunks--) body += pick(CHUNKS)
    body += pick(ENDS)
  } else if (framing === 3 && isOdd) {
    lines.push(`Content-Length: ${choice.mostly(LENGTHS)}`, `Transfer-Encoding: ${choice.mostly(CODINGS)}`)
    body = '0\r\n\r\n'
  }
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** One change at one place. */
export function bend(text: string, choice: Choice): string {
  const at = choice.below(text.length + 1)
  switch (choice.below(6)) {
    case 0:
      return text.slice(0, at) + choice.of(BYTES) + text.slice(at)
    case 1:
      return text.slice(0, at) + text.slice(at + 1)
    case 2:
      return text.slice(0, at) + choice.of(BYTES) + text.slice(at + 1)
    case 3: {
      const end = text.indexOf('\r\n', at)
      return end === -1
        ? text
        : `${text.slice(0, end)}${choice.of(['\n', '\r', ' \r\n', '\r\n ', '\r\r\n', '\n\r\n'])}${text.slice(end + 2)}`
    }
    case 4:
      return text.slice(0, at)
    default: {
      const lines = text.split('\r\n')
      const one = choice.below(lines.length)
      lines.splice(one, 0, lines[choice.below(lines.length)])
      return lines.join('\r\n')
    }
  }
}
