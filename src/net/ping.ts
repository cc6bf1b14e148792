// Echo requests of a host (RFC 792, RFC 4443 §4.1): which reply answers which question, and after how long.
// Owns: identifier and sequence numbers, pending pings. Does not own: the packets (src/ip/control).

import type { Random } from '../base/random.ts'
import { MILLISECOND, type Micros, type ScheduledTask } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { EchoError, EchoReply } from '../ip/index.ts'
import type { HostCore } from './core.ts'
import { checkMilliseconds, parseLiteral } from './options.ts'
import { abortError, callError, notFoundError, type SocketError } from './socket-errors.ts'
import { hasZoneOf } from './zones.ts'

/** Pings of one host that wait for their reply at a time. */
const MOST_PENDING = 1024

/** Options of `host.ping`. */
export interface PingOptions {
  /** How long to wait for the reply, in milliseconds. Default 1000. */
  readonly timeoutMs?: number
  /** Bytes of data in the request. Default 56, as ping(8). */
  readonly payloadBytes?: number
  /** Hop limit of the request, 1 to 255. Default: the host's. */
  readonly hopLimit?: number
  /** Gives up with an AbortError when it aborts. */
  readonly signal?: AbortSignal
}

/** What a ping rejects with when a router, or the destination, says that the request has not arrived: code EHOSTUNREACH or EMSGSIZE. */
export interface PingError extends SocketError {
  /** What was said, and by whom. */
  readonly icmp: EchoError
  /** The time to the error, in microseconds. */
  readonly rttUs: Micros
}

interface Pending {
  readonly dst: IpAddress
  readonly payload: Uint8Array
  readonly reply: (rttUs: Micros) => void
  readonly fail: (error: Error) => void
  readonly sentAt: Micros
}

/** All pings of one host. */
export class Pinger {
  readonly #core: HostCore
  readonly #identifier: number
  readonly #pending = new Map<number, Pending>()
  #sequence = 0

  constructor(core: HostCore, random: Random) {
    this.#core = core
    this.#identifier = random.int32() & 0xffff
    core.stack.ip.onEchoReply = (reply) => this.#replied(reply)
    core.stack.ip.onEchoError = (error) => this.#refused(error)
  }

  /** Sends one request. Resolves with the time to its reply in microseconds; rejects as `Host.ping` says. */
  ping(address: string, options: PingOptions): Promise<Micros> {
    const { signal } = options
    const timeoutMs = checkMilliseconds(options.timeoutMs ?? 1000, 'timeoutMs')
    const dst = parseLiteral(address)
    if (!hasZoneOf(this.#core.device, address)) return Promise.reject(pingError('EINVAL', address))
    if (dst === null) return Promise.reject(notFoundError(address))
    if (signal?.aborted) return Promise.reject(abortError(signal))
    if (this.#core.closing) return Promise.reject(pingError('ENETDOWN', address))
    if (this.#pending.size >= MOST_PENDING) return Promise.reject(pingError('ENOBUFS', address))
    return new Promise<Micros>((resolve, reject) => {
      const sequence = this.#nextSequence()
      const settle = (): void => {
        this.#pending.delete(sequence)
        deadline?.cancel()
        signal?.removeEventListener('abort', aborted)
        this.#core.release()
      }
      const fail = (error: Error): void => {
        settle()
        reject(error)
      }
      const aborted = (): void => fail(abortError(signal as AbortSignal))
      const { scheduler } = this.#core
      const sentAt = scheduler.now()
      let deadline: ScheduledTask | null = null
      const payload = pattern(options.payloadBytes ?? 56)
      this.#core.retain()
      const reply = (rttUs: Micros): void => {
        settle()
        resolve(rttUs)
      }
      this.#pending.set(sequence, { dst, payload, reply, fail, sentAt })
      const { ip } = this.#core.stack
      const { hopLimit = ip.hopLimitTo(dst) } = options
      const verdict = ip.sendEchoRequest(dst, this.#identifier, sequence, payload, hopLimit)
      if (verdict !== 'ok') {
        const error = pingError(SEND_CODES[verdict] ?? 'EINVAL', address)
        if (verdict === 'icmp-too-big') error.message += `: message too long, MTU ${ip.mtu}`
        return fail(error)
      }
      deadline = scheduler.schedule(sentAt + timeoutMs * MILLISECOND, () => fail(pingError('ETIMEDOUT', address)))
      signal?.addEventListener('abort', aborted, { once: true })
      this.#core.wake()
    })
  }

  #nextSequence(): number {
    do this.#sequence = (this.#sequence + 1) & 0xffff
    while (this.#pending.has(this.#sequence))
    return this.#sequence
  }

  // A packet too big is told once, and the next request is cut up (RFC 8201 §4): ping says so and goes on.
  #refused(error: EchoError): void {
    const pending = error.identifier === this.#identifier ? this.#pending.get(error.sequence) : undefined
    if (pending === undefined || !pending.dst.equals(error.dst)) return
    pending.fail(refusal(error, this.#core.scheduler.now() - pending.sentAt))
  }

  #replied(reply: EchoReply): void {
    const pending = reply.identifier === this.#identifier ? this.#pending.get(reply.sequence) : undefined
    if (pending === undefined || !pending.dst.equals(reply.src) || reply.payload.length !== pending.payload.length)
      return
    pending.reply(this.#core.scheduler.now() - pending.sentAt)
  }
}

function refusal(icmp: EchoError, rttUs: Micros): PingError {
  const error = pingError(icmp.kind === 'packet-too-big' ? 'EMSGSIZE' : 'EHOSTUNREACH', icmp.dst.toString())
  return Object.assign(error, { icmp, rttUs })
}

/** What the stack says when it cannot send, in Node's codes. */
const SEND_CODES: Readonly<Record<string, string>> = {
  'ip-no-route': 'ENETUNREACH',
  'icmp-too-big': 'EMSGSIZE',
  'icmp-queue-full': 'ENOBUFS',
}

function pingError(code: string, address: string): SocketError {
  const error = callError(code, 'ping')
  error.message += ` ${address}`
  error.address = address
  return error
}

function pattern(length: number): Uint8Array {
  if (!Number.isInteger(length) || length < 0 || length > 65507) {
    throw new RangeError(`a ping carries 0 to 65507 bytes of data, not ${length}`)
  }
  return Uint8Array.from({ length }, (_, i) => i)
}
