// Events of connections as JSON, one object a line: what plots and notebooks read. Owns: the form. Does not own: the events (tcp/watch.ts).
//
//   {"time":1.250301,"connection":"10.77.0.2:80 10.77.0.1:40000","kind":"window","cwnd":14480,"ssthresh":null,...}
//
// Times are in seconds of the host's clock, or since 1970 when `epochUs` says what its 0 is; what is infinite is null.

import { formatEndpoint } from '../ip/address.ts'
import type { Connection } from '../tcp/connection.ts'
import type { TcpEvent } from '../tcp/watch.ts'

/** One line, without its end. `epochUs`: what the instant 0 of the clock is, in microseconds since 1970. */
export function eventLine(event: TcpEvent, connection: Connection, epochUs = 0): string {
  const { local, localPort, remote, remotePort } = connection
  const { at, ...rest } = event
  const name = `${formatEndpoint(local, localPort)} ${formatEndpoint(remote, remotePort)}`
  return JSON.stringify({ time: Math.round(at + epochUs) / 1e6, connection: name, ...rest })
}
