// URLs as curl takes them, and names as far as they are known without asking anybody: addresses, --resolve, /etc/hosts.
// Owns: the texts and their errors with curl's exit codes (3 bad URL, 1 unsupported scheme). Does not own: DNS (fetch-connect.ts).

import { readFileSync } from 'node:fs'
import { parseAddress } from '../ip/address.ts'
import { CliError } from './errors.ts'

/** A URL and the user name that stood in it, as an Authorization value. */
export interface FetchUrl {
  readonly url: URL
  /** Basic credentials of `user:password@`; null when there are none. */
  readonly authorization: string | null
}

/**
 * Reads `http://10.77.0.1:8080/a`, or without a scheme `10.77.0.1:8080/a`.
 * @throws {CliError} with curl's exit code 3 or 1
 */
export function parseFetchUrl(text: string): FetchUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1].toLowerCase()
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    throw new CliError(`(1) Protocol "${scheme}" not supported`, { exitCode: 1, mend: 'use http:// or https://' })
  }
  let url: URL
  try {
    url = new URL(scheme === undefined ? `http://${text}` : text)
  } catch {
    throw new CliError(`(3) URL using bad/illegal format or missing URL: ${text}`, {
      exitCode: 3,
      mend: 'write it as http://10.77.0.1:8080/path, or http://[fd77::1]/path',
    })
  }
  const { username, password } = url
  url.username = ''
  url.password = ''
  if (username === '' && password === '') return { url, authorization: null }
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { url, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

/** The last part of the path, for -O. @throws {CliError} when there is none: curl's exit code 23 */
export function remoteName(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? ''
  let name = last
  try {
    name = decodeURIComponent(last)
  } catch {
    // Kept as it is.
  }
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw new CliError(`(23) ${url} has no file name to store under`, { exitCode: 23, mend: 'name the file with -o' })
  }
  return name
}

/** An entry of --resolve: what `host:port` leads to. */
export interface ResolveEntry {
  /** Lower-cased; `*` for every name. */
  readonly host: string
  readonly port: number
  readonly addresses: readonly string[]
}

/** Reads `host:port:address[,address...]`, IPv6 addresses with or without brackets. @throws {TypeError} when it is not that */
export function parseResolve(text: string): ResolveEntry {
  const mend = 'write host:port:address, as example.com:80:10.77.0.1'
  const parts = /^(\[[^\]]*\]|[^:[\]]+):([0-9]{1,5}):(.+)$/.exec(text)
  if (parts === null || Number(parts[2]) > 65535) throw new TypeError(mend)
  const addresses = parts[3].split(',').map((one) => one.trim().replace(/^\[|\]$/g, ''))
  for (const address of addresses) {
    if (parseAddress(address) === null) throw new TypeError(`'${address}' is no address; ${mend}`)
  }
  return { host: parts[1].replace(/^\[|\]$/g, '').toLowerCase(), port: Number(parts[2]), addresses }
}

/** The addresses of `name` in a hosts file, in its order. */
export function hostsAddresses(hosts: string, name: string): string[] {
  const wanted = name.toLowerCase()
  const found: string[] = []
  for (const line of hosts.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (names.some((one) => one.toLowerCase() === wanted) && parseAddress(address) !== null) found.push(address)
  }
  return found
}

/**
 * The addresses that a host of a URL has without asking anybody, in the order to try them; null for a name that only DNS can know.
 * @param host a name, or an address without brackets
 */
export function staticAddresses(
  host: string,
  port: number,
  entries: readonly ResolveEntry[],
  hostsFile = '/etc/hosts',
): string[] | null {
  const name = host.toLowerCase()
  const entry =
    entries.findLast((one) => one.host === name && one.port === port) ??
    entries.findLast((one) => one.host === '*' && one.port === port)
  if (entry !== undefined) return [...entry.addresses]
  if (parseAddress(host) !== null) return [host]
  let hosts = ''
  try {
    hosts = readFileSync(hostsFile, 'utf8')
  } catch {
    // Then it names nobody.
  }
  const addresses = hostsAddresses(hosts, name)
  return addresses.length > 0 ? addresses : null
}
