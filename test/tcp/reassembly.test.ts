// Text out of order, in pieces, twice, overlapping: what is delivered are the peer's octets, each once (RFC 9293 §3.4, §3.10.7.4 seventh
// and eighth check [SHLD-31]); SACK blocks tell of what waits (RFC 2018 §3, §4).

import { expect } from 'vitest'
import { established, scenario } from './script.ts'

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

scenario('closing with text out of order waiting resets, for it will not be read (RFC 9293 §3.6.1 [SHLD-3])', () => {
  const c = established()
  c.in('. 1001:1101 ack 1').out('. 1 ack 1')
  c.call((connection) => connection.close()).out('R. 1 ack 1')
})
