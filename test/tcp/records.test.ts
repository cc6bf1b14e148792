// Records (MSG_EOR): what ends one ends a segment, the first time and again, and takes PSH (RFC 9293 §3.9.1.2).

import { established, type Script, scenario } from './script.ts'

/** Three records of 300 octets in flight. */
function inFlight(retransmitCollapse: boolean): Script {
  const c = established({ mss: 1000, sack: true, tcp: { retransmitCollapse, nagle: false } }).writeRecords(3, 300)
  return c.out('P. 1:301 ack 1', 'P. 301:601 ack 1', 'P. 601:901 ack 1')
}

scenario('records that are lost together go again one by one, whatever could be joined (RFC 9293 §3.9.1.2)', () => {
  for (const retransmitCollapse of [false, true]) {
    const c = inFlight(retransmitCollapse)
    c.advance(300).out('P. 1:301 ack 1', 'P. 301:601 ack 1', 'P. 601:901 ack 1')
  }
})

scenario('so do records that were SACKed as one, and that the peer has thrown away (RFC 2018 §8)', () => {
  for (const retransmitCollapse of [false, true]) {
    const c = inFlight(retransmitCollapse)
    c.advance(100).in('. ack 1 <sack 301:901>').in('. ack 301').quiet()
    c.advance(300).out('P. 301:601 ack 1', 'P. 601:901 ack 1')
  }
})

scenario('FIN goes again with the record before it, and with no other', () => {
  const c = inFlight(true)
  c.call((connection) => connection.shutdownWrite()).out('F. 901 ack 1')
  c.advance(100).in('. ack 1 <sack 301:902>').in('. ack 601').quiet()
  c.advance(300).out('FP. 601:901 ack 1')
})
