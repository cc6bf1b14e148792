// From which own address a packet comes (RFC 6724 §5): the rules, each with the RFC's own examples where it has some.

import { describe, expect, test } from 'vitest'
import { type InterfaceAddress, parseCidr } from '../../src/ip/address.ts'
import { selectSource } from '../../src/ip/source-address.ts'
import { ip } from './helpers.ts'

const choose = (dst: string, own: (string | InterfaceAddress)[], port = -1) => {
  const list = own.map((one) => (typeof one === 'string' ? parseCidr(one) : one))
  const forth = `${selectSource(ip(dst), list, port)?.address}`
  return { forth, back: `${selectSource(ip(dst), list.toReversed(), port)?.address}` }
}
const both = (address: string) => ({ forth: address, back: address })

describe('whatever the order of the own addresses', () => {
  test.each([
    // RFC 6724 §10.1.
    ['2001:db8:1::1', ['2001:db8:3::1/64', 'fe80::1/64'], '2001:db8:3::1', 'appropriate scope (rule 2)'],
    ['ff05::1', ['2001:db8:3::1/64', 'fe80::1/64'], '2001:db8:3::1', 'appropriate scope (rule 2)'],
    ['2001:db8:1::1', ['2001:db8:1::1/64', '2001:db8:2::1/64'], '2001:db8:1::1', 'same address (rule 1)'],
    ['fe80::1', ['fe80::2/64', '2001:db8:1::1/64'], 'fe80::2', 'appropriate scope (rule 2)'],
    ['2001:db8:1::1', ['2001:db8:1::2/64', '2001:db8:3::2/64'], '2001:db8:1::2', 'longest matching prefix (rule 8)'],
    [
      '2002:c633:6401::d5e3:0:1',
      ['2002:c633:6401::d5e3:7953:13eb/64', '2001:db8:1::2/64'],
      '2002:c633:6401::d5e3:7953:13eb',
      'matching label (rule 6)',
    ],
    // Both families.
    ['192.168.1.9', ['10.0.0.2/24', '192.168.1.2/24'], '192.168.1.2', 'longest matching prefix (rule 8)'],
    ['169.254.3.3', ['10.0.0.2/24', '169.254.1.1/16'], '169.254.1.1', 'appropriate scope (rule 2)'],
    ['8.8.8.8', ['169.254.1.1/16', '10.0.0.2/24'], '10.0.0.2', 'appropriate scope (rule 2)'],
    ['fd00:2::9', ['2001:db8:3::1/64', 'fd00:1::1/64'], 'fd00:1::1', 'matching label (rule 6)'],
    ['ff02::1', ['2001:db8:3::1/64', 'fe80::1/64'], 'fe80::1', 'appropriate scope (rule 2)'],
  ])('a packet to %s from %j comes from %s: %s (RFC 6724 §5)', (dst, own, source) => {
    expect(choose(dst, own)).toEqual(both(source))
  })

  test('a deprecated address is avoided, but not when it is the destination, or alone in scope (RFC 6724 §5 rule 3)', () => {
    const old = { ...parseCidr('2001:db8:1::2/64'), isDeprecated: true }
    expect(choose('2001:db8:1::1', [old, '2001:db8:3::2/64'])).toEqual(both('2001:db8:3::2'))
    expect(choose('2001:db8:1::2', [old, '2001:db8:3::2/64'])).toEqual(both('2001:db8:1::2'))
    expect(choose('2001:db8:1::1', [old, 'fe80::1/64'])).toEqual(both('2001:db8:1::2'))
    const old4 = { ...parseCidr('10.0.0.2/24'), isDeprecated: true }
    expect(choose('10.0.0.9', [old4, '10.1.0.2/24'])).toEqual(both('10.1.0.2'))
  })

  test('an address of the interface that the packet leaves by comes first (RFC 6724 §5 rule 5)', () => {
    const own = [
      { ...parseCidr('2001:db8:1::2/64'), port: 0 },
      { ...parseCidr('2001:db8:2::2/64'), port: 1 },
    ]
    expect(choose('2001:db8:1::1', own, 1)).toEqual(both('2001:db8:2::2'))
    expect(choose('2001:db8:1::1', own, 0)).toEqual(both('2001:db8:1::2'))
  })

  test('a temporary address comes before a public one (RFC 6724 §5 rule 7)', () => {
    const temporary = { ...parseCidr('2001:db8:1::d5e3:0:0:1/64'), isTemporary: true }
    expect(choose('2001:db8:1::d5e3:0:0:0', ['2001:db8:1::2/64', temporary])).toEqual(both('2001:db8:1:0:d5e3::1'))
  })
})

test('bits beyond the own prefix do not count: of equals the first (RFC 6724 §2.2)', () => {
  expect(choose('fd00::2:0:0:9', ['fd00::1:0:0:1/64', 'fd00::2:0:0:1/64'])).toEqual({
    forth: 'fd00::1:0:0:1',
    back: 'fd00::2:0:0:1',
  })
})

test('there is none of another family', () => {
  expect(selectSource(ip('fd00::1'), [parseCidr('10.0.0.2/24')])).toBeNull()
})
