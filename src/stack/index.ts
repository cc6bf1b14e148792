// A whole host without I/O, and what drives it over a device.

export { Connection, EVENT, Listener, type State, type TcpConfig, TcpError, type TcpInfo } from '../tcp/index.ts'
export {
  type PathSearchHandle,
  type PathSearchOptions,
  type PathSearchState,
  UDP_EVENT,
  UdpError,
  UdpSocket,
} from '../udp/index.ts'
export { BATCH_PACKETS, Driver, type DriverOptions } from './driver.ts'
export { Router, type RouterOptions } from './router.ts'
export { type EventSource, Stack, type StackConfig } from './stack.ts'
