// What ping counts and how it says so, in the words of iputils.
// Owns: the numbers and the lines. Does not own: sending (ping.ts).

import type { Micros } from '../base/time.ts'
import type { EchoError } from '../ip/control.ts'

/** One answer. */
export interface PingReply {
  readonly sequence: number
  /** Data bytes and the ICMP header. */
  readonly bytes: number
  readonly ttl: number
  readonly rttUs: Micros
}

/** Counts of a run of ping. */
export class PingStats {
  transmitted = 0
  received = 0
  errors = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0
  #sum = 0
  #sumOfSquares = 0

  /** Counts an answer. */
  add(rttUs: Micros): void {
    this.received++
    this.#min = Math.min(this.#min, rttUs)
    this.#max = Math.max(this.#max, rttUs)
    this.#sum += rttUs
    this.#sumOfSquares += rttUs * rttUs
  }

  /** Round-trip times in microseconds; null without an answer. `mdev` is the standard deviation, as in iputils. */
  get rtt(): { min: Micros; avg: Micros; max: Micros; mdev: Micros } | null {
    if (this.received === 0) return null
    const avg = this.#sum / this.received
    const mdev = Math.sqrt(Math.max(0, this.#sumOfSquares / this.received - avg * avg))
    return { min: this.#min, avg, max: this.#max, mdev }
  }

  /** Share of requests without an answer, in percent. */
  get lossPercent(): number {
    return this.transmitted === 0 ? 0 : ((this.transmitted - this.received) * 100) / this.transmitted
  }
}

/** `PING 10.77.0.1 (10.77.0.1) 56(84) bytes of data.` */
export function pingTitle(address: string, payloadBytes: number): string {
  if (address.includes(':')) return `PING ${address}(${address}) ${payloadBytes} data bytes`
  return `PING ${address} (${address}) ${payloadBytes}(${payloadBytes + 28}) bytes of data.`
}

/** `64 bytes from 10.77.0.1: icmp_seq=1 ttl=64 time=0.123 ms` */
export function replyLine(address: string, { sequence, bytes, ttl, rttUs }: PingReply): string {
  return `${bytes} bytes from ${address}: icmp_seq=${sequence} ttl=${ttl} time=${formatRtt(rttUs)} ms`
}

/** `From 10.77.0.1 icmp_seq=1 Time to live exceeded`: what a router says of a request. */
export function errorLine(family: 4 | 6, sequence: number, error: EchoError): string {
  const text = family === 4 ? errorTextV4(error) : errorTextV6(error)
  return `From ${error.reporter} icmp_seq=${sequence} ${text}`
}

const UNREACHABLE_V4: Readonly<Record<number, string>> = {
  0: 'Destination Net Unreachable',
  1: 'Destination Host Unreachable',
  2: 'Destination Protocol Unreachable',
  3: 'Destination Port Unreachable',
  5: 'Source Route Failed',
  9: 'Destination Net Prohibited',
  10: 'Destination Host Prohibited',
  13: 'Packet filtered',
}
const UNREACHABLE_V6: Readonly<Record<number, string>> = {
  0: 'No route',
  1: 'Administratively prohibited',
  2: 'Beyond scope of source address',
  3: 'Address unreachable',
  4: 'Port unreachable',
}

function errorTextV4({ kind, code, mtu }: EchoError): string {
  if (kind === 'time-exceeded') return code === 0 ? 'Time to live exceeded' : 'Frag reassembly time exceeded'
  if (kind === 'packet-too-big') return `Frag needed and DF set (mtu = ${mtu})`
  if (kind === 'parameter-problem') return 'Parameter problem'
  return UNREACHABLE_V4[code] ?? `Dest Unreachable, Bad Code: ${code}`
}

function errorTextV6({ kind, code, mtu }: EchoError): string {
  if (kind === 'time-exceeded') return `Time exceeded: ${code === 0 ? 'Hop limit' : 'Defragmentation failure'}`
  if (kind === 'packet-too-big') return `Packet too big: mtu=${mtu}`
  if (kind === 'parameter-problem') return 'Parameter problem'
  return `Destination unreachable: ${UNREACHABLE_V6[code] ?? `Unknown code ${code}`}`
}

/** The lines behind the last answer. */
export function summaryLines(address: string, stats: PingStats, elapsedUs: Micros): string[] {
  const { transmitted, received, errors, lossPercent, rtt } = stats
  const failed = errors > 0 ? `, +${errors} errors` : ''
  const loss = `${Number(lossPercent.toPrecision(6))}% packet loss, time ${Math.round(elapsedUs / 1000)}ms`
  const lines = [
    '',
    `--- ${address} ping statistics ---`,
    `${transmitted} packets transmitted, ${received} received${failed}, ${loss}`,
  ]
  if (rtt !== null) {
    const times = [rtt.min, rtt.avg, rtt.max, rtt.mdev].map((us) => (us / 1000).toFixed(3)).join('/')
    lines.push(`rtt min/avg/max/mdev = ${times} ms`)
  }
  return lines
}

/** Milliseconds with as many digits as iputils prints: 3 significant ones. */
function formatRtt(us: Micros): string {
  const ms = us / 1000
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms >= 1 ? ms.toFixed(2) : ms.toFixed(3)
}
