// What a router's word on the link's MTU does to connections that are open (RFC 4861 §6.3.4).
// Owns: the walk over them. Does not own: the MTU (src/ip/addressing.ts), what one connection makes of it (src/tcp/link-mtu.ts).

import type { IpLayer } from '../ip/layer.ts'
import type { TcpLayer } from '../tcp/layer.ts'
import { changeLinkMtu } from '../tcp/link-mtu.ts'

/** Tells every connection over IPv6 what the link takes now. */
export function onLinkMtu({ ip, tcp }: { readonly ip: IpLayer; readonly tcp: TcpLayer }): void {
  for (const connection of tcp.connections()) {
    const { remote } = connection.tcb
    if (remote.family !== 6 || remote.isLoopback) continue
    changeLinkMtu(connection.tcb, ip.mtuTo(remote) - ip.headerBytes(remote))
    tcp.touch(connection)
  }
}
