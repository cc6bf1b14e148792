// The addresses of a host as they are now: its own, their broadcast addresses, the groups it is in. They may change while it runs.
// Owns: the lists, and what an own address may be. Does not own: routes that follow from them (layer.ts), choosing among them
// (source-address.ts), telling routers of groups (IGMP and MLD are not there).
// Read first: RFC 1122 §3.2.1.3.

import { type InterfaceAddress, IpAddress } from './address.ts'
import { isLinkLocal } from './policy.ts'

/** Most groups that a host is in at a time. */
export const MOST_GROUPS = 1024

/** Groups that every host is in: all systems (RFC 1112 §4), all nodes (RFC 4291 §2.8). */
const ALL_V4 = IpAddress.parse('224.0.0.1')
const ALL_V6 = [IpAddress.parse('ff01::1'), IpAddress.parse('ff02::1')]

/** The addresses of one host. */
export class OwnAddresses {
  #list: InterfaceAddress[] = []
  // The directed broadcast addresses of the own IPv4 prefixes, as words.
  #broadcasts: number[] = []
  // By their text, with how often each was joined.
  readonly #groups = new Map<string, number>()
  /** Told when a group is joined by the first, and left by the last. */
  onGroup: ((group: IpAddress, isJoined: boolean) => void) | null = null

  /** As they are now; a new array after every change. */
  get list(): readonly InterfaceAddress[] {
    return this.#list
  }

  /** The entry of an own address, or null. */
  get(address: IpAddress): InterfaceAddress | null {
    return this.#list.find((own) => own.address.equals(address)) ?? null
  }

  /** Whether it is one of our own. */
  has(address: IpAddress): boolean {
    const own = this.#list
    for (let i = 0; i < own.length; i++) if (own[i].address.equals(address)) return true
    return false
  }

  /** Adds an address, or changes the entry of one that is there. @throws {RangeError} for what cannot be a host's address */
  set(given: InterfaceAddress): void {
    checkAddress(given)
    const entry = { ...given, address: given.address.clone() } // connections share it: the caller's may change
    const at = this.#list.findIndex((own) => own.address.equals(entry.address))
    this.#change(at < 0 ? [...this.#list, entry] : this.#list.with(at, entry))
  }

  /** Takes an address away; its entry, or null when there was none. */
  delete(address: IpAddress): InterfaceAddress | null {
    const entry = this.get(address)
    if (entry !== null) this.#change(this.#list.filter((own) => own !== entry))
    return entry
  }

  #change(list: InterfaceAddress[]): void {
    this.#list = list
    // A network of one or two addresses has no broadcast address (RFC 3021 §2.1).
    this.#broadcasts = list
      .filter(({ address, prefixLength }) => address.family === 4 && prefixLength < 31)
      .map(({ address, prefixLength }) => address.w3 | (-1 >>> prefixLength))
  }

  /** Whether it is the limited broadcast address or the directed one of an own prefix (RFC 1122 §3.3.6). */
  isBroadcast(address: IpAddress): boolean {
    return address.family === 4 && (address.w3 === -1 || this.#broadcasts.includes(address.w3))
  }

  /** Whether packets to `dst` never pass a router: groups, broadcasts, link-local addresses. */
  isLinkWide(dst: IpAddress): boolean {
    return dst.isMulticast || this.isBroadcast(dst) || isLinkLocal(dst)
  }

  /** The groups joined. */
  get groups(): IpAddress[] {
    return [...this.#groups.keys()].map((text) => IpAddress.parse(text))
  }

  /** Joins a group; each call wants a `leave`. Returns false when there are too many. */
  join(group: IpAddress): boolean {
    const key = group.toString()
    const count = this.#groups.get(key) ?? 0
    if (count === 0 && this.#groups.size >= MOST_GROUPS) return false
    this.#groups.set(key, count + 1)
    if (count === 0) this.onGroup?.(group, true)
    return true
  }

  /** Takes one `join` back. */
  leave(group: IpAddress): void {
    const key = group.toString()
    const count = this.#groups.get(key) ?? 0
    if (count > 1) this.#groups.set(key, count - 1)
    else if (this.#groups.delete(key)) this.onGroup?.(group, false)
  }

  /** Whether the host is in the group: one joined, one that all hosts are in, or the solicited-node one of an own address. */
  isMember(group: IpAddress): boolean {
    if (this.#groups.size > 0 && this.#groups.has(group.toString())) return true
    if (group.family === 4) return group.equals(ALL_V4)
    if (ALL_V6.some((all) => all.equals(group))) return true
    // RFC 4291 §2.7.1: ff02::1:ffXX:XXXX has the last 24 bits of the address.
    if (group.w0 >>> 16 !== 0xff02 || group.w1 !== 0 || group.w2 !== 1 || group.w3 >>> 24 !== 0xff) return false
    return this.#list.some(({ address }) => address.family === 6 && ((address.w3 ^ group.w3) & 0xffffff) === 0)
  }
}

/** @throws {RangeError} naming what cannot be */
export function checkAddress({ address, prefixLength }: InterfaceAddress): void {
  const most = address.family === 4 ? 32 : 128
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > most) {
    throw new RangeError(`the prefix length of ${address} is a whole number from 0 to ${most}, not ${prefixLength}`)
  }
  if (address.isMulticast || address.isUnspecified || address.isLoopback || address.isLimitedBroadcast) {
    throw new RangeError(`${address} cannot be the address of a host: give it a unicast address of the network`)
  }
}
