// Nagle's algorithm as Minshall has changed it, and as Linux has it: a small segment waits only for another small one (RFC 9293 §A.3).

import { expect, test } from 'vitest'
import { DEFAULT_CONFIG } from '../../src/tcp/config.ts'
import { established, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const minshall: ScriptOptions = { mss, tcp: { nagleVariant: 'minshall' } }

test('it is what connections do unless told otherwise, as Linux', () => {
  expect([DEFAULT_CONFIG.nagle, DEFAULT_CONFIG.nagleVariant]).toEqual([true, 'minshall'])
})

scenario('the tail of a write goes after its full segments without waiting for them (RFC 9293 §A.3)', () => {
  established(minshall).write(2500).out('. 1:1001 ack 1', '. 1001:2001 ack 1', 'P. 2001:2501 ack 1')
  const plain = established({ mss }).write(2500).out('. 1:1001 ack 1', '. 1001:2001 ack 1').quiet()
  expect(plain.tcb.hold).toBe('nagle')
  plain.in('. ack 2001').out('P. 2001:2501 ack 1')
})

scenario('a second small segment waits until the first is acknowledged (RFC 9293 §3.7.4 [SHLD-7])', () => {
  const c = established(minshall)
  c.write(10).out('P. 1:11 ack 1').write(10).write(10).quiet()
  expect(c.tcb.hold).toBe('nagle')
  c.in('. ack 11').out('P. 11:31 ack 1')
})

scenario('an acknowledgement of the small one lets the next go, though full ones are out (RFC 9293 §A.3)', () => {
  const c = established(minshall)
  c.write(1500).out('. 1:1001 ack 1', 'P. 1001:1501 ack 1')
  c.write(2300).out('. 1501:2501 ack 1', '. 2501:3501 ack 1').quiet()
  c.in('. ack 1001').quiet()
  c.in('. ack 1501').out('P. 3501:3801 ack 1')
})

scenario('full segments always go (RFC 9293 §3.7.4)', () => {
  const c = established(minshall)
  c.write(10).out('P. 1:11 ack 1').write(990).quiet()
  c.write(10).out('P. 11:1011 ack 1')
})

scenario('the small end of a super-segment’s text is small as well', () => {
  const c = established({ ...minshall, offload: { checksum: true, superSegmentBytes: 65535 } })
  c.write(2500).out('. 1:2001 ack 1', 'P. 2001:2501 ack 1').write(100).quiet()
  c.in('. ack 2501').out('P. 2501:2601 ack 1')
})

scenario('TCP_NODELAY turns it off (RFC 9293 §3.7.4 [MUST-17])', () => {
  const c = established({ mss, tcp: { nagleVariant: 'minshall', nagle: false } })
  c.write(10).out('P. 1:11 ack 1').write(10).out('P. 11:21 ack 1')
})

scenario('the variant can be changed while the connection lives', () => {
  const c = established({ mss })
  c.write(1500).out('. 1:1001 ack 1').quiet()
  c.call((connection) => connection.configure({ nagleVariant: 'minshall' })).out('P. 1001:1501 ack 1')
})
