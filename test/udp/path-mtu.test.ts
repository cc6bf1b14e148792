// Datagrams and the MTU of their path: Don't Fragment, what a router says, how long that is remembered (RFC 1191, RFC 8201, RFC 8085).

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { MINUTE } from '../../src/base/time.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/index.ts'
import { icmp, ip, make } from '../ip/helpers.ts'

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i)

/** A host that sends datagrams, and a router behind it. */
function sender(family: 4 | 6) {
  const [here, there, router] =
    family === 4 ? ['10.0.0.1', '10.9.0.2', '10.0.0.254'] : ['fd00::1', 'fd09::2', 'fd00::fe']
  const stack = new Stack({ addresses: ['10.0.0.1/24', 'fd00::1/64'], mtu: 1500, random: new SeededRandom(3) })
  const socket = stack.udp.open({ families: family })
  let last = new Packet()
  const send = (length: number, now = 0) => {
    expect(socket.send(bytes(length), ip(there), 9)).toBeNull()
    const out: string[] = []
    for (const packet = new Packet(); stack.pollTransmit(packet, now); ) {
      const header = new IpHeader()
      parseIp(packet.bytes, packet.start, packet.end, header)
      out.push(`${packet.length}${header.family === 4 && header.dontFragment ? ' DF' : ''}`)
      last = packet.clone()
    }
    return out
  }
  const tooBig = (mtu: number, now = 0) => {
    const quoted = last.bytes.slice(last.start, last.start + (family === 4 ? 28 : 48))
    const word = mtu.toString(16).padStart(8, '0')
    const payload = family === 4 ? icmp(3, 4, word, quoted) : icmp(2, 0, word, quoted, router, here)
    stack.handlePacket(make({ src: router, dst: here, protocol: family === 4 ? 1 : 58, payload }), now)
  }
  return { stack, socket, send, tooBig, there: ip(there), header: family === 4 ? 28 : 48 }
}

describe.each([4, 6] as const)('IPv%d', (family) => {
  const df = family === 4 ? ' DF' : ''

  test('what fits says Don’t Fragment, a router tells, and what comes next goes in pieces that fit (RFC 1191 §3, RFC 8201 §4)', () => {
    const { send, tooBig, header } = sender(family)
    expect(send(1500 - header)).toEqual([`1500${df}`])
    tooBig(1400)
    expect(send(1400 - header)).toEqual([`1400${df}`])
    expect(send(1401 - header)).toHaveLength(2)
    for (const piece of send(1401 - header)) expect(Number.parseInt(piece, 10)).toBeLessThanOrEqual(1400)
    tooBig(1450) // more than is known: not believed
    expect(send(1401 - header)).toHaveLength(2)
  })

  test('after ten minutes more is tried again (RFC 1191 §6.3, RFC 8201 §4)', () => {
    const { stack, send, tooBig, header, there } = sender(family)
    send(1500 - header, 1)
    tooBig(1300, 1)
    expect(send(1500 - header, 9 * MINUTE)).toHaveLength(2)
    expect(stack.ip.pathMtus.entries()).toMatchObject([{ mtu: 1300 }])
    stack.handleTimeout(10 * MINUTE + 1)
    expect(stack.ip.pathMtu(there)).toBe(1500)
    expect(send(1500 - header, 10 * MINUTE + 1)).toEqual([`1500${df}`])
    expect(stack.ip.pathMtus.entries()).toEqual([])
  })

  test('a connected socket is told EMSGSIZE, another one nothing, as in Linux', () => {
    const { socket, send, tooBig, header, there } = sender(family)
    send(1500 - header)
    tooBig(1400)
    expect(socket.takeError()).toBeNull()
    socket.connect(there, 9)
    send(1400 - header)
    tooBig(1300)
    expect(socket.takeError()).toBe('EMSGSIZE')
  })

  test('who forbids fragments is refused what does not fit: EMSGSIZE, as with IP_PMTUDISC_DO', () => {
    const { socket, send, tooBig, header, there } = sender(family)
    socket.pathMtuDiscovery = 'do'
    expect(socket.send(bytes(1501 - header), there, 9)?.code).toBe('EMSGSIZE')
    send(1500 - header)
    tooBig(1400)
    expect(socket.send(bytes(1401 - header), there, 9)?.code).toBe('EMSGSIZE')
    expect(send(1400 - header)).toEqual([`1400${df}`])
  })
})

test('IPv4: less than 552 is not believed, but routers may cut up what goes there (RFC 1191 §3)', () => {
  for (const said of [0, 68, 551]) {
    const { send, tooBig } = sender(4)
    send(1000)
    tooBig(said)
    expect(send(500)).toEqual(['528'])
    expect(send(600)).toEqual(['548', '100'])
  }
})

test('IPv4: who does not want to find the path MTU lets routers cut up what they like', () => {
  const { socket, send } = sender(4)
  socket.pathMtuDiscovery = 'dont'
  expect(send(100)).toEqual(['128'])
})

test('datagrams follow what TCP has learned of the path, TCP not what was said of datagrams (RFC 5927 §4, RFC 8201 §5.2)', () => {
  const { stack, send, tooBig, there } = sender(4)
  send(1472)
  tooBig(1000)
  expect(stack.ip.pathMtu(there)).toBe(1000)
  const connection = stack.connect({ remote: there, remotePort: 80 }, 0)
  expect(connection.tcb.pathSegmentBytes).toBe(1480)
  const packet = new Packet()
  stack.pollTransmit(packet, 0)
  const quoted = packet.bytes.slice(packet.start, packet.start + 28)
  const payload = icmp(3, 4, '00000384', quoted)
  stack.handlePacket(make({ src: '10.0.0.254', dst: '10.0.0.1', protocol: 1, payload }), 0)
  expect([connection.tcb.pathSegmentBytes, stack.ip.pathMtu(there)]).toEqual([880, 900])
})

test('a flow has one label, of 20 bits and not 0, other flows mostly others, other hosts others (RFC 6437 §3)', () => {
  const labels = (seed: number) => {
    const stack = new Stack({ addresses: ['fd00::1/64'], mtu: 1500, random: new SeededRandom(seed) })
    const seen: number[] = []
    for (let n = 0; n < 20; n++) {
      const connection = stack.connect({ remote: ip('fd00::2'), remotePort: 80 + n }, 0)
      const mine: number[] = []
      for (const [packet, now] of [0, 1.1e6].map((now) => [new Packet(), now] as const)) {
        stack.handleTimeout(now)
        while (stack.pollTransmit(packet, now)) {
          const header = new IpHeader()
          parseIp(packet.bytes, packet.start, packet.end, header)
          mine.push(header.flowLabel)
        }
      }
      expect(mine.length).toBeGreaterThan(1)
      expect(new Set(mine).size).toBe(1)
      seen.push(mine[0])
      connection.abort()
      while (stack.pollTransmit(new Packet(), 2e6));
    }
    const udp = stack.udp.open({ families: 6 })
    udp.send(bytes(1), ip('fd00::2'), 9)
    udp.send(bytes(1), ip('fd00::2'), 9)
    const two: number[] = []
    for (const packet = new Packet(); stack.pollTransmit(packet, 2e6); ) {
      const header = new IpHeader()
      parseIp(packet.bytes, packet.start, packet.end, header)
      two.push(header.flowLabel)
    }
    expect(two[0]).toBe(two[1])
    return seen
  }
  const first = labels(1)
  expect(new Set(first).size).toBe(20)
  for (const label of first) expect(label > 0 && label < 1 << 20).toBe(true)
  expect(labels(1)).toEqual(first)
  expect(labels(2)).not.toEqual(first)
})
