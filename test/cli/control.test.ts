// The control socket: who may use it, what it answers, what ss, ip and nstat make of the answers.

import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { controlCalls, type NeighbourRecord, type SocketRecord } from '../../src/cli/control-answers.ts'
import { ask } from '../../src/cli/control-client.ts'
import { controlFolder, isInstanceName, liveInstances, ownFolder } from '../../src/cli/control-path.ts'
import { answer, type ControlSocket, openControlSocket } from '../../src/cli/control-server.ts'
import { addressLine, linkLines, neighbourLine, routeLine } from '../../src/cli/ip.ts'
import { counterLines } from '../../src/cli/nstat.ts'
import { socketFilter } from '../../src/cli/ss-filter.ts'
import { socketLines, timeText } from '../../src/cli/ss-format.ts'
import { createHost } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'
import { ip, make } from '../ip/helpers.ts'

/** A host with a connection, a listener and a datagram socket, and its peer. */
async function world() {
  const network = new Network({ seed: 3 })
  const [left, right] = network.cable({ delayUs: 10_000, names: ['eth0', 'eth1'] })
  const make = (device: typeof left, address: string[]) =>
    createHost({ device, address, scheduler: network.time, random: network.random() })
  const a = make(left, ['10.0.0.1/24', 'fd00::1/64'])
  const b = make(right, ['10.0.0.2/24', 'fd00::2/64'])
  await network.time.runFor(b.listen({ port: 80 }))
  await network.time.runFor(a.listen({ port: 8080, host: '10.0.0.1' }))
  const socket = await network.time.runFor(a.connect({ host: '10.0.0.2', port: 80 }))
  const six = await network.time.runFor(a.connect({ host: 'fd00::2', port: 80 }))
  a.createSocket('udp4').bind(53)
  socket.write(Buffer.alloc(3000))
  await network.time.run({ until: network.time.now() + 1e6 })
  const calls = controlCalls(a, left, 'test')
  const records = () => JSON.parse(JSON.stringify(calls.sockets())) as SocketRecord[] // as they come through the socket
  return { network, a, b, socket, six, calls, records }
}

const VIEW = {
  info: false,
  extended: false,
  memory: false,
  timers: false,
  processes: false,
  header: true,
  oneLine: false,
  netid: false,
  process: { name: 'tunstack', pid: 7 },
}
const CHOICE = { tcp: false, udp: false, listening: false, all: false, family: 0 } as const

describe('ss', () => {
  test('shows what Linux shows by default: connections and connected sockets', async () => {
    const { records, socket, six } = await world()
    const shown = records().filter(socketFilter({ ...CHOICE, tcp: true }, []))
    expect(socketLines(shown, VIEW)).toEqual([
      'State Recv-Q Send-Q Local Address:Port  Peer Address:Port',
      `ESTAB 0      0           10.0.0.1:${socket.localPort}     10.0.0.2:80`,
      `ESTAB 0      0          [fd00::1]:${six.localPort}    [fd00::2]:80`,
    ])
  })

  test('listens and unconnected sockets with -l, all with -a, each protocol by its name', async () => {
    const { records } = await world()
    const states = (choice: object, ...words: string[]) =>
      records()
        .filter(socketFilter({ ...CHOICE, ...choice }, words))
        .map(({ protocol, state }) => `${protocol} ${state}`)
        .sort()
    expect(states({ listening: true })).toEqual(['tcp LISTEN', 'udp UNCONN'])
    expect(states({ all: true })).toEqual(['tcp ESTAB', 'tcp ESTAB', 'tcp LISTEN', 'udp UNCONN'])
    expect(states({ udp: true, all: true })).toEqual(['udp UNCONN'])
    expect(states({}, 'state', 'listening')).toEqual(['tcp LISTEN'])
    expect(states({}, 'exclude', 'established', 'exclude', 'listen')).toEqual(['udp UNCONN'])
    expect(states({}, 'dport = :80')).toEqual(['tcp ESTAB', 'tcp ESTAB'])
    expect(states({}, 'dport != :80')).toEqual([])
    expect(states({}, 'dst', '10.0.0.0/24')).toEqual(['tcp ESTAB'])
    expect(states({}, 'dst', '[fd00::2]:80')).toEqual(['tcp ESTAB'])
    expect(states({}, 'src', '10.0.0.9')).toEqual([])
    expect(states({ family: 6 })).toEqual(['tcp ESTAB'])
    for (const words of [['state', 'bread'], ['bread'], ['dport', '=', 'x'], ['src', 'x'], ['state']]) {
      expect(() => states({}, ...words)).toThrow(/ss/)
    }
  })

  test('tells tcp_info by its names', async () => {
    const { records } = await world()
    const [line] = socketLines(records().filter(socketFilter(CHOICE, ['dst', '10.0.0.2'])), {
      ...VIEW,
      info: true,
      memory: true,
      timers: true,
      extended: true,
      processes: true,
      header: false,
      oneLine: true,
    })
    expect(line).toMatch(/ users:\(\("tunstack",pid=7,fd=\d+\)\) sk:\w+ skmem:\(r0,rb\d+,t0,tb\d+,f0,w0,o0,bl0,d0\) /)
    const info = ' ts sack cubic wscale:\\d+,\\d+ rto:\\d+ rtt:20(\\.\\d+)?/\\d.* mss:1448 pmtu:1500 .*cwnd:\\d+ '
    expect(line).toMatch(new RegExp(`${info}bytes_sent:3000 bytes_acked:3000 segs_out:.* send \\d+bps `))
    expect(line).toMatch(/ minrtt:20 snd_wnd:\d+ rcv_wnd:\d+$/)
  })

  test('times as ss writes them', () => {
    expect([119_500_000, 60_000_000, 21_500_000, 2_040_000, 204_000].map(timeText)).toEqual([
      '1min59sec',
      '1min',
      '21sec',
      '2.040sec',
      '204ms',
    ])
  })
})

test('ip shows addresses, routes, neighbours and interfaces in its words', async () => {
  const { calls, a } = await world()
  a.addRoute({ to: '10.9.0.0/16', via: '10.0.0.9', metric: 5 })
  a.stack.neighbours = {
    neighbours: () => [
      { address: ip('10.0.0.9'), linkAddress: '02:00:00:00:00:09', state: 'REACHABLE', isRouter: false },
      { address: ip('fd00::9'), linkAddress: null, state: 'FAILED', isRouter: true },
    ],
  }
  const all = <T>(call: string): T[] => calls[call]() as T[]
  expect(all<Parameters<typeof addressLine>[0]>('addresses').map(addressLine)).toEqual([
    '    inet 10.0.0.1/24 scope global eth0',
    '    inet6 fd00::1/64 scope global eth0',
  ])
  expect(all<Parameters<typeof routeLine>[0]>('routes').map(routeLine)).toEqual([
    'fd00::/64 dev eth0 proto kernel scope link src fd00::1',
    '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1',
    '10.9.0.0/16 via 10.0.0.9 dev eth0 metric 5',
    'default dev eth0 scope link',
    'default dev eth0 scope link',
  ])
  expect(all<NeighbourRecord>('neighbours').map(neighbourLine)).toEqual([
    '10.0.0.9 dev eth0 lladdr 02:00:00:00:00:09 REACHABLE',
    'fd00::9 dev eth0 router FAILED',
  ])
  expect(all<Parameters<typeof linkLines>[0]>('links').flatMap((link) => linkLines(link, 1, true))[0]).toBe(
    '1: eth0: <UP,LOWER_UP> mtu 1500 state UP',
  )
})

test('nstat shows what has been counted, by its names', async () => {
  const { calls } = await world()
  const counters = calls.counters() as Record<string, number>
  expect(counterLines(counters, ['TcpActive*'], false, false)).toEqual([
    '#kernel',
    'TcpActiveOpens                  2                0.0',
  ])
  expect(counterLines(counters, [], false, true)[0]).not.toContain('TcpInCsumErrors')
  expect(counterLines(counters, [], true, true)[0]).toContain('"TcpInCsumErrors":0')
})

test('packets of IPv4 and of IPv6 are counted apart, by the names of Linux (RFC 4293 §3.2)', async () => {
  const { calls, a } = await world()
  const before = calls.counters() as Record<string, number>
  const { counters } = a.stack.ip
  // Of IPv6 there was one handshake: a SYN and an acknowledgement for a SYN.
  expect([before['Ip6OutRequests'], before['Ip6InReceives'], before['Ip6InDelivers']]).toEqual([2, 1, 1])
  expect([before['IpOutRequests'], before['IpInReceives']]).toEqual([counters.sent - 2, counters.received - 1])
  a.stack.handlePacket(make({ dst: 'fd00::99' }), 0)
  a.stack.handlePacket(make({ dst: 'fd00::1', src: 'fd00::9', protocol: 200 }), 0)
  a.stack.handlePacket(make({ dst: '10.0.0.99' }), 0)
  const cut = make({ dst: '10.0.0.1' })
  cut.bytes[cut.start + 10] ^= 1
  a.stack.handlePacket(cut, 0)
  const after = calls.counters() as Record<string, number>
  const more = Object.entries(after).filter(([name, count]) => /^Ip6?In/.test(name) && count !== before[name])
  expect(Object.fromEntries(more.map(([name, count]) => [name, count - (before[name] ?? 0)]))).toEqual({
    IpInReceives: 2,
    IpInHdrErrors: 1,
    IpInAddrErrors: 1,
    Ip6InReceives: 2,
    Ip6InAddrErrors: 1,
    Ip6InUnknownProtos: 1,
    Ip6InDelivers: 1,
  })
})

describe('the socket', () => {
  const before = process.env['XDG_RUNTIME_DIR']
  let folder = ''
  const open: ControlSocket[] = []
  const start = async (name: string) => {
    const socket = await openControlSocket(name, { one: () => 1, bad: () => JSON.parse('{') })
    open.push(socket)
    return socket
  }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tunstack-control-'))
    process.env['XDG_RUNTIME_DIR'] = folder
  })
  afterEach(() => {
    for (const socket of open.splice(0)) socket.close()
    if (before === undefined) delete process.env['XDG_RUNTIME_DIR']
    else process.env['XDG_RUNTIME_DIR'] = before
    rmSync(folder, { recursive: true, force: true })
  })

  test('is its owner’s alone, answers, and goes with its instance', async () => {
    const { path, close } = await start('tun0')
    expect([statSync(path).mode & 0o777, statSync(join(folder, 'tunstack')).mode & 0o777]).toEqual([0o600, 0o700])
    expect(await ask('tun0', 'one')).toBe(1)
    expect(await ask(undefined, 'one')).toBe(1)
    await expect(ask('tun0', 'bread')).rejects.toThrow(/unknown call "bread"; known: bad, one/)
    await expect(ask('tun0', 'bad')).rejects.toThrow(/says/)
    close()
    expect(existsSync(path)).toBe(false)
  })

  test('of several instances one has to be named; a second of the same name gets another', async () => {
    const names = [(await start('tun0')).name, (await start('tun0')).name]
    expect(names).toEqual(['tun0', `tun0-${process.pid}`])
    await expect(ask(undefined, 'one')).rejects.toThrow(/2 instances run: tun0, tun0-/)
    await expect(ask('tun5', 'one')).rejects.toThrow(/no tunstack runs under the name 'tun5': there are tun0/)
    await expect(ask('../x', 'one')).rejects.toThrow(/no name/)
    expect(isInstanceName('.x')).toBe(false)
  })

  test('what an instance has left behind is removed; without one the error says what to do', async () => {
    await start('tun0').then(({ close }) => close())
    const stale = join(folder, 'tunstack', 'old.sock')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(stale, resolve))
    await new Promise((resolve) => server.close(resolve))
    writeFileSync(stale, '') // a name without a listener
    expect(await liveInstances(controlFolder())).toEqual([])
    expect(existsSync(stale)).toBe(false)
    await expect(ask(undefined, 'one')).rejects.toMatchObject({ message: /no tunstack runs/, mend: /tunstack serve/ })
  })

  test('what is no question is refused', () => {
    expect(answer('bread', {})).toMatchObject({ error: expect.stringMatching(/JSON/) })
    expect(answer('{"call":"toString"}', {})).toMatchObject({ error: expect.stringMatching(/unknown call/) })
  })
})

test('a folder that is somebody else’s gets a number behind it, for all of the same user', () => {
  const name = join(mkdtempSync(join(tmpdir(), 'tunstack-own-')), 'tunstack-0')
  expect(ownFolder(name)).toBe(name)
  const { getuid } = process
  writeFileSync(name, '')
  try {
    process.getuid = () => 4_000_000
    expect(ownFolder(name)).toBe(`${name}-1`)
  } finally {
    process.getuid = getuid
    rmSync(join(name, '..'), { recursive: true })
  }
})
