// Remembers each packet with both its instants: it is met when it leaves its host and when it arrives at the other, and joined by what of
// it no network changes (its TCP fields; addresses and ports may be translated).
// Owns: the joining, the capture files. Does not own: what TCP said of itself (series.ts). Bounded: see PacketRecorderOptions.

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { PROTOCOL } from '../ip/header.ts'
import type { Packet } from '../link/device.ts'
import { FLAG } from '../tcp/header.ts'
import { type Seq, seqAdd, seqDiff, seqLt } from '../tcp/seq.ts'
import { formatPacket, formatSegment, ParsedPacket } from '../trace/packet-line.ts'
import { PcapngWriter } from '../trace/pcapng.ts'
import type { ConnectionTable } from './connection-table.ts'
import { FrameLines } from './frame-line.ts'
import type { PacketRecord } from './record.ts'

/** Bounds, and what to keep. */
export interface PacketRecorderOptions {
  readonly table: ConnectionTable
  readonly hostOf: (address: IpAddress) => string
  /** Packets to remember; those beyond are counted. */
  readonly most: number
  /** Whether to write captures too. */
  readonly capture: boolean
}

/** One direction of a connection. */
interface Flow {
  base: Seq
  end: Seq
  scale: number
}

/** What is spoken on this port begins with a record of TLS. */
const HTTPS_PORT = 443

const HTTP_START = /^(?:[A-Z]+ \S+ HTTP\/1\.[01]|HTTP\/1\.[01] [0-9]{3}[^\r\n]*)/

/** The packets of a world. */
export class PacketRecorder {
  readonly packets: PacketRecord[] = []
  omitted = 0
  readonly #options: PacketRecorderOptions
  readonly #parsed = new ParsedPacket()
  readonly #words = new FrameLines()
  readonly #flying = new Map<string, PacketRecord[]>()
  readonly #flows = new Map<string, Flow>()
  readonly #captures = new Map<string, { writer: PcapngWriter; chunks: Uint8Array[] }>()

  constructor(options: PacketRecorderOptions) {
    this.#options = options
  }

  /** A host gives a packet to the network. */
  sent(host: string, packet: Packet, at: Micros): void {
    this.#capture(host, packet, 'out', at)
    if (this.#isFull()) return
    const record = this.#record(packet, host, at, -1)
    this.packets.push(record)
    const key = this.#keyOf()
    const others = this.#flying.get(key)
    if (others === undefined) this.#flying.set(key, [record])
    else others.push(record)
  }

  /** A host takes a packet from the network. */
  received(host: string, packet: Packet, at: Micros): void {
    this.#capture(host, packet, 'in', at)
    if (this.packets.length === 0) return
    this.#parsed.parse(packet)
    const record = this.#landed()
    if (record !== null) {
      record.receivedAt = at
      record.to = host
      return
    }
    if (this.#isFull()) return
    const stray = this.#record(packet, '', -1, at)
    stray.to = host
    stray.fate = 'once more'
    this.packets.push(stray)
  }

  /** A packet goes no further. */
  lost(packet: Packet, fate: string): void {
    this.#parsed.parse(packet)
    const record = this.#landed()
    if (record !== null) record.fate = fate
  }

  /** Something happened to a packet that goes on. */
  marked(packet: Packet, fate: string): void {
    this.#parsed.parse(packet)
    const record = this.#flying.get(this.#keyOf())?.[0]
    if (record !== undefined) record.fate = fate
  }

  /** The captures as files. */
  captures(): { host: string; bytes: Uint8Array }[] {
    return [...this.#captures].map(([host, { chunks }]) => ({ host, bytes: joined(chunks) }))
  }

  #isFull(): boolean {
    if (this.packets.length < this.#options.most) return false
    this.omitted++
    return true
  }

  #capture(host: string, packet: Packet, direction: 'in' | 'out', at: Micros): void {
    if (!this.#options.capture) return
    let file = this.#captures.get(host)
    if (file === undefined) {
      const chunks: Uint8Array[] = []
      file = { chunks, writer: new PcapngWriter((bytes) => chunks.push(bytes), { name: host }) }
      this.#captures.set(host, file)
    }
    file.writer.packet(packet, direction, at)
  }

  /** What no network changes of the packet just parsed. */
  #keyOf(): string {
    const { kind, tcp, ip } = this.#parsed
    if (kind !== 'tcp') return `${ip.protocol} ${ip.identification} ${ip.totalBytes}`
    return `${tcp.seq} ${tcp.ack} ${tcp.flags} ${tcp.textLength} ${tcp.tsVal} ${tcp.tsEcr} ${tcp.window}`
  }

  /** The oldest record of the packet just parsed that is under way; it is not any more. */
  #landed(): PacketRecord | null {
    const key = this.#keyOf()
    const waiting = this.#flying.get(key)
    const record = waiting?.shift()
    if (waiting?.length === 0) this.#flying.delete(key)
    return record ?? null
  }

  #record(packet: Packet, from: string, sentAt: Micros, receivedAt: Micros): PacketRecord {
    const verdict = this.#parsed.parse(packet)
    const { kind, tcp, ip } = this.#parsed
    const to = verdict === 'ok' ? this.#options.hostOf(ip.dst) : ''
    const empty = { flags: 0, seq: 0, ack: -1, textBytes: 0, window: 0, isAgain: false, http: '', connection: -1 }
    const sender = from === '' && verdict === 'ok' ? this.#options.hostOf(ip.src) : from
    const common = { sentAt, receivedAt, from: sender, to, packetBytes: packet.length, fate: '' }
    if (verdict === 'ok' && ip.protocol === PROTOCOL.UDP) {
      const { protocol, text } = this.#words.readPacket(packet)
      return { ...common, ...empty, line: `${protocol} ${text}` }
    }
    if (verdict !== 'ok' || kind !== 'tcp') return { ...common, ...empty, line: formatPacket(packet) }
    const isOpening = (tcp.flags & (FLAG.SYN | FLAG.ACK)) === FLAG.SYN
    const iss = isOpening ? tcp.seq : null
    const connection = this.#options.table.indexOf(ip.src, tcp.sourcePort, ip.dst, tcp.destinationPort, iss)
    const mine = this.#flow(`${connection} ${ip.src}`, tcp.seq)
    const theirs = this.#flows.get(`${connection} ${ip.dst}`)
    const isAgain = tcp.length > 0 && seqLt(tcp.seq, mine.end)
    const end = seqAdd(tcp.seq, tcp.length)
    if (seqLt(mine.end, end)) mine.end = end
    const isSyn = (tcp.flags & FLAG.SYN) !== 0
    if (isSyn && tcp.windowScale >= 0) mine.scale = tcp.windowScale
    const hasAck = (tcp.flags & FLAG.ACK) !== 0
    const base = theirs?.base ?? tcp.ack
    return {
      ...common,
      connection,
      line: formatSegment(tcp, { seq: mine.base, ack: base }),
      flags: tcp.flags,
      seq: seqDiff(tcp.seq, mine.base),
      ack: hasAck ? seqDiff(tcp.ack, base) : -1,
      textBytes: tcp.textLength,
      window:
        isSyn || theirs === undefined || theirs.scale < 0 || mine.scale < 0 ? tcp.window : tcp.window << mine.scale,
      isAgain,
      http: this.#startOf(packet),
    }
  }

  /** What the text of the packet just parsed begins with: a line of HTTP, or 'TLS ' and the kinds of its records. */
  #startOf(packet: Packet): string {
    const { tcp } = this.#parsed
    if (tcp.textLength === 0) return ''
    if (tcp.sourcePort === HTTPS_PORT || tcp.destinationPort === HTTPS_PORT) {
      return `TLS ${this.#words.readPacket(packet).text.replace(/; [0-9]+ bytes$/, '')}`
    }
    return startOfText(tcp.bytes, tcp.textStart, tcp.textLength)
  }

  #flow(key: string, seq: Seq): Flow {
    const known = this.#flows.get(key)
    if (known !== undefined) return known
    const flow: Flow = { base: seq, end: seq, scale: -1 }
    this.#flows.set(key, flow)
    return flow
  }
}

function startOfText(bytes: Uint8Array, start: number, length: number): string {
  if (length < 9) return ''
  let text = ''
  for (let i = start; i < start + Math.min(length, 120); i++) {
    if (bytes[i] < 32 || bytes[i] > 126) break
    text += String.fromCharCode(bytes[i])
  }
  return HTTP_START.exec(text)?.[0] ?? ''
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.length
  }
  return out
}
