// Neighbour discovery, addresses without a server and MLD, with neighbours and routers that a test plays by hand.

import { describe, expect, test } from 'vitest'
import { ND_TYPE, NdMessage, writeNd } from '../../src/ethernet/index.ts'
import { icmpv6Frame, ip, neighbours, type Station } from './helpers.ts'
import { ALL, advertise, EVIL, LINK_LOCAL, MINE, PEER, router, SLAAC, scene, solicit } from './nd-helpers.ts'

const own = (station: Station): string[] =>
  station.ethernet.link.nd.auto.addresses.map(({ address, state }) => `${address} ${state}`)

describe('a neighbour', () => {
  test('is asked for three times a second apart, by its solicited-node group (RFC 4861 §7.2.2)', () => {
    const { lan, station, datagram } = scene()
    datagram()
    lan.run(10)
    expect(lan.seen.map(({ at }) => Math.round(at) - 10)).toEqual([0, 1, 2])
    expect(lan.seen[0].text).toBe(`${MINE} > 33:33:ff:00:00:09 fd00::1 > ff02::1:ff00:9 NS fd00::9`)
    expect(neighbours(station)).toEqual(['fd00::9 FAILED'])
  })

  test('that answers is REACHABLE; later it is asked directly (RFC 4861 §7.3.3)', () => {
    const { lan, station, peer, datagram } = scene()
    datagram()
    peer.send(advertise({ target: 'fd00::9' }))
    expect(neighbours(station)).toEqual([`fd00::9 lladdr ${PEER} REACHABLE`])
    lan.run(46)
    lan.said()
    datagram()
    lan.run(5)
    expect(neighbours(station)).toEqual([`fd00::9 lladdr ${PEER} PROBE`])
    expect(lan.seen.at(-1)?.text).toBe(`${MINE} > ${PEER} fd00::1 > fd00::9 NS fd00::9`)
  })

  // RFC 4861 §7.2.5 and appendix C, row by row: state before, flags and address of the advertisement, state after.
  test.each([
    ['INCOMPLETE', 'S', PEER, `${PEER} REACHABLE`],
    ['INCOMPLETE', 'O', PEER, `${PEER} STALE`],
    ['REACHABLE', 'S', EVIL, `${PEER} STALE`],
    ['REACHABLE', '', EVIL, `${PEER} STALE`],
    ['REACHABLE', 'SO', EVIL, `${EVIL} REACHABLE`],
    ['REACHABLE', 'O', EVIL, `${EVIL} STALE`],
    ['REACHABLE', '', PEER, `${PEER} REACHABLE`],
    ['STALE', 'S', EVIL, `${PEER} STALE`],
    ['STALE', 'S', PEER, `${PEER} REACHABLE`],
    ['STALE', '', PEER, `${PEER} STALE`],
    ['STALE', 'O', EVIL, `${EVIL} STALE`],
  ])('%s that hears an advertisement [%s] from %s is %s (RFC 4861 §7.2.5)', (before, flags, who, after) => {
    const { lan, station, peer, datagram } = scene()
    datagram()
    if (before !== 'INCOMPLETE') peer.send(advertise({ target: 'fd00::9' }))
    if (before === 'STALE') lan.run(46)
    peer.send(advertise({ target: 'fd00::9', flags, who }))
    expect(neighbours(station)).toEqual([`fd00::9 lladdr ${after}`])
  })

  test('that nobody asked for makes no entry (RFC 4861 §7.2.5)', () => {
    const { station, peer, drops } = scene()
    peer.send(advertise({ target: 'fd00::9' }))
    expect(neighbours(station)).toEqual([])
    expect(drops.get('nd-not-asked')).toBe(1)
  })

  test('from behind a router is not believed: hop limit 254 (RFC 4861 §7.1.2)', () => {
    const { station, peer, datagram, drops } = scene()
    datagram()
    peer.send(advertise({ target: 'fd00::9', hopLimit: 254 }), solicit({ target: 'fd00::1', hopLimit: 64 }))
    expect(neighbours(station)).toEqual(['fd00::9 INCOMPLETE'])
    expect(drops.get('nd-bad-hop-limit')).toBe(2)
    expect(peer.heard.filter((text) => text.includes(' NA '))).toEqual([])
  })
})

describe('a solicitation', () => {
  test('is answered with our address, solicited and overriding (RFC 4861 §7.2.4)', () => {
    const { station, peer } = scene()
    peer.send(solicit({ target: 'fd00::1' }))
    expect(peer.heard).toEqual([`${MINE} > ${PEER} fd00::1 > fd00::9 NA fd00::1 SO`])
    // Entered as STALE; the answer is the first packet to it (§7.3.3).
    expect(neighbours(station)).toEqual([`fd00::9 lladdr ${PEER} DELAY`])
  })

  test('without the Ethernet address of its sender is answered once that is found (RFC 4861 §7.2.4)', () => {
    const { peer } = scene()
    peer.send(solicit({ target: 'fd00::1', saysMac: false }))
    expect(peer.heard).toEqual([`${MINE} > 33:33:ff:00:00:09 fd00::1 > ff02::1:ff00:9 NS fd00::9`])
    peer.send(advertise({ target: 'fd00::9' }))
    expect(peer.heard.at(-1)).toBe(`${MINE} > ${PEER} fd00::1 > fd00::9 NA fd00::1 SO`)
  })

  test('from nobody, who is about to take our address, is answered to everybody (RFC 4861 §7.2.4, RFC 4862 §5.4.3)', () => {
    const { station, peer } = scene()
    peer.send(solicit({ target: 'fd00::1', from: '::' }))
    expect(peer.heard).toEqual([`${MINE} > ${ALL} fd00::1 > ff02::1 NA fd00::1 O`])
    expect(neighbours(station)).toEqual([])
  })

  test('about somebody else is not answered', () => {
    const { peer, drops } = scene()
    peer.send(solicit({ target: 'fd00::2', to: [MINE, 'fd00::1'] }))
    expect(peer.heard).toEqual([])
    expect(drops.get('nd-not-for-us')).toBe(1)
  })

  test('too often gets a bounded number of answers and entries', () => {
    const { lan, station, peer, drops } = scene({ neighbours: { maxEntries: 64 } })
    for (let i = 0; i < 1500; i++) {
      peer.device.send(solicit({ target: 'fd00::1', from: `fd00::1:${i.toString(16)}` }))
      if (i % 200 === 0) lan.run(0)
    }
    lan.run(0)
    expect(peer.heard.length).toBe(200)
    expect(drops.get('nd-limited')).toBe(1300)
    expect(station.ethernet.neighbours.length).toBe(64)
  })
})

describe('an address', () => {
  test('is asked about from ::, in a group that was joined before (RFC 4862 §5.4.2)', () => {
    const { lan } = scene({}, [], 0)
    lan.run(3)
    expect(lan.said().slice(0, 2)).toEqual([':: > ff02::16 icmp6 143', `:: > ff02::1:ff00:1 NS ${LINK_LOCAL}`])
  })

  test('is not used for a second after it was asked about (RFC 4862 §5.4)', () => {
    const { lan, station } = scene({}, [], 0)
    lan.run(0.99)
    const askedAt = lan.seen.find(({ text }) => text.includes(' NS '))?.at ?? 9
    lan.run(askedAt + 0.99 - 0.99)
    expect(own(station)).toEqual([`${LINK_LOCAL} tentative`])
    expect(station.host.addresses).toEqual([])
    lan.run(1)
    expect(station.host.addresses).toEqual([LINK_LOCAL])
  })

  test.each([
    ['somebody else asks about it too', () => solicit({ target: LINK_LOCAL, from: '::' })],
    ['somebody has it', () => advertise({ target: LINK_LOCAL, flags: 'O', to: [ALL, 'ff02::1'] })],
  ])('is never used when %s (RFC 4862 §5.4.3, §5.4.4)', (_, message) => {
    const { lan, station, peer } = scene({}, [], 0)
    lan.run(0.99)
    peer.send(message())
    lan.run(10)
    expect(station.host.addresses).toEqual([])
    expect(station.events).toMatchObject([{ type: 'conflict', isLost: true }])
  })

  test('that is still being asked about is not answered for (RFC 4862 §5.4.3)', () => {
    const { lan, peer } = scene({}, [], 0)
    lan.run(0.99)
    peer.heard.length = 0
    peer.send(solicit({ target: LINK_LOCAL, from: 'fe80::99' }))
    expect(peer.heard.filter((text) => text.includes(' NA '))).toEqual([])
  })

  test('set by hand is used at once and given up when somebody has it', () => {
    const { lan, station, peer } = scene({}, ['fd00::1/64'], 0)
    lan.run(0.1)
    peer.send(advertise({ target: 'fd00::1', flags: 'O', to: [ALL, 'ff02::1'] }))
    expect(station.host.addresses).not.toContain('fd00::1')
    lan.run(5)
    expect(station.host.addresses).toEqual([LINK_LOCAL])
  })

  test('once it is ours is not taken by an advertisement (RFC 4862 §5.4.4)', () => {
    const { station, peer, drops } = scene()
    peer.send(advertise({ target: 'fd00::1', flags: 'O', to: [ALL, 'ff02::1'], who: EVIL }))
    expect(station.host.addresses).toContain('fd00::1')
    expect(drops.get('nd-duplicate')).toBe(1)
  })
})

describe('routers', () => {
  test('are asked three times, four seconds apart (RFC 4861 §6.3.7)', () => {
    const { lan } = scene({ slaac: true }, [], 0)
    lan.run(30)
    const asked = lan.seen.filter(({ text }) => text.endsWith('> ff02::2 RS'))
    expect(asked.map(({ at }) => at - asked[0].at)).toEqual([0, expect.closeTo(4, 5), expect.closeTo(8, 5)])
  })

  test('are not asked again once one has answered (RFC 4861 §6.3.7)', () => {
    const { lan, peer } = scene({ slaac: true }, [], 0)
    lan.run(3)
    peer.send(router())
    lan.said()
    lan.run(30)
    expect(lan.said().filter((text) => text.includes(' RS'))).toEqual([])
  })

  test('give an address of their prefix, and a default route for as long as they say (RFC 4862 §5.5.3, RFC 4861 §6.3.4)', () => {
    const { lan, station, peer } = scene({ slaac: true }, [])
    peer.send(router())
    lan.run(3)
    expect(station.host.addresses).toEqual([LINK_LOCAL, SLAAC])
    expect(String(station.host.stack.ip.nextHop(ip('2001:db8:ffff::1')))).toBe('fe80::99')
    expect(String(station.host.stack.ip.nextHop(ip('2001:db8::5')))).toBe('2001:db8::5')
    lan.run(1800)
    expect(station.host.stack.ip.nextHop(ip('2001:db8:ffff::1'))).toBeNull()
  })

  test('that say lifetime 0 are default routers no longer (RFC 4861 §6.3.4)', () => {
    const { station, peer } = scene({ slaac: true }, [])
    peer.send(router())
    peer.send(router({ lifetimeS: 0 }, []))
    expect(station.host.stack.ip.nextHop(ip('2001:db8:ffff::1'))).toBeNull()
  })

  test('that say in an advertisement of a neighbour that they are none are forgotten (RFC 4861 §7.2.5)', () => {
    const { station, peer } = scene({ slaac: true }, [])
    peer.send(router())
    peer.send(advertise({ target: 'fe80::99', flags: 'O', to: [ALL, 'ff02::1'] }))
    expect(station.host.stack.ip.nextHop(ip('2001:db8:ffff::1'))).toBeNull()
  })

  test.each([
    ['behind a router (hop limit 254)', () => router({}, [{}], 'fe80::99', 254), 'nd-bad-hop-limit'],
    ['not from a link-local address', () => router({}, [{}], '2001:db8::99'), 'nd-bad-source'],
    ['of a prefix that is too long for an interface', () => router({}, [{ prefixLength: 80 }]), 'nd-bad-prefix'],
    ['preferred for longer than valid', () => router({}, [{ validS: 10, preferredS: 20 }]), 'nd-bad-prefix'],
    ['of the link-local prefix', () => router({}, [{ prefix: ip('fe80::') }]), 'nd-bad-prefix'],
  ] as const)('are not believed %s (RFC 4861 §6.1.2, RFC 4862 §5.5.3)', (_, message, reason) => {
    const { lan, station, peer, drops } = scene({ slaac: true }, [])
    peer.send(message())
    lan.run(5)
    expect(station.host.addresses).toEqual([LINK_LOCAL])
    expect(drops.get(reason)).toBe(1)
  })

  test('are not believed at all where nobody asked for it', () => {
    const { lan, station, peer } = scene({}, [])
    peer.send(router())
    lan.run(5)
    expect(station.host.addresses).toEqual([LINK_LOCAL])
  })

  test('in a flood fill no more than a few places (RFC 6104)', () => {
    const { lan, station, peer, drops } = scene({ slaac: true }, [])
    for (let i = 1; i < 200; i++) {
      peer.send(router({}, [{ prefix: ip(`2001:db8:${i.toString(16)}::`) }], `fe80::${i.toString(16)}`))
    }
    lan.run(5)
    expect(station.host.addresses.length).toBe(17)
    expect(station.ethernet.link.nd.auto.routers.length).toBe(8)
    expect(drops.get('nd-too-many')).toBeGreaterThan(150)
  })

  test('redirects are not followed', () => {
    const { station, peer, drops } = scene({ slaac: true }, [])
    peer.send(
      icmpv6Frame([PEER, 'fe80::99'], [MINE, LINK_LOCAL], (bytes, at, src, dst) => {
        const message = new NdMessage()
        message.type = ND_TYPE.redirect
        const length = writeNd(message, bytes, at, src, dst)
        ip('fe80::66').write(bytes, at + 8)
        ip('2001:db8::5').write(bytes, at + 24)
        bytes.set([0, 0], at + 2)
        let sum = 58 + length
        for (const part of [src, dst]) {
          const words = new Uint8Array(16)
          part.write(words, 0)
          for (let i = 0; i < 16; i += 2) sum += (words[i] << 8) | words[i + 1]
        }
        for (let i = 0; i < length; i += 2) sum += (bytes[at + i] << 8) | bytes[at + i + 1]
        while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
        bytes.set([(~sum >>> 8) & 255, ~sum & 255], at + 2)
        return length
      }),
    )
    expect(drops.get('nd-redirect')).toBe(1)
    expect(station.ethernet.neighbours).toEqual([])
  })
})

describe('lifetimes', () => {
  const withAddress = (validS: number, preferredS: number) => {
    const all = scene({ slaac: true }, [])
    all.peer.send(router({}, [{ validS, preferredS }]))
    all.lan.run(3)
    return all
  }

  test('an address is deprecated when it is preferred no longer, and goes when it is not valid (RFC 4862 §5.5.4)', () => {
    const { lan, station } = withAddress(100, 50)
    expect(own(station)).toContain(`${SLAAC} preferred`)
    lan.run(48)
    expect(own(station)).toContain(`${SLAAC} deprecated`)
    expect(station.host.stack.ip.isDeprecated(ip(SLAAC))).toBe(true)
    lan.run(50)
    expect(station.host.addresses).toEqual([LINK_LOCAL])
  })

  // RFC 4862 §5.5.3(e), its three rules: remaining before, lifetime said, remaining after; in hours.
  test.each([
    [10, 24, 24, 'longer than what is left is believed'],
    [10, 3, 3, 'longer than two hours is believed'],
    [10, 1, 2, 'short ones cut to two hours'],
    [1, 0.5, 1, 'short ones do nothing within two hours'],
    [1, 1.5, 1.5, 'longer than what is left is believed within two hours too'],
  ])('%d h left, %d h said: %d h (RFC 4862 §5.5.3(e): %s)', (before, said, after) => {
    const { lan, station, peer } = withAddress(before * 3600, 60)
    peer.send(router({}, [{ validS: said * 3600, preferredS: 60 }]))
    const left = station.ethernet.link.nd.auto.addresses[1].validUntil - lan.time.now()
    expect(left / 3.6e9).toBeCloseTo(after, 2)
  })

  test('a deprecated address is preferred again when a router says so (RFC 4862 §5.5.3(e))', () => {
    const { lan, station, peer } = withAddress(7200, 10)
    lan.run(20)
    expect(own(station)).toContain(`${SLAAC} deprecated`)
    peer.send(router({}, [{ validS: 7200, preferredS: 100 }]))
    expect(own(station)).toContain(`${SLAAC} preferred`)
    expect(station.host.stack.ip.isDeprecated(ip(SLAAC))).toBe(false)
  })
})

test('groups are reported when they are joined, and when a router asks (RFC 3810 §6.1, §6.2)', () => {
  const { lan, station, peer } = scene()
  expect(station.ethernet.link.nd.mld.groups.map(String).sort()).toEqual(['ff02::1:ff00:1'])
  const query = icmpv6Frame(
    [PEER, 'fe80::99'],
    [ALL, 'ff02::1'],
    (bytes, at, src, dst) => {
      bytes.set([130, 0, 0, 0, 0x03, 0xe8], at) // within a second
      let sum = 58 + 28 + 0x8200 + 0x03e8
      for (const part of [src, dst]) {
        const words = new Uint8Array(16)
        part.write(words, 0)
        for (let i = 0; i < 16; i += 2) sum += (words[i] << 8) | words[i + 1]
      }
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
      bytes.set([(~sum >>> 8) & 255, ~sum & 255], at + 2)
      return 28
    },
    1,
  )
  peer.send(query)
  lan.run(1)
  expect(lan.said()).toEqual([`${LINK_LOCAL} > ff02::16 icmp6 143`])
})
