// The public face of the Node floor (`tunstack/net`): hosts, sockets and servers in real time.
// Owns: nothing but the list.

export type { Lingered } from './ack-waiters.ts'
export { TunAgent, TunHttpsAgent } from './agent.ts'
export { type CallAddress, type ShutdownHow, SocketCalls, type SocketOptionName, socketCalls } from './calls.ts'
export { type ContentDecoder, contentDecoders } from './content-codings.ts'

export { type RemoteInfo, TunDgramSocket } from './dgram.ts'
export type { DatagramData, DgramBindOptions, DgramOptions, SendCallback } from './dgram-arguments.ts'
export { HostDhcpClient, type HostDhcpOptions } from './dhcp.ts'
export { HostDhcpServer, type HostDhcpServerOptions, type StoredLease } from './dhcp-server.ts'
export { type DirectHandler, type DirectListenOptions, DirectServer, DirectSocket } from './direct.ts'
export type { DirectStream } from './direct-stream.ts'
export { type DnsOptions, HostResolver } from './dns.ts'
export { HostDnsServer, type HostDnsServerOptions } from './dns-server.ts'
export { createHost, Host, type HostObserver } from './host.ts'
export type { HostOptions } from './host-options.ts'
export { type NodeCoding, nodeCodings } from './http-codings.ts'
export {
  type AddressFinder,
  type ConnectPhase,
  type HttpConnectContext,
  type HttpConnector,
  type HttpConnectorOptions,
  type HttpDialTimes,
  type HttpTarget,
  httpConnector,
  secureOver,
} from './http-connect.ts'
export type {
  ConnectArguments,
  ConnectOptions,
  CreateConnectionOptions,
  DialOptions,
  HostListenOptions,
  ListenArguments,
  ListenOptions,
  PeerKey,
  ServerOptions,
  SocketAddress,
  SocketOptions,
} from './options.ts'
export type { PathMtuSearch } from './path-mtu-search.ts'
export type { PingError, PingOptions } from './ping.ts'
export { type RealTimeOptions, realTime, systemRandom } from './real-time.ts'
export type { RedisConnector, RedisConnectorClass } from './redis.ts'
export { createRouter, type HostRouter, type HostRouterOptions, type RouterPort } from './router.ts'
export type { HostRoute } from './routes.ts'
export { secureServer } from './secure-server.ts'
export { type DropArgument, TunServer } from './server.ts'
export { TunSocket } from './socket.ts'
export type { SocketError } from './socket-errors.ts'
export { nameTlsSocket } from './tls-names.ts'
export type {
  UndiciConnectCallback,
  UndiciConnectOptions,
  UndiciConnector,
  UndiciConnectorOptions,
} from './undici.ts'
