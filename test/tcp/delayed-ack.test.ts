// When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2).

import { expect } from 'vitest'
import { established, scenario } from './script.ts'

scenario('one segment is acknowledged after 40 ms, under 0.5 s (RFC 9293 §3.8.6.3 [MUST-40] [SHLD-18])', () => {
  const c = established()
  c.in('. 1:1461 ack 1').silent(39.999).advance(0.001).out('. 1 ack 1461')
})

scenario('every second full-sized segment is acknowledged at once (RFC 9293 §3.8.6.3 [SHLD-19], RFC 5681 §4.2)', () => {
  const c = established()
  c.in('. 1:1461 ack 1').quiet().in('. 1461:2921 ack 1').out('. 1 ack 2921')
  c.in('. 2921:4381 ack 1').quiet().in('. 4381:5841 ack 1').out('. 1 ack 5841')
})

scenario('the timer starts with the first segment that waits, not anew with each (RFC 5681 §4.2)', () => {
  const c = established()
  c.in('P. 1:11 ack 1').advance(30).in('P. 11:21 ack 1').quiet()
  c.silent(9.999).advance(0.001).out('. 1 ack 21')
})

scenario('small segments are acknowledged by the bytes of two full ones (RFC 9293 §3.8.6.3 [SHLD-19])', () => {
  const c = established({ mss: 536 })
  for (let i = 0; i < 10; i++) c.in(`P. ${1 + 100 * i}:${101 + 100 * i} ack 1`).quiet()
  c.in('P. 1001:1101 ack 1').out('. 1 ack 1101')
})

scenario('the size of a full segment is learnt from the peer’s (RFC 5681 §4.2)', () => {
  const c = established()
  c.in('. 1:1201 ack 1').quiet().in('. 1201:2401 ack 1').out('. 1 ack 2401')
  c.in('. 2401:3601 ack 1').quiet().in('P. 3601:4801 ack 1').out('. 1 ack 4801')
})

scenario('text of our own takes the acknowledgement with it (RFC 9293 §3.8.6.3)', () => {
  const c = established()
  c.in('. 1:101 ack 1').quiet().write(50).out('P. 1:51 ack 101')
  c.in('. ack 51').silent(1000)
})

scenario('a batch is acknowledged once (RFC 9293 §3.10.7.4 [MUST-58] [MUST-59])', () => {
  const c = established()
  c.in('. 1:1461 ack 1', '. 1461:2921 ack 1', '. 2921:4381 ack 1', 'P. 4381:5841 ack 1').out('. 1 ack 5841')
})

scenario(
  'out of order text is acknowledged at once, each segment by itself (RFC 5681 §4.2, RFC 9293 §3.10.7.4 [MAY-13])',
  () => {
    const c = established()
    c.in('. 1461:2921 ack 1').out('. 1 ack 1')
    c.in('. 2921:4381 ack 1', '. 4381:5841 ack 1', '. 5841:7301 ack 1').out('. 1 ack 1', '. 1 ack 1', '. 1 ack 1')
  },
)

scenario('duplicate acknowledgements go by themselves, text of our own follows (RFC 5681 §2)', () => {
  const c = established()
  c.connection.write(new Uint8Array([7])) // queued, and polled with the batch
  c.in('. 1461:2921 ack 1', '. 2921:4381 ack 1').out('. 1 ack 1', '. 1 ack 1', 'P. 1:2 ack 1')
})

scenario('what fills a gap, or a part of one, is acknowledged at once (RFC 5681 §4.2)', () => {
  const c = established()
  c.in('. 1001:2001 ack 1').out('. 1 ack 1').in('. 3001:4001 ack 1').out('. 1 ack 1')
  c.in('. 1:501 ack 1').out('. 1 ack 501') // a part of the first gap
  c.in('. 501:1001 ack 1').out('. 1 ack 2001')
  c.in('. 2001:3001 ack 1').out('. 1 ack 4001').reads(4000)
})

scenario('a FIN is acknowledged at once (RFC 9293 §3.10.7.4, eighth check)', () => {
  const c = established()
  c.in('. 1:101 ack 1').quiet().in('F. 101 ack 1').out('. 1 ack 102')
})

scenario('a FIN ahead of its turn asks for one duplicate acknowledgement, each time it comes (RFC 5681 §4.2)', () => {
  const c = established()
  c.in('F. 101 ack 1').out('. 1 ack 1')
  c.in('F. 101 ack 1').out('. 1 ack 1')
  c.in('FP. 51:101 ack 1').out('. 1 ack 1')
  c.in('. 1:51 ack 1').out('. 1 ack 102').reads(100)
  expect(c.state).toBe('CLOSE-WAIT')
})

scenario('with a delay of 0 every segment is acknowledged at once', () => {
  const c = established({ tcp: { delayedAckUs: 0 } })
  c.in('P. 1:2 ack 1').out('. 1 ack 2')
})

scenario('the number of segments is a setting (RFC 5681 §4.2)', () => {
  const c = established({ tcp: { ackEverySegments: 4 } })
  c.in('. 1:1461 ack 1', '. 1461:2921 ack 1', '. 2921:4381 ack 1').quiet().in('. 4381:5841 ack 1').out('. 1 ack 5841')
})

scenario('acknowledgements are never acknowledged (RFC 5681 §4.2)', () => {
  const c = established()
  c.in('. 1 ack 1').in('. 1 ack 1 win 100').silent(1000)
})

scenario('a FIN may wait for the answer that often follows it, as in Linux (RFC 9293 §3.8.6.3 [MUST-40])', () => {
  for (const [finAck, waitMs] of [
    ['now', 0],
    ['delayed', 40],
  ] as const) {
    const c = established({ tcp: { finAck, delayedAck: 'adaptive', quickAcks: 1 } })
    c.in('P. 1:101 ack 1').out('. 1 ack 101')
    c.in('F. 101 ack 1')
    if (waitMs > 0) c.silent(waitMs - 0.001).advance(0.001)
    c.out('. 1 ack 102')
  }
})

scenario('duplicate acknowledgements from the fourth on may wait for each other, as in Linux (sackDelayUs)', () => {
  const c = established({ sack: true, tcp: { sackDelayUs: 1000, delayedAck: 'adaptive', quickAcks: 0 } })
  c.tcb.tuning.rttUs = 100_000
  c.in('P. 101:201 ack 1').out('. 1 ack 1 <sack 101:201>')
  c.in('P. 201:301 ack 1').out('. 1 ack 1 <sack 101:301>')
  c.in('P. 301:401 ack 1').out('. 1 ack 1 <sack 101:401>')
  c.in('P. 401:501 ack 1').in('P. 501:601 ack 1').silent(0.999).advance(0.001).out('. 1 ack 1 <sack 101:601>')
  c.in('P. 1:101 ack 1').out('. 1 ack 601 <>')
})
