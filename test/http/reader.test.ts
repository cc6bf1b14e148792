// Reading heads and bodies. Every case runs whole, byte by byte, and cut in two at every place.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { b, errorOf, type ReadOptions, readAll, readEveryWay } from './helpers.ts'

const request = (text: string, options: ReadOptions = {}): unknown[] => readEveryWay('server', text, options)
const response = (text: string, options: ReadOptions = {}): unknown[] => readEveryWay('client', text, options)
const verdict = (events: unknown[]): string => {
  const error = errorOf(events)
  return error === undefined ? 'ok' : `${error.status} ${error.error}`
}

describe('requests that are read', () => {
  it('a request line, fields and no body (RFC 9112 §3, §5)', () => {
    expect(request('GET /a?b HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nx-y:\t a b \t\r\nX: caf\xe9\r\n\r\n')).toEqual([
      {
        method: 'GET',
        target: '/a?b',
        version: '1.1',
        headers: [
          ['Host', 'x'],
          ['X-Empty', ''],
          ['x-y', 'a b'],
          ['X', 'caf\xe9'],
        ],
      },
      { end: [] },
      { left: 0, theirs: 'done' },
    ])
  })

  it('a body of the announced length, and not a byte more (RFC 9112 §6.2)', () => {
    expect(request('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello').slice(1)).toEqual([
      { data: 'hello' },
      { end: [] },
      { left: 0, theirs: 'done' },
    ])
    const events = readAll('server', [b('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhello')])
    expect(events.slice(1)).toEqual([{ data: 'he' }, { end: [] }, { left: 3, theirs: 'done' }])
  })

  it('empty lines before a request line are skipped, up to a limit (RFC 9112 §2.2)', () => {
    expect(verdict(request('\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'))).toBe('ok')
    expect(verdict(request(`${'\r\n'.repeat(2)}GET / HTTP/1.1\r\nHost: x\r\n\r\n`))).toBe('400 bad-request-line')
  })

  it('an unknown method is a method, and methods are case-sensitive (RFC 9110 §9.1)', () => {
    expect(request('get / HTTP/1.1\r\nHost: x\r\n\r\n')[0]).toMatchObject({ method: 'get' })
    expect(verdict(request('M-SEARCH / HTTP/1.1\r\nHost: x\r\n\r\n'))).toBe('ok')
  })

  it('a higher minor version is read as 1.1 (RFC 9110 §2.5)', () => {
    expect(request('GET / HTTP/1.9\r\nHost: x\r\n\r\n')[0]).toMatchObject({ version: '1.1' })
  })

  it('HTTP/1.0 needs no Host (RFC 9112 §3.2)', () => {
    expect(request('GET / HTTP/1.0\r\n\r\n')[0]).toMatchObject({ version: '1.0' })
  })

  it('the end of the stream between messages is a close (RFC 9112 §9.6)', () => {
    expect(request('GET / HTTP/1.1\r\nHost: x\r\n\r\n', { end: true }).slice(1)).toEqual([
      { end: [] },
      'closed',
      { left: 0, theirs: 'closed' },
    ])
    expect(request('\r\n', { end: true })[0]).toBe('closed')
  })
})

describe('requests that are refused', () => {
  const fields = (lines: string): string => `GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n\r\n`
  const table: [string, string, string][] = [
    ['two spaces in the request line (§3)', 'GET  / HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['two spaces before the version (§3)', 'GET /  HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-version'],
    ['a space behind the version (§3)', 'GET / HTTP/1.1 \r\nHost: x\r\n\r\n', '400 bad-version'],
    ['a tab for a space (§3)', 'GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-request-line'],
    ['a space before the method', ' GET / HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-request-line'],
    ['no target', 'GET HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-request-line'],
    ['no version, as HTTP/0.9 had it', 'GET /\r\n\r\n', '400 bad-request-line'],
    ['a method that is no token (§3.1)', 'G(T / HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-request-line'],
    ['a target with a control character (§3.2)', 'GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['a target with bytes beyond ASCII (§3.2)', 'GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['a target with a fragment (§3.2)', 'GET /#a HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['a target that is no path (§3.2)', 'GET a HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['an asterisk without OPTIONS (§3.2.4)', 'GET * HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['CONNECT to a path (§3.2.3)', 'CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['a version in small letters (§2.3)', 'GET / http/1.1\r\nHost: x\r\n\r\n', '400 bad-version'],
    ['a version of one number (§2.3)', 'GET / HTTP/1\r\nHost: x\r\n\r\n', '400 bad-version'],
    ['a version of three digits (§2.3)', 'GET / HTTP/1.10\r\nHost: x\r\n\r\n', '400 bad-version'],
    ['HTTP/2 in words (RFC 9110 §15.6.6)', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505 unsupported-version'],
    ['HTTP/0.9 in words', 'GET / HTTP/0.9\r\n\r\n', '505 unsupported-version'],
    ['a TLS hello', '\x16\x03\x01\x02\x00', '400 bad-request-line'],
    ['a bare LF behind the request line (§2.2)', 'GET / HTTP/1.1\nHost: x\r\n\r\n', '400 line-ending'],
    ['a bare LF behind a field (§2.2)', fields('A: b\nC: d'), '400 line-ending'],
    ['a bare LF for the empty line (§2.2)', 'GET / HTTP/1.1\r\nHost: x\r\n\n', '400 line-ending'],
    ['a bare CR in the request line (§2.2)', 'GET /\r HTTP/1.1\r\nHost: x\r\n\r\n', '400 bad-target'],
    ['a bare CR in a value (§2.2)', fields('A: b\rC: d'), '400 bad-header'],
    ['a CR too many (§2.2)', fields('A: b\r'), '400 bad-header'],
    ['a folded line (§5.2)', fields('A: b\r\n c'), '400 obs-fold'],
    ['a folded line with a tab (§5.2)', fields('A: b\r\n\tc'), '400 obs-fold'],
    ['whitespace before the first field (§2.2)', 'GET / HTTP/1.1\r\n Host: x\r\n\r\n', '400 obs-fold'],
    ['a space before the colon (§5.1)', fields('A : b'), '400 space-before-colon'],
    ['a tab before the colon (§5.1)', fields('Content-Length\t: 5'), '400 space-before-colon'],
    ['a space inside a name (§5)', fields('A B: c'), '400 bad-header'],
    ['an empty name (§5)', fields(': c'), '400 bad-header'],
    ['a field without a colon (§5)', fields('Foo'), '400 bad-header'],
    ['a name beyond ASCII (§5)', fields('\xc4: c'), '400 bad-header'],
    ['a NUL in a value (RFC 9110 §5.5)', fields('A: b\0c'), '400 bad-header'],
    ['an escape in a value (RFC 9110 §5.5)', fields('A: b\x1bc'), '400 bad-header'],
    ['no Host (§3.2)', 'GET / HTTP/1.1\r\n\r\n', '400 bad-host'],
    ['two Hosts (§3.2)', fields('Host: y'), '400 bad-host'],
    ['two equal Hosts (§3.2)', fields('host: x'), '400 bad-host'],
    ['an invalid Host (§3.2)', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', '400 bad-host'],
    ['two Hosts in HTTP/1.0 (§3.2)', 'GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n', '400 bad-host'],
    [
      'both length and coding (§6.3, §11.2)',
      fields('Content-Length: 5\r\nTransfer-Encoding: chunked'),
      '400 length-and-encoding',
    ],
    ['a coding disguised by VT (§11.2)', fields('Transfer-Encoding: \x0bchunked'), '400 bad-header'],
    [
      'a coding disguised by a space in its name (§11.2)',
      fields('Transfer-Encoding : chunked'),
      '400 space-before-colon',
    ],
    ['two lengths (§6.3, §11.2)', fields('Content-Length: 5\r\nContent-Length: 6'), '400 duplicate-content-length'],
    [
      'a coding in HTTP/1.0 (§6.1)',
      'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n',
      '400 bad-transfer-encoding',
    ],
    ['an unknown coding (§6.1)', fields('Transfer-Encoding: br, chunked'), '501 unsupported-transfer-coding'],
  ]
  for (const [name, text, expected] of table) {
    it(`${name} gets ${expected.slice(0, 3)} (RFC 9112)`, () => expect(verdict(request(text))).toBe(expected))
  }

  it('a message cut off in its head or body is an error (RFC 9112 §8)', () => {
    const whole = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc'
    for (let cut = 1; cut < whole.length; cut++) {
      expect(errorOf(readAll('server', [b(whole.slice(0, cut))], { end: true }))?.error).toBe('truncated')
    }
  })
})

describe('limits', () => {
  it('a request line is taken to its limit and refused with 414 beyond (RFC 9112 §3)', () => {
    const limits = { startLineBytes: 30 }
    const line = (length: number): string => `GET /${'a'.repeat(length - 14)} HTTP/1.1\r\nHost: x\r\n\r\n`
    expect(verdict(request(line(30), { limits }))).toBe('ok')
    expect(verdict(request(line(31), { limits }))).toBe('414 request-line-too-long')
    expect(verdict(request(`GET /${'a'.repeat(200)}`, { limits }))).toBe('414 request-line-too-long')
  })

  it('a line of 8,000 bytes passes by default (RFC 9112 §3)', () => {
    expect(verdict(readAll('server', [b(`GET /${'a'.repeat(8000)} HTTP/1.1\r\nHost: x\r\n\r\n`)]))).toBe('ok')
  })

  it('a method without end is 501 (RFC 9112 §3)', () => {
    expect(verdict(request('A'.repeat(100), { limits: { startLineBytes: 30 } }))).toBe('501 method-too-long')
  })

  it('header bytes and lines beyond their limits are 431 (RFC 9110 §5.4, RFC 6585 §5)', () => {
    const head = 'GET / HTTP/1.1\r\nHost: x\r\n'
    expect(verdict(request(`${head}A: ${'a'.repeat(100)}\r\n\r\n`, { limits: { headerBytes: 60 } }))).toBe(
      '431 headers-too-large',
    )
    expect(verdict(request(`${head}${'A: b\r\n'.repeat(20)}\r\n`, { limits: { headerBytes: 60 } }))).toBe(
      '431 headers-too-large',
    )
    expect(verdict(request(`${head}A: b\r\nC: d\r\n\r\n`, { limits: { headerCount: 3 } }))).toBe('ok')
    expect(verdict(request(`${head}A: b\r\nC: d\r\nE: f\r\n\r\n`, { limits: { headerCount: 3 } }))).toBe(
      '431 too-many-headers',
    )
  })
})

describe('responses', () => {
  it('a status line with and without a phrase (RFC 9112 §4)', () => {
    expect(response('HTTP/1.1 404 Not  Found \xe4\r\nContent-Length: 0\r\n\r\n')[0]).toMatchObject({
      status: 404,
      reason: 'Not  Found \xe4',
    })
    expect(response('HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n')[0]).toMatchObject({ status: 200, reason: '' })
    expect(response('HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n')[0]).toMatchObject({ version: '1.0', reason: '' })
  })

  it('informational responses come before the final one (RFC 9110 §15.2)', () => {
    const events = response(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
    )
    expect(events.slice(0, 3)).toMatchObject([{ status: 100 }, { status: 103 }, { status: 200 }])
    expect(events.slice(3)).toEqual([{ data: 'x' }, { end: [] }, { left: 0, theirs: 'done' }])
  })

  it('a body without a length lasts until the connection ends (RFC 9112 §6.3 rule 8)', () => {
    expect(response('HTTP/1.1 200 OK\r\n\r\nabc', { end: true }).slice(1)).toEqual([
      { data: 'abc' },
      { end: [] },
      'closed',
      { left: 0, theirs: 'closed' },
    ])
    expect(response('HTTP/1.1 200 OK\r\n\r\nabc').at(-1)).toEqual({ left: 0, theirs: 'send-body' })
  })

  it('an answer to HEAD, 204 and 304 have no body (RFC 9112 §6.3 rule 1)', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n'
    expect(response(text, { method: 'HEAD' }).slice(1)).toEqual([{ end: [] }, { left: 0, theirs: 'done' }])
    expect(response(text.replace('200', '304')).slice(1)).toEqual([{ end: [] }, { left: 0, theirs: 'done' }])
    expect(response(text.replace('200', '204')).slice(1)).toEqual([{ end: [] }, { left: 0, theirs: 'done' }])
  })

  it('a truncated body is an error, not a short answer (RFC 9112 §8)', () => {
    const events = response('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc', { end: true })
    expect(events[1]).toEqual({ data: 'abc' })
    expect(errorOf(events)).toMatchObject({ error: 'truncated', side: 'remote' })
  })

  it('101 ends HTTP when it was asked for, and is an error when not (RFC 9110 §7.8)', () => {
    const text = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x81\x05'
    const asked = readAll('client', [b(text)], { requestHeaders: 'Host: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n' })
    expect(asked).toMatchObject([{ status: 101 }, { left: 2, theirs: 'switched' }])
    expect(errorOf(response(text))).toMatchObject({ error: 'unexpected-switch' })
  })

  it('200 to CONNECT ends HTTP (RFC 9110 §9.3.6)', () => {
    const events = readAll('client', [b('HTTP/1.1 200 OK\r\n\r\nxyz')], { method: 'CONNECT', target: 'h:443' })
    expect(events).toMatchObject([{ status: 200 }, { left: 3, theirs: 'switched' }])
  })

  for (const [name, text] of [
    ['another protocol', 'SSH-2.0-x\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a control character in the phrase', 'HTTP/1.1 200 O\0K\r\n\r\n'],
    ['a version of another kind', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['an empty line in front', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['ICY', 'ICY 200 OK\r\n\r\n'],
  ] as const) {
    it(`${name} is no response (RFC 9112 §4)`, () => expect(errorOf(response(text))?.side).toBe('remote'))
  }
})

describe('any bytes', () => {
  it('never make the reader throw anything but a ProtocolError, and never differ by their cut', () => {
    const alphabet = fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'Host: a\r\n',
      '\r\n',
      '\n',
      '\r',
      ' ',
      ':',
      'A: b\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Content-Length: 3\r\n',
      '3\r\nabc\r\n',
      '0\r\n\r\n',
      'HTTP/1.1 200 OK\r\n',
      '\0',
      '\xff',
      ';',
      'x',
    )
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 12 }), fc.boolean(), fc.boolean(), (parts, server, end) => {
        readEveryWay(server ? 'server' : 'client', parts.join(''), {
          end,
          limits: { startLineBytes: 40, headerBytes: 80 },
        })
      }),
      { numRuns: 300 },
    )
  })
})
