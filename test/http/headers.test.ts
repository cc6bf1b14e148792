// The ordered header list.
import { describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/http/headers.ts'

describe('HeaderList', () => {
  it('names compare without case and are kept as written, in order (RFC 9110 §5.1, §5.3)', () => {
    const list = new HeaderList([
      ['X-A', '1'],
      ['b', '2'],
      ['x-a', '3'],
    ])
    expect(list.get('X-a')).toBe('1, 3')
    expect(list.getAll('x-A')).toEqual(['1', '3'])
    expect(list.has('B')).toBe(true)
    expect(list.get('c')).toBeNull()
    expect([...list]).toEqual([
      ['X-A', '1'],
      ['b', '2'],
      ['x-a', '3'],
    ])
    expect(list.delete('X-A')).toBe(true)
    expect(list.delete('X-A')).toBe(false)
    expect(list.size).toBe(1)
  })

  it('set replaces all lines of a name at the place of the first', () => {
    const list = new HeaderList({ a: '1', b: '2' }).append('A', '3').set('A', '4')
    expect(list.toJSON()).toEqual([
      ['A', '4'],
      ['b', '2'],
    ])
    expect(list.setDefault('a', 'x').setDefault('c', 5).get('c')).toBe('5')
    expect(list.setAll({ b: ['x', 'y'], c: undefined }).getAll('b')).toEqual(['x', 'y'])
  })

  it('a record may hold numbers, arrays for several lines, and undefined for none', () => {
    const list = new HeaderList({ 'Content-Length': 5, 'Set-Cookie': ['a=1', 'b=2'], x: undefined })
    expect(list.toJSON()).toEqual([
      ['Content-Length', '5'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ])
  })

  it('nothing that could break out of its line gets in (RFC 9112 §11.1)', () => {
    const list = new HeaderList()
    for (const name of ['', 'a b', 'a:', 'a\r\n', '\xe9', 'a\0'])
      expect(() => list.append(name, 'v')).toThrow(TypeError)
    for (const value of ['a\r\nX: y', 'a\nb', 'a\rb', 'a\0', 'snow \u2603']) {
      expect(() => list.append('X', value)).toThrow(TypeError)
      expect(() => list.set('X', value)).toThrow(TypeError)
    }
    expect(list.size).toBe(0)
    expect(list.append('X', ' \ta ').get('x')).toBe('a')
  })

  it('tokens are the elements of all lines in lower case, and a clone is independent', () => {
    const list = new HeaderList({ Connection: ['Keep-Alive, X-A', 'close'] })
    expect(list.tokens('connection')).toEqual(['keep-alive', 'x-a', 'close'])
    const copy = list.clone()
    copy.delete('connection')
    expect(list.size).toBe(2)
  })
})
