// Happy Eyeballs and the order of addresses, in virtual time.

import { describe, expect, test } from 'vitest'
import { MILLISECOND } from '../../src/base/time.ts'
import { commonPrefix, HappyEyeballs, policyOf, scopeOf, sortDestinations } from '../../src/dns/index.ts'
import { IpAddress } from '../../src/ip/address.ts'

const ip = (text: string): IpAddress => IpAddress.parse(text)
const own = (to: IpAddress): IpAddress => ip(to.family === 4 ? '192.0.2.100' : '2001:db8::100')
const ms = (n: number): number => n * MILLISECOND

/** Actions so far, in words: `connect 1 2001:db8::1`. */
function actions(machine: HappyEyeballs): string[] {
  const all: string[] = []
  for (let action = machine.pollAction(); action !== null; action = machine.pollAction()) {
    if (action.kind === 'failed') all.push(`failed: ${action.errors.map((e) => e.message).join(', ')}`)
    else all.push(`${action.kind} ${action.attempt} ${action.address}`)
  }
  return all
}

function machine(options: Partial<ConstructorParameters<typeof HappyEyeballs>[0]> = {}): HappyEyeballs {
  return new HappyEyeballs({ sourceOf: own, ...options })
}

const V6 = ['2001:db8::1', '2001:db8::2', '2001:db8::3'].map(ip)
const V4 = ['192.0.2.1', '192.0.2.2'].map(ip)

describe('Happy Eyeballs', () => {
  test('attempts begin 250 ms apart, the families in turn (RFC 8305 §4, §5)', () => {
    const m = machine()
    m.handleAddresses(6, V6, null, 0)
    m.handleAddresses(4, V4, null, ms(1))
    const log = actions(m)
    for (let now = m.nextDeadline(); now < Number.POSITIVE_INFINITY; now = m.nextDeadline()) {
      m.handleTimeout(now)
      log.push(...actions(m).map((text) => `${now / 1000} ${text}`))
    }
    expect(log).toEqual([
      'connect 1 2001:db8::1',
      '250 connect 2 192.0.2.1',
      '500 connect 3 2001:db8::2',
      '750 connect 4 192.0.2.2',
      '1000 connect 5 2001:db8::3',
    ])
  })

  test('A waits 50 ms for AAAA (RFC 8305 §3)', () => {
    const late = machine()
    late.handleAddresses(4, V4, null, 0)
    expect([late.nextDeadline(), actions(late)]).toEqual([ms(50), []])
    late.handleAddresses(6, V6, null, ms(30))
    expect(actions(late)).toEqual(['connect 1 2001:db8::1'])
    const never = machine()
    never.handleAddresses(4, V4, null, 0)
    never.handleTimeout(ms(49))
    expect(actions(never)).toEqual([])
    never.handleTimeout(ms(50))
    expect(actions(never)).toEqual(['connect 1 192.0.2.1'])
    // AAAA comes after all: it is next.
    never.handleAddresses(6, V6, null, ms(100))
    never.handleTimeout(never.nextDeadline())
    expect(actions(never)).toEqual(['connect 2 2001:db8::1'])
  })

  test('A does not wait when there is no AAAA', () => {
    const m = machine()
    m.handleAddresses(6, [], null, 0)
    m.handleAddresses(4, V4, null, ms(1))
    expect(actions(m)).toEqual(['connect 1 192.0.2.1'])
  })

  test('an attempt that fails makes way at once (RFC 8305 §5)', () => {
    const m = machine()
    m.handleAddresses(6, V6, null, 0)
    m.handleAddresses(4, V4, null, 0)
    m.handleFailed(1, new Error('refused'), ms(10))
    expect(actions(m)).toEqual(['connect 1 2001:db8::1', 'connect 2 192.0.2.1'])
    expect(m.nextDeadline()).toBe(ms(260))
  })

  test('the first that is open ends the others', () => {
    const m = machine()
    m.handleAddresses(6, V6, null, 0)
    m.handleAddresses(4, V4, null, 0)
    m.handleTimeout(ms(250))
    m.handleConnected(2)
    m.handleConnected(1)
    m.handleFailed(1, new Error('late'), ms(300))
    m.handleTimeout(ms(1000))
    expect(actions(m)).toEqual([
      'connect 1 2001:db8::1',
      'connect 2 192.0.2.1',
      'cancel 1 2001:db8::1',
      'done 2 192.0.2.1',
    ])
    expect([m.isOver, m.nextDeadline()]).toEqual([true, Number.POSITIVE_INFINITY])
  })

  test('when all have failed, all errors are told, those of resolving too', () => {
    const m = machine()
    m.handleAddresses(6, [], new Error('no AAAA'), 0)
    m.handleAddresses(4, V4, null, 0)
    m.handleFailed(1, new Error('one'), ms(1))
    m.handleFailed(2, new Error('two'), ms(2))
    expect(actions(m)).toEqual(['connect 1 192.0.2.1', 'connect 2 192.0.2.2', 'failed: no AAAA, one, two'])
    const none = machine()
    none.handleAddresses(6, [], new Error('no AAAA'), 0)
    expect(actions(none)).toEqual([])
    none.handleAddresses(4, [], new Error('no A'), 0)
    expect(actions(none)).toEqual(['failed: no AAAA, no A'])
  })

  test('it does not fail while one family is still being resolved', () => {
    const m = machine()
    m.handleAddresses(6, V6.slice(0, 1), null, 0)
    m.handleFailed(1, new Error('refused'), ms(5))
    expect([actions(m), m.isOver]).toEqual([['connect 1 2001:db8::1'], false])
    m.handleAddresses(4, V4, null, ms(500))
    expect(actions(m)).toEqual(['connect 2 192.0.2.1'])
  })

  test('given up, it ends what runs and says no more', () => {
    const m = machine()
    m.handleAddresses(6, V6, null, 0)
    m.cancel()
    m.handleAddresses(4, V4, null, 0)
    expect(actions(m)).toEqual(['connect 1 2001:db8::1', 'cancel 1 2001:db8::1'])
  })

  test('an attempt delay under 10 ms is refused (RFC 8305 §5)', () => {
    expect(() => machine({ attemptDelayUs: ms(9) })).toThrow(RangeError)
  })
})

describe('the order of addresses (RFC 6724)', () => {
  const sorted = (addresses: string[], sources: Record<string, string | null>): string[] =>
    sortDestinations(addresses.map(ip), (to) => {
      const source = sources[to.toString()]
      return source == null ? null : ip(source)
    }).map(String)

  test('the examples of RFC 6724 §10.2', () => {
    // Prefer matching scope.
    const mapped = { '2001:db8:1::1': '2001:db8:1::2', '198.51.100.121': '169.254.13.78' }
    expect(sorted(['198.51.100.121', '2001:db8:1::1'], mapped)).toEqual(['2001:db8:1::1', '198.51.100.121'])
    const v4 = { '2001:db8:1::1': 'fe80::1', '198.51.100.121': '198.51.100.117' }
    expect(sorted(['2001:db8:1::1', '198.51.100.121'], v4)).toEqual(['198.51.100.121', '2001:db8:1::1'])
    // Prefer higher precedence.
    const both = { '2001:db8:1::1': '2001:db8:1::2', '10.1.2.3': '10.1.2.4' }
    expect(sorted(['10.1.2.3', '2001:db8:1::1'], both)).toEqual(['2001:db8:1::1', '10.1.2.3'])
    // Prefer smaller scope.
    const scopes = { '2001:db8:1::1': '2001:db8:1::2', 'fe80::1': 'fe80::2' }
    expect(sorted(['2001:db8:1::1', 'fe80::1'], scopes)).toEqual(['fe80::1', '2001:db8:1::1'])
    // Prefer matching label: 6to4 to 6to4, native to native.
    const labels = { '2002:c633:6401::1': '2002:c633:6401::2', '2001:db8:1::1': '2002:c633:6401::2' }
    expect(sorted(['2001:db8:1::1', '2002:c633:6401::1'], labels)).toEqual(['2002:c633:6401::1', '2001:db8:1::1'])
    // Longest matching prefix.
    const prefixes = { '2001:db8:1::1': '2001:db8:1::2', '2001:db8:3ffe::1': '2001:db8:3f44::2' }
    expect(sorted(['2001:db8:3ffe::1', '2001:db8:1::1'], prefixes)).toEqual(['2001:db8:1::1', '2001:db8:3ffe::1'])
  })

  test('where there is no way goes last (rule 1), equals stay in their order (rule 10)', () => {
    const sources = { '192.0.2.1': '192.0.2.9', '192.0.2.200': '192.0.2.9', '2001:db8::1': null }
    expect(sorted(['2001:db8::1', '192.0.2.200', '192.0.2.1'], sources)).toEqual([
      '192.0.2.200',
      '192.0.2.1',
      '2001:db8::1',
    ])
  })

  test('precedences, labels, scopes and common prefixes', () => {
    const policy = (text: string): string => `${policyOf(ip(text)).precedence} ${policyOf(ip(text)).label}`
    expect(
      ['::1', '::1.2.3.4', '2001::1', '2001:1::', '2002::', 'fd00::', 'fec0::', '3ffe::', '1.2.3.4'].map(policy),
    ).toEqual(['50 0', '1 3', '5 5', '40 1', '30 2', '3 13', '1 11', '1 12', '35 4'])
    expect(
      ['127.0.0.1', '169.254.1.1', '10.0.0.1', 'fe80::1', 'fec0::1', '::1', 'ff05::1', 'fd00::'].map((t) =>
        scopeOf(ip(t)),
      ),
    ).toEqual([2, 2, 14, 2, 5, 2, 5, 14])
    expect(commonPrefix(ip('2001:db8::'), ip('2001:db8:0:1::'))).toBe(63)
    expect(commonPrefix(ip('10.0.0.1'), ip('10.0.0.1'))).toBe(32)
  })
})
