// What may be stored: one row for each case of RFC 9111 §3.
import { describe, expect, it } from 'vitest'
import { makeRecord, mayStore, type StoreVerdict } from '../../../src/http/cache/storing.ts'
import type { HeadersInit } from '../../../src/http/headers.ts'
import { b } from '../helpers.ts'
import { ago, arrival, PRIVATE, query, SHARED } from './cache-helpers.ts'

type Row = [
  title: string,
  expected: StoreVerdict,
  response: HeadersInit,
  status?: number,
  request?: HeadersInit,
  method?: string,
]

const cc = (value: string): HeadersInit => ({ 'Cache-Control': value })

const both: Row[] = [
  ['max-age (RFC 9111 §3)', 'store', cc('max-age=60')],
  ['max-age=0 may be stored, to be validated (RFC 9111 §3)', 'store', cc('max-age=0')],
  ['Expires (RFC 9111 §3)', 'store', { Expires: ago(-60) }],
  ['Expires in the past (RFC 9111 §3)', 'store', { Expires: '0' }],
  ['public (RFC 9111 §3)', 'store', cc('public'), 599],
  ['nothing at all, 200 (RFC 9110 §15.1)', 'store', {}],
  ['nothing at all, 204 (RFC 9110 §15.1)', 'store', {}, 204],
  ['nothing at all, 301 (RFC 9110 §15.1)', 'store', {}, 301],
  ['nothing at all, 308 (RFC 9110 §15.1)', 'store', {}, 308],
  ['nothing at all, 404 (RFC 9110 §15.1)', 'store', {}, 404],
  ['nothing at all, 405 (RFC 9110 §15.1)', 'store', {}, 405],
  ['nothing at all, 410 (RFC 9110 §15.1)', 'store', {}, 410],
  ['nothing at all, 414 (RFC 9110 §15.1)', 'store', {}, 414],
  ['nothing at all, 501 (RFC 9110 §15.1)', 'store', {}, 501],
  ['nothing at all, 302 (RFC 9110 §15.1)', 'no-lifetime', {}, 302],
  ['nothing at all, 307 (RFC 9110 §15.1)', 'no-lifetime', {}, 307],
  ['nothing at all, 403 (RFC 9110 §15.1)', 'no-lifetime', {}, 403],
  ['nothing at all, 500 (RFC 9110 §15.1)', 'no-lifetime', {}, 500],
  ['302 with max-age (RFC 9111 §3)', 'store', cc('max-age=1'), 302],
  ['503 with max-age (RFC 9111 §3)', 'store', cc('max-age=1'), 503],
  ['304 is not stored itself (RFC 9111 §4.3.4)', 'status', cc('max-age=1'), 304],
  ['1xx is not final (RFC 9111 §3)', 'status', cc('max-age=1'), 103],
  ['416 has no representation (RFC 9110 §15.5.17)', 'status', cc('max-age=1'), 416],
  ['no-store (RFC 9111 §5.2.2.5)', 'no-store', cc('no-store')],
  ['no-store beside max-age (RFC 9111 §5.2.2.5)', 'no-store', cc('max-age=60, no-store')],
  ['No-Store in capitals (RFC 9111 §5.2)', 'no-store', cc('No-STORE')],
  ['no-store in a second line (RFC 9110 §5.3)', 'no-store', { 'Cache-Control': ['max-age=60', 'no-store'] }],
  ['no-store inside a quoted string is none (RFC 9111 §5.2)', 'store', cc('max-age=60, x="a, no-store"')],
  ['no-store of the request (RFC 9111 §5.2.1.5)', 'request-no-store', cc('max-age=60'), 200, cc('no-store')],
  [
    'must-understand, and the status is: no-store does not count (RFC 9111 §5.2.2.3)',
    'store',
    cc('must-understand, no-store, max-age=9'),
  ],
  ['must-understand, and the status is not (RFC 9111 §5.2.2.3)', 'status', cc('must-understand, max-age=9'), 299],
  ['no-cache may be stored (RFC 9111 §5.2.2.4)', 'store', cc('no-cache')],
  ['POST (RFC 9111 §3)', 'method', cc('max-age=60'), 200, {}, 'POST'],
  ['HEAD (RFC 9111 §3)', 'method', cc('max-age=60'), 200, {}, 'HEAD'],
  ['PUT (RFC 9111 §3)', 'method', cc('max-age=60'), 200, {}, 'PUT'],
  ['Vary: * (RFC 9111 §4.1)', 'vary-any', { 'Cache-Control': 'max-age=60', Vary: 'Accept, *' }],
  [
    '206 with its range (RFC 9111 §3.3)',
    'store',
    { 'Cache-Control': 'max-age=9', 'Content-Range': 'bytes 0-9/20' },
    206,
  ],
  ['206 without a range (RFC 9111 §3.3)', 'bad-part', cc('max-age=9'), 206],
  [
    '206 of unknown size (RFC 9111 §3.4)',
    'bad-part',
    { 'Cache-Control': 'max-age=9', 'Content-Range': 'bytes 0-9/*' },
    206,
  ],
  [
    '206 in another unit (RFC 9110 §14.1)',
    'bad-part',
    { 'Cache-Control': 'max-age=9', 'Content-Range': 'rows 0-9/20' },
    206,
  ],
  [
    '206 that ends behind its size (RFC 9110 §14.4)',
    'bad-part',
    { 'Cache-Control': 'max-age=9', 'Content-Range': 'bytes 0-20/20' },
    206,
  ],
]

const AUTH = { Authorization: 'Basic x' }
const shared: Row[] = [
  ['private (RFC 9111 §5.2.2.7)', 'private', cc('private, max-age=60')],
  [
    'private="set-cookie" keeps only that field out (RFC 9111 §5.2.2.7)',
    'store',
    cc('private="set-cookie", max-age=60'),
  ],
  ['s-maxage (RFC 9111 §3)', 'store', cc('s-maxage=60'), 302],
  ['Authorization (RFC 9111 §3.5)', 'authorization', cc('max-age=60'), 200, AUTH],
  ['Authorization and public (RFC 9111 §3.5)', 'store', cc('public'), 200, AUTH],
  ['Authorization and must-revalidate (RFC 9111 §3.5)', 'store', cc('max-age=9, must-revalidate'), 200, AUTH],
  ['Authorization and s-maxage (RFC 9111 §3.5)', 'store', cc('s-maxage=9'), 200, AUTH],
  [
    'Authorization and proxy-revalidate is not enough (RFC 9111 §3.5)',
    'authorization',
    cc('proxy-revalidate, max-age=9'),
    200,
    AUTH,
  ],
]

const own: Row[] = [
  ['private (RFC 9111 §5.2.2.7)', 'store', cc('private')],
  ['private, 302 (RFC 9111 §3)', 'store', cc('private'), 302],
  ['s-maxage means nothing (RFC 9111 §5.2.2.10)', 'no-lifetime', cc('s-maxage=60'), 302],
  ['Authorization (RFC 9111 §3.5)', 'store', cc('max-age=60'), 200, AUTH],
]

const run =
  (policy: typeof SHARED) =>
  (...[, expected, response, status = 200, request = {}, method = 'GET']: Row) => {
    expect(mayStore(query(request, method), arrival(response, status), policy)).toBe(expected)
  }

describe('what may be stored (RFC 9111 §3)', () => {
  it.each(both)('shared: %s: %s', run(SHARED))
  it.each(both)('private: %s: %s', run(PRIVATE))
  it.each(shared)('shared: %s: %s', run(SHARED))
  it.each(own)('private: %s: %s', run(PRIVATE))
})

describe('the record', () => {
  it('has no field of one hop, and none that private="..." names (RFC 9111 §3.1, §5.2.2.7)', () => {
    const fields = {
      Connection: 'X-Hop',
      'X-Hop': '1',
      'Keep-Alive': 'max=1',
      'Proxy-Authenticate': 'Basic',
      'Set-Cookie': 'a=b',
      'Cache-Control': 'private="Set-Cookie", max-age=9',
      X: 'y',
    }
    const names = (policy: typeof SHARED): string[] =>
      [...(makeRecord(query(), arrival(fields), b('0123456789'), policy)?.headers ?? [])].map(([name]) => name)
    expect(names(SHARED)).toEqual(['Cache-Control', 'X', 'Date', 'Content-Length'])
    expect(names(PRIVATE)).toEqual(['Set-Cookie', 'Cache-Control', 'X', 'Date', 'Content-Length'])
  })

  it('there is none of a body cut short (RFC 9111 §3.3)', () => {
    const fields = { 'Cache-Control': 'max-age=9', 'Content-Length': '11' }
    expect(makeRecord(query(), arrival(fields), b('0123456789'), SHARED)).toBe(null)
    const part = { 'Cache-Control': 'max-age=9', 'Content-Range': 'bytes 0-10/20' }
    expect(makeRecord(query(), arrival(part, 206), b('0123456789'), SHARED)).toBe(null)
  })
})
