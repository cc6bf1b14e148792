// The duplicates that we report (RFC 2883): in the first SACK block, once.

import { expect } from 'vitest'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'
import { ourByte, text } from './wire.ts'

/** A connection with SACK; `isOn`: with DSACK. */
function open(isOn = true, options: ScriptOptions = {}): Script {
  return established({ sack: true, ...options, tcp: { dsack: isOn, ...options.tcp } })
}

/** Octets 201 to 401 have come, 1 to 201 have not. */
function holding(isOn = true, options: ScriptOptions = {}): Script {
  const c = open(isOn, options)
  return c.in('P. 201:401 ack 1').out(options.ts ? '. 1 ack 1 <TS,sack 201:401>' : '. 1 ack 1 <sack 201:401>')
}

scenario('text below RCV.NXT is reported (RFC 2883 §4, §4.1 example 1)', () => {
  for (const isOn of [true, false]) {
    const c = open(isOn)
    c.in('P. 1:101 ack 1').advance(40).out('. 1 ack 101 <>')
    c.in('P. 1:101 ack 1').out(isOn ? '. 1 ack 101 <sack 1:101>' : '. 1 ack 101 <>')
  }
})

scenario('each duplicate is reported once (RFC 2883 §4)', () => {
  const c = open()
  c.in('P. 1:101 ack 1').advance(40).out('. 1 ack 101 <>')
  c.in('P. 1:101 ack 1').out('. 1 ack 101 <sack 1:101>')
  c.in('P. 101:201 ack 1').advance(40).out('. 1 ack 201 <>')
  c.in('P. 1:101 ack 1').out('. 1 ack 201 <sack 1:101>') // a third copy is another duplicate
})

scenario('text that came in part before is reported in part (RFC 2883 §4.2)', () => {
  const c = open()
  c.in('P. 1:101 ack 1').advance(40).out('. 1 ack 101 <>')
  c.in('P. 51:201 ack 1').advance(40).out('. 1 ack 201 <sack 51:101>')
})

scenario(
  'text in a range that is held is reported, and the second block has the range (RFC 2883 §4, §4.1 example 2)',
  () => {
    for (const isOn of [true, false]) {
      const c = holding(isOn)
      c.in('P. 301:401 ack 1').out(isOn ? '. 1 ack 1 <sack 301:401 201:401>' : '. 1 ack 1 <sack 201:401>')
      c.in('P. 601:701 ack 1').out('. 1 ack 1 <sack 601:701 201:401>')
      c.in('P. 201:301 ack 1').out(
        isOn ? '. 1 ack 1 <sack 201:301 201:401 601:701>' : '. 1 ack 1 <sack 201:401 601:701>',
      )
    }
  },
)

scenario('text that overlaps a held range in part: that part is reported (RFC 2883 §4.2)', () => {
  holding().in('P. 301:501 ack 1').out('. 1 ack 1 <sack 301:401 201:501>')
  holding().in('P. 101:301 ack 1').out('. 1 ack 1 <sack 201:301 101:401>')
})

scenario('a duplicate below RCV.NXT goes before what is held (RFC 2883 §4, §4.1 example 1)', () => {
  const c = open()
  c.in('P. 1:101 ack 1').advance(40).out('. 1 ack 101 <>')
  c.in('P. 301:401 ack 1').out('. 1 ack 101 <sack 301:401>')
  c.in('P. 1:101 ack 1').out('. 1 ack 101 <sack 1:101 301:401>')
  c.in('P. 501:601 ack 1').out('. 1 ack 101 <sack 501:601 301:401>')
})

scenario('the duplicate takes one of the four blocks, of three with timestamps (RFC 2018 §3, RFC 2883 §4)', () => {
  for (const ts of [false, true]) {
    const c = open(true, { ts })
    for (let at = 201; at < 1100; at += 200) c.in(`P. ${at}:${at + 100} ack 1`).drain()
    const blocks = '1001:1101 801:901 601:701'
    c.in('P. 1001:1101 ack 1').out(
      ts ? '. 1 ack 1 <TS,sack 1001:1101 1001:1101 801:901>' : `. 1 ack 1 <sack 1001:1101 ${blocks}>`,
    )
  }
})

scenario('a duplicate with FIN: the text is reported (RFC 2883 §4)', () => {
  const c = open()
  c.in('FP. 1:101 ack 1').out('. 1 ack 102 <>').in('FP. 1:101 ack 1').out('. 1 ack 102 <sack 1:101>')
})

scenario('what brings no text is no duplicate: keep-alive and window probes (RFC 2883 §4)', () => {
  const c = open()
  c.in('P. 1:101 ack 1').advance(40).out('. 1 ack 101 <>')
  c.advance(1000).in('. 100 ack 1').out('. 1 ack 101 <>')
})

scenario('where SACK was not agreed on nothing is reported (RFC 2883 §4, RFC 2018 §2)', () => {
  const c = established({ tcp: { dsack: true } })
  c.in('P. 1:101 ack 1').advance(40).out('. 1 ack 101 <>').in('P. 1:101 ack 1').out('. 1 ack 101 <>')
  c.in('P. 301:401 ack 1').out('. 1 ack 101 <>').in('P. 301:401 ack 1').out('. 1 ack 101 <>')
})

scenario('a report goes with text, when that is what goes next (RFC 2883 §4)', () => {
  const c = open()
  c.in('P. 1:101 ack 1').write(500).out('P. 1:501 ack 101 <>')
  c.in('P. 1:101 ack 501').out('. 501 ack 101 <sack 1:101>')
})

scenario('of several duplicates in one batch each is reported, in an acknowledgement of its own (RFC 2883 §4)', () => {
  for (const isOn of [true, false]) {
    const c = open(isOn)
    c.in('P. 1:301 ack 1').advance(40).out('. 1 ack 301 <>')
    c.in('P. 1:101 ack 1', 'P. 201:301 ack 1', 'P. 101:201 ack 1')
    if (isOn) c.out('. 1 ack 301 <sack 1:101>', '. 1 ack 301 <sack 201:301>', '. 1 ack 301 <sack 101:201>')
    else c.out('. 1 ack 301 <>')
    c.silent(1000)
  }
})

scenario('duplicates of what is held, and new text in the same batch: each report goes out (RFC 2883 §4)', () => {
  const c = holding()
  c.in('P. 201:251 ack 1', 'P. 251:301 ack 1', 'P. 1:201 ack 1')
  c.out('. 1 ack 401 <sack 201:251>', '. 1 ack 401 <sack 251:301>')
  c.silent(1000)
})

scenario(
  'a report that does not fit beside text waits for an acknowledgement of its own (RFC 2883 §4, RFC 2018 §3)',
  () => {
    const c = open()
    c.in('P. 1:201 ack 1').advance(40).out('. 1 ack 201 <>')
    c.connection.write(text(ourByte, 0, 1460)) // queued, and polled with the batch
    c.in('P. 1:101 ack 1', 'P. 101:201 ack 1').out('P. 1:1461 ack 201 <>')
    c.out('. 1461 ack 201 <sack 1:101>', '. 1461 ack 201 <sack 101:201>')
    const nearly = open()
    nearly.in('P. 1:201 ack 1').advance(40).out('. 1 ack 201 <>')
    nearly.connection.write(text(ourByte, 0, 1450))
    nearly.in('P. 1:101 ack 1').out('P. 1:1451 ack 201 <>', '. 1451 ack 201 <sack 1:101>')
    const d = open()
    d.in('P. 1:201 ack 1').advance(40).out('. 1 ack 201 <>')
    d.connection.write(text(ourByte, 0, 1448))
    d.in('P. 1:101 ack 1', 'P. 101:201 ack 1').out('P. 1:1449 ack 201 <sack 1:101>', '. 1449 ack 201 <sack 101:201>')
  },
)

scenario('no more than sixteen wait to be reported (RFC 2883 §4)', () => {
  const c = open()
  c.in('P. 1:1001 ack 1').advance(40).out('. 1 ack 1001 <>')
  c.in(...Array.from({ length: 40 }, (_, i) => `P. ${1 + 10 * i}:${11 + 10 * i} ack 1`))
  const reported = c.drain().map(({ options }) => options)
  expect(reported).toEqual(Array.from({ length: 16 }, (_, i) => [`sack ${1 + 10 * i}:${11 + 10 * i}`]))
})

scenario('duplicates are counted as Linux counts them: of text below RCV.NXT, and of text out of order', () => {
  const c = holding()
  const { counters } = c.tcb
  c.in('P. 301:401 ack 1').drain()
  expect([counters.TcpExtTCPDSACKOldSent, counters.TcpExtTCPDSACKOfoSent]).toEqual([0, 1])
  c.in('P. 1:201 ack 1').drain()
  c.in('P. 1:101 ack 1', 'P. 101:201 ack 1').drain()
  expect([counters.TcpExtTCPDSACKOldSent, counters.TcpExtTCPDSACKOfoSent]).toEqual([2, 1])
  expect(counters.TcpExtDelayedACKLost).toBe(2)
})

scenario(
  'a segment that brings new text and covers a held range is answered with a DSACK of it (RFC 2883 §4.2)',
  () => {
    holding().in('P. 1:501 ack 1').out('. 1 ack 501 <sack 201:401>')
    holding().in('P. 101:601 ack 1').out('. 1 ack 1 <sack 201:401 101:601>')
    const c = holding() // of two ranges the first one
    c.in('P. 601:701 ack 1').out('. 1 ack 1 <sack 601:701 201:401>')
    c.in('P. 501:801 ack 1').out('. 1 ack 1 <sack 601:701 501:801 201:401>')
    c.in('P. 1:901 ack 1').out('. 1 ack 901 <sack 201:401>')
  },
)

scenario('a FIN out of order has its sequence number in a SACK block (RFC 2018 §3)', () => {
  const c = open()
  c.in('F. 301 ack 1').out('. 1 ack 1 <sack 301:302>')
  c.in('P. 101:201 ack 1').out('. 1 ack 1 <sack 301:302 101:201>')
  c.in('P. 201:301 ack 1').out('. 1 ack 1 <sack 101:302>')
  c.in('P. 1:101 ack 1').out('. 1 ack 302 <>')
})
