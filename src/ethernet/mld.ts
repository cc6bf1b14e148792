// Multicast listener discovery: which groups this host is in, told to switches and routers that ask, and unasked when it enters one.
// Owns: the bytes of a query and of a version 2 report, when a report is due. Does not own: which groups (neighbour-discovery.ts).
// Read first: RFC 3810 §5 (formats), §6.1 and §6.2; RFC 4862 §5.4.2 (why a host must say its solicited-node groups).
// IPv4 has no like of it here: a host that is in 224.0.0.1 alone never reports (RFC 3376 §6).

import { get16, put16 } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { MILLISECOND, type Micros, SECOND } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import { type IpHeader, PROTOCOL } from '../ip/header.ts'
import { isLinkLocal } from './nd-message.ts'

/** ICMPv6 types (RFC 3810 §5, RFC 2710 §3). */
export const MLD_TYPE = { query: 130, reportV1: 131, done: 132, reportV2: 143 } as const

/** Whether an ICMPv6 type is of MLD. */
export function isMldType(type: number): boolean {
  return (type >= MLD_TYPE.query && type <= MLD_TYPE.done) || type === MLD_TYPE.reportV2
}

/** ff02::16, where reports of version 2 go (RFC 3810 §5.2.14). */
export const ALL_MLD_ROUTERS = IpAddress.parse('ff02::16')

/** Kinds of a group's record (RFC 3810 §5.2.12). */
export const MLD_RECORD = { isExclude: 2, toInclude: 3, toExclude: 4 } as const

/** Unasked reports are sent so often, so far apart (RFC 3810 §9.14, §9.11). */
const ROBUSTNESS = 2
const UNSOLICITED_INTERVAL_US = SECOND
/** Between two answers to queries, at least. */
const LEAST_PAUSE_US = 100 * MILLISECOND

/** Bytes of the hop-by-hop header that says "look into this", router alert (RFC 2711), and padding. */
const ROUTER_ALERT = Uint8Array.of(PROTOCOL.ICMPV6, 0, 5, 2, 0, 0, 1, 0)

/** What a query asks. */
export interface MldQuery {
  /** Within how long to answer. */
  readonly responseUs: Micros
  /** Null: for all groups. */
  readonly group: IpAddress | null
}

/** Reads the query at `bytes[start, end)`, behind an IPv6 header and hop-by-hop options. Null when it is none that counts. Never throws. */
export function parseMldQuery(bytes: Uint8Array, start: number, end: number, ip: IpHeader): MldQuery | null {
  // RFC 3810 §6.2: from the link, with a hop limit of 1.
  if (end - start < 24 || bytes[start] !== MLD_TYPE.query || ip.hopLimit !== 1 || !isLinkLocal(ip.src)) return null
  const sum = sumBytes(bytes, start, end, pseudoHeaderSum(ip.src, ip.dst, PROTOCOL.ICMPV6, end - start))
  if (finishChecksum(sum) !== 0) return null
  const code = get16(bytes, start + 4)
  // RFC 3810 §5.1.3: a floating point number from 32768 on; in version 1 (24 bytes) a plain one.
  const isFloat = code >= 32768 && end - start >= 28
  const ms = isFloat ? ((code & 0xfff) | 0x1000) * 2 ** (((code >>> 12) & 7) + 3) : code
  const group = new IpAddress()
  group.read(bytes, start + 8, 6)
  if (!group.isUnspecified && !group.isMulticast) return null
  return { responseUs: ms * MILLISECOND, group: group.isUnspecified ? null : group }
}

/**
 * Writes the hop-by-hop header and a report of version 2 at `at`, which follow an IPv6 header.
 * @returns their bytes: 16 and 20 for each group
 */
export function writeMldReport(
  kind: number,
  groups: readonly IpAddress[],
  bytes: Uint8Array,
  at: number,
  src: IpAddress,
): number {
  bytes.set(ROUTER_ALERT, at)
  const start = at + ROUTER_ALERT.length
  bytes.fill(0, start, start + 8 + 20 * groups.length)
  bytes[start] = MLD_TYPE.reportV2
  put16(bytes, start + 6, groups.length)
  let end = start + 8
  for (const group of groups) {
    bytes[end] = kind
    group.write(bytes, end + 4)
    end += 20
  }
  const sum = sumBytes(bytes, start, end, pseudoHeaderSum(src, ALL_MLD_ROUTERS, PROTOCOL.ICMPV6, end - start))
  put16(bytes, start + 2, finishChecksum(sum))
  return end - at
}

/** What a report is to say. */
export interface MldReport {
  readonly kind: number
  readonly groups: readonly IpAddress[]
}

/** The groups of one host, and when to report them. */
export class MldListener {
  readonly #random: Random
  readonly #groups = new Map<string, { readonly group: IpAddress; uses: number }>()
  readonly #joins: { readonly group: IpAddress; left: number; at: Micros }[] = []
  #answerAt: Micros = Number.POSITIVE_INFINITY
  #answeredAt: Micros = Number.NEGATIVE_INFINITY

  constructor(random: Random) {
    this.#random = random
  }

  /** Groups that this host is in, besides ff02::1, which is never reported (RFC 3810 §6). */
  get groups(): readonly IpAddress[] {
    return [...this.#groups.values()].map(({ group }) => group)
  }

  /** Whether the host is in a group. */
  has(group: IpAddress): boolean {
    return this.#groups.has(group.toString())
  }

  /** Enters a group, once more when it is in it already. Reports are due at once, and again a little later (RFC 3810 §6.1). */
  join(group: IpAddress, now: Micros): void {
    const known = this.#groups.get(group.toString())
    if (known !== undefined) {
      known.uses++
      return
    }
    this.#groups.set(group.toString(), { group: group.clone(), uses: 1 })
    this.#joins.push({ group: group.clone(), left: ROBUSTNESS, at: now })
  }

  /** Leaves a group. Returns the report to send; null while it is in it for another reason. */
  leave(group: IpAddress): MldReport | null {
    const known = this.#groups.get(group.toString())
    if (known === undefined || --known.uses > 0) return null
    this.#groups.delete(group.toString())
    const at = this.#joins.findIndex((join) => join.group.equals(group))
    if (at >= 0) this.#joins.splice(at, 1)
    return { kind: MLD_RECORD.toInclude, groups: [known.group] }
  }

  /** A query has come: one answer for all groups, at a random time within what it allows (RFC 3810 §6.2). */
  handleQuery({ responseUs, group }: MldQuery, now: Micros): void {
    if (this.#groups.size === 0 || (group !== null && !this.has(group))) return
    // A query that leaves no time is answered at once, but not one after the other: many would make the hosts of the link send more.
    const at = Math.max(now + Math.round(this.#random.fraction() * responseUs), this.#answeredAt + LEAST_PAUSE_US)
    this.#answerAt = Math.min(this.#answerAt, at)
  }

  /** When pollReport has something to say. */
  nextDeadline(): Micros {
    return this.#joins.reduce((at, join) => Math.min(at, join.at), this.#answerAt)
  }

  /** The next report that is due; null when there is none. */
  pollReport(now: Micros): MldReport | null {
    if (this.#answerAt <= now) {
      this.#answerAt = Number.POSITIVE_INFINITY
      this.#answeredAt = now
      return { kind: MLD_RECORD.isExclude, groups: this.groups }
    }
    const due = this.#joins.filter(({ at }) => at <= now)
    if (due.length === 0) return null
    for (const join of due) {
      join.left--
      join.at = now + Math.round(this.#random.fraction() * UNSOLICITED_INTERVAL_US)
      if (join.left === 0) this.#joins.splice(this.#joins.indexOf(join), 1)
    }
    return { kind: MLD_RECORD.toExclude, groups: due.map(({ group }) => group) }
  }
}
