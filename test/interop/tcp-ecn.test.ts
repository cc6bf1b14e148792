// ECN against Linux's TCP, over a TUN whose link marks (RFC 3168): both roles, both families, with the kernel's own counters. AccECN is met
// only by its fallback: net.ipv4.tcp_ecn takes no more than 2 in kernels before 6.19.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect as kernelConnect, createServer as kernelServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/index.ts'
import { capture, type Direction, type ImpairedDevice, type Impairment, impair, openTun } from '../../src/link/index.ts'
import { createHost, type Host, realTime } from '../../src/net/index.ts'
import type { TcpConfig } from '../../src/tcp/index.ts'
import { MIB } from './helpers.ts'

const SYSCTL = '/proc/sys/net/ipv4/tcp_ecn'
const CONTROL = '/proc/sys/net/ipv4/tcp_congestion_control'
const before = [SYSCTL, CONTROL].map((path) => readFileSync(path, 'utf8'))
const BYTES = 2 * MIB
const OURS = { 4: '10.75.0.2', 6: 'fd75::2' } as const
const THEIRS = { 4: '10.75.0.1', 6: 'fd75::1' } as const
/** A router with a step (RFC 8257 §3.1): nothing is lost. */
const MARKS: Impairment = { delayUs: 2000, rateBps: 40e6, queuePackets: 5000, markThreshold: 10 }
const SLOW: Impairment = { delayUs: 2000 }

/** What a capture saw of one direction, as seen from us. */
interface Wire {
  /** Packets by their ECN field. */
  readonly fields: number[]
  ece: number
  cwr: number
  /** The three bits of the first SYN, AE first. */
  syn: number
}

const wireOf = (): Wire => ({ fields: [0, 0, 0, 0], ece: 0, cwr: 0, syn: -1 })

/** One host behind a link, and what crossed it. */
class Bench {
  readonly wire: Readonly<Record<Direction, Wire>> = { in: wireOf(), out: wireOf() }
  readonly device: ImpairedDevice
  readonly host: Host

  constructor(tcp: Partial<TcpConfig>, link: { out?: Impairment; in?: Impairment }) {
    const scheduler = realTime()
    const tun = openTun({ name: 'tunecn', addresses: [`${THEIRS[4]}/24`, `${THEIRS[6]}/64`] })
    this.device = impair(tun, { scheduler, random: new SeededRandom(1), ...link })
    const seen = capture(this.device, {
      scheduler,
      onPacket: ({ bytes, start }, way) => this.#note(bytes, start, this.wire[way]),
    })
    this.host = createHost({ device: seen, address: [`${OURS[4]}/24`, `${OURS[6]}/64`], scheduler, tcp })
  }

  #note(bytes: Uint8Array, start: number, wire: Wire): void {
    const v4 = bytes[start] >>> 4 === 4
    if (bytes[start + (v4 ? 9 : 6)] !== 6) return
    const tcp = start + (v4 ? 20 : 40)
    const flags = bytes[tcp + 13]
    wire.fields[v4 ? bytes[start + 1] & 3 : (bytes[start + 1] >> 4) & 3]++
    if ((flags & 2) !== 0) {
      if (wire.syn < 0) wire.syn = ((bytes[tcp + 12] & 1) << 2) | (flags >> 6)
      return
    }
    if ((flags & 64) !== 0) wire.ece++
    if ((flags & 128) !== 0) wire.cwr++
  }
}

let bench: Bench | null = null
const open = (tcp: Partial<TcpConfig>, link: { out?: Impairment; in?: Impairment }): Bench => {
  bench = new Bench(tcp, link)
  return bench
}
const ask = (value: number): void => writeFileSync(SYSCTL, `${value}\n`)

/** Counters of this namespace's kernel. */
function nstat(): Record<string, number> {
  const text = execFileSync('nstat', ['-asz'], { encoding: 'utf8' })
  return Object.fromEntries([...text.matchAll(/^(\w+)\s+(\d+)/gm)].map(([, name, value]) => [name, Number(value)]))
}

/** The kernel's words about its connections with us. */
const ss = (family: 4 | 6): string =>
  execFileSync('ss', ['-tinoH', 'dst', family === 4 ? OURS[4] : `[${OURS[6]}]`], { encoding: 'utf8' })

interface Outcome {
  readonly received: number
  readonly ss: string
  /** By how much the kernel's counters grew. */
  readonly kernel: (name: string) => number
  readonly options: readonly string[]
}

/** 2 MiB from us to a server of the kernel's. */
async function send(family: 4 | 6): Promise<Outcome> {
  const host = (bench as Bench).host
  const start = nstat()
  let received = 0
  let words = ''
  const server = kernelServer().listen(0, THEIRS[family])
  await new Promise((resolve) => server.once('listening', resolve))
  const done = new Promise<void>((resolve) => {
    server.on('connection', (peer: Socket) => {
      peer.on('data', (chunk) => {
        received += chunk.length
        if (received < BYTES) return
        words = ss(family)
        resolve()
      })
      peer.on('end', () => peer.end())
      peer.on('error', () => {})
    })
  })
  const socket = await host.connect({ host: THEIRS[family], port: (server.address() as AddressInfo).port })
  socket.write(Buffer.alloc(BYTES, 7))
  await done
  const [connection] = host.stack.tcp.connections()
  const options = connection.info().tcpi_options
  const end = nstat()
  socket.destroy()
  server.close()
  return { received, ss: words, options, kernel: (name) => end[name] - start[name] }
}

/** 2 MiB from a client of the kernel's to us. */
async function receive(family: 4 | 6): Promise<Outcome> {
  const host = (bench as Bench).host
  const start = nstat()
  let received = 0
  let words = ''
  let options: readonly string[] = []
  const client = kernelConnect({ host: OURS[family], port: 80 })
  client.on('error', () => {})
  await new Promise<void>((resolve) => {
    host
      .createServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', (chunk: Buffer) => {
          received += chunk.length
          if (received < BYTES) return
          words = ss(family)
          const [connection] = host.stack.tcp.connections()
          options = connection.info().tcpi_options
          resolve()
        })
      })
      .listen(80)
    client.write(Buffer.alloc(BYTES, 7))
  })
  const end = nstat()
  client.destroy()
  return { received, ss: words, options, kernel: (name) => end[name] - start[name] }
}

beforeAll(() => writeFileSync(CONTROL, 'reno\n')) // which slows down for a mark; some defaults do not
afterEach(async () => {
  await bench?.host.close()
  bench = null
})
afterAll(() => {
  for (const [i, path] of [SYSCTL, CONTROL].entries()) writeFileSync(path, before[i])
})

describe.each([4, 6] as const)('ECN with Linux over IPv%i', (family) => {
  const ip = (name: string): string => (family === 4 ? `IpExt${name}` : `Ip6${name}`)

  test('we send: Linux sees ECT(0), echoes the marks, we lower the window and say so, nothing is lost', async () => {
    ask(1)
    const { wire, host } = open({ ecn: 'on' }, { out: MARKS, in: SLOW })
    const { received, ss, kernel, options } = await send(family)
    expect(received).toBe(BYTES)
    expect([wire.out.syn, wire.in.syn]).toEqual([0b011, 0b001])
    expect(ss).toMatch(/ ecn ecnseen /)
    expect(options).toContain('ecn')
    expect(kernel(ip('InECT0Pkts'))).toBeGreaterThan(100)
    expect(kernel(ip('InCEPkts'))).toBeGreaterThan(10)
    const { counters } = host.stack.tcp
    expect(counters.TcpExtTCPDeliveredCE).toBeGreaterThan(10)
    expect(counters.TcpRetransSegs).toBe(0)
    expect(wire.in.ece).toBeGreaterThan(5)
    expect(wire.out.cwr).toBeGreaterThan(1)
    expect(wire.out.cwr).toBeLessThan(wire.in.ece)
  })

  test('Linux sends: we echo the marks until its CWR comes, nothing is lost', async () => {
    ask(1)
    const { wire } = open({}, { in: MARKS, out: SLOW })
    const { received, ss, kernel, options } = await receive(family)
    expect(received).toBe(BYTES)
    expect([wire.in.syn, wire.out.syn]).toEqual([0b011, 0b001])
    expect(ss).toMatch(/ ecn /)
    expect(options).toEqual(expect.arrayContaining(['ecn', 'ecnseen']))
    expect(wire.in.fields[3]).toBeGreaterThan(10)
    expect(wire.out.ece).toBeGreaterThan(5)
    expect(wire.in.cwr).toBeGreaterThan(1)
    expect(kernel('TcpExtTCPDeliveredCE')).toBeGreaterThan(10)
    // Its tail probes may be copies: at a window of one segment it does not wait for a delayed acknowledgement.
    expect(kernel('TcpRetransSegs')).toBeLessThanOrEqual(kernel('TcpExtTCPLossProbes'))
    expect(kernel('TcpExtTCPTimeouts') + kernel('TcpExtTCPFastRetrans')).toBe(0)
  })

  test('where Linux has it switched off neither side uses it', async () => {
    ask(0)
    const { wire } = open({ ecn: 'accurate' }, {})
    const { received, ss, options } = await send(family)
    expect(received).toBe(BYTES)
    expect([wire.out.syn, wire.in.syn]).toEqual([0b111, 0b000])
    expect(ss).not.toMatch(/ ecn/)
    expect(options).not.toContain('ecn')
    expect(wire.out.fields).toEqual([wire.out.fields[0], 0, 0, 0])
  })

  test('we ask for AccECN, Linux knows RFC 3168 only: so do we then (RFC 9768 §3.1.1)', async () => {
    ask(1)
    const { wire, host } = open({ ecn: 'accurate' }, { out: MARKS, in: SLOW })
    const { received, options } = await send(family)
    expect([received, wire.in.syn]).toEqual([BYTES, 0b001])
    expect(options).not.toContain('accecn')
    expect(host.stack.tcp.counters.TcpExtTCPDeliveredCE).toBeGreaterThan(10)
    expect(wire.out.cwr).toBeGreaterThan(1)
  })

  test('Linux asks for RFC 3168 where we would take AccECN too', async () => {
    ask(1)
    const { wire } = open({ ecn: 'accurate' }, { in: MARKS, out: SLOW })
    const { received, kernel, options } = await receive(family)
    expect([received, wire.in.syn, wire.out.syn]).toEqual([BYTES, 0b011, 0b001])
    expect(options).not.toContain('accecn')
    expect(kernel('TcpExtTCPDeliveredCE')).toBeGreaterThan(10)
  })
})
