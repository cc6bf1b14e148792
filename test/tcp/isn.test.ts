// Initial sequence numbers (RFC 9293 §3.4.1, RFC 6528 §3).

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { sipKey } from '../../src/base/siphash.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { Stack } from '../../src/stack/stack.ts'
import { hashFourTuple, initialSequenceNumber } from '../../src/tcp/isn.ts'

const a = IpAddress.parse('10.0.0.2')
const b = IpAddress.parse('10.0.0.1')
const key = sipKey(new SeededRandom(1))

test('the number goes up by one every 4 microseconds (RFC 9293 §3.4.1 [MUST-8])', () => {
  for (const now of [0, 1_000_000, 2 ** 40, 4 * (2 ** 32 - 1)]) {
    const isn = initialSequenceNumber(12345, now)
    expect(initialSequenceNumber(12345, now + 3)).toBe(isn)
    expect((initialSequenceNumber(12345, now + 4) - isn) | 0).toBe(1)
    expect((initialSequenceNumber(12345, now + 1_000_000) - isn) | 0).toBe(250_000)
  }
  expect(initialSequenceNumber(0, 4 * 2 ** 32)).toBe(0) // the clock goes round in 4.77 hours
})

test('it depends on each of the four values and on the key (RFC 6528 §3 [MUST-9] [SHLD-1])', () => {
  const base = hashFourTuple(key, a, 1, b, 2)
  expect(hashFourTuple(key, a, 1, b, 2)).toBe(base)
  const others = [
    hashFourTuple(sipKey(new SeededRandom(2)), a, 1, b, 2),
    hashFourTuple(key, b, 1, b, 2),
    hashFourTuple(key, a, 2, b, 2),
    hashFourTuple(key, a, 1, a, 2),
    hashFourTuple(key, a, 1, b, 3),
    hashFourTuple(key, b, 2, a, 1),
    hashFourTuple(key, IpAddress.parse('fd00::2'), 1, IpAddress.parse('fd00::1'), 2),
  ]
  expect(new Set([base, ...others]).size).toBe(8)
})

test('a connection gets the number of its time and its four values (RFC 6528 §3)', () => {
  const stack = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(5) })
  const iss = (remotePort: number, now: number): number =>
    stack.connect({ remote: b, remotePort, localPort: 9 }, now).tcb.snd.iss
  const first = iss(1, 1000)
  const second = iss(2, 1000)
  expect(first).not.toBe(second)
  const again = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(5) })
  expect((again.connect({ remote: b, remotePort: 1, localPort: 9 }, 5000).tcb.snd.iss - first) | 0).toBe(1000)
})
