// traceroute and ping's errors in virtual time: through two routers, with what each says.

import { expect, test } from 'vitest'
import { errorLine } from '../../src/cli/ping-stats.ts'
import { hopObject } from '../../src/cli/traceroute-format.ts'
import { TraceRun, type TraceSettings } from '../../src/cli/traceroute-run.ts'
import { createHost, type PingError } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'
import { ip } from '../ip/helpers.ts'

const SETTINGS: TraceSettings = {
  icmp: false,
  isNumeric: true,
  firstHop: 1,
  maxHops: 5,
  queries: 3,
  parallel: 16,
  waitUs: 1e6,
  port: 33_434,
  packetBytes: 80,
}

/** A host, two routers, a host: 1 ms each way on each cable. */
function chain() {
  const network = new Network({ seed: 5 })
  const cables = [1, 2, 3].map((n) => network.cable({ delayUs: 1000, mtu: n === 3 ? 1300 : 1500 }))
  const port = (n: number, end: 0 | 1, host: number) => ({
    device: cables[n][end],
    addresses: [`10.0.${n}.${host}/24`, `fd00:0:0:${n}::${host}/64`],
  })
  const via = (text: string, gateway: string, port: number) => ({
    destination: ip(text),
    prefixLength: text.includes(':') ? 64 : 24,
    gateway: ip(gateway),
    port,
  })
  network.router({
    ports: [port(0, 1, 1), port(1, 0, 1)],
    routes: [via('10.0.2.0', '10.0.1.2', 1), via('fd00:0:0:2::', 'fd00:0:0:1::2', 1)],
  })
  network.router({
    ports: [port(1, 1, 2), port(2, 0, 2)],
    routes: [via('10.0.0.0', '10.0.1.1', 0), via('fd00::', 'fd00:0:0:1::1', 0)],
  })
  const host = (n: number, end: 0 | 1, at: number) => {
    const { device, addresses } = port(n, end, at)
    return createHost({ device, address: addresses, scheduler: network.time, random: network.random() })
  }
  return { network, near: host(0, 0, 9), far: host(2, 1, 9) }
}

const CASES = [
  ['10.0.2.9', false],
  ['10.0.2.9', true],
  ['fd00:0:0:2::9', false],
  ['fd00:0:0:2::9', true],
] as const

test.each(CASES)('the way to %s, by echo requests: %s (RFC 1812 §5.3.1)', async (address, icmp) => {
  const { network, near } = chain()
  const lines: string[] = []
  const run = new TraceRun(near, address, { ...SETTINGS, icmp }, (line) => lines.push(line))
  expect(await network.time.runFor(run.run())).toBe(true)
  const [first, second] = address.includes(':') ? ['fd00::1', 'fd00:0:0:1::2'] : ['10.0.0.1', '10.0.1.2']
  expect(lines).toEqual([
    `traceroute to ${address} (${address}), 5 hops max, 80 byte packets`,
    ` 1  ${first}  2.000 ms  2.000 ms  2.000 ms`,
    ` 2  ${second}  4.000 ms  4.000 ms  4.000 ms`,
    ` 3  ${address}  6.000 ms  6.000 ms  6.000 ms`,
  ])
})

test('silence is a star, and no network a mark', async () => {
  const { network, near } = chain()
  const lines: string[] = []
  const silent = new TraceRun(near, '10.0.2.77', { ...SETTINGS, firstHop: 3, maxHops: 4 }, (line) => lines.push(line))
  expect(await network.time.runFor(silent.run())).toBe(false)
  const none = new TraceRun(near, '192.0.2.1', { ...SETTINGS, isNumeric: false }, (line) => lines.push(line))
  await network.time.runFor(none.run())
  expect(lines.filter((line) => !line.startsWith('traceroute'))).toEqual([
    ' 3  * * *',
    ' 4  * * *',
    ' 1  10.0.0.1 (10.0.0.1)  2.000 ms !N  2.000 ms !N  2.000 ms !N',
  ])
})

test('ping is told by whom, and what (RFC 792, RFC 4443 §3)', async () => {
  const { network, near } = chain()
  const told = async (address: string, options: object): Promise<string> => {
    const error = await network.time.runFor(near.ping(address, options).catch((error: unknown) => error))
    const { icmp, code } = error as PingError
    return `${code} ${errorLine(icmp.dst.family, 1, icmp)}`
  }
  expect(await told('10.0.2.9', { hopLimit: 1 })).toBe('EHOSTUNREACH From 10.0.0.1 icmp_seq=1 Time to live exceeded')
  expect(await told('10.0.9.9', {})).toBe('EHOSTUNREACH From 10.0.0.1 icmp_seq=1 Destination Net Unreachable')
  expect(await told('fd00:0:0:2::9', { hopLimit: 2 })).toBe(
    'EHOSTUNREACH From fd00:0:0:1::2 icmp_seq=1 Time exceeded: Hop limit',
  )
  expect(await told('fd00:0:0:9::9', {})).toBe('EHOSTUNREACH From fd00::1 icmp_seq=1 Destination unreachable: No route')
  expect(await told('fd00:0:0:2::9', { payloadBytes: 1400 })).toBe(
    'EMSGSIZE From fd00:0:0:1::2 icmp_seq=1 Packet too big: mtu=1300',
  )
  expect(await network.time.runFor(near.ping('fd00:0:0:2::9', { payloadBytes: 1400 }))).toBe(6000)
  expect(await network.time.runFor(near.ping('10.0.2.9', { payloadBytes: 65_507 }))).toBe(6000)
})

test('a hop is an object of JSON, with null for a probe without an answer', () => {
  const answer = { from: '10.0.0.1', rttUs: 2000, mark: '!N', isEnd: true }
  expect(JSON.parse(hopObject(3, [answer, null]))).toEqual({
    type: 'hop',
    hop: 3,
    answers: [{ address: '10.0.0.1', rttUs: 2000, mark: '!N', isEnd: true }, null],
  })
})
