// A receive buffer that grows with what the application reads in a round trip, and stays as it is when nobody reads; windows up to the
// largest that can be told (RFC 7323 §2.3).

import { expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { Network } from '../../src/sim/network.ts'
import { Driver } from '../../src/stack/driver.ts'
import { Stack } from '../../src/stack/stack.ts'
import { DEFAULT_CONFIG, type TcpConfig, tcpConfig } from '../../src/tcp/config.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { checkInvariants } from '../../src/tcp/invariants.ts'
import { largestReceiveBuffer, receiveBufferBytes } from '../../src/tcp/receive-buffer.ts'
import { connecting, established, type Script, type ScriptOptions, scenario } from './script.ts'

const KIB = 1024

interface Line {
  rateBps?: number
  delayUs?: number
  /** Settings of the receiver. */
  tcp?: Partial<TcpConfig>
  /** What the receiver reads in each millisecond; by default all there is. */
  readPerMs?: number
}

/** One host sends as fast as it may; the receiver's connection, and what it had read at each of `stopsUs`. */
function download(stopsUs: readonly number[], line: Line): { receiver: Connection; read: number[] } {
  const { rateBps, delayUs = 50 * MILLISECOND, tcp = {}, readPerMs } = line
  const network = new Network({ seed: 1 })
  const { time } = network
  const devices = network.cable({
    delayUs,
    ...(rateBps !== undefined && { rateBps }),
    superSegmentBytes: 65535,
    txQueueLength: 100_000,
  })
  const block = new Uint8Array(256 * KIB)
  let receiver: Connection | null = null
  let read = 0
  const take = (most?: number): void => {
    for (let text = receiver?.read(most) ?? null; text !== null; text = most ? null : (receiver?.read() ?? null)) {
      read += text.length
    }
  }
  const hosts = devices.map((device, i) => {
    const stack = new Stack({
      addresses: [`10.0.0.${i + 1}/24`],
      mtu: 1500,
      random: network.random(),
      offload: device.offload,
      tcp: i === 0 ? { sendBufferBytes: 1 << 26, initialWindowSegments: 100 } : tcp,
    })
    stack.tcp.onStep = checkInvariants
    const onEvent = (source: unknown): void => {
      if (i === 1) {
        receiver ??= listener.accept()
        if (readPerMs === undefined) take()
      } else {
        const connection = source as Connection
        while (connection.write(block) === block.length) {
          // until its buffer is full
        }
      }
    }
    return { stack, driver: new Driver({ stack, device, scheduler: time, onEvent }) }
  })
  const listener = hosts[1].stack.listen({ port: 80 })
  hosts[0].stack.connect({ remote: IpAddress.parse('10.0.0.2'), remotePort: 80 }, 0)
  hosts[0].driver.wake()
  if (readPerMs !== undefined) {
    const slowly = (): void => {
      if (readPerMs > 0) take(readPerMs)
      hosts[1].driver.wake()
      time.schedule(time.now() + MILLISECOND, slowly)
    }
    time.schedule(MILLISECOND, slowly)
  }
  const counts = stopsUs.map((until) => {
    time.runSync({ until })
    return read
  })
  return { receiver: receiver!, read: counts }
}

test('with default settings a sender over 100 ms and 1 Gbit/s fills the path; with a buffer that stays it does not', () => {
  const stops = [2.5 * SECOND, 3 * SECOND] // slow start takes two seconds
  const { read, receiver } = download(stops, { rateBps: 1e9 })
  expect((read[1] - read[0]) * 16, 'bit/s').toBeGreaterThan(0.9e9)
  expect(receiver.info().tcpi_rcv_wnd).toBeLessThanOrEqual(DEFAULT_CONFIG.receiveBufferMaxBytes)
  const off = download(stops, { rateBps: 1e9, tcp: { receiveBufferAutotune: false } })
  expect((off.read[1] - off.read[0]) * 16, 'bit/s').toBeLessThan(0.03e9) // 256 KiB in 100 ms
})

test('the buffer grows to a few times what a round trip brings, no further, though the sender would take more', () => {
  const { receiver, read } = download([4 * SECOND, 5 * SECOND], { rateBps: 100e6, delayUs: 20 * MILLISECOND })
  expect((read[1] - read[0]) * 8).toBeGreaterThan(0.9e8)
  const perRoundTrip = 100e6 / 8 / 25 // 500 kB; what queues on the way does not count
  expect(receiveBufferBytes(receiver.tcb)).toBeLessThan(5 * perRoundTrip)
  expect(receiveBufferBytes(receiver.tcb)).toBeGreaterThan(1.5 * perRoundTrip)
})

test('nobody reads: the buffer stays as it began, and holds no more', () => {
  const { receiver } = download([5 * SECOND], { readPerMs: 0 })
  const { receiveBufferBytes: start } = DEFAULT_CONFIG
  expect(receiveBufferBytes(receiver.tcb)).toBe(start)
  expect(receiver.readableBytes).toBeLessThanOrEqual(1.25 * start)
  expect(receiver.tcb.rcv.buffer.capacity).toBeLessThanOrEqual(2 * start)
})

test('a slow reader: the buffer stays about as it began, and what it reads is what it gets', () => {
  const { receiver, read } = download([5 * SECOND, 10 * SECOND], { readPerMs: 1000 }) // 100 kB in a round trip
  expect(receiveBufferBytes(receiver.tcb)).toBeLessThan(1.5 * DEFAULT_CONFIG.receiveBufferBytes) // what it kept up with, doubled
  expect(read[1] - read[0]).toBeGreaterThan(4_900_000)
})

/** An adaptive buffer of 10 kB that may grow to 1 MB; a round trip of 100 ms. */
function open(tcp: ScriptOptions['tcp'] = {}, options: ScriptOptions = {}): Script {
  const small = { receiveBufferBytes: 10_000, receiveBufferMaxBytes: 1_000_000, receiveBufferAutotune: true, mss: 1000 }
  return established({ wscale: 0, ...options, tcp: { delayedAckUs: 0, ...small, ...tcp } })
}

/** Rounds of 100 ms: so many octets come, are acknowledged and are read or not. */
function rounds(c: Script, count: number, octets: number, isRead = true): Script {
  for (let i = 0; i < count; i++) {
    c.advance(100)
    const at = (c.tcb.rcv.nxt - c.origin.irs) | 0
    const echo = c.origin.tsEcr // all of it was sent at once
    for (let from = at; from < at + octets; from += 1000) {
      c.origin.tsEcr = echo
      c.in(`. ${from}:${Math.min(at + octets, from + 1000)} ack 1`).drain()
    }
    if (isRead) c.reads(octets).drain()
  }
  return c
}

scenario(
  'what is read in a round trip makes the buffer grow: twice that, or more while it grows (RFC 7323 §4.1)',
  () => {
    for (const ts of [true, false]) {
      const c = rounds(open({}, { ts }), 2, 8000)
      expect(receiveBufferBytes(c.tcb)).toBe(4 * 8000 + 16 * 1000)
      rounds(c, 5, 8000)
      expect(receiveBufferBytes(c.tcb)).toBe(4 * 8000 + 16 * 1000) // steady, and never back
      rounds(c, 1, 30_000)
      rounds(c, 1, 30_000)
      expect(receiveBufferBytes(c.tcb)).toBe(4 * 30_000 + 16 * 1000)
      c.in(`. ${(c.tcb.rcv.nxt - c.origin.irs) | 0}:${((c.tcb.rcv.nxt - c.origin.irs) | 0) + 1} ack 1`).drain()
      expect(c.connection.info().tcpi_rcv_wnd).toBeGreaterThan(130_000)
      const off = rounds(open({ receiveBufferAutotune: false }, { ts }), 5, 8000)
      expect(receiveBufferBytes(off.tcb)).toBe(10_000)
    }
  },
)

scenario('less than half the buffer in a round trip, or nothing read at all: it stays (RFC 9293 §3.8.6)', () => {
  expect(receiveBufferBytes(rounds(open(), 10, 4900).tcb)).toBe(10_000)
  expect(receiveBufferBytes(rounds(open(), 9, 1000, false).tcb)).toBe(10_000)
})

scenario('the buffer grows to its bound, and to what the window field can tell (RFC 7323 §2.3)', () => {
  const c = rounds(open({ receiveBufferMaxBytes: 40_000 }), 3, 9000)
  expect(receiveBufferBytes(c.tcb)).toBe(40_000)
  const unscaled = rounds(open({ windowScale: false, receiveBufferBytes: 30_000 }), 3, 29_000)
  expect(receiveBufferBytes(unscaled.tcb)).toBe(65_535)
})

scenario(
  'while the buffer grows each segment is acknowledged at once, as the window of its sender grows (RFC 5681 §4.2)',
  () => {
    const adaptive = { delayedAckUs: 40_000, quickAcks: 0, delayedAck: 'adaptive' } as const
    const answers = (c: Script, count: number): number[] =>
      Array.from({ length: count }, () => {
        const at = (c.tcb.rcv.nxt - c.origin.irs) | 0
        return c.in(`. ${at}:${at + 1000} ack 1`).drain().length
      })
    const grown = rounds(open(adaptive), 2, 8000)
    const grownBy = receiveBufferBytes(grown.tcb) - 10_000 // each segment uses up twice its length
    expect(answers(grown, grownBy / 2000 - 7)).not.toContain(0)
    expect(answers(grown, 20).slice(-4)).toContain(0) // and no longer
    expect(answers(rounds(open({ ...adaptive, receiveBufferAutotune: false }), 2, 8000), 4)).toContain(0)
  },
)

scenario('a new size starts the growing anew (configure)', () => {
  const c = rounds(open(), 2, 8000)
  c.call((connection) => connection.configure({ receiveBufferBytes: 12_000, receiveBufferAutotune: true })).drain()
  expect(receiveBufferBytes(c.tcb)).toBe(12_000)
  rounds(c, 2, 8000)
  expect(receiveBufferBytes(c.tcb)).toBeGreaterThan(30_000)
})

scenario('a round trip is the least of the last minute; what queues on the way does not count (RFC 7323 §4.1)', () => {
  const c = open({}, { ts: true })
  rounds(c, 3, 3000)
  expect(c.tcb.tuning.rttUs).toBe(100_000)
  const round = (ms: number): void => {
    const at = (c.tcb.rcv.nxt - c.origin.irs) | 0
    c.advance(ms)
      .in(`. ${at}:${at + 1000} ack 1`)
      .drain()
    c.reads(1000).drain()
  }
  for (let i = 0; i < 10; i++) round(500)
  expect(c.tcb.tuning.rttUs).toBe(100_000)
  for (let i = 0; i < 120; i++) round(500)
  expect(c.tcb.tuning.rttUs).toBe(500_000)
})

scenario('the window scale is that of the largest buffer; the first window that of the first (RFC 7323 §2.2)', () => {
  const told = (tcp: Partial<TcpConfig>): number[] => {
    const c = established({ tcp, wscale: 0 })
    return [c.tcb.rcv.scale, c.connection.info().tcpi_rcv_wnd]
  }
  const { receiveBufferBytes: start, receiveBufferMaxBytes: most } = DEFAULT_CONFIG
  expect(told({ receiveBufferBytes: start, receiveBufferAutotune: true })).toEqual([10, start])
  expect(told({ receiveBufferBytes: start, receiveBufferAutotune: false })).toEqual([3, start])
  expect(told({ receiveBufferBytes: 20_000, receiveBufferMaxBytes: 10, receiveBufferAutotune: true })[0]).toBe(0)
  expect(told({ receiveBufferBytes: 1 << 30 })).toEqual([14, 65535 * 2 ** 14])
  // Units are a sixteenth of the first buffer at most: a small one must be tellable too.
  expect(told({ receiveBufferBytes: 500, receiveBufferAutotune: true })).toEqual([4, 512]) // rounded up to a unit
  expect(largestReceiveBuffer(DEFAULT_CONFIG)).toBe(most)
})

scenario('windows up to the largest: text at their far edge is known for what it is (RFC 7323 §2.3)', () => {
  const c = established({ sack: true, wscale: 14, tcp: { receiveBufferBytes: 1 << 30 } })
  c.call((connection) => connection.shutdownRead()) // so that the octets need no place
  const edge = 1 + 65535 * 2 ** 14
  c.in(`. ${edge - 100}:${edge + 100} ack 1`).out(`. 1 ack 1 win 65535 <sack ${edge - 100}:${edge}>`)
  c.in(`. ${edge}:${edge + 100} ack 1`).out(`. 1 ack 1 win 65535 <sack ${edge - 100}:${edge}>`)
  expect(c.connection.info().lastAckReason).toBe('refused')
  c.in('. -99:1 ack 1').out(`. 1 ack 1 win 65535 <sack ${edge - 100}:${edge}>`)
  expect(c.connection.info().lastAckReason).toBe('duplicate')
  c.in('. 1:1001 ack 1').out(`. 1 ack 1001 win 65535 <sack ${edge - 100}:${edge}>`)
})

test('no buffer is larger than 1 GiB (RFC 7323 §2.3)', () => {
  for (const name of ['receiveBufferBytes', 'receiveBufferMaxBytes']) {
    expect(tcpConfig({ [name]: 2 ** 30 })).toMatchObject({ [name]: 2 ** 30 })
    expect(() => tcpConfig({ [name]: 2 ** 30 + 1 }), name).toThrow(RangeError)
  }
})

scenario(
  'the scale that our SYN has told holds, though the buffer is changed before the answer (RFC 7323 §2.3)',
  () => {
    const c = connecting({ wscale: 7, tcp: { receiveBufferBytes: 1 << 20 } })
    const told = c.tcb.rcv.scale
    expect(told).toBe(5)
    c.call((connection) => connection.configure({ receiveBufferBytes: 50_000 }))
    c.advance(1000).out('S 0')
    c.in('S. 0 ack 1 <mss 1460,wscale 7>').drain()
    expect(c.tcb.rcv.scale).toBe(told)
  },
)

scenario(
  'a rise from one round trip to the next makes room ahead of it, though half the buffer would do for now (RFC 7323 §4.1)',
  () => {
    const c = rounds(rounds(open(), 3, 2000), 1, 4000)
    expect(receiveBufferBytes(rounds(c, 1, 4000).tcb)).toBe(4 * 4000 + 16 * 1000)
  },
)

scenario(
  'a hole keeps back what would be read: there is room for what the sender sends meanwhile (RFC 7323 §4.1)',
  () => {
    const c = rounds(open({ receiveBufferBytes: 24_000 }), 6, 8000)
    expect(receiveBufferBytes(c.tcb)).toBe(24_000)
    const at = (c.tcb.rcv.nxt - c.origin.irs) | 0
    for (let i = 1; i < 20; i++) c.in(`. ${at + i * 1000}:${at + (i + 1) * 1000} ack 1`).drain()
    c.advance(200)
      .in(`. ${at + 20_000}:${at + 21_000} ack 1`)
      .drain()
    expect(receiveBufferBytes(c.tcb)).toBe(2 * 8000 + 2 * 8000 + 16 * 1000) // never more than twice what was read in a round trip
  },
)
