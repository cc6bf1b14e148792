// Whether a packet for somebody else may go on, and what has gone on so far.
// Owns: the judgement of its addresses (RFC 1812 §5.3.7, RFC 4291 §2.5), the counters. Does not own: routes, interfaces, sending on
// (stack/router.ts), the errors that its sender is told (control.ts).
// Read first: RFC 1812 §5.2, §5.3.

import type { IpHeader } from './header.ts'
import { isMartianV4 } from './judge.ts'
import { isLinkLocal } from './policy.ts'

/** Why a packet cannot go on, as its sender is told (RFC 1812 §4.3.3, RFC 4443 §3). */
export type TransitProblem = 'hop-limit' | 'no-route' | 'host' | 'too-big' | 'scope'

/** What a router has done with packets for others. */
export interface TransitCounters {
  /** Sent on, pieces of one packet counted once. */
  forwarded: number
  /** Whose hop limit was used up. */
  hopLimit: number
  /** To where there is no route. */
  noRoute: number
  /** Too large for the next link, and not to be cut up. */
  tooBig: number
  /** Cut up, and the pieces. */
  fragmented: number
  pieces: number
  /** From or to an address that does not leave its link, or that nobody has. */
  martian: number
  /** That the device of the next link has dropped. */
  dropped: number
}

/** Fresh counters, all zero. */
export function transitCounters(): TransitCounters {
  return { forwarded: 0, hopLimit: 0, noRoute: 0, tooBig: 0, fragmented: 0, pieces: 0, martian: 0, dropped: 0 }
}

/**
 * Whether a packet may be forwarded by its addresses: 'ok'; 'martian', which is dropped without a word (RFC 1812 §5.3.7, RFC 3927 §2.7);
 * 'scope': a link-local source asks for more than its link (RFC 4443 §3.1, code 2). The destination is not ours, no group, no broadcast.
 */
export function judgeTransit({ family, src, dst }: IpHeader): 'ok' | 'martian' | 'scope' {
  if (family === 4) {
    const net = dst.w3 >>> 24
    // Class E is nobody's (RFC 1112 §4).
    const isMartian = isMartianV4(src) || net === 0 || net === 127 || net >= 240 || src.w3 >>> 28 === 15
    return isMartian || isLinkLocal(src) || isLinkLocal(dst) ? 'martian' : 'ok'
  }
  if (src.family === 4 || dst.family === 4) return 'martian' // mapped addresses stand on no wire (RFC 4942 §2.2)
  if (src.isMulticast || src.isUnspecified || src.isLoopback || dst.isLoopback || dst.isUnspecified) return 'martian'
  if (isLinkLocal(dst)) return 'martian'
  return isLinkLocal(src) ? 'scope' : 'ok'
}
