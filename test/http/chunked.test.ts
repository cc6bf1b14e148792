// The chunked coding.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeChunk, encodeLastChunk } from '../../src/http/chunked.ts'
import { HeaderList } from '../../src/http/headers.ts'
import { b, errorOf, readAll, readEveryWay, s } from './helpers.ts'

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const body = (text: string, limits = {}): unknown[] => readEveryWay('server', HEAD + text, { limits }).slice(1)
const failure = (text: string, limits = {}): string | undefined => errorOf(body(text, limits))?.error

describe('decoding', () => {
  it('chunks in any cut, any case of digits and with leading zeros give one body (RFC 9112 §7.1)', () => {
    expect(body('4\r\nWiki\r\n00a\r\npedia in \n\r\nB\r\nchunks.1234\r\n0\r\n\r\n')).toEqual([
      { data: 'Wikipedia in \nchunks.1234' },
      { end: [] },
      { left: 0, theirs: 'done' },
    ])
  })

  it('extensions are skipped, quoted or not (RFC 9112 §7.1.1)', () => {
    expect(body('3;a\r\nabc\r\n3 ; b = "x;y\\"z" ;c\r\ndef\r\n0;last\r\n\r\n')).toEqual([
      { data: 'abcdef' },
      { end: [] },
      { left: 0, theirs: 'done' },
    ])
  })

  it('trailers come with the end (RFC 9112 §7.1.2)', () => {
    expect(body('1\r\nx\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n')).toContainEqual({
      end: [
        ['X-Sum', '1'],
        ['Y', '2'],
      ],
    })
  })

  it('what follows the last chunk is left for the next message', () => {
    expect(readAll('server', [b(`${HEAD}0\r\n\r\nGET`)]).at(-1)).toEqual({ left: 3, theirs: 'done' })
  })

  const bad: [string, string][] = [
    ['no size', '\r\nabc'],
    ['a size that is no number', 'xyz\r\n'],
    ['a negative size', '-1\r\n'],
    ['a size with 0x', '0x5\r\nabcde\r\n'],
    ['a size with a blank before it', ' 5\r\nabcde\r\n'],
    ['a size with a blank behind it', '5 \r\nabcde\r\n'],
    ['a size beyond all numbers', 'fffffffffffffffff\r\n'],
    ['a size with an underscore', '1_0\r\n'],
    ['data longer than its size', '3\r\nabcd\r\n'],
    ['data without CR', '3\r\nabc\n0\r\n\r\n'],
    ['data followed by CR CR', '3\r\nabc\r\r\n'],
    ['a control character in an extension', '3;a\0\r\nabc\r\n'],
    ['a bare CR in an extension', '3;a\rb\r\nabc\r\n'],
  ]
  for (const [name, text] of bad) it(`${name} is 400 (RFC 9112 §7.1)`, () => expect(failure(text)).toBe('bad-chunk'))

  it('a chunk header that ends in a bare LF is 400 (RFC 9112 §2.2)', () => {
    expect(failure('3\nabc\r\n')).toBe('line-ending')
    expect(failure('3;x\nabc\r\n0\r\n\r\n')).toBe('line-ending')
  })

  it('extensions are limited for one chunk and for all together (RFC 9112 §7.1.1)', () => {
    expect(failure(`1;${'x'.repeat(40)}\r\n`, { chunkExtensionBytes: 20 })).toBe('chunk-extension-too-long')
    expect(failure(`1;${'x'.repeat(400)}`, { chunkExtensionBytes: 20 })).toBe('chunk-extension-too-long')
    expect(failure('1;aaaaaaa\r\nx\r\n'.repeat(3), { chunkExtensionBytes: 20 })).toBe('chunk-extension-too-long')
    expect(failure('1;aaaaaaa\r\nx\r\n'.repeat(2), { chunkExtensionBytes: 20 })).toBeUndefined()
  })

  it('trailers are limited in bytes and number: 431 (RFC 9112 §7.1.2)', () => {
    expect(failure(`0\r\nA: ${'x'.repeat(100)}\r\n\r\n`, { trailerBytes: 50 })).toBe('headers-too-large')
    expect(failure('0\r\nA: 1\r\nB: 2\r\n\r\n', { trailerCount: 1 })).toBe('too-many-headers')
    expect(failure('0\r\n folded: 1\r\n\r\n')).toBe('obs-fold')
  })

  it('an end before the last chunk is a truncated message (RFC 9112 §8)', () => {
    for (const text of ['', '5', '5\r\nab', '5\r\nabcde', '5\r\nabcde\r\n', '0\r\n', '0\r\nA: b\r\n']) {
      expect(errorOf(readEveryWay('server', HEAD + text, { end: true }))).toMatchObject({ error: 'truncated' })
    }
  })
})

describe('encoding', () => {
  it('no data makes no chunk, because size 0 would end the body (RFC 9112 §7.1)', () => {
    expect(encodeChunk(b('')).length).toBe(0)
    expect(s(encodeChunk(b('hello world!!!!!')))).toBe('10\r\nhello world!!!!!\r\n')
    expect(s(encodeLastChunk(new HeaderList({ 'X-A': '1' })))).toBe('0\r\nX-A: 1\r\n\r\n')
  })

  it('fields that decide about framing or routing are no trailers (RFC 9110 §6.5.1)', () => {
    for (const name of ['Content-Length', 'transfer-encoding', 'Host', 'Set-Cookie']) {
      expect(() => encodeLastChunk(new HeaderList({ [name]: '1' }))).toThrow(TypeError)
    }
  })

  it('any body in any chunks round-trips however it is cut (RFC 9112 §7.1)', () => {
    const cut = (bytes: Uint8Array, sizes: number[]): Uint8Array[] => {
      const pieces: Uint8Array[] = []
      let at = 0
      for (let i = 0; at < bytes.length; i++) {
        const size = sizes.length === 0 ? bytes.length : sizes[i % sizes.length]
        pieces.push(bytes.subarray(at, at + size))
        at += size
      }
      return pieces
    }
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 60 })),
        fc.array(fc.integer({ min: 1, max: 50 })),
        (chunks, sizes) => {
          const wire = Buffer.concat([b(HEAD), ...chunks.map(encodeChunk), encodeLastChunk()])
          const whole = s(Buffer.concat(chunks))
          const events = readAll('server', cut(wire, sizes)).slice(1)
          expect(events).toEqual([...(whole === '' ? [] : [{ data: whole }]), { end: [] }, { left: 0, theirs: 'done' }])
        },
      ),
    )
  })
})
