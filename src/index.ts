// tunstack: the pieces that most programs need. Everything else is under a floor of its own: tunstack/tcp, tunstack/sim, ...

export { MILLISECOND, type Scheduler, SECOND } from './base/index.ts'
export { HttpClient, HttpServer } from './http/index.ts'
export { IpAddress } from './ip/index.ts'
export { capture, impair, memoryPair, openTun, type PacketDevice } from './link/index.ts'
export { createHost, Host, TunServer, TunSocket } from './net/index.ts'
export { Network, VirtualTime } from './sim/index.ts'
export { Stack, type TcpConfig, type TcpInfo } from './stack/index.ts'
export { formatPacket, ladder, Recorder } from './trace/index.ts'
