// The options of `tunstack fetch` about connections: how many, which way, how often.
// Owns: their parsing. Does not own: connections (fetch-connect.ts, src/http/pool.ts), tries (fetch-retry.ts).
// Read first: curl(1).

import { readFileSync } from 'node:fs'
import { Option } from 'commander'
import { parseServer } from '../dns/index.ts'
import { type ProxyOptions, parseProxy } from '../http/index.ts'
import { messageOf, usageError } from './errors.ts'
import { curlError } from './fetch-errors.ts'
import type { RetrySettings } from './fetch-retry.ts'
import type { RawOptions } from './options.ts'
import { listOption, parseSeconds, parseWhole, valueOption } from './read-options.ts'

/** Requests under way at once on a connection when --pipeline does not say. */
const PIPELINE_DEPTH = 4

/** How fetch uses connections. */
export interface NetworkSettings {
  /** Transfers at the same time; 1: one after another. */
  readonly parallel: number
  readonly maxPerHost: number
  /** Requests on their way at once on a connection; 1: no pipelining. */
  readonly pipelineDepth: number
  readonly keepAlive: boolean
  readonly proxy: ProxyOptions | null
  readonly dnsServers: readonly string[]
  readonly family: 4 | 6 | null
  readonly insecure: boolean
  /** The text of --cacert; null without. */
  readonly ca: string | null
}

/** The options. */
export function networkOptions(): Option[] {
  const whole = (least: number, most: number) => (text: string) => parseWhole(text, least, most)
  return [
    new Option('-Z, --parallel', 'several transfers at the same time'),
    valueOption('--parallel-max <n>', 'transfers at the same time with -Z', whole(1, 1000)).default(50),
    valueOption('--parallel-host-max <n>', 'connections to one host (default: 6, with --pipeline 1)', whole(1, 1000)),
    new Option('--pipeline [depth]', `send GETs before those ahead are answered, up to ${PIPELINE_DEPTH}; means -Z`),
    new Option('--keepalive', 'keep connections for the next request (default)'),
    new Option('--no-keepalive', 'a connection for each request'),
    new Option('-x, --proxy <URL>', 'a proxy, as http://10.77.0.1:3128; with user:password@ if it asks for them'),
    new Option('-U, --proxy-user <user:password>', 'Basic credentials for the proxy'),
    new Option('--noproxy <hosts>', 'hosts that are asked directly, with commas between; * for all'),
    listOption('--dns <server>', 'a DNS server, as 10.77.0.1 or 10.77.0.1:5353; may be repeated', parseDnsServer),
    new Option('-4, --ipv4', 'IPv4 addresses only').conflicts('ipv6'),
    new Option('-6, --ipv6', 'IPv6 addresses only'),
    new Option('-k, --insecure', 'https: look at no certificate'),
    new Option('--cacert <file>', 'https: trust the certificates of this file (PEM)'),
    valueOption(
      '--retry <n>',
      'tries besides the first, after timeouts and 408, 429, 500, 502 to 504',
      whole(0, 1000),
    ).default(0),
    valueOption('--retry-delay <seconds>', 'between tries (default: 1, doubling)', parseSeconds),
    valueOption('--retry-max-time <seconds>', 'after which no try begins', parseSeconds),
    new Option('--retry-all-errors', 'try again after any failure'),
    new Option('--retry-connrefused', 'try again when the connection is refused'),
  ]
}

/** Reads a DNS server's address, with a port or without. @throws {TypeError} when it is none */
export function parseDnsServer(text: string): string {
  if (parseServer(text) !== null) return text
  throw new TypeError('give an address, as 10.77.0.1 or [fd77::1]:5353')
}

/** Reads what `networkOptions` has parsed. @throws {CliError} for a proxy that is none, or a file that cannot be read */
export function networkSettings(raw: RawOptions): NetworkSettings {
  const pipeline = raw.pipeline as string | true | undefined
  const isPlain = pipeline === true || (pipeline !== undefined && !isNumber(pipeline))
  const pipelineDepth = pipeline === undefined ? 1 : isPlain ? PIPELINE_DEPTH : depthOf(pipeline as string)
  const isParallel = raw.parallel === true || pipelineDepth > 1
  const perHost = raw.parallelHostMax as number | undefined
  return {
    parallel: isParallel ? (raw.parallelMax as number) : 1,
    maxPerHost: perHost ?? (pipelineDepth > 1 ? 1 : 6),
    pipelineDepth,
    keepAlive: raw.keepalive !== false,
    proxy: proxyOf(raw),
    dnsServers: (raw.dns as string[] | undefined) ?? [],
    family: raw.ipv4 === true ? 4 : raw.ipv6 === true ? 6 : null,
    insecure: raw.insecure === true,
    ca: raw.cacert === undefined ? null : readCertificates(raw.cacert as string),
  }
}

/** Reads --retry and what belongs to it. */
export function retrySettings(raw: RawOptions): RetrySettings {
  return {
    retries: (raw.retry as number | undefined) ?? 0,
    delay: (raw.retryDelay as number | undefined) ?? null,
    maxTime: (raw.retryMaxTime as number | undefined) ?? null,
    allErrors: raw.retryAllErrors === true,
    refused: raw.retryConnrefused === true,
  }
}

/** Whether what stands behind --pipeline is meant as a depth; otherwise it is a URL. */
export function isNumber(text: string): boolean {
  return /^-?[0-9.]+$/.test(text)
}

function depthOf(text: string): number {
  try {
    return parseWhole(text, 1, 1000)
  } catch {
    throw usageError(`--pipeline '${text}' is no depth`, 'give a whole number from 1 to 1000')
  }
}

function proxyOf(raw: RawOptions): ProxyOptions | null {
  const text = raw.proxy as string | undefined
  if (text === undefined || text === '') return null
  try {
    const url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
    // curl: a proxy without a port listens at 1080.
    if (url.port === '' && !/:[0-9]+\/?$/.test(text)) url.port = url.protocol === 'https:' ? '443' : '1080'
    const user = raw.proxyUser as string | undefined
    if (user !== undefined) {
      const [name, ...password] = user.split(':')
      url.username = encodeURIComponent(name)
      url.password = encodeURIComponent(password.join(':'))
    }
    parseProxy(url)
    const noProxy = ((raw.noproxy as string | undefined) ?? '').split(',').map((one) => one.trim())
    return { url, noProxy: noProxy.filter((one) => one !== '') }
  } catch {
    throw curlError(5, `Unsupported proxy syntax in '${text}'`, 'write it as http://10.77.0.1:3128')
  }
}

/** The text of a file of certificates. @throws {CliError} with curl's exit code when it cannot be read */
export function readCertificates(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw curlError(77, `error setting certificate file ${path}: ${messageOf(error)}`)
  }
}
