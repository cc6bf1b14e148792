// What each parser makes of a stream of requests, in one form: ours, and the one inside Node.
// Owns: running them. Does not own: comparing (compare.ts).

import { createRequire } from 'node:module'
import { HttpConnection } from '../../src/http/connection.ts'
import { ProtocolError } from '../../src/http/errors.ts'
import { endEvent } from '../../src/http/events.ts'
import { HeaderList } from '../../src/http/headers.ts'

/** One request as a parser saw it. */
export interface Seen {
  readonly method: string
  readonly target: string
  body: string
  /** Whether its end came. */
  complete: boolean
}

/** What a parser made of a stream. */
export interface Reading {
  readonly requests: Seen[]
  /** `'open'`: it waits for more; `'closed'`: a request asked to close, or to leave HTTP; else why it refused. */
  end: string
}

const ANSWER = new HeaderList({ 'Content-Length': 0 })

/** Our connection machine, which answers each request with an empty 501. */
export function readByOurs(bytes: Uint8Array): Reading {
  const http = new HttpConnection({ role: 'server' })
  const reading: Reading = { requests: [], end: 'open' }
  http.receiveData(bytes)
  try {
    for (;;) {
      const event = http.nextEvent()
      if (typeof event === 'string') return reading
      const last = reading.requests.at(-1)
      if (event.type === 'request') {
        reading.requests.push({ method: event.method, target: event.target, body: '', complete: false })
      } else if (event.type === 'data' && last) last.body += Buffer.from(event.data).toString('latin1')
      else if (event.type === 'end' && last) {
        last.complete = true
        if (!finish(http) || last.method === 'CONNECT') {
          reading.end = 'closed'
          return reading
        }
      }
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    reading.end = error.reason
    return reading
  }
}

function finish(http: HttpConnection): boolean {
  http.send({ type: 'response', status: 501, reason: '', version: '1.1', headers: ANSWER })
  http.send(endEvent())
  if (http.ourState !== 'done' || http.theirState !== 'done') return false
  http.startNextCycle()
  return true
}

interface NodeParser {
  [callback: number]: unknown
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void
  execute(bytes: Buffer): number | (Error & { code: string })
  close(): void
}

interface NodeParserClass {
  new (): NodeParser
  readonly REQUEST: number
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
  readonly kLenientAll: number
}

const load = createRequire(import.meta.url)
const { HTTPParser, methods } = load('_http_common') as { HTTPParser: NodeParserClass; methods: readonly string[] }

/** The parser inside node:http, without the server around it. */
export function readByNode(bytes: Uint8Array, lenient: boolean): Reading {
  const reading: Reading = { requests: [], end: 'open' }
  const parser = new HTTPParser()
  parser.initialize(HTTPParser.REQUEST, {}, 80_000, lenient ? HTTPParser.kLenientAll : 0)
  let url = ''
  let left = false
  parser[HTTPParser.kOnHeaders] = (_headers: unknown, part: string) => {
    url += part
  }
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    _minor: number,
    _headers: unknown,
    method: number,
    target: string,
    _status: unknown,
    _reason: unknown,
    _upgrade: boolean,
    keepAlive: boolean,
  ) => {
    if (reading.end !== 'open') return 0
    reading.requests.push({ method: methods[method] ?? '', target: url + (target ?? ''), body: '', complete: false })
    url = ''
    left = methods[method] === 'CONNECT'
    if (!keepAlive) left = true
    return methods[method] === 'CONNECT' ? 2 : 0
  }
  parser[HTTPParser.kOnBody] = (part: Buffer) => {
    const last = reading.requests.at(-1)
    if (last !== undefined && !last.complete && reading.end === 'open') last.body += part.toString('latin1')
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    url = '' // what trailers have brought along
    const last = reading.requests.at(-1)
    if (last === undefined || reading.end !== 'open') return
    last.complete = true
    if (left) reading.end = 'closed'
  }
  const rest = Buffer.from(bytes)
  let result = parser.execute(rest)
  // It stops behind a request that proposes another protocol; declined, what follows is the next request.
  let at = 0
  while (typeof result === 'number' && result > 0 && at + result < rest.length) {
    at += result
    result = parser.execute(rest.subarray(at))
  }
  // Errors behind such a request are not told, but nothing more is read.
  if (typeof result === 'number' && at + result < rest.length && reading.end === 'open')
    reading.end = 'HPE_AFTER_UPGRADE'
  parser.close()
  // What follows a request that closes is nobody's.
  if (reading.end === 'open' && typeof result !== 'number') reading.end = result.code
  return reading
}
