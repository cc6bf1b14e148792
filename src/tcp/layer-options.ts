// What is asked of a host's TCP: its set-up, OPEN's arguments (RFC 9293 §3.9.1.1).
// Owns: these records. Does not own: what is done with them (layer.ts), the settings of a connection (config.ts).

import type { Random } from '../base/random.ts'
import type { IpAddress } from '../ip/address.ts'
import type { IpLayer } from '../ip/layer.ts'
import type { Offload } from '../link/device.ts'
import type { TcpConfig } from './config.ts'

/** How a host's TCP is set up. */
export interface TcpLayerOptions {
  readonly ip: IpLayer
  readonly random: Random
  readonly offload: Offload
  /** Defaults of every connection. */
  readonly config?: Partial<TcpConfig>
  /** Gives initial sequence numbers instead of RFC 6528's; for tests at the wrap and for replays. */
  readonly isn?: () => number
}

/** What an active open needs. */
export interface ConnectOptions {
  readonly remote: IpAddress
  readonly remotePort: number
  /** Own address; by default the one that IP would use [MUST-44]. */
  readonly local?: IpAddress
  /** Own port; by default a free one of the ephemeral range. */
  readonly localPort?: number
  readonly config?: Partial<TcpConfig>
}

/** What a passive open needs. */
export interface ListenOptions {
  /** Own address; by default all [MUST-43]. */
  readonly local?: IpAddress
  /** 0 for any free one. */
  readonly port: number
  /** Default 511, as Node's. */
  readonly backlog?: number
  readonly config?: Partial<TcpConfig>
}
