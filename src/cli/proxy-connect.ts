// Connections of `tunstack proxy` to servers: names by --resolve, the hosts file and --dns; TLS to an https server behind a reverse proxy.
// Owns: where a name leads, its options. Does not own: the steps of connecting (net/http-connect.ts), proxying (src/http).

import { Option } from 'commander'
import type { ByteStream, Connect } from '../http/index.ts'
import { parseAddress } from '../ip/address.ts'
import { httpConnector } from '../net/index.ts'
import { nameFinder } from './fetch-connect.ts'
import { parseDnsServer, readCertificates } from './fetch-network.ts'
import { parseResolve, type ResolveEntry, staticAddresses } from './fetch-url.ts'
import type { OpenedHost } from './open-host.ts'
import type { RawOptions } from './options.ts'
import { listOption } from './read-options.ts'

/** How a proxy finds and reaches servers. */
export interface ReachSettings {
  readonly resolve: readonly ResolveEntry[]
  /** DNS servers for names that are neither in `resolve` nor in the hosts file. */
  readonly dnsServers: readonly string[]
  /** Whether certificates are not looked at. */
  readonly insecure: boolean
  /** The text of --cacert; null: the certificates that Node trusts. */
  readonly ca: string | null
}

/** The options that `reachSettings` reads. */
export function reachOptions(): Option[] {
  return [
    listOption('--resolve <host:port:address>', 'where a name leads; /etc/hosts is read too', parseResolve),
    listOption('--dns <server>', 'a DNS server, as 10.77.0.1 or 10.77.0.1:5353; may be repeated', parseDnsServer),
    new Option('--insecure', 'towards an https server: look at no certificate'),
    new Option('--cacert <file>', 'towards an https server: trust the certificates of this file (PEM)'),
  ]
}

/** Reads what `reachOptions` has parsed. @throws {CliError} for a file that cannot be read */
export function reachSettings(raw: RawOptions): ReachSettings {
  return {
    resolve: (raw.resolve as readonly ResolveEntry[] | undefined) ?? [],
    dnsServers: (raw.dns as readonly string[] | undefined) ?? [],
    insecure: raw.insecure === true,
    ca: raw.cacert === undefined ? null : readCertificates(raw.cacert as string),
  }
}

/** The Connect function of a proxy. A name that leads nowhere is ENOTFOUND, with what to do about it. */
export function proxyConnector({ host }: OpenedHost, settings: ReachSettings, noDelay: boolean): Connect {
  const { resolve, dnsServers, insecure, ca } = settings
  const resolver = dnsServers.length === 0 ? null : host.resolver({ servers: dnsServers })
  const tls = { rejectUnauthorized: !insecure, ...(ca === null ? {} : { ca }) }
  return async (origin, context): Promise<ByteStream> => {
    const fixed = staticAddresses(origin.host, origin.port, resolve)
    // --resolve counts for addresses, too.
    const isMoved = parseAddress(origin.host) !== null && fixed !== null && fixed.length > 0
    const connect = httpConnector(host, { resolver: nameFinder(fixed, resolver), noDelay, tls })
    try {
      return (await connect(isMoved ? { ...origin, host: fixed[0] } : origin, context)) as ByteStream
    } catch (error) {
      const { phase, code } = error as { phase?: unknown; code?: unknown }
      if (phase !== 'lookup' || fixed !== null || dnsServers.length > 0 || code !== 'ENOTFOUND') throw error
      const mend = `name a server with --dns, or add --resolve ${origin.host}:${origin.port}:ADDRESS`
      throw Object.assign(new Error(`could not resolve ${origin.host}: ${mend}`, { cause: error }), { code })
    }
  }
}
