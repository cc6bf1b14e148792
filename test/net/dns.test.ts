// DNS between two hosts on a cable, in virtual time: a's resolver asks b's server, and a connects to names.

import { lookup as systemLookup } from 'node:dns'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { formatData, HostsTable, TYPE } from '../../src/dns/index.ts'
import type { DnsOptions, Host, HostDnsServerOptions } from '../../src/net/index.ts'
import { type TwoHosts, twoHosts } from './helpers.ts'

const ZONE = {
  origin: 'lan',
  text: `
$TTL 300
b      A    10.9.0.2
       AAAA fd09::2
alias  CNAME b
v4     A    10.9.0.2
dead   A    10.9.0.77
       AAAA fd09::2
down   A    10.9.0.2
       AAAA fd09::2
big    TXT  ${Array.from({ length: 20 }, (_, i) => `"${String(i % 10).repeat(200)}"`).join(' ')}
`,
}

interface Lab extends TwoHosts {
  resolver: ReturnType<Host['resolver']>
}

async function lab(dns: DnsOptions = {}, server: HostDnsServerOptions = { zone: ZONE }): Promise<Lab> {
  const all: DnsOptions = { servers: ['10.9.0.2'], search: ['lan'], ...dns }
  const two = twoHosts({ dns: all, delayMs: 5 })
  await two.time.drive(two.b.dnsServer(server))
  return { ...two, resolver: two.a.resolver(all) }
}

async function failure(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; syscall?: string; hostname?: string }> {
  return promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error) => error,
  )
}

describe('host.resolver', () => {
  test('asks over UDP, and over TCP for what does not fit', async () => {
    const { time, resolver } = await lab()
    const answer = await time.drive(resolver.query('b.lan', 'AAAA'))
    expect([answer.kind, ...answer.records.map((r) => formatData(r.data))]).toEqual(['ok', 'fd09::2'])
    const big = await time.drive(resolver.query('big.lan', TYPE.TXT))
    expect(big.kind).toBe('ok')
    expect(resolver.machine.exchanger.counters).toMatchObject({ datagramsSent: 2, streamsOpened: 1 })
    await expect(resolver.query('b.lan', 'NONE')).rejects.toThrow('no type of record')
    await expect(resolver.query('b..lan')).rejects.toThrow('no domain name')
  })

  test('finds addresses as getaddrinfo does: search list, aliases, both families', async () => {
    const { time, resolver } = await lab()
    expect((await time.drive(resolver.addresses('alias'))).map(String)).toEqual(['fd09::2', '10.9.0.2'])
    expect((await time.drive(resolver.addresses('b.lan', 4))).map(String)).toEqual(['10.9.0.2'])
    expect(await failure(time.drive(resolver.addresses('none.lan')))).toMatchObject({
      code: 'ENOTFOUND',
      errno: -3008,
      syscall: 'getaddrinfo',
      hostname: 'none.lan',
      message: 'getaddrinfo ENOTFOUND none.lan',
    })
  })

  test('a closed port is told at once; a silent server by EAI_AGAIN after all tries', async () => {
    const { time, a } = await lab()
    const closed = a.resolver({ servers: ['10.9.0.2:54'], attempts: 1 })
    const before = time.now()
    expect(await failure(time.drive(closed.addresses('b.lan')))).toMatchObject({ code: 'EAI_AGAIN', errno: -3001 })
    expect(time.now() - before).toBeLessThan(1_000_000)
    const silent = a.resolver({ servers: ['10.9.0.99'], attempts: 2, timeoutMs: 1000 })
    expect(await failure(time.drive(silent.addresses('b.lan')))).toMatchObject({ code: 'EAI_AGAIN' })
    expect(time.now() - before).toBeGreaterThan(2_900_000)
  })

  test('names of addresses', async () => {
    const zones = [ZONE, { origin: '0.9.10.in-addr.arpa', text: '2 PTR b.lan.' }]
    const { time, resolver } = await lab({}, { zones })
    expect(await time.drive(resolver.reverse('10.9.0.2'))).toEqual(['b.lan'])
    expect(await failure(time.drive(resolver.reverse('10.9.0.3')))).toMatchObject({
      code: 'ENOTFOUND',
      syscall: 'getHostByAddr',
    })
  })

  test('a server that is no address, and settings out of bounds, are refused', () => {
    const { a } = twoHosts()
    expect(() => a.resolver({ servers: ['ns.lan'] })).toThrow("'ns.lan' is no server")
    expect(() => a.resolver({ attempts: 9 })).toThrow('attempts must be')
  })
})

describe('host.lookup', () => {
  type Arguments = [error: (Error & { code?: string }) | null, address: unknown, family: unknown]

  test("has the shape of node:dns's lookup: for one, for all, with family and order, and for what is not there", async () => {
    const { time, resolver, a } = await lab({ hosts: '127.0.0.1 localhost' })
    const call = (lookup: typeof systemLookup, name: string, options: object): Promise<Arguments> =>
      new Promise((resolve) => {
        lookup(name, options, ((...all: Arguments) => resolve(all)) as never)
      })
    const own = resolver.lookup as unknown as typeof systemLookup
    // The same call of Node's, for a name that both know without asking anyone.
    for (const options of [{ family: 4 }, { all: true, family: 4 }]) {
      expect(await time.drive(call(own, 'localhost', options))).toEqual(await call(systemLookup, 'localhost', options))
    }
    expect(await time.drive(call(own, 'b.lan', {}))).toEqual([null, 'fd09::2', 6])
    const v4first = await time.drive(
      call(a.lookup as unknown as typeof systemLookup, 'b', { all: true, order: 'ipv4first' }),
    )
    expect(v4first[1]).toEqual([
      { address: '10.9.0.2', family: 4 },
      { address: 'fd09::2', family: 6 },
    ])
    expect((await time.drive(call(own, 'none.lan', {})))[0]).toMatchObject({ code: 'ENOTFOUND' })
    expect(new HostsTable().addresses('x')).toEqual([])
  })
})

describe('host.connect to a name (RFC 8305)', () => {
  test('takes the first family that answers', async () => {
    const { time, a, b } = await lab()
    await time.drive(b.listen({ port: 80 }))
    const socket = await time.drive(a.connect({ host: 'b.lan', port: 80 }))
    expect(socket.remoteAddress).toBe('fd09::2')
  })

  test('goes on to the other family after 250 ms, and gives the slow attempt up', async () => {
    const { time, a, b } = await lab()
    b.dnsServer({ port: 54, zone: { origin: 'x', text: 'slow A 10.9.0.2\n AAAA fd09::99' } })
    await time.run(1)
    await time.drive(b.listen({ port: 80 }))
    const resolver = a.resolver({ servers: ['10.9.0.2:54'] })
    const { happyDial } = await import('../../src/net/happy-dial.ts')
    const before = time.now()
    const socket = await time.drive(happyDial(a, resolver, { host: 'slow.x', port: 80 }))
    expect(socket.remoteAddress).toBe('10.9.0.2')
    expect((time.now() - before) / 1000).toBeGreaterThan(250)
    expect((time.now() - before) / 1000).toBeLessThan(400)
    await time.run(10)
    expect([...a.stack.tcp.connections()].length).toBe(1)
  })

  test('with nobody listening fails with both errors, with an unknown name with ENOTFOUND', async () => {
    const { time, a } = await lab()
    const refused = await failure(time.drive(a.connect({ host: 'down.lan', port: 81 })))
    expect(refused).toBeInstanceOf(AggregateError)
    expect(refused.code).toBe('ECONNREFUSED')
    expect((refused as unknown as AggregateError).errors.map((e) => e.address).sort()).toEqual(['10.9.0.2', 'fd09::2'])
    expect(await failure(time.drive(a.connect({ host: 'v4.lan', port: 81 })))).toMatchObject({
      code: 'ECONNREFUSED',
      address: '10.9.0.2',
    })
    expect(await failure(time.drive(a.connect({ host: 'none.lan', port: 81 })))).toMatchObject({
      code: 'ENOTFOUND',
      hostname: 'none.lan',
    })
  })

  test('ends with timeoutMs and with a signal', async () => {
    const { time, a } = await lab({ servers: ['10.9.0.99'] })
    expect(await failure(time.drive(a.connect({ host: 'b.lan', port: 80, timeoutMs: 100 })))).toMatchObject({
      code: 'ETIMEDOUT',
    })
    const control = new AbortController()
    const waiting = failure(a.connect({ host: 'b.lan', port: 80, signal: control.signal }))
    await time.run(10)
    control.abort()
    expect((await time.drive(waiting)).name).toBe('AbortError')
  })

  test('createConnection resolves names too, with the event lookup', async () => {
    const { time, a, b } = await lab()
    await time.drive(b.listen({ port: 80 }))
    const socket = a.createConnection({ host: 'v4.lan', port: 80 })
    expect(await time.drive(once(socket, 'lookup'))).toEqual([null, '10.9.0.2', 4, 'v4.lan'])
    await time.drive(once(socket, 'connect'))
  })
})

describe('host.dnsServer', () => {
  test('forwards what is not its own', async () => {
    const { time, a, b } = await lab()
    const forwarder = await time.drive(a.dnsServer({ upstream: ['10.9.0.2'] }))
    const resolver = b.resolver({ servers: ['10.9.0.1'] })
    expect((await time.drive(resolver.addresses('b.lan'))).map(String)).toEqual(['fd09::2', '10.9.0.2'])
    expect(forwarder.machine.counters.forwarded).toBe(2)
    forwarder.close()
    forwarder.close()
    const again = b.resolver({ servers: ['10.9.0.1'], attempts: 1 })
    expect(await failure(time.drive(again.addresses('b.lan')))).toMatchObject({ code: 'EAI_AGAIN' })
  })

  test('a port in use is EADDRINUSE, and nothing stays open', async () => {
    const { time, b } = await lab()
    expect(await failure(time.drive(b.dnsServer({ zone: ZONE })))).toMatchObject({ code: 'EADDRINUSE' })
  })

  test('an idle connection ends after 10 s (RFC 7766 §6.2.3)', async () => {
    const { time, a } = await lab()
    const socket = await time.drive(a.connect({ host: '10.9.0.2', port: 53 }))
    const before = time.now()
    await time.drive(once(socket.resume(), 'close'))
    expect((time.now() - before) / 1e6).toBeGreaterThan(9.9)
    expect((time.now() - before) / 1e6).toBeLessThan(11)
  })
})
