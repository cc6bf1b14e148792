// Connections for fetch's HTTP client: names looked up, addresses tried, TLS, and failures with curl's exit codes.
// Owns: where a name leads (--resolve, the hosts file, --dns), the time limit of connecting. Does not own: the steps themselves
// (net/http-connect.ts), keeping connections (http/pool.ts).

import type { LookupResult } from '../dns/index.ts'
import type { ByteStream, ConnectContext, Origin } from '../http/index.ts'
import { type IpAddress, parseAddress } from '../ip/address.ts'
import { type AddressFinder, type HostResolver, httpConnector } from '../net/index.ts'
import { connectingFailure } from './fetch-errors.ts'
import { type ResolveEntry, staticAddresses } from './fetch-url.ts'
import type { OpenedHost } from './open-host.ts'

/** Is told of the addresses that are tried. */
export interface ConnectWatch {
  onTry(address: string, port: number): void
  onTryFailed(address: string, port: number, error: unknown): void
}

/** Options of a Connector. */
export interface ConnectorOptions {
  readonly resolve: readonly ResolveEntry[]
  /** DNS servers for names that are neither in --resolve nor in the hosts file; none: such a name is unknown. */
  readonly dnsServers: readonly string[]
  readonly family: 4 | 6 | null
  /** Seconds that connecting may take, names and TLS included; null: as long as TCP tries. */
  readonly connectTimeout: number | null
  /** Nagle's algorithm is off unless asked for. */
  readonly noDelay: boolean
  /** -k: certificates are not looked at. */
  readonly insecure: boolean
  /** The text of --cacert; null: the certificates that Node trusts. */
  readonly ca: string | null
  /** The proxy's host and port, whose name fails with another exit code; null without one. */
  readonly proxy: { readonly host: string; readonly port: number } | null
}

/** Opens connections. */
export class Connector {
  readonly #opened: OpenedHost
  readonly #options: ConnectorOptions
  readonly #watch: ConnectWatch
  readonly #resolver: HostResolver | null

  constructor(opened: OpenedHost, options: ConnectorOptions, watch: ConnectWatch) {
    this.#opened = opened
    this.#options = options
    this.#watch = watch
    const { dnsServers } = options
    this.#resolver = dnsServers.length === 0 ? null : opened.host.resolver({ servers: dnsServers })
  }

  /** The Connect function of an HttpClient. @throws {CliError} with curl's exit codes */
  readonly connect = async (origin: Origin, context: ConnectContext): Promise<ByteStream> => {
    const { scheduler, host } = this.#opened
    const { family, connectTimeout, noDelay, insecure, ca, proxy } = this.#options
    const startUs = scheduler.now()
    const fixed = staticAddresses(origin.host, origin.port, this.#options.resolve)
    // --resolve counts for addresses, too.
    const isMoved = parseAddress(origin.host) !== null && fixed !== null && fixed.length > 0
    const connect = httpConnector(host, {
      resolver: nameFinder(fixed, this.#resolver),
      noDelay,
      tls: { rejectUnauthorized: !insecure, ...(ca === null ? {} : { ca }) },
      ...(family === null ? {} : { family }),
      ...(connectTimeout === null ? {} : { connectMs: connectTimeout * 1000, secureMs: connectTimeout * 1000 }),
      onTry: (address, port) => this.#watch.onTry(address, port),
      onTried: (address, port, error) => error !== null && this.#watch.onTryFailed(address, port, error),
    })
    try {
      return (await connect(isMoved ? { ...origin, host: fixed[0] } : origin, context)) as ByteStream
    } catch (error) {
      context.signal?.throwIfAborted()
      const isProxy = proxy !== null && context.over == null && proxy.host === origin.host && proxy.port === origin.port
      throw connectingFailure(error, origin, {
        afterUs: scheduler.now() - startUs,
        isProxy,
        hasDns: this.#resolver !== null,
      })
    }
  }
}

/** The addresses of a name: `fixed` where it is not null, else what the resolver, if there is one, finds. */
export function nameFinder(fixed: readonly string[] | null, resolver: HostResolver | null): AddressFinder {
  return {
    find: async (name, family): Promise<LookupResult> => {
      if (fixed === null) return (await resolver?.find(name, family)) ?? { addresses: [], code: 'ENOTFOUND' }
      const addresses = fixed.map(parseAddress).filter((one): one is IpAddress => one?.family === family)
      return { addresses, code: addresses.length === 0 ? 'ENOTFOUND' : null }
    },
  }
}
