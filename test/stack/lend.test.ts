// Text that is lent without a copy (Connection.readWith): what its taker may do meanwhile.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { ip } from '../ip/helpers.ts'

const pair = (config = {}) => {
  const [a, b] = ['10.0.0.1/24', '10.0.0.2/24'].map(
    (address, n) => new Stack({ addresses: [address], mtu: 1500, random: new SeededRandom(n + 1) }),
  )
  const packet = new Packet()
  const carry = (): void => {
    while (a.pollTransmit(packet, 0)) b.handlePacket(packet, 0)
    while (b.pollTransmit(packet, 0)) {
      a.handlePacket(packet, 0)
      while (a.pollTransmit(packet, 0)) b.handlePacket(packet, 0)
    }
  }
  const listener = b.listen({ port: 80, config })
  const client = a.connect({ remote: ip('10.0.0.2'), remotePort: 80 }, 0)
  carry()
  const server = listener.accept()
  if (server === null) throw new Error('not accepted')
  return { client, server, carry, b }
}

const text = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) & 255)

describe('text that is lent', () => {
  test('who has taken all may close: that is an end, and no reset for unread text (RFC 9293 §3.6.1 [SHLD-3])', () => {
    const { client, server, carry } = pair()
    client.write(text(100))
    carry()
    server.readWith(() => {
      server.write(text(7))
      server.close()
    })
    carry()
    expect(client.error).toBeNull()
    expect(client.read()).toEqual(text(7))
    expect(client.ended).toBe(true)
  })

  test('it stays as it is while its taker aborts the connection and others take memory', () => {
    const { client, server, carry } = pair()
    const other = pair()
    client.write(text(1000))
    carry()
    let seen: Uint8Array | null = null
    server.readWith((bytes) => {
      server.abort()
      other.client.write(text(1000, 77))
      seen = bytes.slice()
    })
    expect(seen).toEqual(text(1000))
    expect(server.readableBytes).toBe(0)
    other.carry()
    expect(other.server.read()).toEqual(text(1000, 77))
  })

  test('its taker may read on: each octet comes once', () => {
    const { client, server, carry } = pair()
    client.write(text(600))
    carry()
    const got: number[] = []
    server.read(100)
    server.readWith((bytes) => {
      got.push(...bytes)
      client.write(text(1))
      expect(server.read()).toBeNull()
    })
    expect(got).toEqual([...text(500, 100)])
    carry()
    expect(server.read()).toEqual(text(1))
  })

  test('in two pieces where it wraps around; who returns false after the first has the rest later', () => {
    const { client, server, carry } = pair()
    client.write(text(500))
    carry()
    server.read(400)
    client.write(text(300, 500))
    carry()
    const pieces: number[][] = []
    const take = (bytes: Uint8Array): boolean => {
      pieces.push([...bytes])
      return false
    }
    expect(server.readWith(take)).toBeLessThan(400)
    expect(server.readableBytes).toBe(400 - pieces[0].length)
    server.readWith(take)
    expect(pieces.length).toBe(2)
    expect(pieces.flat()).toEqual([...text(400, 400)])
  })

  test('it stops at the end of urgent data, as a read does (RFC 9293 §3.8.5)', () => {
    const { client, server, carry } = pair()
    client.writeUrgent(text(10))
    client.write(text(20, 10))
    carry()
    const lengths: number[] = []
    server.readWith((bytes) => lengths.push(bytes.length))
    expect(lengths).toEqual([10, 20])
  })

  test('an error of its taker is the caller’s, and the text is read', () => {
    const { client, server, carry } = pair()
    client.write(text(100))
    carry()
    expect(() =>
      server.readWith(() => {
        throw new Error('of the application')
      }),
    ).toThrow('of the application')
    expect(server.readableBytes).toBe(0)
    client.write(text(5))
    carry()
    expect(server.read()).toEqual(text(5))
  })
})
