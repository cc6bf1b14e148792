// What the parts of the demonstration hand to one another.

import type { Duplex } from 'node:stream'
import type { Micros, Scheduler } from '../base/time.ts'
import type { PacketDevice } from '../link/device.ts'
import type { ImpairedDevice } from '../link/impair.ts'
import type { Impairment } from '../link/impairment.ts'
import type { Host } from '../net/index.ts'
import type { Recorder } from '../trace/recorder.ts'

/** One resource as the client got it. */
export interface FetchedResource {
  readonly path: string
  readonly status: number
  readonly bytes: number
  /** Whether every byte was the one served. */
  readonly isRight: boolean
  /** Seconds, as curl names them; time_connect is 0 on a connection that was open already. */
  readonly timeConnect: number
  readonly timeStartTransfer: number
  readonly timeTotal: number
  readonly newConnections: number
}

/** What a run of the demonstration brought. */
export interface DemoResult {
  /** Who fetched, in words. */
  readonly client: string
  readonly where: string
  readonly resources: readonly FetchedResource[]
  readonly recorder: Recorder
  readonly delayUs: Micros
}

/** Options of the demonstration. */
export interface DemoOptions {
  readonly impairment: Impairment
  /** Repeats what the impairment does. */
  readonly seed: number
  /** A file for the packets, or undefined. */
  readonly pcap: string | undefined
}

/** What the live page is about. */
export interface SceneParts {
  readonly host: Host
  readonly device: PacketDevice
  readonly link: ImpairedDevice
  /** The impairment that the link began with. */
  readonly impairment: Impairment
  readonly scheduler: Scheduler
}

/** A network with our server on it that stays until it is closed. */
export interface DemoScene {
  /** Who visits, in words. */
  readonly visitor: string
  /** Fetches the page as the demonstration does, and shows nothing. */
  visit(signal: AbortSignal): Promise<unknown>
  /** Opens a connection from the client's end to our server. */
  dial(): Duplex
  close(): Promise<void>
}
