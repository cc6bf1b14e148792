import { expect, test } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { DropCounters } from '../../src/ip/drops.ts'
import { TokenBucket } from '../../src/ip/token-bucket.ts'

test('a bucket grants its burst at once and its rate in the long run (RFC 4443 §2.4(f))', () => {
  const bucket = new TokenBucket(10, 3)
  const granted = (now: number): number => {
    let n = 0
    while (bucket.take(now)) n++
    return n
  }
  expect(granted(5 * SECOND)).toBe(3)
  expect(granted(5.05 * SECOND)).toBe(0)
  expect(granted(5.1 * SECOND)).toBe(1)
  expect(granted(5 * SECOND)).toBe(0) // time never goes backwards
  expect(granted(900 * SECOND)).toBe(3)
})

test('a bucket without burst grants nothing, and nonsense is refused', () => {
  expect(new TokenBucket(10, 0).take(9 * SECOND)).toBe(false)
  for (const [rate, burst] of [
    [-1, 1],
    [1, -1],
    [Number.NaN, 1],
    [Infinity, 1],
    [1, Infinity],
  ]) {
    expect(() => new TokenBucket(rate, burst)).toThrow(RangeError)
  }
})

test('drops are counted by reason', () => {
  const drops = new DropCounters()
  drops.count('ip-too-short')
  drops.count('tcp-bad-checksum')
  drops.count('tcp-bad-checksum')
  expect([drops.get('tcp-bad-checksum'), drops.get('ip-fragment'), drops.total]).toEqual([2, 0, 3])
  expect(JSON.stringify(drops)).toBe('{"ip-too-short":1,"tcp-bad-checksum":2}')
})
