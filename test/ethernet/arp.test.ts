// ARP with a neighbour that a test plays by hand: questions, answers, lies, floods.

import { describe, expect, test } from 'vitest'
import { arpFrame, ip, Lan, mac, neighbours } from './helpers.ts'

const MINE = '02:00:00:00:00:01'
const PEER = '02:00:00:00:00:99'
const EVIL = '02:00:00:00:06:66'
const NOWHERE = '00:00:00:00:00:00'

/** A station at 10.0.0.1, quiet, and a port to speak from. */
function scene(options = {}) {
  const lan = new Lan()
  const station = lan.station(['10.0.0.1/24'], { ipv6: false, ...options })
  const peer = lan.tap()
  lan.run(10)
  lan.said()
  peer.heard.length = 0
  const datagram = (to = '10.0.0.9', text = 'x'): void => {
    const socket = station.host.createSocket('udp4')
    socket.send(text, 7, to, () => socket.close())
    lan.run(0)
  }
  const ask = (from = '10.0.0.9', who = PEER): void =>
    peer.send(arpFrame('request', [who, from], [NOWHERE, '10.0.0.1']))
  const reply = (from = '10.0.0.9', who = PEER): void =>
    peer.send(arpFrame('reply', [who, from], [MINE, '10.0.0.1'], MINE))
  return { lan, station, peer, datagram, ask, reply, drops: station.ethernet.drops }
}

describe('an address that is looked for', () => {
  test('is asked for once a second, three times, then given up (RFC 1122 §2.3.2.1, RFC 4861 §7.2.2)', () => {
    const { lan, station, datagram, drops } = scene()
    datagram()
    expect(neighbours(station)).toEqual(['10.0.0.9 INCOMPLETE'])
    lan.run(10)
    expect(lan.seen.map(({ at }) => Math.round(at) - 10)).toEqual([0, 1, 2])
    expect(lan.said()[0]).toBe('ARP, Request who-has 10.0.0.9 tell 10.0.0.1')
    expect(neighbours(station)).toEqual(['10.0.0.9 FAILED'])
    expect(drops.get('neighbour-unreachable')).toBe(1)
  })

  test('is asked for no more than once a second, however many packets there are (RFC 1122 §2.3.2.1)', () => {
    const { lan, datagram } = scene()
    for (let i = 0; i < 200; i++) {
      datagram()
      lan.run(0.1)
    }
    const gaps = lan.seen.map(({ at }, i) => (i === 0 ? 1 : at - lan.seen[i - 1].at))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1)
  })

  test('keeps the latest packets waiting, and sends them in order (RFC 1122 §2.3.2.2, RFC 4861 §7.2.2)', () => {
    const { lan, peer, datagram, reply, drops } = scene({ neighbours: { maxPending: 3 } })
    for (const text of ['a', 'bb', 'ccc', 'dddd', 'eeeee']) datagram('10.0.0.9', text)
    const lengths: number[] = []
    peer.device.onReadable(() => peer.device.receive((packet) => lengths.push(packet.length - 42), 100))
    reply()
    lan.run(0)
    expect(lengths).toEqual([3, 4, 5])
    expect(drops.get('neighbour-queue-full')).toBe(2)
  })

  test('that nobody has fails a connection of EHOSTUNREACH (RFC 1122 §3.3.1.4)', async () => {
    const { lan, station } = scene()
    const error = await lan.time.runFor(
      station.host.connect({ host: '10.0.0.77', port: 80, timeoutMs: 60_000 }).then(
        () => null,
        (e: NodeJS.ErrnoException) => e,
      ),
    )
    expect(error?.code).toMatch(/^(EHOSTUNREACH|ETIMEDOUT)$/)
    expect(station.host.stack.ip.counters.errorsReceived).toBeGreaterThan(0)
  })
})

describe('a neighbour', () => {
  test('is REACHABLE, STALE, then DELAY, PROBE and REACHABLE again (RFC 4861 §7.3.3)', () => {
    const { lan, station, datagram, reply } = scene()
    const state = () => neighbours(station)[0]?.split(' ').at(-1)
    datagram()
    reply()
    expect(state()).toBe('REACHABLE')
    lan.run(46) // between 15 and 45 seconds
    expect(state()).toBe('STALE')
    lan.said()
    datagram()
    expect(state()).toBe('DELAY')
    expect(lan.said()).toEqual(['10.0.0.1 > 10.0.0.9 protocol 17']) // sent all the same
    lan.run(5)
    expect(state()).toBe('PROBE')
    expect(lan.seen.splice(0).map(({ text }) => text)).toEqual([
      `${MINE} > ${PEER} ARP, Request who-has 10.0.0.9 tell 10.0.0.1`,
    ])
    reply()
    expect(state()).toBe('REACHABLE')
  })

  test('that does not answer three probes is gone (RFC 4861 §7.3.3), one that is not used is forgotten (RFC 1122 §2.3.2.1)', () => {
    const { lan, station, datagram, reply } = scene()
    datagram()
    reply()
    lan.run(46)
    datagram()
    lan.run(8.5)
    expect(neighbours(station)).toEqual(['10.0.0.9 lladdr 02:00:00:00:00:99 FAILED'])
    lan.run(70)
    expect(neighbours(station)).toEqual([])
  })

  test('that asks us is remembered as STALE: it may not hear us (RFC 826, RFC 4861 §7.2.3)', () => {
    const { station, peer, ask } = scene()
    ask()
    expect(peer.heard).toEqual([`${MINE} > ${PEER} ARP, Reply 10.0.0.1 is-at ${MINE}`])
    expect(neighbours(station)).toEqual(['10.0.0.9 lladdr 02:00:00:00:00:99 STALE'])
  })

  test('that moves says so by a question about itself, which is believed when it is known (RFC 826)', () => {
    const { lan, station, peer, datagram, reply } = scene()
    datagram()
    reply()
    lan.run(2)
    peer.send(arpFrame('request', [EVIL, '10.0.0.9'], [NOWHERE, '10.0.0.9']))
    expect(neighbours(station)).toEqual([`10.0.0.9 lladdr ${EVIL} STALE`])
  })
})

describe('what is not believed', () => {
  test('an answer that nobody asked for makes no entry', () => {
    const { station, reply, drops } = scene()
    reply()
    expect(neighbours(station)).toEqual([])
    expect(drops.get('arp-not-asked')).toBe(1)
  })

  test('a second answer within a second does not take an entry over', () => {
    const { station, datagram, reply, drops } = scene()
    datagram()
    reply()
    reply('10.0.0.9', EVIL)
    expect(neighbours(station)).toEqual(['10.0.0.9 lladdr 02:00:00:00:00:99 REACHABLE'])
    expect(drops.get('arp-locked')).toBe(1)
  })

  test('a sender within that is not the source of the frame', () => {
    const { station, peer, datagram, drops } = scene()
    datagram()
    const forged = arpFrame('reply', [PEER, '10.0.0.9'], [MINE, '10.0.0.1'], MINE)
    forged.bytes[forged.start + 11] ^= 1
    peer.send(forged)
    expect(neighbours(station)).toEqual(['10.0.0.9 INCOMPLETE'])
    expect(drops.get('arp-spoofed-frame')).toBe(1)
  })

  test('questions about others are not answered, and say nothing of strangers (RFC 826)', () => {
    const { station, peer, drops } = scene()
    peer.send(arpFrame('request', [PEER, '10.0.0.9'], [NOWHERE, '10.0.0.8']))
    expect(peer.heard).toEqual([])
    expect(neighbours(station)).toEqual([])
    expect(drops.get('arp-not-for-us')).toBe(1)
  })

  test('a question about 127.0.0.1, which every host has for itself, is not answered (RFC 1122 §3.2.1.3(g))', () => {
    const { peer, drops } = scene()
    peer.send(arpFrame('request', [PEER, '10.0.0.9'], [NOWHERE, '127.0.0.1']))
    expect(peer.heard).toEqual([])
    expect(drops.get('arp-not-for-us')).toBe(1)
  })

  test('a probe is answered and not remembered (RFC 5227 §2.1.1)', () => {
    const { station, peer } = scene()
    peer.send(arpFrame('request', [PEER, '0.0.0.0'], [NOWHERE, '10.0.0.1']))
    expect(peer.heard).toHaveLength(1)
    expect(neighbours(station)).toEqual([])
  })
})

describe('a flood', () => {
  test('of questions gets a bounded number of answers and entries, and ousts nobody who answers', () => {
    const { lan, station, peer, datagram, reply, drops } = scene({ neighbours: { maxEntries: 100 } })
    datagram()
    reply()
    peer.heard.length = 0
    for (let i = 0; i < 5000; i++) {
      peer.device.send(arpFrame('request', [PEER, `10.0.${1 + (i >> 8)}.${i & 255}`], [NOWHERE, '10.0.0.1']))
      if (i % 200 === 0) lan.run(0)
    }
    lan.run(0)
    expect(station.ethernet.neighbours).toHaveLength(100)
    expect(neighbours(station)).toContain('10.0.0.9 lladdr 02:00:00:00:00:99 REACHABLE')
    expect(peer.heard.length).toBe(200)
    expect(drops.get('arp-limited')).toBe(4800)
  })

  test('of packets to neighbours that are not there is bounded in entries and bytes', () => {
    const { station, datagram } = scene({ neighbours: { maxEntries: 50, maxPendingBytes: 10_000 } })
    for (let i = 0; i < 250; i++) datagram(`10.0.0.${i + 2}`, 'x'.repeat(900))
    expect(station.ethernet.neighbours.length).toBe(50)
    expect(station.ethernet.link.arp.cache.pendingBytes).toBeLessThanOrEqual(10_000)
  })
})

describe('an own address (RFC 5227)', () => {
  test('is announced twice, two seconds apart (§2.3)', () => {
    const lan = new Lan()
    lan.station(['10.0.0.1/24'], { ipv6: false })
    lan.run(10)
    expect(lan.seen).toEqual(
      [0, 2].map((at) => ({ at, text: expect.stringMatching(/who-has 10.0.0.1 tell 10.0.0.1$/) })),
    )
  })

  test('is asked about three times before it is claimed (§2.1.1)', () => {
    const lan = new Lan()
    const { ethernet } = lan.station([], { ipv6: false })
    const told: string[] = []
    ethernet.claim(ip('10.0.0.1'), 'once', (outcome) => told.push(outcome))
    lan.run(20)
    const said = lan.seen.map(({ at, text }) => ({ at, text: text.replace(/.*ARP, /, '') }))
    expect(said.map(({ text }) => text)).toEqual([
      'Request who-has 10.0.0.1 tell 0.0.0.0',
      'Request who-has 10.0.0.1 tell 0.0.0.0',
      'Request who-has 10.0.0.1 tell 0.0.0.0',
      'Request who-has 10.0.0.1 tell 10.0.0.1',
      'Request who-has 10.0.0.1 tell 10.0.0.1',
    ])
    const gaps = said.map(({ at }, i) => at - (said[i - 1]?.at ?? 0))
    expect(gaps[0]).toBeLessThanOrEqual(1)
    for (const gap of gaps.slice(1, 3)) expect(gap >= 1 && gap <= 2).toBe(true)
    expect(gaps.slice(3)).toEqual([expect.closeTo(2, 5), expect.closeTo(2, 5)])
    expect(told).toEqual(['usable'])
  })

  test.each([
    ['an answer', 'reply', '10.0.0.1'],
    ['the use of it', 'request', '10.0.0.1'],
    ['a probe of somebody else', 'request', '0.0.0.0'],
  ] as const)('is not claimed after %s (§2.1.1)', (_, operation, sender) => {
    const lan = new Lan()
    const { ethernet } = lan.station([], { ipv6: false })
    const peer = lan.tap()
    const told: unknown[] = []
    ethernet.claim(ip('10.0.0.1'), 'once', (...all) => told.push(all))
    lan.run(1.5)
    peer.send(arpFrame(operation, [PEER, sender], [NOWHERE, '10.0.0.1']))
    lan.run(20)
    expect(told).toEqual([['conflict', mac(PEER)]])
    expect(lan.said().filter((text) => text.endsWith('tell 10.0.0.1'))).toEqual([])
  })

  test('is defended once in ten seconds, and not given up (§2.4(c))', () => {
    const { lan, station, peer } = scene()
    for (let i = 0; i < 12; i++) {
      peer.send(arpFrame('request', [EVIL, '10.0.0.1'], [NOWHERE, '10.0.0.1']))
      lan.run(1)
    }
    expect(peer.heard).toEqual(Array(2).fill(`${MINE} > ff:ff:ff:ff:ff:ff ARP, Request who-has 10.0.0.1 tell 10.0.0.1`))
    expect(station.events.filter(({ type }) => type === 'conflict')).toHaveLength(2)
    expect(station.host.addresses).toEqual(['10.0.0.1'])
    expect(station.ethernet.drops.get('arp-conflict')).toBe(12)
  })

  test('is given up at the second conflict where that is the policy (§2.4(b))', () => {
    const { lan, station, peer } = scene({ defence: 'once' })
    const conflict = arpFrame('reply', [EVIL, '10.0.0.1'], [MINE, '10.0.0.1'], MINE)
    peer.send(conflict)
    expect(station.host.addresses).toEqual(['10.0.0.1'])
    lan.run(5)
    peer.send(conflict)
    expect(station.host.addresses).toEqual([])
    peer.heard.length = 0
    peer.send(arpFrame('request', [PEER, '10.0.0.9'], [NOWHERE, '10.0.0.1']))
    expect(peer.heard).toEqual([])
  })

  test('that the host gets and loses while it runs is answered for just as long', () => {
    const { lan, station, peer } = scene()
    const ask = () => peer.send(arpFrame('request', [PEER, '10.0.0.9'], [NOWHERE, '10.0.0.5']))
    ask()
    station.host.addAddress('10.0.0.5/24')
    ask()
    expect(peer.heard.filter((text) => text.includes('Reply 10.0.0.5'))).toHaveLength(1)
    lan.run(5)
    station.host.removeAddress('10.0.0.5')
    peer.heard.length = 0
    ask()
    lan.run(5)
    expect(peer.heard).toEqual([])
  })
})

test('a packet to one host in a frame to everybody is dropped (RFC 1122 §3.3.6)', () => {
  const { lan, station, datagram, reply, peer } = scene()
  datagram()
  reply()
  peer.device.onReadable(() => peer.device.receive(() => undefined, 100))
  const other = lan.station(['10.0.0.9/24'], { ipv6: false })
  lan.run(5)
  const socket = other.host.createSocket('udp4')
  // A datagram to 10.0.0.1, its frame readdressed.
  other.ethernet.link.arp.cache.learn(ip('10.0.0.1'), 0xffffffffffff, lan.time.now())
  socket.send('x', 7, '10.0.0.1', () => socket.close())
  lan.run(0)
  expect(station.ethernet.drops.get('eth-wrong-cast')).toBe(1)
})
