// The class with Linux in the place of the client: its kernel on a TAP that is a port of our switch; all the others are hosts of ours.

import { appendFileSync, chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLASS_CERTIFICATE } from '../../src/lab/class-certificate.ts'
import { CLASS_ADDRESSES, CLASS_NAMES, CLASS_PAGE, CLASS_POOL, Classroom } from '../../src/lab/classroom.ts'
import { capture, openTap } from '../../src/link/index.ts'
import { realTime, systemRandom } from '../../src/net/index.ts'
import { PcapngWriter } from '../../src/trace/index.ts'
import { folder, run } from './helpers.ts'
import { eventually, MALFORMED, sh, tshark } from './kernel.ts'

const work = folder()
const pcap = work.file('class.pcapng')
const authority = work.file('class.pem')
const resolvConf = work.file('resolv.conf')
const scheduler = realTime({ ref: true })
const room = new Classroom({ scheduler, random: systemRandom })
const { web, dns, router } = CLASS_ADDRESSES
/** What must be in no capture of ours, besides MALFORMED. */
const BAD = `${MALFORMED} || icmpv6.checksum.status==0 || arp.duplicate-address-detected || icmp.checksum.status==0`

/** curl, with the resolv.conf that the lease made, which nobody else sees. */
const curl = (...args: string[]) => {
  const line = 'mount --bind "$0" /etc/resolv.conf && exec curl -q -sS --noproxy "*" -m 10 "$@"'
  return run('unshare', ['--mount', 'sh', '-c', line, resolvConf, ...args])
}
const seen = (protocol: string) => room.frames.filter((f) => f.from === 'client' && f.protocol === protocol)

beforeAll(async () => {
  await room.open()
  const tap = openTap({ name: 'tap7', addresses: [] })
  const writer = new PcapngWriter((bytes) => appendFileSync(pcap, bytes), { family: 'ethernet' })
  room.attach(
    'client',
    capture(tap, { scheduler, onPacket: (packet, direction, at) => writer.packet(packet, direction, at) }),
  )
  writeFileSync(authority, CLASS_CERTIFICATE)
})
afterAll(async () => {
  await room.close()
  work.remove()
})

test("busybox's client gets address, router and DNS server by DHCP (RFC 2131 §3.1)", async () => {
  const script = work.file('udhcpc.sh')
  const lines = [
    '#!/bin/sh',
    '[ "$1" = bound ] || exit 0',
    'ip addr add $ip/$mask dev $interface',
    `echo "nameserver $dns" > ${resolvConf}`,
    'echo "bound $ip $mask $router $dns $domain"',
  ]
  writeFileSync(script, `${lines.join('\n')}\n`)
  chmodSync(script, 0o755)
  const args = ['-i', 'tap7', '-n', '-q', '-f', '-t', '6', '-T', '1', '-s', script]
  const { text } = await run('udhcpc', args, { timeoutMs: 20_000 })
  expect(text).toContain(`bound ${CLASS_POOL[0]} 24 ${router} ${dns} class.example`)
  expect(seen('DHCP').map(({ text: said }) => said.split(' ')[0])).toEqual(
    expect.arrayContaining(['DISCOVER', 'REQUEST']),
  )
})

test('Debian’s dhclient gets the same, and gives it back (RFC 2131 §3.1, §4.4.6)', async () => {
  const script = work.file('dhclient.sh')
  const told = work.file('dhclient.told')
  const say = '"$reason $new_ip_address $new_subnet_mask $new_routers $new_domain_name_servers $new_domain_name"'
  writeFileSync(script, `#!/bin/sh\necho ${say} >> ${told}\n`)
  chmodSync(script, 0o755)
  const files = [
    '-sf',
    script,
    '-lf',
    work.file('dhclient.leases'),
    '-pf',
    work.file('dhclient.pid'),
    '-cf',
    '/dev/null',
  ]
  const before = seen('DHCP').length
  try {
    expect((await run('dhclient', ['-4', '-1', ...files, 'tap7'], { timeoutMs: 20_000 })).code).toBe(0)
    expect(readFileSync(told, 'utf8')).toMatch(
      new RegExp(`^BOUND 192[.]168[.]32[.][0-9]+ 255.255.255.0 ${router} ${dns} class.example$`, 'm'),
    )
  } finally {
    await run('dhclient', ['-4', '-r', ...files, 'tap7'], { timeoutMs: 20_000 })
  }
  const words = seen('DHCP')
    .slice(before)
    .map(({ text }) => text.split(' ')[0])
  expect(words).toEqual(expect.arrayContaining(['DISCOVER', 'REQUEST', 'RELEASE']))
})

test('pings the web server, ARP first', async () => {
  expect((await run('ping', ['-n', '-c', '2', '-i', '0.1', '-W', '2', web])).text).toContain('2 received')
  const asked = room.frames.findIndex(({ from, text }) => from === 'client' && text.includes(`who-has ${web}`))
  const pinged = room.frames.findIndex(({ from, protocol }) => from === 'client' && protocol === 'ICMP')
  expect(asked).toBeGreaterThanOrEqual(0)
  expect(pinged).toBeGreaterThan(asked)
})

test.each([`http://${web}/`, `http://${CLASS_NAMES.web}/`, `https://${web}/`, `https://${CLASS_NAMES.web}/`])(
  'curl gets %s',
  async (url) => {
    const got = await curl('--cacert', authority, '-w', '%{http_code} %{ssl_verify_result}', url)
    expect(got.stderr).toBe('')
    expect(got.text).toBe(`${CLASS_PAGE}200 0`)
  },
)

test('curl without our certificate does not believe the server', async () => {
  expect((await curl(`https://${CLASS_NAMES.web}/`)).code).toBe(60)
})

test('an IPv6 address of the advertised prefix reaches the page by its name (RFC 4862)', async () => {
  await eventually(
    () => sh('ip -6 addr show dev tap7 scope global'),
    (text) => text.includes('fd00:32::') && !text.includes('tentative'),
  )
  expect((await curl(`http://${CLASS_NAMES.web6}/`)).text).toBe(CLASS_PAGE.trimEnd())
})

test('the switch has learnt five stations, and tshark finds nothing malformed', async () => {
  expect(room.bridge.stations).toBe(5)
  const stacks = (await tshark(pcap, 'eth', ['frame.protocols'])).join(':').split(':')
  expect(stacks).toEqual(expect.arrayContaining(['arp', 'dhcp', 'icmp', 'icmpv6', 'dns', 'http', 'tls']))
  expect(await tshark(pcap, BAD)).toEqual([])
})
