// What is asked of a host's TCP: its set-up, OPEN's arguments (RFC 9293 §3.9.1.1).
// Owns: these records. Does not own: what is done with them (layer.ts), the settings of a connection (config.ts).

import type { Random } from '../base/random.ts'
import type { IpAddress } from '../ip/address.ts'
import type { IpLayer } from '../ip/layer.ts'
import type { Offload } from '../link/device.ts'
import type { TcpConfig } from './config.ts'
import type { Md5PeerKey, Md5Secret } from './md5.ts'

/** How a host's TCP is set up. */
export interface TcpLayerOptions {
  readonly ip: IpLayer
  readonly random: Random
  readonly offload: Offload
  /** Defaults of every connection. */
  readonly config?: Partial<TcpConfig>
  /** Most connections in TIME-WAIT; over that the oldest goes (Linux's tcp_max_tw_buckets). Default 65536. */
  readonly timeWaitMax?: number
  /**
   * Most connections that their application has closed and that still have something to deliver, or to wait for; one more is reset
   * (Linux's tcp_max_orphans). Default 32768.
   */
  readonly orphanMax?: number
  /**
   * Most challenge acknowledgements in a second over all connections, about: from half of it to one and a half, drawn anew each second
   * (RFC 5961 §10). Default 1000; Infinity for no limit.
   */
  readonly challengeAcksPerSecond?: number
  /** First and last port of those that connections get by themselves (Linux's ip_local_port_range). Default 32768 to 60999. */
  readonly ephemeralPorts?: readonly [number, number]
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
  /**
   * With `localPort`: a connection of the same four values that has been in TIME-WAIT for a second, with timestamps, gives way
   * (SO_REUSEADDR). Default false.
   */
  readonly reuseAddress?: boolean
  /** Signs every segment with MD5 and believes none without (RFC 2385), 1 to 80 bytes; there are no timestamps then. Default: no key. */
  readonly md5Key?: Md5Secret
  readonly config?: Partial<TcpConfig>
}

/** What a passive open needs. */
export interface ListenOptions {
  /** Own address; by default all [MUST-43]. */
  readonly local?: IpAddress
  /** 0 for any free one. */
  readonly port: number
  /** Most connections that wait to be accepted. Default 511, as Node's. For half-open ones see `config.synBacklog`. */
  readonly backlog?: number
  /** The port may have connections, in TIME-WAIT or open, from a listener before this one (SO_REUSEADDR). Default true, as Node's. */
  readonly reuseAddress?: boolean
  /** Several listeners share address and port, all of which say so, and each SYN is one's of them (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean
  /** The same for its connections: one key for all peers, or one for each of those that have to sign. */
  readonly md5Key?: Md5Secret | readonly Md5PeerKey[]
  readonly config?: Partial<TcpConfig>
}
