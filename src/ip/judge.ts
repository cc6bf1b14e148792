// Whether a received packet is for this host, and from a possible source.
// Owns: that judgement. Does not own: the addresses (own-addresses.ts), whether the header is whole (parse.ts), what is forwarded
// (stack/router.ts). Read first: RFC 1122 §3.2.1.3.

import type { IpAddress } from './address.ts'
import type { DropReason } from './drops.ts'
import { type IpHeader, PROTOCOL } from './header.ts'
import type { OwnAddresses } from './own-addresses.ts'

/** Judges a packet from a device; sets `header.toUnicast`. */
export function judgeAddresses(header: IpHeader, own: OwnAddresses): 'ok' | DropReason {
  const { src, dst } = header
  // An IPv4 address in an IPv6 header would pass for the real one further up (RFC 4942 §2.2).
  if (header.family === 6 && dst.family === 4) return 'ip-not-for-us'
  header.toUnicast = own.has(dst)
  const isGroup = !header.toUnicast && dst.isMulticast
  if (!header.toUnicast && !isGroup && !own.isBroadcast(dst)) return 'ip-not-for-us'
  // What we sent ourselves does not come from a device: somebody has made it up.
  if (own.has(src)) return 'ip-martian-source'
  if (header.family === 6 && isGroup && src.isUnspecified && src.family === 6 && header.protocol === PROTOCOL.ICMPV6) {
    // A neighbour that still has no address: duplicate address detection, MLD (RFC 4862 §5.4.2).
    return 'icmp-ignored'
  }
  if (isMartian(header, own)) return 'ip-martian-source'
  // RFC 1122 §3.2.1.3, RFC 1112 §7.2: of groups only those that we are in. Other transports take nothing from groups, or look themselves.
  return isGroup && header.protocol === PROTOCOL.UDP && !own.isMember(dst) ? 'ip-not-for-us' : 'ok'
}

function isMartian({ family, src, dst, protocol }: IpHeader, own: OwnAddresses): boolean {
  if (family === 6) return src.family === 4 || src.isMulticast || src.isUnspecified || src.isLoopback
  // RFC 1122 §3.2.1.3(a): 0.0.0.0 is the source of a host that asks for its address, and of nobody else (RFC 2131 §4.1).
  if (src.isUnspecified) return protocol !== PROTOCOL.UDP || !dst.isLimitedBroadcast
  return isMartianV4(src) || own.isBroadcast(src)
}

/** RFC 1122 §3.2.1.3: (a) 0/8, (c) (d) broadcast, class D, (g) 127/8 are no source for a datagram from outside [MUST-63]. */
export function isMartianV4(src: IpAddress): boolean {
  const net = src.w3 >>> 24
  return net === 0 || net === 127 || src.isMulticast || src.isLimitedBroadcast
}
