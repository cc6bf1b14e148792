// A UDP socket of a script: what a descriptor knows beside the stack's own socket.
// Owns: the record, and its address before a port is needed. Does not own: the calls (calls-datagram.ts), UDP (src/udp).

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { UdpSocket } from '../stack/index.ts'
import type { Datagram } from '../udp/index.ts'

/** A UDP socket behind a descriptor. */
export class DatagramSocket {
  readonly kind = 'datagram'
  readonly family: number
  isNonblocking = false
  isCloseOnExec = false
  isReadShut = false
  isWriteShut = false
  /** Null until it has a port. */
  udp: UdpSocket | null = null
  /** sk_err: an ICMP error, told once. */
  error = ''
  receiveTimeoutUs: Micros = Number.POSITIVE_INFINITY
  /** Options as they were set, `level:number`. */
  readonly options = new Map<string, number>()
  #held: Datagram | null = null

  constructor(family: number) {
    this.family = family
  }

  /** The next datagram, which stays where it is; null when none waits. */
  peek(): Datagram | null {
    this.#held ??= this.udp?.receive() ?? null
    return this.#held
  }

  /** The next datagram; null when none waits. */
  receive(): Datagram | null {
    const next = this.peek()
    this.#held = null
    return next
  }

  /** Takes the error, '' when there is none. */
  takeError(): string {
    const { error } = this
    this.error = ''
    return error
  }

  /** The peer it is connected to; null without one. */
  get peer(): { readonly address: IpAddress; readonly port: number } | null {
    const { udp } = this
    return udp === null || udp.remote === null ? null : { address: udp.remote, port: udp.remotePort }
  }
}
