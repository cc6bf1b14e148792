// The rules of a run, against a target that does what a list says: when things are due, how packets go together, what fails and where.

import { describe, expect, test } from 'vitest'
import { writeOptions } from '../../src/packetdrill/packet-build.ts'
import { parseScript } from '../../src/packetdrill/parser.ts'
import { formatFailure, type ScriptResult } from '../../src/packetdrill/report.ts'
import { runScript } from '../../src/packetdrill/runner.ts'
import type { RunOptions } from '../../src/packetdrill/settings.ts'
import { FakeTarget, sent } from './fake-target.ts'

const SERVER = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
`

async function run(text: string, setUp: (target: FakeTarget) => void, options: RunOptions = {}): Promise<ScriptResult> {
  const { script, complaints } = parseScript(text, 'x.pkt')
  expect(complaints).toEqual([])
  const make = (): FakeTarget => {
    const target = new FakeTarget()
    setUp(target)
    return target
  }
  return runScript(script, make, options)
}

const told = (result: ScriptResult): string => (result.ok ? 'passed' : `${result.line}: ${result.error}`)

describe('time', () => {
  const script = (time: string): string => `0 < R 1:1(0) win 0\n${time} > R 7:7(0)`
  const at = (us: number) => (target: FakeTarget) => target.willSend(us, sent({ flags: 4, seq: 7 }))

  test.each([
    ['0.1', 100_000, 'passed'],
    ['0.1', 103_900, 'passed'],
    ['0.1', 96_100, 'passed'],
    ['0.1', 104_100, '2: no packet by 0.100000'],
    ['0.1', 95_900, '2: timing: expected at 0.100000, sent at 0.095900'],
    ['0.1~0.2', 150_000, 'passed'],
    ['+0.1~+0.2', 205_000, '2: no packet by 0.200000'],
    ['*', 5_000_000, 'passed'],
    ['*', 61_000_000, '2: no packet by 60.000000'],
    ['10', 10_090_000, 'passed'], // one percent
    ['10', 10_110_000, '2: no packet by 10.000000'],
  ])('expected at %s and sent at %d: %s', async (time, us, outcome) => {
    expect(told(await run(script(time), at(us)))).toBe(outcome)
  })

  test('a relative time counts from when the event before was over', async () => {
    const text = '0 < R 1:1(0) win 0\n0.1~0.3 > R 7:7(0)\n+.1 > R 7:7(0)'
    const result = await run(text, (target) => {
      at(250_000)(target)
      at(350_000)(target)
    })
    expect(told(result)).toBe('passed')
  })
})

describe('calls', () => {
  test('a descriptor of the script is whatever the target has returned', async () => {
    const seen: unknown[] = []
    const result = await run('0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0', (target) => {
      target.calls.socket = () => ({ value: 1007 })
      target.calls.close = (args) => {
        seen.push(args)
        return { value: 0 }
      }
    })
    expect(told(result)).toBe('passed')
    expect(seen).toEqual([[1007]])
  })

  test.each([
    ['= 10', { value: 10 }, 'passed'],
    ['= 11', { value: 10 }, '1: in read: returned 10, expected 11'],
    ['= -1 EAGAIN', { value: -1, errno: 'EAGAIN' }, 'passed'],
    ['= -1 EAGAIN', { value: -1, errno: 'EPIPE' }, '1: in read: returned -1 EPIPE, expected -1 EAGAIN'],
    ['= -1 EAGAIN', { value: 10 }, '1: in read: returned 10, expected -1 EAGAIN'],
    ['= 0', { value: -1, errno: 'EAGAIN' }, '1: in read: returned -1 EAGAIN, expected 0'],
    ['= ?', { value: -1, errno: 'EAGAIN' }, 'passed'],
    ['= [5, 10]', { value: 10 }, 'passed'],
    ['= 10', { value: 10, endsAt: 50_000 }, '1: read blocks, and the script does not expect it to'],
  ])('read(...) %s of %o: %s', async (expected, outcome, verdict) => {
    const result = await run(`0 read(4, ..., 10) ${expected}`, (target) => {
      target.calls.read = () => outcome
    })
    expect(told(result)).toBe(verdict)
  })

  test.each([
    [100_000, 'passed'],
    [0, '1: read was to return at 0.100000 and did at 0.000000'],
    [120_000, '1: read still blocks'],
  ])('a call that blocks until 0.1 and returns at %d: %s', async (endsAt, verdict) => {
    const result = await run('0...0.1 read(4, ..., 10) = 10', (target) => {
      target.calls.read = () => ({ value: 10, endsAt })
    })
    expect(told(result)).toBe(verdict)
  })

  test('what a call fills in is compared where it is written', async () => {
    const text =
      '0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n0 recvmsg(3, {msg_flags=MSG_OOB, msg_name=...}, 0) = 0'
    const result = await run(text, (target) => {
      target.calls.getsockopt = (args) => ({ value: 0, outputs: [...args.slice(0, 3), [0], [4]] })
      target.calls.recvmsg = () => ({ value: 0, outputs: [null, { msg_flags: 0, msg_name: 'x' }, null] })
    })
    expect(told(result)).toBe('2: in recvmsg: msg_flags of argument 2 is 0, expected 1')
  })
})

describe('packets', () => {
  const handshake = `${SERVER}+0 < S 0:0(0) win 1000 <mss 1000>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n+.1 < . 1:1(0) ack 1 win 1000\n`
  const ISN = 0xffff_fff0
  const shake = (target: FakeTarget): void => {
    const { options } = writeOptions([{ kind: 'mss', value: 1460 }])
    target.onDeliver = (tcp) => {
      if (tcp.flags !== 2) return
      target.willSend(target.now(), sent({ flags: 18, seq: ISN, ack: 1, options, to: tcp.sourcePort }))
    }
  }
  const text = (target: FakeTarget, from: number, length: number, flags = 16): void =>
    target.willSend(100_000, sent({ flags, seq: ISN + from, ack: 1, length, to: 49_152 }))

  test('numbers are counted from the ISN, past the wrap of the sequence space (RFC 9293 §3.4)', async () => {
    let acked = -1
    const result = await run(`${handshake}+0 > P. 1:101(100) ack 1\n+0 < . 1:1(0) ack 101 win 9`, (target) => {
      shake(target)
      text(target, 1, 100, 24)
      const { onDeliver } = target
      target.onDeliver = (tcp) => {
        onDeliver(tcp)
        acked = tcp.ack
      }
    })
    expect(told(result)).toBe('passed')
    expect(acked).toBe((ISN + 101) % 2 ** 32)
  })

  test('several live segments make up one of the script that is longer than a segment', async () => {
    const setUp = (target: FakeTarget): void => {
      shake(target)
      text(target, 1, 1000)
      text(target, 1001, 1000)
      text(target, 2001, 500, 24)
    }
    expect(told(await run(`${handshake}+0 > P. 1:2501(2500) ack 1`, setUp))).toBe('passed')
    expect(told(await run(`${handshake}+0 > . 1:2501(2500) ack 1`, setUp))).toContain('flags P., expected .')
    expect(told(await run(`${handshake}+0 > P. 1:2502(2501) ack 1`, setUp))).toContain('length 500, expected 501')
    expect(told(await run(`${handshake}+0 > . 1:2001(2000) ack 1\n+0 > P. 2001:2501(500) ack 1`, setUp))).toBe('passed')
  })

  test('one live super-segment makes up several of the script', async () => {
    const setUp = (target: FakeTarget): void => {
      shake(target)
      text(target, 1, 2500, 24)
    }
    const lines = '+0 > . 1:1001(1000) ack 1\n+0 > . 1001:2001(1000) ack 1\n'
    expect(told(await run(`${handshake}${lines}+0 > P. 2001:2501(500) ack 1`, setUp))).toBe('passed')
    expect(told(await run(`${handshake}${lines}+0 > . 2001:2501(500) ack 1`, setUp))).toContain('flags P., expected .')
  })

  test('text that fits into one packet must come in one', async () => {
    const setUp = (target: FakeTarget): void => {
      shake(target)
      text(target, 1, 300)
      text(target, 301, 300, 24)
    }
    expect(told(await run(`${handshake}+0 > P. 1:601(600) ack 1`, setUp))).toContain('length 300, expected 600')
  })

  test('a failure shows both sides, and what was before', async () => {
    const result = await run(`${handshake}+0 > P. 1:101(100) ack 2 win 77`, (target) => {
      shake(target)
      text(target, 1, 100, 24)
    })
    expect(formatFailure(result).split('\n').slice(0, 3)).toEqual([
      'x.pkt:7: error in a packet: acknowledgement 1, expected 2; window 500, expected 77',
      '  expected  > P. 1:101(100) ack 2 win 77',
      '  actual    > P. 1:101(100) ack 1 win 500',
    ])
    expect(result.events).toContain('0.100000 > P. 1:101(100) ack 1 win 500')
  })

  test('a packet that nobody expected fails the next one that is expected', async () => {
    const setUp = (target: FakeTarget): void => {
      shake(target)
      text(target, 1, 0)
      text(target, 1, 100, 24)
    }
    expect(told(await run(`${handshake}+0 > P. 1:101(100) ack 1`, setUp))).toContain('length 0, expected 100')
    expect(told(await run(handshake, setUp))).toBe('passed') // as in the original: nothing reads the wire at the end
  })

  test('semantically window, PSH and extra acknowledgements do not matter, numbers do', async () => {
    const setUp = (target: FakeTarget): void => {
      shake(target)
      text(target, 1, 100)
      target.willSend(150_000, sent({ flags: 16, seq: ISN + 101, ack: 51, to: 49_152 }))
      target.willSend(200_000, sent({ flags: 16, seq: ISN + 101, ack: 101, to: 49_152 }))
    }
    const lines = `${handshake}+0 > P. 1:101(100) ack 1 win 9\n+0 < . 1:101(100) ack 101 win 9\n`
    const options = { semantic: true }
    expect(told(await run(`${lines}+0 > . 101:101(0) ack 101`, setUp, options))).toBe('passed')
    expect(told(await run(`${lines}+0 > . 101:101(0) ack 102`, setUp, options))).toBe('9: no packet by 0.100000')
    expect(told(await run(`${handshake}+0 > P. 1:101(100) ack 2`, setUp, options))).toContain('acknowledgement 1')
    expect(told(await run(`${lines}+0 > . 101:101(0) ack 101`, setUp))).toContain('window 500, expected 9')
  })
})

test('commands are recognised, told to the target, and never executed', async () => {
  const seen: string[] = []
  const text =
    '`sysctl -q net.ipv4.tcp_ecn=0 net.ipv4.tcp_rmem="1 2 3"\n../common/defaults.sh`\n0 `echo 5 > /proc/sys/net/ipv4/tcp_x; rm -rf /`'
  const result = await run(text, (target) => {
    target.setSysctl = (name, value) => {
      seen.push(`${name}=${value}`)
      return name.endsWith('tcp_x') ? 'there is no such setting' : null
    }
  })
  expect(seen).toEqual(['net.ipv4.tcp_ecn=0', 'net.ipv4.tcp_rmem=1 2 3', 'net.ipv4.tcp_x=5'])
  expect(result.warnings).toEqual([
    'line 1: not executed: ../common/defaults.sh',
    'line 3: net.ipv4.tcp_x=5: there is no such setting',
    'line 3: not executed: rm -rf /',
  ])
})
