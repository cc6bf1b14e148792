// Groups that a host joins (RFC 1112 §7.1, RFC 4291 §2.7.1): counted, bounded, told to whoever reports them.

import { expect, test } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import { PROTOCOL } from '../../src/ip/header.ts'
import { MOST_GROUPS } from '../../src/ip/own-addresses.ts'
import { host, ip, make } from './helpers.ts'

test('a group is joined until each join is taken back, and told at the first and the last (RFC 1112 §7.1)', () => {
  const { layer, header } = host()
  const told: string[] = []
  layer.onGroup((group, isJoined) => void told.push(`${isJoined ? '+' : '-'}${group}`))
  const group = ip('224.1.2.3')
  const arrives = (): string => layer.receive(make({ dst: '224.1.2.3', protocol: PROTOCOL.UDP }), header)
  expect(arrives()).toBe('ip-not-for-us')
  expect([layer.joinGroup(group), layer.joinGroup(group)]).toEqual([true, true])
  expect(arrives()).toBe('ok')
  expect(header.toUnicast).toBe(false)
  layer.leaveGroup(group)
  expect(arrives()).toBe('ok')
  layer.leaveGroup(group)
  layer.leaveGroup(group) // once too often: nothing happens
  expect(arrives()).toBe('ip-not-for-us')
  expect(told).toEqual(['+224.1.2.3', '-224.1.2.3'])
})

test('of more groups than a host can be in the next is refused, and room comes by leaving one', () => {
  const { layer } = host()
  const nth = (n: number): IpAddress => new IpAddress(0, 0, 0xffff, (0xef000000 + n) | 0)
  for (let n = 0; n < MOST_GROUPS; n++) expect(layer.joinGroup(nth(n))).toBe(true)
  expect(layer.joinGroup(nth(MOST_GROUPS))).toBe(false)
  expect(layer.joinGroup(nth(0))).toBe(true) // already in it
  layer.leaveGroup(nth(1))
  expect(layer.joinGroup(nth(MOST_GROUPS))).toBe(true)
})
