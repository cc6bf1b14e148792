// RFC 9112 §6.3 as a table.
import { describe, expect, it } from 'vitest'
import type { HttpVersion } from '../../src/http/events.ts'
import { type BodyFraming, bodyFraming, messagePersists } from '../../src/http/framing.ts'
import { HeaderList } from '../../src/http/headers.ts'

type Lines = [string, string][]
const TE = 'Transfer-Encoding'
const CL = 'Content-Length'

function requestFraming(lines: Lines, version: HttpVersion = '1.1'): BodyFraming | string {
  return attempt(() =>
    bodyFraming(
      { type: 'request', method: 'POST', target: '/', version, headers: new HeaderList(lines) },
      null,
      'remote',
    ),
  )
}

function responseFraming(
  status: number,
  method: string,
  lines: Lines,
  version: HttpVersion = '1.1',
): BodyFraming | string {
  const type = status < 200 ? 'informational' : 'response'
  return attempt(() =>
    bodyFraming({ type, status, reason: '', version, headers: new HeaderList(lines) }, method, 'remote'),
  )
}

function attempt(run: () => BodyFraming): BodyFraming | string {
  try {
    return run()
  } catch (error) {
    const { status, reason } = error as { status: number; reason: string }
    return `${status} ${reason}`
  }
}

describe('requests', () => {
  const table: [string, Lines, BodyFraming | string][] = [
    ['without either field has no body (§6.3 rule 7)', [], 'none'],
    ['with a length has so many bytes (§6.3 rule 6)', [[CL, '12']], { length: 12 }],
    ['with leading zeros has so many bytes', [[CL, '0012']], { length: 12 }],
    ['with length 0 is empty', [[CL, '0']], { length: 0 }],
    ['with a sign in the length is 400 (§6.3 rule 5)', [[CL, '+5']], '400 bad-content-length'],
    ['with a negative length is 400 (§6.3 rule 5)', [[CL, '-5']], '400 bad-content-length'],
    ['with a hexadecimal length is 400 (§6.3 rule 5)', [[CL, '0x5']], '400 bad-content-length'],
    ['with a fractional length is 400 (§6.3 rule 5)', [[CL, '5.0']], '400 bad-content-length'],
    ['with an exponent is 400 (§6.3 rule 5)', [[CL, '1e3']], '400 bad-content-length'],
    ['with a blank in the length is 400 (§6.3 rule 5)', [[CL, '5 5']], '400 bad-content-length'],
    ['with an empty length is 400 (§6.3 rule 5)', [[CL, '']], '400 bad-content-length'],
    ['with a length beyond all numbers is 413', [[CL, '9'.repeat(30)]], '413 bad-content-length'],
    [
      'with two lengths that differ is 400 (§6.3 rule 5)',
      [
        [CL, '5'],
        [CL, '6'],
      ],
      '400 duplicate-content-length',
    ],
    [
      'with two equal lengths is 400, though §6.3 would allow it',
      [
        [CL, '5'],
        [CL, '5'],
      ],
      '400 duplicate-content-length',
    ],
    ['with a list of lengths is 400 (§6.3 rule 5)', [[CL, '5, 5']], '400 duplicate-content-length'],
    ['with chunked coding is chunked (§6.3 rule 4)', [[TE, 'chunked']], 'chunked'],
    ['with chunked in capitals is chunked', [[TE, 'CHUNKED']], 'chunked'],
    [
      'with both fields is 400 (§6.3 rule 3)',
      [
        [TE, 'chunked'],
        [CL, '5'],
      ],
      '400 length-and-encoding',
    ],
    [
      'with both fields, length first, is 400 (§6.3 rule 3)',
      [
        [CL, '5'],
        [TE, 'chunked'],
      ],
      '400 length-and-encoding',
    ],
    ['with an unknown last coding is 400 (§6.3 rule 4)', [[TE, 'gzip']], '400 bad-transfer-encoding'],
    ['with identity is 400', [[TE, 'identity']], '400 bad-transfer-encoding'],
    ['with chunked first is 400 (§6.3 rule 4)', [[TE, 'chunked, gzip']], '400 bad-transfer-encoding'],
    [
      'with chunked twice is 400 (§6.1)',
      [
        [TE, 'chunked'],
        [TE, 'chunked'],
      ],
      '400 bad-transfer-encoding',
    ],
    ['with a disguised chunked is 400', [[TE, 'xchunked']], '400 bad-transfer-encoding'],
    ['with a parameter on chunked is 400', [[TE, 'chunked;q=1']], '400 bad-transfer-encoding'],
    [
      'with a vertical tab around chunked never comes this far, with a quoted one is 400',
      [[TE, '"chunked"']],
      '400 bad-transfer-encoding',
    ],
    ['with an empty coding is 400', [[TE, '']], '400 bad-transfer-encoding'],
    [
      'with a coding we do not know under chunked is 501 (§6.1)',
      [[TE, 'gzip, chunked']],
      '501 unsupported-transfer-coding',
    ],
  ]
  for (const [name, lines, expected] of table) {
    it(`a request ${name} (RFC 9112)`, () => expect(requestFraming(lines)).toEqual(expected))
  }

  it('an HTTP/1.0 request with a transfer coding is 400 (RFC 9112 §6.1)', () => {
    expect(requestFraming([[TE, 'chunked']], '1.0')).toBe('400 bad-transfer-encoding')
  })
})

describe('responses', () => {
  const table: [string, number, string, Lines, BodyFraming | string][] = [
    ['to HEAD has no body whatever its fields say (§6.3 rule 1)', 200, 'HEAD', [[CL, '5']], 'none'],
    [
      'to HEAD may even name both',
      200,
      'HEAD',
      [
        [CL, '5'],
        [TE, 'chunked'],
      ],
      'none',
    ],
    ['100 has no body (§6.3 rule 1)', 100, 'GET', [[CL, '5']], 'none'],
    ['204 has no body (§6.3 rule 1)', 204, 'GET', [[CL, '5']], 'none'],
    ['304 has no body (§6.3 rule 1)', 304, 'GET', [[CL, '5']], 'none'],
    ['2xx to CONNECT begins a tunnel (§6.3 rule 2)', 200, 'CONNECT', [[CL, '5']], 'none'],
    ['4xx to CONNECT has a body', 404, 'CONNECT', [[CL, '5']], { length: 5 }],
    [
      'with both is an error (§6.3 rule 3)',
      200,
      'GET',
      [
        [CL, '5'],
        [TE, 'chunked'],
      ],
      '400 length-and-encoding',
    ],
    ['with chunked is chunked (§6.3 rule 4)', 200, 'GET', [[TE, 'chunked']], 'chunked'],
    [
      'with a coding that we do not know is an error',
      200,
      'GET',
      [[TE, 'gzip, chunked']],
      '501 unsupported-transfer-coding',
    ],
    [
      'with two lengths is an error (§6.3 rule 5)',
      200,
      'GET',
      [
        [CL, '5'],
        [CL, '6'],
      ],
      '400 duplicate-content-length',
    ],
    ['with a length has so many bytes (§6.3 rule 6)', 200, 'GET', [[CL, '5']], { length: 5 }],
    ['with neither ends with the connection (§6.3 rule 8)', 200, 'GET', [], 'until-close'],
  ]
  for (const [name, status, method, lines, expected] of table) {
    it(`a response ${name} (RFC 9112)`, () => expect(responseFraming(status, method, lines)).toEqual(expected))
  }
})

describe('persistence', () => {
  it('1.1 persists unless told to close; 1.0 closes unless told to keep (RFC 9112 §9.3)', () => {
    const of = (value: string | null, version: HttpVersion, peer: HttpVersion): boolean =>
      messagePersists(new HeaderList(value === null ? [] : [['Connection', value]]), version, peer)
    expect(of(null, '1.1', '1.1')).toBe(true)
    expect(of('close', '1.1', '1.1')).toBe(false)
    expect(of('X, Close', '1.1', '1.1')).toBe(false)
    expect(of('keep-alive, close', '1.1', '1.1')).toBe(false)
    expect(of(null, '1.0', '1.0')).toBe(false)
    expect(of('Keep-Alive', '1.0', '1.0')).toBe(true)
    expect(of(null, '1.1', '1.0')).toBe(false)
    expect(of('keep-alive', '1.1', '1.0')).toBe(true)
  })
})
