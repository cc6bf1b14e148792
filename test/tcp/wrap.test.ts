// Connections that live long: what happens once text has gone around the number space (RFC 9293 §3.4). Four GiB cannot be sent in a
// test, so the script moves the numbers that the handshake left behind to where they stand after that much text.

import { expect } from 'vitest'
import { seqAdd } from '../../src/tcp/seq.ts'
import { established, scenario } from './script.ts'

scenario('text is right when SND.UNA meets ISS again after 4 GiB (RFC 9293 §3.4)', () => {
  const c = established({ mss: 1000 })
  c.write(5000).outText(1, 5001)
  c.tcb.snd.iss = seqAdd(c.tcb.snd.una, 2000)
  c.in('. ack 2001') // now SND.UNA is ISS
  expect(c.tcb.snd.una).toBe(c.tcb.snd.iss)
  c.write(1500).out('. 5001:6001 ack 1')
  c.in('. ack 5001').quiet().in('. ack 6001').out('P. 6001:6501 ack 1')
  c.in('. ack 6501')
  expect(c.connection.unsentBytes).toBe(0)
})

scenario('a connection goes on 2 GiB beyond its ISS and IRS (RFC 9293 §3.4)', () => {
  const c = established({ mss: 1000, sack: true, ts: true })
  c.tcb.snd.iss = seqAdd(c.tcb.snd.una, -(2 ** 31) - 5000)
  c.tcb.rcv.irs = seqAdd(c.tcb.rcv.nxt, -(2 ** 31) - 5000)
  c.write(3 * 988).outText(1, 2965)
  c.in('. ack 1 <TS,sack 989:2965>').quiet()
  c.advance(300).out('. 1:989 ack 1').in('. ack 2965')
  c.in('P. 1:101 ack 2965').reads(100).advance(40).out('. 2965 ack 101')
  c.call((connection) => connection.close())
    .out('F. 2965 ack 101')
    .in('F. 101 ack 2966')
    .out('. 2966 ack 102')
})

scenario('windows, SACK blocks and text may straddle the wrap (RFC 9293 §3.4)', () => {
  const c = established({ sack: true, mss: 1000, tcp: { delayedAckUs: 0 } })
  for (let at = 1; at < 6001; at += 500) {
    c.in(`. ${at + 500}:${at + 1000} ack 1`).out(`. 1 ack ${at} <sack ${at + 500}:${at + 1000}>`)
    c.in(`. ${at}:${at + 500} ack 1`).out(`. 1 ack ${at + 1000}`)
    at += 500
  }
  c.reads(6000)
  c.write(6000).outText(1, 6001, 6001)
  c.in('. ack 1 <sack 1001:3001>').in('. ack 1 <sack 1001:5001>').out('. 1:1001 ack 6001')
  c.in('. ack 5001').in('. ack 6001')
})
