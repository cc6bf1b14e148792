// The public face of DHCPv4 (`tunstack/dhcp`): messages, a client and a server without I/O.
// Owns: nothing but the list.

export {
  DhcpClient,
  type DhcpClientOptions,
  type DhcpDrops,
  type DhcpEvent,
  type DhcpState,
  type DhcpTransmit,
} from './client.ts'
export { type Lease, leaseOf } from './lease.ts'
export { type Binding, LeaseTable } from './leases.ts'
export { DHCP_OP, DHCP_PORT, type DhcpMessage, parseDhcp, writeDhcp } from './message.ts'
export { DHCP_TYPE, OPTION } from './options.ts'
export {
  type DhcpAnswer,
  DhcpServer,
  type DhcpServerCounters,
  type DhcpServerEvent,
  type DhcpServerOptions,
} from './server.ts'
