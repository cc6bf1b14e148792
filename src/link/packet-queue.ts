// A bounded first-in-first-out queue of packet copies, without garbage in the steady state.
// Owns: the bound and the free list of Packet buffers. Does not own: when packets leave (pair.ts, impair.ts, tuntap2.ts).

import { Fifo } from '../base/fifo.ts'
import { MAX_PACKET, Packet } from './device.ts'

/** The buffers that a free list keeps, in bytes: bounds the memory that one burst of super-segments leaves behind. */
const MAX_FREE_BYTES = 8 << 20

/** Shorter packets are copied: that costs less than the memory which would lie behind them. */
const LEAST_EXCHANGED = 256

/** Buffers lie side by side in pieces of memory: a sum over a packet needs a view of the whole piece, which is there already. */
const FIRST_SLAB_PACKETS = 4
const MOST_SLAB_PACKETS = 1024
const LARGEST_IN_SLAB = 4096

/** A free list of packets, so that a copy costs no new buffer once the list has filled. */
export class PacketPool {
  readonly #free: Packet[] = []
  #freeBytes = 0
  #slab = new ArrayBuffer(0)
  #slabAt = 0
  #slabPackets = FIRST_SLAB_PACKETS

  /** A copy of `packet`, owned by the caller until it is given back. */
  copy(packet: Packet): Packet {
    const own = this.#free.pop()
    if (own === undefined) return packet.clone()
    this.#freeBytes -= own.bytes.length
    own.copyFrom(packet)
    return own
  }

  /** The same for a packet whose contents nobody needs any more: it gets another buffer instead, as large or larger. */
  take(packet: Packet): Packet {
    if (packet.length < LEAST_EXCHANGED || packet.tailEnd > 0) return this.copy(packet)
    const needed = packet.bytes.length
    const spare = this.#free.pop()
    if (spare !== undefined) this.#freeBytes -= spare.bytes.length
    const own = spare ?? new Packet(this.#memory(needed))
    if (own.bytes.length < needed) own.bytes = this.#memory(needed)
    own.exchangeWith(packet)
    return own
  }

  /** Takes a packet back for reuse; the caller must not touch it again. */
  recycle(packet: Packet): void {
    if (this.#freeBytes + packet.bytes.length > MAX_FREE_BYTES) return
    this.#freeBytes += packet.bytes.length
    this.#free.push(packet)
  }

  #memory(length: number): Uint8Array {
    if (length > LARGEST_IN_SLAB) return new Uint8Array(length)
    const stride = (length + 7) & ~7
    if (this.#slabAt + stride > this.#slab.byteLength) {
      this.#slab = new ArrayBuffer(stride * this.#slabPackets)
      this.#slabAt = 0
      this.#slabPackets = Math.min(2 * this.#slabPackets, MOST_SLAB_PACKETS)
    }
    const bytes = new Uint8Array(this.#slab, this.#slabAt, length)
    this.#slabAt += stride
    return bytes
  }
}

/** A bounded queue of copies of packets. */
export class PacketQueue {
  readonly #pool = new PacketPool()
  readonly #limit: number
  readonly #packets = new Fifo<Packet>()

  /** @param limit how many packets may wait; further ones are refused. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many packets wait. */
  get size(): number {
    return this.#packets.size
  }

  /** Queues a copy. Returns false when the queue is full. */
  push(packet: Packet): boolean {
    return this.#put(packet, false)
  }

  /** The same for a packet whose contents nobody needs any more; another buffer may be in it afterwards. */
  give(packet: Packet): boolean {
    return this.#put(packet, true)
  }

  #put(packet: Packet, isGiven: boolean): boolean {
    if (this.#packets.size >= this.#limit || packet.length > MAX_PACKET) return false
    this.#packets.push(isGiven ? this.#pool.take(packet) : this.#pool.copy(packet))
    return true
  }

  /** Takes the oldest packet out, or null when the queue is empty. Give it back with `recycle` after use. */
  shift(): Packet | null {
    return this.#packets.shift()
  }

  /** Takes a packet that `shift` gave back for reuse. */
  recycle(packet: Packet): void {
    this.#pool.recycle(packet)
  }

  /** Forgets all packets that wait. */
  clear(): void {
    this.#packets.clear()
  }
}
