// A target without a stack: it sends what it is told at the times it is told, and answers calls as it is told.

import { put16, put32 } from '../../src/base/bytes.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { writeIp } from '../../src/ip/parse.ts'
import { type LiveTcp, readPacket } from '../../src/packetdrill/live-packet.ts'
import type { Call, Outcome, SentPacket, Target, Value } from '../../src/packetdrill/target.ts'

/** A segment of the side under test, as bytes. */
export function sent(fields: {
  flags: number
  seq: number
  ack?: number
  length?: number
  options?: Uint8Array
  to?: number
}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0)
  const header = new IpHeader()
  header.src.assign(IpAddress.parse('192.168.0.1'))
  header.dst.assign(IpAddress.parse('192.0.2.1'))
  header.protocol = PROTOCOL.TCP
  header.totalBytes = 40 + options.length + (fields.length ?? 0)
  const bytes = new Uint8Array(header.totalBytes)
  writeIp(header, bytes, 0)
  put16(bytes, 20, 8080)
  put16(bytes, 22, fields.to ?? 49_152)
  put32(bytes, 24, fields.seq)
  put32(bytes, 28, fields.ack ?? 0)
  bytes[32] = (5 + options.length / 4) << 4
  bytes[33] = fields.flags
  put16(bytes, 34, 500)
  bytes.set(options, 40)
  return bytes
}

interface Answer {
  readonly value: number
  readonly errno?: string
  /** Absent: at once. */
  readonly endsAt?: number
  readonly outputs?: readonly Value[]
}

interface Pending {
  outcome: Outcome | null
  endedAt: number
  readonly answer: Answer
}

export class FakeTarget implements Target {
  readonly calls: Record<string, (args: readonly Value[]) => Answer> = {
    socket: () => ({ value: 3 }),
    bind: () => ({ value: 0 }),
    listen: () => ({ value: 0 }),
  }
  onDeliver: (tcp: LiveTcp) => void = () => undefined
  setSysctl: (name: string, value: string) => string | null = () => null
  readonly #queue: SentPacket[] = []
  readonly #pending: Pending[] = []
  #now = 0

  now(): number {
    return this.#now
  }

  willSend(at: number, bytes: Uint8Array): void {
    this.#queue.push({ at, bytes })
    this.#queue.sort((a, b) => a.at - b.at)
  }

  start(name: string, args: readonly Value[]): Call {
    const answer = this.calls[name]?.(args)
    if (answer === undefined) throw new TypeError(`no call ${name}`)
    const pending: Pending = { outcome: null, endedAt: -1, answer }
    this.#pending.push(pending)
    this.#settle()
    return pending
  }

  #settle(): boolean {
    let ended = false
    for (const pending of this.#pending) {
      const { answer } = pending
      if (pending.outcome !== null || (answer.endsAt ?? 0) > this.#now) continue
      pending.outcome = { value: answer.value, errno: answer.errno ?? '', outputs: answer.outputs ?? [] }
      pending.endedAt = this.#now
      ended = true
    }
    return ended
  }

  deliver(packet: Uint8Array): void {
    const live = readPacket({ at: this.#now, bytes: packet })
    if (live?.body.kind === 'tcp') this.onDeliver(live.body)
  }

  take(): SentPacket | null {
    const next = this.#queue[0]
    return next !== undefined && next.at <= this.#now ? (this.#queue.shift() ?? null) : null
  }

  async advance(until: number): Promise<void> {
    const times = [until, ...this.#queue.map(({ at }) => at)]
    for (const { outcome, answer } of this.#pending) if (outcome === null) times.push(answer.endsAt ?? 0)
    this.#now = Math.max(this.#now, Math.min(...times))
    this.#settle()
  }

  tcpInfo(): null {
    return null
  }

  async close(): Promise<void> {}
}
