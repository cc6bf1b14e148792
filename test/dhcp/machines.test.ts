// The DHCP machines alone: bytes, states, retransmission, and answers of liars.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import {
  DHCP_OP,
  DHCP_TYPE,
  DhcpClient,
  type DhcpMessage,
  DhcpServer,
  leaseOf,
  OPTION,
  parseDhcp,
  writeDhcp,
} from '../../src/dhcp/index.ts'
import { addressBytes, prefixOfMask, textBytes, typeOf, uint32Bytes } from '../../src/dhcp/options.ts'
import { IpAddress } from '../../src/ip/address.ts'

const ip = (text: string) => IpAddress.parse(text)
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const NOBODY = ip('0.0.0.0')
const SECOND = 1e6

function message(fields: Partial<DhcpMessage> & { type?: number; more?: [number, Uint8Array][] } = {}): DhcpMessage {
  const { type = DHCP_TYPE.offer, more = [], ...rest } = fields
  return {
    op: DHCP_OP.reply,
    xid: 7,
    secs: 0,
    isBroadcast: false,
    ciaddr: NOBODY,
    yiaddr: ip('10.0.0.100'),
    siaddr: NOBODY,
    giaddr: NOBODY,
    chaddr: MAC,
    options: new Map<number, Uint8Array>([
      [OPTION.messageType, Uint8Array.of(type)],
      [OPTION.serverId, addressBytes(ip('10.0.0.1'))],
      [OPTION.leaseTime, uint32Bytes(3600)],
      [OPTION.subnetMask, addressBytes(ip('255.255.255.0'))],
      ...more,
    ]),
    ...rest,
  }
}

describe('messages', () => {
  test('are what was written, of 300 bytes at least (RFC 1542 §2.1)', () => {
    const one = message({ isBroadcast: true, giaddr: ip('10.1.0.1'), secs: 9 })
    const bytes = writeDhcp(one)
    expect(bytes.length).toBe(300)
    expect(parseDhcp(bytes)).toEqual(one)
  })

  test('carry long options in pieces, which are joined (RFC 3396)', () => {
    const long = Uint8Array.from({ length: 600 }, (_, i) => i)
    const parsed = parseDhcp(writeDhcp(message({ more: [[43, long]] })))
    expect(parsed?.options.get(43)).toEqual(long)
  })

  test('carry options in the fields of names where they say so (RFC 2132 §9.3)', () => {
    const bytes = writeDhcp(message({ more: [[OPTION.overload, Uint8Array.of(3)]] }))
    bytes.set([OPTION.domain, 3, 97, 98, 99, 255], 108)
    bytes.set([OPTION.router, 4, 10, 0, 0, 1, 255], 44)
    const options = parseDhcp(bytes)?.options
    expect(options?.get(OPTION.domain)).toEqual(textBytes('abc'))
    expect(options?.get(OPTION.router)).toEqual(addressBytes(ip('10.0.0.1')))
  })

  test.each([
    [0, 3, 'an operation that is none'],
    [1, 6, 'another hardware'],
    [2, 16, 'longer hardware addresses'],
    [236, 98, 'another cookie'],
    [241, 200, 'an option beyond the end'],
  ])('with byte %d = %d are none: %s', (at, value) => {
    const bytes = writeDhcp(message()).slice(0, 270)
    bytes[at] = value
    expect(parseDhcp(bytes)).toBeNull()
  })

  test('of random bytes never throw, in the machines neither', () => {
    const random = new SeededRandom(5)
    const client = new DhcpClient({ random, mac: MAC })
    const server = new DhcpServer({
      address: ip('10.0.0.1'),
      prefixLength: 24,
      first: ip('10.0.0.100'),
      last: ip('10.0.0.200'),
    })
    client.start(0)
    const whole = writeDhcp(message())
    for (let i = 0; i < 10_000; i++) {
      const bytes = whole.slice(0, (random.int32() >>> 0) % 320)
      for (let n = (random.int32() >>> 0) % 8; n > 0; n--)
        bytes[(random.int32() >>> 0) % (bytes.length + 1)] = random.int32()
      for (let at = 240; i % 3 === 0 && at < bytes.length; at++) bytes[at] = random.int32()
      client.handleMessage(bytes, i)
      server.handleMessage(bytes, i)
      client.handleTimeout(i)
      while (client.pollEvent() !== null || client.pollTransmit() !== null || server.pollTransmit() !== null);
      while (server.pollEvent() !== null);
    }
    expect(client.drops.malformed).toBeGreaterThan(1000)
    expect(client.lease).toBeNull()
  })

  test('make a lease when nothing is missing and nothing cannot be (RFC 2131 §4.3.1)', () => {
    expect(leaseOf(message(), 0)).toMatchObject({
      prefixLength: 24,
      renewAt: 1800e6,
      rebindAt: 3150e6,
      expiresAt: 3600e6,
    })
    const times: [number, Uint8Array][] = [
      [OPTION.renewalTime, uint32Bytes(100)],
      [OPTION.rebindingTime, uint32Bytes(200)],
    ]
    expect(leaseOf(message({ more: times }), 0)).toMatchObject({ renewAt: 100e6, rebindAt: 200e6 })
    const wrong: [number, Uint8Array][] = [
      [OPTION.renewalTime, uint32Bytes(9000)],
      [OPTION.rebindingTime, uint32Bytes(8000)],
    ]
    expect(leaseOf(message({ more: wrong }), 0)).toMatchObject({ renewAt: 1800e6, rebindAt: 3150e6 })
    expect(leaseOf(message({ more: [[OPTION.leaseTime, uint32Bytes(0xffffffff)]] }), 0)?.renewAt).toBe(Infinity)
    for (const yiaddr of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255']) {
      expect(leaseOf(message({ yiaddr: ip(yiaddr) }), 0)).toBeNull()
    }
    expect(leaseOf(message({ more: [[OPTION.subnetMask, addressBytes(ip('255.0.255.0'))]] }), 0)).toBeNull()
    expect(leaseOf(message({ more: [[OPTION.leaseTime, uint32Bytes(0)]] }), 0)).toBeNull()
    expect([0, 8, 31, 32].map((n) => prefixOfMask(new IpAddress(0, 0, 0xffff, n === 0 ? 0 : -1 << (32 - n))))).toEqual([
      0, 8, 31, 32,
    ])
  })
})

describe('a client', () => {
  function started() {
    const client = new DhcpClient({ random: new SeededRandom(3), mac: MAC })
    client.start(0)
    client.handleTimeout(client.nextDeadline())
    const sent = client.pollTransmit()
    const xid = parseDhcp(sent?.bytes ?? new Uint8Array())?.xid ?? 0
    return { client, xid, now: SECOND }
  }
  const kinds = (client: DhcpClient) => {
    const all: number[] = []
    for (let out = client.pollTransmit(); out !== null; out = client.pollTransmit()) {
      all.push(typeOf(parseDhcp(out.bytes)?.options ?? new Map()))
    }
    return all
  }

  test('asks again after 4, 8, 16, 32 and 64 seconds, each give or take one (RFC 2131 §4.1)', () => {
    const { client } = started()
    const waits: number[] = []
    let now = 0
    for (let i = 0; i < 6; i++) {
      const at = client.nextDeadline()
      if (i > 0) waits.push((at - now) / SECOND)
      now = at
      client.handleTimeout(now)
    }
    for (const [i, wait] of waits.entries()) expect(Math.abs(wait - [8, 16, 32, 64, 64][i])).toBeLessThanOrEqual(1)
    expect(kinds(client)).toEqual(Array(6).fill(DHCP_TYPE.discover))
  })

  test('says what it wants to be told, who it is, and that it needs an answer to everybody (RFC 2131 §4.1, §4.4.1)', () => {
    const client = new DhcpClient({ random: new SeededRandom(3), mac: MAC, hostName: 'box' })
    client.start(0)
    client.handleTimeout(SECOND)
    const out = client.pollTransmit()
    const sent = parseDhcp(out?.bytes ?? new Uint8Array())
    expect(out).toMatchObject({ to: null, isFromNobody: true })
    expect(sent).toMatchObject({ isBroadcast: true, op: DHCP_OP.request })
    expect(sent?.options.get(OPTION.clientId)).toEqual(Uint8Array.of(1, ...MAC))
    expect(sent?.options.get(OPTION.hostName)).toEqual(textBytes('box'))
    expect([...(sent?.options.get(OPTION.parameterList) ?? [])]).toContain(OPTION.router)
  })

  test('believes nobody of another exchange, another client, or out of turn', () => {
    const { client, xid, now } = started()
    client.handleMessage(writeDhcp(message({ xid: xid + 1 })), now)
    client.handleMessage(writeDhcp(message({ xid, chaddr: Uint8Array.of(2, 0, 0, 0, 0, 9) })), now)
    client.handleMessage(writeDhcp(message({ xid, type: DHCP_TYPE.ack })), now)
    client.handleMessage(writeDhcp(message({ xid, type: DHCP_TYPE.nak })), now)
    client.handleMessage(writeDhcp(message({ xid, op: DHCP_OP.request })), now)
    client.handleMessage(writeDhcp(message({ xid, yiaddr: ip('127.0.0.1') })), now)
    expect(client.state).toBe('SELECTING')
    expect(client.drops).toEqual({ malformed: 1, notOurs: 2, unexpected: 2, badLease: 1 })
  })

  test('takes the word of the server that it asked alone (RFC 2131 §4.3.1)', () => {
    const { client, xid, now } = started()
    client.handleMessage(writeDhcp(message({ xid })), now)
    expect(client.state).toBe('REQUESTING')
    const other: [number, Uint8Array][] = [[OPTION.serverId, addressBytes(ip('10.0.0.66'))]]
    client.handleMessage(writeDhcp(message({ xid, type: DHCP_TYPE.ack, more: other })), now)
    client.handleMessage(writeDhcp(message({ xid, type: DHCP_TYPE.nak, more: other })), now)
    expect(client.state).toBe('REQUESTING')
    client.handleMessage(writeDhcp(message({ xid, type: DHCP_TYPE.ack })), now)
    expect(client.state).toBe('CHECKING')
    expect(client.pollEvent()).toMatchObject({ type: 'check' })
    client.handleCheck(true, now)
    expect(client.state).toBe('BOUND')
  })

  test('begins anew when the server does not answer its request, or refuses (RFC 2131 §3.1)', () => {
    const { client, xid, now } = started()
    client.handleMessage(writeDhcp(message({ xid })), now)
    for (let i = 0; i < 4; i++) client.handleTimeout(client.nextDeadline())
    expect(client.state).toBe('INIT')
    const second = started()
    second.client.handleMessage(writeDhcp(message({ xid: second.xid })), now)
    second.client.handleMessage(writeDhcp(message({ xid: second.xid, type: DHCP_TYPE.nak })), now)
    expect(second.client.state).toBe('INIT')
  })

  test('declines what somebody has, and waits ten seconds (RFC 2131 §3.1.5)', () => {
    const { client, xid, now } = started()
    client.handleMessage(writeDhcp(message({ xid })), now)
    client.handleMessage(writeDhcp(message({ xid, type: DHCP_TYPE.ack })), now)
    kinds(client)
    client.handleCheck(false, now)
    expect(kinds(client)).toEqual([DHCP_TYPE.decline])
    expect(client.nextDeadline()).toBe(now + 10 * SECOND)
  })
})

describe('a server', () => {
  const options = { address: ip('10.0.0.1'), prefixLength: 24, first: ip('10.0.0.100'), last: ip('10.0.0.101') }
  const ask = (type: number, fields: Partial<DhcpMessage> = {}, more: [number, Uint8Array][] = []) =>
    writeDhcp({
      ...message({ op: DHCP_OP.request, yiaddr: NOBODY, ...fields }),
      options: new Map<number, Uint8Array>([[OPTION.messageType, Uint8Array.of(type)], ...more]),
    })
  const named: [number, Uint8Array] = [OPTION.serverId, addressBytes(ip('10.0.0.1'))]
  const wanted = (text: string): [number, Uint8Array] => [OPTION.requestedAddress, addressBytes(ip(text))]
  const answers = (server: DhcpServer) => {
    const all: string[] = []
    for (let out = server.pollTransmit(); out !== null; out = server.pollTransmit()) {
      const parsed = parseDhcp(out.bytes)
      all.push(`${typeOf(parsed?.options ?? new Map())} ${parsed?.yiaddr} to ${out.to ?? 'all'}:${out.port}`)
    }
    return all
  }

  // RFC 2131 §4.3.2, state by state: what a client that is known with 10.0.0.100 says, and the answer.
  test.each([
    ['takes its offer', {}, [named, wanted('10.0.0.100')], ['5 10.0.0.100 to 10.0.0.100:68']],
    ['takes that of another server', {}, [[54, addressBytes(ip('10.0.0.9'))], wanted('10.0.0.100')], []],
    ['takes what is not its', {}, [named, wanted('10.0.0.77')], ['6 0.0.0.0 to all:68']],
    ['starts again', {}, [wanted('10.0.0.100')], ['5 10.0.0.100 to 10.0.0.100:68']],
    ['starts again with another', {}, [wanted('10.0.0.101')], ['6 0.0.0.0 to all:68']],
    ['starts again elsewhere', {}, [wanted('172.16.0.5')], ['6 0.0.0.0 to all:68']],
    ['renews', { ciaddr: ip('10.0.0.100') }, [], ['5 10.0.0.100 to 10.0.0.100:68']],
    ['renews another', { ciaddr: ip('10.0.0.101') }, [], ['6 0.0.0.0 to all:68']],
    ['asks by a relay', { giaddr: ip('10.9.0.1') }, [named, wanted('10.0.0.100')], ['5 10.0.0.100 to 10.9.0.1:67']],
    ['wants all to hear', { isBroadcast: true }, [named, wanted('10.0.0.100')], ['5 10.0.0.100 to all:68']],
  ] as const)('answers a client that %s (RFC 2131 §4.3.2)', (_, fields, more, expected) => {
    const server = new DhcpServer(options)
    server.handleMessage(ask(DHCP_TYPE.discover), 0)
    server.handleMessage(ask(DHCP_TYPE.request, {}, [named, wanted('10.0.0.100')]), 0)
    answers(server)
    server.handleMessage(ask(DHCP_TYPE.request, fields, more as unknown as [number, Uint8Array][]), SECOND)
    expect(answers(server)).toEqual(expected)
  })

  test('says nothing to a client that it does not know (RFC 2131 §4.3.2)', () => {
    const server = new DhcpServer(options)
    server.handleMessage(ask(DHCP_TYPE.request, {}, [wanted('10.0.0.100')]), 0)
    server.handleMessage(ask(DHCP_TYPE.request, { ciaddr: ip('10.0.0.100') }), 0)
    expect(answers(server)).toEqual([])
    expect(server.counters.ignored).toBe(2)
  })

  test('keeps an offer for half a minute, then gives the address to somebody else', () => {
    const server = new DhcpServer(options)
    const from = (n: number) => ({ chaddr: Uint8Array.of(2, 0, 0, 0, 1, n) })
    for (let n = 0; n < 3; n++) server.handleMessage(ask(DHCP_TYPE.discover, from(n)), 0)
    expect(answers(server)).toHaveLength(2)
    server.handleMessage(ask(DHCP_TYPE.discover, from(3)), 31 * SECOND)
    expect(answers(server)).toEqual(['2 10.0.0.100 to 10.0.0.100:68'])
  })

  test('takes an offer back at once that another server has been preferred to (RFC 2131 §3.1)', () => {
    const server = new DhcpServer({ ...options, last: ip('10.0.0.100') })
    server.handleMessage(ask(DHCP_TYPE.discover), 0)
    server.handleMessage(ask(DHCP_TYPE.request, {}, [[54, addressBytes(ip('10.0.0.9'))], wanted('10.0.0.100')]), 1)
    answers(server)
    server.handleMessage(ask(DHCP_TYPE.discover, { chaddr: Uint8Array.of(2, 0, 0, 0, 1, 9) }), 2)
    expect(answers(server)).toHaveLength(1)
  })

  test('offers nobody for ten minutes what was declined (RFC 2131 §4.3.3)', () => {
    const server = new DhcpServer({ ...options, last: ip('10.0.0.100') })
    server.handleMessage(ask(DHCP_TYPE.request, {}, [named, wanted('10.0.0.100')]), 0)
    server.handleMessage(ask(DHCP_TYPE.decline, {}, [named, wanted('10.0.0.100')]), 0)
    answers(server)
    for (const [at, offers] of [
      [1, 0],
      [599, 0],
      [601, 1],
    ]) {
      server.handleMessage(ask(DHCP_TYPE.discover), at * SECOND)
      expect(answers(server)).toHaveLength(offers)
    }
  })

  test('does not take the client itself, which answers already, for somebody else (RFC 2131 §2.2)', () => {
    const server = new DhcpServer({ ...options, isChecked: true })
    server.handleMessage(ask(DHCP_TYPE.discover), 0)
    server.handleMessage(ask(DHCP_TYPE.discover), 1)
    server.handleCheck(ip('10.0.0.100'), true, 2)
    server.handleMessage(ask(DHCP_TYPE.discover), 3)
    expect(answers(server)).toHaveLength(2)
    server.handleMessage(ask(DHCP_TYPE.request, {}, [named, wanted('10.0.0.100')]), 4)
    server.handleCheck(ip('10.0.0.100'), false, 5)
    expect(server.leases.leases).toHaveLength(1)
  })

  test('lets nobody decline or release what is not theirs (RFC 2131 §4.3.3, §4.3.4)', () => {
    const server = new DhcpServer(options)
    server.handleMessage(ask(DHCP_TYPE.request, {}, [named, wanted('10.0.0.100')]), 0)
    const liar = { chaddr: Uint8Array.of(2, 0, 0, 0, 6, 6) }
    server.handleMessage(ask(DHCP_TYPE.decline, liar, [named, wanted('10.0.0.100')]), 1)
    server.handleMessage(ask(DHCP_TYPE.release, { ...liar, ciaddr: ip('10.0.0.100') }, [named]), 1)
    expect(server.leases.leases.map(({ expiresAt }) => expiresAt)).toEqual([3600 * SECOND])
    expect(server.counters.ignored).toBe(2)
  })

  test('tells a host with an address of its own what else there is (RFC 2131 §4.3.5)', () => {
    const server = new DhcpServer({ ...options, dnsServers: [ip('10.0.0.53')] })
    server.handleMessage(ask(DHCP_TYPE.inform, { ciaddr: ip('10.0.0.7') }), 0)
    const parsed = parseDhcp(server.pollTransmit()?.bytes ?? new Uint8Array())
    expect(parsed?.options.has(OPTION.leaseTime)).toBe(false)
    expect(parsed?.options.get(OPTION.dns)).toEqual(addressBytes(ip('10.0.0.53')))
  })

  test('keeps a bounded number of clients, however many ask', () => {
    const server = new DhcpServer(options)
    for (let i = 0; i < 5000; i++) {
      server.handleMessage(ask(DHCP_TYPE.discover, { chaddr: Uint8Array.of(2, 0, 1, 0, i >> 8, i) }), i * SECOND)
      answers(server)
    }
    expect(server.counters.offers).toBeGreaterThan(100)
    expect(server.leases.leases).toHaveLength(0)
  })

  test('has a pool within its network', () => {
    expect(() => new DhcpServer({ ...options, last: ip('10.0.1.5') })).toThrow(RangeError)
    expect(() => new DhcpServer({ ...options, last: ip('10.0.0.5') })).toThrow(RangeError)
  })
})
