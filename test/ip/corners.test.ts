// Corners of the IP floor that ordinary traffic never sees.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { parseCidr } from '../../src/ip/address.ts'
import { formatIp, IpHeader } from '../../src/ip/header.ts'
import { Identification } from '../../src/ip/identification.ts'
import { endOfHeaderChain } from '../../src/ip/ipv6.ts'
import { IpLayer } from '../../src/ip/layer.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { policyOf, scopeOf } from '../../src/ip/policy.ts'
import { hex, ip, make } from './helpers.ts'

test('a fragment is written with its offset, and whether more are to come (RFC 791 §3.1)', () => {
  const shown = (fragmentOffset: number, moreFragments: boolean): string => {
    const packet = make({ fragmentOffset, moreFragments, payload: new Uint8Array(8) })
    const header = new IpHeader()
    parseIp(packet.bytes, packet.start, packet.end, header)
    return formatIp(header)
  }
  expect(shown(0, true)).toContain('fragment 0+')
  expect(shown(64, true)).toContain('fragment 64+')
  expect(shown(64, false)).toMatch(/fragment 64 /)
})

test('a flow label is written where there is one (RFC 8200 §3)', () => {
  const header = new IpHeader()
  header.family = 6
  header.src.assign(ip('fd00::1'))
  header.dst.assign(ip('fd00::2'))
  header.flowLabel = 0xabc
  expect(formatIp(header)).toContain('flow 0xabc')
})

test('of two own addresses in one prefix the one with more bits in common is the source (RFC 6724 §5 rule 8)', () => {
  const addresses = ['fd00::1:0:0:1/64', 'fd00::2:0:0:1/64'].map((text) => parseCidr(text))
  const layer = new IpLayer({
    addresses,
    mtu: 1500,
    random: new SeededRandom(1),
    routes: [{ destination: ip('fd00::'), prefixLength: 8 }],
  })
  expect(`${layer.sourceFor(ip('fd00:1::2:0:0:9'))}`).toBe('fd00::1:0:0:1') // differ before: the first
  const own = new IpLayer({
    addresses: ['fd00:0:0:1::1/128', 'fd00::1:0:0:1/128', 'fd00::2:0:0:1/128'].map((text) => parseCidr(text)),
    mtu: 1500,
    random: new SeededRandom(1),
  })
  expect(`${own.sourceFor(ip('fd00::3:0:0:9'))}`).toBe('fd00::2:0:0:1')
})

test('the chain of headers ends at the transport; null where a fragment ends before (RFC 7112 §3, RFC 8200 §4.5)', () => {
  // Destination options of 16 bytes, then of a fragment of this fragment the Fragment header, then UDP.
  const chain = hex('2c01 0104 00000000 0000000000000000' + '1100 0000 00000001')
  expect(endOfHeaderChain(chain, 0, chain.length, 60)).toEqual({ protocol: 17, at: 24 })
  expect(endOfHeaderChain(chain, 16, chain.length, 44)).toEqual({ protocol: 17, at: 24 })
  expect(endOfHeaderChain(chain, 0, chain.length, 17)).toEqual({ protocol: 17, at: 0 })
  for (let end = 0; end < chain.length; end++) expect(endOfHeaderChain(chain, 0, end, 60)).toBeNull()
})

test('a flow label is never 0, which would say that there is none (RFC 6437 §2)', () => {
  const labels = new Identification(new SeededRandom(1))
  expect(labels.flowLabel(ip('fd00::1'), ip('fd00::2'), 6, 4143, 195)).toBe(1)
})

test('site-local and IPv4-compatible addresses, though nobody has them any more, stand where the table has them (RFC 6724 §2.1, §3.1)', () => {
  expect(['fec0::1', 'fe80::1', 'fd00::1', 'ff05::2'].map((text) => scopeOf(ip(text)))).toEqual([5, 2, 14, 5])
  expect([policyOf(ip('::102:304')), policyOf(ip('1::102:304')).precedence]).toEqual([{ precedence: 1, label: 3 }, 40])
})
