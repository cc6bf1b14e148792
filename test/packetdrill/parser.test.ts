// The language: what is understood, and that what is not is named with its line and column, all of it at once.

import { describe, expect, test } from 'vitest'
import type { Action, PacketAction, TcpSpec } from '../../src/packetdrill/ast.ts'
import { parseScript } from '../../src/packetdrill/parser.ts'
import { FLAG } from '../../src/tcp/header.ts'

function parsed(text: string): Action {
  const { script, complaints } = parseScript(text, 'x.pkt')
  expect(complaints).toEqual([])
  expect(script.events).toHaveLength(1)
  return script.events[0].action
}

const packet = (text: string): PacketAction => parsed(text) as PacketAction
const tcp = (text: string): TcpSpec => packet(text).body as TcpSpec
const complaintsOf = (text: string): string[] =>
  parseScript(text, 'x.pkt').complaints.map(({ line, column, message }) => `${line}:${column} ${message}`)

test('options come first, unknown ones too, and definitions stand for their values', () => {
  const text = '--tolerance_usecs=1000 --send_omit_free\n--define=PORT=99\n0 bind(3, {sin_port = htons(PORT)}, ...) = 0'
  const { script } = parseScript(text, 'x.pkt')
  expect(script.options.map(({ name, value }) => `${name}=${value}`)).toEqual([
    'tolerance_usecs=1000',
    'send_omit_free=',
    'define=PORT=99',
  ])
  expect(script.events[0].action).toMatchObject({ args: [3, { sin_port: 99 }, null] })
})

test('definitions of the command line win over those of the script', () => {
  const { script } = parseScript('--define=N=1\n0 write(N, ..., 1) = 1', 'x.pkt', { N: '7' })
  expect(script.events[0].action).toMatchObject({ args: [7, null, 1] })
})

test.each([
  ['0.5 close(3) = 0', { kind: 'absolute', start: 500_000, end: 500_000 }],
  ['+.1 close(3) = 0', { kind: 'relative', start: 100_000, end: 100_000 }],
  ['+0.1~+.25 > . 1:1(0) ack 1', { kind: 'relative', start: 100_000, end: 250_000 }],
  ['1~2 > . 1:1(0) ack 1', { kind: 'absolute', start: 1_000_000, end: 2_000_000 }],
  ['* > . 1:1(0) ack 1', { kind: 'any', start: 0, end: 0 }],
  ['0.1234567 close(3) = 0', { kind: 'absolute', start: 123_457, end: 123_457 }],
])('the time of %s', (text, time) => {
  expect(parseScript(text, 'x.pkt').script.events[0].time).toEqual(time)
})

test('a call that blocks says until when', () => {
  expect(parsed('+0...0.3 read(4, ..., 100) = 100')).toMatchObject({ name: 'read', blocksUntil: 300_000 })
  expect(parsed('0.1...0.3 read(4, ..., 100) = 100')).toMatchObject({ blocksUntil: 300_000 })
  expect(parsed('0 read(4, ..., 100) = 100')).toMatchObject({ blocksUntil: -1 })
})

describe('flags', () => {
  const { FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE } = FLAG
  test.each([
    ['S', SYN],
    ['S.', SYN | ACK],
    ['P.', PSH | ACK],
    ['FP.', FIN | PSH | ACK],
    ['.', ACK],
    ['R.', RST | ACK],
    ['SEW', SYN | ECE | CWR],
    ['SE.', SYN | ECE | ACK],
    ['S.E', SYN | ECE | ACK],
    ['SEWA', SYN | ECE | CWR | AE],
    ['PU.', PSH | URG | ACK],
    ['E.', ECE | ACK],
    ['C.', CWR | ACK],
    ['5.', AE | ECE | ACK],
    ['.6', AE | CWR | ACK],
    ['-', 0],
  ])('%s', (letters, bits) => {
    expect(tcp(`0 < ${letters} 1:1(0) win 1`).flags).toBe(bits)
  })
})

test('a segment with everything', () => {
  const text =
    '0 < [ect0] PU. 1:1001(1000) ack 7 win 257 urg 3 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7,sack 1:2 5:6,eol>'
  expect(packet(text)).toMatchObject({
    direction: 'in',
    ip: { ecn: 'ect0' },
    body: {
      seq: 1,
      length: 1000,
      ack: 7,
      window: 257,
      urgent: 3,
      options: [
        { kind: 'mss', value: 1460 },
        { kind: 'sackOK' },
        { kind: 'TS', val: 100, ecr: 0 },
        { kind: 'nop' },
        { kind: 'wscale', value: 7 },
        {
          kind: 'sack',
          blocks: [
            [1, 2],
            [5, 6],
          ],
        },
        { kind: 'eol' },
      ],
    },
  })
})

test('options that are not looked at, and none', () => {
  expect(tcp('0 > . 1:1(0) ack 1 <...>').options).toBeNull()
  expect(tcp('0 > . 1:1(0) ack 1').options).toEqual([])
})

test('Fast Open, AccECN, signatures (RFC 7413 §4.1.1, RFC 9768 §3.2.3, RFC 2385 §3.0)', () => {
  expect(tcp('0 > S 0:0(0) <FO abcd1234,FO,FOEXP 01>').options).toMatchObject([
    { kind: 'FO', cookie: Uint8Array.of(0xab, 0xcd, 0x12, 0x34) },
    { kind: 'FO', cookie: new Uint8Array(0) },
    { kind: 'FOEXP', cookie: Uint8Array.of(1) },
  ])
  expect(tcp('0 > . 1:1(0) ack 1 <ECN e1b 1 ceb 0 e0b 300,md5 valid,md5 invalid>').options).toEqual([
    {
      kind: 'ECN',
      counters: [
        ['e1b', 1],
        ['ceb', 0],
        ['e0b', 300],
      ],
    },
    { kind: 'md5', valid: true },
    { kind: 'md5', valid: false },
  ])
})

test('what the IP header says, in either bracket', () => {
  expect(packet('0 > [tos 0x10,ttl 64] . 1:1(0) ack 1').ip).toMatchObject({ trafficClass: 16, hopLimit: 64 })
  expect(packet('0 > (tos 0x2) . 1:1(0) ack 1').ip).toMatchObject({ trafficClass: 2 })
  expect(packet('0 < [ce] [flowlabel 0x123] . 1:1(0) ack 1').ip).toMatchObject({ ecn: 'ce', flowLabel: 0x123 })
})

test('addresses, ICMP, UDP', () => {
  expect(packet('0 < 1.1.1.1:80 > 2.2.2.2:90 S 0:0(0)').endpoints).toEqual({
    sourceAddress: '1.1.1.1',
    sourcePort: 80,
    destinationAddress: '2.2.2.2',
    destinationPort: 90,
  })
  expect(packet('0 < icmp unreachable frag_needed mtu 1200 [1:1001(1000)]').body).toMatchObject({
    kind: 'icmp',
    type: 'unreachable',
    code: 'frag_needed',
    mtu: 1200,
    seq: 1,
    length: 1000,
  })
  expect(packet('0 > udp (1000)').body).toEqual({ kind: 'udp', length: 1000 })
})

test('the arguments of calls', () => {
  expect(parsed('0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0')).toMatchObject({
    args: [3, 1, 13, { l_onoff: 1, l_linger: 0 }, 8],
  })
  expect(parsed('0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0')).toMatchObject({ args: [3, 4, 2050] })
  expect(parsed('0 write(3, "a\\n\\x41" "b", -1) = 0x10')).toMatchObject({
    args: [3, 'a\nAb', -1],
    expected: { least: 16 },
  })
  expect(parsed('0 writev(3, [{..., 1000}, {"ab", 2}], 2) = 1002')).toMatchObject({
    args: [
      3,
      [
        [null, 1000],
        ['ab', 2],
      ],
      2,
    ],
  })
  expect(
    parsed('0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 9}], msg_control=[{cmsg_level=SOL_SOCKET}]}, 0) = 9'),
  ).toMatchObject({ args: [4, { msg_name: null, msg_iov: [[null, 9]], msg_control: [{ cmsg_level: 1 }] }, 0] })
  expect(parsed('0 connect(3, {sa_family = AF_INET6, sin6_addr = inet_pton(AF_INET6, "::1")}, 28) = 0')).toMatchObject({
    args: [3, { sa_family: 10, sin6_addr: '::1' }, 28],
  })
})

test('the results of calls', () => {
  const result = (text: string): unknown => (parsed(`0 close(3) = ${text}`) as { expected: unknown }).expected
  expect(result('-1 EAGAIN (Resource temporarily unavailable)')).toMatchObject({ least: -1, most: -1, errno: 'EAGAIN' })
  expect(result('-1 EWOULDBLOCK')).toMatchObject({ errno: 'EAGAIN' })
  expect(result('?')).toEqual({ least: null, most: null, errno: '', note: '' })
  expect(result('0x802 (flags O_RDWR|O_NONBLOCK)')).toMatchObject({ least: 2050, most: 2050 })
})

test('the time of the next line is no part of a result', () => {
  const { script } = parseScript('0 close(3) = 0\n+0 close(4) = 3\n+.5 close(5) = 1', 'x.pkt')
  expect(script.events.map(({ action }) => (action as { expected: { least: number } }).expected.least)).toEqual([
    0, 3, 1,
  ])
})

test('comments, commands of several lines and code', () => {
  const text = '// a\n# b\n/* c\n d */\n`sysctl a=1\nsysctl b=2`\n0 `ls` // e\n+0 %{\nassert 1 > 0\n}%\n'
  const { script, complaints } = parseScript(text, 'x.pkt')
  expect(complaints).toEqual([])
  expect(script.events.map(({ line, action }) => [line, action.kind])).toEqual([
    [5, 'command'],
    [7, 'command'],
    [8, 'code'],
  ])
})

test('all mistakes of a script come at once, each with its place', () => {
  const text = [
    '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3',
    '+0 bind(3, BAR, ...) = 0',
    '+0 > . 1:2(0) ack 1',
    '+0 < Q 1:1(0)',
    '+0 < . 1:1(0) ack 1 <mss>',
    '+0 close(3) = -1 ENOSUCH',
    '+0 close(5) = 0',
    'close(4) = 0',
  ].join('\n')
  expect(complaintsOf(text)).toEqual([
    "2:12 the name 'BAR' is not known (see docs/packetdrill.md; -D BAR=... defines it)",
    '3:10 1:2 does not have 0 octets: it would be 1:1',
    "4:6 expected a packet's flags, as S or P., found 'Q'",
    "5:25 expected the value of mss, a whole number, found '>'",
    "6:18 'ENOSUCH' is no errno of Linux",
    "8:1 expected the time of an event, as 0.1 or +0.1, found 'close(4)'",
  ])
  expect(parseScript(text, 'x.pkt').script.events.map(({ line }) => line)).toEqual([1, 7])
})

test.each([
  ['0 `ls', '1:3 a command that begins here is not closed: there is no second `'],
  ['0 %{ x', '1:3 code that begins here is not closed: there is no }%'],
  ['/* x', '1:1 a comment that begins here is not closed: there is no */'],
  ['0 write(3, "a, 1) = 1', '1:12 a string that begins here is not closed'],
  ['0 > gre . 1:1(0)', '1:5 packets in gre are not supported'],
  ['0...0.1 > . 1:1(0)', '1:8 only a call can block'],
  ['0.5~0.2 > . 1:1(0)', '1:1 a span of time ends before it begins: 0.5~0.2'],
  ['0 > .. 1:1(0)', "1:5 the flag '.' stands here twice"],
])('%s is refused', (text, complaint) => {
  expect(complaintsOf(text)[0]).toBe(complaint)
})
