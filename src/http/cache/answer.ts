// The answer that a client gets from a stored record.
// Owns: 200, 206, 304 and 416 made of a record, their fields. Does not own: whether it may be used (decision.ts).
// Read first: RFC 9111 §4 (Age), §4.3.2, §5.2.2.4; RFC 9110 §15.3.7 (206), §15.4.5 (304), §15.5.17 (416).
import { concatBytes } from '../body.ts'
import { HeaderList } from '../headers.ts'
import { bodyOf, type HopResponse } from '../hop.ts'
import { type ByteRange, contentRange, multipartFrame } from '../ranges.ts'
import { reasonPhrase } from '../status.ts'
import { readDirectives } from './directives.ts'
import { selectBytes } from './partial.ts'
import type { CacheQuery, StoredResponse } from './record.ts'
import { clientHasIt } from './validation.ts'

const NOTHING = new Uint8Array(0)

/** What a 304 repeats of the answer that it stands for (RFC 9110 §15.4.5). */
const IN_304 = ['date', 'etag', 'cache-control', 'expires', 'vary', 'content-location', 'last-modified', 'age']

/**
 * The answer to a request from a record that `selectBytes` found to have what it wants.
 * @param ageS the record's age, for the Age field
 * @param validated whether its server has just said that it holds: fields under `no-cache="..."` may then be shown
 */
export function answerFrom(query: CacheQuery, record: StoredResponse, ageS: number, validated: boolean): HopResponse {
  const headers = record.headers.clone()
  // RFC 9111 §4: Age in whatever comes from a store without validation; after one it says how long ago that was.
  headers.set('Age', ageS)
  if (!validated) for (const name of readDirectives(record.headers).noCacheFields) headers.delete(name)
  // RFC 9110 §13.2.2: If-None-Match and If-Modified-Since come before Range.
  if (clientHasIt(query, record)) return make(record, 304, only(headers, IN_304), NOTHING)
  const selected = selectBytes(query, record)
  if (selected?.kind === 'unsatisfiable') {
    const fields = only(headers, ['date', 'age'])
    fields.append('Content-Range', `bytes */${selected.size}`).append('Content-Length', 0)
    return make(record, 416, fields, NOTHING)
  }
  if (selected?.kind === 'parts') return partsOf(record, selected.ranges, selected.size, headers)
  return make(record, record.status, headers, query.method === 'HEAD' ? NOTHING : record.body)
}

// RFC 9110 §15.3.7.1, §15.3.7.2: one range stands alone, several in the parts of a multipart body.
function partsOf(record: StoredResponse, ranges: readonly ByteRange[], size: number, headers: HeaderList): HopResponse {
  const from = record.part?.start ?? 0
  const pieces = ranges.map(({ start, end }) => record.body.subarray(start - from, end - from))
  if (ranges.length === 1) {
    headers.set('Content-Length', pieces[0].length).set('Content-Range', contentRange(ranges[0], size))
    return make(record, 206, headers, pieces[0])
  }
  const { contentType, heads, tail, length } = multipartFrame(ranges, size, headers.get('content-type'))
  headers.set('Content-Length', length).set('Content-Type', contentType)
  const parts = pieces.flatMap((piece, i) => [heads[i], piece])
  return make(record, 206, headers, concatBytes([...parts, tail], length))
}

function make(record: StoredResponse, status: number, headers: HeaderList, body: Uint8Array): HopResponse {
  const reason = status === record.status ? record.reason : reasonPhrase(status)
  return { status, reason, version: record.version, headers, body: bodyOf(body), trailers: () => null }
}

function only(headers: HeaderList, names: readonly string[]): HeaderList {
  return new HeaderList([...headers].filter(([name]) => names.includes(name.toLowerCase())))
}
