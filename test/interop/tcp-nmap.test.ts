import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { run } from './helpers.ts'
import { KernelPeer, Namespace, sh } from './kernel.ts'
import { OURS, openSite, type Site } from './site.ts'

// nmap -O looks at us and at Linux: odd flags on an open and a closed port, initial sequence numbers, IP identifications. Each answer is
// as Linux gives it, or stands below with the reason. The letters are those of https://nmap.org/book/osdetect-methods.html.
const OPEN = 80
const CLOSED = 81
let site: Site
let linux: Namespace
let peer: KernelPeer
let ours: Scan
let theirs: Scan

/** What nmap found: its whole output, and the tests of the fingerprint by name, each as `{ R: 'Y', DF: 'Y', ... }`. */
interface Scan {
  readonly text: string
  readonly tests: Readonly<Record<string, Readonly<Record<string, string>>>>
}

async function scan(address: string): Promise<Scan> {
  // One closed UDP port is among what it looks at.
  const how = ['-n', '-Pn', '-O', '-v', '-d', '--max-os-tries', '1', '-p', `${OPEN},${CLOSED}`]
  const { text } = await run('nmap', [...how, address], { timeoutMs: 40_000 })
  const joined = text.replaceAll(/\nOS:/g, '')
  const tests: Record<string, Record<string, string>> = {}
  for (const [, name, body] of joined.matchAll(/\b(SEQ|OPS|WIN|ECN|T[1-7]|U1|IE)\(([^)]*)\)/g)) {
    tests[name] = Object.fromEntries(body.split('%').map((pair) => pair.split('=') as [string, string]))
  }
  return { text, tests }
}

beforeAll(async () => {
  site = openSite()
  const server = await site.host.listen({ port: OPEN })
  server.on('connection', (socket: TunSocket) => socket.on('error', () => {}).resume())
  // Linux in a namespace of its own, behind a cable of its own.
  linux = await Namespace.make()
  sh(`ip link add tst1 type veth peer name tst2 netns ${linux.pid}`)
  sh('ip addr add 10.78.0.1/24 dev tst1')
  sh('ip link set tst1 up')
  sh('ip addr add 10.78.0.2/24 dev tst2', linux.prefix)
  sh('ip link set tst2 up', linux.prefix)
  peer = new KernelPeer(linux.prefix)
  await peer.call('listen', { host: '10.78.0.2', port: OPEN })
  ;[ours, theirs] = [await scan(OURS[4]), await scan('10.78.0.2')]
}, 90_000)
afterAll(async () => {
  await peer?.stop()
  sh('ip link del tst1')
  linux?.stop()
  await site.stop(0)
})

describe('nmap -O', () => {
  test('finds our initial sequence numbers as hard to guess as Linux’s (RFC 6528)', () => {
    const difficulty = (scanned: Scan): number => Number(/Difficulty=(\d+)/.exec(scanned.text)?.[1])
    expect(difficulty(ours)).toBeGreaterThan(250)
    expect(Math.abs(difficulty(ours) - difficulty(theirs))).toBeLessThan(30)
    // Five differences have a common divisor of 2 once in 32 times, one above 6 hardly ever.
    expect(Number.parseInt(ours.tests['SEQ']['GCD'], 16)).toBeLessThanOrEqual(6)
  })

  test('learns nothing from IP identifications (RFC 6864 §4.1)', () => {
    expect(ours.text).toContain('IP ID Sequence Generation: All zeros')
    expect(ours.tests['SEQ']).toMatchObject({ TI: 'Z', CI: 'Z', II: theirs.tests['SEQ']['II'] })
    expect(ours.tests['SEQ']['SS']).toBeUndefined() // ICMP's come from another sequence
  })

  test('learns nothing of how long we have been up (RFC 7323 §5.4)', () => {
    // Six unrelated timestamps: by them a clock that ticks a thousand million times a second, started just now.
    expect(ours.text).not.toMatch(/Uptime guess: (?!0\.00)/)
    expect(ours.tests['SEQ']['TS']).not.toMatch(/^[0-9A]$/) // 7 to A would be a clock of 100 to 1000 Hz
  })

  // T2: no flags, open; T3: SYN, FIN, URG, PSH, open; T4: ACK, open; T5: SYN, closed; T6: ACK, closed; T7: FIN, PSH, URG, closed.
  test.each(['T2', 'T3', 'T4', 'T5', 'T6', 'T7'])('gets to %s the answer that Linux gives', (name) => {
    const { T, TG, ...rest } = ours.tests[name]
    const { T: _, TG: __, ...expected } = theirs.tests[name]
    expect(rest).toEqual(expected)
    expect(T ?? TG).toBe(expected['R'] === 'N' ? undefined : '40') // hops: 64
  })

  test('gets to the SYNs of T1 and of the sequence test what Linux answers, but for the size of our window', () => {
    const { T, TG, ...first } = ours.tests['T1']
    expect(first).toEqual({ R: 'Y', DF: 'Y', S: 'O', A: 'S+', F: 'AS', RD: '0', Q: '' })
    expect(T ?? TG).toBe(theirs.tests['T1']['T'])
    const options = (scanned: Scan): string[] => Object.values(scanned.tests['OPS']).map((o) => o.replace(/W.$/, 'W'))
    expect(options(ours)).toEqual(options(theirs)) // the same options in the same order
  })

  test('gets an ICMP port unreachable from a closed UDP port, as from Linux (RFC 1122 §4.1.3.1)', () => {
    const { T, TG, IPL, ...rest } = ours.tests['U1']
    const { T: _, TG: __, IPL: length, ...expected } = theirs.tests['U1']
    expect([rest, T ?? TG, IPL]).toEqual([expected, '40', length])
  })

  test('gets echo replies; their code is 0 (RFC 792), where Linux repeats the code of the request', () => {
    const { T, TG, CD, ...rest } = ours.tests['IE']
    const { T: _, TG: __, CD: code, ...expected } = theirs.tests['IE']
    expect([rest, T ?? TG]).toEqual([expected, '40'])
    expect([CD, code]).toEqual(['Z', 'S'])
  })
})
