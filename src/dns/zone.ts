// One zone of an authoritative server, and what it says about a name.
// Owns: names, aliases, wildcards, cuts, SOA of negative answers. Does not own: the text (zone-text.ts), messages (server.ts).
// Read first: RFC 1034 §4.3.2 (the algorithm), §4.3.3 and RFC 4592 (wildcards), RFC 2308 §3.

import { CLASS, TYPE } from './codes.ts'
import { canonicalName, isBelow, parentName } from './names.ts'
import type { DnsRecord } from './records.ts'
import { parseZoneText } from './zone-text.ts'

/** A zone: its name, and its records as text or one by one. Without a SOA record it gets one. */
export interface ZoneOptions {
  readonly origin: string
  readonly text?: string
  readonly records?: readonly DnsRecord[]
}

/** What a zone says of a name. `alias`: go on with `target`. `referral`: the records are another zone's servers. */
export type ZoneAnswer =
  | { readonly kind: 'ok'; readonly records: readonly DnsRecord[] }
  | { readonly kind: 'alias'; readonly records: readonly DnsRecord[]; readonly target: string }
  | { readonly kind: 'referral'; readonly records: readonly DnsRecord[] }
  | { readonly kind: 'nodata' }
  | { readonly kind: 'nxdomain' }

/** The records of a zone, by name. */
export class Zone {
  /** Canonical. */
  readonly origin: string
  readonly #names = new Map<string, DnsRecord[]>()

  /** @throws {TypeError} for text that is none, or a record outside the zone */
  constructor(options: ZoneOptions) {
    this.origin = canonicalName(options.origin)
    this.#names.set(this.origin, [])
    const records = [...(options.records ?? []), ...parseZoneText(options.text ?? '', options.origin)]
    for (const record of records) this.#add(record)
    if (this.soa === undefined) this.#add(plainSoa(this.origin))
  }

  #add(record: DnsRecord): void {
    const name = canonicalName(record.name)
    if (!isBelow(name, this.origin)) {
      throw new TypeError(`'${record.name}' is not in the zone '${this.origin}': end names of the zone without a dot`)
    }
    const own = this.#names.get(name) ?? []
    this.#names.set(name, own)
    const isAlias = record.type === TYPE.CNAME
    // RFC 1034 §3.6.2: where there is a CNAME there is nothing else.
    if (own.some((r) => (r.type === TYPE.CNAME) !== isAlias)) {
      throw new TypeError(`'${record.name}' has a CNAME and other records (RFC 1034 §3.6.2)`)
    }
    own.push(record)
    // Names between this one and the origin are there too, without records (RFC 4592 §2.2.2).
    for (let up = name; up !== this.origin; up = parentName(up)) if (!this.#names.has(up)) this.#names.set(up, [])
  }

  /** The zone's SOA record. */
  get soa(): DnsRecord | undefined {
    return this.#names.get(this.origin)?.find((r) => r.type === TYPE.SOA)
  }

  /** What there is of `type` at `name`, which is in the zone. */
  find(name: string, type: number): ZoneAnswer {
    const asked = canonicalName(name)
    const cut = this.#cutAbove(asked)
    if (cut !== null) return { kind: 'referral', records: cut }
    const own = this.#names.get(asked)
    if (own !== undefined) return select(own, name, type)
    let encloser = parentName(asked)
    while (!this.#names.has(encloser)) encloser = parentName(encloser)
    const wild = this.#names.get(encloser === '' ? '*' : `*.${encloser}`)
    return wild === undefined ? { kind: 'nxdomain' } : select(wild, name, type)
  }

  // Other NS records than the origin's own hand a part of the zone to other servers.
  #cutAbove(name: string): DnsRecord[] | null {
    for (let up = name; up !== this.origin; up = parentName(up)) {
      const servers = this.#names.get(up)?.filter((r) => r.type === TYPE.NS) ?? []
      if (servers.length > 0) return servers
    }
    return null
  }

  /** The addresses of names that other records lead to, for the additional section. */
  addresses(names: readonly string[]): DnsRecord[] {
    return names.flatMap((name) =>
      (this.#names.get(canonicalName(name)) ?? []).filter((r) => r.type === TYPE.A || r.type === TYPE.AAAA),
    )
  }
}

function select(own: readonly DnsRecord[], name: string, type: number): ZoneAnswer {
  const records = own.filter((r) => r.type === type || type === TYPE.ANY).map((r) => ({ ...r, name }))
  if (records.length > 0) return { kind: 'ok', records }
  const alias = own.find((r) => r.type === TYPE.CNAME)
  if (alias?.data.kind !== 'name') return { kind: 'nodata' }
  return { kind: 'alias', records: [{ ...alias, name }], target: alias.data.target }
}

function plainSoa(origin: string): DnsRecord {
  const below = (label: string): string => (origin === '' ? label : `${label}.${origin}`)
  const times = { serial: 1, refreshS: 3600, retryS: 600, expireS: 86_400, minimumS: 60 }
  const data = { kind: 'soa' as const, primary: below('ns'), mailbox: below('hostmaster'), ...times }
  return { name: origin, type: TYPE.SOA, class: CLASS.IN, ttlS: 3600, data }
}
