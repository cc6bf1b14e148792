// The stub resolver against servers in virtual time.

import { describe, expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import {
  type Answer,
  createMessage,
  formatData,
  type LookupResult,
  parseMessage,
  parseResolvConf,
  parseServer,
  RCODE,
  resolverConfig,
  reverseName,
  sortFamilies,
  TYPE,
  writeMessage,
} from '../../src/dns/index.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { answering, World, type WorldOptions } from './world.ts'

const ZONE = `
$TTL 300
@       300 IN SOA ns hostmaster ( 1 3600 600 86400 30 )
        NS   ns
ns      A    10.0.0.1
www     A    192.0.2.1
        A    192.0.2.2
        AAAA 2001:db8::1
v4only  A    192.0.2.4
alias   60 CNAME second
second  CNAME www
loop1   CNAME loop2
loop2   CNAME loop1
out     CNAME elsewhere.test.
big     TXT  "${'a'.repeat(250)}" "${'b'.repeat(250)}" "${'c'.repeat(250)}" "${'d'.repeat(250)}" "${'e'.repeat(250)}"
mail    MX   10 www
*.wild  A    192.0.2.9
`
const zones = [{ origin: 'example.com', text: ZONE }]

function world(options: WorldOptions = {}): World {
  const w = new World(options)
  w.serve(1, { zones })
  return w
}

function ask(w: World, name: string, type: number = TYPE.A): Answer {
  let answer: Answer | null = null
  w.resolver.resolve(name, type, w.now, (a) => {
    expect(answer, 'answered twice').toBe(null)
    answer = a
  })
  w.run()
  expect(answer).not.toBe(null)
  return answer as unknown as Answer
}

function look(w: World, name: string, family: 0 | 4 | 6 = 0): string {
  let result: LookupResult | null = null
  w.resolver.lookup(name, family, w.now, (r) => {
    expect(result, 'answered twice').toBe(null)
    result = r
  })
  w.run()
  const { addresses, code } = result as unknown as LookupResult
  return code ?? addresses.join(' ')
}

const data = (answer: Answer): string =>
  `${answer.kind} ${answer.records.map((r) => formatData(r.data)).join(' ')}`.trim()

describe('one question', () => {
  test('is answered, and its socket closed', () => {
    const w = world()
    expect(data(ask(w, 'WWW.example.com'))).toBe('ok 192.0.2.1 192.0.2.2')
    expect(w.log).toEqual(['0.000 udp 10.0.0.1 WWW.example.com 1'])
    expect(w.openCount).toBe(0)
  })

  test('NXDOMAIN, NODATA, REFUSED and SERVFAIL are told apart (RFC 2308 §2)', () => {
    const w = world()
    expect(ask(w, 'no.example.com').kind).toBe('nxdomain')
    expect(ask(w, 'v4only.example.com', TYPE.AAAA).kind).toBe('nodata')
    expect(ask(w, 'example.org').kind).toBe('refused')
    w.services.set(
      '10.0.0.1',
      answering(() => ({ rcode: RCODE.SERVFAIL }), writeMessage),
    )
    expect(ask(w, 'www.example.org').kind).toBe('servfail')
    w.services.set('10.0.0.1', () => undefined)
    expect(ask(w, 'www.example.net').kind).toBe('timeout')
    expect(ask(new World({ servers: 0 }), 'www.example.net').kind).toBe('failed')
  })

  test('aliases are followed to their end, and a circle of them ends (RFC 1034 §3.6.2)', () => {
    const w = world()
    const answer = ask(w, 'alias.example.com')
    expect(data(answer)).toBe('ok 192.0.2.1 192.0.2.2')
    expect(answer.canonical).toBe('www.example.com')
    expect(answer.aliases.map((r) => r.name)).toEqual(['alias.example.com', 'second.example.com'])
    expect(answer.ttlS).toBe(60)
    expect(ask(w, 'loop1.example.com').kind).not.toBe('ok')
  })

  test('an alias that the server leaves open is asked for again (RFC 1034 §5.2.2)', () => {
    const w = new World()
    w.serve(1, { zones: [...zones, { origin: 'test', text: 'elsewhere A 192.0.2.77' }] })
    expect(data(ask(w, 'out.example.com'))).toBe('ok 192.0.2.77')
    expect(w.log.length).toBe(1)
    const two = new World()
    const server = two.serve(1, { zones })
    expect(ask(two, 'out.example.com').kind).toBe('refused')
    expect(server.counters.refused).toBeGreaterThan(0)
    expect(two.log[1]).toContain('elsewhere.test')
  })

  test('a chain that goes on for ever, one alias a reply, ends after maxAliases', () => {
    const w = new World({ config: { maxAliases: 5 } })
    let n = 0
    w.services.set(
      '10.0.0.1',
      answering(
        ({ questions: [{ name }] }) => ({
          answers: [{ name, type: TYPE.CNAME, class: 1, ttlS: 1, data: { kind: 'name', target: `n${n++}.test` } }],
        }),
        writeMessage,
      ),
    )
    expect(ask(w, 'start.test').kind).toBe('loop')
    expect(n).toBeLessThanOrEqual(6)
  })

  test('a truncated reply is asked for again over TCP (RFC 7766 §5)', () => {
    const w = world({ config: { ednsBytes: 512 } })
    expect(ask(w, 'big.example.com', TYPE.TXT).records.length).toBe(1)
    expect(w.log.map((line) => line.slice(6, 18))).toEqual(['udp 10.0.0.1', 'tcp 10.0.0.1'])
    expect(w.openCount).toBe(0)
  })

  test('where TCP is refused the next server is asked at once', () => {
    const w = world({ config: { ednsBytes: 512 }, servers: 2 })
    w.serve(2, { zones })
    w.refusing.add('10.0.0.1')
    expect(ask(w, 'big.example.com', TYPE.TXT).kind).toBe('ok')
    expect(w.log.map((line) => line.slice(0, 18))).toEqual([
      '0.000 udp 10.0.0.1',
      '0.020 tcp 10.0.0.1',
      '0.030 udp 10.0.0.2',
      '0.050 tcp 10.0.0.2',
    ])
  })

  test('tcpOnly asks over TCP at once', () => {
    const w = world({ config: { tcpOnly: true } })
    expect(ask(w, 'www.example.com').kind).toBe('ok')
    expect(w.log).toEqual(['0.000 tcp 10.0.0.1 www.example.com 1'])
  })

  test('FORMERR to EDNS is asked again without (RFC 6891 §6.2.2)', () => {
    const w = new World()
    const records = [
      {
        name: 'a.test',
        type: TYPE.A,
        class: 1,
        ttlS: 1,
        data: { kind: 'address' as const, address: IpAddress.parse('1.2.3.4') },
      },
    ]
    w.services.set(
      '10.0.0.1',
      answering(
        ({ edns }) => (edns === null ? { answers: records } : { rcode: RCODE.FORMERR, questions: [] }),
        writeMessage,
      ),
    )
    expect(data(ask(w, 'a.test'))).toBe('ok 1.2.3.4')
    expect(w.log).toEqual(['0.000 udp 10.0.0.1 a.test 1', '0.020 udp 10.0.0.1 a.test 1 plain'])
  })
})

describe('servers and time', () => {
  const silent = (servers: number, config = {}): World => new World({ servers, config })

  test('two rounds over three servers wait as glibc does: 5 s each, then 10 s over 3', () => {
    const w = silent(3)
    expect(ask(w, 'a.test').kind).toBe('timeout')
    expect(w.log.map((line) => line.slice(0, 19).trim())).toEqual([
      '0.000 udp 10.0.0.1',
      '5.000 udp 10.0.0.2',
      '10.000 udp 10.0.0.3',
      '15.000 udp 10.0.0.1',
      '18.333 udp 10.0.0.2',
      '21.667 udp 10.0.0.3',
    ])
    expect((w.now - SECOND) / SECOND).toBeCloseTo(25, 5)
    expect(w.openCount).toBe(0)
  })

  test('rotate begins every question with the next server', () => {
    const w = new World({ servers: 3, config: { rotate: true } })
    for (const n of [1, 2, 3]) w.serve(n, { zones })
    for (const name of ['www', 'ns', 'v4only', 'no']) ask(w, `${name}.example.com`)
    expect(w.log.map((line) => line.split(' ')[2])).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.1'])
  })

  test('after SERVFAIL or REFUSED the next server is asked at once, and the answer of any counts', () => {
    const w = new World({ servers: 2 })
    w.serve(1, {})
    w.serve(2, { zones })
    expect(ask(w, 'www.example.com').kind).toBe('ok')
    expect(w.log.length).toBe(2)
    expect(w.now).toBeLessThan(2 * SECOND)
  })

  test('the late reply of an earlier server is welcome', () => {
    const w = new World({ servers: 2, delayUs: 3 * SECOND, config: { timeoutUs: 4 * SECOND } })
    w.serve(1, { zones })
    let doneAt = 0
    w.resolver.resolve('www.example.com', TYPE.A, w.now, (answer, now) => {
      expect(answer.kind).toBe('ok')
      doneAt = now
    })
    w.run()
    expect(w.log.length).toBe(2)
    expect(doneAt - SECOND).toBe(6 * SECOND)
    expect(w.openCount).toBe(0)
  })

  test('every datagram has a socket and an id of its own (RFC 5452 §9.2)', () => {
    const w = silent(2)
    const seen: number[] = []
    const ids = new Set<number>()
    w.resolver.resolve('a.test', TYPE.A, w.now, () => undefined)
    for (let i = 0; i < 4; i++) {
      for (let e = w.resolver.exchanger.pollEvent(); e !== null; e = w.resolver.exchanger.pollEvent()) {
        if (e.kind !== 'datagram') continue
        ids.add(e.id)
        const query = createMessage()
        parseMessage(e.bytes, query)
        seen.push(query.id)
      }
      w.resolver.exchanger.handleTimeout(w.resolver.exchanger.nextDeadline())
    }
    expect([ids.size, new Set(seen).size]).toEqual([4, 4])
  })
})

describe('replies that are not believed (RFC 5452 §9.1)', () => {
  function pending(config = {}): {
    w: World
    id: number
    query: ReturnType<typeof createMessage>
    state: { answer: Answer | null }
  } {
    const w = new World({ config })
    const state: { answer: Answer | null } = { answer: null }
    w.resolver.resolve('www.example.com', TYPE.A, w.now, (a) => {
      state.answer = a
    })
    const event = w.resolver.exchanger.pollEvent()
    if (event?.kind !== 'datagram') throw new Error('no datagram')
    const query = createMessage()
    parseMessage(event.bytes, query)
    return { w, id: event.id, query, state }
  }
  const server = IpAddress.parse('10.0.0.1')

  test.each([
    ['another id', (q: number) => ({ id: q ^ 1 }), 'wrongQuestion'],
    ['another name', () => ({ questions: [{ name: 'www.example.org', type: 1, class: 1 }] }), 'wrongQuestion'],
    ['another type', () => ({ questions: [{ name: 'www.example.com', type: 28, class: 1 }] }), 'wrongQuestion'],
    ['another class', () => ({ questions: [{ name: 'www.example.com', type: 1, class: 3 }] }), 'wrongQuestion'],
    ['no question', () => ({ questions: [] }), 'wrongQuestion'],
    ['a query', () => ({ isResponse: false }), 'wrongQuestion'],
  ] as const)('%s', (_title, change, counter) => {
    const { w, id, query, state } = pending()
    const reply = createMessage({ ...query, isResponse: true, ...change(query.id) })
    w.resolver.exchanger.handleDatagram(id, server, 53, writeMessage(reply), w.now)
    expect([state.answer, w.resolver.exchanger.counters[counter]]).toEqual([null, 1])
    // The true one is still waited for.
    w.resolver.exchanger.handleDatagram(id, server, 53, writeMessage({ ...query, isResponse: true }), w.now)
    expect((state.answer as Answer | null)?.kind).toBe('nodata')
  })

  test('another address, another port, another socket, or octets that are no message', () => {
    const { w, id, query, state } = pending()
    const { exchanger } = w.resolver
    const good = writeMessage({ ...query, isResponse: true })
    exchanger.handleDatagram(id, IpAddress.parse('10.0.0.2'), 53, good, w.now)
    exchanger.handleDatagram(id, server, 54, good, w.now)
    exchanger.handleDatagram(id + 1, server, 53, good, w.now)
    exchanger.handleDatagram(id, server, 53, good.subarray(0, 20), w.now)
    expect(state.answer).toBe(null)
    expect(exchanger.counters).toMatchObject({ wrongServer: 2, strays: 1, malformed: 1, replies: 0 })
  })

  test('with mixedCase, letters of another case', () => {
    const { w, id, query, state } = pending({ mixedCase: true })
    const { exchanger } = w.resolver
    expect(query.questions[0].name).not.toBe('www.example.com')
    const lower = { ...query.questions[0], name: 'www.example.com' }
    exchanger.handleDatagram(id, server, 53, writeMessage({ ...query, isResponse: true, questions: [lower] }), w.now)
    expect(state.answer).toBe(null)
    exchanger.handleDatagram(id, server, 53, writeMessage({ ...query, isResponse: true }), w.now)
    expect((state.answer as Answer | null)?.kind).toBe('nodata')
  })

  test('records of names that were not asked for do not count (RFC 2181 §5.4.1)', () => {
    const w = new World()
    const address = { kind: 'address' as const, address: IpAddress.parse('6.6.6.6') }
    const answers = [{ name: 'www.bank.test', type: TYPE.A, class: 1, ttlS: 999, data: address }]
    w.services.set(
      '10.0.0.1',
      answering(() => ({ answers }), writeMessage),
    )
    expect(ask(w, 'www.example.com').kind).toBe('nodata')
    w.log.length = 0
    ask(w, 'www.bank.test')
    expect(w.log.length).toBe(1)
  })
})

describe('the cache', () => {
  test('gives an answer again with the time that is left, until that is over (RFC 2181 §8)', () => {
    const w = world()
    ask(w, 'www.example.com')
    w.run(0)
    w.now += 100 * SECOND
    const again = ask(w, 'www.EXAMPLE.com')
    expect([again.isCached, again.records[0].ttlS, w.log.length]).toEqual([true, 200, 1])
    w.now += 200 * SECOND
    expect(ask(w, 'www.example.com').isCached).toBe(false)
  })

  test('keeps "no such name" for all types, for the minimum of the SOA (RFC 2308 §5)', () => {
    const w = world()
    ask(w, 'no.example.com')
    expect(ask(w, 'no.example.com', TYPE.MX)).toMatchObject({ kind: 'nxdomain', isCached: true })
    ask(w, 'v4only.example.com', TYPE.AAAA)
    expect(ask(w, 'v4only.example.com', TYPE.AAAA)).toMatchObject({ kind: 'nodata', isCached: true })
    expect(ask(w, 'v4only.example.com', TYPE.A)).toMatchObject({ kind: 'ok', isCached: false })
    w.now += 31 * SECOND
    expect(ask(w, 'no.example.com').isCached).toBe(false)
  })

  test('does not keep a "no" without a SOA (RFC 2308 §5), nor a failure', () => {
    const w = new World()
    w.services.set(
      '10.0.0.1',
      answering(() => ({ rcode: RCODE.NXDOMAIN }), writeMessage),
    )
    ask(w, 'a.test')
    expect(ask(w, 'a.test').isCached).toBe(false)
    expect(w.resolver.cache.size).toBe(0)
  })

  test('is bounded: the least recently used answer goes', () => {
    const w = world({ config: { cacheEntries: 2 } })
    ask(w, 'www.example.com')
    ask(w, 'ns.example.com')
    ask(w, 'www.example.com')
    ask(w, 'v4only.example.com')
    expect(w.resolver.cache.size).toBe(2)
    expect(ask(w, 'www.example.com').isCached).toBe(true)
    expect(ask(w, 'ns.example.com').isCached).toBe(false)
  })

  test('equal questions under way are asked once (RFC 5452 §5)', () => {
    const w = world()
    const kinds: string[] = []
    for (let i = 0; i < 5; i++) w.resolver.resolve('www.example.com', TYPE.A, w.now, (a) => kinds.push(a.kind))
    const cancel = w.resolver.resolve('www.example.com', TYPE.A, w.now, () => kinds.push('cancelled'))
    cancel()
    w.run()
    expect([kinds, w.log.length]).toEqual([['ok', 'ok', 'ok', 'ok', 'ok'], 1])
  })

  test('a question that everyone has taken back closes its socket', () => {
    const w = world()
    const cancel = w.resolver.resolve('www.example.com', TYPE.A, w.now, () => expect.unreachable())
    w.run(5 * MILLISECOND)
    expect(w.openCount).toBe(1)
    cancel()
    w.run()
    expect([w.openCount, w.resolver.exchanger.size]).toEqual([0, 0])
  })
})

describe('lookup', () => {
  test('asks for both families at once', () => {
    const w = world()
    expect(look(w, 'www.example.com')).toBe('2001:db8::1 192.0.2.1 192.0.2.2')
    expect(w.log.map((line) => line.slice(0, 5))).toEqual(['0.000', '0.000'])
    expect(look(w, 'www.example.com', 4)).toBe('192.0.2.1 192.0.2.2')
    expect(look(w, 'v4only.example.com', 6)).toBe('ENOTFOUND')
  })

  test('knows addresses, hosts and localhost without asking (RFC 6761 §6.3)', () => {
    const w = world({ hosts: '192.0.2.50 box box.lan # comment\n2001:db8::50 box\n' })
    expect(look(w, '192.0.2.7')).toBe('192.0.2.7')
    expect(look(w, 'BOX')).toBe('192.0.2.50 2001:db8::50')
    expect(look(w, 'box.lan', 6)).toBe('ENOTFOUND')
    expect(look(w, 'a.localhost')).toBe('::1 127.0.0.1')
    expect(look(w, 'a.invalid')).toBe('ENOTFOUND')
    expect(look(w, 'a..b')).toBe('ENOTFOUND')
    expect(w.log).toEqual([])
  })

  test('tries the search list by ndots, and stops at the first name that is there', () => {
    const names = (w: World): string[] => [...new Set(w.log.map((line) => line.split(' ')[3]))]
    const w = world({ config: { search: ['nowhere.test', 'example.com'] } })
    expect(look(w, 'www')).toBe('2001:db8::1 192.0.2.1 192.0.2.2')
    expect(names(w)).toEqual(['www.nowhere.test', 'www.example.com'])
    const dotted = world({ config: { search: ['example.com'] } })
    expect(look(dotted, 'a.wild')).toBe('192.0.2.9')
    expect(names(dotted)).toEqual(['a.wild', 'a.wild.example.com'])
    const ndots = world({ config: { search: ['example.com'], ndots: 2 } })
    expect(look(ndots, 'a.wild')).toBe('192.0.2.9')
    expect(names(ndots)).toEqual(['a.wild.example.com'])
    const absolute = world({ config: { search: ['example.com'] } })
    expect(look(absolute, 'www.')).toBe('EAI_AGAIN')
    expect(names(absolute)).toEqual(['www'])
  })

  test('says EAI_AGAIN when no server answers, ENOTFOUND when the name is not there', () => {
    expect(look(world(), 'no.example.com')).toBe('ENOTFOUND')
    expect(look(new World(), 'www.example.com')).toBe('EAI_AGAIN')
    expect(look(world(), 'loop1.example.com')).not.toBe('ENOTFOUND')
  })

  test('one family that fails does not take the other away', () => {
    const w = new World()
    const data = { kind: 'address' as const, address: IpAddress.parse('1.2.3.4') }
    w.services.set(
      '10.0.0.1',
      answering(
        ({ questions: [{ name, type }] }) =>
          type === TYPE.A ? { answers: [{ name, type, class: 1, ttlS: 1, data }] } : { rcode: RCODE.SERVFAIL },
        writeMessage,
      ),
    )
    expect(look(w, 'a.test')).toBe('1.2.3.4')
  })

  test('addresses go by family where that is asked', () => {
    const all = ['::2', '1.1.1.1', '::1', '2.2.2.2'].map((text) => IpAddress.parse(text))
    expect(sortFamilies(all, 'ipv4first').join(' ')).toBe('1.1.1.1 2.2.2.2 ::2 ::1')
    expect(sortFamilies(all, 'ipv6first').join(' ')).toBe('::2 ::1 1.1.1.1 2.2.2.2')
    expect(sortFamilies(all, 'verbatim')).toEqual(all)
  })
})

describe('reverse lookups', () => {
  test('ask for PTR under in-addr.arpa and ip6.arpa (RFC 1035 §3.5, RFC 3596 §2.5)', () => {
    expect(reverseName(IpAddress.parse('192.0.2.1'))).toBe('1.2.0.192.in-addr.arpa')
    expect(reverseName(IpAddress.parse('2001:db8::567:89ab'))).toBe(
      'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    )
    const w = new World({ hosts: '192.0.2.9 nine\n' })
    w.serve(1, { zones: [{ origin: '2.0.192.in-addr.arpa', text: '1 PTR www.example.com.' }] })
    const got: string[] = []
    w.resolver.reverse(IpAddress.parse('192.0.2.1'), w.now, (answer, names) => got.push(answer.kind, ...names))
    w.resolver.reverse(IpAddress.parse('192.0.2.9'), w.now, (answer, names) => got.push(answer.kind, ...names))
    w.run()
    expect(got).toEqual(['ok', 'nine', 'ok', 'www.example.com'])
  })
})

describe('a lossy link', () => {
  test('with a third of the datagrams lost and some twice, every question ends, rightly or by timeout; nothing stays open', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const options = { seed, loss: 0.33, duplicate: 0.1, jitterUs: 2 * SECOND, servers: 2 }
      const w = new World({ ...options, config: { timeoutUs: SECOND, attempts: 5, mixedCase: true } })
      const upstream = w.serve(2, { zones })
      w.serve(1, { upstream: { servers: [{ address: IpAddress.parse('10.0.0.2'), port: 53 }] } })
      const ends = new Map<string, string>()
      const expected: Record<string, string> = {
        www: 'ok',
        no: 'nxdomain',
        alias: 'ok',
        v4only: 'ok',
        'x.wild': 'ok',
        mail: 'nodata',
      }
      for (const name of Object.keys(expected)) {
        w.resolver.resolve(`${name}.example.com`, TYPE.A, w.now, (a) => {
          expect(ends.has(name)).toBe(false)
          ends.set(name, a.kind)
        })
      }
      w.run()
      expect(ends.size, `seed ${seed}`).toBe(6)
      // The forwarder says SERVFAIL when it hears nothing from above.
      for (const [name, kind] of ends)
        expect([expected[name], 'timeout', 'servfail'], `seed ${seed} ${name}`).toContain(kind)
      expect([w.openCount, w.resolver.exchanger.size], `seed ${seed}`).toEqual([0, 0])
      expect(upstream.counters.malformed).toBe(0)
    }
  })
})

describe('settings', () => {
  test('resolv.conf is read as glibc reads it', () => {
    const text = [
      '# comment',
      'domain ignored.test',
      'search Example.COM lan ; more',
      'nameserver 192.0.2.1',
      'nameserver fe80::1%eth0',
      'nameserver nonsense',
      'nameserver 192.0.2.3',
      'nameserver 192.0.2.4',
      'options ndots:99 timeout:2 attempts:9 rotate use-vc unknown:3',
    ].join('\n')
    const config = resolverConfig(parseResolvConf(text))
    expect(config.servers.map(({ address }) => address.toString())).toEqual(['192.0.2.1', 'fe80::1', '192.0.2.3'])
    expect(config).toMatchObject({
      search: ['example.com', 'lan'],
      ndots: 15,
      attempts: 5,
      rotate: true,
      tcpOnly: true,
    })
    expect(config.timeoutUs).toBe(2 * SECOND)
  })

  test('a setting out of its bounds is refused by name', () => {
    expect(() => resolverConfig({ attempts: 0 })).toThrow('attempts must be from 1 to 5')
    expect(() => resolverConfig({ ednsBytes: 100 })).toThrow('ednsBytes')
    expect(() => resolverConfig({ search: ['a..b'] })).toThrow('search list')
  })

  test('a server is an address with or without a port', () => {
    const text = (given: string): string => {
      const server = parseServer(given)
      return server === null ? 'null' : `${server.address} ${server.port}`
    }
    expect(['1.2.3.4', '1.2.3.4:5353', '::1', '[::1]:5353', '[::1]'].map(text)).toEqual([
      '1.2.3.4 53',
      '1.2.3.4 5353',
      '::1 53',
      '::1 5353',
      '::1 53',
    ])
    expect(['', 'name', '1.2.3.4:0', '1.2.3.4:99999', '[::1'].map(text)).toEqual(new Array(5).fill('null'))
  })
})
