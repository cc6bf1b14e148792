// Tokens, lists, targets, hosts and dates.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeLatin1,
  encodeLatin1,
  formatHttpDate,
  isFieldValue,
  isHost,
  isToken,
  parseHttpDate,
  parseRequestTarget,
  splitList,
  trimOws,
} from '../../src/http/grammar.ts'

describe('tokens and values', () => {
  it('a token is one or more of the token characters (RFC 9110 §5.6.2)', () => {
    for (const good of ['GET', 'x-y', "!#$%&'*+-.^_`|~09az"]) expect(isToken(good)).toBe(true)
    for (const bad of ['', 'a b', 'a:b', 'é', 'a\t', 'a/b', '"a"', 'a\n']) expect(isToken(bad)).toBe(false)
  })

  it('a field value holds no control characters but HTAB, and nothing beyond Latin-1 (RFC 9110 §5.5)', () => {
    for (const good of ['', 'a b', 'a\tb', 'caf\xe9']) expect(isFieldValue(good)).toBe(true)
    for (const bad of ['a\r\nb', 'a\n', 'a\0', '\x7f', '\u0100', 'a\x1b']) expect(isFieldValue(bad)).toBe(false)
  })

  it('only SP and HTAB are optional whitespace (RFC 9110 §5.6.3)', () => {
    expect(trimOws(' \t a b\t ')).toBe('a b')
    expect(trimOws('\xa0a\x0b')).toBe('\xa0a\x0b')
  })

  it('a list has no empty elements, and commas in quoted strings do not separate (RFC 9110 §5.6.1)', () => {
    expect(splitList('a, b ,,c,')).toEqual(['a', 'b', 'c'])
    expect(splitList('a="x,y", b')).toEqual(['a="x,y"', 'b'])
    expect(splitList('a="x\\",y", b')).toEqual(['a="x\\",y"', 'b'])
    expect(splitList('"open, b')).toEqual(['"open, b'])
    expect(splitList('')).toEqual([])
  })

  it('Latin-1 text round-trips at any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10_000 }), (bytes) => {
        expect(encodeLatin1(decodeLatin1(bytes, 0, bytes.length))).toEqual(bytes)
      }),
      { numRuns: 30 },
    )
  })
})

describe('hosts and targets', () => {
  it('Host is a name or an address with an optional port, and may be empty (RFC 9110 §7.2)', () => {
    for (const good of ['', 'a', 'a.b:80', 'a:', '[::1]', '[::1]:8080', '10.0.0.1', 'a%20b'])
      expect(isHost(good)).toBe(true)
    for (const bad of ['a b', 'a/b', 'u@h', 'a:b', '[::1', 'a:80:80', 'a%2', '::1', 'a,b:1:2'])
      expect(isHost(bad)).toBe(false)
  })

  it('the origin form is a path and a query (RFC 9112 §3.2.1)', () => {
    expect(parseRequestTarget('GET', '/a%20b?x=1?y')).toEqual({
      form: 'origin',
      scheme: '',
      authority: '',
      path: '/a%20b',
      query: 'x=1?y',
    })
    expect(parseRequestTarget('GET', '//a//b')?.path).toBe('//a//b')
  })

  it('the absolute form carries its authority, and never user information (RFC 9112 §3.2.2, RFC 9110 §4.2.4)', () => {
    expect(parseRequestTarget('GET', 'HTTP://h:8080?q')).toEqual({
      form: 'absolute',
      scheme: 'http',
      authority: 'h:8080',
      path: '/',
      query: 'q',
    })
    expect(parseRequestTarget('OPTIONS', 'http://h')?.path).toBe('*')
    expect(parseRequestTarget('GET', 'http://u:p@h/')).toBeNull()
    expect(parseRequestTarget('GET', 'http:///x')).toBeNull()
  })

  it('the authority form is for CONNECT only, and needs a port (RFC 9112 §3.2.3)', () => {
    expect(parseRequestTarget('CONNECT', 'h:443')?.authority).toBe('h:443')
    for (const bad of ['h', '/', 'http://h/', ':443', 'h:']) expect(parseRequestTarget('CONNECT', bad)).toBeNull()
    expect(parseRequestTarget('GET', 'h:443')).toBeNull()
  })

  it('the asterisk form is for OPTIONS only (RFC 9112 §3.2.4)', () => {
    expect(parseRequestTarget('OPTIONS', '*')?.form).toBe('asterisk')
    expect(parseRequestTarget('GET', '*')).toBeNull()
  })

  it('a fragment, a space or a control character is no part of a target (RFC 9112 §3.2)', () => {
    for (const bad of ['/a#b', '/a b', '/\x7f', '/\xe9', '', 'a']) expect(parseRequestTarget('GET', bad)).toBeNull()
  })
})

describe('dates', () => {
  const ms = Date.UTC(1994, 10, 6, 8, 49, 37)

  it('the three formats name the same instant (RFC 9110 §5.6.7)', () => {
    expect(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(ms)
    expect(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT')).toBe(ms)
    expect(parseHttpDate('Sun Nov  6 08:49:37 1994')).toBe(ms)
    expect(formatHttpDate(ms)).toBe('Sun, 06 Nov 1994 08:49:37 GMT')
  })

  it('a two-digit year more than 50 years ahead is past (RFC 9110 §5.6.7)', () => {
    const now = Date.UTC(2025, 0, 1)
    expect(new Date(parseHttpDate('Sunday, 06-Nov-74 08:49:37 GMT', now)).getUTCFullYear()).toBe(2074)
    expect(new Date(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT', now)).getUTCFullYear()).toBe(1994)
  })

  it('anything else is not a date', () => {
    for (const bad of [
      '',
      'now',
      'Sun, 6 Nov 1994 08:49:37 GMT',
      'Sun, 06 nov 1994 08:49:37 GMT',
      'Sun, 06 Nov 1994 08:49:37 UTC',
      'Sun, 31 Feb 1994 08:49:37 GMT',
      'Sun, 06 Nov 1994 24:49:37 GMT',
      '0',
    ]) {
      expect(parseHttpDate(bad)).toBeNaN()
    }
  })

  it('every second between 1970 and 9999 round-trips', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (second) => {
        expect(parseHttpDate(formatHttpDate(second * 1000))).toBe(second * 1000)
      }),
    )
  })
})
