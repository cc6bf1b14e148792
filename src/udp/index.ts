// The public face of the UDP floor (`tunstack/udp`): the codec, sockets without I/O, a host's UDP.
// Owns: nothing but the list.

export { UdpError, type UdpErrorCode } from './errors.ts'
export { formatUdp, parseUdp, UDP_HEADER_BYTES, UdpHeader, writeUdp } from './header.ts'
export { MAX_DATA_V4, MAX_DATA_V6, type UdpCounters, UdpLayer } from './layer.ts'
export {
  PathSearch,
  type PathSearchHandle,
  type PathSearchLimits,
  type PathSearchOptions,
  type PathSearchState,
} from './path-search.ts'
export {
  type Datagram,
  DEFAULT_RECEIVE_BUFFER_BYTES,
  UDP_EVENT,
  type UdpFamilies,
  type UdpOpenOptions,
  UdpSocket,
} from './socket.ts'
