// What routers say of paths (RFC 1191, RFC 8201): believed for ten minutes, never raised by them, and of no more than so many.

import { expect, test } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import { MOST_PATHS, PathMtus } from '../../src/ip/path-mtus.ts'
import { ip } from './helpers.ts'

const nth = (n: number): IpAddress => new IpAddress(0x20010db8, 0, 0, n)

test('of more paths than are kept the oldest is forgotten, and a path that is lowered again is the newest (RFC 8201 §4)', () => {
  const paths = new PathMtus()
  for (let n = 0; n < MOST_PATHS; n++) paths.lower(nth(n), 1400)
  paths.lower(nth(0), 1300)
  paths.lower(nth(MOST_PATHS), 1400)
  expect(paths.entries()).toHaveLength(MOST_PATHS)
  expect([paths.get(nth(0), 1500), paths.get(nth(1), 1500), paths.get(nth(2), 1500)]).toEqual([1300, 1500, 1400])
})

test('what a router says never raises what is known, and nothing is below what every path must take (RFC 8201 §4)', () => {
  const paths = new PathMtus()
  paths.lower(nth(1), 1400)
  paths.lower(nth(1), 1450)
  paths.lower(nth(2), 100)
  paths.lower(ip('192.0.2.1'), 0)
  expect([paths.get(nth(1), 1500), paths.get(nth(2), 1500)]).toEqual([1400, 1280])
  expect(paths.get(ip('192.0.2.1'), 1500)).toBeGreaterThanOrEqual(68)
})
