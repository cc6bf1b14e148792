// Finding connections by their four values: what is found, what is not any more, and that peers who choose their numbers make no long chains.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { halfSipHash } from '../../src/base/siphash.ts'
import { IpAddress } from '../../src/ip/address.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { Demux } from '../../src/tcp/demux.ts'

const local = IpAddress.parse('fd00::1')

function at(remote: IpAddress, remotePort: number, own = local, localPort = 80): Connection {
  return { tcb: { local: own, localPort, remote, remotePort }, nextInBucket: null } as unknown as Connection
}

test('a connection is found by all four values, and only until it is removed (RFC 9293 §3.3.1)', () => {
  const demux = new Demux(new SeededRandom(1))
  const peer = IpAddress.parse('10.0.0.9')
  const other = IpAddress.parse('10.0.0.8')
  const own = IpAddress.parse('10.0.0.1')
  const one = at(peer, 1000, own)
  const two = at(peer, 1001, own)
  demux.add(one)
  demux.add(two)
  const find = (...values: [IpAddress, number, IpAddress, number]): Connection | null => demux.find(...values)
  for (let i = 0; i < 2; i++) {
    expect(find(own, 80, peer, 1000)).toBe(one)
    expect(find(own, 80, peer, 1001)).toBe(two)
  }
  expect([find(own, 81, peer, 1000), find(own, 80, other, 1000), find(other, 80, peer, 1000)]).toEqual([
    null,
    null,
    null,
  ])
  expect([find(own, 80, peer, 1001), demux.remove(two), demux.remove(two)]).toEqual([two, true, false])
  expect([find(own, 80, peer, 1001), find(own, 80, peer, 1000), demux.size]).toEqual([null, one, 1])
})

test('addresses and ports in patterns do not fall together, under any key', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const demux = new Demux(new SeededRandom(seed))
    const all: Connection[] = []
    for (let i = 0; i < 4096; i++) {
      const high = (i & 1) << 31
      all.push(
        at(new IpAddress(0xfd00 << 16, i & 64 ? 1 << 31 : 0, high ^ (i >>> 7), high ^ (i << 13)), 1024 + (i % 3)),
      )
      all.push(at(new IpAddress(0, 0, 0xffff, (10 << 24) | i), 1024 + i, IpAddress.parse('10.0.0.1')))
    }
    const seen = new Set<string>()
    for (const connection of all) {
      const name = `${connection.tcb.remote} ${connection.tcb.remotePort}`
      if (!seen.has(name)) demux.add(connection)
      seen.add(name)
    }
    expect(demux.size).toBe(seen.size)
    expect(all.filter(({ nextInBucket }) => nextInBucket !== null).length).toBeLessThan(3) // of 8192 in 2^30: 0.03 on average
  }
})

test('connections whose values fall together are told apart, whichever goes first (RFC 9293 §3.3.1)', () => {
  const own = IpAddress.parse('10.0.0.1')
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const demux = new Demux(new SeededRandom(2)) // under its key these two do
    const both = [at(IpAddress.parse('10.0.0.45'), 1975, own), at(IpAddress.parse('10.0.0.47'), 1560, own)]
    const find = ({ tcb }: Connection): Connection | null => demux.find(own, 80, tcb.remote, tcb.remotePort)
    const [kept, gone] = order.map((i) => both[i])
    demux.add(both[0])
    expect(find(both[1])).toBe(null)
    demux.add(both[1])
    expect(both[1].nextInBucket).toBe(both[0])
    expect([find(both[0]), find(both[1]), [...demux].length]).toEqual([both[0], both[1], 2])
    expect([demux.remove(gone), demux.remove(gone), find(gone), find(kept)]).toEqual([true, false, null, kept])
    expect([[...demux], gone.nextInBucket, kept.nextInBucket]).toEqual([[kept], null, null])
    expect([demux.remove(kept), find(kept), demux.size]).toEqual([true, null, 0])
  }
})

test('HalfSipHash tells a word from its neighbours in about half of all bits', () => {
  let changed = 0
  for (let i = 0; i < 1000; i++) {
    let difference = halfSipHash(1, 2, i) ^ halfSipHash(1, 2, i + 1)
    for (; difference !== 0; difference &= difference - 1) changed++
  }
  expect(Math.abs(changed / 1000 - 16)).toBeLessThan(0.5)
})
