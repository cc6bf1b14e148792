// What becomes of connections and sockets whose address changes under them, and a host that asks for its address.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { ip } from '../ip/helpers.ts'

const hosts = (first: string[], second: string[]) => {
  const [a, b] = [first, second].map(
    (addresses, n) => new Stack({ addresses, mtu: 1500, random: new SeededRandom(n + 1) }),
  )
  const packet = new Packet()
  const header = new IpHeader()
  const seen: string[] = []
  const carry = (now = 0): string[] => {
    seen.length = 0
    for (let moved = true; moved; ) {
      moved = false
      for (const [from, to] of [
        [a, b],
        [b, a],
      ]) {
        while (from.pollTransmit(packet, now)) {
          moved = true
          parseIp(packet.bytes, packet.start, packet.end, header)
          seen.push(`${header.src} > ${header.dst}`)
          to.handlePacket(packet, now)
        }
      }
    }
    return [...seen]
  }
  return { a, b, carry }
}

test('a connection whose address is taken away sends nothing more, stays, and times out (RFC 1122 §3.2.1.3)', () => {
  const { a, b, carry } = hosts(['10.0.0.1/24', '10.0.0.7/24'], ['10.0.0.2/24'])
  const listener = b.listen({ port: 80 })
  const connection = a.connect({ remote: ip('10.0.0.2'), remotePort: 80, config: { retransmitTimeoutUs: 20e6 } }, 0)
  carry()
  expect(listener.accept()).not.toBeNull()
  a.ip.removeAddress(ip('10.0.0.1'))
  connection.write(new Uint8Array(10))
  expect(carry(1)).toEqual([])
  expect(a.drops.get('ip-stale-source')).toBe(1)
  expect(connection.state).toBe('ESTABLISHED')
  for (let now = a.nextDeadline(); now !== Number.POSITIVE_INFINITY && now < 3600e6; now = a.nextDeadline()) {
    a.handleTimeout(now)
    expect(carry(now)).toEqual([])
  }
  expect(connection.error?.code).toBe('ETIMEDOUT')
})

test('a connection goes on when its address comes back in time', () => {
  const { a, b, carry } = hosts(['10.0.0.1/24'], ['10.0.0.2/24'])
  const listener = b.listen({ port: 80 })
  const connection = a.connect({ remote: ip('10.0.0.2'), remotePort: 80 }, 0)
  carry()
  const other = listener.accept()
  a.ip.removeAddress(ip('10.0.0.1'))
  connection.write(new Uint8Array(10))
  expect(carry(1)).toEqual([])
  a.ip.addAddress({ address: ip('10.0.0.1'), prefixLength: 24 })
  const at = a.nextDeadline()
  a.handleTimeout(at)
  expect(carry(at)[0]).toBe('10.0.0.1 > 10.0.0.2')
  expect(other?.read()?.length).toBe(10)
})

test('a listener on all addresses has those that come later', () => {
  const { a, b, carry } = hosts(['10.0.0.1/24'], ['10.0.0.2/24'])
  const listener = b.listen({ port: 80 })
  b.ip.addAddress({ address: ip('10.0.0.3'), prefixLength: 24 })
  a.connect({ remote: ip('10.0.0.3'), remotePort: 80 }, 0)
  carry()
  expect(`${listener.accept()?.tcb.local}`).toBe('10.0.0.3')
})

test('a host without an address asks everybody from 0.0.0.0, and hears what is sent to everybody (RFC 2131 §4.1)', () => {
  const { a, b, carry } = hosts([], ['10.0.0.2/24'])
  const client = a.udp.open({ families: 4, port: 68 })
  const server = b.udp.open({ families: 4, port: 67 })
  expect(client.send(Uint8Array.of(1), ip('255.255.255.255'), 67)?.code).toBe('EACCES') // [SO_BROADCAST]
  client.mayBroadcast = server.mayBroadcast = true
  expect(client.send(Uint8Array.of(1), ip('10.0.0.2'), 67)?.code).toBe('ENETUNREACH')
  expect(client.send(Uint8Array.of(1), ip('255.255.255.255'), 67)).toBeNull()
  expect(carry()).toEqual(['0.0.0.0 > 255.255.255.255'])
  expect(`${server.receive()?.source}`).toBe('0.0.0.0')
  expect(server.send(Uint8Array.of(2), ip('255.255.255.255'), 68)).toBeNull()
  expect(carry()).toEqual(['10.0.0.2 > 255.255.255.255'])
  expect(client.receive()?.data).toEqual(Uint8Array.of(2))
  a.ip.addAddress({ address: ip('10.0.0.1'), prefixLength: 24 })
  client.send(Uint8Array.of(3), ip('255.255.255.255'), 67)
  expect(carry()).toEqual(['10.0.0.1 > 255.255.255.255'])
  client.sendsUnspecified = true
  client.send(Uint8Array.of(3), ip('255.255.255.255'), 67)
  expect(carry()).toEqual(['0.0.0.0 > 255.255.255.255'])
})

test('a datagram socket on an address that was taken away sends nothing: EINVAL, as in Linux', () => {
  const { a, carry } = hosts(['10.0.0.1/24', '10.0.0.7/24'], ['10.0.0.2/24'])
  const socket = a.udp.open({ families: 4, local: ip('10.0.0.1') })
  a.ip.removeAddress(ip('10.0.0.1'))
  expect(socket.send(Uint8Array.of(1), ip('10.0.0.2'), 9)?.code).toBe('EINVAL')
  expect(carry()).toEqual([])
})

test('a datagram to a group reaches those who have joined it, and none after they left (RFC 1112 §7.2)', () => {
  const { a, b, carry } = hosts(['10.0.0.1/24', 'fd00::1/64'], ['10.0.0.2/24', 'fd00::2/64'])
  for (const group of ['239.1.1.1', 'ff15::1'].map(ip)) {
    const socket = b.udp.open({ families: 'both', port: 5353, reuseAddress: true })
    const sender = a.udp.open({ families: 'both' })
    const send = () => {
      expect(sender.send(Uint8Array.of(1), group, 5353)).toBeNull()
      carry()
      return socket.receive() !== null
    }
    expect(send()).toBe(false)
    expect(socket.joinGroup(group)).toBeNull()
    expect(socket.joinGroup(group)?.code).toBe('EADDRINUSE')
    expect(send()).toBe(true)
    expect(socket.leaveGroup(group)).toBeNull()
    expect(socket.leaveGroup(group)?.code).toBe('EADDRNOTAVAIL')
    expect(send()).toBe(false)
    socket.joinGroup(group)
    socket.close()
    expect(b.ip.receive(new Packet(), new IpHeader())).toBe('ip-too-short')
    const late = b.udp.open({ families: 'both', port: 5353, reuseAddress: true })
    sender.send(Uint8Array.of(1), group, 5353)
    carry()
    expect(late.receive()).toBeNull()
    late.close()
  }
})

test('an own address is a copy of what was given: connections share it, and a caller may use his again', () => {
  const { a, b, carry } = hosts(['10.0.0.1/24'], ['10.0.0.2/24'])
  const given = ip('10.0.0.3').clone()
  b.ip.addAddress({ address: given, prefixLength: 24 })
  const listener = b.listen({ port: 80 })
  a.connect({ remote: ip('10.0.0.3'), remotePort: 80 }, 0)
  carry()
  given.assign(ip('10.0.0.9'))
  expect(`${listener.accept()?.tcb.local}`).toBe('10.0.0.3')
})
