// The own link takes more or less than it did: to a connection that is open, the path has changed (RFC 4861 §6.3.4, RFC 8201 §4).
// Owns: that change. Does not own: the search for what the path takes (path-mtu.ts), what ICMP says of it (icmp-errors.ts).

import { lowerPathMtu } from './icmp-errors.ts'
import { notePathMtuTold, updateSendMss } from './path-mtu.ts'
import type { Tcb } from './tcb.ts'

/**
 * The link takes segments of so many bytes, header and text. What is larger goes again in pieces; where the link was the narrowest of the
 * path, segments grow with it at once, and a router that minds says so.
 */
export function changeLinkMtu(tcb: Tcb, linkBytes: number): void {
  const { path } = tcb
  const before = path.linkBytes
  path.linkBytes = linkBytes
  if (linkBytes < tcb.pathSegmentBytes) {
    lowerPathMtu(tcb, linkBytes)
    notePathMtuTold(tcb)
  } else if (linkBytes > before && tcb.pathSegmentBytes === before) {
    tcb.pathSegmentBytes = linkBytes
    path.high = linkBytes
    if (path.peerMss !== Number.POSITIVE_INFINITY) updateSendMss(tcb)
  } else path.high = Math.min(path.high, linkBytes)
}
