// Packets whose text stands apart (Packet.tail): they never share it.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { ip } from '../ip/helpers.ts'

const GATHER = { checksum: true, superSegmentBytes: 65535, gather: true }

test('a packet that must not leave takes its text with it: the next one has only its own', () => {
  const [a, b] = [['10.0.0.1/24', '10.0.0.7/24'], ['10.0.0.2/24']].map(
    (addresses, n) => new Stack({ addresses, mtu: 1500, random: new SeededRandom(n + 1), offload: GATHER }),
  )
  const packet = new Packet()
  const carry = (): void => {
    for (let moved = true; moved; ) {
      moved = false
      for (const [from, to] of [
        [a, b],
        [b, a],
      ]) {
        while (from.pollTransmit(packet, 0)) {
          moved = true
          to.handlePacket(packet.clone(), 0)
        }
      }
    }
  }
  const listener = b.listen({ port: 80 })
  const stale = a.connect({ remote: ip('10.0.0.2'), remotePort: 80, local: ip('10.0.0.7') }, 0)
  const good = a.connect({ remote: ip('10.0.0.2'), remotePort: 80, local: ip('10.0.0.1') }, 0)
  carry()
  listener.accept()
  const other = listener.accept()
  a.ip.removeAddress(ip('10.0.0.7'))
  stale.write(new Uint8Array(8000).fill(1))
  good.write(new Uint8Array(100).fill(2))
  expect(a.pollTransmit(packet, 0)).toBe(true)
  expect(a.drops.get('ip-stale-source')).toBeGreaterThan(0)
  expect(packet.tailEnd).toBe(0)
  b.handlePacket(packet.clone(), 0)
  expect(other?.read()).toEqual(new Uint8Array(100).fill(2))
})
