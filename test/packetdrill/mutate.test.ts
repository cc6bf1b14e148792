// Which mistakes are made in a script to see whether it notices: only in what it expects, one at a time, and none that nobody could notice.

import { expect, test } from 'vitest'
import { mutantsOf } from '../../src/packetdrill/mutate.ts'
import { parseScript } from '../../src/packetdrill/parser.ts'

function mistakes(text: string, options: Parameters<typeof mutantsOf>[1] = {}): string[] {
  const { script, complaints } = parseScript(text, 'x.pkt')
  expect(complaints).toEqual([])
  return mutantsOf(script, options).map(({ line, what }) => `${line} ${what}`)
}

const LATER = '0 > R 9:9(0)'

test('numbers, length, flags and time of a packet that goes out, and leaving it out', () => {
  const made = mistakes(`+.2 > P. 5:6(1) ack 3 win 7\n${LATER}`).filter((one) => one.startsWith('1 '))
  expect(made).toEqual([
    '1 seq + 1',
    '1 ack + 1',
    '1 length + 1',
    '1 window + 1',
    '1 seq - 1',
    '1 ack - 1',
    '1 length - 1',
    '1 window - 1',
    '1 PSH flipped',
    '1 FIN flipped',
    '1 RST flipped',
    '1 ECE flipped',
    '1 100 ms later',
    '1 100 ms sooner',
    '1 line left out',
  ])
})

test('what the semantic way of matching passes over is not changed', () => {
  const made = mistakes(`+.2 > P. 5:6(1) ack 3 win 7 <wscale 3>\n${LATER}`, { semantic: true })
  expect(made.filter((one) => /window|PSH|wscale/.test(one))).toEqual([])
})

test('options: MSS, scale, echo, edges of SACK blocks', () => {
  const made = mistakes(
    `0 > S. 0:0(0) ack 1 <mss 9,TS val 1 ecr 2,wscale 7>\n+0 > . 1:1(0) ack 1 <sack 1:2 5:6>\n${LATER}`,
  )
  const ofOptions = made.filter((one) => /mss|ecr|wscale|edge/.test(one))
  expect(ofOptions).toEqual([
    '1 mss + 1',
    '1 ecr + 1',
    '1 wscale + 1',
    '2 left edge of SACK + 1',
    '2 right edge of SACK - 1',
    '2 left edge of SACK + 1',
    '2 right edge of SACK - 1',
  ])
})

test('results of calls and what they fill in, but no descriptor and nothing that the caller gives', () => {
  expect(mistakes('0 read(4, ..., 100) = 10')).toEqual(['1 error expected', '1 result + 1', '1 result - 1'])
  expect(mistakes('0 read(4, ..., 100) = -1 EAGAIN')).toEqual(['1 errno changed', '1 success expected'])
  expect(mistakes('0 socket(..., SOCK_STREAM, 0) = 3')).toEqual(['1 error expected'])
  expect(mistakes('0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [9], [4]) = 0')).toContain('1 argument 4 changed')
  expect(mistakes('0 setsockopt(4, SOL_TCP, TCP_MAXSEG, [9], 4) = 0')).not.toContain('1 argument 4 changed')
})

test('each assertion is negated in its turn', () => {
  const { script } = parseScript('0 %{ assert 1 < 2; assert 3 < 4, "no" }%', 'x.pkt')
  const texts = mutantsOf(script).map((mutant) => mutant.script.events[0].action)
  expect(texts).toEqual([
    { kind: 'code', text: expect.stringContaining('assert not (1 < 2)') },
    { kind: 'code', text: expect.stringContaining('assert not (3 < 4)') },
  ])
})

test('what a script does is left as it is, and so is its last packet that goes out', () => {
  expect(mistakes('0 < . 1:1(0) ack 1 win 5')).toEqual([])
  expect(mistakes(LATER)).not.toContain('1 line left out')
})
