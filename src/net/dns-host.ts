// What DNS needs of a host: addresses, a clock, sockets. `Host` has it all; the interface keeps imports from going in circles.
// Owns: the shape. Does not own: anything that happens.

import type { Scheduler } from '../base/time.ts'
import type { Stack } from '../stack/index.ts'
import type { CreateConnectionOptions, DialOptions, HostListenOptions } from './options.ts'
import type { TunServer } from './server.ts'
import type { TunSocket } from './socket.ts'

/** The part of a UDP socket (node:dgram's shape) that DNS uses. */
export interface DnsDatagramSocket {
  on(event: 'message', listener: (data: Buffer, from: { address: string; port: number }) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  bind(port: number, address: string, callback: () => void): unknown
  connect(port: number, address: string, callback: (error?: Error) => void): unknown
  send(data: Uint8Array, callback: (error: Error | null) => void): unknown
  send(data: Uint8Array, port: number, address: string, callback: (error: Error | null) => void): unknown
  close(): unknown
}

/** The part of a host that DNS uses. */
export interface DnsHost {
  readonly addresses: readonly string[]
  readonly scheduler: Scheduler
  readonly stack: Stack
  createSocket(type: 'udp4' | 'udp6'): DnsDatagramSocket
  createConnection(options: CreateConnectionOptions): TunSocket
  connect(options: DialOptions): Promise<TunSocket>
  listen(options: HostListenOptions): Promise<TunServer>
}
