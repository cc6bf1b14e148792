// The codec of DNS against its RFCs, against itself, cut short at every octet, and against the package dns-packet.

import { Buffer } from 'node:buffer'
import { type Answer, decode, encode, type Packet } from 'dns-packet'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import * as dns from '../../src/dns/index.ts'
import { IpAddress } from '../../src/ip/address.ts'

const IN = dns.CLASS.IN

function record(name: string, type: number, data: dns.RecordData, ttlS = 300): dns.DnsRecord {
  return { name, type, class: IN, ttlS, data }
}

const address = (text: string): dns.RecordData => ({ kind: 'address', address: IpAddress.parse(text) })
const target = (text: string): dns.RecordData => ({ kind: 'name', target: text })
const soa: dns.SoaData = {
  kind: 'soa',
  primary: 'ns.example.com',
  mailbox: 'host\\.master.example.com',
  serial: 0xfffffffe,
  refreshS: 1,
  retryS: 2,
  expireS: 3,
  minimumS: 60,
}

/** One record of every kind. */
const RECORDS: readonly dns.DnsRecord[] = [
  record('www.example.com', dns.TYPE.A, address('192.0.2.1')),
  record('www.example.com', dns.TYPE.AAAA, address('2001:db8::1')),
  record('alias.example.com', dns.TYPE.CNAME, target('www.example.com')),
  record('1.2.0.192.in-addr.arpa', dns.TYPE.PTR, target('www.example.com')),
  record('example.com', dns.TYPE.NS, target('ns.example.com')),
  record('example.com', dns.TYPE.MX, { kind: 'mx', preference: 10, exchange: 'mail.example.com' }),
  record('_http._tcp.example.com', dns.TYPE.SRV, {
    kind: 'srv',
    priority: 1,
    weight: 2,
    port: 80,
    target: 'www.example.com',
  }),
  record('example.com', dns.TYPE.TXT, { kind: 'txt', strings: [Uint8Array.of(0, 34, 92, 255), new Uint8Array(255)] }),
  record('example.com', dns.TYPE.SOA, soa),
  record('example.com', dns.TYPE.HTTPS, { kind: 'raw', bytes: Uint8Array.of(0, 1, 0) }),
  record('', 999, { kind: 'raw', bytes: new Uint8Array(0) }, 0x7fffffff),
]

function full(): dns.DnsMessage {
  return dns.createMessage({
    id: 0xbeef,
    isResponse: true,
    authoritative: true,
    recursionDesired: true,
    rcode: dns.RCODE.BADVERS,
    questions: [{ name: 'Example.COM', type: dns.TYPE.ANY, class: IN }],
    answers: RECORDS.slice(0, 5),
    authorities: RECORDS.slice(5, 9),
    additionals: RECORDS.slice(9),
    edns: { udpBytes: 1232, version: 0, dnssecOk: true, options: [{ code: 10, bytes: Uint8Array.of(1, 2, 3) }] },
  })
}

function read(bytes: Uint8Array): { verdict: dns.DnsVerdict; message: dns.DnsMessage } {
  const message = dns.createMessage()
  return { verdict: dns.parseMessage(bytes, message), message }
}

describe('messages', () => {
  test('what was written is read back, every kind of record (RFC 1035 §4.1)', () => {
    const { verdict, message } = read(dns.writeMessage(full()))
    expect(verdict).toBe('ok')
    expect(message).toEqual(full())
  })

  test('a message cut short at any octet says so and does not throw', () => {
    const bytes = dns.writeMessage(full())
    for (let length = 0; length < bytes.length; length++) {
      expect(read(bytes.subarray(0, length)).verdict, `${length} octets`).toBe('short')
    }
  })

  test('octets changed by chance never throw and never give more records than there is room for', () => {
    const random = new SeededRandom(1)
    const good = dns.writeMessage(full())
    const verdicts = new Set<string>()
    for (let i = 0; i < 6000; i++) {
      const bytes = good.slice()
      for (let n = 0; n <= (random.int32() & 3); n++) bytes[(random.int32() >>> 0) % bytes.length] = random.int32()
      const { verdict, message } = read(bytes)
      verdicts.add(verdict)
      expect(message.answers.length).toBeLessThan(bytes.length / 11)
    }
    expect([...verdicts].sort()).toEqual(
      ['bad-label', 'bad-pointer', 'bad-record', 'many-records', 'ok', 'short'].sort(),
    )
  })

  test('names are compressed, case kept, and pointers lead to the first of them (RFC 1035 §4.1.4)', () => {
    const question = { name: 'a.example.com', type: 1, class: IN }
    const message = dns.createMessage({
      questions: [question],
      answers: [record('b.example.com', 1, address('1.2.3.4'))],
    })
    const bytes = dns.writeMessage(message)
    // 12 + (15 + 4) + (1 'b' pointer = 4) + 10 + 4
    expect(bytes.length).toBe(12 + 19 + 4 + 14)
    expect([...bytes.subarray(31, 35)]).toEqual([1, 98, 0xc0, 14])
  })

  test('the target of SRV is not compressed (RFC 2782)', () => {
    const one = record('example.com', dns.TYPE.SRV, {
      kind: 'srv',
      priority: 0,
      weight: 0,
      port: 1,
      target: 'example.com',
    })
    expect(dns.writeMessage(dns.createMessage({ answers: [one] })).length).toBe(12 + 13 + 10 + 6 + 13)
  })

  test('a pointer to itself, forward, or in a circle is refused (RFC 1035 §4.1.4)', () => {
    const head = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    expect(read(Uint8Array.of(...head, 0xc0, 12, 0, 1, 0, 1)).verdict).toBe('bad-pointer')
    expect(read(Uint8Array.of(...head, 0xc0, 18, 0, 1, 0, 1, 0)).verdict).toBe('bad-pointer')
    expect(read(Uint8Array.of(...head, 1, 97, 0xc0, 12, 0, 1, 0, 1)).verdict).toBe('bad-pointer')
    expect(read(Uint8Array.of(...head, 0x40, 0, 0, 1, 0, 1)).verdict).toBe('bad-label')
  })

  test('a name of 255 octets is read, one of 256 is not (RFC 1035 §2.3.4)', () => {
    const label = (n: number): number[] => [n, ...new Array<number>(n).fill(97)]
    const name = (last: number): Uint8Array =>
      Uint8Array.of(
        0,
        1,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        ...label(63),
        ...label(63),
        ...label(63),
        ...label(last),
        0,
        0,
        1,
        0,
        1,
      )
    expect(read(name(61)).verdict).toBe('ok')
    expect(read(name(62)).verdict).toBe('long-name')
    expect(dns.isName(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`)).toBe(true)
    expect(dns.isName(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(62)}`)).toBe(false)
    expect(dns.isName('a'.repeat(64))).toBe(false)
    expect(dns.isName('a..b')).toBe(false)
    expect(dns.isName('\\256')).toBe(false)
  })

  test('what does not fit is left out whole, and TC says so; OPT stays (RFC 2181 §9)', () => {
    const answers = Array.from({ length: 100 }, (_, i) => record(`n${i}.example.com`, 1, address('192.0.2.1')))
    const edns = full().edns
    const bytes = dns.writeMessage(dns.createMessage({ isResponse: true, answers, edns }), 512)
    expect(bytes.length).toBeLessThanOrEqual(512)
    const { verdict, message } = read(bytes)
    expect(verdict).toBe('ok')
    expect(message.truncated).toBe(true)
    expect(message.edns).toEqual(edns)
    expect(message.answers).toEqual(answers.slice(0, message.answers.length))
    const extra = read(dns.writeMessage(dns.createMessage({ isResponse: true, additionals: answers }), 512)).message
    expect([extra.truncated, extra.additionals.length > 10]).toEqual([false, true])
  })

  test('a TTL with its top bit set counts as 0 (RFC 2181 §8)', () => {
    const bytes = dns.writeMessage(dns.createMessage({ answers: [record('', 1, address('1.2.3.4'), 0x80000001)] }))
    expect(read(bytes).message.answers[0].ttlS).toBe(0)
  })

  test('a second OPT is refused (RFC 6891 §6.1.1)', () => {
    const bytes = dns.writeMessage(dns.createMessage({ edns: full().edns }))
    const twice = Uint8Array.of(...bytes, ...bytes.subarray(12))
    twice[11] = 2
    expect(read(twice).verdict).toBe('bad-record')
  })

  test('names, codes and records have the text of zone files (RFC 1035 §5.1, RFC 3597 §5)', () => {
    expect(RECORDS.map(dns.formatRecord).join('\n')).toMatchInlineSnapshot(`
      "www.example.com.	300	IN	A	192.0.2.1
      www.example.com.	300	IN	AAAA	2001:db8::1
      alias.example.com.	300	IN	CNAME	www.example.com.
      1.2.0.192.in-addr.arpa.	300	IN	PTR	www.example.com.
      example.com.	300	IN	NS	ns.example.com.
      example.com.	300	IN	MX	10 mail.example.com.
      _http._tcp.example.com.	300	IN	SRV	1 2 80 www.example.com.
      example.com.	300	IN	TXT	"\\000\\"\\\\\\255" "\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000"
      example.com.	300	IN	SOA	ns.example.com. host\\.master.example.com. 4294967294 1 2 3 60
      example.com.	300	IN	HTTPS	\\# 3 000100
      .	2147483647	IN	TYPE999	\\# 0"
    `)
    expect([
      dns.typeNumber('aaaa'),
      dns.typeNumber('TYPE99'),
      dns.typeNumber('NONE'),
      dns.typeNumber('TYPE65536'),
    ]).toEqual([28, 99, -1, -1])
    expect([dns.typeName(99), dns.className(7), dns.rcodeName(3), dns.opcodeName(9)]).toEqual([
      'TYPE99',
      'CLASS7',
      'NXDOMAIN',
      'OPCODE9',
    ])
    expect(dns.formatMessage(read(dns.writeMessage(full())).message)).toContain('48879*- rcode 16 5/4/2 A 192.0.2.1')
  })

  test('messages on a stream are found at every split (RFC 7766 §8)', () => {
    const bytes = dns.writeMessage(full())
    const stream = Uint8Array.of(...dns.frameMessage(bytes), ...dns.frameMessage(bytes))
    for (let split = 0; split <= stream.length; split++) {
      const frames = new dns.FrameReader()
      const got = [...frames.push(stream.subarray(0, split)), ...frames.push(stream.subarray(split))]
      expect(got.map((one) => equalBytes(one, bytes))).toEqual([true, true])
    }
  })
})

describe('beside dns-packet', () => {
  const pick = <T>(random: SeededRandom, all: readonly T[]): T => all[(random.int32() >>> 0) % all.length]
  const WORDS = ['a', 'www', 'example', 'com', 'x'.repeat(63), '_tcp', 'MiXed', 'n-1']
  const anyName = (random: SeededRandom): string =>
    Array.from({ length: 1 + ((random.int32() & 3) % 3) }, () => pick(random, WORDS)).join('.')
  const u16 = (random: SeededRandom): number => random.int32() & 0xffff
  const anyBytes = (random: SeededRandom, most: number): Uint8Array =>
    Uint8Array.from({ length: (random.int32() >>> 0) % (most + 1) }, () => random.int32())

  function anyRecord(random: SeededRandom): dns.DnsRecord {
    const name = anyName(random)
    const ttlS = random.int32() >>> 1
    switch (random.int32() & 7) {
      case 0: {
        const v4 = anyBytes(random, 0).length + random.int32()
        return record(name, dns.TYPE.A, { kind: 'address', address: new IpAddress(0, 0, 0xffff, v4) }, ttlS)
      }
      case 1: {
        const words = [random.int32() | 0x20000000, random.int32(), random.int32(), random.int32()] as const
        return record(name, dns.TYPE.AAAA, { kind: 'address', address: new IpAddress(...words) }, ttlS)
      }
      case 2:
        return record(name, pick(random, [dns.TYPE.CNAME, dns.TYPE.PTR, dns.TYPE.NS]), target(anyName(random)), ttlS)
      case 3:
        return record(name, dns.TYPE.MX, { kind: 'mx', preference: u16(random), exchange: anyName(random) }, ttlS)
      case 4: {
        const [priority, weight, port] = [u16(random), u16(random), u16(random)]
        return record(name, dns.TYPE.SRV, { kind: 'srv', priority, weight, port, target: anyName(random) }, ttlS)
      }
      case 5: {
        const strings = Array.from({ length: 1 + (random.int32() & 3) }, () => anyBytes(random, 255))
        return record(name, dns.TYPE.TXT, { kind: 'txt', strings }, ttlS)
      }
      case 6:
        return record(
          name,
          dns.TYPE.SOA,
          { ...soa, primary: anyName(random), mailbox: anyName(random), serial: random.int32() >>> 0 },
          ttlS,
        )
      default:
        return record(name, 1000 + (random.int32() & 0xff), { kind: 'raw', bytes: anyBytes(random, 40) }, ttlS)
    }
  }

  function anyMessage(random: SeededRandom): dns.DnsMessage {
    const some = (): dns.DnsRecord[] => Array.from({ length: random.int32() & 3 }, () => anyRecord(random))
    return dns.createMessage({
      id: u16(random),
      isResponse: true,
      authoritative: random.fraction() < 0.5,
      recursionDesired: random.fraction() < 0.5,
      recursionAvailable: random.fraction() < 0.5,
      rcode: random.int32() & 7,
      questions: [{ name: anyName(random), type: pick(random, [1, 28, 255]), class: IN }],
      answers: some(),
      authorities: some(),
      additionals: some(),
      edns: random.fraction() < 0.5 ? { udpBytes: 1232, version: 0, dnssecOk: false, options: [] } : null,
    })
  }

  /** A record in dns-packet's form. */
  function theirs({ name, type, ttlS, data }: dns.DnsRecord): Answer {
    const text = (d: dns.RecordData): unknown => {
      switch (d.kind) {
        case 'address':
          return d.address.toString()
        case 'name':
          return d.target
        case 'mx':
          return { preference: d.preference, exchange: d.exchange }
        case 'srv':
          return { priority: d.priority, weight: d.weight, port: d.port, target: d.target }
        case 'txt':
          return d.strings.map((s) => Buffer.from(s))
        case 'soa':
          return {
            mname: d.primary,
            rname: d.mailbox,
            serial: d.serial,
            refresh: d.refreshS,
            retry: d.retryS,
            expire: d.expireS,
            minimum: d.minimumS,
          }
        case 'raw':
          return Buffer.from(d.bytes)
      }
    }
    const typeText = type >= 1000 ? `UNKNOWN_${type}` : dns.typeName(type)
    return {
      name: name === '' ? '.' : name,
      type: typeText,
      class: 'IN',
      ttl: ttlS,
      data: text(data),
      flush: false,
    } as unknown as Answer
  }

  const normal = (all: readonly unknown[] | undefined): string =>
    JSON.stringify(
      (all as readonly Record<string, unknown>[]).filter((a) => a.type !== 'OPT'),
      // In one order of keys; addresses in one spelling.
      (_key, value: unknown) => {
        if (typeof value === 'string' && value.includes(':')) {
          try {
            return IpAddress.parse(value).toString()
          } catch {
            return value
          }
        }
        if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
        return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      },
    )

  test('dns-packet reads 400 messages of ours as we meant them, and we read them again from what it writes', () => {
    const random = new SeededRandom(20)
    for (let i = 0; i < 400; i++) {
      const ours = anyMessage(random)
      const bytes = dns.writeMessage(ours)
      const packet = decode(Buffer.from(bytes)) as unknown as Packet & Record<string, unknown>
      expect(packet.id).toBe(ours.id)
      expect([packet.flag_aa, packet.flag_rd, packet.flag_ra]).toEqual([
        ours.authoritative,
        ours.recursionDesired,
        ours.recursionAvailable,
      ])
      expect(normal(packet.answers)).toBe(normal(ours.answers.map(theirs)))
      expect(normal(packet.authorities)).toBe(normal(ours.authorities.map(theirs)))
      expect(normal(packet.additionals)).toBe(normal(ours.additionals.map(theirs)))
      // Types without a name cannot be written by dns-packet.
      const known = (all: readonly dns.DnsRecord[]): dns.DnsRecord[] => all.filter(({ type }) => type < 1000)
      const back = encode({
        type: 'response',
        id: ours.id,
        flags: packet.flags,
        questions: packet.questions,
        answers: known(ours.answers).map(theirs),
        authorities: known(ours.authorities).map(theirs),
        additionals: known(ours.additionals).map(theirs),
      } as Packet)
      const again = read(new Uint8Array(back))
      expect(again.verdict).toBe('ok')
      expect(again.message.answers).toEqual(known(ours.answers))
      expect(again.message.authorities).toEqual(known(ours.authorities))
      expect(again.message.additionals).toEqual(known(ours.additionals))
      expect(again.message.questions).toEqual(ours.questions)
    }
  })
})
