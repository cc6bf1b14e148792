// What a script runs against: something with sockets on one side and a wire on the other. Our own stack in virtual time is one
// (stack-target.ts), the Linux kernel behind a TUN device another; the runner does not know which.
// Owns: the contract. Does not own: the language (parser.ts), when things happen and what is expected (runner.ts).

import type { Micros } from '../base/time.ts'

/**
 * An argument of a call, or what the call has made of it. Names are resolved to Linux's numbers (constants.ts) before a target sees
 * them, so that the kernel takes them as they are: `SOL_SOCKET` is 1, `O_RDWR|O_NONBLOCK` 2050, `htons(80)` 80 in a sockaddr's
 * `sin_port`, an address its text. `null` is `...`: whatever fits, nothing is expected of it.
 */
export type Value = number | string | null | readonly Value[] | { readonly [field: string]: Value }

/** How a call ended. */
export interface Outcome {
  /** What it returned; -1 with an error. File descriptors are the target's own: the runner maps the script's onto them. */
  readonly value: number
  /** The name of errno, '' without an error. */
  readonly errno: string
  /** The arguments as the call left them, in the script's shape: what a getsockopt, recvmsg, poll, epoll_wait or ioctl has filled in. */
  readonly outputs: readonly Value[]
}

/** A call under way or over. */
export interface Call {
  /** null while it blocks. */
  readonly outcome: Outcome | null
  /** When it returned, on the target's clock; -1 while it blocks. */
  readonly endedAt: Micros
}

/** A packet that the side under test has sent. */
export interface SentPacket {
  readonly at: Micros
  /** The whole IP packet, a copy of the receiver's own. A super-segment is one packet. */
  readonly bytes: Uint8Array
  /** Its PSH only says where a device's super-segment ends, which goes by the pace: it may as well not be there. */
  readonly isPushFree?: boolean
  /** Octets of text in each segment of a super-segment, when the side under test tells. */
  readonly segmentBytes?: number
}

/** What both ends are called, and how large packets may be. */
export interface Ends {
  readonly family: 4 | 6
  /** The address of the side under test: `socket`, `bind` and `listen` happen there. */
  readonly local: string
  readonly prefixLength: number
  /** The address that the script's packets come from. */
  readonly remote: string
  readonly mtu: number
}

/** One side of a connection under test. Made for one script, closed after it. */
export interface Target {
  /** Microseconds since it was made. Virtual or real. */
  now(): Micros
  /**
   * Sets what a script's `sysctl` lines ask for: `net.ipv4.tcp_ecn`, `net.inet.tcp.rfc1323`, and their values as they were written.
   * Returns why it cannot, or null. Before the first call for what is fixed later.
   */
  setSysctl(name: string, value: string): string | null
  /** Starts a call: `('socket', [2, 1, 6])`. It may be over when this returns, or end as time passes. Throws for an unknown name. */
  start(name: string, args: readonly Value[]): Call
  /** Hands it an IP packet from the wire. Borrowed. */
  deliver(packet: Uint8Array): void
  /** The next packet that it sent, in order; null when there is none now. */
  take(): SentPacket | null
  /**
   * Lets time pass until `until`, or until `take` has a packet or a call has ended, whichever is first. With `until` not after `now`
   * it only settles what can happen now.
   */
  advance(until: Micros): Promise<void>
  /** Fields of Linux's struct tcp_info, in its units and codes (tcpi_state 1 is ESTABLISHED), of a descriptor of `socket` or `accept`. */
  tcpInfo(fd: number): Readonly<Record<string, number>> | null
  /** Ends everything without another packet on the wire, and releases what it holds. */
  close(): Promise<void>
}
