import { describe, expect, test } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { parseCidr } from '../../src/ip/address.ts'
import { CONTROL_QUEUE_PACKETS, type EchoReply, type TransportError } from '../../src/ip/control.ts'
import { PROTOCOL } from '../../src/ip/header.ts'
import { hex, host, icmp, ip, type Made, make, slowChecksum } from './helpers.ts'

const data = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i)

/** An echo request to `dst`. */
function ping(dst: string, body: Uint8Array, rest: Made = {}) {
  const is6 = dst.includes(':')
  const src = rest.src ?? (is6 ? 'fd00::1' : '10.0.0.1')
  const payload = is6 ? icmp(128, 0, '12340001', body, src, dst) : icmp(8, 0, '12340001', body)
  return make({ protocol: is6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP, ...rest, src, dst, payload })
}

/** An error about a packet that 10.0.0.2 (or fd00::2) sent. */
function error(type: number, code: number, rest: string, quote: Uint8Array, dst = '10.0.0.2', src?: string) {
  const is6 = dst.includes(':')
  const from = src ?? (is6 ? 'fd00::99' : '192.0.2.99')
  const payload = is6 ? icmp(type, code, rest, quote, from, dst) : icmp(type, code, rest, quote)
  return make({ protocol: is6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP, src: from, dst, payload })
}

/** The head of a TCP segment of ours, ports 4660 > 80, sequence 0x89abcdef. */
function quoteOf(made: Made = {}, bytes = 28): Uint8Array {
  const is6 = made.dst?.includes(':')
  const src = is6 ? 'fd00::2' : '10.0.0.2'
  const packet = make({ src, dst: '10.0.0.1', payload: hex('1234 0050 89abcdef 00000000 50020000 00000000'), ...made })
  return packet.bytes.slice(packet.start, packet.start + bytes)
}

describe('echo (RFC 1122 §3.2.2.6, RFC 4443 §4.2)', () => {
  test.each(['10.0.0.2', 'fd00::2'])(
    'a ping of %s is answered at any size up to the MTU, the data unchanged',
    (dst) => {
      const most = 1500 - (dst.includes(':') ? 40 : 20) - 8
      for (const size of [0, 1, 56, 511, 512, 1000, most - 1, most]) {
        const { take, sent, layer } = host()
        expect(take(ping(dst, data(size)))).toBe('ok')
        const [reply, ...more] = sent()
        expect(more).toEqual([])
        expect([`${reply.header.src}`, `${reply.header.dst}`]).toEqual([
          dst,
          dst.includes(':') ? 'fd00::1' : '10.0.0.1',
        ])
        expect([reply.body[0], reply.body[1]]).toEqual([dst.includes(':') ? 129 : 0, 0])
        expect(reply.body.subarray(4)).toEqual(Uint8Array.from([0x12, 0x34, 0, 1, ...data(size)]))
        if (!dst.includes(':')) expect(slowChecksum(reply.body)).toBe(0)
        else
          expect(
            host({ addresses: [parseCidr('fd00::1/64')] }).take(
              make({ src: dst, dst: 'fd00::1', protocol: 58, payload: reply.body }),
            ),
          ).toBe('icmp-ignored')
        expect(layer.counters.echoRequests).toBe(1)
      }
    },
  )

  test('a reply beyond the MTU goes in fragments (RFC 1122 §3.3.3)', () => {
    const { take, sent } = host()
    expect(take(ping('10.0.0.2', data(1473)))).toBe('ok')
    expect(sent().map(({ header }) => [header.fragmentOffset, header.moreFragments, header.totalBytes])).toEqual([
      [0, true, 1500],
      [1480, false, 21],
    ])
  })

  test('a ping with IPv4 options or IPv6 extension headers is answered without them', () => {
    const { take, sent } = host()
    expect(take(ping('10.0.0.2', data(56), { extra: hex('01010100') }))).toBe('ok')
    expect(sent()[0].bytes).toHaveLength(20 + 8 + 56)
    const six = make({
      dst: 'fd00::2',
      protocol: 60,
      extra: hex('3a 00 01 04 00000000'),
      payload: icmp(128, 0, '00010002', data(9), 'fd00::1', 'fd00::2'),
    })
    expect(take(six)).toBe('ok')
    expect(sent()[0].bytes).toHaveLength(40 + 8 + 9)
  })

  test.each([
    ['255.255.255.255', '10.0.0.2'],
    ['10.0.0.255', '10.0.0.2'],
    ['224.0.0.1', '10.0.0.2'],
    ['ff02::1', 'fd00::2'],
  ])('a ping of %s is answered from an own address', (dst, own) => {
    const { take, sent } = host()
    expect(take(ping(dst, data(8)))).toBe('ok')
    expect(`${sent()[0].header.src}`).toBe(own)
  })

  test('the reply keeps the DSCP and not the ECN bits (RFC 1349 §5.1, RFC 3168 §6)', () => {
    const { take, sent } = host()
    take(ping('10.0.0.2', data(8), { trafficClass: 0xb9 }))
    expect(sent()[0].header.trafficClass).toBe(0xb8)
  })

  test('a wrong checksum, a truncated message and a source without a route get no answer', () => {
    const { take, sent } = host({ routes: [] })
    const bad = ping('10.0.0.2', data(8))
    bad.bytes[bad.end - 1] ^= 1
    expect(take(bad)).toBe('icmp-bad-checksum')
    expect(take(make({ protocol: 1, payload: data(7) }))).toBe('icmp-too-short')
    expect(take(ping('10.0.0.2', data(8), { src: '192.0.2.1' }))).toBe('ip-no-route')
    expect(sent()).toEqual([])
  })

  test('the queue of replies is bounded, and drains in order', () => {
    const { take, sent, layer } = host()
    for (let i = 0; i < CONTROL_QUEUE_PACKETS; i++) expect(take(ping('10.0.0.2', data(i)))).toBe('ok')
    expect(take(ping('10.0.0.2', data(8)))).toBe('icmp-queue-full')
    expect(sent().map((p) => p.body.length - 8)).toEqual([...data(CONTROL_QUEUE_PACKETS)])
    expect(layer.drops.get('icmp-queue-full')).toBe(1)
    expect(take(ping('10.0.0.2', data(8)))).toBe('ok')
  })

  test.each([
    ['10.0.0.2', '10.0.0.1'],
    ['fd00::2', 'fd00::1'],
  ])('two hosts ping each other (%s, %s)', (a, b) => {
    const near = host({ addresses: [parseCidr(`${a}/24`)] })
    const far = host({ addresses: [parseCidr(`${b}/24`)] })
    const replies: EchoReply[] = []
    near.layer.onEchoReply = (reply) => replies.push(reply)
    expect(near.layer.sendEchoRequest(ip(b), 7, 65537, data(32))).toBe('ok')
    const carry = (bytes: Uint8Array) => {
      const packet = make({})
      packet.bytes = Uint8Array.from([...new Uint8Array(32), ...bytes])
      packet.end = packet.bytes.length
      return packet
    }
    expect(far.take(carry(near.sent()[0].bytes))).toBe('ok')
    expect(near.take(carry(far.sent()[0].bytes))).toBe('ok')
    expect(replies).toEqual([{ src: ip(b), identifier: 7, sequence: 1, hopLimit: 64, payload: data(32) }])
  })

  test('a ping that cannot be sent says why', () => {
    const { layer } = host({ routes: [] })
    expect(layer.sendEchoRequest(ip('192.0.2.1'), 1, 1, data(8))).toBe('ip-no-route')
    expect(layer.sendEchoRequest(ip('10.0.0.1'), 1, 1, new Uint8Array(65508))).toBe('icmp-too-big')
  })
})

describe('errors about our packets', () => {
  function told(packet: ReturnType<typeof make>) {
    const { layer, take } = host()
    const errors: TransportError[] = []
    layer.onTransportError = (e) => errors.push(e)
    return { verdict: take(packet), errors, layer }
  }

  test.each([
    ['unreachable', 3, 1, '00000000', 0],
    ['packet-too-big', 3, 4, '00000514', 1300],
    ['packet-too-big', 3, 4, '00000000', 0], // an old router (RFC 1191 §5)
    ['time-exceeded', 11, 0, '00000000', 0],
    ['parameter-problem', 12, 0, '14000000', 0],
  ])('%s is handed up with ports and sequence number (RFC 1122 §3.2.2)', (kind, type, code, rest, mtu) => {
    const { verdict, errors, layer } = told(error(type, code, rest, quoteOf()))
    expect(verdict).toBe('ok')
    const sequence = 0x89abcdef | 0
    const ends = { src: ip('10.0.0.2'), dst: ip('10.0.0.1'), sourcePort: 0x1234, destinationPort: 80, sequence }
    const reporter = ip('192.0.2.99')
    expect(errors).toEqual([{ kind, type, code, mtu, packetBytes: 40, protocol: 6, reporter, ...ends }])
    expect(layer.counters.errorsReceived).toBe(1)
  })

  test.each([
    ['unreachable', 1, 4, '00000000', 0],
    ['packet-too-big', 2, 0, '00000500', 1280],
    ['time-exceeded', 3, 0, '00000000', 0],
    ['parameter-problem', 4, 1, '00000006', 0],
  ])('%s of IPv6 is handed up too (RFC 4443 §2.4(d))', (kind, type, code, rest, mtu) => {
    const { verdict, errors } = told(error(type, code, rest, quoteOf({ dst: 'fd00::1' }, 60), 'fd00::2'))
    expect(verdict).toBe('ok')
    expect(errors).toMatchObject([{ kind, mtu, sourcePort: 0x1234, dst: ip('fd00::1'), sequence: 0x89abcdef | 0 }])
  })

  test('options in the quoted header are skipped, and its changed length and checksum do not matter', () => {
    const quote = quoteOf({ extra: hex('01010100') }, 32)
    quote[2] = 0
    quote[10] ^= 0xff
    expect(told(error(3, 1, '00000000', quote)).errors).toMatchObject([{ sourcePort: 0x1234 }])
  })

  test('every quote that is cut off before the sequence number ends is refused', () => {
    for (let n = 0; n < 28; n++) {
      const { verdict, errors } = told(error(3, 1, '00000000', quoteOf({}, n)))
      expect([n, verdict, errors]).toEqual([n, 'icmp-bad-quote', []])
    }
    for (let n = 0; n < 48; n++) {
      expect(told(error(1, 0, '00000000', quoteOf({ dst: 'fd00::1' }, n), 'fd00::2')).verdict).toBe('icmp-bad-quote')
    }
  })

  test('a quote of what we did not send is refused (RFC 5927 §4)', () => {
    const refused = (quote: Uint8Array, dst?: string) => told(error(3, 1, '00000000', quote, dst)).verdict
    expect(refused(quoteOf({ src: '10.0.0.7' }))).toBe('icmp-bad-quote')
    expect(refused(quoteOf({ fragmentOffset: 8 }))).toBe('icmp-bad-quote')
    expect(refused(quoteOf({ dst: 'fd00::1' }, 60))).toBe('icmp-bad-quote') // the other family
    expect(refused(quoteOf({ protocol: 1 }))).toBe('icmp-ignored')
    expect(refused(quoteOf(), '10.0.0.255')).toBe('icmp-ignored') // errors come to one host
  })

  test('without a listener an error is counted and forgotten', () => {
    const { take, layer } = host()
    expect(take(error(3, 1, '00000000', quoteOf()))).toBe('ok')
    expect(layer.counters.errorsReceived).toBe(1)
  })
})

describe('what is ignored', () => {
  test.each([
    ['redirect', 5],
    ['source quench (RFC 6633)', 4],
    ['timestamp', 13],
    ['unknown', 200],
  ])('ICMP %s', (_, type) => {
    const { take, sent } = host()
    expect(take(make({ protocol: 1, payload: icmp(type, 0, '00000000', data(20)) }))).toBe('icmp-ignored')
    expect(sent()).toEqual([])
  })

  test.each([
    ['router solicitation', 133, 'ff02::2'],
    ['neighbour solicitation', 135, 'fd00::2'],
    ['MLDv2 report', 143, 'ff02::16'],
  ])('ICMPv6 %s, which Linux sends on a TUN', (_, type, dst) => {
    const { take, sent, layer } = host()
    const src = 'fe80::1'
    const packet = make({ src, dst, protocol: 58, payload: icmp(type, 0, '00000000', data(16), src, dst) })
    expect(take(packet)).toBe('icmp-ignored')
    expect(sent()).toEqual([])
    expect(layer.drops.toJSON()).toEqual({ 'icmp-ignored': 1 })
  })

  test('an echo reply that nobody waits for', () => {
    expect(host().take(make({ protocol: 1, payload: icmp(0, 0, '00010001', data(8)) }))).toBe('icmp-ignored')
  })
})

describe('errors that we send', () => {
  function refuse(made: Made, now = 0, h = host()) {
    expect(h.layer.receive(make(made), h.header)).toBe('ok')
    const queued = h.layer.queueUnreachable(make(made), h.header, 'protocol', now)
    return { queued, sent: h.sent(), layer: h.layer }
  }

  test('an unknown protocol of IPv4: protocol unreachable, quoting the packet (RFC 1122 §3.2.2.1)', () => {
    const made = { protocol: 99, payload: data(100) }
    const { queued, sent, layer } = refuse(made)
    expect(queued).toBe(true)
    const packet = make(made)
    expect([...sent[0].body.subarray(0, 2)]).toEqual([3, 2])
    expect(slowChecksum(sent[0].body)).toBe(0)
    expect(sent[0].body.subarray(8)).toEqual(packet.bytes.subarray(packet.start, packet.end))
    expect([`${sent[0].header.src}`, `${sent[0].header.dst}`]).toEqual(['10.0.0.2', '10.0.0.1'])
    expect(layer.drops.get('ip-unknown-protocol')).toBe(1)
    expect(layer.counters.errorsSent).toBe(1)
  })

  test('an unknown next header of IPv6: parameter problem, pointing at it (RFC 8200 §4)', () => {
    const extra = hex('63 00 01 04 00000000')
    const { sent } = refuse({ dst: 'fd00::2', protocol: 60, extra, payload: data(100) })
    expect([...sent[0].body.subarray(0, 2)]).toEqual([4, 1])
    expect([...sent[0].body.subarray(4, 8)]).toEqual([0, 0, 0, 40])
    expect(sent[0].body[8 + 40]).toBe(99)
  })

  test('ICMP of the other family is an unknown protocol', () => {
    const { take, sent } = host()
    expect(take(make({ protocol: PROTOCOL.ICMPV6, payload: data(8) }))).toBe('ip-unknown-protocol')
    expect(take(make({ dst: 'fd00::2', protocol: PROTOCOL.ICMP, payload: data(8) }))).toBe('ip-unknown-protocol')
    expect(sent().map((p) => p.body[0])).toEqual([3, 4])
  })

  test('a closed port (RFC 1122 §3.2.2.1, RFC 4443 §3.1)', () => {
    const h = host()
    for (const dst of ['10.0.0.2', 'fd00::2']) {
      const packet = make({ dst, protocol: 17, payload: data(20) })
      h.layer.receive(packet, h.header)
      expect(h.layer.queueUnreachable(packet, h.header, 'port', 0)).toBe(true)
    }
    expect(h.sent().map((p) => [...p.body.subarray(0, 2)])).toEqual([
      [3, 3],
      [1, 4],
    ])
    expect(h.layer.drops.total).toBe(0)
  })

  test('an error quotes as much as fits, and no more (RFC 1812 §4.3.2.3, RFC 4443 §2.4(c))', () => {
    expect(refuse({ protocol: 99, payload: data(1400) }).sent[0].bytes).toHaveLength(576)
    expect(refuse({ dst: 'fd00::2', protocol: 99, payload: data(1400) }).sent[0].bytes).toHaveLength(1280)
  })

  test.each<[string, Made]>([
    ['to a broadcast address', { protocol: 99, dst: '10.0.0.255' }],
    ['to a multicast group', { protocol: 99, dst: '224.0.0.251' }],
    ['to an IPv6 group', { protocol: 99, dst: 'ff02::fb' }],
    ['from class E', { protocol: 99, src: '240.0.0.1' }],
    ['an ICMP error', { protocol: 1, payload: icmp(3, 1, '00000000', data(28)) }],
    ['an unknown ICMP type', { protocol: 1, payload: icmp(200, 1, '00000000', data(28)) }],
    ['an empty ICMP message', { protocol: 1 }],
    ['an ICMPv6 error', { dst: 'fd00::2', protocol: 58, payload: data(28) }],
    ['an ICMPv6 redirect', { dst: 'fd00::2', protocol: 58, payload: icmp(137, 0, '00000000', data(28)) }],
    ['no next header', { dst: 'fd00::2', protocol: 59 }],
  ])('never about what was %s (RFC 1122 §3.2.2, RFC 4443 §2.4(e))', (_, made) => {
    expect(refuse(made)).toMatchObject({ queued: false, sent: [] })
  })

  test('never about a later fragment, nor to a source that is not one host (RFC 1122 §3.2.2)', () => {
    for (const made of [
      { fragmentOffset: 8 },
      { src: '127.0.0.1' },
      { src: '0.0.0.1' },
      { src: '224.0.0.1' },
      { src: '::', dst: 'fd00::2' },
    ]) {
      const { layer, header, sent } = host()
      const packet = make({ protocol: 99, ...made })
      expect(layer.receive(packet, header)).not.toBe('ok')
      header.toUnicast = true
      expect(layer.queueUnreachable(packet, header, 'protocol', 0)).toBe(false)
      expect(sent()).toEqual([])
    }
  })

  test('errors are limited in rate, echoes are not (RFC 4443 §2.4(f))', () => {
    const h = host({ errorsPerSecond: 10, errorBurst: 2 })
    const made = { protocol: 99, payload: data(8) }
    const queued = [0, 1, 2, 0.1 * SECOND, 0.15 * SECOND, 9 * SECOND].map((now) => refuse(made, now, h).queued)
    expect(queued).toEqual([true, true, false, true, false, true])
    expect(h.layer.counters.errorsLimited).toBe(2)
    for (let i = 0; i < 30; i++) expect(h.take(ping('10.0.0.2', data(8)))).toBe('ok')
  })

  test('no route back, no error', () => {
    const h = host({ routes: [] })
    expect(refuse({ protocol: 99, src: '192.0.2.1' }, 0, h).queued).toBe(false)
    expect(refuse({ protocol: 99 }, 0, h).queued).toBe(true)
  })

  test('a full queue holds errors back too', () => {
    const h = host({ errorBurst: 1000 })
    for (let i = 0; i < CONTROL_QUEUE_PACKETS; i++) h.take(ping('10.0.0.2', data(1)))
    const packet = make({ protocol: 99 })
    h.layer.receive(packet, h.header)
    expect(h.layer.queueUnreachable(packet, h.header, 'protocol', 0)).toBe(false)
    expect(h.layer.drops.get('icmp-queue-full')).toBe(1)
  })

  test.each([
    ['an unknown option 10', 60, '06 00 80 04 00000000', 'fd00::2', [4, 2], 42],
    ['an unknown option 10 to a group', 60, '06 00 80 04 00000000', 'ff02::1', [4, 2], 42],
    ['an unknown option 11', 0, '06 00 c2 04 00000000', 'fd00::2', [4, 2], 42],
    ['a routing header with segments left', 43, '06 00 04 01 00000000', 'fd00::2', [4, 0], 42],
  ])('%s is answered with a parameter problem (RFC 8200 §4.2, §4.4)', (_, protocol, extra, dst, typeCode, pointer) => {
    const { take, sent } = host()
    expect(take(make({ dst, protocol, extra: hex(extra), payload: data(20) }))).not.toBe('ok')
    const [reply] = sent()
    expect([...reply.body.subarray(0, 2)]).toEqual(typeCode)
    expect(reply.body[7]).toBe(pointer)
    expect(`${reply.header.src}`).toBe('fd00::2')
  })

  test.each([
    ['an unknown option 11 to a group', 60, '06 00 c2 04 00000000', 'ff02::1', 'fd00::1'],
    ['an unknown option 01', 60, '06 00 40 04 00000000', 'fd00::2', 'fd00::1'],
    ['a bad header for somebody else', 60, '06 00 80 04 00000000', 'fd00::3', 'fd00::1'],
    ['a bad header from a martian', 60, '06 00 80 04 00000000', 'fd00::2', '::1'],
  ])('%s is dropped in silence (RFC 8200 §4.2)', (_, protocol, extra, dst, src) => {
    const { take, sent } = host()
    expect(take(make({ src, dst, protocol, extra: hex(extra), payload: data(20) }))).not.toBe('ok')
    expect(sent()).toEqual([])
  })
})
