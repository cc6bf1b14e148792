// The DNS server: zones, negative answers, truncation, forwarding.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { SECOND } from '../../src/base/time.ts'
import {
  createMessage,
  type DnsMessage,
  DnsServer,
  formatRecord,
  OPCODE,
  parseMessage,
  parseZoneText,
  RCODE,
  readTtl,
  TYPE,
  writeMessage,
  Zone,
} from '../../src/dns/index.ts'
import { serverAt, World } from './world.ts'

const TEXT = `
$TTL 5m
@ IN SOA ns admin.example.com. (
    2026112101 ; serial
    1h 10m 1d
    30 )
    NS ns
    MX 10 mail
ns A 192.0.2.53
mail 1h IN A 192.0.2.25
www IN 60 CNAME web
web A 192.0.2.80
*.wild A 192.0.2.99
*.wild TXT "any"
there.wild A 192.0.2.98
a.deep.down A 192.0.2.97
child NS ns.child
ns.child A 192.0.2.54
text TXT "two words; no comment" plain "\\"q\\" \\065"
raw TYPE65280 \\# 3 0a0B 0c
circle CNAME circle2
circle2 CNAME circle
big TXT ${Array.from({ length: 12 }, (_, i) => `"${String(i).repeat(100)}"`).join(' ')}
$ORIGIN sub.example.com.
host AAAA 2001:db8::1
`

const server = (): DnsServer =>
  new DnsServer({ zones: [{ origin: 'example.com', text: TEXT }], random: new SeededRandom(1) })

function ask(
  name: string,
  type: number = TYPE.A,
  change: Partial<DnsMessage> = {},
  via: 'udp' | 'tcp' = 'udp',
  to = server(),
): DnsMessage {
  const query = createMessage({ id: 7, recursionDesired: true, questions: [{ name, type, class: 1 }], ...change })
  const reply = createMessage()
  let count = 0
  to.handleQuery(writeMessage(query), via, SECOND, (bytes) => {
    count++
    expect(parseMessage(bytes, reply)).toBe('ok')
    if (via === 'udp') expect(bytes.length).toBeLessThanOrEqual(Math.max(512, query.edns?.udpBytes ?? 0))
  })
  expect(count).toBe(1)
  expect([reply.id, reply.isResponse]).toEqual([7, true])
  return reply
}

const answers = ({ answers }: DnsMessage): string[] => answers.map((r) => formatRecord(r).replaceAll('\t', ' '))

describe('a zone', () => {
  test('answers with authority, the case of the question kept', () => {
    const reply = ask('WEB.example.com')
    expect([reply.authoritative, reply.rcode]).toEqual([true, 0])
    expect(answers(reply)).toEqual(['WEB.example.com. 300 IN A 192.0.2.80'])
    expect(reply.questions[0].name).toBe('WEB.example.com')
  })

  test('follows an alias (RFC 1034 §4.3.2), and a circle of them is SERVFAIL', () => {
    expect(answers(ask('www.example.com'))).toEqual([
      'www.example.com. 60 IN CNAME web.example.com.',
      'web.example.com. 300 IN A 192.0.2.80',
    ])
    expect(answers(ask('www.example.com', TYPE.CNAME)).length).toBe(1)
    expect(ask('circle.example.com').rcode).toBe(RCODE.SERVFAIL)
  })

  test('a wildcard answers for names that are not there, and only for those (RFC 4592)', () => {
    expect(answers(ask('x.wild.example.com'))).toEqual(['x.wild.example.com. 300 IN A 192.0.2.99'])
    expect(answers(ask('x.y.wild.example.com'))).toEqual(['x.y.wild.example.com. 300 IN A 192.0.2.99'])
    expect(ask('there.wild.example.com', TYPE.TXT)).toMatchObject({ rcode: 0, answers: [] })
    expect(ask('x.there.wild.example.com').rcode).toBe(RCODE.NXDOMAIN)
  })

  test('"no" comes with the SOA and the lesser of its times (RFC 2308 §3)', () => {
    const nx = ask('no.example.com')
    expect([nx.rcode, nx.authorities.map((r) => [r.type, r.ttlS])]).toEqual([RCODE.NXDOMAIN, [[TYPE.SOA, 30]]])
    const nodata = ask('web.example.com', TYPE.AAAA)
    expect([nodata.rcode, nodata.answers, nodata.authorities.length]).toEqual([0, [], 1])
  })

  test('a name with names below it is there, without records (RFC 4592 §2.2.2)', () => {
    expect(ask('deep.down.example.com').rcode).toBe(RCODE.NOERROR)
    expect(ask('down.example.com').rcode).toBe(RCODE.NOERROR)
    expect(ask('x.down.example.com').rcode).toBe(RCODE.NXDOMAIN)
  })

  test('what is handed to other servers is a referral with their addresses (RFC 1034 §4.3.2)', () => {
    const reply = ask('host.child.example.com')
    expect([reply.authoritative, reply.answers.length, reply.authorities[0].type]).toEqual([false, 0, TYPE.NS])
    expect(reply.additionals.map((r) => r.name)).toEqual(['ns.child.example.com'])
  })

  test('its text may have TTLs with units, names left out, parentheses, strings and unknown types', () => {
    expect(answers(ask('mail.example.com'))[0]).toContain(' 3600 IN A')
    expect(answers(ask('example.com', TYPE.MX))).toEqual(['example.com. 300 IN MX 10 mail.example.com.'])
    expect(answers(ask('text.example.com', TYPE.TXT))[0]).toContain('"two words; no comment" "plain" "\\"q\\" A"')
    expect(answers(ask('raw.example.com', 65_280))[0]).toContain('TYPE65280 \\# 3 0A0B0C')
    expect(answers(ask('host.sub.example.com', TYPE.AAAA))[0]).toContain('2001:db8::1')
    expect(answers(ask('example.com', TYPE.SOA))[0]).toContain(
      'ns.example.com. admin.example.com. 2026112101 3600 600 86400 30',
    )
    expect([readTtl('1h30m'), readTtl('1w'), readTtl('x'), readTtl('99999999999')]).toEqual([5400, 604_800, null, null])
  })

  test.each([
    ['www A 300.1.1.1', "line 1 of the zone: '300.1.1.1' is no address of this type"],
    ['\nwww NONE x', "line 2 of the zone: 'NONE' is no type of record"],
    ['www MX mail', '2 words expected behind the type, not 1'],
    ['$INCLUDE x', '$INCLUDE is not known here'],
    ['www HTTPS 1 .', 'write its octets'],
    ['a..b A 1.1.1.1', "'a..b' is no domain name"],
  ])('text that is none is refused with its line: %s', (text, message) => {
    expect(() => parseZoneText(text, 'example.com')).toThrow(message)
  })

  test('a CNAME beside other records, and a record outside, are refused (RFC 1034 §3.6.2)', () => {
    expect(() => new Zone({ origin: 'a', text: 'x A 1.1.1.1\nx CNAME y' })).toThrow('CNAME and other records')
    expect(() => new Zone({ origin: 'a', text: 'x.b. A 1.1.1.1' })).toThrow('not in the zone')
  })
})

describe('the server', () => {
  test('what does not fit into a datagram is truncated, and whole over TCP (RFC 2181 §9)', () => {
    expect(ask('big.example.com', TYPE.TXT)).toMatchObject({ truncated: true, answers: [] })
    expect(ask('big.example.com', TYPE.TXT, {}, 'tcp')).toMatchObject({ truncated: false })
    const edns = { udpBytes: 4096, version: 0, dnssecOk: false, options: [] }
    // Our own bound counts too.
    expect(ask('big.example.com', TYPE.TXT, { edns })).toMatchObject({ truncated: true, edns: { udpBytes: 1232 } })
  })

  test('OPT is answered with OPT, another version with BADVERS (RFC 6891 §6.1.3)', () => {
    const edns = { udpBytes: 1232, version: 1, dnssecOk: false, options: [] }
    expect(ask('web.example.com', TYPE.A, { edns })).toMatchObject({ rcode: RCODE.BADVERS, edns: { version: 0 } })
    expect(ask('web.example.com').edns).toBe(null)
  })

  test('what it does not do is said: NOTIMP, FORMERR, REFUSED', () => {
    expect(ask('web.example.com', TYPE.A, { opcode: OPCODE.UPDATE }).rcode).toBe(RCODE.NOTIMP)
    expect(ask('web.example.com', TYPE.A, { questions: [] }).rcode).toBe(RCODE.FORMERR)
    expect(ask('example.org').rcode).toBe(RCODE.REFUSED)
    expect(ask('example.com', TYPE.AXFR, {}, 'tcp').rcode).toBe(RCODE.REFUSED)
  })

  test('replies and scraps are not answered, so that two servers do not talk for ever', () => {
    const to = server()
    to.handleQuery(writeMessage(createMessage({ isResponse: true })), 'udp', 0, () => expect.unreachable())
    to.handleQuery(new Uint8Array(11), 'udp', 0, () => expect.unreachable())
    expect(to.counters.dropped).toBe(2)
  })

  test('any octets are answered or dropped, never thrown at', () => {
    const random = new SeededRandom(3)
    const to = server()
    const good = writeMessage(createMessage({ questions: [{ name: 'web.example.com', type: 1, class: 1 }] }))
    for (let i = 0; i < 5000; i++) {
      const bytes = good.slice(0, (random.int32() >>> 0) % (good.length + 1))
      for (let n = 0; n < 3 && bytes.length > 0; n++) bytes[(random.int32() >>> 0) % bytes.length] = random.int32()
      to.handleQuery(bytes, 'udp', 0, (reply) => expect(parseMessage(reply, createMessage())).toBe('ok'))
    }
  })

  test('other names are asked for above, with an id of its own; the client gets its own back', () => {
    const w = new World({ servers: 1 })
    w.serve(2, { zones: [{ origin: 'example.com', text: TEXT }] })
    const forwarder = w.serve(1, {
      zones: [{ origin: 'local', text: 'box A 192.0.2.200' }],
      upstream: { servers: [serverAt(2)] },
    })
    const kinds: string[] = []
    const types: [string, number][] = [
      ['web.example.com', TYPE.A],
      ['no.example.com', TYPE.A],
      ['box.local', TYPE.A],
      ['big.example.com', TYPE.TXT],
    ]
    for (const [name, type] of types) {
      w.resolver.resolve(name, type, w.now, (a) => kinds.push(`${name} ${a.kind} ${a.records.length} ${a.ttlS}`))
    }
    w.run()
    expect(kinds.sort()).toEqual([
      'big.example.com ok 1 300',
      'box.local ok 1 3600',
      'no.example.com nxdomain 0 30',
      'web.example.com ok 1 300',
    ])
    expect(forwarder.counters).toMatchObject({ authoritative: 1, refused: 0 })
    expect(w.openCount).toBe(0)
  })

  test('when nobody above answers, it is SERVFAIL; without RD it is REFUSED', () => {
    const w = new World({ config: { timeoutUs: 30 * SECOND } })
    w.serve(1, { upstream: { servers: [serverAt(2)], timeoutUs: SECOND } })
    let kind = ''
    w.resolver.resolve('example.com', TYPE.A, w.now, (a) => {
      kind = a.kind
    })
    w.run()
    expect(kind).toBe('servfail')
    const to = new DnsServer({ upstream: { servers: [serverAt(2)] }, random: new SeededRandom(1) })
    expect(ask('example.com', TYPE.A, { recursionDesired: false }, 'udp', to).rcode).toBe(RCODE.REFUSED)
  })
})
