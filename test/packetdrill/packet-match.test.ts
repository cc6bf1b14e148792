// What counts as the packet that a script expects: strictly and semantically, whole, in pieces, and several in one.

import { describe, expect, test } from 'vitest'
import type { PacketAction, TcpSpec } from '../../src/packetdrill/ast.ts'
import { Flow } from '../../src/packetdrill/flow.ts'
import type { LivePacket, LiveTcp } from '../../src/packetdrill/live-packet.ts'
import { compareIp, formatSpec, type Match, matchTcp } from '../../src/packetdrill/packet-match.ts'
import { parseScript } from '../../src/packetdrill/parser.ts'

const ISN = 0xffff_fff0

function action(text: string): PacketAction {
  const { script, complaints } = parseScript(`0 > ${text}`, 'x.pkt')
  expect(complaints).toEqual([])
  return script.events[0].action as PacketAction
}

/** A segment that was sent, in the script's notation; its numbers are those of the wire. */
function live(text: string): LiveTcp {
  const { flags, seq, length, ack, window, urgent, options } = action(text).body as TcpSpec
  const ends = { sourcePort: 8080, destinationPort: 49152 }
  const seqOnWire = (seq + ISN) % 2 ** 32
  return { kind: 'tcp', ...ends, seq: seqOnWire, ack, flags, window, urgent, options: options ?? [], length }
}

function match(expected: string, actual: string, semantic = false, mss = 1000, isPushFree = false): Match {
  const flow = new Flow(8080, 49152)
  flow.learnIsn(ISN, 0)
  const rules = { semantic, stampTickUs: 0, toleranceUs: 4000 }
  return matchTcp(action(expected).body as TcpSpec, live(actual), flow, rules, mss, isPushFree)
}

/** In a word or two. */
function told(result: Match): string {
  if (result.kind === 'different') return result.differences.join('; ')
  return result.kind === 'whole' ? 'whole' : `${result.kind} ${result.octets}`
}

describe('strictly', () => {
  test.each([
    ['P. 1:101(100) ack 1', 'P. 1:101(100) ack 1 win 5', 'whole'],
    ['P. 1:101(100) ack 1 win 6', 'P. 1:101(100) ack 1 win 5', 'window 5, expected 6'],
    ['P. 1:101(100) ack 1', '. 1:101(100) ack 1', 'flags ., expected P.'],
    ['P. 1:101(100) ack 1', 'P. 2:102(100) ack 1', 'sequence number 2, expected 1'],
    ['P. 1:101(100) ack 1', 'P. 1:101(100) ack 2', 'acknowledgement 2, expected 1'],
    ['P. 1:101(100) ack 1', 'P. 1:102(101) ack 1', 'length 101, expected 100'],
    ['P. 1:101(100) ack 1', 'PU. 1:101(100) ack 1 urg 7', 'urgent pointer 7, expected 0; flags PU., expected P.'],
    ['. 1:1(0) ack 1 <...>', '. 1:1(0) ack 1 <nop,nop,sack 5:6>', 'whole'],
    ['. 1:1(0) ack 1', '. 1:1(0) ack 1 <nop,nop,sack 5:6>', 'options <nop,nop,sack 5:6>, expected <>'],
    [
      '. 1:1(0) ack 1 <nop,nop,sack 5:7>',
      '. 1:1(0) ack 1 <nop,nop,sack 5:6>',
      'options <nop,nop,sack 5:6>, expected <nop,nop,sack 5:7>',
    ],
    ['. 1:1(0) ack 1 <TS val 5 ecr 9>', '. 1:1(0) ack 1 <TS val 77 ecr 9>', 'whole'],
    [
      '. 1:1(0) ack 1 <TS val 5 ecr 9>',
      '. 1:1(0) ack 1 <TS val 5 ecr 8>',
      'options <TS val 5 ecr 8>, expected <TS val 5 ecr 9>',
    ],
  ])('%s against %s: %s', (expected, actual, verdict) => {
    expect(told(match(expected, actual))).toBe(verdict)
  })
})

describe('semantically', () => {
  test.each([
    ['P. 1:101(100) ack 1 win 6', '. 1:101(100) ack 1 win 5', 'whole'],
    ['. 1:1(0) ack 1 <mss 9,sackOK>', '. 1:1(0) ack 1 <nop,sackOK,mss 9>', 'whole'],
    ['. 1:1(0) ack 1 <mss 9>', '. 1:1(0) ack 1 <mss 8>', 'options <mss 8>, expected <mss 9>'],
    ['. 1:1(0) ack 1 <wscale 7>', '. 1:1(0) ack 1 <wscale 8>', 'whole'],
    ['. 1:1(0) ack 1', '. 1:1(0) ack 2', 'acknowledgement 2, expected 1'],
    ['F. 1:1(0) ack 1', '. 1:1(0) ack 1', 'flags ., expected F.'],
  ])('%s against %s: %s', (expected, actual, verdict) => {
    expect(told(match(expected, actual, true))).toBe(verdict)
  })
})

describe('text longer than a segment', () => {
  test.each([
    ['P. 1:3001(3000) ack 1', '. 1:1001(1000) ack 1', 'piece 1000'],
    ['FP. 1:3001(3000) ack 1', '. 1:1001(1000) ack 1', 'piece 1000'],
    ['P. 1:3001(3000) ack 1', 'P. 1:2001(2000) ack 1', 'piece 2000'], // where a super-segment ends
    ['P. 1:3001(3000) ack 1', '. 2:1002(1000) ack 1', 'sequence number 2, expected 1'],
    ['. 1:1001(1000) ack 1', 'P. 1:3001(3000) ack 1', 'surplus 1000'],
    ['P. 1:2001(2000) ack 1', 'P. 1:3001(3000) ack 1', 'surplus 2000'],
    ['. 1:1001(1000) ack 1', 'FP. 1:3001(3000) ack 1', 'surplus 1000'],
    ['F. 1:1001(1000) ack 1', 'FP. 1:3001(3000) ack 1', 'flags ., expected F.'],
    ['P. 1:901(900) ack 1', '. 1:401(400) ack 1', 'length 400, expected 900; flags ., expected P.'], // it fits into one
    ['S 0:3000(3000)', 'S 0:1000(1000)', 'length 1000, expected 3000'], // what a SYN carries stays together
  ])('%s against %s: %s', (expected, actual, verdict) => {
    expect(told(match(expected, actual))).toBe(verdict)
  })

  test('PSH that only says where a super-segment ends may as well not be there', () => {
    expect(told(match('. 1:2001(2000) ack 1', 'P. 1:2001(2000) ack 1', false, 1000, true))).toBe('whole')
    expect(told(match('. 1:2001(2000) ack 1', 'P. 1:2001(2000) ack 1'))).toBe('flags P., expected .')
  })
})

describe('the IP header', () => {
  const packet = (trafficClass: number, hopLimit = 64): LivePacket => ({
    at: 0,
    source: '',
    destination: '',
    trafficClass,
    hopLimit,
    flowLabel: 5,
    isPushFree: false,
    segmentBytes: 0,
    body: live('. 1:1(0) ack 1'),
  })

  test.each([
    ['. 1:1(0) ack 1', packet(3), []],
    ['[ect0] . 1:1(0) ack 1', packet(2), []],
    ['[ect0] . 1:1(0) ack 1', packet(1), ['ECN field ect1, expected ect0']],
    ['[ect01] . 1:1(0) ack 1', packet(1), []],
    ['[ect01] . 1:1(0) ack 1', packet(3), ['ECN field ce, expected ect01']],
    ['[noecn] . 1:1(0) ack 1', packet(0x10), []],
    ['[tos 0x10] . 1:1(0) ack 1', packet(0x12), ['tos 0x12, expected 0x10']],
    ['[ttl 64] . 1:1(0) ack 1', packet(0, 63), ['ttl 63, expected 64']],
    ['(flowlabel 6) . 1:1(0) ack 1', packet(0), ['flow label 5, expected 6']],
  ])('%s', (expected, actual, differences) => {
    expect(compareIp(action(expected).ip, actual)).toEqual(differences)
  })
})

test.each([
  'P. 1:101(100) ack 1 win 5 <nop,nop,TS val 5 ecr 9>',
  '[ce] SEW 0:0(0) <mss 9,sackOK>',
  '. 1:1(0) ack 1 <...>',
])('%s is written as it was read', (text) => {
  expect(formatSpec(action(text))).toBe(`> ${text}`)
})
