// Ethernet beside Linux: a TAP device between its kernel and our hosts, its ARP and neighbour discovery against ours, radvd, a switch.

import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FrameDevice } from '../../src/ethernet/index.ts'
import { EthernetDevice, type EthernetOptions, VirtualSwitch } from '../../src/ethernet/index.ts'
import { capture, openTap } from '../../src/link/index.ts'
import { createHost, type Host, realTime, systemRandom } from '../../src/net/index.ts'
import { PcapngWriter } from '../../src/trace/index.ts'
import { Background, BIN, curl, folder, run } from './helpers.ts'
import { eventually, MALFORMED, sh, tshark } from './kernel.ts'

const work = folder()
const scheduler = realTime({ ref: true })
afterAll(() => work.remove())

/** What must be in no capture of ours, besides MALFORMED. */
const BAD = `${MALFORMED} || icmpv6.checksum.status==0 || arp.duplicate-address-detected || icmp.checksum.status==0`

function recorded(device: FrameDevice, file: string): FrameDevice {
  const writer = new PcapngWriter((bytes) => appendFileSync(file, bytes), { family: 'ethernet' })
  return capture(device, { scheduler, onPacket: (packet, direction, at) => writer.packet(packet, direction, at) })
}

function join(
  frames: FrameDevice,
  mac: number,
  address: string[],
  options: Partial<EthernetOptions> = {},
): { host: Host; ethernet: EthernetDevice } {
  const random = systemRandom()
  const ethernet = new EthernetDevice(frames, { scheduler, random, mac, ...options })
  const host = createHost({ device: ethernet, address, scheduler, random })
  ethernet.attach(host.stack.ip)
  return { host, ethernet }
}

/** New interfaces of the kernel's do not look whether somebody has their IPv6 addresses. */
const hasty = () => writeFileSync('/proc/sys/net/ipv6/conf/default/dad_transmits', '0')

/** Until the kernel has found out that nobody else has its IPv6 addresses. */
const settled = (name: string) =>
  eventually(
    () => sh(`ip -6 addr show dev ${name}`),
    (text) => !text.includes('tentative'),
  )
const pingArgs = (to: string) => ['-n', '-c', '2', '-i', '0.1', '-W', '2', to]

describe('a host on a TAP', () => {
  const pcap = work.file('tap.pcapng')
  let host: Host
  let ethernet: EthernetDevice

  beforeAll(async () => {
    const tap = openTap({ name: 'tap0', addresses: ['10.81.0.1/24', 'fd81::1/64'] })
    ;({ host, ethernet } = join(recorded(tap, pcap), 0x020000000002, ['10.81.0.2/24', 'fd81::2/64'], {
      neighbours: { retransUs: 200_000 },
    }))
    await settled('tap0')
  })
  afterAll(() => host.close())

  test.each(['10.81.0.2', 'fd81::2', 'fe80::ff:fe00:2%tap0'])('answers the pings of Linux to %s', async (to) => {
    expect((await run('ping', pingArgs(to))).text).toContain('2 received')
  })

  test.each(['10.81.0.1', 'fd81::1'])('is answered by Linux at %s', async (to) => {
    expect(await host.ping(to)).toBeLessThan(1_000_000)
    expect(ethernet.neighbours.find(({ address }) => String(address) === to)?.state).toMatch(/REACHABLE|DELAY/)
  })

  test('is REACHABLE, then STALE in `ip neigh`, as anybody', async () => {
    for (const family of ['ipv4', 'ipv6']) {
      const set = (name: string, value: string) => writeFileSync(`/proc/sys/net/${family}/neigh/tap0/${name}`, value)
      set('base_reachable_time_ms', '400')
      set('delay_first_probe_time', '0') // or Linux skips STALE for what was used within five seconds
    }
    for (const to of ['10.81.0.2', 'fd81::2']) {
      sh(`ip neigh flush to ${to} dev tap0`)
      await run('ping', ['-n', '-c', '1', to])
      const line = () => sh(`ip neigh show to ${to} dev tap0`).trim()
      expect(line()).toBe(`${to} lladdr 02:00:00:00:00:02 REACHABLE`)
      await eventually(line, (text) => text.endsWith('STALE'))
    }
  })

  test('serves a megabyte to curl over both families', async () => {
    const server = createServer((_, response) => response.end(Buffer.alloc(1 << 20, 5)))
    await host.serve(server, { port: 80 })
    for (const url of ['http://10.81.0.2/', 'http://[fd81::2]/']) {
      const got = await curl('-g', '-o', '/dev/null', '-w', '%{http_code} %{size_download}', url)
      expect(got.text).toBe('200 1048576')
    }
    server.close()
  })

  test("is found by Linux's search for duplicate addresses (RFC 5227, RFC 4862 §5.4)", async () => {
    expect((await run('arping', ['-D', '-q', '-c', '1', '-w', '2', '-I', 'tap0', '10.81.0.2'])).code).toBe(1)
    sh('ip addr add fd81::2/64 dev tap0')
    await eventually(
      () => sh('ip -6 addr show dev tap0'),
      (text) => /fd81::2\/64.*dadfailed/.test(text),
    )
    sh('ip addr del fd81::2/64 dev tap0')
  })

  test('tells a connection to nobody that nobody is there', async () => {
    const error = await host.connect({ host: '10.81.0.99', port: 80, timeoutMs: 900 }).catch((e: Error) => e)
    expect(error).toBeInstanceOf(Error)
    expect(host.stack.ip.counters.errorsReceived).toBeGreaterThan(0)
    expect(ethernet.neighbours.find(({ address }) => String(address) === '10.81.0.99')?.state).toBe('FAILED')
  })

  test('sends nothing that tshark finds malformed', async () => {
    expect((await tshark(pcap, 'arp || icmpv6')).length).toBeGreaterThan(10)
    expect(await tshark(pcap, BAD)).toEqual([])
  })
})

test('a host takes its IPv6 address from radvd, and its default route (RFC 4862)', async () => {
  hasty()
  const tap = openTap({ name: 'tap1', addresses: ['fd82::1/64'] })
  writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1')
  const config = work.file('radvd.conf')
  writeFileSync(
    config,
    'interface tap1 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvLinkMTU 1400; prefix fd82::/64 {}; };\n',
  )
  const args = ['-n', '-C', config, '-p', work.file('radvd.pid'), '-m', 'stderr', '-u', 'root']
  const radvd = await new Background('radvd', args).until(() => true)
  const { host, ethernet } = join(tap, 0x020000000003, [], { slaac: true })
  try {
    await eventually(
      () => host.addresses.join(),
      (text) => text.includes('fd82::ff:fe00:3'),
    )
    expect(await host.ping('fd82::1')).toBeLessThan(1_000_000)
    expect((await run('ping', pingArgs('fd82::ff:fe00:3'))).text).toContain('2 received')
    const { routers } = ethernet.link.nd.auto
    expect(routers.map(String)).toEqual([expect.stringMatching(/^fe80::/)])
    expect(ethernet.neighbours.find(({ isRouter }) => isRouter)).toBeDefined()
  } finally {
    await radvd.stop()
    await host.close()
    writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '0')
  }
})

test('Linux and three hosts on one switch reach one another', async () => {
  const pcap = work.file('switch.pcapng')
  const bridge = new VirtualSwitch({ scheduler })
  hasty()
  bridge.attach(recorded(openTap({ name: 'tap2', addresses: ['10.83.0.1/24', 'fd83::1/64'] }), pcap))
  const hosts = [2, 3, 4].map((n) => join(bridge.port(), 0x020000000010 + n, [`10.83.0.${n}/24`, `fd83::${n}/64`]).host)
  try {
    await settled('tap2')
    for (const n of [2, 3, 4]) {
      for (const to of [`10.83.0.${n}`, `fd83::${n}`])
        expect((await run('ping', pingArgs(to))).text).toContain('2 received')
    }
    for (const from of hosts) {
      for (const n of [1, 2, 3, 4]) {
        if (from.addresses.includes(`10.83.0.${n}`)) continue
        await from.ping(`10.83.0.${n}`)
        await from.ping(`fd83::${n}`)
      }
    }
    const server = createServer((request, response) => request.pipe(response))
    await hosts[2].serve(server, { port: 80 })
    expect((await curl('-d', 'hello', 'http://10.83.0.4/')).text).toBe('hello')
    expect(bridge.stations).toBeGreaterThanOrEqual(4)
    // What hosts said to one another did not reach the TAP once the switch had learnt.
    expect(await tshark(pcap, 'icmp && ip.src==10.83.0.2 && ip.dst==10.83.0.3')).toEqual([])
    expect(await tshark(pcap, BAD)).toEqual([])
  } finally {
    await Promise.all(hosts.map((host) => host.close()))
    bridge.close()
  }
})

test('`tunstack serve --tap` serves through a bridge of Linux, with frames in its capture', async () => {
  const pcap = work.file('serve.pcapng')
  sh('ip link add br0 type bridge')
  sh('ip addr add 10.84.0.1/24 dev br0')
  sh('ip link set br0 up')
  const args = [work.path, '--tap', '--bare', '--tun', 'tap3', '--address', '10.84.0.2/24', '--gateway', '10.84.0.1']
  const server = new Background(process.execPath, [BIN, 'serve', ...args, '--pcap', pcap])
  try {
    await server.until(() => run('ip', ['link', 'set', 'tap3', 'master', 'br0']).then(({ code }) => code === 0))
    await server.until(
      async () => (await curl('-o', '/dev/null', '--connect-timeout', '1', 'http://10.84.0.2/')).code === 0,
    )
  } finally {
    expect((await server.stop()).code).toBe(0)
    sh('ip link del br0')
  }
  expect((await tshark(pcap, 'eth && http')).length).toBeGreaterThan(1)
  expect(await tshark(pcap, BAD)).toEqual([])
})
