// The options of `tunstack fetch`: curl's, by curl's names.
// Owns: their parsing, what they make of a request (method, headers, body). Does not own: sending it (fetch-transfer.ts).
// Read first: curl(1).

import { createReadStream, readFileSync, statSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { basicAuthorization } from '../http/index.ts'
import { messageOf, usageError } from './errors.ts'
import { CURL, curlError } from './fetch-errors.ts'
import { multipartForm } from './fetch-form.ts'
import { type NetworkSettings, networkOptions, networkSettings, retrySettings } from './fetch-network.ts'
import type { RetrySettings } from './fetch-retry.ts'
import { parseResolve, type ResolveEntry } from './fetch-url.ts'
import type { RawOptions } from './options.ts'
import { listOption, parseSeconds, parseWhole, valueOption } from './read-options.ts'

/** A part of a body as -d and its like give it. */
export interface DataPart {
  readonly kind: 'text' | 'binary' | 'raw'
  readonly value: string
}

/** Where the n-th body goes. */
export type OutputChoice = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'remote-name' }

/** A body that is sent: at hand, or as it is read. */
export interface RequestBody {
  /** The bytes, or null when `stream` has them. */
  readonly bytes: Uint8Array | null
  /** Opens the source anew, so that a redirect can be followed; null when the bytes are at hand. */
  readonly stream: (() => AsyncIterable<Uint8Array>) | null
  /** Bytes of the stream; -1 when unknown. */
  readonly length: number
}

/** What fetch is to do. */
export interface FetchSettings {
  readonly method: string
  /** Whether the method was written out with -X: a redirect then keeps it. */
  readonly hasMethod: boolean
  readonly headers: readonly string[]
  readonly userAgent: string | null
  readonly body: RequestBody | null
  /** Content-Type of the body unless -H gives one; null for none. */
  readonly contentType: string | null
  readonly range: string | null
  readonly httpVersion: '1.0' | '1.1'
  readonly verbose: boolean
  readonly include: boolean
  readonly headOnly: boolean
  readonly silent: boolean
  readonly showError: boolean
  readonly fail: boolean
  readonly follow: boolean
  readonly maxRedirects: number
  readonly writeOut: string | null
  readonly connectTimeout: number | null
  readonly maxTime: number | null
  readonly resolve: readonly ResolveEntry[]
  readonly outputs: readonly OutputChoice[]
  readonly compressed: boolean
  readonly referer: string | null
  /** -u, as a value of Authorization; null for none. */
  readonly authorization: string | null
  readonly retry: RetrySettings
  readonly network: NetworkSettings
}

/** What repeated options have collected, in their order. */
export interface Collected {
  readonly data: DataPart[]
  readonly outputs: OutputChoice[]
}

/** Adds curl's options. What may be repeated goes into `collected`, in order. */
export function addFetchOptions(command: Command, collected: Collected): void {
  const data = (kind: DataPart['kind']) => (value: string) => collected.data.push({ kind, value })
  const options = [
    new Option('-X, --request <method>', 'method, GET unless there is a body'),
    listOption('-H, --header <line>', "a header: 'Name: value'; 'Name:' leaves it out, 'Name;' sends it empty", String),
    new Option('-d, --data <data>', 'send a form; @file reads a file without its line ends, @- stdin').argParser(
      data('text'),
    ),
    new Option('--data-binary <data>', 'as -d, but files as they are').argParser(data('binary')),
    new Option('--data-raw <data>', 'as -d, but @ means nothing').argParser(data('raw')),
    listOption('-F, --form <part>', 'a part of a form: name=text, name=@file, name=<file; may be repeated', String),
    new Option('-T, --upload-file <file>', 'send a file with PUT; - for stdin'),
    new Option('-I, --head', 'HEAD: the headers only'),
    new Option('-i, --include', 'put the headers before the body'),
    new Option('-o, --output <file>', 'write the body of the next URL to a file'),
    new Option('-O, --remote-name', 'write it to a file named as in the URL'),
    new Option('-A, --user-agent <name>', 'value of User-Agent'),
    new Option('-e, --referer <URL>', 'value of Referer'),
    new Option('-u, --user <user:password>', 'Basic credentials for the server'),
    new Option('--compressed', 'ask for gzip, deflate or br, and take them off'),
    new Option('-r, --range <range>', 'bytes to ask for, as 0-99 or -500'),
    new Option('-0, --http1.0', 'HTTP/1.0'),
    new Option('-L, --location', 'follow redirects'),
    valueOption('--max-redirs <n>', 'redirects to follow at most', (text) => parseWhole(text, 0, 1000)).default(50),
    listOption('--resolve <host:port:address>', 'what a name leads to; may be repeated', parseResolve),
    valueOption('--connect-timeout <seconds>', 'for connecting', (text) => parseSeconds(text, 0.001)),
    valueOption('-m, --max-time <seconds>', 'for a whole transfer', (text) => parseSeconds(text, 0.001)),
    new Option('-f, --fail', 'exit with 22 on a status of 400 and more, without its body'),
    new Option('-s, --silent', 'neither progress nor errors'),
    new Option('-S, --show-error', 'with -s: errors all the same'),
    new Option('-v, --verbose', 'show what is sent and received'),
    new Option(
      '-w, --write-out <format>',
      "print after each transfer, as '%{http_code} %{time_total}\\n'; @file reads it",
    ),
  ]
  for (const option of options) command.addOption(option)
  for (const option of networkOptions()) command.addOption(option.helpGroup('Connections:'))
  command.on('option:output', (path: string) => collected.outputs.push({ kind: 'file', path }))
  command.on('option:remote-name', () => collected.outputs.push({ kind: 'remote-name' }))
}

/** Reads what `addFetchOptions` has parsed. @throws {CliError} for options that do not go together, or a file that cannot be read */
export async function fetchSettings(raw: RawOptions, collected: Collected): Promise<FetchSettings> {
  const upload = raw.uploadFile as string | undefined
  if (upload !== undefined && collected.data.length > 0) {
    throw usageError('-T and -d both give a body', 'leave one of them out')
  }
  const form = raw.form as string[] | undefined
  if (form !== undefined && (upload !== undefined || collected.data.length > 0)) {
    throw usageError('-F gives a body, and so does -d or -T', 'leave one of them out')
  }
  const headOnly = raw.head === true
  if (headOnly && (form !== undefined || upload !== undefined || collected.data.length > 0)) {
    throw usageError('-I asks for headers only, and takes no body', 'leave -I or the body out')
  }
  const multipart = form === undefined ? null : multipartForm(form)
  const body =
    multipart !== null
      ? { bytes: multipart.bytes, stream: null, length: multipart.bytes.length }
      : upload === undefined
        ? await dataBody(collected.data)
        : fileBody(upload)
  const user = raw.user as string | undefined
  const usual = headOnly ? 'HEAD' : upload !== undefined ? 'PUT' : body !== null ? 'POST' : 'GET'
  const range = raw.range as string | undefined
  return {
    method: (raw.request as string | undefined) ?? usual,
    hasMethod: raw.request !== undefined,
    headers: (raw.header as string[] | undefined) ?? [],
    userAgent: (raw.userAgent as string | undefined) ?? null,
    body,
    contentType: multipart?.contentType ?? (collected.data.length > 0 ? 'application/x-www-form-urlencoded' : null),
    range: range === undefined ? null : checkRange(range),
    httpVersion: raw['http1.0'] === true ? '1.0' : '1.1',
    verbose: raw.verbose === true,
    include: raw.include === true || headOnly,
    headOnly,
    silent: raw.silent === true,
    showError: raw.showError === true,
    fail: raw.fail === true,
    follow: raw.location === true,
    maxRedirects: raw.maxRedirs as number,
    writeOut: raw.writeOut === undefined ? null : readFormat(raw.writeOut as string),
    connectTimeout: (raw.connectTimeout as number | undefined) ?? null,
    maxTime: (raw.maxTime as number | undefined) ?? null,
    resolve: (raw.resolve as ResolveEntry[] | undefined) ?? [],
    outputs: collected.outputs,
    compressed: raw.compressed === true,
    referer: (raw.referer as string | undefined) ?? null,
    authorization: user === undefined ? null : basicOf(user),
    retry: retrySettings(raw),
    network: networkSettings(raw),
  }
}

/** `user:password` as a value of Authorization; without a colon the password is empty. */
export function basicOf(user: string): string {
  const at = user.indexOf(':')
  return at === -1 ? basicAuthorization(user, '') : basicAuthorization(user.slice(0, at), user.slice(at + 1))
}

/** Headers of a request in the order in which curl sends them: its own, those of options, then the user's. */
export function requestHeaders(
  settings: FetchSettings,
  host: string,
  authorization: string | null,
  defaultAgent: string,
): [name: string, value: string][] {
  const headers: [string, string][] = [['Host', host]]
  if (authorization !== null) headers.push(['Authorization', authorization])
  if (settings.range !== null) headers.push(['Range', `bytes=${settings.range}`])
  const agent = settings.userAgent ?? defaultAgent
  if (agent !== '') headers.push(['User-Agent', agent])
  headers.push(['Accept', '*/*'])
  if (settings.referer !== null) headers.push(['Referer', settings.referer])
  if (settings.compressed) headers.push(['Accept-Encoding', 'gzip, deflate, br'])
  if (settings.contentType !== null) headers.push(['Content-Type', settings.contentType])
  const own = headers.length
  for (const line of settings.headers) {
    const match = /^([^:;\s]+)\s*([:;])(.*)$/s.exec(line)
    if (match === null) throw usageError(`-H '${line}' is no header`, "write it as 'Name: value'")
    const [, name, mark, rest] = match
    const value = rest.trim()
    const replaced = headers.findIndex(([known], i) => i < own && known.toLowerCase() === name.toLowerCase())
    if (mark === ':' && value === '') {
      if (replaced !== -1) headers[replaced][0] = ''
    } else if (replaced !== -1) headers[replaced] = [name, value]
    else headers.push([name, value])
  }
  return headers.filter(([name]) => name !== '')
}

async function dataBody(parts: readonly DataPart[]): Promise<RequestBody | null> {
  if (parts.length === 0) return null
  const pieces: Buffer[] = []
  for (const [i, part] of parts.entries()) {
    if (i > 0) pieces.push(Buffer.from('&'))
    pieces.push(await dataPart(part))
  }
  const bytes = Buffer.concat(pieces)
  return { bytes, stream: null, length: bytes.length }
}

async function dataPart({ kind, value }: DataPart): Promise<Buffer> {
  if (kind === 'raw' || !value.startsWith('@')) return Buffer.from(value)
  const bytes = value === '@-' ? await readStdin() : readFile(value.slice(1))
  // curl(1), -d: carriage returns, newlines and NULs are taken out of files.
  return kind === 'binary' ? bytes : Buffer.from(bytes.filter((byte) => byte !== 13 && byte !== 10 && byte !== 0))
}

async function readStdin(): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of process.stdin) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw curlError(CURL.read, `Failed to open ${path}: ${messageOf(error)}`)
  }
}

function fileBody(path: string): RequestBody {
  if (path === '-' || path === '.') return { bytes: null, stream: () => process.stdin, length: -1 }
  try {
    const stats = statSync(path)
    if (stats.isDirectory()) throw new Error('it is a folder')
    const stream = (): AsyncIterable<Uint8Array> => createReadStream(path, { highWaterMark: 256 * 1024 })
    return { bytes: null, stream, length: stats.isFile() ? stats.size : -1 }
  } catch (error) {
    throw curlError(CURL.read, `Failed to open ${path}: ${messageOf(error)}`)
  }
}

function checkRange(text: string): string {
  if (/^[0-9]+$/.test(text)) return `${text}-`
  if (/^(?:[0-9]+-[0-9]*|-[0-9]+)(?:,(?:[0-9]+-[0-9]*|-[0-9]+))*$/.test(text)) return text
  throw usageError(`-r '${text}' is no range`, 'write it as 0-99, 500- or -500')
}

function readFormat(text: string): string {
  if (!text.startsWith('@')) return text
  try {
    return text === '@-' ? readFileSync(0, 'utf8') : readFileSync(text.slice(1), 'utf8')
  } catch (error) {
    throw curlError(CURL.read, `Failed to open ${text.slice(1)}: ${messageOf(error)}`)
  }
}
