// tcp_info of a connection: what it has done, and what its sender spent its time on.

import { expect, test } from 'vitest'
import { Pair } from '../stack/pair.ts'
import { established, scenario } from './script.ts'

const mss = 1000

scenario('text and segments are counted both ways, what went again apart', () => {
  const c = established({ mss })
  c.write(2500).outText(1, 2001, 1, false).in('. 1:11 ack 2001').out('P. 2001:2501 ack 11')
  c.advance(400).out('P. 2001:2501 ack 11').in('. 11 ack 2501')
  expect(c.connection.info()).toMatchObject({
    tcpi_bytes_sent: 3000,
    tcpi_bytes_retrans: 500,
    tcpi_bytes_acked: 2500,
    tcpi_bytes_received: 10,
    tcpi_data_segs_out: 4,
    tcpi_data_segs_in: 1,
    tcpi_segs_out: 6, // and SYN, and the handshake's ACK
    tcpi_segs_in: 3,
    tcpi_total_retrans: 1,
  })
})

scenario('time is counted to what held the sender: its window, the peer’s, its buffer', () => {
  const c = established({ mss, win: 2000, tcp: { sendBufferBytes: 5000 } })
  c.advance(50).write(3000).outText(1, 2001, 1, false) // the peer's window is full
  c.advance(100).in('. ack 2001 win 65535').out('P. 2001:3001 ack 1') // nothing waits, something is in flight
  c.advance(100).in('. ack 3001')
  c.advance(70)
  c.offer(6000)
  c.outText(3001, 8001, 1, true) // the buffer is too small for what the application has
  c.advance(30).in('. ack 8001')
  expect(c.connection.info()).toMatchObject({
    tcpi_busy_time: 230_000,
    tcpi_rwnd_limited: 100_000,
    tcpi_sndbuf_limited: 30_000,
  })
})

test('both ends agree on what was sent and received', () => {
  const pair = new Pair({ seed: 3, sends: [200_000, 50_000], loss: 0.03, jitterUs: 3000 })
  const { hosts } = pair.transfer().expectDelivered()
  const [a, b] = hosts.map((host) => host.connection!.info())
  expect([b.tcpi_bytes_received, a.tcpi_bytes_received]).toEqual([200_000, 50_000])
  expect(a.tcpi_bytes_sent - a.tcpi_bytes_retrans).toBe(200_000)
  expect(b.tcpi_bytes_sent - b.tcpi_bytes_retrans).toBe(50_000)
  expect(b.tcpi_rcv_ooopack).toBeGreaterThan(0)
  // After TIME-WAIT too: text and FIN.
  expect([a.tcpi_bytes_acked, b.tcpi_bytes_acked]).toEqual([200_001, 50_001])
})

scenario('a super-segment that goes again counts as the segments that it is (RFC 9293 §3.9.1.5)', () => {
  const c = established({ mss: 1000, sack: true, offload: { checksum: true, superSegmentBytes: 65535 } })
  c.write(10_000).drain()
  c.advance(100).in('. ack 1001 <sack 5001:10001>').drain()
  c.in('. ack 2001 <sack 5001:10001>').drain()
  const info = c.connection.info()
  expect([info.tcpi_total_retrans, info.tcpi_retrans]).toEqual([4, 3])
})
