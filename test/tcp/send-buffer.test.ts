// The send buffer's bound: it grows with cwnd while the application waits for room, so that a long fat path is filled without settings.

import { expect, test } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import { DEFAULT_CONFIG, reconfigure, type TcpConfig, tcpConfig } from '../../src/tcp/config.ts'
import { Pair } from '../stack/pair.ts'
import { established, type Script, scenario } from './script.ts'

const mss = 1000
const growing = { sendBufferBytes: 20_000, sendBufferAutotune: true, sendBufferMaxBytes: 70_000 }

test('a size that is given is kept; autotuning is for those who give none, or ask for it as well (Linux: SO_SNDBUF)', () => {
  expect(DEFAULT_CONFIG.sendBufferAutotune).toBe(true)
  const fixed = tcpConfig({ sendBufferBytes: 5000 })
  expect(fixed.sendBufferAutotune).toBe(false)
  expect(tcpConfig({ nagle: false }, fixed).sendBufferAutotune).toBe(false)
  expect(tcpConfig({ sendBufferBytes: 5000, sendBufferAutotune: true }).sendBufferAutotune).toBe(true)
  expect(reconfigure({ sendBufferBytes: 5000 }, DEFAULT_CONFIG).sendBufferAutotune).toBe(false)
  expect(tcpConfig(DEFAULT_CONFIG)).toEqual(DEFAULT_CONFIG)
})

scenario('it grows to two congestion windows as those open, up to its greatest size', () => {
  const c = established({ mss, wscale: 7, tcp: growing })
  const bounds = [c.offer(1e6)]
  for (let sent = c.drain(); bounds.length < 5; sent = c.drain()) {
    c.advance(100).in(`. ack ${sent[sent.length - 1].end}`)
    bounds.push(c.connection.info().sendBufferBytes)
    sent.push(...c.drain())
    expect(c.events()).toContain('writable')
    c.offer(1e6)
    expect(c.connection.writableBytes).toBe(0)
  }
  expect(bounds).toEqual([20_000, 40_000, 70_000, 70_000, 70_000])
})

scenario('without autotuning it stays', () => {
  const c = established({ mss, wscale: 7, tcp: { ...growing, sendBufferAutotune: false } })
  expect(c.offer(1e6)).toBe(20_000)
  c.outText(1, 10_001, 1, false).in('. ack 10001').drain()
  expect([c.connection.info().sendBufferBytes, c.connection.writableBytes]).toEqual([20_000, 10_000])
})

scenario('it does not grow beyond four times what the path holds: on a short one cwnd says little', () => {
  const c = established({ mss, wscale: 7, tcp: growing, rttMs: 1 })
  c.offer(1e6)
  c.outText(1, 10_001, 1, false).advance(10).in('. ack 10001').drain()
  expect([c.tcb.cc.cwnd, c.connection.info().sendBufferBytes]).toEqual([20_000, 20_000])
})

scenario('it does not grow for an application that has room', () => {
  const c = established({ mss, wscale: 7, tcp: growing })
  c.write(20_000).outText(1, 10_001, 1, false).in('. ack 10001').outText(10_001, 20_001)
  c.in('. ack 20001')
  expect([c.tcb.cc.cwnd, c.connection.info().sendBufferBytes]).toEqual([20_000, 20_000])
})

scenario('it never shrinks: a loss does not take back what was promised', () => {
  const c = established({ mss, wscale: 7, tcp: growing })
  c.offer(1e6)
  c.outText(1, 10_001, 1, false).advance(100).in('. ack 10001').drain()
  c.advance(1000, true)
  expect([c.tcb.cc.cwnd, c.connection.info().sendBufferBytes]).toEqual([1000, 40_000])
})

scenario('a size set while the connection lives is a bound from then on; what is queued beyond it may go first', () => {
  const c = established({ mss, tcp: growing })
  c.write(20_000).outText(1, 10_001, 1, false)
  c.call((connection) => connection.configure({ sendBufferBytes: 4000 }))
  expect([c.connection.writableBytes, c.offer(1)]).toEqual([0, 0])
  c.in('. ack 5001').drain()
  expect(c.connection.info().sendBufferBytes).toBe(15_000)
  c.in('. ack 18001').drain()
  expect([c.connection.info().sendBufferBytes, c.connection.writableBytes]).toEqual([4000, 2000])
  c.call((connection) => connection.configure({ sendBufferBytes: 9000 }))
  expect(c.connection.writableBytes).toBe(7000)
})

scenario('a controller that models the path holds three windows, as in Linux', () => {
  const c = established({ mss, wscale: 7, sack: true, tcp: { ...growing, congestion: 'bbr' } })
  c.offer(1e6)
  c.drain()
  c.advance(100, true).in('. ack 10001').drain()
  expect(c.connection.info().sendBufferBytes).toBe(3 * c.tcb.cc.cwnd)
})

/** Bytes per second that arrive in two round trips after 2.5 s, over a path of 100 ms that takes anything, from a sender with these settings. */
function rate(tcp: Partial<TcpConfig>): number {
  const other = { receiveBufferBytes: 1 << 25 }
  const { hosts, time } = new Pair({ seed: 1, sends: [1, 1], delayUs: 50_000, offload: 'whole', tcp, other })
  const [a, b] = hosts
  a.toSend = new Uint8Array(200_000_000)
  b.listener = b.stack.listen({ port: 80 })
  const start = time.now()
  a.connection = a.stack.connect({ remote: IpAddress.parse('10.0.0.2'), remotePort: 80 }, start)
  a.run()
  time.runSync({ until: start + 2_500_000 })
  const before = b.receivedBytes
  time.runSync({ until: start + 2_700_000 })
  return (b.receivedBytes - before) / 0.2
}

test('with default settings a path of 1 Gbit/s and 100 ms is filled; with a fixed buffer of 1 MiB it is not', () => {
  expect(rate({})).toBeGreaterThan(125_000_000)
  expect(rate({ sendBufferBytes: 1 << 20 })).toBeLessThan(11_000_000)
})

scenario('a greatest size that is lowered is reached as what is queued goes, with autotuning too', () => {
  const c = established({ mss, wscale: 7, tcp: growing })
  c.offer(1e6)
  c.outText(1, 10_001, 1, false).advance(100).in('. ack 10001').drain()
  c.offer(1e6)
  c.drain()
  c.call((connection) => connection.configure({ sendBufferMaxBytes: 25_000, sendBufferAutotune: true })).drain()
  expect(c.connection.info().sendBufferBytes).toBeGreaterThan(25_000)
  for (let end = 10_001; c.tcb.snd.buffer.extent > 0; ) {
    c.in(`. ack ${Math.max(end, c.tcb.snd.nxt - c.origin.iss) | 0}`)
    for (const line of c.drain()) end = Math.max(end, line.end)
  }
  expect(c.connection.info().sendBufferBytes).toBe(25_000)
})

scenario('a greatest size that is lowered below what is queued is reached as that goes, or is flushed', () => {
  const lowered = (): Script => {
    const c = established({ mss: 1000, win: 10_000, tcp: { sendBufferBytes: 100_000, sendBufferAutotune: true } })
    c.write(100_000).drain()
    c.call((connection) =>
      connection.configure({ sendBufferBytes: 2000, sendBufferMaxBytes: 5000, sendBufferAutotune: true }),
    )
    expect(c.tcb.snd.bufferBytes).toBe(100_000)
    return c
  }
  const c = lowered().in('. 1 ack 5001')
  c.drain()
  expect(c.tcb.snd.bufferBytes).toBe(95_000)
  const d = lowered().call((connection) => connection.flush())
  d.drain()
  expect(d.tcb.snd.bufferBytes).toBe(10_000)
  d.in('. 1 ack 10001').drain()
  expect(d.tcb.snd.bufferBytes).toBe(5000)
})
