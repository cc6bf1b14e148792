// Text out of order, in pieces, twice, overlapping: what is delivered are the peer's octets, each once (RFC 9293 §3.4, §3.10.7.4 seventh
// and eighth check [SHLD-31]); SACK blocks tell of what waits (RFC 2018 §3, §4).

import { expect } from 'vitest'
import { established, type Script, scenario } from './script.ts'

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]))
}

scenario('four segments are delivered in order whatever order they come in (RFC 9293 §3.10.7.4 [SHLD-31])', () => {
  for (const order of permutations([0, 1, 2, 3])) {
    const c = established({ sack: true })
    for (const i of order) c.in(`. ${1 + 500 * i}:${501 + 500 * i} ack 1`).drain()
    c.advance(40).drain()
    expect(c.tcb.rcv.outOfOrder.size).toBe(0)
    c.reads(2000)
  }
})

scenario(
  'the last of four segments carries FIN, whatever order they come in (RFC 9293 §3.10.7.4, eighth check)',
  () => {
    for (const order of permutations([0, 1, 2, 3])) {
      const c = established()
      for (const i of order) {
        expect(c.connection.ended, 'end before its turn').toBe(false)
        c.in(`${i === 3 ? 'F.' : '.'} ${1 + 500 * i}:${501 + 500 * i} ack 1`).drain()
      }
      expect(c.state).toBe('CLOSE-WAIT')
      c.reads(2000)
      expect(c.connection.ended).toBe(true)
    }
  },
)

// Two pieces in every alignment: before, touching, overlapping, inside, equal, around, after.
const EDGES = [0, 100, 200, 300, 400, 500]

scenario('overlapping text is delivered once, in every alignment, octet for octet (RFC 9293 §3.4)', () => {
  for (const a of EDGES)
    for (const b of EDGES)
      for (const [from, to] of [
        [100, 300],
        [200, 400],
        [0, 200],
      ]) {
        if (b <= a) continue
        const c = established({ tcp: { delayedAckUs: 0 } })
        c.in(`. ${1 + a}:${1 + b} ack 1`).drain()
        c.in(`. ${1 + from}:${1 + to} ack 1`).drain()
        c.in('. 1:501 ack 1').out('. 1 ack 501').reads(500)
      }
})

scenario('one segment that spans several that wait joins them all (RFC 9293 §3.10.7.4, seventh check)', () => {
  const c = established({ sack: true })
  c.in('. 11:21 ack 1', '. 31:41 ack 1', '. 51:61 ack 1').drain()
  c.in('. 1:36 ack 1').out('. 1 ack 41 <sack 51:61>') // covers 11:21 and reaches into 31:41
  c.reads(40)
  c.in('. 41:71 ack 1').out('. 1 ack 71 <>').reads(30)
  const d = established({ sack: true })
  d.in('. 11:21 ack 1', '. 31:41 ack 1').drain()
  d.in('. 1:31 ack 1').out('. 1 ack 41 <>').reads(40) // touches the second
})

scenario('text seen before is acknowledged at once and not delivered again (RFC 9293 §3.10.7.4, first check)', () => {
  const c = established()
  c.in('P. 1:101 ack 1').reads(100).advance(40).out('. 1 ack 101')
  c.in('P. 1:101 ack 1').out('. 1 ack 101').reads(0)
  c.in('P. 51:151 ack 1').reads(50)
  c.advance(40).out('. 1 ack 151')
})

scenario('text beyond a FIN is not taken (RFC 9293 §3.10.7.4, seventh check)', () => {
  const c = established()
  c.in('F. 101 ack 1').out('. 1 ack 1')
  c.in('. 51:151 ack 1').out('. 1 ack 1')
  c.in('. 1:101 ack 1').out('. 1 ack 102').reads(100)
  expect(c.connection.ended).toBe(true)
})

scenario('text after the FIN that was taken is passed over without a word (RFC 9293 §3.10.7.4, seventh check)', () => {
  const c = established()
  c.in('F. 1 ack 1').out('. 1 ack 2').in('P. 2:12 ack 1').quiet().reads(0)
  c.call((connection) => connection.shutdownWrite())
    .out('F. 1 ack 2')
    .in('P. 2:12 ack 1')
    .quiet()
    .in('. 2 ack 2')
  expect(c.state).toBe('CLOSED')
})

scenario('a FIN below text that has come is not believed (RFC 9293 §3.10.7.4, eighth check)', () => {
  const c = established()
  c.in('. 101:201 ack 1').out('. 1 ack 1')
  c.in('F. 151 ack 1').quiet()
  c.in('F. 1:51 ack 1').out('. 1 ack 51')
  c.in('. 51:101 ack 1').out('. 1 ack 201').reads(200)
  expect(c.state).toBe('ESTABLISHED')
  c.in('F. 201 ack 1').out('. 1 ack 202')
})

scenario(
  'the first SACK block is that of the segment that asks for the ACK, the others follow by age (RFC 2018 §4)',
  () => {
    const c = established({ sack: true })
    c.in('. 1001:1101 ack 1').out('. 1 ack 1 <sack 1001:1101>')
    c.in('. 3001:3101 ack 1').out('. 1 ack 1 <sack 3001:3101 1001:1101>')
    c.in('. 2001:2101 ack 1').out('. 1 ack 1 <sack 2001:2101 3001:3101 1001:1101>')
    c.in('. 1101:1201 ack 1').out('. 1 ack 1 <sack 1001:1201 2001:2101 3001:3101>')
    c.in('. 4001:4101 ack 1').out('. 1 ack 1 <sack 4001:4101 1001:1201 2001:2101 3001:3101>')
    c.in('. 5001:5101 ack 1').out('. 1 ack 1 <sack 5001:5101 4001:4101 1001:1201 2001:2101>')
    c.in('. 3051:3151 ack 1').out('. 1 ack 1 <sack 3001:3151 5001:5101 4001:4101 1001:1201>')
  },
)

scenario('the acknowledgements of one batch tell of all ranges that it has made (RFC 2018 §4)', () => {
  const c = established({ sack: true, ts: true })
  const at = (i: number): string => `${1001 * i}:${1001 * i + 100}`
  c.in(...[1, 2, 3, 4, 5].map((i) => `. ${at(i)} ack 1`))
  c.out(`. 1 ack 1 <TS,sack ${at(3)} ${at(2)} ${at(1)}>`) // what did not fit into the newest three
  c.out(`. 1 ack 1 <TS,sack ${at(3)} ${at(2)} ${at(1)}>`, `. 1 ack 1 <TS,sack ${at(3)} ${at(2)} ${at(1)}>`)
  c.out(`. 1 ack 1 <TS,sack ${at(4)} ${at(3)} ${at(2)}>`)
  c.out(`. 1 ack 1 <TS,sack ${at(5)} ${at(4)} ${at(3)}>`) // the last is about the last segment
  c.in('. 6001:6101 ack 1').out(`. 1 ack 1 <TS,sack 6001:6101 ${at(5)} ${at(4)}>`)
})

scenario('blocks that grow together are reported as one (RFC 2018 §4)', () => {
  const c = established({ sack: true })
  c.in('. 1001:1101 ack 1', '. 1201:1301 ack 1', '. 2001:2101 ack 1').drain()
  c.in('. 1101:1201 ack 1').out('. 1 ack 1 <sack 1001:1301 2001:2101>')
  c.in('. 1101:1201 ack 1').out('. 1 ack 1 <sack 1001:1301 2001:2101>') // a duplicate tells of its block as well
})

scenario('with timestamps three SACK blocks fit (RFC 2018 §3)', () => {
  const c = established({ sack: true, ts: true })
  for (const at of [1001, 2001, 3001]) c.in(`. ${at}:${at + 100} ack 1`).drain()
  c.in('. 4001:4101 ack 1').out('. 1 ack 1 <TS,sack 4001:4101 3001:3101 2001:2101>')
})

scenario('what the cumulative ACK covers is not SACKed (RFC 2018 §4)', () => {
  const c = established({ sack: true })
  c.in('. 101:201 ack 1', '. 301:401 ack 1').drain()
  c.in('. 1:101 ack 1').out('. 1 ack 201 <sack 301:401>')
  c.in('. 201:301 ack 1').out('. 1 ack 401 <>')
})

scenario('text of ours carries SACK blocks only where they fit into the segment (RFC 2018 §3)', () => {
  const c = established({ sack: true, mss: 1000 })
  c.in('. 1001:1101 ack 1').out('. 1 ack 1')
  c.write(1100).out('. 1:1001 ack 1 <>')
  c.in('. 1 ack 1001').out('P. 1001:1101 ack 1 <sack 1001:1101>')
})

scenario('without SACK no blocks are sent (RFC 2018 §2)', () => {
  const c = established()
  c.in('. 1001:1101 ack 1').out('. 1 ack 1 <>')
})

// What Linux does: only text in order counts as received and not read.
scenario('closing with text waiting behind a gap says FIN; what then comes resets (RFC 9293 §3.6.1 [SHLD-3])', () => {
  for (const line of ['. 1:1001 ack 2', '. 1:10 ack 2', '. 1101:1200 ack 2']) {
    const c = established()
    c.in('. 1001:1101 ack 1').out('. 1 ack 1')
    c.call((connection) => connection.close()).out('F. 1 ack 1')
    c.in('. 1001:1101 ack 1 win 5000').out(/* again, not new: it still lies beyond RCV.NXT */ 'R. 2 ack 1')
    expect(c.tcb.counters.TcpExtTCPAbortOnData).toBe(1)
    const d = established()
    d.in('. 1001:1101 ack 1').out('. 1 ack 1')
    d.call((connection) => connection.close())
      .out('F. 1 ack 1')
      .in('. ack 2')
      .silent(1000)
    d.in(line).out('R. 2 ack 1')
    expect(d.state).toBe('CLOSED')
  }
  const e = established()
  e.in('. 1:11 ack 1', '. 1001:1101 ack 1').out('. 1 ack 11')
  e.call((connection) => connection.close()).out('R. 1 ack 11') // text in order was not read
})

scenario('what is shut for reading in both directions is closed: text resets (RFC 9293 §3.6.1 [SHLD-3])', () => {
  const c = established()
  c.in('. 1001:1101 ack 1').out('. 1 ack 1')
  c.call((connection) => connection.shutdownRead()).quiet()
  c.in('. 1:1001 ack 1').out('. 1 ack 1101').reads(0) // open for writing: thrown away, gap or not
  c.call((connection) => connection.shutdownWrite())
    .out('F. 1 ack 1101')
    .in('. ack 2')
  c.in('. 1101:1201 ack 2').out('R. 2 ack 1101')
  const d = established()
  d.call((connection) => connection.shutdownWrite())
    .out('F. 1 ack 1')
    .in('. ack 2')
  d.in('. 1:101 ack 2').advance(40).out('. 2 ack 101').reads(100) // a half-close: reading goes on
  d.call((connection) => connection.shutdownRead())
    .in('F. 101 ack 2')
    .out('. 2 ack 102')
  expect(d.state).toBe('TIME-WAIT')
})

/** Four pieces are all that is held: 1001, 2001, 3001, 4001, of a hundred octets each. */
function full(outOfOrderPrune: boolean): Script {
  const c = established({ sack: true, tcp: { outOfOrderRanges: 4, outOfOrderPrune } })
  for (let at = 1001; at < 5000; at += 1000) c.in(`. ${at}:${at + 100} ack 1`).drain()
  return c
}

scenario('a fifth piece is refused: what was reported is kept (RFC 2018 §8)', () => {
  const c = full(false)
  c.in('. 501:601 ack 1').out('. 1 ack 1 <sack 4001:4101 3001:3101 2001:2101 1001:1101>')
  c.in('. 5001:5101 ack 1').out('. 1 ack 1 <sack 4001:4101 3001:3101 2001:2101 1001:1101>')
  const { TcpExtTCPOFODrop, TcpExtOfoPruned } = c.tcb.counters
  expect([TcpExtTCPOFODrop, TcpExtOfoPruned]).toEqual([2, 0])
  expect(c.connection.info().lastAckReason).toBe('refused')
})

scenario('with the setting the farthest piece makes room for one before it (RFC 2018 §8)', () => {
  const c = full(true)
  c.in('. 501:601 ack 1').out('. 1 ack 1 <sack 501:601 3001:3101 2001:2101 1001:1101>')
  c.in('. 5001:5101 ack 1').out('. 1 ack 1 <sack 501:601 3001:3101 2001:2101 1001:1101>')
  const { TcpExtTCPOFODrop, TcpExtOfoPruned } = c.tcb.counters
  expect([TcpExtTCPOFODrop, TcpExtOfoPruned]).toEqual([1, 1])
  c.in('. 4001:4101 ack 1').drain()
  c.in('. 1:501 ack 1').drain()
  for (let at = 601; at < 4000; at += 100) c.in(`. ${at}:${at + 100} ack 1`).drain()
  c.in('. 4001:4101 ack 1').advance(40).out('. 1 ack 4101 <>').reads(4100) // what was dropped comes again
})

scenario('whatever is held, the missing text is taken: a full queue cannot stop the stream (RFC 2018 §8)', () => {
  for (const prune of [true, false]) {
    const c = full(prune)
    c.in('. 1101:1201 ack 1').drain() // joins a piece: it opens no new one
    expect(c.tcb.rcv.outOfOrder.end(0)).toBe((c.origin.irs + 1201) | 0)
    c.in('. 1:101 ack 1').out('. 1 ack 101 <sack 1001:1201 4001:4101 3001:3101 2001:2101>')
    for (let at = 101; at < 4000; at += 300) c.in(`. ${at}:${at + 300} ack 1`).drain()
    c.advance(40).drain()
    c.reads(4100)
    // A window that is full of text but for its first octet.
    const d = established({ tcp: { receiveBufferBytes: 4000 } })
    d.in('. 2:4001 ack 1').out('. 1 ack 1 win 4000').in('. 1:2 ack 1').out('. 1 ack 4001 win 0').reads(4000)
    d.out('. 1 ack 4001 win 4000')
  }
})
