// Whole datagrams on their way out, and the fragments of those that the link does not take.
// Owns: the bounded queue, cutting up at the source (RFC 791 §3.2, RFC 8200 §4.5). Does not own: headers of whole datagrams (layer.ts),
// segments of TCP, which never need it.

import { put16 } from '../base/bytes.ts'
import type { Packet } from '../link/device.ts'
import { finishChecksum, sumBytes } from './checksum.ts'
import { IPV4_HEADER_BYTES } from './ipv4.ts'
import { FRAGMENT, IPV6_HEADER_BYTES, writeFragmentHeader } from './ipv6.ts'

const FRAGMENT_HEADER_BYTES = 8
const MORE_FRAGMENTS = 0x2000

interface Waiting {
  readonly packet: Packet
  readonly toSelf: boolean
  /** The largest packet on its path. */
  readonly mtu: number
  readonly identification: number
}

/** A queue of datagrams, which gives packets. */
export class Outbound {
  readonly #mostPackets: number
  readonly #mostBytes: number
  readonly #queue: Waiting[] = []
  #bytes = 0
  // Of the first in the queue: the payload bytes that are out.
  #done = 0

  constructor(mostPackets: number, mostBytes: number) {
    this.#mostPackets = mostPackets
    this.#mostBytes = mostBytes
  }

  /** Datagrams that wait. */
  get size(): number {
    return this.#queue.length
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether a datagram of so many bytes may come. One at least always may. */
  hasRoom(bytes: number): boolean {
    return (
      this.#queue.length === 0 || (this.#queue.length < this.#mostPackets && this.#bytes + bytes <= this.#mostBytes)
    )
  }

  /** Takes a datagram with its header in place; it belongs to the queue from now on. */
  push(packet: Packet, toSelf: boolean, mtu: number, identification: number): void {
    this.#queue.push({ packet, toSelf, mtu, identification })
    this.#bytes += packet.length
  }

  /** Copies the next packet into `packet`. Null: there is none; otherwise whether it is for this host itself, then it is never cut. */
  poll(packet: Packet): { readonly toSelf: boolean } | null {
    const next = this.#queue[0]
    if (next === undefined) return null
    const whole = next.packet
    if (next.toSelf || whole.segmentBytes > 0 || whole.length <= next.mtu) {
      packet.copyFrom(whole)
      this.#drop()
      return next
    }
    const isV4 = whole.bytes[whole.start] >>> 4 === 4
    const payloadBytes = whole.length - (isV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES)
    this.#done += isV4 ? cutV4(next, this.#done, payloadBytes, packet) : cutV6(next, this.#done, payloadBytes, packet)
    if (this.#done >= payloadBytes) this.#drop()
    return next
  }

  #drop(): void {
    this.#bytes -= this.#queue[0].packet.length
    this.#queue.shift()
    this.#done = 0
  }
}

function begin(packet: Packet, bytes: number): void {
  packet.end = packet.start + bytes
  packet.checksum = 'complete'
  packet.segmentBytes = 0
}

function cutV4({ packet: whole, mtu }: Waiting, from: number, payloadBytes: number, out: Packet): number {
  const room = (mtu - IPV4_HEADER_BYTES) & ~7
  const length = Math.min(room, payloadBytes - from)
  begin(out, IPV4_HEADER_BYTES + length)
  const { bytes, start } = out
  const at = whole.start + IPV4_HEADER_BYTES + from
  bytes.set(whole.bytes.subarray(whole.start, whole.start + IPV4_HEADER_BYTES), start)
  bytes.set(whole.bytes.subarray(at, at + length), start + IPV4_HEADER_BYTES)
  put16(bytes, start + 2, IPV4_HEADER_BYTES + length)
  put16(bytes, start + 6, (from >>> 3) | (from + length < payloadBytes ? MORE_FRAGMENTS : 0))
  put16(bytes, start + 10, 0)
  put16(bytes, start + 10, finishChecksum(sumBytes(bytes, start, start + IPV4_HEADER_BYTES)))
  return length
}

function cutV6(waiting: Waiting, from: number, payloadBytes: number, out: Packet): number {
  const { packet: whole, mtu, identification } = waiting
  const before = IPV6_HEADER_BYTES + FRAGMENT_HEADER_BYTES
  const length = Math.min((mtu - before) & ~7, payloadBytes - from)
  begin(out, before + length)
  const { bytes, start } = out
  const at = whole.start + IPV6_HEADER_BYTES + from
  bytes.set(whole.bytes.subarray(whole.start, whole.start + IPV6_HEADER_BYTES), start)
  bytes.set(whole.bytes.subarray(at, at + length), start + before)
  put16(bytes, start + 4, FRAGMENT_HEADER_BYTES + length)
  bytes[start + 6] = FRAGMENT
  const isLast = from + length >= payloadBytes
  writeFragmentHeader(bytes, start + IPV6_HEADER_BYTES, whole.bytes[whole.start + 6], from, !isLast, identification)
  return length
}
