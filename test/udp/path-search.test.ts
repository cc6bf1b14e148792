// The search for the size that the path of a datagram takes, without ICMP: the machine by hand, then two hosts with a path between them
// that swallows what is too large (RFC 8899).

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { MINUTE, SECOND } from '../../src/base/time.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/index.ts'
import { answerPathProbe, PATH_PROBE_BYTES, readPathAnswer, writePathProbe } from '../../src/udp/path-probes.ts'
import { PathSearch, type PathSearchLimits } from '../../src/udp/path-search.ts'
import { UDP_EVENT, type UdpSocket } from '../../src/udp/socket.ts'
import { icmp, ip, make } from '../ip/helpers.ts'

/** A search whose path takes `takes` bytes; what arrives is confirmed after 20 ms. */
function searched(takes: number, limits: Partial<PathSearchLimits> = {}, linkBytes = 1500) {
  const search = new PathSearch(4, linkBytes, limits)
  const path = { takes }
  const sizes: number[] = []
  let now = 0
  const run = (until: number): void => {
    for (;;) {
      for (let probe = search.nextProbe(now); probe !== null; probe = search.nextProbe(now)) {
        sizes.push(probe.bytes)
        if (probe.bytes <= path.takes) search.confirm(probe.id, now + 20_000)
      }
      const at = search.nextDeadline()
      if (at > until) return
      now = Math.max(now, at)
      search.handleTimeout(now)
    }
  }
  search.start(0)
  return { search, path, sizes, run, at: () => now }
}

describe('the machine', () => {
  test('confirms the base, then the greatest size, and is content (RFC 8899 §5.2, §5.3)', () => {
    const { search, sizes, run } = searched(1500)
    expect([search.state, search.packetBytes]).toEqual(['BASE', 1228])
    run(SECOND)
    expect(sizes).toEqual([1228, 1500])
    expect([search.state, search.packetBytes]).toEqual(['SEARCH-COMPLETE', 1500])
  })

  test.each([1228, 1229, 1280, 1300, 1400, 1492, 1499])('finds a path of %i to within eight bytes below', (takes) => {
    const { search, sizes, run } = searched(takes)
    run(MINUTE)
    expect(search.state).toBe('SEARCH-COMPLETE')
    expect(search.packetBytes).toBeLessThanOrEqual(takes)
    expect(search.packetBytes).toBeGreaterThan(takes - 8)
    expect(sizes.filter((size) => size === 1500)).toHaveLength(3) // MAX_PROBES (§5.1.2)
  })

  test('waits four round trips for a probe, never less than a second, 15 s before it knows one (RFC 8899 §5.1.1)', () => {
    const { search, run, path } = searched(0)
    run(14 * SECOND)
    expect(search.counters.probes).toBe(1)
    path.takes = 1300
    run(15 * SECOND)
    expect(search.state).toBe('SEARCHING')
    expect(search.counters.probes).toBe(3)
    run(15.9 * SECOND)
    expect(search.counters.probes).toBe(3)
    run(16.1 * SECOND)
    expect(search.counters.probes).toBe(4)
  })

  test('a base that is not confirmed three times leaves the least, and goes on asking (RFC 8899 §5.2, ERROR)', () => {
    const { search, path, run } = searched(1000, { probeUs: SECOND })
    run(10 * SECOND)
    expect([search.state, search.packetBytes]).toEqual(['ERROR', 576])
    path.takes = 1500
    run(12 * SECOND)
    expect([search.state, search.packetBytes]).toEqual(['SEARCH-COMPLETE', 1500])
  })

  test('a path that comes to take less is a black hole, found by silence where something is sent (RFC 8899 §4.3)', () => {
    const { search, path, run } = searched(1500)
    run(SECOND)
    path.takes = 1300
    run(MINUTE)
    expect(search.counters.blackHoles).toBe(0) // nothing goes by that path
    search.noteSent()
    run(3 * MINUTE)
    expect(search.counters.blackHoles).toBe(1)
    expect(search.state).toBe('SEARCH-COMPLETE')
    expect(search.packetBytes).toBeGreaterThan(1292)
    expect(search.packetBytes).toBeLessThanOrEqual(1300)
  })

  test('the application suspects so, or knows better: asked at once, or not at all', () => {
    const { search, sizes, run } = searched(1500)
    run(SECOND)
    search.suspect(SECOND)
    run(2 * SECOND)
    expect(sizes).toEqual([1228, 1500, 1500])
    search.noteSent()
    search.noteArrived(1500, 14 * SECOND)
    run(20 * SECOND)
    expect(sizes).toHaveLength(3)
  })

  test('a path that takes more after ten minutes is found to (RFC 8899 §5.1.1, PMTU_RAISE_TIMER)', () => {
    const { search, path, run, at } = searched(1300)
    run(MINUTE)
    path.takes = 1500
    run(9 * MINUTE)
    expect(search.packetBytes).toBeLessThanOrEqual(1300)
    run(11 * MINUTE)
    expect(search.packetBytes).toBe(1500)
    expect(at()).toBeLessThan(11 * MINUTE)
  })

  test.each([
    // The word of a router, and what becomes of state and size while 1500 is probed from 1228 (RFC 8899 §4.6.2).
    [500, 'SEARCHING', 1228, 1500], // below what every path takes: not believed
    [600, 'ERROR', 600, 1228],
    [1400, 'SEARCHING', 1228, 1400],
    [1500, 'SEARCHING', 1228, 1500], // no less than what was probed: it makes no sense
  ] as const)('a router that takes %i while a probe is under way: %s', (mtu, state, packetBytes, probed) => {
    const { search, run } = searched(1228)
    run(1)
    search.tooBig(mtu, SECOND / 2)
    expect([search.state, search.packetBytes, search.probedBytes]).toEqual([state, packetBytes, probed])
  })

  test('a router that takes less than what was confirmed leads back to the base (RFC 8899 §4.6.2)', () => {
    const { search, path, run } = searched(1500)
    run(SECOND)
    path.takes = 1400
    search.tooBig(1400, SECOND)
    expect([search.state, search.packetBytes]).toEqual(['BASE', 1228])
    run(2 * SECOND)
    expect([search.state, search.packetBytes]).toEqual(['SEARCH-COMPLETE', 1400])
  })

  test('confirmations of what was never sent, and after the end, change nothing', () => {
    const { search } = searched(1500)
    expect([search.confirm(7, 0), search.confirm(0, 0)]).toEqual([false, false])
    search.stop()
    expect([search.state, search.nextDeadline(), search.nextProbe(0)]).toEqual(['DISABLED', Infinity, null])
    search.noteArrived(1500, 0)
    search.tooBig(600, 0)
    expect(search.state).toBe('DISABLED')
  })

  test('limits that cannot be are refused', () => {
    for (const limits of [
      { probeUs: 1 },
      { maxProbes: 0 },
      { minBytes: 100 },
      { baseBytes: 500 },
      { baseBytes: 1280.5 },
    ]) {
      expect(() => new PathSearch(4, 1500, limits)).toThrow(RangeError)
    }
    expect(() => new PathSearch(6, 1500, { minBytes: 1279 })).toThrow(RangeError)
  })
})

test('a probe is answered by its head, and an answer counts for its own search alone (RFC 8899 §8)', () => {
  const secret = { high: 1, low: -2 }
  const probe = writePathProbe(secret, 77, 1200)
  expect(probe.length).toBe(1200)
  const answer = answerPathProbe(probe) as Uint8Array
  expect([answer.length, readPathAnswer(secret, answer), readPathAnswer(secret, probe)]).toEqual([20, 77, 77])
  expect(readPathAnswer({ high: 1, low: 2 }, answer)).toBe(0)
  expect(answerPathProbe(answer)).toBeNull()
  for (let length = 0; length < PATH_PROBE_BYTES; length++) {
    expect([answerPathProbe(probe.subarray(0, length)), readPathAnswer(secret, answer.subarray(0, length))]).toEqual([
      null,
      0,
    ])
  }
})

/** Two hosts; packets that the path does not take vanish without a word. */
function world(family: 4 | 6, takes: number) {
  const [here, there] = family === 4 ? ['10.0.0.1', '10.0.0.2'] : ['fd00::1', 'fd00::2']
  const [a, b] = [here, there].map(
    (address, i) => new Stack({ addresses: [`${address}/24`], mtu: 1500, random: new SeededRandom(i + 1) }),
  )
  const path = { takes }
  const sent: number[] = []
  let now = 0
  const packet = new Packet()
  const settle = (): void => {
    for (let moved = true; moved; ) {
      moved = false
      for (const [from, to] of [
        [a, b],
        [b, a],
      ]) {
        while (from.pollTransmit(packet, now)) {
          moved = true
          if (from === a) sent.push(packet.length)
          if (packet.length <= path.takes) to.handlePacket(packet, now)
        }
      }
    }
  }
  const run = (forUs: number): void => {
    const until = now + forUs
    for (settle(); Math.min(a.nextDeadline(), b.nextDeadline()) <= until; settle()) {
      now = Math.max(now, Math.min(a.nextDeadline(), b.nextDeadline()))
      a.handleTimeout(now)
      b.handleTimeout(now)
    }
    now = until
  }
  const client = a.udp.open({ families: family })
  const server = b.udp.open({ families: family, port: 7 })
  client.connect(ip(there), 7)
  return { a, b, client, server, path, sent, run, there, here, now: () => now }
}

const gotten = (socket: UdpSocket): number[] => {
  const sizes: number[] = []
  for (let one = socket.receive(); one !== null; one = socket.receive()) sizes.push(one.data.length)
  return sizes
}

describe.each([4, 6] as const)('a connected socket, IPv%i', (family) => {
  const headers = family === 4 ? 28 : 48

  test('finds what the path takes, its datagrams follow, and nobody but the two layers sees a probe', () => {
    const { a, client, server, sent, run, there, now } = world(family, 1400)
    server.answersPathProbes = true
    const search = client.searchPath({}, now())
    client.takeEvents()
    run(MINUTE)
    expect(search.machine.state).toBe('SEARCH-COMPLETE')
    expect(client.takeEvents()).toBe(UDP_EVENT.pathMtu)
    expect(search.dataBytes).toBeGreaterThan(1392 - headers)
    expect(search.dataBytes).toBeLessThanOrEqual(1400 - headers)
    expect(a.ip.pathMtu(ip(there))).toBe(search.machine.packetBytes)
    expect([gotten(server), gotten(client)]).toEqual([[], []])
    sent.length = 0
    client.send(new Uint8Array(1472), ip(there), 7)
    run(0)
    expect(sent).toHaveLength(2) // in fragments that arrive
    expect(gotten(server)).toEqual([1472])
  })

  test('a path that comes to swallow what it took is found out while datagrams go by it', () => {
    const { client, server, path, run, there, now } = world(family, 1500)
    server.answersPathProbes = true
    const search = client.searchPath({}, now())
    run(SECOND)
    expect(search.machine.packetBytes).toBe(1500)
    path.takes = 1300
    for (let i = 0; i < 60; i++) {
      client.send(new Uint8Array(1500 - headers), ip(there), 7)
      run(SECOND)
    }
    expect(gotten(server).length).toBeGreaterThan(20)
    expect(search.machine.packetBytes).toBeLessThanOrEqual(1300)
  })

  test('an echo server confirms probes too, and the application those that it has made (RFC 8899 §4.1)', () => {
    const { client, server, run, now } = world(family, 1500)
    const search = client.searchPath({}, now())
    const echo = (): void => {
      run(0)
      for (let one = server.receive(); one !== null; one = server.receive())
        server.send(one.data, one.source, one.sourcePort)
    }
    for (let i = 0; i < 4; i++) echo()
    expect([search.machine.state, search.machine.packetBytes]).toEqual(['SEARCH-COMPLETE', 1500])
    const own = client.searchPath({ makeProbe: (length, id) => new Uint8Array(length).fill(id) }, now())
    expect(search.machine.state).toBe('DISABLED')
    run(0)
    for (let one = server.receive(); one !== null; one = server.receive()) {
      expect(own.confirm(one.data[0], now())).toBe(true)
      run(0)
    }
    expect([own.machine.state, own.machine.packetBytes]).toEqual(['SEARCH-COMPLETE', 1500])
    expect(() => client.searchPath({ makeProbe: () => new Uint8Array(3) }, now())).toThrow(
      /has 1\d\d\d bytes of data, not 3/,
    )
  })

  test('ends with the socket, with its peer, and wants one', () => {
    const { a, client, there, now } = world(family, 1500)
    const search = client.searchPath({}, now())
    client.disconnect()
    expect([search.machine.state, client.pathSearch, a.udp.nextDeadline()]).toEqual(['DISABLED', null, Infinity])
    expect(() => client.searchPath({}, now())).toThrow(expect.objectContaining({ code: 'EDESTADDRREQ' }))
    client.connect(ip(there), 7)
    const other = client.searchPath({}, now())
    client.close()
    expect([other.machine.state, a.udp.nextDeadline()]).toEqual(['DISABLED', Infinity])
  })

  test('what a router says goes to the search, which believes of it what can be, and not to the application (RFC 8899 §4.6)', () => {
    const { a, client, server, run, there, here, now } = world(family, 1500)
    server.answersPathProbes = true
    const search = client.searchPath({}, now())
    run(SECOND)
    const [kind, code] = family === 4 ? [3, 4] : [2, 0]
    const tooBig = (mtu: number, quoted: Uint8Array): void => {
      const word = mtu.toString(16).padStart(8, '0')
      const payload = family === 4 ? icmp(kind, code, word, quoted) : icmp(kind, code, word, quoted, there, here)
      a.handlePacket(make({ src: there, dst: here, protocol: family === 4 ? 1 : 58, payload }), now())
    }
    client.send(new Uint8Array(1000), ip(there), 7)
    const packet = new Packet()
    a.pollTransmit(packet, now())
    client.takeEvents()
    tooBig(1300, packet.bytes.slice(packet.start, packet.start + headers)) // it was not larger than that
    expect([search.machine.packetBytes, a.ip.pathMtu(ip(there))]).toEqual([1500, 1500])
    client.send(new Uint8Array(1500 - headers), ip(there), 7)
    a.pollTransmit(packet, now())
    tooBig(1400, packet.bytes.slice(packet.start, packet.start + headers))
    expect(search.machine.state).toBe('BASE')
    expect(client.takeEvents() & UDP_EVENT.error).toBe(0)
  })
})

test("mode 'probe': in one piece with Don't Fragment whatever is known of the path, and no more than the link takes (Linux: IP_PMTUDISC_PROBE)", () => {
  const { a, client, sent, run, there } = world(4, 1500)
  a.ip.pathMtus.lower(ip(there), 1000)
  client.pathMtuDiscovery = 'probe'
  expect(client.send(new Uint8Array(1472), ip(there), 7)).toBeNull()
  run(0)
  expect(sent).toEqual([1500])
  expect(client.send(new Uint8Array(1473), ip(there), 7)?.code).toBe('EMSGSIZE')
})
