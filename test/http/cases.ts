// The Markdown files of test/http/cases as cases: bytes, how they are read, what must come out. cases/README.md says how they are written.
// Owns: reading the files, running a case, printing events. Does not own: which ways of cutting are tried (cases.test.ts).

import { readdirSync, readFileSync } from 'node:fs'
import { HttpConnection } from '../../src/http/connection.ts'
import { ProtocolError } from '../../src/http/errors.ts'
import { endEvent, type HttpEvent } from '../../src/http/events.ts'
import { HeaderList } from '../../src/http/headers.ts'
import { type Leniency, STRICT } from '../../src/http/leniency.ts'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { b, s } from './helpers.ts'

/** One block of bytes and what must become of it. */
export interface MessageCase {
  readonly file: string
  readonly title: string
  /** Its number under its heading, from 1. */
  readonly block: number
  readonly kind: 'request' | 'response'
  readonly options: readonly string[]
  readonly bytes: Uint8Array
  readonly expected: readonly string[]
}

/** All cases of all files, in order. */
export function allCases(): MessageCase[] {
  const folder = new URL('cases/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.md') && name !== 'README.md')
  return files.sort().flatMap((file) => casesOf(file, readFileSync(new URL(file, folder), 'utf8')))
}

function casesOf(file: string, text: string): MessageCase[] {
  const cases: MessageCase[] = []
  for (const section of text.split(/^## /m).slice(1)) {
    const title = section.slice(0, section.indexOf('\n'))
    const blocks = [...section.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)]
    const events = blocks.find(([, name]) => name === 'events')
    const messages = blocks.filter(([, name]) => name === 'request' || name === 'response')
    if (events === undefined || messages.length === 0) throw new Error(`${file}: '${title}' lacks bytes or events`)
    const expected = lines(events[3])
    for (const [index, [, name, options, body]] of messages.entries()) {
      const kind = name as MessageCase['kind']
      const words = options.split(' ').filter((word) => word !== '')
      cases.push({ file, title, block: index + 1, kind, options: words, bytes: bytesOf(body), expected })
    }
  }
  return cases
}

const lines = (text: string): string[] => text.split('\n').slice(0, -1)

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }

function bytesOf(body: string): Uint8Array {
  let text = ''
  for (const line of lines(body)) {
    const open = /(?<!\\)(?:\\\\)*\\$/.test(line)
    text += literal(open ? line.slice(0, -1) : line) + (open ? '' : '\r\n')
  }
  return b(text)
}

const literal = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|([rnt0\\]))/g, (_, hex, name) =>
    hex === undefined ? ESCAPES[name] : String.fromCharCode(Number.parseInt(hex, 16)),
  )

const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  text.replace(/[\x00-\x1f\x7f-\xff\\]/g, (one) => {
    const name = Object.keys(ESCAPES).find((key) => ESCAPES[key] === one)
    return name === undefined ? `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}` : `\\${name}`
  })

/** Reads a case in the given pieces; returns what was read, line by line. */
export function readCase(one: MessageCase, pieces: readonly Uint8Array[]): string[] {
  const http = connectionFor(one)
  const out: string[] = []
  let failed = false
  const step = (): void => {
    while (!failed) {
      const event = http.nextEvent()
      if (typeof event === 'string') return
      print(out, event)
      if (event.type === 'closed') return
      if (event.type === 'end') finish(http, out)
    }
  }
  try {
    for (const piece of pieces) {
      http.receiveData(piece.slice())
      step()
    }
    if (one.options.includes('end')) {
      http.receiveEnd()
      step()
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    failed = true
    out.push(`error ${error.status} ${error.reason}`)
  }
  if (failed || out.at(-1) === 'closed') return out
  if (http.theirState === 'switched') out.push('switched')
  else if (!/^(?:next|last)$/.test(out.at(-1) ?? '')) out.push('wait')
  if (http.bufferedBytes > 0) out.push(`left ${http.bufferedBytes}`)
  return out
}

function connectionFor({ kind, options }: MessageCase): HttpConnection {
  const numbers = options.filter((word) => word.includes('=')).map((word) => word.split('='))
  const known = (name: string): boolean => name in DEFAULT_LIMITS
  if (!numbers.every(([name]) => known(name))) throw new Error(`an unknown limit among ${options.join(' ')}`)
  const limits = Object.fromEntries(numbers.map(([name, value]) => [name, Number(value)]))
  const names = Object.keys(STRICT) as (keyof Leniency)[]
  const lenient = Object.fromEntries(names.map((name) => [name, options.includes(name)]))
  const http = new HttpConnection({ role: kind === 'request' ? 'server' : 'client', limits, lenient })
  if (kind === 'response') {
    const method = options.find((word) => /^[A-Z]+$/.test(word)) ?? 'GET'
    const headers = new HeaderList({ Host: 'a:80' })
    if (options.includes('upgrade')) headers.append('Connection', 'Upgrade').append('Upgrade', 'x')
    const version = options.includes('1.0') ? '1.0' : '1.1'
    http.send({ type: 'request', method, target: method === 'CONNECT' ? 'a:80' : '/', version, headers })
    http.send(endEvent())
  }
  return http
}

/** The exchange is over on their side: our server answers, and goes on when the connection persists. */
function finish(http: HttpConnection, out: string[]): void {
  if (http.role === 'server') {
    const headers = new HeaderList({ 'Content-Length': 0 })
    // 501: a CONNECT that is answered with 2xx would end HTTP here.
    http.send({ type: 'response', status: 501, reason: '', version: '1.1', headers })
    http.send(endEvent())
  }
  const persists = http.ourState === 'done' && http.theirState === 'done'
  out.push(persists ? 'next' : 'last')
  if (persists && http.role === 'server') http.startNextCycle()
}

function print(out: string[], event: HttpEvent): void {
  switch (event.type) {
    case 'request':
      out.push(`request ${event.method} ${event.target} ${event.version}`, ...fields(event.headers))
      break
    case 'response':
    case 'informational':
      out.push(`response ${event.status} ${event.version} ${printable(event.reason)}`, ...fields(event.headers))
      break
    case 'data':
      if (out.at(-1)?.startsWith('data ')) out[out.length - 1] += printable(s(event.data))
      else out.push(`data ${printable(s(event.data))}`)
      break
    case 'end':
      out.push('end', ...fields(event.trailers))
      break
    case 'closed':
      out.push('closed')
  }
}

const fields = (headers: HeaderList): string[] => [...headers].map(([name, value]) => `  ${name}: ${printable(value)}`)

/** What was read without the fields that the case does not name, and with `*` where the case has it. */
export function comparable(actual: readonly string[], expected: readonly string[]): string[] {
  const out: string[] = []
  let at = 0
  for (const [index, line] of actual.entries()) {
    if (line.startsWith('  ')) {
      const named = expected[at]?.startsWith('  ') || expected[at - 1]?.startsWith('  ')
      if (!named && !actual[index].startsWith('   ')) continue
    }
    const wanted = expected[at++] ?? ''
    const pattern = wanted.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
    out.push(wanted.includes('*') && new RegExp(`^${pattern}$`).test(line) ? wanted : line)
  }
  return out
}
