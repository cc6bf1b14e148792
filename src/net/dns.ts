// A resolver on a host: names to addresses with promises, and as node:dns's `lookup`.
// Owns: options as callers write them, Node's shapes of results and errors. Does not own: DNS (src/dns), sockets (dns-sockets.ts).
// Read first: https://nodejs.org/docs/latest-v20.x/api/dns.html#dnslookuphostname-options-callback

import type { LookupAddress, LookupAllOptions, LookupOneOptions, LookupOptions } from 'node:dns'
import { domainToASCII } from 'node:url'
import type { Random } from '../base/random.ts'
import { MILLISECOND } from '../base/time.ts'
import {
  type AddressOrder,
  type Answer,
  type AnswerKind,
  type DnsMessage,
  formatQuestion,
  HostsTable,
  type LookupCode,
  type LookupResult,
  parseResolvConf,
  parseServer,
  type Question,
  type ReplySource,
  Resolver,
  type ResolverConfig,
  type ServerAddress,
  sortFamilies,
  typeNumber,
} from '../dns/index.ts'
import type { IpAddress } from '../ip/address.ts'
import type { DnsHost } from './dns-host.ts'
import { DnsSockets } from './dns-sockets.ts'
import { checkAddress } from './options.ts'
import { lookupError, type SocketError } from './socket-errors.ts'

/** How a resolver of a host is set up. */
export interface DnsOptions extends Omit<Partial<ResolverConfig>, 'servers' | 'timeoutUs'> {
  /** Addresses, with a port where it is not 53: `10.0.0.53`, `[fd00::53]:5353`. At most 8. */
  readonly servers?: readonly string[]
  /** How long the first round waits for each server: 1 to 30000 milliseconds. Default 5000. */
  readonly timeoutMs?: number
  /** The text of a resolv.conf; the other options count more. */
  readonly resolvConf?: string
  /** The text of a hosts file. */
  readonly hosts?: string
  /** The order of addresses in `lookup`, as in Node. Default 'verbatim'. */
  readonly order?: AddressOrder
}

type OneCallback = (error: Error | null, address: string, family: number) => void
type AllCallback = (error: Error | null, addresses: LookupAddress[]) => void

/** A resolver that asks from a host. Made by `host.resolver`. */
export class HostResolver {
  /** The sans-I/O resolver below, for its cache and counters. */
  readonly machine: Resolver
  readonly #host: DnsHost
  readonly #sockets: DnsSockets
  readonly #order: AddressOrder

  /** @throws {TypeError | RangeError} for a server that is no address, or a setting out of its bounds */
  constructor(host: DnsHost, options: DnsOptions, random: Random) {
    const { servers, timeoutMs, resolvConf, hosts, order, ...rest } = options
    const config: Partial<ResolverConfig> = {
      ...parseResolvConf(resolvConf ?? ''),
      ...rest,
      ...(servers !== undefined && { servers: servers.map(serverAddress) }),
      ...(timeoutMs !== undefined && { timeoutUs: timeoutMs * MILLISECOND }),
    }
    this.machine = new Resolver({ config, hosts: new HostsTable(hosts), random })
    this.#host = host
    this.#sockets = new DnsSockets(host, this.machine.exchanger)
    this.#order = order ?? 'verbatim'
  }

  /**
   * Asks for records of a name as it is: no search list, no hosts. Resolves with whatever became of it; `kind` says whether there are
   * records. `type`: 'A', 'mx', 'TYPE65', or a number. @throws {TypeError} for a name or a type that is none
   */
  async query(name: string, type: string | number = 'A'): Promise<Answer> {
    const number = typeof type === 'number' ? type : typeNumber(type)
    if (!(number >= 0 && number <= 65_535)) throw new TypeError(`'${type}' is no type of record`)
    return this.#run((done) => this.machine.resolve(toAscii(name), number, this.#now(), done))
  }

  /**
   * Asks the servers one question and gives their reply as it is: no cache, no aliases followed; null twice when none answered. `flags` go
   * into the query's header. @throws {TypeError} for a name that is none
   */
  ask(question: Question, flags: Partial<DnsMessage> = {}): Promise<[DnsMessage | null, ReplySource | null]> {
    return this.#run((done) =>
      this.machine.exchanger.ask(question, flags, this.#now(), (reply, source) => done([reply, source])),
    )
  }

  /** The addresses of a name, as getaddrinfo finds them. Rejects with ENOTFOUND, EAI_AGAIN or EAI_FAIL. */
  async addresses(name: string, family: 0 | 4 | 6 = 0): Promise<IpAddress[]> {
    const { addresses, code } = await this.find(name, family)
    if (code !== null) throw lookupError(code, name)
    return sortFamilies(addresses, this.#order)
  }

  /** As `addresses`, unsorted; what became of it does not reject. */
  find(name: string, family: 0 | 4 | 6): Promise<LookupResult> {
    return this.#run((done) => this.machine.lookup(toAscii(name), family, this.#now(), done))
  }

  /** The names of an address. Rejects with ENOTFOUND or ETIMEOUT and their like, as dns.reverse. */
  async reverse(address: string): Promise<string[]> {
    const ip = checkAddress(address)
    const [answer, names] = await this.#run<[Answer, readonly string[]]>((done) =>
      this.machine.reverse(ip, this.#now(), (...both) => done(both)),
    )
    if (names.length === 0) throw reverseError(answer.kind, formatQuestion(answer.question), address)
    return [...names]
  }

  /** As dns.lookup: for `host.connect`, node:net, undici and all that take a `lookup`. Bound: it can be handed on. */
  readonly lookup = (
    name: string,
    options: LookupOptions | LookupOneOptions | LookupAllOptions | number | OneCallback,
    callback?: OneCallback | AllCallback,
  ): void => {
    const done = (typeof options === 'function' ? options : callback) as OneCallback & AllCallback
    const given: LookupOptions =
      typeof options === 'object' ? options : { family: typeof options === 'number' ? options : 0 }
    const order = (given as { order?: AddressOrder }).order ?? (given.verbatim === false ? 'ipv4first' : this.#order)
    this.find(name, familyOf(given.family)).then(({ addresses, code }) => {
      const all = sortFamilies(addresses, order).map((a) => ({ address: a.toString(), family: a.family }))
      process.nextTick(() => {
        if (code !== null) (done as (error: Error) => void)(lookupError(code, name))
        else if (given.all) done(null, all)
        else done(null, all[0].address, all[0].family)
      })
    })
  }

  /** Closes the sockets of what is under way. */
  close(): void {
    this.#sockets.close()
  }

  #now(): number {
    return this.#host.scheduler.now()
  }

  #run<T>(start: (done: (result: T) => void) => void): Promise<T> {
    const result = new Promise<T>((resolve) => start(resolve))
    this.#sockets.settle()
    return result
  }
}

// Names beyond ASCII go as IDNA's (RFC 5891); what has no such form stays as it is, and is no name.
function toAscii(name: string): string {
  const isPlain = [...name].every((letter) => letter.charCodeAt(0) < 128)
  return isPlain ? name : domainToASCII(name) || name
}

function familyOf(family: LookupOptions['family']): 0 | 4 | 6 {
  if (family === 4 || family === 'IPv4') return 4
  return family === 6 || family === 'IPv6' ? 6 : 0
}

/** Reads a server as options have it. @throws {TypeError} when it is none */
export function serverAddress(text: string): ServerAddress {
  const server = parseServer(text)
  if (server === null)
    throw new TypeError(`'${text}' is no server: an address, as 10.0.0.53, [fd00::53] or 10.0.0.53:5353`)
  return server
}

const REVERSE_CODES: Readonly<Record<AnswerKind, string>> = {
  ok: 'ENODATA',
  nodata: 'ENODATA',
  nxdomain: 'ENOTFOUND',
  servfail: 'ESERVFAIL',
  refused: 'EREFUSED',
  timeout: 'ETIMEOUT',
  loop: 'EBADRESP',
  failed: 'EFORMERR',
}

function reverseError(kind: AnswerKind, question: string, hostname: string): SocketError {
  const code = REVERSE_CODES[kind]
  return Object.assign(new Error(`getHostByAddr ${code} ${question}`), { code, syscall: 'getHostByAddr', hostname })
}

export type { LookupCode }
