// The probes of traceroute: several at a time, each with the hop limit of its turn, over the sockets of a host.
// Owns: which probe when, which answer is whose. Does not own: the command (traceroute.ts), the lines (traceroute-format.ts).

import { MILLISECOND, type Micros, type Scheduler } from '../base/time.ts'
import { type IpAddress, parseAddress } from '../ip/address.ts'
import type { TransportError } from '../ip/control.ts'
import type { Host, PingError, TunDgramSocket } from '../net/index.ts'
import { codeOf } from './errors.ts'
import { hopLine, markOf, type ProbeAnswer, titleLine } from './traceroute-format.ts'

/** How the way is looked for. */
export interface TraceSettings {
  readonly icmp: boolean
  readonly isNumeric: boolean
  readonly firstHop: number
  readonly maxHops: number
  /** Probes of each hop. */
  readonly queries: number
  /** Probes under way at a time. */
  readonly parallel: number
  readonly waitUs: Micros
  /** UDP: the port of the first probe, one more for each. */
  readonly port: number
  /** Of the whole packet, headers included. */
  readonly packetBytes: number
}

/** Header bytes of a probe: 28 or 48. */
export function probeHeaderBytes(family: 4 | 6): number {
  return family === 4 ? 28 : 48
}

/** One way to one address. `onHop` is told each line in order. */
export class TraceRun {
  readonly #host: Host
  readonly #scheduler: Scheduler
  readonly #address: IpAddress
  readonly #settings: TraceSettings
  readonly #onLine: (line: string) => void
  readonly #onHop: ((hop: number, answers: readonly (ProbeAnswer | null)[]) => void) | null
  readonly #answers: (ProbeAnswer | null)[] = []
  readonly #isDone: boolean[] = []
  readonly #waiting = new Map<number, (answer: ProbeAnswer | null) => void>()
  readonly #sockets = new Map<number, TunDgramSocket>()
  #printed = 0
  /** Index of the last hop that is of interest: lowered when the end answers. */
  #lastHop: number

  /** @throws {TypeError} when `address` is none */
  constructor(
    host: Host,
    address: string,
    settings: TraceSettings,
    onLine: (line: string) => void,
    onHop?: (hop: number, answers: readonly (ProbeAnswer | null)[]) => void,
  ) {
    const parsed = parseAddress(address)
    if (parsed === null) throw new TypeError(`'${address}' is no IP address`)
    this.#host = host
    this.#scheduler = host.scheduler
    this.#address = parsed
    this.#settings = settings
    this.#onLine = onLine
    this.#onHop = onHop ?? null
    this.#lastHop = settings.maxHops
  }

  /** Runs to the end, or until `stop` aborts. Resolves with whether the destination has answered. */
  async run(stop?: AbortSignal): Promise<boolean> {
    const { maxHops, packetBytes, queries, parallel, firstHop } = this.#settings
    this.#onLine(titleLine(this.#address.toString(), maxHops, packetBytes))
    const { ip } = this.#host.stack
    const before = ip.onTransportError
    ip.onTransportError = (error) => {
      if (!this.#refused(error)) before?.(error)
    }
    const total = (maxHops - firstHop + 1) * queries
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < total && this.#hopOf(next) <= this.#lastHop && !stop?.aborted) await this.#probe(next++)
    }
    try {
      await Promise.all(Array.from({ length: Math.min(parallel, total) }, worker))
    } finally {
      ip.onTransportError = before
      for (const socket of this.#sockets.values()) socket.close()
    }
    return this.#answers.some((answer) => answer?.isEnd === true && answer.mark === '')
  }

  #hopOf(index: number): number {
    return this.#settings.firstHop + Math.floor(index / this.#settings.queries)
  }

  async #probe(index: number): Promise<void> {
    const hop = this.#hopOf(index)
    const answer = this.#settings.icmp ? await this.#echo(hop) : await this.#datagram(index, hop)
    this.#answers[index] = answer
    this.#isDone[index] = true
    if (answer?.isEnd === true) this.#lastHop = Math.min(this.#lastHop, hop)
    this.#print()
  }

  /** Every hop whose probes have all come to something, and those before it. */
  #print(): void {
    const { queries, isNumeric, firstHop } = this.#settings
    for (;;) {
      const hop = firstHop + this.#printed
      const from = this.#printed * queries
      const isWhole = Array.from({ length: queries }, (_, i) => this.#isDone[from + i] === true).every(Boolean)
      if (!isWhole || hop > this.#lastHop) return
      const answers = this.#answers.slice(from, from + queries)
      this.#onLine(hopLine(hop, answers, isNumeric))
      this.#onHop?.(hop, answers)
      this.#printed++
    }
  }

  async #echo(hop: number): Promise<ProbeAnswer | null> {
    const { waitUs, packetBytes } = this.#settings
    const from = this.#address.toString()
    const payloadBytes = Math.max(0, packetBytes - probeHeaderBytes(this.#address.family))
    try {
      const options = { hopLimit: hop, timeoutMs: waitUs / MILLISECOND, payloadBytes }
      const rttUs = await this.#host.ping(from, options)
      return { from, rttUs, mark: '', isEnd: true }
    } catch (error) {
      if (codeOf(error) === 'ETIMEDOUT') return null
      const { icmp, rttUs } = error as PingError
      if (icmp === undefined) throw error
      return { from: icmp.reporter.toString(), rttUs, ...markOf(this.#address.family, icmp) }
    }
  }

  #datagram(index: number, hop: number): Promise<ProbeAnswer | null> {
    const { port, packetBytes, waitUs } = this.#settings
    const { family } = this.#address
    const address = this.#address.toString()
    const socket = this.#host.createSocket(family === 4 ? 'udp4' : 'udp6')
    this.#sockets.set(index, socket)
    return new Promise((resolve, reject) => {
      const sentAt = this.#scheduler.now()
      const settle = (answer: ProbeAnswer | null): void => {
        deadline.cancel()
        this.#waiting.delete(port + index)
        if (this.#sockets.delete(index)) socket.close()
        resolve(answer)
      }
      const deadline = this.#scheduler.schedule(sentAt + waitUs, () => settle(null))
      this.#waiting.set(port + index, (answer) => settle(answer && { ...answer, rttUs: answer.rttUs - sentAt }))
      socket.on('message', () =>
        settle({ from: address, rttUs: this.#scheduler.now() - sentAt, mark: '', isEnd: true }),
      )
      socket.on('error', (error) => {
        settle(null)
        reject(error)
      })
      socket.bind(0)
      socket.setTTL(hop)
      socket.send(Buffer.alloc(Math.max(0, packetBytes - probeHeaderBytes(family)), 0x40), port + index, address)
    })
  }

  #refused(error: TransportError): boolean {
    const told = this.#waiting.get(error.destinationPort)
    if (told === undefined || !error.dst.equals(this.#address)) return false
    const from = error.reporter.toString()
    told({ from, rttUs: this.#scheduler.now(), ...markOf(this.#address.family, error) })
    return true
  }
}
