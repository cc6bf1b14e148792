// How many ICMP messages of each type have come and gone, for both families, by the names of RFC 4293 and Linux's nstat.
// Owns: the numbers and their names. Does not own: when a message is counted (control.ts, src/ethernet/interface-link.ts).
// Read first: RFC 4293 §3.2 (icmpStatsTable, icmpMsgStatsTable).

/** Names of types without `In` and `Out`, as nstat has them. */
const NAMES: Readonly<Record<4 | 6, Readonly<Record<number, string>>>> = {
  4: {
    0: 'EchoReps',
    3: 'DestUnreachs',
    4: 'SrcQuenchs',
    5: 'Redirects',
    8: 'Echos',
    11: 'TimeExcds',
    12: 'ParmProbs',
    13: 'Timestamps',
    14: 'TimestampReps',
    17: 'AddrMasks',
    18: 'AddrMaskReps',
  },
  6: {
    1: 'DestUnreachs',
    2: 'PktTooBigs',
    3: 'TimeExcds',
    4: 'ParmProblems',
    128: 'Echos',
    129: 'EchoReplies',
    130: 'GroupMembQueries',
    131: 'GroupMembResponses',
    132: 'GroupMembReductions',
    133: 'RouterSolicits',
    134: 'RouterAdvertisements',
    135: 'NeighborSolicits',
    136: 'NeighborAdvertisements',
    137: 'Redirects',
    143: 'MLDv2Reports',
  },
}
const PREFIXES = { 4: 'Icmp', 6: 'Icmp6' } as const

interface Family {
  readonly in: Map<number, number>
  readonly out: Map<number, number>
  inErrors: number
  checksumErrors: number
  limited: number
}

const family = (): Family => ({ in: new Map(), out: new Map(), inErrors: 0, checksumErrors: 0, limited: 0 })

/** The counters of one host. There are at most 256 types, so they are bounded. */
export class IcmpCounters {
  readonly #families: Readonly<Record<4 | 6, Family>> = { 4: family(), 6: family() }

  /** A message has come. */
  countIn(of: 4 | 6, type: number): void {
    const { in: counts } = this.#families[of]
    counts.set(type, (counts.get(type) ?? 0) + 1)
  }

  /** A message goes out. */
  countOut(of: 4 | 6, type: number): void {
    const { out: counts } = this.#families[of]
    counts.set(type, (counts.get(type) ?? 0) + 1)
  }

  /** What has come was none, or said what cannot be. */
  countError(of: 4 | 6, isChecksum: boolean): void {
    this.#families[of].inErrors++
    if (isChecksum) this.#families[of].checksumErrors++
  }

  /** The rate of errors held one back. */
  countLimited(of: 4 | 6): void {
    this.#families[of].limited++
  }

  /** All by nstat's names; the types that have occurred by their numbers too. */
  toJSON(): Record<string, number> {
    const all: Record<string, number> = {}
    for (const of of [4, 6] as const) {
      const { in: received, out: sent, inErrors, checksumErrors, limited } = this.#families[of]
      const prefix = PREFIXES[of]
      all[`${prefix}InMsgs`] = sum(received)
      all[`${prefix}InErrors`] = inErrors
      all[`${prefix}InCsumErrors`] = checksumErrors
      all[`${prefix}OutMsgs`] = sum(sent)
      all[`${prefix}OutRateLimitHost`] = limited
      for (const [way, counts] of [
        ['In', received],
        ['Out', sent],
      ] as const) {
        for (const [type, name] of Object.entries(NAMES[of])) {
          all[`${prefix}${way}${name}`] = counts.get(Number(type)) ?? 0
        }
        const byType = of === 4 ? `IcmpMsg${way}Type` : `Icmp6${way}Type`
        for (const [type, count] of [...counts].sort(([a], [b]) => a - b)) all[`${byType}${type}`] = count
      }
    }
    return all
  }
}

function sum(counts: ReadonlyMap<number, number>): number {
  let total = 0
  for (const count of counts.values()) total += count
  return total
}
