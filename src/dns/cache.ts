// Answers that may be given again until their time is over, "there is none" among them.
// Owns: what is kept, for how long, how many. Does not own: asking (resolver.ts). Read first: RFC 2308 §5, RFC 2181 §8.
// A "no such name" holds for all types of the name (RFC 2308 §5), so it has a key of its own.

import { type Micros, SECOND } from '../base/time.ts'
import type { Answer } from './answer.ts'
import type { Question } from './message.ts'
import { canonicalName } from './names.ts'
import type { DnsRecord } from './records.ts'

interface Entry {
  readonly answer: Answer
  readonly sinceUs: Micros
  readonly untilUs: Micros
}

/** Bounds of a cache; ResolverConfig has them all. */
export interface CacheBounds {
  readonly cacheEntries: number
  readonly maxTtlS: number
  readonly maxNegativeTtlS: number
}

/** The least recently used answer goes when there are too many. */
export class DnsCache {
  readonly #entries = new Map<string, Entry>()
  readonly #bounds: CacheBounds

  constructor(bounds: CacheBounds) {
    this.#bounds = bounds
  }

  /** Answers held, those that are out of date included. */
  get size(): number {
    return this.#entries.size
  }

  /** The answer, with the TTLs that are left, or null. */
  get(question: Question, now: Micros): Answer | null {
    return this.#find(keyOf(question), question, now) ?? this.#find(nameKey(question), question, now)
  }

  #find(key: string, question: Question, now: Micros): Answer | null {
    const entry = this.#entries.get(key)
    if (entry === undefined) return null
    this.#entries.delete(key)
    if (now >= entry.untilUs) return null
    this.#entries.set(key, entry)
    const ageS = Math.floor((now - entry.sinceUs) / SECOND)
    const aged = (record: DnsRecord): DnsRecord => ({ ...record, ttlS: Math.max(0, record.ttlS - ageS) })
    const { answer } = entry
    return {
      ...answer,
      question,
      canonical: answer.aliases.length === 0 ? question.name : answer.canonical,
      records: answer.records.map(aged),
      aliases: answer.aliases.map(aged),
      ttlS: Math.ceil((entry.untilUs - now) / SECOND),
      isCached: true,
      message: null,
    }
  }

  /** Keeps an answer, when it may be kept. */
  put(answer: Answer, now: Micros): void {
    const { kind, question } = answer
    const { cacheEntries, maxTtlS, maxNegativeTtlS } = this.#bounds
    if (kind !== 'ok' && kind !== 'nodata' && kind !== 'nxdomain') return
    const ttlS = Math.min(answer.ttlS, kind === 'ok' ? maxTtlS : maxNegativeTtlS)
    if (ttlS <= 0 || cacheEntries === 0) return
    // With aliases, the name that does not exist is the last one; the question's own does, as an alias.
    const key = kind === 'nxdomain' && answer.aliases.length === 0 ? nameKey(question) : keyOf(question)
    this.#entries.delete(key)
    this.#entries.set(key, { answer: { ...answer, message: null }, sinceUs: now, untilUs: now + ttlS * SECOND })
    while (this.#entries.size > cacheEntries) this.#entries.delete(this.#entries.keys().next().value as string)
  }

  /** Forgets all. */
  clear(): void {
    this.#entries.clear()
  }
}

function keyOf(question: Question): string {
  return `${question.type}/${question.class}/${canonicalName(question.name)}`
}

function nameKey(question: Question): string {
  return `*/${question.class}/${canonicalName(question.name)}`
}
