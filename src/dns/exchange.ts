// Questions under way: which server next, over what, for how long, and which replies are believed.
// Owns: retries, several servers, TCP for truncated replies, EDNS and doing without it. Does not own: what a reply says (answer.ts),
// sockets: it asks for them with events, and is told what came.
// Read first: RFC 5452 §9 (what a reply must match), RFC 7766 §5, RFC 6891 §6.2.2, resolv.conf(5).
// Invariant: every datagram goes out of a socket of its own, so that each has a port drawn by chance (RFC 5452 §9.2).

import type { Random } from '../base/random.ts'
import { type Micros, SECOND } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { isReferral } from './answer.ts'
import { RCODE, typeName } from './codes.ts'
import type { ResolverConfig, ServerAddress } from './config.ts'
import { FrameReader, frameMessage } from './framing.ts'
import { createMessage, type DnsMessage, parseMessage, type Question, writeMessage } from './message.ts'
import { sameName } from './names.ts'

/** What has to be done outside. `id` names a socket or a stream from its first event to its 'close'. */
export type ExchangeEvent =
  /** Open a UDP socket on a port by chance, and send this to the server. Tell handleDatagram what comes. */
  | { readonly kind: 'datagram'; readonly id: number; readonly to: ServerAddress; readonly bytes: Uint8Array }
  /** Open a TCP connection to the server, and write this. Tell handleStream what comes. */
  | { readonly kind: 'stream'; readonly id: number; readonly to: ServerAddress; readonly bytes: Uint8Array }
  /** Close it; nothing that comes on it counts any more. */
  | { readonly kind: 'close'; readonly id: number }

/** Where a reply came from, over what, and how long it was in octets. */
export interface ReplySource {
  readonly server: ServerAddress
  readonly isStream: boolean
  readonly bytes: number
}

/** How a question ended: the reply and its source, or null twice when no server gave one. */
export type Asked = (reply: DnsMessage | null, source: ReplySource | null, now: Micros) => void

/** What became of replies, and how often questions went out. */
export interface ExchangeCounters {
  questions: number
  datagramsSent: number
  streamsOpened: number
  /** Replies that were believed. */
  replies: number
  /** Datagrams for no question under way. */
  strays: number
  /** Not from the server's address and port. */
  wrongServer: number
  /** With another id, another question, or not a reply at all. */
  wrongQuestion: number
  /** That could not be read. */
  malformed: number
  timeouts: number
}

interface Channel {
  readonly exchange: Exchange
  readonly server: ServerAddress
  readonly queryId: number
  readonly question: Question
  readonly frames: FrameReader | null
  readonly hasEdns: boolean
  /** Whether a reply must have the question's very letters (0x20). */
  readonly isExact: boolean
}

interface Exchange {
  readonly question: Question
  readonly flags: Partial<DnsMessage>
  readonly done: Asked
  /** Index of the first server, which `rotate` moves. */
  readonly offset: number
  /** Tries so far: round = step / servers. */
  step: number
  deadline: Micros
  /** Servers that answered FORMERR to EDNS, by index. */
  readonly withoutEdns: Set<number>
  /** The last reply that was no answer (SERVFAIL, REFUSED, ...), kept for when there is no better. */
  poor: { reply: DnsMessage; source: ReplySource } | null
  /** Sockets and streams that are open: late replies to earlier tries are welcome. */
  readonly channels: Set<number>
  /** The one of the last try. */
  current: number
}

/** Codes with which the next server is asked, as glibc does. */
const POOR: readonly number[] = [RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED, RCODE.FORMERR, RCODE.BADVERS]

/** Asks servers. */
export class Exchanger {
  readonly counters: ExchangeCounters = {
    questions: 0,
    datagramsSent: 0,
    streamsOpened: 0,
    replies: 0,
    strays: 0,
    wrongServer: 0,
    wrongQuestion: 0,
    malformed: 0,
    timeouts: 0,
  }
  readonly #config: ResolverConfig
  readonly #random: Random
  readonly #exchanges = new Set<Exchange>()
  readonly #channels = new Map<number, Channel>()
  readonly #events: ExchangeEvent[] = []
  #nextChannel = 1
  #nextOffset = 0

  constructor(config: ResolverConfig, random: Random) {
    this.#config = config
    this.#random = random
  }

  /** Questions under way. */
  get size(): number {
    return this.#exchanges.size
  }

  /**
   * Asks the servers in turn until one answers. `flags` go into the header. `done` is called once, from a later handle call or, with no
   * server to ask, from this one. Returns what takes the question back.
   * @throws {TypeError} for a name that is none
   */
  ask(question: Question, flags: Partial<DnsMessage>, now: Micros, done: Asked): () => void {
    const { servers, rotate, maxQuestions } = this.#config
    if (servers.length === 0 || this.#exchanges.size >= maxQuestions) {
      done(null, null, now)
      return () => undefined
    }
    const exchange: Exchange = {
      question,
      flags,
      done,
      offset: rotate ? this.#nextOffset++ % servers.length : 0,
      step: 0,
      deadline: Number.POSITIVE_INFINITY,
      withoutEdns: new Set(),
      poor: null,
      channels: new Set(),
      current: -1,
    }
    this.counters.questions++
    this.#exchanges.add(exchange)
    this.#send(exchange, this.#config.tcpOnly, now)
    return () => this.#forget(exchange)
  }

  /** What is to be done outside; null when there is nothing more now. */
  pollEvent(): ExchangeEvent | null {
    return this.#events.shift() ?? null
  }

  /** When handleTimeout has to be called. */
  nextDeadline(): Micros {
    let deadline = Number.POSITIVE_INFINITY
    for (const exchange of this.#exchanges) deadline = Math.min(deadline, exchange.deadline)
    return deadline
  }

  /** Time has come to `now`. */
  handleTimeout(now: Micros): void {
    for (const exchange of [...this.#exchanges]) {
      if (now < exchange.deadline || !this.#exchanges.has(exchange)) continue
      this.counters.timeouts++
      this.#next(exchange, now)
    }
  }

  /** A datagram came on socket `id`. `bytes` are only read. */
  handleDatagram(id: number, from: IpAddress, port: number, bytes: Uint8Array, now: Micros): void {
    const channel = this.#channels.get(id)
    if (channel === undefined || channel.frames !== null) {
      this.counters.strays++
      return
    }
    // RFC 5452 §9.1: the reply comes from where the question went.
    if (port !== channel.server.port || !from.equals(channel.server.address)) {
      this.counters.wrongServer++
      return
    }
    this.#handleReply(channel, id, bytes, now)
  }

  /** Octets came on stream `id`. */
  handleStream(id: number, bytes: Uint8Array, now: Micros): void {
    const channel = this.#channels.get(id)
    if (channel === undefined || channel.frames === null) return
    for (const message of channel.frames.push(bytes)) {
      if (!this.#channels.has(id)) return
      this.#handleReply(channel, id, message, now)
    }
  }

  /**
   * Socket or stream `id` is of no more use: refused, reset, ended, unreachable. When it was the last try's, the next server is asked at
   * once.
   */
  handleFailure(id: number, now: Micros): void {
    const channel = this.#channels.get(id)
    if (channel === undefined) return
    this.#close(channel.exchange, id)
    if (channel.exchange.current === id) this.#next(channel.exchange, now)
  }

  #serverIndex(exchange: Exchange): number {
    return (exchange.offset + exchange.step) % this.#config.servers.length
  }

  #send(exchange: Exchange, isStream: boolean, now: Micros): void {
    const { servers, ednsBytes, mixedCase } = this.#config
    const index = this.#serverIndex(exchange)
    const server = servers[index]
    const hasEdns = ednsBytes > 0 && !exchange.withoutEdns.has(index)
    const id = this.#nextChannel++
    const queryId = this.#random.int32() & 0xffff
    const { name, type, class: c } = exchange.question
    const question = { name: mixedCase ? mixCase(name, this.#random) : name, type, class: c }
    const bytes = writeMessage(
      createMessage({
        recursionDesired: true,
        ...exchange.flags,
        id: queryId,
        questions: [question],
        edns: hasEdns
          ? { udpBytes: ednsBytes, version: 0, dnssecOk: false, options: [], ...exchange.flags.edns }
          : null,
      }),
    )
    const frames = isStream ? new FrameReader() : null
    this.#channels.set(id, { exchange, server, queryId, question, frames, hasEdns, isExact: mixedCase })
    exchange.channels.add(id)
    exchange.current = id
    exchange.deadline = now + this.#timeoutUs(exchange)
    if (isStream) this.counters.streamsOpened++
    else this.counters.datagramsSent++
    if (isStream) this.#events.push({ kind: 'stream', id, to: server, bytes: frameMessage(bytes) })
    else this.#events.push({ kind: 'datagram', id, to: server, bytes })
  }

  // glibc: the first round waits `timeout` for each server; round n waits timeout * 2^n over the number of servers, a second at least.
  #timeoutUs(exchange: Exchange): Micros {
    const { servers, timeoutUs } = this.#config
    const round = Math.floor(exchange.step / servers.length)
    if (round === 0) return timeoutUs
    return Math.max(Math.min(SECOND, timeoutUs), Math.round((timeoutUs * 2 ** round) / servers.length))
  }

  #next(exchange: Exchange, now: Micros): void {
    const { servers, attempts, tcpOnly } = this.#config
    exchange.step++
    if (exchange.step < servers.length * attempts) this.#send(exchange, tcpOnly, now)
    else this.#finish(exchange, exchange.poor?.reply ?? null, exchange.poor?.source ?? null, now)
  }

  #handleReply(channel: Channel, id: number, bytes: Uint8Array, now: Micros): void {
    const { exchange, server } = channel
    const reply = createMessage()
    const verdict = parseMessage(bytes, reply)
    const isStream = channel.frames !== null
    if (verdict !== 'ok' && (isStream || !reply.truncated)) {
      this.counters.malformed++
      // Anyone may send a bad datagram; a bad stream is the server's own.
      if (isStream) this.handleFailure(id, now)
      return
    }
    if (!answersQuestion(reply, channel)) {
      this.counters.wrongQuestion++
      return
    }
    this.counters.replies++
    if (reply.truncated && !isStream) {
      // RFC 7766 §5: a truncated reply is asked for again over TCP. Late replies to earlier datagrams do not count any more.
      for (const open of [...exchange.channels]) this.#close(exchange, open)
      exchange.step += this.#stepsTo(exchange, server)
      this.#send(exchange, true, now)
      return
    }
    const source = { server, isStream, bytes: bytes.length }
    const isPoor = POOR.includes(reply.rcode) || isReferral(reply)
    if (!isPoor) {
      this.#finish(exchange, reply, source, now)
      return
    }
    this.#close(exchange, id)
    const isCurrent = exchange.current === id
    if (reply.rcode === RCODE.FORMERR && channel.hasEdns && isCurrent) {
      // RFC 6891 §6.2.2: a server that does not know EDNS says FORMERR (RFC 6891 §7), and is asked without.
      exchange.withoutEdns.add(this.#serverIndex(exchange))
      this.#send(exchange, isStream, now)
      return
    }
    exchange.poor = { reply, source }
    if (isCurrent) this.#next(exchange, now)
  }

  // The reply may be an earlier server's, that came late: the turn goes back to it.
  #stepsTo(exchange: Exchange, server: ServerAddress): number {
    const { servers } = this.#config
    const index = servers.indexOf(server)
    return -((this.#serverIndex(exchange) - index + servers.length) % servers.length)
  }

  #finish(exchange: Exchange, reply: DnsMessage | null, source: ReplySource | null, now: Micros): void {
    this.#forget(exchange)
    exchange.done(reply, source, now)
  }

  #forget(exchange: Exchange): void {
    this.#exchanges.delete(exchange)
    for (const id of [...exchange.channels]) this.#close(exchange, id)
  }

  #close(exchange: Exchange, id: number): void {
    exchange.channels.delete(id)
    this.#channels.delete(id)
    this.#events.push({ kind: 'close', id })
  }
}

// RFC 5452 §9.1: id, question and direction must be those of our question. A server that could not read it may leave the question out.
function answersQuestion(reply: DnsMessage, { queryId, question, exchange, isExact }: Channel): boolean {
  if (!reply.isResponse || reply.id !== queryId || reply.opcode !== (exchange.flags.opcode ?? 0)) return false
  if (reply.questions.length === 0) return reply.rcode === RCODE.FORMERR || reply.rcode === RCODE.NOTIMP
  if (reply.questions.length !== 1) return false
  const [{ name, type, class: c }] = reply.questions
  if (type !== question.type || c !== question.class) return false
  return isExact ? name === question.name : sameName(name, question.name)
}

function mixCase(name: string, random: Random): string {
  return name.replace(/[a-zA-Z]/g, (letter) =>
    (random.int32() & 1) === 0 ? letter.toLowerCase() : letter.toUpperCase(),
  )
}

/** A question in words, for messages: `www.example.com AAAA`. */
export function formatQuestion(question: Question): string {
  return `${question.name === '' ? '.' : question.name} ${typeName(question.type)}`
}
