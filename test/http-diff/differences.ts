// Where our reading of a request differs from Node's and nginx's, and why that is so; docs/http-differences.md tells it at length.
// Owns: the list, and looking through streams for anything that is not on it. Does not own: the other parsers.

import { type Random, SeededRandom } from '../../src/base/random.ts'
import { compareReadings, type Difference } from './compare.ts'
import { bend, Choice, generateStream } from './generate.ts'
import { generateValid } from './grammar.ts'
import { readByNode, readByOurs } from './parsers.ts'

/** What we take and Node's strict parser refuses, by its code. Anything else is a finding. */
export const ACCEPTED: Readonly<Record<string, string>> = {
  HPE_INVALID_VERSION: 'a higher minor version (HTTP/1.2) is read as 1.1 (RFC 9110 §2.5)',
  HPE_INVALID_METHOD: 'any token is a method (RFC 9110 §9.1); the handler answers 501 to one that it does not know',
  HPE_INVALID_CHUNK_SIZE: 'whitespace before the semicolon of a chunk extension (RFC 9112 §7.1.1)',
  HPE_STRICT: 'whitespace in a chunk extension, behind the semicolon and around the equals sign (RFC 9112 §7.1.1)',
  HPE_INVALID_CONTENT_LENGTH: 'a Content-Length in a trailer counts for nothing (RFC 9110 §6.5.1)',
  HPE_INVALID_TRANSFER_ENCODING: 'a Transfer-Encoding in a trailer counts for nothing (RFC 9110 §6.5.1)',
  HPE_UNEXPECTED_CONTENT_LENGTH: 'a Content-Length in a trailer counts for nothing (RFC 9110 §6.5.1)',
  HPE_INVALID_URL: 'a scheme may hold digits, +, - and . (RFC 3986 §3.1)',
  HPE_CLOSED_CONNECTION: 'a Connection in a trailer counts for nothing (RFC 9110 §6.5.1)',
  HPE_AFTER_UPGRADE: 'as the others, behind a request that proposes another protocol',
}

/** What was found, of one kind. */
export interface Finding {
  readonly key: string
  count: number
  /** The shortest stream that shows it. */
  stream: string
}

/** The sum of a search. */
export interface SearchResult {
  streams: number
  messages: number
  /** By parser, kind and reason, known or not. */
  readonly findings: Map<string, Finding>
  /** Keys that nothing explains. */
  readonly unknown: Set<string>
}

/** An empty sum. */
export const emptyResult = (): SearchResult => ({ streams: 0, messages: 0, findings: new Map(), unknown: new Set() })

/** Compares readings of generated streams until `more` says no; the seed decides them all. */
export function searchNode(seed: number, more: (streams: number) => boolean, into = emptyResult()): SearchResult {
  const random = new SeededRandom(seed)
  while (more(into.streams)) {
    into.streams++
    into.messages += compareWithNode(nextStream(random, into), into)
  }
  return into
}

/** One in two comes from the grammar: as it is, or bent at one place. What is as the grammar has it we must read whole. */
function nextStream(random: Random, into: SearchResult): string {
  if (into.streams % 2 === 0) return generateStream(random)
  const { text, messages } = generateValid(random)
  const choice = new Choice(random)
  if (choice.oneIn(2)) return bend(text, choice)
  const { requests, end } = readByOurs(Buffer.from(text, 'latin1'))
  if (requests.filter(({ complete }) => complete).length === messages && (end === 'open' || end === 'closed'))
    return text
  const difference = {
    kind: 'desync',
    what: `by the grammar there are ${messages} requests, we read ${requests.length} (${end})`,
  } as const
  note(into, 'grammar', difference, text)
  return text
}

/** Compares one stream; returns how many messages we saw in it. */
export function compareWithNode(text: string, into: SearchResult): number {
  const bytes = Buffer.from(text, 'latin1')
  const ours = readByOurs(bytes)
  for (const mode of ['strict', 'lenient'] as const) {
    const other = readByNode(bytes, mode === 'lenient')
    let difference = compareReadings(ours, other)
    // A line that has not ended may still be refused: end it.
    if (difference?.kind === 'desync' && ours.end === 'open') {
      const decided = readByOurs(Buffer.from(`${text}\r\n\r\n`, 'latin1'))
      if (decided.end !== 'open' && decided.end !== 'closed') difference = { kind: 'refuses', what: decided.end }
    }
    if (difference !== null) note(into, mode, difference, text)
  }
  return ours.requests.length
}

/** A chunk header whose extensions have whitespace between their parts (RFC 9112 §7.1.1, BWS). */
export const WIDE_EXTENSION = /\n[0-9A-Fa-f]+(?:[ \t]+;|;[ \t]|;[^\r\n]*(?:[ \t][;=]|[;=][ \t]))/

/** Of these only the one kind. */
const ONLY: Readonly<Record<string, RegExp>> = {
  HPE_INVALID_URL: / [A-Za-z]+[0-9+.-][A-Za-z0-9+.-]*:\/\//,
  HPE_STRICT: WIDE_EXTENSION,
}
const isAccepted = (what: string, text: string): boolean => what in ACCEPTED && (ONLY[what]?.test(text) ?? true)

function note(into: SearchResult, mode: string, difference: NonNullable<Difference>, text: string): void {
  const key = `${mode} ${difference.kind} ${difference.what}`
  const found = into.findings.get(key)
  if (found === undefined) into.findings.set(key, { key, count: 1, stream: text })
  else {
    found.count++
    if (text.length < found.stream.length) found.stream = text
  }
  const isKnown = difference.kind === 'accepts' ? isAccepted(difference.what, text) : difference.kind !== 'desync'
  if (!isKnown) into.unknown.add(key)
}
