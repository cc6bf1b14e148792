// The wire from a host to itself: packets to 127.0.0.0/8, ::1 and own addresses, which no device sees (RFC 1122 §3.2.1.3(g)).
// Owns: a bounded queue. Does not own: what goes into it (IpLayer.toSelf), what becomes of it (stack.ts).

import type { DropCounters } from '../ip/drops.ts'
import type { Packet } from '../link/device.ts'

/** Most packets on the wire, and most bytes, about what Linux's loopback holds back. */
const MOST_PACKETS = 4096
const MOST_BYTES = 16 << 20

/** Packets on their way. */
export class Loopback {
  readonly #drops: DropCounters
  #packets: Packet[] = []
  #at = 0
  #bytes = 0

  constructor(drops: DropCounters) {
    this.#drops = drops
  }

  /** Takes a copy; what is too much is dropped and counted. */
  put(packet: Packet): void {
    if (this.#packets.length - this.#at >= MOST_PACKETS || this.#bytes + packet.length > MOST_BYTES) {
      this.#drops.count('ip-loopback-full')
      return
    }
    this.#packets.push(packet.clone())
    this.#bytes += packet.length
  }

  /** The packet that is longest on its way, which is the caller's then; null when there is none. */
  take(): Packet | null {
    if (this.#at === this.#packets.length) return null
    const packet = this.#packets[this.#at++]
    this.#bytes -= packet.length
    if (this.#at === this.#packets.length) {
      this.#packets = []
      this.#at = 0
    }
    return packet
  }
}
