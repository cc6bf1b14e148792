// Static files as a handler, over any source of files.
// Owns: path safety, redirects to directories, index pages, validators, conditions, ranges. Does not own: the disk (a
// FileSource made elsewhere; it decides about symbolic links), content types (content-types.ts), listings (listing.ts).
// Read first: RFC 9110 §9.3.1 (GET), §13 (conditions), §14 (ranges), §15.4.2 (301); RFC 3986 §2.1 and §5.2.4 (what a
// path may hide).
import { checkPreconditions } from './conditional.ts'
import { contentTypeOf } from './content-types.ts'
import { formatHttpDate } from './grammar.ts'
import { type DirectoryEntry, listingPage } from './listing.ts'
import { type ByteRange, contentRange, ifRangeHolds, multipartFrame, parseRange } from './ranges.ts'
import type { Handler, ServerRequest, ServerResponse } from './server-message.ts'
import { reasonPhrase } from './status.ts'

/** What is known of a file or directory. */
export interface FileStat {
  readonly kind: 'file' | 'directory'
  /** Bytes; 0 for a directory. */
  readonly size: number
  /** Last modification in milliseconds since 1970. */
  readonly modifiedMs: number
}

/**
 * Where files come from. Paths are relative and decoded, with `/` between segments: `''` is the root, `'a/b.txt'` a
 * file in `a`. No segment is empty, `.` or `..`, and none holds `/`, `\`, NUL or another control character.
 */
export interface FileSource {
  /** What is at `path`; null when there is nothing, or nothing to be shown. */
  stat(path: string): Promise<FileStat | null>
  /**
   * The bytes `[start, end)` of a file, in chunks of a size that suits the source. Each chunk belongs to the caller.
   */
  open(path: string, start: number, end: number): AsyncIterable<Uint8Array>
  /** The entries of a directory; null when it cannot be listed. */
  list(path: string): Promise<readonly DirectoryEntry[] | null>
}

/** Options of a file handler. */
export interface FileOptions {
  /** Served in the place of a directory. `'index.html'`; null for none. */
  readonly index?: string | null
  /** Whether a directory without an index is listed; otherwise it is 404. True. */
  readonly listing?: boolean
  /** Whether names that begin with a dot are shown (`.well-known` always is). False. */
  readonly dotFiles?: boolean
  /** Value of Cache-Control; none unless given. */
  readonly cacheControl?: string
  /**
   * Milliseconds since 1970: no Last-Modified then lies ahead of it (RFC 9110 §8.8.2.1), and none of the last second counts in If-Range
   * (§8.8.2.2).
   */
  readonly wallClock?: () => number
}

/**
 * A handler that serves files: GET and HEAD, conditions, byte ranges, index pages, listings. OPTIONS tells so, everything
 * else is 405 (or 501).
 * @param source is asked only for safe paths, see FileSource
 */
export function fileHandler(source: FileSource, options: FileOptions = {}): Handler {
  const { index = 'index.html', listing = true, dotFiles = false } = options
  const now = options.wallClock ?? (() => Number.NaN)
  const shown = (name: string): boolean => dotFiles || name[0] !== '.' || name === '.well-known'
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return otherMethod(request.method, response)
    const segments = decodePath(request.path)
    if (segments === null) return plain(response, 400)
    if (!segments.every(shown)) return plain(response, 404)
    const path = segments.join('/')
    const stat = await source.stat(path)
    if (stat === null) return plain(response, 404)
    if (options.cacheControl !== undefined) response.headers.set('Cache-Control', options.cacheControl)
    const asDirectory = request.path.endsWith('/')
    if (stat.kind === 'file') {
      return asDirectory ? plain(response, 404) : sendFile(source, path, stat, request, response, now())
    }
    if (!asDirectory) return redirect(request, response, segments)
    if (index !== null) {
      const page = path === '' ? index : `${path}/${index}`
      const pageStat = await source.stat(page)
      if (pageStat?.kind === 'file') return sendFile(source, page, pageStat, request, response, now())
    }
    const entries = listing ? await source.list(path) : null
    if (entries === null) return plain(response, 404)
    const visible = entries.filter((entry) => shown(entry.name))
    const html = listingPage(path === '' ? '/' : `/${path}/`, visible)
    return response.send(
      200,
      { 'Content-Type': 'text/html; charset=utf-8', ...SAFE, 'Content-Security-Policy': CSP },
      html,
    )
  }
}

const SAFE = { 'X-Content-Type-Options': 'nosniff' }
const CSP = "default-src 'none'; style-src 'unsafe-inline'"

/**
 * The segments of a request path, decoded once; null when it is not safe: NUL or another control character, a
 * backslash, an encoded slash, a `..` segment, a malformed or non-UTF-8 percent-encoding. Empty and `.` segments are
 * left out.
 */
export function decodePath(path: string): string[] | null {
  if (path[0] !== '/') return null
  const segments: string[] = []
  for (const raw of path.split('/')) {
    let segment: string
    try {
      segment = decodeURIComponent(raw)
    } catch {
      return null
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (/[\x00-\x1f\x7f/\\]/.test(segment) || segment === '..') return null
    if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return segments
}

const KNOWN_METHODS = /^(?:POST|PUT|PATCH|DELETE|CONNECT|TRACE)$/

// RFC 9110 §9.3.7: OPTIONS tells what is allowed here; §15.5.6: so does a 405; §15.6.2: a method that nobody knows is 501.
function otherMethod(method: string, response: ServerResponse): Promise<void> {
  const allow = { Allow: 'GET, HEAD, OPTIONS' }
  if (method === 'OPTIONS') return response.send(204, allow)
  return KNOWN_METHODS.test(method) ? plain(response, 405, allow) : plain(response, 501)
}

function plain(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  response.status = status
  return response.send(status, headers, `${status} ${reasonPhrase(status)}\n`)
}

// One slash in front and every segment encoded: the target can name no other host, whatever the request said
// ('//evil').
function redirect(request: ServerRequest, response: ServerResponse, segments: readonly string[]): Promise<void> {
  const query = request.query === '' ? '' : `?${request.query}`
  const path = segments.map((segment) => `${encodeURIComponent(segment)}/`).join('')
  return response.send(301, { Location: `/${path}${query}` }, '301 Moved Permanently\n')
}

async function sendFile(
  source: FileSource,
  path: string,
  stat: FileStat,
  request: ServerRequest,
  response: ServerResponse,
  nowMs: number,
): Promise<void> {
  const { size, modifiedMs } = stat
  const etag = `"${size.toString(16)}-${Math.floor(modifiedMs * 1000).toString(16)}"`
  const type = contentTypeOf(path)
  response.headers.setAll({
    ETag: etag,
    'Last-Modified': formatHttpDate(Number.isNaN(nowMs) ? modifiedMs : Math.min(modifiedMs, nowMs)),
    'Accept-Ranges': 'bytes',
    ...SAFE,
  })
  const verdict = checkPreconditions('GET', request.headers, { etag, modifiedMs }, nowMs)
  if (verdict === 304) return response.send(304)
  if (verdict === 412) return response.send(412, {}, '412 Precondition Failed\n')
  const ranges = rangesOf(request, etag, stat, nowMs)
  if (ranges === 'unsatisfiable') {
    // RFC 9110 §15.5.17: says how long the representation is.
    return response.send(416, { 'Content-Range': `bytes */${size}` }, '416 Range Not Satisfiable\n')
  }
  if (ranges === 'ignore') {
    const body = request.method === 'HEAD' ? '' : source.open(path, 0, size)
    return response.send(200, { 'Content-Type': type, 'Content-Length': size }, body)
  }
  if (ranges.length > 1) return sendParts(source, path, size, ranges, response)
  const [range] = ranges
  const headers = {
    'Content-Type': type,
    'Content-Length': range.end - range.start,
    'Content-Range': contentRange(range, size),
  }
  return response.send(206, headers, source.open(path, range.start, range.end))
}

function rangesOf(
  request: ServerRequest,
  etag: string,
  stat: FileStat,
  nowMs: number,
): readonly ByteRange[] | 'ignore' | 'unsatisfiable' {
  const value = request.headers.get('range')
  // RFC 9110 §14.2: Range means something for GET only.
  if (value === null || request.method !== 'GET') return 'ignore'
  const ifRange = request.headers.get('if-range')
  if (ifRange !== null && !ifRangeHolds(ifRange, etag, stat.modifiedMs, nowMs)) return 'ignore'
  return parseRange(value, stat.size)
}

function sendParts(
  source: FileSource,
  path: string,
  size: number,
  ranges: readonly ByteRange[],
  response: ServerResponse,
): Promise<void> {
  const { contentType, heads, tail, length } = multipartFrame(ranges, size, contentTypeOf(path))
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < ranges.length; i++) {
      yield heads[i]
      yield* source.open(path, ranges[i].start, ranges[i].end)
    }
    yield tail
  }
  return response.send(206, { 'Content-Type': contentType, 'Content-Length': length }, body())
}
