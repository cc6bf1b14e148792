// The order in which destinations are tried (RFC 6724 §6), with the RFC's examples.

import { expect, test } from 'vitest'
import { sortDestinations } from '../../src/dns/address-order.ts'
import { parseCidr } from '../../src/ip/address.ts'
import { selectSource } from '../../src/ip/source-address.ts'
import { ip } from '../ip/helpers.ts'

const order = (destinations: string[], own: string[], deprecated: string[] = []) => {
  const list = own.map((text) => ({ ...parseCidr(text), isDeprecated: deprecated.includes(text) }))
  const isOld = (source: { toString(): string }) => deprecated.some((text) => text.startsWith(`${source}/`))
  const sorted = sortDestinations(destinations.map(ip), (dst) => selectSource(dst, list)?.address ?? null, isOld)
  return sorted.map(String)
}

test.each([
  // RFC 6724 §10.2.
  [
    ['2001:db8:1::1', '198.51.100.121'],
    ['2001:db8:1::2/64', 'fe80::1/64', '169.254.13.78/16'],
    'matching scope (rule 2)',
  ],
  [['198.51.100.121', '2001:db8:1::1'], ['fe80::1/64', '198.51.100.117/24'], 'matching scope (rule 2)'],
  [['2001:db8:1::1', '10.1.2.3'], ['2001:db8:1::2/64', 'fe80::1/64', '10.1.2.4/24'], 'higher precedence (rule 6)'],
  [['fe80::1', '2001:db8:1::1'], ['2001:db8:1::2/64', 'fe80::2/64'], 'smaller scope (rule 8)'],
  [
    ['2001:db8:1::1', '2001:db8:3ffe::1'],
    ['2001:db8:1::2/48', '2001:db8:3f44::2/48', 'fe80::2/64'],
    'longest matching prefix (rule 9)',
  ],
  [
    ['2001:db8:1::1', '2002:c633:6401::1'],
    ['2001:db8:1::2/64', '2002:c633:6401::2/64', 'fe80::2/64'],
    'higher precedence (rule 6)',
  ],
  [['2001:db8:1::1', '2002:c633:6401::1'], ['2001:db8:1::2/64', 'fe80::2/64'], 'matching label (rule 5)'],
])('%j from %j: %s (RFC 6724 §6)', (destinations, own) => {
  expect(order(destinations, own)).toEqual(destinations)
  expect(order(destinations.toReversed(), own)).toEqual(destinations)
})

test('what can only be reached from a deprecated address comes later (RFC 6724 §6 rule 3)', () => {
  const own = ['2001:db8:1::2/64', '10.0.0.2/24']
  expect(order(['2001:db8:1::1', '10.0.0.1'], own, ['2001:db8:1::2/64'])).toEqual(['10.0.0.1', '2001:db8:1::1'])
})

test('what cannot be reached comes last (RFC 6724 §6 rule 1)', () => {
  expect(order(['2001:db8:1::1', '10.0.0.1'], ['10.0.0.2/24'])).toEqual(['10.0.0.1', '2001:db8:1::1'])
})
