// A small DNS server: its own zones, and for all other names what the servers above say.
// Owns: replies to queries, truncation, forwarding. Does not own: sockets, framing on TCP (framing.ts), the zones' rules (zone.ts),
// asking above (exchange.ts). Read first: RFC 1034 §4.3, RFC 6891 §6.2, RFC 2308 §3.

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { CLASS, OPCODE, RCODE, TYPE } from './codes.ts'
import { type ResolverConfig, resolverConfig } from './config.ts'
import { Exchanger } from './exchange.ts'
import {
  CLASSIC_UDP_BYTES,
  createMessage,
  type DnsMessage,
  MAX_MESSAGE_BYTES,
  parseMessage,
  type Question,
  writeMessage,
} from './message.ts'
import { canonicalName, isBelow } from './names.ts'
import type { DnsRecord, SoaData } from './records.ts'
import { Zone, type ZoneOptions } from './zone.ts'

/** How a server is set up. */
export interface DnsServerOptions {
  /** Answered with authority. */
  readonly zones?: readonly ZoneOptions[]
  /** Who is asked for all other names that are asked with RD set; without `servers` they are refused. */
  readonly upstream?: Partial<ResolverConfig>
  /** The longest datagram we send or say that we take, 512 to 4096 octets. Default 1232 (RFC 9715). */
  readonly udpBytes?: number
  readonly random: Random
}

/** What came, and how it was answered. */
export interface DnsServerCounters {
  queries: number
  /** Not answered at all: shorter than a header, or a reply itself. */
  dropped: number
  malformed: number
  authoritative: number
  forwarded: number
  refused: number
  truncated: number
}

/** Most steps of a chain of aliases through own zones. */
const MAX_ALIASES = 16

/** A server. Questions for the servers above go through `exchanger`. */
export class DnsServer {
  readonly exchanger: Exchanger
  readonly counters: DnsServerCounters = {
    queries: 0,
    dropped: 0,
    malformed: 0,
    authoritative: 0,
    forwarded: 0,
    refused: 0,
    truncated: 0,
  }
  readonly #zones: readonly Zone[]
  readonly #udpBytes: number
  readonly #isForwarder: boolean

  /** @throws {TypeError | RangeError} for a zone that is none, or settings out of their bounds */
  constructor(options: DnsServerOptions) {
    const config = resolverConfig(options.upstream)
    this.#udpBytes = options.udpBytes ?? 1232
    if (!(this.#udpBytes >= 512 && this.#udpBytes <= 4096)) {
      throw new RangeError(`udpBytes must be from 512 to 4096, not ${this.#udpBytes}`)
    }
    // The deepest zone that holds a name answers for it.
    this.#zones = (options.zones ?? []).map((zone) => new Zone(zone)).sort((a, b) => b.origin.length - a.origin.length)
    this.#isForwarder = config.servers.length > 0
    this.exchanger = new Exchanger(config, options.random)
  }

  /** A query came. `reply` is called at most once, now or from a later call of the exchanger. `bytes` are only read. */
  handleQuery(bytes: Uint8Array, via: 'udp' | 'tcp', now: Micros, reply: (bytes: Uint8Array) => void): void {
    const query = createMessage()
    const verdict = parseMessage(bytes, query)
    this.counters.queries++
    if (bytes.length < 12 || query.isResponse) {
      this.counters.dropped++
      return
    }
    const send = (message: DnsMessage): void => reply(this.#write(message, query, via))
    const answer = createMessage({
      id: query.id,
      isResponse: true,
      opcode: query.opcode,
      recursionDesired: query.recursionDesired,
      recursionAvailable: this.#isForwarder,
      checkingDisabled: query.checkingDisabled,
      questions: query.questions.slice(0, 1),
    })
    const rcode = this.#refusal(query, verdict === 'ok')
    if (rcode !== RCODE.NOERROR) {
      send({ ...answer, rcode })
      return
    }
    const [question] = query.questions
    const zone = question.class === CLASS.IN && question.type !== TYPE.AXFR ? this.#zoneOf(question.name) : null
    if (zone !== null) {
      this.counters.authoritative++
      this.#answer(zone, question, answer)
      send(answer)
    } else if (this.#isForwarder && query.recursionDesired && question.type !== TYPE.AXFR) {
      this.#forward(query, answer, send, now)
    } else {
      this.counters.refused++
      send({ ...answer, rcode: RCODE.REFUSED })
    }
  }

  #refusal(query: DnsMessage, isReadable: boolean): number {
    if (query.opcode !== OPCODE.QUERY) return RCODE.NOTIMP
    if (!isReadable || query.questions.length !== 1) {
      this.counters.malformed++
      return RCODE.FORMERR
    }
    return query.edns !== null && query.edns.version > 0 ? RCODE.BADVERS : RCODE.NOERROR
  }

  #zoneOf(name: string): Zone | null {
    const small = canonicalName(name)
    return this.#zones.find(({ origin }) => isBelow(small, origin)) ?? null
  }

  #answer(first: Zone, question: Question, answer: DnsMessage): void {
    let zone: Zone | null = first
    let name = question.name
    answer.authoritative = true
    for (let steps = 0; zone !== null && steps <= MAX_ALIASES; steps++) {
      const said = zone.find(name, question.type)
      if (said.kind === 'referral') {
        answer.authorities.push(...said.records)
        answer.additionals.push(...zone.addresses(targets(said.records)))
        // RFC 2181 §6.1: the parent's word about a child is not authority; but an alias before it was.
        answer.authoritative = answer.answers.length > 0
        return
      }
      if (said.kind === 'nodata' || said.kind === 'nxdomain') {
        // RFC 6604 §3: the code is that of the last name of the chain.
        if (said.kind === 'nxdomain') answer.rcode = RCODE.NXDOMAIN
        answer.authorities.push(negativeSoa(zone))
        return
      }
      answer.answers.push(...said.records)
      if (said.kind === 'ok') {
        answer.additionals.push(...zone.addresses(targets(said.records)))
        return
      }
      name = said.target
      zone = this.#zoneOf(name)
    }
    if (zone !== null) Object.assign(answer, { rcode: RCODE.SERVFAIL, answers: [] })
  }

  #forward(query: DnsMessage, answer: DnsMessage, send: (message: DnsMessage) => void, now: Micros): void {
    this.counters.forwarded++
    const flags = { checkingDisabled: query.checkingDisabled, authenticData: query.authenticData }
    this.exchanger.ask(query.questions[0], flags, now, (reply) => {
      if (reply === null) {
        send({ ...answer, rcode: RCODE.SERVFAIL })
        return
      }
      const { rcode, answers, authorities, additionals, authenticData } = reply
      // What EDNS said above holds for that way only; its codes beyond 4 bits mean nothing to the client (RFC 6891 §7).
      send({
        ...answer,
        rcode: rcode > 15 ? RCODE.SERVFAIL : rcode,
        authenticData: authenticData && query.authenticData,
        answers,
        authorities,
        additionals,
      })
    })
  }

  #write(message: DnsMessage, query: DnsMessage, via: 'udp' | 'tcp'): Uint8Array {
    // RFC 6891 §7: OPT only in reply to OPT.
    const edns =
      query.edns === null ? null : { udpBytes: this.#udpBytes, version: 0, dnssecOk: query.edns.dnssecOk, options: [] }
    const most = Math.max(CLASSIC_UDP_BYTES, Math.min(query.edns?.udpBytes ?? CLASSIC_UDP_BYTES, this.#udpBytes))
    const bytes = writeMessage({ ...message, edns }, via === 'udp' ? most : MAX_MESSAGE_BYTES)
    if ((bytes[2] & 2) !== 0) this.counters.truncated++
    return bytes
  }
}

function targets(records: readonly DnsRecord[]): string[] {
  return records.flatMap(({ type, data }) => {
    if (data.kind === 'mx') return [data.exchange]
    if (data.kind === 'srv') return [data.target]
    return data.kind === 'name' && type === TYPE.NS ? [data.target] : []
  })
}

// RFC 2308 §3: the SOA of a negative answer has the lesser of its TTL and its minimum.
function negativeSoa(zone: Zone): DnsRecord {
  const soa = zone.soa as DnsRecord
  return { ...soa, ttlS: Math.min(soa.ttlS, (soa.data as SoaData).minimumS) }
}
