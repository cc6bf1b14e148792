// DCTCP over a connection: acknowledgements that tell exactly what was marked, a window that goes back by how much was (RFC 8257).

import { expect } from 'vitest'
import { Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000

/** ESTABLISHED with DCTCP, which asks for ECN by itself. */
function dctcp(options: ScriptOptions = {}): Script {
  const c = new Script({ mss, ...options, tcp: { congestion: 'dctcp', ...options.tcp } }).connect()
  c.out('[ect0] SEW 0').advance(100).in(`SE. 0 ack 1 ${c.synOptions()}`).out('[ect0] . 1 ack 1')
  c.events()
  return c
}

scenario('DCTCP asks for ECN, unless that is off, and all its packets are ECN-capable (RFC 8257 §3.6)', () => {
  const c = dctcp().write(1000).out('[ect0] P. 1:1001 ack 1').advance(300).out('[ect0] P. 1:1001 ack 1')
  c.call((connection) => connection.abort()).out('[ect0] R. 1001 ack 1')
  new Script({ mss, tcp: { congestion: 'dctcp', ecn: 'off' } }).connect().out('[-] S 0')
})

scenario(
  'where marks begin and end what came before is acknowledged by itself, with the bit as it was (RFC 8257 §3.2)',
  () => {
    const c = dctcp().in('[ect0] P. 1:101 ack 1').silent(10)
    c.in('[ce] P. 101:201 ack 1').out('. 1 ack 101 win 65435', 'E. 1 ack 201 win 65335')
    c.in('[ce] P. 201:301 ack 1').silent(39).advance(1).out('E. 1 ack 301')
    c.in('[ce] P. 301:401 ack 1').silent(10)
    c.in('[ect0] P. 401:501 ack 1').out('E. 1 ack 401', '. 1 ack 501')
    c.in('[ect0] WP. 501:601 ack 1').silent(39).advance(1).out('. 1 ack 601') // CWR means nothing here
  },
)

scenario('so it is within one batch, and text of ours does not overtake it (RFC 8257 §3.2)', () => {
  const c = dctcp()
  c.in('[ect0] . 1:1001 ack 1', '[ce] . 1001:2001 ack 1', '[ce] . 2001:3001 ack 1', '[ect0] . 3001:4001 ack 1')
  c.out('. 1 ack 1001', 'E. 1 ack 3001', '. 1 ack 4001')
  c.in('[ce] . 4001:5001 ack 1').out('E. 1 ack 5001')
})

scenario(
  'the window goes back by half of the fraction that was marked, averaged, once a window (RFC 8257 §3.3)',
  () => {
    const c = dctcp().write(90_000).outText(1, 10_001, 1, false)
    c.in('E. ack 1001') // alpha begins at 1, and is brought up to date with the first window
    expect(c.tcb.cc.cwnd).toBe(5000)
    c.in('. ack 10001').drain()
    c.in('. ack 16001').drain() // a whole window without marks
    const { alpha } = c.tcb.cc.data as { alpha: number }
    const { cwnd } = c.tcb.cc
    expect(alpha).toBe(15 / 16)
    c.in('E. ack 17001').drain() // and one marked whole
    const now = alpha * (15 / 16) + 1 / 16
    expect(c.tcb.cc.cwnd).toBe(Math.floor(cwnd * (1 - now / 2)))
    c.in('E. ack 18001').drain()
    expect(c.tcb.cc.cwnd).toBe(Math.floor(cwnd * (1 - now / 2)))
  },
)

scenario('a duplicate is reported beside the newest number, not beside one that was held (RFC 2883 §4)', () => {
  const c = dctcp({ sack: true, tcp: { dsack: true } })
  c.in('[ect0] . 1:1001 ack 1', '[ce] . 1001:2001 ack 1', '[ce] . 1001:2001 ack 1')
  c.out('. 1 ack 1001 <>', 'E. 1 ack 2001 <sack 1001:2001>')
})
