// Why packets are dropped: one literal per reason, and a counter for each. A bad packet is never an exception.
// Owns: the names of the IP floor's reasons, DropCounters. Does not own: the reasons of the transports above
// (`tcp-...`, `udp-...`), which only share the prefix and the counters.

/** The reasons of the IP floor, with what each means. */
export const IP_DROP_REASONS = {
  'ip-too-short': 'shorter than an IP header',
  'ip-bad-version': 'neither IPv4 nor IPv6',
  'ip-bad-header-length': 'the IPv4 header length is below 20 or beyond the packet',
  'ip-bad-length': 'the length field is below the header length or beyond the packet',
  'ip-bad-checksum': 'the IPv4 header checksum is wrong',
  'ip-bad-options': 'malformed IP options, or an IPv6 option that asks to be discarded silently',
  'ip-bad-header-chain': 'IPv6 extension headers that are cut off, or too many',
  'ip-unknown-option': 'an unknown IPv6 option that asks for an ICMPv6 parameter problem',
  'ip-source-route': 'an IPv4 source route, or an IPv6 routing header with segments left',
  'ip-fragment': 'a fragment of a datagram that was given up',
  'ip-fragment-bad-length': 'a fragment of no length, or one that is not the last and not a multiple of 8 bytes long',
  'ip-fragment-too-long': 'a fragment that reaches beyond the longest datagram',
  'ip-fragment-tiny':
    'a first fragment that does not hold all headers, or one that would cover them (RFC 1858, RFC 7112)',
  'ip-fragment-bad-end': 'fragments that do not agree on where their datagram ends, which goes with them',
  'ip-fragment-overlap': 'a fragment that overlaps others, which go with it (RFC 5722)',
  'ip-fragment-duplicate': 'an IPv4 fragment that came twice; the first stays',
  'ip-fragment-scattered': 'a datagram with too many holes',
  'ip-fragment-ecn': 'a datagram of fragments with and without ECN, one of them marked (RFC 3168 §5.3)',
  'ip-fragment-timeout': 'a datagram whose fragments did not all come in time',
  'ip-fragment-evicted': 'the oldest unfinished datagram, when there were too many or too many bytes',
  'ip-loopback-full': 'too many packets of this host are on their way to itself',
  'ip-not-for-us': 'the destination is none of our addresses',
  'ip-martian-source': 'the source cannot be that of a host outside (RFC 1122 §3.2.1.3)',
  'ip-stale-source': 'a segment of ours from an address that was taken away',
  'ip-martian-transit': 'a packet for others from or to an address that no router forwards (RFC 1812 §5.3.7)',
  'ip-transit-hop-limit': 'a packet for others whose hop limit was used up',
  'ip-transit-no-route': 'a packet for others without a route',
  'ip-transit-host': 'a packet for others whose next hop does not answer',
  'ip-transit-too-big': 'a packet for others too large for the next link',
  'ip-transit-scope': 'a packet for others from a link-local address (RFC 4443 §3.1)',
  'ip-unknown-protocol': 'no transport takes this protocol',
  'ip-no-route': 'a reply was due, but there is no route or no address of ours for it',
  'icmp-too-short': 'shorter than an ICMP header',
  'icmp-bad-checksum': 'the ICMP checksum is wrong',
  'icmp-bad-quote': 'an ICMP error whose quoted packet is cut off, or is not one of ours',
  'icmp-ignored': 'an ICMP message that a host on a point-to-point link has no use for',
  'icmp-too-big': 'the message would exceed the longest datagram',
  'icmp-queue-full': 'too many ICMP replies wait to be sent',
} as const satisfies Record<string, string>

/** A reason of the IP floor. */
export type IpDropReason = keyof typeof IP_DROP_REASONS

/** A reason why a packet was dropped: one of this floor's, or of a transport. */
export type DropReason = IpDropReason | `tcp-${string}` | `udp-${string}`

/**
 * Counts dropped packets by reason. The number of reasons is bounded by the code: a reason never holds a peer's data.
 */
export class DropCounters {
  readonly #counts = new Map<DropReason, number>()

  /** Counts one packet dropped for `reason`. */
  count(reason: DropReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
  }

  /** How many packets were dropped for `reason`. */
  get(reason: DropReason): number {
    return this.#counts.get(reason) ?? 0
  }

  /** How many packets were dropped for any reason. */
  get total(): number {
    let total = 0
    for (const n of this.#counts.values()) total += n
    return total
  }

  /** The reasons that occurred, in alphabetical order, with their counts. */
  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
