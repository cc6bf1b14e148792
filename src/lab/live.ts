// What an experiment is given when it runs live: our stack against the Linux kernel, over a TUN device in a namespace of its own.
// Owns: the shapes. Does not own: namespace and device (cli/lab-live.ts), what is measured (experiments/).

import type { Duplex } from 'node:stream'
import type { Micros } from '../base/time.ts'
import type { Host } from '../net/index.ts'
import type { TcpConfig } from '../tcp/config.ts'
import type { SegmentRecord } from '../trace/recorder.ts'

/** One host of ours and Linux, on a link that delays packets. */
export interface LiveWorld {
  readonly host: Host
  /** Linux's address on the link. */
  readonly linux: string
  now(): Micros
  sleep(us: Micros): Promise<void>
  /** Opens a port of Linux; closed with the world. */
  listenOnLinux(port: number, onSocket: (socket: Duplex) => void): Promise<void>
  /** A connection from Linux to a port of ours. */
  connectFromLinux(port: number): Promise<Duplex>
  /** What has passed, as our host saw it, in order. */
  records(): readonly SegmentRecord[]
}

/** What a live world is made of. */
export interface LiveRequest {
  readonly tcp?: Partial<TcpConfig>
  /** Of each direction. */
  readonly delayUs: Micros
}

/** The surroundings of a live run. */
export interface LiveContext {
  /** Makes a world, lets `act` go on in it, and takes it down. */
  world<T>(request: LiveRequest, act: (world: LiveWorld) => Promise<T>): Promise<T>
}
