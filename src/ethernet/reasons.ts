// Why frames are dropped, and what of ARP and neighbour discovery is passed over: one literal for each reason, and a counter.
// Owns: the names and the counters. Does not own: the judgements.

/** The reasons, with what each means. */
export const ETHERNET_DROP_REASONS = {
  'eth-too-short': 'shorter than its header',
  'eth-bad-source': 'from a group, which is no source',
  'eth-no-type': 'a length where the type should be: LLC, as spanning tree has it',
  'eth-unknown-type': 'neither IP nor ARP',
  'eth-other-vlan': 'of a VLAN, and this end has none',
  'eth-not-for-us': 'to another station, or to a group that nobody here is in',
  'eth-own-source': 'from our own Ethernet address: it has come back, or somebody has taken it',
  'eth-wrong-cast': 'a packet to one host in a frame to everybody (RFC 1122 §3.3.6)',
  'arp-too-short': 'shorter than an ARP packet',
  'arp-unknown-kind': 'another hardware, protocol or operation',
  'arp-bad-sender': 'a sender that cannot be a host',
  'arp-spoofed-frame': 'the sender within is not the source of the frame',
  'arp-not-asked': 'an answer of somebody unknown that nobody had asked for',
  'arp-not-for-us': 'a question about somebody else',
  'arp-locked': 'another Ethernet address within a second of the last one',
  'arp-limited': 'a question too many within a second',
  'arp-conflict': 'from somebody with an address of ours (RFC 5227 §2.4)',
  'nd-bad-hop-limit': 'a hop limit other than 255: it has passed a router (RFC 4861 §7.1.1)',
  'nd-bad-checksum': 'the ICMPv6 checksum is wrong',
  'nd-bad-code': 'an ICMP code other than 0',
  'nd-too-short': 'shorter than its message',
  'nd-bad-option': 'an option of no length, beyond the end, or of the wrong length',
  'nd-bad-target': 'the target is a group, or cannot be',
  'nd-bad-source': 'a source that may not send such a message',
  'nd-bad-destination': 'a destination that such a message may not have',
  'nd-bad-flags': 'a solicited advertisement to a group',
  'nd-not-for-us': 'a question about somebody else',
  'nd-not-asked': 'an advertisement of somebody unknown',
  'nd-limited': 'a question too many within a second',
  'nd-redirect': 'a redirect: none are followed',
  'nd-router-solicitation': 'a router solicitation: this is a host',
  'nd-too-many': 'more routers, prefixes or addresses than are kept',
  'nd-short-lifetime': 'a lifetime below two hours, which is not believed (RFC 4862 §5.5.3(e))',
  'nd-bad-prefix': 'a prefix that no address can be made from (RFC 4862 §5.5.3)',
  'nd-duplicate': 'from somebody with an address of ours (RFC 4862 §5.4)',
  'mld-bad': 'an MLD message that is none (RFC 3810 §6.2)',
  'igmp-ignored': 'an IGMP message that is no query (RFC 3376 §4.1)',
  'mld-ignored': 'an MLD report, which is for routers',
  'neighbour-unreachable': 'the neighbour does not answer',
  'neighbour-queue-full': 'too many packets wait for the address of their neighbour',
  'neighbour-evicted': 'a packet that waited in an entry that gave its place to another',
} as const satisfies Record<string, string>

/** A reason of this floor. */
export type EthernetDropReason = keyof typeof ETHERNET_DROP_REASONS

/** Counts by reason; their number is bounded by the code. */
export class EthernetDrops {
  readonly #counts = new Map<EthernetDropReason, number>()

  /** Counts one, or `by`. */
  count(reason: EthernetDropReason, by = 1): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + by)
  }

  /** How many there were for `reason`. */
  get(reason: EthernetDropReason): number {
    return this.#counts.get(reason) ?? 0
  }

  /** How many there were for any reason. */
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
