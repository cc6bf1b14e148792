// How a resolver is set up: settings with bounds, resolv.conf, hosts.
// Owns: ResolverConfig, parseResolvConf, HostsTable. Does not own: what the settings do (exchange.ts, resolver.ts).
// Read first: resolv.conf(5), hosts(5).

import { MILLISECOND, type Micros, SECOND } from '../base/time.ts'
import { type IpAddress, parseAddress } from '../ip/address.ts'
import { canonicalName, isName } from './names.ts'

/** A server: an address and a port. */
export interface ServerAddress {
  readonly address: IpAddress
  readonly port: number
}

/** The port of DNS. */
export const DNS_PORT = 53

/** Settings of a resolver; resolv.conf's names where it has one. */
export interface ResolverConfig {
  /** Asked in this order; at most 8. */
  readonly servers: readonly ServerAddress[]
  /** Domains that a short name is tried in; at most 32. */
  readonly search: readonly string[]
  /** A name with so many dots is tried as it is first: 0 to 15. Default 1. */
  readonly ndots: number
  /** How long the first round waits for each server; later rounds as glibc counts them. 1 ms to 30 s. Default 5 s. */
  readonly timeoutUs: Micros
  /** Rounds over all servers: 1 to 5. Default 2. */
  readonly attempts: number
  /** Every question begins with the next server. Default false. */
  readonly rotate: boolean
  /** Asks over TCP only (`use-vc`). Default false. */
  readonly tcpOnly: boolean
  /** What our OPT record says that we take over UDP: 512 to 4096 octets; 0 for no EDNS. Default 1232 (RFC 9715). */
  readonly ednsBytes: number
  /** Mixes the case of questions, and believes only answers of the same (0x20). Default false: some servers forget it. */
  readonly mixedCase: boolean
  /** Answers kept, 0 to 1e6. Default 1000. */
  readonly cacheEntries: number
  /** How long an answer is kept at most (RFC 8767 §4). Default 1 day. */
  readonly maxTtlS: number
  /** How long "there is none" is kept at most (RFC 2308 §5). Default 3 hours. */
  readonly maxNegativeTtlS: number
  /** Most steps of a chain of aliases, 1 to 64. Default 16. */
  readonly maxAliases: number
  /** Most questions under way; one more fails as if no server answered. Default 256. */
  readonly maxQuestions: number
}

const DEFAULTS: ResolverConfig = {
  servers: [],
  search: [],
  ndots: 1,
  timeoutUs: 5 * SECOND,
  attempts: 2,
  rotate: false,
  tcpOnly: false,
  ednsBytes: 1232,
  mixedCase: false,
  cacheEntries: 1000,
  maxTtlS: 86_400,
  maxNegativeTtlS: 10_800,
  maxAliases: 16,
  maxQuestions: 256,
}

const BOUNDS: Readonly<Partial<Record<keyof ResolverConfig, readonly [number, number]>>> = {
  ndots: [0, 15],
  timeoutUs: [MILLISECOND, 30 * SECOND],
  attempts: [1, 5],
  cacheEntries: [0, 1_000_000],
  maxTtlS: [0, 0x7fffffff],
  maxNegativeTtlS: [0, 0x7fffffff],
  maxAliases: [1, 64],
  maxQuestions: [1, 65_536],
}

/** The settings given over the defaults. @throws {RangeError | TypeError} for one out of its bounds, or a domain that is none */
export function resolverConfig(options: Partial<ResolverConfig> = {}): ResolverConfig {
  const config = { ...DEFAULTS, ...options }
  for (const [name, bounds] of Object.entries(BOUNDS)) {
    const value = config[name as keyof ResolverConfig] as number
    if (!(value >= bounds[0] && value <= bounds[1])) {
      throw new RangeError(`${name} must be from ${bounds[0]} to ${bounds[1]}, not ${value}`)
    }
  }
  const { ednsBytes, servers, search } = config
  if (ednsBytes !== 0 && !(ednsBytes >= 512 && ednsBytes <= 4096)) {
    throw new RangeError(`ednsBytes must be 0, or from 512 to 4096, not ${ednsBytes}`)
  }
  if (servers.length > 8) throw new RangeError('a resolver has at most 8 servers')
  if (search.length > 32) throw new RangeError('a search list has at most 32 domains')
  const bad = search.find((domain) => !isName(domain))
  if (bad !== undefined) throw new TypeError(`'${bad}' in the search list is no domain name`)
  return config
}

/** An address, with a port behind it when that is not 53: `10.0.0.1`, `10.0.0.1:5353`, `[fd00::1]:5353`; null when it is none. */
export function parseServer(text: string): ServerAddress | null {
  const plain = parseAddress(text)
  if (plain !== null) return { address: plain, port: DNS_PORT }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/.exec(text)
  const address = parseAddress(match?.[1] ?? match?.[2] ?? '')
  const port = Number(match?.[3] ?? DNS_PORT)
  return address !== null && port >= 1 && port <= 65_535 ? { address, port } : null
}

/**
 * Reads resolv.conf as glibc does: three servers, `search` or `domain` (the last one counts), options clamped to their bounds; lines that
 * it does not know are passed over.
 */
export function parseResolvConf(text: string): Partial<ResolverConfig> {
  const servers: ServerAddress[] = []
  const config: { -readonly [K in keyof ResolverConfig]?: ResolverConfig[K] } = { servers }
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver') {
      const address = parseAddress(rest[0]?.replace(/%.*/, '') ?? '')
      if (address !== null && servers.length < 3) servers.push({ address, port: DNS_PORT })
    } else if (word === 'search' || word === 'domain') {
      const domains = (word === 'domain' ? rest.slice(0, 1) : rest).filter(isName)
      config.search = domains.map(canonicalName).filter((domain) => domain !== '')
    } else if (word === 'options') {
      for (const option of rest) Object.assign(config, resolvOption(option))
    }
  }
  return config
}

function resolvOption(option: string): Partial<ResolverConfig> {
  const [name, value = ''] = option.split(':')
  const number = /^[0-9]{1,6}$/.test(value) ? Number(value) : -1
  if (name === 'rotate') return { rotate: true }
  if (name === 'use-vc') return { tcpOnly: true }
  if (number < 0) return {}
  if (name === 'ndots') return { ndots: Math.min(number, 15) }
  if (name === 'timeout') return { timeoutUs: Math.min(Math.max(number, 1), 30) * SECOND }
  if (name === 'attempts') return { attempts: Math.min(Math.max(number, 1), 5) }
  return {}
}

/** What /etc/hosts says: addresses of names, names of addresses. */
export class HostsTable {
  readonly #addresses = new Map<string, IpAddress[]>()
  readonly #names = new Map<string, string[]>()

  /** @param text lines of an address and its names; what is not one is passed over */
  constructor(text = '') {
    for (const line of text.split('\n')) {
      const [first, ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
      const address = parseAddress(first)
      if (address !== null) for (const name of names) this.add(name, address)
    }
  }

  /** Gives a name an address. The first name of an address is the one that `names` begins with. */
  add(name: string, address: IpAddress): void {
    const key = canonicalName(name)
    const addresses = this.#addresses.get(key)
    if (addresses === undefined) this.#addresses.set(key, [address])
    else if (!addresses.some((known) => known.equals(address))) addresses.push(address)
    const names = this.#names.get(address.toString())
    if (names === undefined) this.#names.set(address.toString(), [name])
    else if (!names.includes(name)) names.push(name)
  }

  /** The addresses of a name; empty when it has none here. */
  addresses(name: string): readonly IpAddress[] {
    return this.#addresses.get(canonicalName(name)) ?? []
  }

  /** The names of an address; empty when it has none here. */
  names(address: IpAddress): readonly string[] {
    return this.#names.get(address.toString()) ?? []
  }
}
