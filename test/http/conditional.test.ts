// RFC 9110 §13: which precondition counts, in which order, and what follows.
import { describe, expect, it } from 'vitest'
import { checkPreconditions, parseEntityTags, sameStrongly, sameWeakly } from '../../src/http/conditional.ts'
import { HeaderList } from '../../src/http/headers.ts'

const MODIFIED = Date.UTC(1994, 10, 6, 8, 49, 37)
const SAME = 'Sun, 06 Nov 1994 08:49:37 GMT'
const BEFORE = 'Sun, 06 Nov 1994 08:49:36 GMT'
const AFTER = 'Sun, 06 Nov 1994 08:49:38 GMT'

describe('preconditions', () => {
  const rows: [string, string, Record<string, string>, 'strong' | 'weak' | 'none', 200 | 304 | 412][] = [
    ['without any, the method goes on', 'GET', {}, 'strong', 200],
    ['If-Match with the tag goes on (§13.1.1)', 'PUT', { 'If-Match': '"a", "v"' }, 'strong', 200],
    ['If-Match without the tag is 412 (§13.1.1)', 'PUT', { 'If-Match': '"a"' }, 'strong', 412],
    ['If-Match * needs something to be there (§13.1.1)', 'PUT', { 'If-Match': '*' }, 'none', 412],
    ['If-Match * is content with anything there (§13.1.1)', 'DELETE', { 'If-Match': '*' }, 'weak', 200],
    ['If-Match compares strongly (§13.1.1)', 'PUT', { 'If-Match': 'W/"v"' }, 'weak', 412],
    ['If-Match W/ never matches (§8.8.3.2)', 'GET', { 'If-Match': 'W/"v"' }, 'strong', 412],
    ['If-Unmodified-Since of then goes on (§13.1.4)', 'PUT', { 'If-Unmodified-Since': SAME }, 'strong', 200],
    ['If-Unmodified-Since of before is 412 (§13.1.4)', 'GET', { 'If-Unmodified-Since': BEFORE }, 'strong', 412],
    [
      'If-Match puts If-Unmodified-Since out (§13.2.2)',
      'PUT',
      { 'If-Match': '"v"', 'If-Unmodified-Since': BEFORE },
      'strong',
      200,
    ],
    ['a date that is none counts for nothing (§13.1.4)', 'PUT', { 'If-Unmodified-Since': 'then' }, 'strong', 200],
    ['If-None-Match with the tag is 304 to GET (§13.1.2)', 'GET', { 'If-None-Match': '"v"' }, 'strong', 304],
    ['... and 412 to what is not GET or HEAD (§13.1.2)', 'PUT', { 'If-None-Match': '"v"' }, 'strong', 412],
    ['If-None-Match compares weakly (§13.1.2)', 'HEAD', { 'If-None-Match': 'W/"v"' }, 'strong', 304],
    ['If-None-Match * creates and never overwrites (§13.1.2)', 'PUT', { 'If-None-Match': '*' }, 'strong', 412],
    ['... where there is nothing (§13.1.2)', 'PUT', { 'If-None-Match': '*' }, 'none', 200],
    ['If-Modified-Since of then is 304 (§13.1.3)', 'GET', { 'If-Modified-Since': SAME }, 'strong', 304],
    ['If-Modified-Since of later is 304 (§13.1.3)', 'GET', { 'If-Modified-Since': AFTER }, 'strong', 304],
    ['If-Modified-Since of before goes on (§13.1.3)', 'GET', { 'If-Modified-Since': BEFORE }, 'strong', 200],
    ['If-Modified-Since means nothing to POST (§13.1.3)', 'POST', { 'If-Modified-Since': SAME }, 'strong', 200],
    [
      'If-None-Match puts If-Modified-Since out (§13.1.3)',
      'GET',
      { 'If-None-Match': '"a"', 'If-Modified-Since': SAME },
      'strong',
      200,
    ],
    [
      'If-Match fails before If-None-Match is looked at (§13.2.2)',
      'GET',
      { 'If-Match': '"a"', 'If-None-Match': '"v"' },
      'strong',
      412,
    ],
    [
      'If-Match holds, then If-None-Match decides (§13.2.2)',
      'GET',
      { 'If-Match': '"v"', 'If-None-Match': '"v"' },
      'strong',
      304,
    ],
    ['a tag list that is none matches nothing', 'GET', { 'If-None-Match': '"v' }, 'strong', 200],
  ]
  for (const [name, method, headers, kind, expected] of rows) {
    it(`${name} (RFC 9110)`, () => {
      const etag = kind === 'strong' ? '"v"' : 'W/"v"'
      const current = kind === 'none' ? null : { etag, modifiedMs: MODIFIED + 500 }
      expect(checkPreconditions(method, new HeaderList(headers), current)).toBe(expected)
    })
  }
})

describe('entity tags', () => {
  it('may hold commas and backslashes (RFC 9110 §8.8.3)', () => {
    expect(parseEntityTags('"a,b" , W/"c\\",,""')).toEqual(['"a,b"', 'W/"c\\"', '""'])
    for (const bad of ['a', '"a" "b"', 'w/"a"', '"a', '"a b"']) expect(parseEntityTags(bad)).toEqual([])
  })

  it('are equal strongly or weakly (RFC 9110 §8.8.3.2)', () => {
    const pairs = [
      ['W/"1"', 'W/"1"'],
      ['W/"1"', 'W/"2"'],
      ['W/"1"', '"1"'],
      ['"1"', '"1"'],
    ] as const
    expect(pairs.map(([a, b]) => sameStrongly(a, b))).toEqual([false, false, false, true])
    expect(pairs.map(([a, b]) => sameWeakly(a, b))).toEqual([true, false, true, true])
  })
})
