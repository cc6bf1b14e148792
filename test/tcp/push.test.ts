// The PSH bit: on the last of what is queued, and now and then in between (RFC 9293 §3.9.1.2).

import { expect } from 'vitest'
import { FLAG } from '../../src/tcp/header.ts'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000

/** Ends of the segments with PSH, of all that is sent until `length` octets are out and acknowledged. */
function pushedEnds(c: Script, length: number): number[] {
  c.write(length)
  const ends: number[] = []
  for (let sent = c.drain(); sent.length > 0; sent = c.drain()) {
    for (const { flags, end } of sent) if ((flags & FLAG.PSH) !== 0) ends.push(end)
    c.in(`. ack ${sent[sent.length - 1].end}`)
  }
  return ends
}

scenario(
  'successive writes are collapsed: one PSH, on the last of what is queued (RFC 9293 §3.9.1.2 [MUST-61] [SHLD-27] [MAY-16])',
  () => {
    const c = established({ mss, tcp: { initialWindowSegments: 1 } })
    c.write(1000).out('P. 1:1001 ack 1')
    c.write(400).write(600).write(900).write(100).quiet()
    c.in('. ack 1001').out('. 1001:2001 ack 1', 'P. 2001:3001 ack 1')
  },
)

scenario('text in odd pieces is sent in maximum-sized segments (RFC 9293 §3.9.1.2 [SHLD-28])', () => {
  const c = established({ mss, win: 1000 })
  c.write(1000).out('P. 1:1001 ack 1')
  for (const length of [1, 999, 777, 223, 1500, 500]) c.write(length)
  c.in('. ack 1001 win 9000').outText(1001, 5001)
})

scenario('a segment sent again carries PSH when it is still the last (RFC 9293 §3.9.1.2 [MUST-61])', () => {
  const c = established({ mss })
  c.write(500).out('P. 1:501 ack 1').advance(300).out('P. 1:501 ack 1')
})

const half: ScriptOptions = { mss, win: 10_000, tcp: { forcedPush: true } }

scenario('PSH comes at least once in half of the greatest window, as in Linux (RFC 9293 §3.9.1.2)', () => {
  expect(pushedEnds(established(half), 20_000)).toEqual([6001, 12_001, 18_001, 20_001])
  expect(pushedEnds(established({ ...half, tcp: { forcedPush: false } }), 20_000)).toEqual([20_001])
})

scenario('the half is of the greatest window that there ever was, and counts from the last PSH', () => {
  const c = established(half)
  expect(pushedEnds(c, 3000)).toEqual([3001])
  expect(pushedEnds(c, 7000)).toEqual([9001, 10_001])
  c.in('. ack 10001 win 20000')
  expect(pushedEnds(c, 22_000)).toEqual([21_001, 32_001])
})

scenario('a super-segment that goes beyond the half carries it', () => {
  const c = established({ ...half, offload: { checksum: true, superSegmentBytes: 65535 } })
  c.write(30_000)
  const [first] = c.drain()
  expect([first.end, (first.flags & FLAG.PSH) !== 0]).toEqual([10_001, true])
})
