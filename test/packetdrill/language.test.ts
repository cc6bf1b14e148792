// What a script may hold beside packets and calls of TCP: UDP, ICMP in full, files of settings, failures that are only told, Python.

import { expect, test } from 'vitest'
import { parseScript, type RunOptions, runScript, type ScriptResult, StackTarget } from '../../src/packetdrill/index.ts'
import { Python } from '../../src/packetdrill/python.ts'

async function run(text: string, options: RunOptions = {}): Promise<ScriptResult> {
  const { script, complaints } = parseScript(text, 'x.pkt')
  expect(complaints).toEqual([])
  return runScript(script, (ends) => new StackTarget(ends), options)
}

test('outgoing ICMP is compared in full: type, code, what it quotes', async () => {
  const script = (expected: string) =>
    run(`0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < udp (30)\n+0 > icmp ${expected}`)
  expect((await script('unreachable port [udp (30)]')).ok).toBe(true)
  expect((await script('unreachable port')).ok).toBe(true)
  expect((await script('unreachable host [udp (30)]')).error).toContain('code 3, expected 1')
  expect((await script('time_exceeded')).error).toContain('type 3, expected 11')
  expect((await script('unreachable port [udp (31)]')).error).toContain('quoted length 30, expected 31')
  expect((await script('unreachable port [1:31(30)]')).error).toContain('quoted protocol 17, expected 6')
})

test('an outgoing datagram has the length and the ports that are written', async () => {
  const script = (expected: string) =>
    run(
      `0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 connect(3, ..., ...) = 0\n+0 write(3, ..., 30) = 30\n+0 > ${expected}`,
    )
  expect((await script('udp (30)')).ok).toBe(true)
  expect((await script('udp (29)')).error).toContain('length 30, expected 29')
  expect((await script('. 1:1(0) ack 1')).error).toContain('it is udp, not tcp')
})

test('what select has found is compared with what stands behind its result', async () => {
  const script = (note: string) =>
    run(
      `0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 bind(3, ..., ...) = 0\n+0 select(4, [3], [3], NULL, NULL) = 1 ${note}`,
    )
  expect((await script('(out [3])')).ok).toBe(true)
  expect((await script('(in [3])')).error).toContain('in [], expected [3]')
})

test('files of --init_scripts are read for their settings before the first line, and those that are not there are told', async () => {
  const script = `--init_scripts=a.sh,b.sh
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...0.1 connect(3, ..., ...) = -1 ECONNREFUSED
+0 > S 0:0(0) <mss 1460>
+.1 < R. 0:0(0) ack 1 win 0`
  const settings = 'sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_timestamps=0 net.ipv4.tcp_window_scaling=0'
  const result = await run(script, { readFile: (name) => (name === 'a.sh' ? settings : null) })
  expect(result.error).toBe('')
  expect(result.warnings.join()).toContain('b.sh cannot be read')
  expect((await run(script)).ok).toBe(false)
})

test('with --non_fatal what is not as expected is told, and the script goes on', async () => {
  const script = (option: string) =>
    run(`${option}
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 connect(3, ..., ...) = 0
+0 write(3, ..., 30) = 31
+0 > udp (31)
+0 write(3, ..., 10) = 10
+0 > udp (10)`)
  const result = await script('--non_fatal=packet,syscall')
  expect(result.error).toBe('')
  expect(result.warnings).toHaveLength(2)
  expect((await script('--non_fatal=packet')).line).toBe(4)
  expect((await script('--non_fatal=syscall')).line).toBe(5)
})

test('what cannot be had is said: packets in UDP, Multipath TCP, loops of Python', async () => {
  expect((await run('--udp_encaps=sctp\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3')).error).toContain('not supported')
  expect((await run('0 socket(..., SOCK_STREAM, IPPROTO_MPTCP) = 3')).error).toContain('Multipath TCP')
  expect(() => new Python().run('while True:\n  pass', {})).toThrow(/'while' is not supported/)
})

test("Python's for goes through lists, with one name or several; f'' fills in values", () => {
  const python = new Python()
  const code = `
total = 0
for i in range(4): total += i
for name, value in [('a', 1), ('b', 2)]:
    if value > 1:
        print(f"{name}={value:d} {{}}")
assert total == 6
assert any([0, 1]) and not all([0, 1])`
  expect(python.run(code, {})).toEqual(['b=2 {}'])
  expect(() => python.run('for i in 3: pass', {})).toThrow(/takes a list/)
  expect(() => python.run('for i in [1, 2]:\n  assert i < 2', {})).toThrow(/assertion failed/)
})
