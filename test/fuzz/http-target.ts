// HTTP: whatever bytes come, a connection gives the same events however they were cut, throws nothing but a ProtocolError of the peer's,
// once, and keeps no more than its limits.
// Owns: messages made of words, the comparison. Does not own: the machine (src/http/connection.ts).

import { readDirectives } from '../../src/http/cache/directives.ts'
import { HttpConnection } from '../../src/http/connection.ts'
import { ProtocolError } from '../../src/http/errors.ts'
import { endEvent, type HttpEvent, type RequestHead, type ResponseHead } from '../../src/http/events.ts'
import { HeaderList } from '../../src/http/headers.ts'
import type { Leniency } from '../../src/http/leniency.ts'
import { addVia, maxForwards, timesInVia, withoutHopFields } from '../../src/http/proxy-fields.ts'
import { Dice } from './dice.ts'
import { type Target, violated } from './target.ts'

const STEP_BYTES = 2
const LIMITS = {
  startLineBytes: 200,
  headerBytes: 600,
  headerCount: 12,
  trailerBytes: 100,
  trailerCount: 3,
  chunkExtensionBytes: 30,
}
const WORDS = [
  ...[
    'GET / HTTP/1.1\r\n',
    'POST /a HTTP/1.1\r\n',
    'HEAD / HTTP/1.0\r\n',
    'CONNECT a:1 HTTP/1.1\r\n',
    'OPTIONS * HTTP/1.1\r\n',
  ],
  ...[
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 204\r\n',
    'HTTP/1.0 304 Not Modified\r\n',
    'HTTP/1.1 100 Continue\r\n',
    'HTTP/1.1 101 \r\n',
  ],
  ...[
    'Host: a\r\n',
    'Host: \r\n',
    'Host: a:80\r\n',
    'Connection: close\r\n',
    'Connection: keep-alive\r\n',
    'Connection: upgrade\r\n',
  ],
  ...[
    'Content-Length: 0\r\n',
    'Content-Length: 5\r\n',
    'Content-Length: 5, 5\r\n',
    'Content-Length: 99999999999999999999\r\n',
  ],
  ...['Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip, chunked\r\n', 'Transfer-Encoding: identity\r\n'],
  ...[
    'Expect: 100-continue\r\n',
    'Upgrade: h2c\r\n',
    'TE: trailers\r\n',
    'Trailer: x\r\n',
    'X: \t y \t\r\n',
    ' folded\r\n',
  ],
  ...['\r\n', '\r\n\r\n', '\n', '\r', ' ', '\t', ':', ';', ',', '/', '*', 'a', '%', '\0', '\x7f', '\xff'],
  ...[
    '0\r\n',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    '5;x=y\r\n',
    '5 ;x="y"\r\n',
    'ffffffffffff\r\n',
    '1000000000000\r\n',
    '-1\r\n',
    '0x5\r\n',
  ],
  ...[
    'hello',
    'GET ',
    'HTTP/1.1',
    'HTTP/2.0',
    'http://a/',
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    'Content-Length:',
  ],
].map((word) => Buffer.from(word, 'latin1'))

const dice = new Dice()

/** The bytes that an input stands for: words, and single bytes. */
function messageOf(input: Uint8Array): Buffer {
  const parts: Uint8Array[] = []
  for (let at = 2; at + 1 < input.length; at += STEP_BYTES) {
    parts.push(
      input[at] < 240 ? WORDS[(input[at] * 256 + input[at + 1]) % WORDS.length] : input.subarray(at + 1, at + 2),
    )
  }
  return Buffer.concat(parts)
}

/** The repairs that the bits ask for; none of them for 0. */
function leniencyOf(bits: number): Leniency {
  const has = (bit: number): boolean => ((bits >> bit) & 1) === 1
  return { bareLf: has(0), obsFold: has(1), spaceBeforeColon: has(2), repeatedLength: has(3), proxyConnection: has(4) }
}

/** What happens when these pieces arrive, as text; bodies joined. */
function story(role: 'client' | 'server', method: string, lenient: Leniency, pieces: readonly Uint8Array[]): string {
  const connection = new HttpConnection({ role, limits: LIMITS, lenient })
  if (role === 'client') begin(connection, method)
  let told = ''
  let body = 0
  let events = 0
  const take = (event: HttpEvent): void => {
    if (event.type === 'data') {
      if (event.data.length === 0) violated('an empty part of a body')
      body = (body * 31 + event.data.reduce((sum, byte) => (sum * 33 + byte) | 0, 7 * event.data.length)) | 0
    }
    if (event.type !== 'data') told += describe(event)
    if (event.type === 'request' || event.type === 'response') checkForwarded(event)
  }
  const pump = (): void => {
    for (;;) {
      if (++events > 20_000) violated('events without end')
      const event = connection.nextEvent()
      if (typeof event === 'string') {
        if (event === 'paused' && next(connection, method)) continue
        return
      }
      take(event)
      if (event.type === 'closed') return
    }
  }
  try {
    for (const piece of pieces) {
      connection.receiveData(piece)
      pump()
    }
    connection.receiveEnd()
    pump()
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.side !== 'remote') throw error
    told += `${error.status} ${error.reason}\n`
    if (connection.nextEvent() !== 'paused') violated('a broken connection goes on')
  }
  return `${told}${connection.theirState}`
}

/** What a proxy and a cache make of a head: nothing is thrown, nothing of one hop goes on, and the head itself stays as it was. */
function checkForwarded(head: RequestHead | ResponseHead): void {
  const before = JSON.stringify(head.headers)
  const forwarded = withoutHopFields(head.headers)
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade']) {
    if (forwarded.has(name)) violated(`${name} is passed on`)
  }
  addVia(forwarded, head.version, 'fuzz')
  if (timesInVia(forwarded, 'fuzz') < 1) violated('Via does not tell of us')
  if (head.type === 'request') maxForwards(head.method, head.headers)
  readDirectives(head.headers)
  if (JSON.stringify(head.headers) !== before) violated('the head that was received has changed')
}

function begin(connection: HttpConnection, method: string): void {
  const headers = new HeaderList({ host: 'a', ...(method === 'GET' && { upgrade: 'x', connection: 'upgrade' }) })
  const target = method === 'CONNECT' ? 'a:1' : '/'
  connection.send({ type: 'request', method, target, version: '1.1', headers })
  connection.send(endEvent())
}

/** The other message of an exchange, so that the next can be read; false when there is none. */
function next(connection: HttpConnection, method: string): boolean {
  const { role, ourState, theirState } = connection
  if (role === 'server' && theirState === 'done' && ourState === 'send-response') {
    connection.send({ type: 'response', status: 204, reason: '', version: '1.1', headers: new HeaderList() })
    connection.send(endEvent())
  }
  if (connection.ourState !== 'done' || connection.theirState !== 'done') return false
  connection.startNextCycle()
  if (role === 'client') begin(connection, method)
  return true
}

function describe(event: HttpEvent): string {
  switch (event.type) {
    case 'request':
      return `${event.method} ${event.target} ${event.version} ${[...event.headers].join('|')}\n`
    case 'response':
    case 'informational':
      return `${event.status} ${event.reason} ${event.version} ${[...event.headers].join('|')}\n`
    case 'end':
      return `end ${[...event.trailers].join('|')}\n`
    default:
      return `${event.type}\n`
  }
}

/** Copies: pieces belong to the connection. */
function cut(message: Uint8Array, most: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < message.length; ) {
    const length = most === 1 ? 1 : 1 + dice.below(most)
    pieces.push(message.slice(at, at + length))
    at += length
  }
  return pieces
}

/** Requests and responses, however they are cut. */
export const httpTarget: Target = {
  name: 'http',
  headBytes: 2,
  stepBytes: STEP_BYTES,
  mostSteps: 60,
  run(input) {
    const role = (input[0] ?? 0) & 1 ? 'client' : 'server'
    const method = ['GET', 'HEAD', 'CONNECT', 'POST'][((input[0] ?? 0) >> 1) & 3]
    const lenient = leniencyOf((input[0] ?? 0) >> 3)
    const message = messageOf(input)
    const whole = story(role, method, lenient, [message.subarray()])
    dice.seed(input[1] ?? 0)
    for (const most of [1, 20]) {
      const pieces = story(role, method, lenient, cut(message, most))
      if (pieces !== whole) violated(`in pieces of ${most} it is another story:\n${whole}\n---\n${pieces}`)
    }
    return 3
  },
}
