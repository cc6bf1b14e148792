// Packets as lines while they pass, as `tcpdump -n` prints them: the time of day, then the packet, sequence numbers relative to the
// start of their connection once that was seen.
// Owns: the clock's text, where each direction of a connection began. Does not own: the format (trace/packet-line.ts).

import type { Micros } from '../base/time.ts'
import type { Packet } from '../link/device.ts'
import { FLAG } from '../tcp/header.ts'
import type { Seq } from '../tcp/seq.ts'
import { formatPacket, ParsedPacket, type SequenceBase } from '../trace/packet-line.ts'

/** Directions of connections that are remembered; the oldest is forgotten first. */
const MAX_REMEMBERED = 8192

/** Prints packets; `print` is a PacketObserver. */
export class TracePrinter {
  readonly #write: (line: string) => void
  readonly #epochUs: number
  readonly #starts = new Map<string, Seq>()
  readonly #parsed = new ParsedPacket()

  /**
   * @param write takes each line, without a line end
   * @param epochUs what the instant 0 of the packets' clock is, in microseconds since 1970
   */
  constructor(write: (line: string) => void, epochUs: number) {
    this.#write = write
    this.#epochUs = epochUs
  }

  /** Prints one packet, borrowed. */
  readonly print = (packet: Packet, _direction: 'in' | 'out', at: Micros): void => {
    this.#write(`${timeOfDay(this.#epochUs + at)} ${formatPacket(packet, this.#base(packet))}`)
  }

  /** As tcpdump: absolute numbers in a SYN, relative ones behind it. */
  #base(packet: Packet): SequenceBase | null {
    const parsed = this.#parsed
    if (parsed.parse(packet) !== 'ok' || parsed.kind !== 'tcp') return null
    const { ip, tcp } = parsed
    const source = `${ip.src} ${tcp.sourcePort}`
    const destination = `${ip.dst} ${tcp.destinationPort}`
    const there = `${source} ${destination}`
    if ((tcp.flags & FLAG.SYN) !== 0) {
      this.#remember(there, tcp.seq)
      return null
    }
    if (!this.#starts.has(there)) this.#remember(there, tcp.seq)
    const back = `${destination} ${source}`
    if (!this.#starts.has(back)) this.#remember(back, tcp.ack)
    return { seq: this.#starts.get(there) as Seq, ack: this.#starts.get(back) as Seq }
  }

  #remember(key: string, seq: Seq): void {
    this.#starts.delete(key)
    this.#starts.set(key, seq)
    if (this.#starts.size <= MAX_REMEMBERED) return
    for (const oldest of this.#starts.keys()) {
      this.#starts.delete(oldest)
      return
    }
  }
}

/** `12:34:56.789012`, local time. */
export function timeOfDay(us: number): string {
  const date = new Date(us / 1000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const micros = String(Math.floor(us % 1_000_000)).padStart(6, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${micros}`
}
