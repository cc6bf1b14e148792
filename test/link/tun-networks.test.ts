import { describe, expect, test } from 'vitest'
import type { HeldAddress, KernelAddress } from '../../src/link/tun-interface.ts'
import { checkNetworks, freeNetwork } from '../../src/link/tun-networks.ts'

function held(name: string, bytes: readonly number[], prefixLength: number): HeldAddress {
  return { name, bytes: Uint8Array.from(bytes), prefixLength }
}

function wanted(bytes: readonly number[], prefixLength: number): KernelAddress {
  return { text: '', family: bytes.length === 4 ? 4 : 6, bytes: Uint8Array.from(bytes), prefixLength }
}

const fd77 = (last: number): number[] => [0xfd, 0x77, ...new Array<number>(13).fill(0), last]

describe('a network that is asked for', () => {
  const others = [held('eth0', [10, 77, 0, 130], 25), held('wg0', [192, 168, 0, 1], 0), held('tun1', fd77(1), 64)]

  test('may not overlap that of another interface, be it larger or smaller', () => {
    for (const own of [wanted([10, 77, 0, 1], 24), wanted([10, 77, 0, 200], 32), wanted([10, 0, 0, 1], 8)]) {
      expect(() => checkNetworks('tun0', [own], others)).toThrow('another interface, eth0, has 10.77.0.128/25 already')
    }
    expect(() => checkNetworks('tun0', [wanted(fd77(9), 64)], others)).toThrow('has fd77::/64 already: choose another')
  })

  test('may lie beside it, and be on the interface itself', () => {
    checkNetworks('tun0', [wanted([10, 77, 0, 1], 25), wanted([10, 78, 0, 1], 24)], others)
    checkNetworks('eth0', [wanted([10, 77, 0, 1], 24)], others)
  })
})

test('the network that is proposed is free, even where all of 10.0.0.0/8 is taken', () => {
  expect(freeNetwork(4, [])).toBe('10.77.0.0/24')
  expect(freeNetwork(4, [held('a', [10, 77, 0, 1], 24), held('b', [10, 78, 9, 9], 16)])).toBe('10.79.0.0/24')
  expect(freeNetwork(4, [held('a', [10, 1, 2, 3], 8)])).toBe('172.31.77.0/24')
  expect(freeNetwork(6, [held('a', fd77(1), 64)])).toBe('fd78::/64')
})
