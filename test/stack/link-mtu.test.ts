// What a router says of the link while connections are open: its MTU holds for them, its hop limit unless somebody has set one.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack, type StackConfig } from '../../src/stack/index.ts'
import { lowerPathMtu } from '../../src/tcp/icmp-errors.ts'
import { ip } from '../ip/helpers.ts'

function world(config: Partial<StackConfig> = {}, remote = 'fd00::2') {
  const make = (n: number, more: Partial<StackConfig>) =>
    new Stack({
      addresses: [`10.0.0.${n}/24`, `fd00::${n}/64`],
      mtu: 1500,
      random: new SeededRandom(n),
      tcp: { initialWindowSegments: 10 },
      ...more,
    })
  const [a, b] = [make(1, config), make(2, {})]
  const packet = new Packet()
  let now = 0
  let lost = false
  const sizes: number[] = []
  const hops = new Set<number>()
  const carry = () => {
    for (let moved = true; moved; ) {
      moved = false
      while (a.pollTransmit(packet, now)) {
        sizes.push(packet.length)
        hops.add(packet.bytes[packet.start + (packet.bytes[packet.start] >>> 4 === 6 ? 7 : 8)])
        if (!lost) b.handlePacket(packet, now)
        moved = true
      }
      while (b.pollTransmit(packet, now)) {
        a.handlePacket(packet, now)
        moved = true
      }
    }
  }
  b.listen({ port: 80 })
  const client = a.connect({ remote: ip(remote), remotePort: 80 }, now)
  carry()
  return {
    a,
    hops,
    /** The largest packet of `length` bytes of text. */
    largest(length: number, isLost = false): number {
      sizes.length = 0
      lost = isLost
      client.write(new Uint8Array(length))
      a.tcp.touch(client)
      carry()
      return Math.max(...sizes)
    },
    wait() {
      now += 2_000_000
      sizes.length = 0
      lost = false
      a.handleTimeout(now)
      carry()
      return { most: Math.max(...sizes), acknowledged: client.tcb.snd.una === client.tcb.snd.nxt }
    },
  }
}

test('a smaller MTU holds for open connections at once, and a larger one again (RFC 4861 §6.3.4, RFC 8201 §4)', () => {
  const { a, largest } = world()
  expect(largest(5000)).toBe(1500)
  a.ip.setAdvertised(1300, 0)
  expect(largest(5000)).toBe(1300)
  a.ip.setAdvertised(1400, 0)
  expect(largest(5000)).toBe(1400)
})

test('what was in flight goes again in pieces that the link takes (RFC 8201 §4)', () => {
  const { a, largest, wait } = world()
  expect(largest(5000, true)).toBe(1500)
  a.ip.setAdvertised(1300, 0)
  expect(wait()).toEqual({ most: 1300, acknowledged: true })
})

test('a path that takes less than the link stays as it is, and more than the link is not looked for', () => {
  const { a, largest } = world()
  const [{ tcb }] = a.tcp.connections()
  lowerPathMtu(tcb, 1300 - 40)
  a.ip.setAdvertised(1400, 0)
  expect(largest(5000)).toBe(1300)
  expect([tcb.path.linkBytes, tcb.path.high]).toEqual([1360, 1360])
})

test('connections over IPv4 keep theirs', () => {
  const { a, largest } = world({}, '10.0.0.2')
  a.ip.setAdvertised(1300, 0)
  expect(largest(5000)).toBe(1500)
})

test.each([
  ['nobody has set one', {}, [64, 17]],
  ['the host was given one', { hopLimit: 64 }, [64]],
  ['the connection was', { tcp: { hopLimit: 64 } }, [64]],
  ['the host was given another', { hopLimit: 33 }, [33]],
] as const)('its hop limit where %s (RFC 4861 §6.3.4)', (_, config, expected) => {
  const { a, largest, hops } = world(config)
  a.ip.setAdvertised(0, 17)
  largest(100)
  expect([...hops]).toEqual(expected)
})
