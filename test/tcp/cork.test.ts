// Corks: the application says that more is to come, and only full segments go (RFC 9293 §3.9.1.2; Linux's TCP_CORK and MSG_MORE).

import { expect } from 'vitest'
import { connecting, established, type Script, scenario } from './script.ts'

const mss = 1000
const cork =
  (on: boolean) =>
  (connection: Script['connection']): void =>
    connection.setCork(on)

scenario('while corked only full segments go, uncorking sends the rest (RFC 9293 §3.9.1.2 [MAY-16])', () => {
  const c = established({ mss, tcp: { cork: true } })
  c.write(300).write(300).quiet()
  expect([c.tcb.hold, c.connection.unsentBytes]).toEqual(['cork', 600])
  c.write(900).out('. 1:1001 ack 1').quiet()
  c.call(cork(false)).quiet() // Nagle still holds what is left
  c.in('. ack 1001').out('P. 1001:1501 ack 1')
})

scenario('without the cork the first piece goes at once (RFC 9293 §3.7.4)', () => {
  const c = established({ mss })
  c.write(300).out('P. 1:301 ack 1').write(300).quiet()
  expect(c.tcb.hold).toBe('nagle')
})

scenario('an acknowledgement of all that is in flight does not pull the cork', () => {
  const c = established({ mss, tcp: { cork: true } })
  c.write(1500).out('. 1:1001 ack 1').in('. ack 1001').quiet()
  c.call(cork(false)).out('P. 1001:1501 ack 1')
})

scenario('what is corked goes after 200 ms at the latest, with PSH (RFC 9293 §3.9.1.2 [MUST-60] [MUST-61])', () => {
  const c = established({ mss, tcp: { cork: true } })
  c.write(300).silent(199.999).advance(0.001).out('P. 1:301 ack 1')
  c.write(300).silent(150).write(100).silent(49.999) // the wait counts from the first that waits
  c.advance(0.001).out('P. 301:701 ack 1') // though the first is not acknowledged: Nagle holds it no more either
  expect(c.tcb.timers.cork).toBe(Number.POSITIVE_INFINITY)
})

scenario('the limit can be set', () => {
  const c = established({ mss, tcp: { cork: true, corkLimitUs: 5000 } })
  c.write(300).silent(4.999).advance(0.001).out('P. 1:301 ack 1')
  const d = established({ mss, tcp: { cork: true, corkLimitUs: 0 } })
  d.write(300).advance(0).out('P. 1:301 ack 1')
})

scenario('a full segment in between stops the clock: it runs for what still waits', () => {
  const c = established({ mss, tcp: { cork: true } })
  c.write(300).silent(150).write(700).out('P. 1:1001 ack 1').in('. ack 1001').silent(100)
  c.write(300).silent(199.999).advance(0.001).out('P. 1001:1301 ack 1')
})

scenario('FIN pulls the cork (RFC 9293 §3.10.4)', () => {
  const c = established({ mss, tcp: { cork: true } })
  c.write(300).quiet()
  c.call((connection) => connection.shutdownWrite()).out('FP. 1:301 ack 1')
  expect(c.tcb.timers.cork).toBe(Number.POSITIVE_INFINITY)
})

scenario('the cork is stronger than TCP_NODELAY, but turning that on pushes what waits; as Linux', () => {
  for (const nagle of [true, false]) {
    const c = established({ mss, tcp: { cork: true, nagle } })
    c.write(300).quiet()
    c.call((connection) => connection.setNoDelay(true)).out('P. 1:301 ack 1') // though it was on already
    c.write(300).quiet()
    expect(c.tcb.hold).toBe('cork')
    c.call(cork(false)).out('P. 301:601 ack 1')
  }
})

scenario('a push with nothing queued pushes nothing that is written later', () => {
  const c = connecting({ mss, tcp: { cork: true } })
  c.call((connection) => connection.setNoDelay(true)).write(300)
  c.in('S. 0 ack 1 <mss 1000>').out('. 1 ack 1').quiet()
  expect(c.tcb.hold).toBe('cork')
})

scenario('a window that is not even a segment is no tail: the cork leaves silly-window avoidance alone', () => {
  const c = established({ mss, win: 600, tcp: { cork: true } })
  c.write(800).out('. 1:601 ack 1').in('. ack 601').quiet()
  c.advance(200).out('P. 601:801 ack 1')
})

scenario('what the window held when the cork ran out goes with the window', () => {
  const c = established({ mss, win: 1000, tcp: { cork: true } })
  c.write(1300).out('. 1:1001 ack 1').in('. ack 1001 win 0').silent(250)
  expect(c.tcb.hold).toBe('window')
  c.in('. ack 1001 win 1000').quiet().advance(200).out('P. 1001:1301 ack 1')
})

scenario(
  'a write that promises more waits for the next one that does not (MSG_MORE; RFC 9293 §3.9.1.2 [MAY-15])',
  () => {
    const c = established({ mss, tcp: { nagle: false } })
    c.write(300, true).write(300, true).quiet()
    expect(c.tcb.hold).toBe('cork')
    c.write(100).out('P. 1:701 ack 1')
    c.write(100).out('P. 701:801 ack 1') // the promise held for those writes only
  },
)

scenario('full segments of it go at once, without PSH, as more is to follow (RFC 9293 §3.9.1.2)', () => {
  const c = established({ mss })
  c.write(2000, true).out('. 1:1001 ack 1', '. 1001:2001 ack 1')
  c.in('. ack 2001')
  c.write(2300, true).out('. 2001:3001 ack 1', '. 3001:4001 ack 1').in('. ack 4001').quiet()
  c.write(200).out('P. 4001:4501 ack 1')
})

scenario('a promise that is not kept costs 200 ms, then the rest goes with PSH (RFC 9293 §3.9.1.2 [MUST-60])', () => {
  const c = established({ mss })
  c.write(300, true).silent(199.999).advance(0.001).out('P. 1:301 ack 1')
})

scenario('an empty write keeps the promise, and so does the end of the stream', () => {
  const c = established({ mss })
  c.write(300, true).quiet().write(0).out('P. 1:301 ack 1').in('. ack 301')
  c.write(1000, true).out('. 301:1301 ack 1')
  c.call((connection) => connection.shutdownWrite()).out('F. 1301 ack 1')
})
