// What connections know of the neighbours that their packets go by: whoever's acknowledgements and text keep coming hears us.
// Owns: the hint of RFC 4861 §7.3.1, made when it is asked for, so that no packet costs more. Does not own: neighbours (src/ethernet).
// Read first: RFC 4861 §7.3.1.

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { IpLayer } from '../ip/layer.ts'
import type { TcpLayer } from '../tcp/layer.ts'
import { isSynchronized } from '../tcp/state.ts'

/** When a connection whose packets go by `neighbour` last made progress; -Infinity: there is none. It walks all connections. */
export function progressVia(
  { ip, tcp }: { readonly ip: IpLayer; readonly tcp: TcpLayer },
  neighbour: IpAddress,
): Micros {
  let last = Number.NEGATIVE_INFINITY
  for (const { tcb } of tcp.connections()) {
    // New text, or an acknowledgement of something new: the latter is later than neither of the two.
    const at = Math.max(tcb.ack.textAt, Math.min(tcb.heardAt, tcb.progressAt))
    if (at > last && isSynchronized(tcb.state) && ip.nextHop(tcb.remote)?.equals(neighbour) === true) last = at
  }
  return last
}
