// The cookies of Fast Open (RFC 7413 §4.1, §5.1).

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { COOKIE_BYTES, CookieJar, CookieMaker } from '../../src/tcp/fast-open-cookies.ts'

const address = (text: string): IpAddress => IpAddress.parse(text)
const SERVER = address('10.0.0.2')

test('a cookie is of one client and one server, and nobody else can make it (RFC 7413 §4.1.2)', () => {
  const maker = new CookieMaker(new SeededRandom(1))
  const cookie = maker.make(address('10.0.0.1'), SERVER)
  expect(cookie.length).toBe(COOKIE_BYTES)
  expect(maker.check(address('10.0.0.1'), SERVER, cookie, 0, cookie.length)).toBe('fresh')
  expect(maker.check(address('10.0.0.3'), SERVER, cookie, 0, cookie.length)).toBe('none')
  expect(maker.check(address('10.0.0.1'), address('10.0.0.4'), cookie, 0, cookie.length)).toBe('none')
  expect(new CookieMaker(new SeededRandom(2)).check(address('10.0.0.1'), SERVER, cookie, 0, 8)).toBe('none')
  for (let bit = 0; bit < 64; bit++) {
    const forged = cookie.slice()
    forged[bit >> 3] ^= 1 << (bit & 7)
    expect(maker.check(address('10.0.0.1'), SERVER, forged, 0, 8)).toBe('none')
  }
  expect(maker.check(address('10.0.0.1'), SERVER, cookie, 0, 6), 'a shorter one').toBe('none')
})

test('after the key was changed once the old cookie is known still, after twice no more (RFC 7413 §5.1)', () => {
  const maker = new CookieMaker(new SeededRandom(1))
  const client = address('fd00::1')
  const cookie = maker.make(client, SERVER)
  maker.rotate()
  expect(maker.check(client, SERVER, cookie, 0, 8)).toBe('old')
  expect(maker.check(client, SERVER, maker.make(client, SERVER), 0, 8)).toBe('fresh')
  maker.rotate()
  expect(maker.check(client, SERVER, cookie, 0, 8)).toBe('none')
})

test('a client keeps a bounded number of cookies, the latest (RFC 7413 §4.1.3)', () => {
  const jar = new CookieJar()
  for (let i = 0; i < 1030; i++) jar.keep(address(`10.1.${i >> 8}.${i & 255}`), new Uint8Array(8), 1460)
  expect(jar.size).toBe(1024)
  expect(jar.find(address('10.1.0.5'), 0)).toBeNull()
  expect(jar.find(address('10.1.0.6'), 0)).toMatchObject({ mss: 1460 })
})

test('after a lost SYN Fast Open rests, longer each time, and a success forgets that (RFC 7413 §7.1)', () => {
  const jar = new CookieJar()
  jar.keep(SERVER, new Uint8Array(8), 1460)
  jar.failed(SERVER, 1_000_000)
  expect([jar.find(SERVER, 60_999_999), jar.isResting(SERVER, 60_999_999)]).toEqual([null, true])
  expect([jar.find(SERVER, 61_000_000) !== null, jar.isResting(SERVER, 61_000_000)]).toEqual([true, false])
  jar.failed(SERVER, 100_000_000)
  expect([jar.isResting(SERVER, 219_999_999), jar.isResting(SERVER, 220_000_000)]).toEqual([true, false])
  jar.succeeded(SERVER)
  jar.failed(SERVER, 300_000_000)
  expect([jar.isResting(SERVER, 359_999_999), jar.isResting(SERVER, 360_000_000)]).toEqual([true, false])
  jar.failed(address('10.9.9.9'), 0)
  expect(jar.isResting(address('10.9.9.9'), 1)).toBe(true)
})
