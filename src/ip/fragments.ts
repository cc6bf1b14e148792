// Reassembly: pieces of a datagram are kept until all are there, too many are, or time is up.
// Owns: what belongs together, the holes of each datagram (RFC 815), overlaps, tiny first pieces, limits in bytes, number and time.
// Does not own: whether a piece is for us (layer.ts), the ICMP errors that come of it (control.ts), cutting datagrams up (fragmenter.ts).
// Read first: RFC 815 §3, RFC 8200 §4.5, RFC 5722 §4, RFC 1858 §3.

import { put16 } from '../base/bytes.ts'
import { type Micros, SECOND } from '../base/time.ts'
import { HEADROOM, MAX_PACKET, Packet } from '../link/device.ts'
import { finishChecksum, sumBytes } from './checksum.ts'
import type { DropCounters, IpDropReason } from './drops.ts'
import { type IpHeader, PROTOCOL } from './header.ts'
import { endOfHeaderChain, IPV6_HEADER_BYTES, nextHeaderOfFragment } from './ipv6.ts'

/** Limits of reassembly. */
export interface FragmentLimits {
  /** Most bytes kept, pieces with what their records cost; over that the oldest datagram goes. Default 4 MiB, as in Linux. */
  readonly bytes?: number
  /** Most datagrams that are waiting for pieces; over that the oldest goes. Default 1024. */
  readonly datagrams?: number
  /** How long one of IPv4 may take, from its first piece to come. Default 30 s, as in Linux. */
  readonly timeV4Us?: Micros
  /** The same for IPv6. Default 60 s (RFC 8200 §4.5). */
  readonly timeV6Us?: Micros
}

/** What became of a piece: kept, the last that was missing (see Reassembler.datagram), or dropped. */
export type FragmentVerdict = 'kept' | 'whole' | IpDropReason

/** Most holes of a datagram: a path of 576 octets that turns all pieces of the largest one around makes 60. */
export const MAX_HOLES = 128

/** What the record of a piece, or of a datagram, costs besides its bytes. */
const RECORD_BYTES = 256

/** Where the end of a datagram is while its last piece is missing: beyond every datagram. */
const UNKNOWN_END = 1 << 20

/** Bytes that the first piece must hold of a transport's header (RFC 1858 §3, RFC 8200 §4.5). */
const LEAST_HEADER: Readonly<Record<number, number>> = {
  [PROTOCOL.TCP]: 20,
  [PROTOCOL.UDP]: 8,
  [PROTOCOL.ICMP]: 8,
  [PROTOCOL.ICMPV6]: 8,
}

const ECN_MASK = 3
const ECN_CE = 3

interface Piece {
  readonly from: number
  readonly bytes: Uint8Array
}

/** A datagram that is not whole yet. */
class Partial {
  readonly key: string
  readonly expiresAt: Micros
  readonly pieces: Piece[] = []
  /** Begin and end (exclusive) of each hole, in order. */
  readonly holes: number[] = [0, UNKNOWN_END]
  /** The packet that held its first octets; null while it is missing. */
  first: Packet | null = null
  firstHeaderBytes = 0
  /** Where it ends; UNKNOWN_END while the last piece is missing. */
  end = UNKNOWN_END
  /** A bit for each ECN codepoint seen. */
  ecnSeen = 0
  /** What it costs. */
  bytes = RECORD_BYTES
  /** It was given up: further pieces are dropped until its time is up (RFC 5722 §4). */
  isGivenUp = false

  constructor(key: string, expiresAt: Micros) {
    this.key = key
    this.expiresAt = expiresAt
  }
}

/** Reassembly of one host. */
export class Reassembler {
  /** The datagram of the last verdict 'whole'; its owner's until the next piece comes. */
  datagram = new Packet(new Uint8Array(HEADROOM))
  readonly #drops: DropCounters
  readonly #most: Required<FragmentLimits>
  // By family, each in the order of time: what is first is due first.
  readonly #partials = { 4: new Map<string, Partial>(), 6: new Map<string, Partial>() }
  #bytes = 0

  /** @throws {RangeError} when a limit is not a positive number */
  constructor(drops: DropCounters, limits: FragmentLimits = {}) {
    this.#drops = drops
    const { bytes = 4 << 20, datagrams = 1024, timeV4Us = 30 * SECOND, timeV6Us = 60 * SECOND } = limits
    this.#most = { bytes, datagrams, timeV4Us, timeV6Us }
    for (const [name, value] of Object.entries(this.#most)) {
      if (!(value > 0)) throw new RangeError(`the limit '${name}' of reassembly is a positive number, not ${value}`)
    }
  }

  /** What is kept costs so many bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Datagrams that wait, those given up included. */
  get size(): number {
    return this.#partials[4].size + this.#partials[6].size
  }

  /**
   * Takes a piece. Sets `header.problemOffset` when the sender is owed an ICMPv6 parameter problem. The caller counts what is dropped;
   * whole datagrams that fall with it are counted here.
   */
  take(packet: Packet, header: IpHeader, now: Micros): FragmentVerdict {
    this.#expireQuietly(now, header.family)
    const judged = judge(packet, header)
    if (judged !== 'ok') return judged
    const waiting = this.#partials[header.family]
    const key = keyOf(header)
    const known = waiting.get(key)
    if (known?.isGivenUp === true) return 'ip-fragment'
    const partial = known ?? this.#open(key, header.family, now)
    const verdict = this.#place(partial, packet, header)
    if (verdict === 'kept') {
      this.#makeRoom(partial)
      return 'kept'
    }
    if (verdict === 'whole') {
      const isMixed = (partial.ecnSeen & 1) !== 0 && (partial.ecnSeen & (1 << ECN_CE)) !== 0
      if (isMixed) {
        this.#giveUp(partial)
        return 'ip-fragment-ecn' // RFC 3168 §5.3: a mark must not get lost, and it cannot be carried over
      }
      this.datagram = assemble(partial, header.family)
      waiting.delete(key)
      this.#bytes -= partial.bytes
    } else if (verdict !== 'ip-fragment-duplicate') {
      this.#giveUp(partial)
    }
    return verdict
  }

  /** When `expire` is to be called next; Infinity for never. */
  nextDeadline(): Micros {
    return Math.min(oldest(this.#partials[4])?.expiresAt ?? Infinity, oldest(this.#partials[6])?.expiresAt ?? Infinity)
  }

  /** Drops what is due; `report` is told of the first piece of each, where it is there (borrowed until it returns). */
  expire(now: Micros, report: (first: Packet) => void): void {
    for (const family of [4, 6] as const) {
      for (
        let p = oldest(this.#partials[family]);
        p !== null && p.expiresAt <= now;
        p = oldest(this.#partials[family])
      ) {
        this.#forget(p, family)
        if (p.isGivenUp) continue
        this.#drops.count('ip-fragment-timeout')
        if (p.first !== null) report(p.first)
      }
    }
  }

  // A piece that comes after its datagram's time, before the timer did.
  #expireQuietly(now: Micros, family: 4 | 6): void {
    const late = this.#late
    if ((oldest(this.#partials[family])?.expiresAt ?? Infinity) <= now) this.expire(now, (first) => late?.(first))
  }

  #late: ((first: Packet) => void) | null = null

  /** Who is told of a first piece whose time was up when another piece came. */
  set onLate(report: (first: Packet) => void) {
    this.#late = report
  }

  #open(key: string, family: 4 | 6, now: Micros): Partial {
    const time = family === 4 ? this.#most.timeV4Us : this.#most.timeV6Us
    const partial = new Partial(key, now + time)
    this.#partials[family].set(key, partial)
    this.#bytes += partial.bytes
    return partial
  }

  #forget(partial: Partial, family: 4 | 6): void {
    this.#partials[family].delete(partial.key)
    this.#bytes -= partial.bytes
  }

  #giveUp(partial: Partial): void {
    this.#bytes -= partial.bytes - RECORD_BYTES
    partial.bytes = RECORD_BYTES
    partial.pieces.length = 0
    partial.first = null
    partial.isGivenUp = true
  }

  #makeRoom(newest: Partial): void {
    while (this.#bytes > this.#most.bytes || this.size > this.#most.datagrams) {
      const a = oldest(this.#partials[4])
      const b = oldest(this.#partials[6])
      const isV4 = b === null || (a !== null && a.expiresAt <= b.expiresAt)
      const victim = isV4 ? a : b
      if (victim === null) return
      this.#forget(victim, isV4 ? 4 : 6)
      if (!victim.isGivenUp) this.#drops.count('ip-fragment-evicted')
      if (victim === newest) return
    }
  }

  #place(partial: Partial, packet: Packet, header: IpHeader): FragmentVerdict {
    const at = packet.start + header.headerBytes
    const from = header.fragmentOffset
    const to = from + (packet.end - at)
    if (to > partial.end) return 'ip-fragment-bad-end'
    const { holes } = partial
    let hole = 0
    while (hole < holes.length && holes[hole + 1] <= from) hole += 2
    if (hole >= holes.length || holes[hole] > from || holes[hole + 1] < to) {
      // RFC 5722 §4: of IPv6 nothing that overlaps. Of IPv4 what says the same again has only been doubled on its way.
      const isSame = header.family === 4 && isRepeated(partial, packet.bytes, at, from, to)
      return isSame ? 'ip-fragment-duplicate' : 'ip-fragment-overlap'
    }
    if (!header.moreFragments && holes[hole + 1] !== UNKNOWN_END) return 'ip-fragment-bad-end' // there are octets behind its end
    const rest: number[] = []
    if (from > holes[hole]) rest.push(holes[hole], from)
    if (header.moreFragments && to < holes[hole + 1]) rest.push(to, holes[hole + 1])
    holes.splice(hole, 2, ...rest)
    if (!header.moreFragments) partial.end = to
    if (holes.length > 2 * MAX_HOLES) return 'ip-fragment-scattered'
    this.#keep(partial, packet, header, at, from)
    return holes.length === 0 ? 'whole' : 'kept'
  }

  #keep(partial: Partial, packet: Packet, header: IpHeader, at: number, from: number): void {
    partial.ecnSeen |= 1 << (header.trafficClass & ECN_MASK)
    let cost = RECORD_BYTES + packet.end - at
    if (from === 0) {
      partial.first = packet.clone()
      partial.firstHeaderBytes = header.headerBytes
      const { first } = partial
      partial.pieces.push({ from, bytes: first.bytes.subarray(first.start + header.headerBytes, first.end) })
      cost += header.headerBytes
    } else {
      partial.pieces.push({ from, bytes: packet.bytes.slice(at, packet.end) })
    }
    partial.bytes += cost
    this.#bytes += cost
  }
}

function oldest(map: Map<string, Partial>): Partial | null {
  for (const partial of map.values()) return partial
  return null
}

/** RFC 791 §2.3: source, destination, protocol and identification; RFC 8200 §4.5: without the protocol. */
function keyOf(header: IpHeader): string {
  const { src: s, dst: d, identification } = header
  const protocol = header.family === 4 ? header.protocol : 0
  return `${s.w0},${s.w1},${s.w2},${s.w3},${d.w0},${d.w1},${d.w2},${d.w3},${protocol},${identification}`
}

/** What can be said of a piece alone. */
function judge(packet: Packet, header: IpHeader): 'ok' | IpDropReason {
  const { bytes, start, end } = packet
  const at = start + header.headerBytes
  const length = end - at
  if (length === 0) return 'ip-fragment-bad-length'
  if (header.moreFragments && (length & 7) !== 0) {
    if (header.family === 6) header.problemOffset = 4 // RFC 8200 §4.5: the Payload Length field
    return 'ip-fragment-bad-length'
  }
  // The length of what it would make must fit its field: all of the packet (IPv4), what follows the header (IPv6).
  const before = header.family === 4 ? header.headerBytes : header.headerBytes - 8 - IPV6_HEADER_BYTES
  if (before + header.fragmentOffset + length > MAX_PACKET) {
    if (header.family === 6) header.problemOffset = header.protocolOffset + 2 // the Fragment Offset field
    return 'ip-fragment-too-long'
  }
  if (header.fragmentOffset === 0) {
    const chain =
      header.family === 4 ? { protocol: header.protocol, at } : endOfHeaderChain(bytes, at, end, header.protocol)
    if (chain === null || end - chain.at < (LEAST_HEADER[chain.protocol] ?? 0)) {
      if (header.family === 6) header.problemOffset = 0 // RFC 7112 §5: code 3, which points at nothing
      return 'ip-fragment-tiny'
    }
  } else if (header.family === 4 && header.protocol === PROTOCOL.TCP && header.fragmentOffset === 8) {
    return 'ip-fragment-tiny' // RFC 1858 §3.2.2, RFC 3128 §3: it would cover the flags
  }
  return 'ok'
}

// Whether every octet of a piece is there already, with the same value.
function isRepeated(partial: Partial, bytes: Uint8Array, at: number, from: number, to: number): boolean {
  let same = 0
  for (const piece of partial.pieces) {
    const low = Math.max(from, piece.from)
    const high = Math.min(to, piece.from + piece.bytes.length)
    for (let i = low; i < high; i++) if (piece.bytes[i - piece.from] !== bytes[at + i - from]) return false
    if (high > low) same += high - low
  }
  return same === to - from
}

/** The header of the first piece before the octets of all (RFC 791 §3.2, RFC 8200 §4.5). */
function assemble(partial: Partial, family: 4 | 6): Packet {
  const first = partial.first as Packet
  const headerBytes = family === 4 ? partial.firstHeaderBytes : partial.firstHeaderBytes - 8
  const whole = new Packet(new Uint8Array(HEADROOM + headerBytes + partial.end))
  const { bytes, start } = whole
  whole.end = start + headerBytes + partial.end
  bytes.set(first.bytes.subarray(first.start, first.start + headerBytes), start)
  for (const piece of partial.pieces) bytes.set(piece.bytes, start + headerBytes + piece.from)
  const isMarked = (partial.ecnSeen & (1 << ECN_CE)) !== 0 // RFC 3168 §5.3: a mark on one is a mark on all
  if (family === 4) {
    if (isMarked) bytes[start + 1] |= ECN_CE
    put16(bytes, start + 2, headerBytes + partial.end)
    put16(bytes, start + 6, 0)
    put16(bytes, start + 10, 0)
    put16(bytes, start + 10, finishChecksum(sumBytes(bytes, start, start + headerBytes)))
    return whole
  }
  if (isMarked) bytes[start + 1] |= ECN_CE << 4
  put16(bytes, start + 4, headerBytes - IPV6_HEADER_BYTES + partial.end)
  const fragmentHeader = first.start + headerBytes
  bytes[start + nextHeaderOfFragment(first.bytes, first.start)] = first.bytes[fragmentHeader]
  return whole
}
