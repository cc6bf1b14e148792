// `tunstack ss`, `ip` and `nstat` of a running `tunstack serve`, beside what Linux's own tools say of the other end.

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Background, BIN, type RunResult, serve, tunstack } from './helpers.ts'
import { KernelPeer, ss } from './kernel.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'tunstack-ss-'))
const before = process.env['XDG_RUNTIME_DIR']
let server: Background
let peer: KernelPeer

beforeAll(async () => {
  process.env['XDG_RUNTIME_DIR'] = FOLDER
  writeFileSync(join(FOLDER, 'page'), 'hello\n')
  peer = new KernelPeer()
  server = await serve(
    [FOLDER, '--tun', 'tss0', '--address', '10.84.0.2/24', '--address', 'fd84::2/64'],
    'http://10.84.0.2/page',
  )
})
afterAll(async () => {
  await server.stop()
  await peer.stop()
  if (before === undefined) delete process.env['XDG_RUNTIME_DIR']
  else process.env['XDG_RUNTIME_DIR'] = before
  rmSync(FOLDER, { recursive: true, force: true })
})

const text = ({ code, text: out, stderr }: RunResult): string => {
  expect([code, stderr]).toEqual([0, ''])
  return out
}

test('both ends of a connection say the same of it', async () => {
  const { fd } = await peer.call('connect', { host: '10.84.0.2', port: 80 })
  const [, name] = /^ESTAB\s+0\s+0\s+(10\.84\.0\.1:\d+)\s+10\.84\.0\.2:80 /m.exec(
    ss('dst 10.84.0.2'),
  ) as unknown as string[]
  const port = name.split(':')[1]
  const ours = text(await tunstack('ss', '-tinemoOH', `dport = :${port}`))
  const theirs = ss(`dst 10.84.0.2 sport = :${port}`)
  expect(ours).toMatch(
    new RegExp(`^ESTAB\\s+0\\s+0\\s+10\\.84\\.0\\.2:80\\s+10\\.84\\.0\\.1:${port} .*skmem:\\(.* ts sack cubic wscale:`),
  )
  const of = (line: string, what: string): string | undefined => new RegExp(` ${what}:(\\S+)`).exec(line)?.[1]
  expect([of(ours, 'mss'), of(ours, 'pmtu')]).toEqual([of(theirs, 'mss'), of(theirs, 'pmtu')])
  expect(of(ours, 'wscale')).toBe(of(theirs, 'wscale')?.split(',').reverse().join(','))
  await peer.call('close', { fd })
})

test('listeners, addresses, routes, links and counters, each by its tool', async () => {
  const words = ['ss -tln', 'ip addr', 'ip route show', 'ip -s link', 'ip neigh', 'nstat TcpPassiveOpens']
  const [sockets, addresses, routes, links, neighbours, counters] = await Promise.all(
    words.map(async (line) => text(await tunstack(...line.split(' ')))),
  )
  expect(sockets).toMatch(/^State\s.*\nLISTEN\s+0\s+\d+\s+\*:80\s+\*:\*$/m)
  expect(addresses).toMatch(/tss0: .*mtu 1500.*\n.*inet 10\.84\.0\.2\/24 .*\n.*inet6 fd84::2\/64 /)
  expect(routes).toContain('10.84.0.0/24 dev tss0 proto kernel scope link src 10.84.0.2')
  expect(links).toMatch(/RX:.*\n +[1-9]/)
  expect(neighbours).toBe('')
  expect(counters).toMatch(/^#kernel\nTcpPassiveOpens +[1-9]/)
})

test('the socket is its owner’s alone; of two instances one has to be named, and one that was killed leaves nothing in the way', async () => {
  const folder = join(FOLDER, 'tunstack')
  expect([statSync(folder).mode & 0o777, statSync(join(folder, 'tss0.sock')).mode & 0o777]).toEqual([0o700, 0o600])
  const second = new Background(process.execPath, [
    BIN,
    'ping',
    '--tun',
    'tss1',
    '--address',
    '10.85.0.2/24',
    '10.85.0.1',
  ])
  await second.until(() => existsSync(join(folder, 'tss1.sock')))
  const both = await tunstack('ss', '-t')
  expect([both.code, both.stderr]).toEqual([1, expect.stringMatching(/2 instances run: tss0, tss1\n.*--instance tss0/)])
  expect(text(await tunstack('ip', '--instance', 'tss1', 'addr'))).toContain('inet 10.85.0.2/24')
  second.child.kill('SIGKILL')
  await second.exited
  expect(readdirSync(folder)).toContain('tss1.sock')
  expect(text(await tunstack('ip', 'addr'))).toContain('inet 10.84.0.2/24')
  expect(readdirSync(folder)).toEqual(['tss0.sock'])
})

test('without an instance the error says what to do', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'tunstack-ss-'))
  process.env['XDG_RUNTIME_DIR'] = empty
  const none = await tunstack('ss')
  process.env['XDG_RUNTIME_DIR'] = FOLDER
  rmSync(empty, { recursive: true })
  expect([none.code, none.stderr]).toEqual([
    1,
    expect.stringMatching(/no tunstack runs for this user.*\n.*tunstack serve/),
  ])
})
