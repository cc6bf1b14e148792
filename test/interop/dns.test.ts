// Our resolver asks dnsmasq and unbound, and dig asks our server, over a TUN device.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatData } from '../../src/dns/index.ts'
import { Background, folder, run, tunstack } from './helpers.ts'
import { openSite, type Site } from './site.ts'

const LONG = Array.from({ length: 12 }, (_, i) => String(i % 10).repeat(200))
const UNBOUND_PORT = 5301
const scratch = folder()
let dnsmasq: Background
let unbound: Background

const DNSMASQ = [
  '--keep-in-foreground',
  '--conf-file=/dev/null',
  '--no-resolv',
  '--no-hosts',
  '--user=root',
  '--pid-file=',
  '--local=/lan/',
  '--host-record=www.lan,192.0.2.1,2001:db8::1,600',
  '--host-record=four.lan,10.77.0.1',
  '--host-record=six.lan,fd77::1',
  '--host-record=both.lan,10.77.0.1,fd77::1',
  '--cname=alias.lan,www.lan',
  '--mx-host=lan,mail.lan,10',
  '--srv-host=_http._tcp.lan,www.lan,8080,1,2',
  `--txt-record=big.lan,${LONG.join(',')}`,
]

const UNBOUND = `
server:
  interface: 0.0.0.0@${UNBOUND_PORT}
  access-control: 0.0.0.0/0 allow
  chroot: ""
  username: ""
  use-syslog: no
  pidfile: ""
  do-daemonize: no
  local-zone: "lan." static
  local-data: "www.lan. 300 IN A 192.0.2.7"
  local-data: "7.2.0.192.in-addr.arpa. 300 IN PTR www.lan."
remote-control:
  control-enable: no
`

const answers = async (...args: string[]): Promise<boolean> =>
  (await run('dig', ['+time=1', '+tries=1', '+short', ...args])).text !== ''

beforeAll(async () => {
  dnsmasq = new Background('dnsmasq', DNSMASQ)
  writeFileSync(scratch.file('unbound.conf'), UNBOUND)
  unbound = new Background('unbound', ['-c', scratch.file('unbound.conf')])
  await dnsmasq.until(() => answers('@127.0.0.1', 'www.lan'))
  await unbound.until(() => answers('@127.0.0.1', '-p', String(UNBOUND_PORT), 'www.lan'))
}, 30_000)

afterAll(async () => {
  await dnsmasq.stop()
  await unbound.stop()
  scratch.remove()
})

describe('from a host of ours', () => {
  let site: Site
  beforeAll(() => {
    site = openSite()
  })
  afterAll(() => site.host.close())

  test('dnsmasq answers every kind of question, over UDP and TCP', async () => {
    const resolver = site.host.resolver({ servers: ['10.77.0.1'], search: ['lan'] })
    const ask = async (name: string, type: string): Promise<string[]> => {
      const { kind, records } = await resolver.query(name, type)
      return [kind, ...records.map(({ data }) => formatData(data))]
    }
    expect(await ask('www.lan', 'A')).toEqual(['ok', '192.0.2.1'])
    expect(await ask('alias.lan', 'AAAA')).toEqual(['ok', '2001:db8::1'])
    expect(await ask('lan', 'MX')).toEqual(['ok', '10 mail.lan.'])
    expect(await ask('_http._tcp.lan', 'SRV')).toEqual(['ok', '1 2 8080 www.lan.'])
    expect(await ask('big.lan', 'TXT')).toEqual(['ok', LONG.map((text) => `"${text}"`).join(' ')])
    expect(await ask('none.lan', 'A')).toEqual(['nxdomain'])
    expect(await ask('www.lan', 'MX')).toEqual(['nodata'])
    expect(await ask('example.org', 'A')).toEqual(['refused'])
    expect(resolver.machine.exchanger.counters).toMatchObject({ streamsOpened: 1, timeouts: 0, wrongQuestion: 0 })
    expect((await resolver.addresses('www')).map(String)).toEqual(['2001:db8::1', '192.0.2.1'])
    expect(await resolver.reverse('192.0.2.1')).toEqual(['www.lan'])
  })

  test('unbound answers, letters of mixed case kept', async () => {
    const resolver = site.host.resolver({ servers: [`10.77.0.1:${UNBOUND_PORT}`], mixedCase: true })
    expect((await resolver.addresses('www.lan', 4)).map(String)).toEqual(['192.0.2.7'])
    expect(await resolver.reverse('192.0.2.7')).toEqual(['www.lan'])
    await expect(resolver.addresses('none.lan')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })

  test('dig gets from our server what it has, and through it what dnsmasq has', async () => {
    const text = `www 60 CNAME web\nweb A 192.0.2.80\n*.any TXT "wild"\nbig TXT ${LONG.map((t) => `"${t}"`).join(' ')}`
    const server = await site.host.dnsServer({ zone: { origin: 'ours', text }, upstream: ['10.77.0.1'] })
    const dig = async (...args: string[]): Promise<string> =>
      (await run('dig', ['@10.77.0.2', '+time=2', ...args])).text
    expect((await dig('+noall', '+answer', 'www.ours')).replace(/\s+/g, ' ')).toBe(
      'www.ours. 60 IN CNAME web.ours. web.ours. 3600 IN A 192.0.2.80',
    )
    expect(await dig('+short', 'x.any.ours', 'TXT')).toBe('"wild"')
    expect(await dig('none.ours')).toMatch(/status: NXDOMAIN.*\n.*flags: qr aa rd ra.*AUTHORITY: 1/)
    expect(await dig('big.ours', 'TXT')).toMatch(/Truncated, retrying in TCP mode[\s\S]*ANSWER: 1[\s\S]*\(TCP\)/)
    expect(await dig('+short', '+tcp', 'www.lan')).toBe('192.0.2.1')
    expect(await dig('+short', 'big.lan', 'TXT')).toContain('0'.repeat(200))
    expect(await dig('+noall', '+comments', 'www.ours')).not.toMatch(/WARNING|malformed|extra bytes/)
    expect(server.machine.counters.malformed).toBe(0)
    server.close()
  })
})

describe('tunstack fetch by name', () => {
  test.each([
    ['four.lan', '10.77.0.1'],
    ['six.lan', 'fd77::1'],
    ['both.lan', 'fd77::1'], // IPv6 first (RFC 8305 §4)
  ])('%s is fetched from %s, by the name that dnsmasq knows', async (name, address) => {
    const server = createServer((request, response) => response.end(`${request.headers.host}\n`))
    server.listen(8099, '::')
    await once(server, 'listening')
    const { code, text } = await tunstack(
      ...['fetch', '-s', '--dns', '10.77.0.1', '-w', '%{remote_ip}', `http://${name}:8099/`],
    )
    server.close()
    expect([code, text]).toEqual([0, `${name}:8099\n${address}`])
  })

  test('a name whose IPv6 address nobody answers at is fetched from the other one (RFC 8305 §5)', async () => {
    const server = createServer((_, response) => response.end('late'))
    server.listen(8099, '0.0.0.0') // the device with 10.77.0.1 comes later
    const { code, text } = await tunstack(
      ...['fetch', '-s', '--dns', '10.77.0.1', '-w', ' %{remote_ip}', 'http://both.lan:8099/'],
    )
    server.close()
    expect([code, text]).toEqual([0, 'late 10.77.0.1'])
  })
})

describe('tunstack dig', () => {
  test('prints what dig prints', async () => {
    const { code, text } = await tunstack('dig', 'www.lan', '@10.77.0.1')
    expect(code).toBe(0)
    expect(text).toContain('status: NOERROR')
    expect(text).toContain('www.lan.\t600\tIN\tA\t192.0.2.1')
    expect(text).toMatch(/;; SERVER: 10\.77\.0\.1#53\(10\.77\.0\.1\) \(UDP\)/)
    const theirs = (await run('dig', ['@127.0.0.1', 'www.lan'])).text
    const kinds = (all: string): string[] =>
      all.split('\n').flatMap((line) => /^;; [A-Z][A-Za-z ]+/.exec(line)?.[0].trim() ?? [])
    expect(kinds(text)).toEqual(kinds(theirs))
  })

  test('+short, +tcp, -x and --json; 9 without a reply; 2 for words that cannot be meant', async () => {
    expect((await tunstack('dig', 'alias.lan', 'aaaa', '+short')).text).toBe('www.lan.\n2001:db8::1')
    expect((await tunstack('dig', '+tcp', '+short', 'www.lan')).text).toBe('192.0.2.1')
    expect((await tunstack('dig', '-x', '192.0.2.1', '+short')).text).toBe('www.lan.')
    expect(JSON.parse((await tunstack('dig', 'none.lan', '--json')).text)).toMatchObject({ status: 'NXDOMAIN' })
    const none = await tunstack('dig', 'www.lan', '@10.77.0.99', '+time=1', '+tries=2')
    expect([none.code, none.stderr]).toEqual([
      9,
      expect.stringMatching(
        /no reply from 10\.77\.0\.99:53 in 1 s, try 2 of 2\n.*no reply from 10\.77\.0\.99:53; 2 tries of 1 s/,
      ),
    ])
    const refused = await tunstack('dig', 'www.lan', '@10.77.0.1:5399')
    expect([refused.code, refused.stderr]).toEqual([9, expect.stringContaining('10.77.0.1:5399 took no question')])
    expect((await tunstack('dig', 'www.lan', 'NONE')).code).toBe(2)
    expect((await tunstack('dig', 'www.lan', '@ns')).code).toBe(2)
  })
})
