// Writing heads and bodies.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/http/errors.ts'
import type { HttpVersion, RequestHead, ResponseHead } from '../../src/http/events.ts'
import { HeaderList } from '../../src/http/headers.ts'
import { prepareResponse } from '../../src/http/outgoing.ts'
import { BodyWriter, writeRequestHead, writeResponseHead } from '../../src/http/writer.ts'
import { b, readAll, s } from './helpers.ts'

const request = (fields: Partial<RequestHead> = {}): RequestHead => ({
  type: 'request',
  method: 'GET',
  target: '/',
  version: '1.1',
  headers: new HeaderList({ Host: 'a' }),
  ...fields,
})
const response = (fields: Partial<ResponseHead> = {}): ResponseHead => ({
  type: 'response',
  status: 200,
  reason: 'OK',
  version: '1.1',
  headers: new HeaderList(),
  ...fields,
})

describe('heads', () => {
  it('are lines that end in CRLF and an empty one (RFC 9112 §2.1)', () => {
    expect(s(writeRequestHead(request()))).toBe('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(s(writeResponseHead(response({ headers: new HeaderList({ A: 'caf\xe9' }) })))).toBe(
      'HTTP/1.1 200 OK\r\nA: caf\xe9\r\n\r\n',
    )
  })

  it('let nothing break out of its place (RFC 9112 §11.1)', () => {
    for (const target of ['/ HTTP/1.1\r\nX: y', '/a b', '/\n', '', '/\xe9']) {
      expect(() => writeRequestHead(request({ target }))).toThrow(TypeError)
    }
    for (const method of ['', 'GET /', 'G\r\nT']) expect(() => writeRequestHead(request({ method }))).toThrow(TypeError)
    expect(() => writeResponseHead(response({ reason: 'OK\r\nSet-Cookie: a=b' }))).toThrow(TypeError)
    const smuggled = new HeaderList().appendUnchecked('X', 'a\r\nSet-Cookie: b')
    expect(() => writeResponseHead(response({ headers: smuggled }))).toThrow(TypeError)
    expect(() => writeResponseHead(response({ headers: new HeaderList().appendUnchecked('X\r\n', 'a') }))).toThrow(
      TypeError,
    )
  })

  it('a status must fit the kind of response (RFC 9110 §15)', () => {
    for (const status of [0, 99, 100, 199, 1000, 200.5, Number.NaN]) {
      expect(() => writeResponseHead(response({ status }))).toThrow(RangeError)
    }
    expect(() => writeResponseHead({ ...response({ status: 200 }), type: 'informational' })).toThrow(RangeError)
  })

  it('any valid head reads back as it was written (RFC 9112 §5)', () => {
    const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/)
    const value = fc.stringMatching(/^(?:[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?)?$/)
    const name = token.filter((one) => !/^(?:host|content-length|transfer-encoding|expect)$/i.test(one))
    fc.assert(
      fc.property(token, fc.array(fc.tuple(name, value), { maxLength: 8 }), (method, lines) => {
        fc.pre(method !== 'CONNECT')
        const headers = new HeaderList([['Host', 'a'], ...lines])
        const [read] = readAll('server', [writeRequestHead(request({ method, target: '/x', headers }))])
        expect(read).toEqual({ method, target: '/x', version: '1.1', headers: headers.toJSON() })
      }),
    )
  })
})

describe('bodies', () => {
  it('are exactly as long as Content-Length announced (RFC 9112 §6.2)', () => {
    const writer = new BodyWriter({ length: 5 })
    expect(s(writer.data(b('abc')))).toBe('abc')
    expect(() => writer.data(b('def'))).toThrow(ProtocolError)
    expect(() => writer.end(new HeaderList())).toThrow(
      expect.objectContaining({ side: 'local', reason: 'body-length' }),
    )
    writer.data(b('de'))
    expect(writer.end(new HeaderList()).length).toBe(0)
  })

  it('there is none where the message has none', () => {
    expect(() => new BodyWriter('none').data(b('x'))).toThrow(ProtocolError)
    expect(new BodyWriter('none').data(b('')).length).toBe(0)
  })

  it('chunked ones carry trailers, others drop them (RFC 9110 §6.5)', () => {
    const trailers = new HeaderList({ X: 'y' })
    expect(s(new BodyWriter('chunked').end(trailers))).toBe('0\r\nX: y\r\n\r\n')
    expect(new BodyWriter('until-close').end(trailers).length).toBe(0)
  })
})

describe('what a server adds to a response', () => {
  const prepared = (
    fields: Partial<ResponseHead>,
    version: HttpVersion | null = '1.1',
    method = 'GET',
    keepAlive = true,
    connection?: string,
  ): Record<string, string> => {
    const headers = new HeaderList({ Host: 'a', Connection: connection === undefined ? undefined : [connection] })
    const context = { request: version === null ? null : request({ method, version, headers }), keepAlive }
    return Object.fromEntries(prepareResponse(response(fields), context).headers)
  }
  const length = new HeaderList({ 'Content-Length': '3' })

  it('chunked to 1.1 when the length is unknown, the end of the connection to 1.0 (RFC 9112 §6.1)', () => {
    expect(prepared({})).toEqual({ 'Transfer-Encoding': 'chunked' })
    expect(prepared({ headers: length })).toEqual({ 'Content-Length': '3' })
    expect(prepared({}, '1.0')).toEqual({ Connection: 'close' })
    expect(prepared({ headers: new HeaderList({ 'Transfer-Encoding': 'chunked' }) }, '1.0')).toEqual({
      Connection: 'close',
    })
    expect(prepared({ version: '1.0' })).toEqual({ Connection: 'close' })
    expect(prepared({}, null)).toEqual({ Connection: 'close' })
  })

  it('keep-alive to a 1.0 client, close when the connection ends, each once (RFC 9112 §9.3, §9.6)', () => {
    expect(prepared({ headers: length }, '1.0', 'GET', true)).toEqual({
      'Content-Length': '3',
      Connection: 'keep-alive',
    })
    expect(prepared({ headers: length }, '1.1', 'GET', false)).toEqual({ 'Content-Length': '3', Connection: 'close' })
    const own = new HeaderList({ 'Content-Length': 3, Connection: 'X-A, keep-alive', 'Keep-Alive': 'timeout=5' })
    expect(prepared({ headers: own }, '1.1', 'GET', false)).toEqual({ 'Content-Length': '3', Connection: 'x-a, close' })
  })

  it('no framing fields in 204 and 2xx to CONNECT, a length but no coding in 304 (RFC 9112 §6.1, RFC 9110 §8.6)', () => {
    const both = new HeaderList({ 'Content-Length': '3' })
    expect(prepared({ status: 204, headers: both })).toEqual({})
    expect(prepared({ status: 200, headers: both }, '1.1', 'CONNECT')).toEqual({})
    expect(prepared({ status: 304, headers: both })).toEqual({ 'Content-Length': '3' })
    expect(prepared({ status: 304, headers: new HeaderList({ 'Transfer-Encoding': 'chunked' }) })).toEqual({})
    expect(prepared({}, '1.1', 'HEAD')).toEqual({})
  })
})
