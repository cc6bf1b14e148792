// DHCP beside Debian's: our client gets its address from dnsmasq, busybox's client gets its from us.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { Background, BIN, folder, run } from './helpers.ts'
import { eventually, MALFORMED, sh, tshark } from './kernel.ts'

const work = folder()
afterAll(() => work.remove())

/** What must be in no capture of ours. */
const BAD = `${MALFORMED} || dhcp.option.type==255 && dhcp.option.length>0 || icmp.checksum.status==0`

const ours = (...args: string[]) => new Background(process.execPath, [BIN, 'dhcp', ...args])
const has = (file: string, text: string) => () => {
  try {
    return readFileSync(file, 'utf8').includes(text)
  } catch {
    return false
  }
}

test.concurrent('`tunstack dhcp` gets what dnsmasq gives, uses it, and gives it back (RFC 2131)', async () => {
  const pcap = work.file('client.pcapng')
  const log = work.file('dnsmasq.log')
  const server = new Background('dnsmasq', [
    ...['--no-daemon', '--conf-file=/dev/null', '--port=0', '--no-ping', '--dhcp-authoritative', '--user=root'],
    ...[
      '--bind-dynamic',
      '--interface=tap4',
      `--dhcp-leasefile=${work.file('dnsmasq.leases')}`,
      `--log-facility=${log}`,
    ],
    ...['--dhcp-range=10.85.0.50,10.85.0.60,255.255.255.0,30m', '--dhcp-option=option:router,10.85.0.1', '--log-dhcp'],
    ...['--dhcp-option=option:dns-server,10.85.0.53', '--domain=lan.example', `--pid-file=${work.file('dnsmasq.pid')}`],
  ])
  const client = ours('--tun', 'tap4', '--peer', '10.85.0.1/24', '--hostname', 'box', '--json', '--pcap', pcap)
  try {
    await client.until(() => client.stdout.includes('\n'), 20_000)
    const lease = JSON.parse(client.stdout.split('\n')[0]) as { address: string }
    expect(lease).toMatchObject({ type: 'bound', server: '10.85.0.1', routers: ['10.85.0.1'], dns: ['10.85.0.53'] })
    expect(lease).toMatchObject({
      domain: 'lan.example',
      leaseS: 1800,
      address: expect.stringMatching(/^10\.85\.0\.\d+\/24$/),
    })
    const to = lease.address.replace('/24', '')
    expect((await run('ping', ['-n', '-c', '1', '-W', '2', to])).text).toContain('1 received')
    expect(readFileSync(work.file('dnsmasq.leases'), 'utf8')).toContain(`${to} box`)
    expect((await client.stop()).code).toBe(0)
    await eventually(has(log, 'DHCPRELEASE'), Boolean)
  } finally {
    await client.stop()
    await server.stop()
  }
  expect((await tshark(pcap, 'dhcp', ['dhcp.option.dhcp'])).map(([type]) => type)).toEqual(
    expect.arrayContaining(['1', '2', '3', '5', '7']),
  )
  expect(await tshark(pcap, BAD)).toEqual([])
})

test.concurrent("busybox's client gets an address from `tunstack dhcp --range`, and its lease survives the server (RFC 2131)", async () => {
  const pcap = work.file('server.pcapng')
  const leases = work.file('leases.json')
  const script = work.file('udhcpc.sh')
  writeFileSync(
    script,
    '#!/bin/sh\n[ "$1" = bound ] && ip addr add $ip/$mask dev $interface && echo "$1 $ip $mask $router $dns $domain $lease"\nexit 0\n',
  )
  chmodSync(script, 0o755)
  const args = [
    '--tun',
    'tap5',
    '--bare',
    '--address',
    '10.86.0.1/24',
    '--range',
    '10.86.0.100-10.86.0.110',
    '--leases',
    leases,
  ]
  const more = [
    '--router',
    '10.86.0.1',
    '--dns',
    '10.86.0.53',
    '--domain',
    'lan.example',
    '--lease',
    '600',
    '--pcap',
    pcap,
  ]
  const start = () => ours(...args, ...more)
  const get = (...extra: string[]) =>
    run('udhcpc', ['-i', 'tap5', '-n', '-q', '-f', '-t', '6', '-T', '1', '-s', script, ...extra], { timeoutMs: 20_000 })
  let server = start()
  try {
    await server.until(() => server.stderr.includes('giving'))
    expect((await get()).text).toContain('bound 10.86.0.100 24 10.86.0.1 10.86.0.53 lan.example 600')
    expect((await run('ping', ['-n', '-c', '1', '-W', '2', '10.86.0.1'])).text).toContain('1 received')
    expect(sh('ip neigh show dev tap5')).toContain('REACHABLE')
    expect(await tshark(pcap, BAD)).toEqual([])
    expect((await server.stop()).code).toBe(0)
    expect(JSON.parse(readFileSync(leases, 'utf8'))).toMatchObject([{ address: '10.86.0.100' }])
    server = start()
    await server.until(() => server.stderr.includes('giving'))
    // Another interface of the same name has another Ethernet address: the first address is somebody's.
    expect((await get()).text).toContain('bound 10.86.0.101')
  } finally {
    await server.stop()
  }
})
