// What a message says about the question: which records, along which aliases, or why there are none.
// Owns: Answer, readAnswer. Does not own: whether the message is to be believed (exchange.ts), asking again (resolver.ts).
// Read first: RFC 2308 §2 (the forms of "no"), RFC 1034 §3.6.2 (aliases), RFC 6604 (codes of a chain).

import { CLASS, RCODE, TYPE } from './codes.ts'
import type { DnsMessage, Question } from './message.ts'
import { canonicalName, isBelow, sameName } from './names.ts'
import type { DnsRecord, SoaData } from './records.ts'

/**
 * How a question ended. `nodata`: the name is there, this type is not. `timeout`: no server answered. `loop`: aliases that end nowhere.
 * `failed`: another code (FORMERR, NOTIMP, ...), or no server to ask.
 */
export type AnswerKind = 'ok' | 'nodata' | 'nxdomain' | 'servfail' | 'refused' | 'timeout' | 'loop' | 'failed'

/** The end of a question. */
export interface Answer {
  readonly kind: AnswerKind
  /** What was asked. */
  readonly question: Question
  /** The name at the end of the aliases; the question's own without any. */
  readonly canonical: string
  /** Records of the type that was asked, of `canonical`; empty unless 'ok'. */
  readonly records: readonly DnsRecord[]
  /** The CNAME records on the way, in order. */
  readonly aliases: readonly DnsRecord[]
  /** For how long this may be kept, in seconds; 0: not at all. */
  readonly ttlS: number
  /** Whether it comes out of the cache; its records' TTLs are what is left then. */
  readonly isCached: boolean
  /** The message of the last server; null when none answered, or out of the cache. */
  readonly message: DnsMessage | null
}

/** An answer with nothing in it. */
export function emptyAnswer(kind: AnswerKind, question: Question, message: DnsMessage | null = null): Answer {
  return {
    kind,
    question,
    canonical: question.name,
    records: [],
    aliases: [],
    ttlS: 0,
    isCached: false,
    message,
  }
}

/** What the aliases of a message lead to, and what it says about that. `more`: it ends at an alias and says no more. */
export interface ReadAnswer extends Omit<Answer, 'kind'> {
  readonly kind: AnswerKind | 'more'
}

/**
 * Reads a reply to `question`. `maxAliases` bounds the chain. Only records along the chain count: others, whatever they say, do not (RFC
 * 5452 §6, RFC 2181 §5.4.1).
 */
export function readAnswer(message: DnsMessage, question: Question, maxAliases: number): ReadAnswer {
  const base = emptyAnswer('failed', question, message)
  const { rcode } = message
  if (rcode === RCODE.SERVFAIL) return { ...base, kind: 'servfail' }
  if (rcode === RCODE.REFUSED) return { ...base, kind: 'refused' }
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return base
  const aliases: DnsRecord[] = []
  let canonical = question.name
  let records: DnsRecord[] = []
  for (;;) {
    const own = message.answers.filter((r) => r.class === CLASS.IN && sameName(r.name, canonical))
    records = own.filter((r) => r.type === question.type || question.type === TYPE.ANY)
    const alias = own.find((r) => r.type === TYPE.CNAME)
    if (records.length > 0 || alias === undefined || alias.data.kind !== 'name') break
    if (aliases.length >= maxAliases) return { ...base, kind: 'loop', aliases }
    aliases.push(alias)
    canonical = alias.data.target
    const end = canonical
    if (sameName(end, question.name) || aliases.some((r) => sameName(r.name, end)))
      return { ...base, kind: 'loop', aliases }
  }
  const found = { ...base, canonical, aliases }
  if (records.length > 0) {
    return { ...found, kind: 'ok', records, ttlS: Math.min(...[...records, ...aliases].map((r) => r.ttlS)) }
  }
  const soa = soaAbove(message, canonical)
  // RFC 6604 §3: the code of a chain is that of its last name.
  if (rcode === RCODE.NOERROR && aliases.length > 0 && soa === null) return { ...found, kind: 'more' }
  const ttlS = soa === null ? 0 : Math.min(...[soa, ...aliases].map((r) => r.ttlS), (soa.data as SoaData).minimumS)
  return { ...found, kind: rcode === RCODE.NXDOMAIN ? 'nxdomain' : 'nodata', ttlS }
}

// RFC 2308 §3, §5: a "no" is kept for the lesser of the SOA's TTL and its minimum, and not at all without one.
function soaAbove(message: DnsMessage, name: string): DnsRecord | null {
  const small = canonicalName(name)
  const isAbove = (r: DnsRecord): boolean => r.data.kind === 'soa' && isBelow(small, canonicalName(r.name))
  return message.authorities.find(isAbove) ?? null
}

/** Whether the reply only sends us to other servers, which a stub does not follow (RFC 1034 §4.3.1): the server will not look for us. */
export function isReferral(message: DnsMessage): boolean {
  const { rcode, answers, authorities, authoritative, recursionAvailable } = message
  if (rcode !== RCODE.NOERROR || answers.length > 0 || authoritative || recursionAvailable) return false
  return authorities.some((r) => r.type === TYPE.NS) && !authorities.some((r) => r.type === TYPE.SOA)
}
