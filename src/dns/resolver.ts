// A stub resolver: names to records and addresses, addresses to names.
// Owns: aliases that a server left open, the search list, hosts, the cache, asking for both families at once, equal questions asked once.
// Does not own: servers and retries (exchange.ts), sockets, what time it is. Read first: RFC 1123 §6.1.3, RFC 2308, resolv.conf(5).

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { IpAddress, parseAddress } from '../ip/address.ts'
import { type Answer, type AnswerKind, emptyAnswer, readAnswer } from './answer.ts'
import { DnsCache } from './cache.ts'
import { CLASS, TYPE } from './codes.ts'
import { HostsTable, type ResolverConfig, resolverConfig } from './config.ts'
import { Exchanger } from './exchange.ts'
import type { Question } from './message.ts'
import { canonicalName, countDots, isBelow, isName, nameLabels } from './names.ts'
import type { DnsRecord } from './records.ts'

/** Why a lookup found nothing, with getaddrinfo's codes as Node has them. */
export type LookupCode = 'ENOTFOUND' | 'EAI_AGAIN' | 'EAI_FAIL'

/** What a lookup found: addresses, the names' order of families kept apart (`sortFamilies`), or a code. */
export interface LookupResult {
  readonly addresses: readonly IpAddress[]
  readonly code: LookupCode | null
}

/** In which order a lookup's addresses come: as the servers said (IPv6 first), or by family. Node's `dns.lookup` has these names. */
export type AddressOrder = 'verbatim' | 'ipv4first' | 'ipv6first'

interface Running {
  readonly waiters: Set<(answer: Answer, now: Micros) => void>
  cancel: () => void
}

/** A resolver. Its events and replies go through `exchanger`. */
export class Resolver {
  /** Where events come from and what arrives goes to. */
  readonly exchanger: Exchanger
  readonly config: ResolverConfig
  readonly hosts: HostsTable
  readonly cache: DnsCache
  readonly #running = new Map<string, Running>()

  /** @throws {RangeError | TypeError} for settings out of their bounds */
  constructor(options: { config?: Partial<ResolverConfig>; hosts?: HostsTable; random: Random }) {
    this.config = resolverConfig(options.config)
    this.hosts = options.hosts ?? new HostsTable()
    this.cache = new DnsCache(this.config)
    this.exchanger = new Exchanger(this.config, options.random)
  }

  /**
   * Asks for records of one name and type, as it is: no search list, no hosts. `done` is called once, perhaps before this returns.
   * Returns what takes the question back; `done` is not called then.
   * @throws {TypeError} for a name that is none
   */
  resolve(name: string, type: number, now: Micros, done: (answer: Answer, now: Micros) => void): () => void {
    if (!isName(name)) throw new TypeError(`'${name}' is no domain name: labels of 1 to 63 octets, 255 in all`)
    const question = { name: withoutDot(name), type, class: CLASS.IN }
    const special = specialAnswer(question) ?? this.cache.get(question, now)
    if (special !== null) {
      done(special, now)
      return () => undefined
    }
    // RFC 5452 §5: the same question under way twice is twice as easy to forge an answer to.
    const key = `${type}/${canonicalName(name)}`
    let running = this.#running.get(key)
    const isNew = running === undefined
    if (running === undefined) {
      running = { waiters: new Set(), cancel: () => undefined }
      this.#running.set(key, running)
    }
    const { waiters } = running
    waiters.add(done)
    if (isNew) this.#ask(question, question, [], running, now, key)
    const mine = running
    return () => {
      if (!waiters.delete(done) || waiters.size > 0 || this.#running.get(key) !== mine) return
      this.#running.delete(key)
      mine.cancel()
    }
  }

  #ask(
    asked: Question,
    original: Question,
    before: readonly DnsRecord[],
    running: Running,
    now: Micros,
    key: string,
  ): void {
    running.cancel = this.exchanger.ask(asked, {}, now, (reply, _source, at) => {
      let answer: Answer
      if (reply === null) answer = emptyAnswer(this.config.servers.length === 0 ? 'failed' : 'timeout', original)
      else {
        const read = readAnswer(reply, asked, this.config.maxAliases - before.length)
        const aliases = [...before, ...read.aliases]
        const seen = new Set(aliases.map((r) => canonicalName(r.name)))
        if (
          read.kind === 'more' &&
          aliases.length < this.config.maxAliases &&
          !seen.has(canonicalName(read.canonical))
        ) {
          // A server that does not recurse leaves us at an alias (RFC 1034 §5.2.2).
          this.#ask({ ...asked, name: read.canonical }, original, aliases, running, at, key)
          return
        }
        const ttlS = Math.min(read.ttlS, ...before.map((r) => r.ttlS))
        const kind = read.kind === 'more' ? 'loop' : read.kind
        answer = { ...read, kind, question: original, aliases, ttlS }
        this.cache.put(answer, at)
      }
      this.#running.delete(key)
      for (const waiter of running.waiters) waiter(answer, at)
    })
  }

  /**
   * Looks a name up as getaddrinfo does: an address in digits, hosts, the search list, both families at once unless `family` says which.
   * `done` is called once, perhaps before this returns. Returns what takes it back.
   */
  lookup(name: string, family: 0 | 4 | 6, now: Micros, done: (result: LookupResult, now: Micros) => void): () => void {
    const local = this.#localAddresses(name)
    if (local.length > 0) {
      done(found(local.filter((address) => family === 0 || address.family === family)), now)
      return () => undefined
    }
    if (!isName(name) || name === '' || name === '.') {
      done({ addresses: [], code: 'ENOTFOUND' }, now)
      return () => undefined
    }
    const types = family === 0 ? [TYPE.AAAA, TYPE.A] : [family === 4 ? TYPE.A : TYPE.AAAA]
    const walk = new SearchWalk(this, this.#candidates(name), types, done)
    walk.next(now)
    return () => walk.cancel()
  }

  #localAddresses(name: string): readonly IpAddress[] {
    const literal = parseAddress(name)
    if (literal !== null) return [literal]
    const hosts = this.hosts.addresses(name)
    return hosts.length > 0 ? hosts : localhostAddresses(canonicalName(name))
  }

  // resolv.conf(5), and res_search: with enough dots the name itself goes first, otherwise last.
  #candidates(name: string): string[] {
    if (name.endsWith('.') && !name.endsWith('\\.')) return [withoutDot(name)]
    const searched = this.config.search.map((domain) => `${name}.${domain}`).filter(isName)
    return countDots(name) >= this.config.ndots ? [name, ...searched] : [...searched, name]
  }

  /** The names of an address: from hosts, or PTR records. `done` is called once, perhaps before this returns. */
  reverse(address: IpAddress, now: Micros, done: (answer: Answer, names: readonly string[]) => void): () => void {
    const name = reverseName(address)
    const known = this.hosts.names(address)
    if (known.length > 0) {
      done(emptyAnswer('ok', { name, type: TYPE.PTR, class: CLASS.IN }), known)
      return () => undefined
    }
    return this.resolve(name, TYPE.PTR, now, (answer) =>
      done(
        answer,
        answer.records.flatMap(({ data }) => (data.kind === 'name' ? [data.target] : [])),
      ),
    )
  }
}

/** One name after the other, each with all types at once. */
class SearchWalk {
  readonly #resolver: Resolver
  readonly #names: string[]
  readonly #types: readonly number[]
  readonly #done: (result: LookupResult, now: Micros) => void
  #cancels: (() => void)[] = []
  #worst: AnswerKind = 'nxdomain'
  #isOver = false

  constructor(
    resolver: Resolver,
    names: string[],
    types: readonly number[],
    done: (result: LookupResult, now: Micros) => void,
  ) {
    this.#resolver = resolver
    this.#names = names
    this.#types = types
    this.#done = done
  }

  next(now: Micros): void {
    const name = this.#names.shift()
    if (name === undefined) {
      this.#end({ addresses: [], code: lookupCode(this.#worst) }, now)
      return
    }
    const answers: (Answer | null)[] = this.#types.map(() => null)
    this.#cancels = []
    for (const [i, type] of this.#types.entries()) {
      const cancel = this.#resolver.resolve(name, type, now, (answer, at) => {
        answers[i] = answer
        if (answers.every((a) => a !== null)) this.#judge(answers as Answer[], at)
      })
      this.#cancels.push(cancel)
    }
  }

  #judge(answers: readonly Answer[], now: Micros): void {
    if (this.#isOver) return
    const addresses = answers.flatMap(({ records }) =>
      records.flatMap(({ data }) => (data.kind === 'address' ? [data.address] : [])),
    )
    const kinds = answers.map(({ kind }) => kind)
    if (addresses.length > 0) this.#end({ addresses, code: null }, now)
    else if (kinds.includes('timeout') || kinds.includes('failed')) {
      // Nobody answers: other names would not fare better (res_search stops here too).
      this.#end({ addresses: [], code: 'EAI_AGAIN' }, now)
    } else {
      // res_search: a name that may be there after all counts more than those that are not.
      const bad = kinds.find((kind) => lookupCode(kind) !== 'ENOTFOUND')
      if (bad !== undefined) this.#worst = bad
      this.next(now)
    }
  }

  #end(result: LookupResult, now: Micros): void {
    this.#isOver = true
    this.#done(result, now)
  }

  cancel(): void {
    this.#isOver = true
    for (const cancel of this.#cancels) cancel()
  }
}

function found(addresses: readonly IpAddress[]): LookupResult {
  return { addresses, code: addresses.length > 0 ? null : 'ENOTFOUND' }
}

/** getaddrinfo's code for a question that ended so: EAI_AGAIN when asking later may help. */
export function lookupCode(kind: AnswerKind): LookupCode {
  if (kind === 'nxdomain' || kind === 'nodata' || kind === 'ok') return 'ENOTFOUND'
  return kind === 'loop' ? 'EAI_FAIL' : 'EAI_AGAIN'
}

/** Addresses in the order of Node's `dns.lookup`; within a family as they came. */
export function sortFamilies(addresses: readonly IpAddress[], order: AddressOrder): IpAddress[] {
  if (order === 'verbatim') return [...addresses]
  const first = order === 'ipv4first' ? 4 : 6
  return [...addresses.filter(({ family }) => family === first), ...addresses.filter(({ family }) => family !== first)]
}

/** Where an address has its names: `1.2.0.192.in-addr.arpa`, or 32 digits under ip6.arpa (RFC 1035 §3.5, RFC 3596 §2.5). */
export function reverseName(address: IpAddress): string {
  const bytes = new Uint8Array(address.family === 4 ? 4 : 16)
  address.write(bytes, 0)
  if (address.family === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`
  const digits = [...bytes].flatMap((byte) => [byte >>> 4, byte & 15]).map((digit) => digit.toString(16))
  return `${digits.reverse().join('.')}.ip6.arpa`
}

// RFC 6761 §6.3: localhost and what is below it never leave the host.
function localhostAddresses(name: string): readonly IpAddress[] {
  return isBelow(name, 'localhost') ? [IpAddress.parse('::1'), IpAddress.parse('127.0.0.1')] : []
}

function specialAnswer(question: Question): Answer | null {
  const name = canonicalName(question.name)
  // RFC 6761 §6.4: nothing is below 'invalid'.
  if (isBelow(name, 'invalid')) return emptyAnswer('nxdomain', question)
  const addresses = localhostAddresses(name)
  if (addresses.length === 0) return null
  const family = question.type === TYPE.A ? 4 : question.type === TYPE.AAAA ? 6 : 0
  const records = addresses
    .filter((address) => address.family === family)
    .map((address) => ({ ...question, ttlS: 0, data: { kind: 'address' as const, address } }))
  return { ...emptyAnswer(records.length > 0 ? 'ok' : 'nodata', question), records }
}

function withoutDot(name: string): string {
  return (nameLabels(name)?.length ?? 0) > 0 && name.endsWith('.') && !name.endsWith('\\.')
    ? name.slice(0, -1)
    : name === '.'
      ? ''
      : name
}
