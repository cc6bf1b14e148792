// Settings that are changed on a live connection: congestion controllers, timers, sizes; every one of them on a busy connection.

import { expect, test } from 'vitest'
import { KNOBS, type TcpConfig } from '../../src/tcp/config.ts'
import { congestionControlNames } from '../../src/tcp/congestion/index.ts'
import { UNLIMITED_WINDOW } from '../../src/tcp/congestion/none.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { Pair, type PairOptions } from '../stack/pair.ts'
import { established, scenario } from './script.ts'

/** Both hosts with much to send; `act` is called once with the first host's record, when `when` first holds in a step of it. */
function whileBusy(
  options: Partial<PairOptions>,
  when: (tcb: Tcb) => boolean,
  act: (pair: Pair, tcb: Tcb) => void,
): Pair {
  const pair = new Pair({ seed: 3, sends: [70_000, 5000], delayUs: 10_000, ...options })
  const [host] = pair.hosts
  const { tcp } = host.stack
  const check = tcp.onStep
  let isDone = false
  tcp.onStep = (tcb) => {
    check?.(tcb)
    if (isDone || host.connection === null || !when(tcb)) return
    isDone = true
    pair.time.schedule(pair.time.now(), () => {
      act(pair, tcb)
      host.run()
    })
  }
  pair.transfer().expectDelivered()
  expect(isDone, 'the change was made').toBe(true)
  return pair
}

const midway = (tcb: Tcb): boolean => tcb.delivery.delivered > 20_000
const NAMES = congestionControlNames().filter((name) => !name.endsWith('-test'))
// NewReno's window is Reno's.
const SWAPPED = NAMES.filter((name) => name !== 'newreno')
const PAIRS = SWAPPED.flatMap((from) => SWAPPED.filter((to) => to !== from).map((to) => [from, to] as const))

test.each(PAIRS)(
  '%s gives way to %s in the middle of a transfer, with the window as it is (RFC 5681 §3)',
  (from, to) => {
    whileBusy({ tcp: { congestion: from }, other: { receiveBufferBytes: 50_000 } }, midway, (pair, tcb) => {
      const { cwnd, ssthresh } = tcb.cc
      pair.hosts[0].connection?.configure({ congestion: to })
      pair.hosts[0].run()
      expect([tcb.control.name, tcb.config.congestion]).toEqual([to, to])
      expect(Number.isFinite(tcb.cc.cwnd) && tcb.cc.cwnd >= tcb.snd.mss).toBe(true)
      if (to === 'fixed' || to === 'none') return
      if (cwnd < UNLIMITED_WINDOW) expect(tcb.cc.cwnd).toBe(cwnd)
      else expect(tcb.cc.cwnd).toBeLessThan(UNLIMITED_WINDOW)
      if (to !== 'bbr')
        expect([tcb.cc.pacingRate, tcb.cc.ssthresh]).toEqual([0, ssthresh < UNLIMITED_WINDOW ? ssthresh : Infinity])
      else expect(tcb.cc.pacingRate).toBeGreaterThan(0)
    })
  },
)

test.each(PAIRS)(
  '%s gives way to %s in the middle of a recovery, and everything arrives (RFC 5681 §3.2)',
  (from, to) => {
    const recovering = (tcb: Tcb): boolean => tcb.recovery.phase === 'recovery'
    whileBusy({ tcp: { congestion: from }, loss: 0.05 }, recovering, (pair, tcb) => {
      const { cwnd, ssthresh } = tcb.cc
      expect(tcb.recovery.phase).toBe('recovery')
      pair.hosts[0].connection?.configure({ congestion: to })
      pair.hosts[0].run()
      expect(tcb.control.name).toBe(to)
      if (to === 'fixed' || to === 'none') return
      expect(tcb.cc.cwnd).toBeLessThanOrEqual(Math.max(cwnd, 10 * tcb.snd.mss))
      if (to !== 'bbr') expect(tcb.cc.ssthresh).toBeLessThan(Number.POSITIVE_INFINITY)
      if (to !== 'bbr' && ssthresh < UNLIMITED_WINDOW) expect(tcb.cc.ssthresh).toBe(ssthresh) // it went down once
    })
  },
)

const RING = SWAPPED.map((from, i) => [from, SWAPPED[(i + 1) % SWAPPED.length]] as const)

test.each(RING)('%s gives way to %s after a timeout, and everything arrives (RFC 5681 §3.1)', (from, to) => {
  const inLoss = (tcb: Tcb): boolean => tcb.recovery.phase === 'loss'
  const tcp = { congestion: from, sack: false, tailLossProbe: false }
  whileBusy({ tcp, loss: 0.12, seed: 4, sends: [150_000, 1000] }, inLoss, (pair, tcb) => {
    const { cwnd } = tcb.cc
    expect(tcb.recovery.phase).toBe('loss')
    pair.hosts[0].connection?.configure({ congestion: to })
    pair.hosts[0].run()
    if (to === 'fixed' || to === 'none' || cwnd >= UNLIMITED_WINDOW) return
    expect(tcb.cc.cwnd).toBe(cwnd)
    if (to !== 'bbr') expect(tcb.cc.ssthresh).toBeLessThan(Number.POSITIVE_INFINITY)
  })
})

scenario('an unknown controller is refused before anything has changed', () => {
  const c = established()
  c.call((connection) => {
    expect(() => connection.configure({ congestion: 'vegan', nagle: false })).toThrow(RangeError)
  })
  expect([c.tcb.config.nagle, c.tcb.control.name]).toEqual([true, 'reno'])
})

scenario('a controller chosen before the handshake is done starts with the initial window (RFC 6928 §2)', () => {
  const c = established({ tcp: { congestion: 'bbr' } })
  expect([c.tcb.control.name, c.tcb.cc.cwnd]).toEqual(['bbr', 14_600])
})

const ALL = Object.entries(KNOBS) as [
  keyof TcpConfig,
  { default: unknown; least?: number; most?: number; isFixed?: boolean },
][]

/** The extremes of a setting: a number's bounds, both values of a flag. Memory and probability set limits to a test. */
function extremes(name: keyof TcpConfig): unknown[] {
  const knob = KNOBS[name] as { default: unknown; least?: number; most?: number; oneOf?: readonly string[] }
  const { default: value, least = 0, most = 0, oneOf } = knob
  if (oneOf !== undefined) return [oneOf[oneOf.length - 1], oneOf[0]]
  if (typeof value === 'boolean') return [!value, value]
  if (typeof value === 'string') return [...NAMES]
  return [least, most]
}

/** With these a connection is meant to end, or to wait: see the tests of each. */
const ENDS: Partial<Record<keyof TcpConfig, number>> = {
  retransmitTimeoutUs: 1000,
  synTimeoutUs: 1000,
  orphanTimeoutUs: 1000,
  keepAliveIdleUs: 1000,
  mslUs: 3600e6, // longer than the simulation
}

test.each(ALL.map(([name]) => name))(
  '%s is changed while both sides send, to its least and its most, or is refused',
  (name) => {
    const values = extremes(name).filter((value) => ENDS[name] !== value)
    for (const value of values) {
      const options = { loss: 0.02, sends: [50_000, 10_000] as const, seed: 8 }
      const early = (tcb: Tcb): boolean => tcb.delivery.delivered > 20_000
      whileBusy(options, early, (pair) => {
        const connection = pair.hosts[0].connection
        const change = { [name]: value } as Partial<TcpConfig>
        if (KNOBS[name].isFixed === true && value !== KNOBS[name].default) {
          expect(() => connection?.configure(change)).toThrow(name)
          return
        }
        connection?.configure(change)
        expect(connection?.tcb.config[name]).toBe(value)
        pair.hosts[0].run()
      })
    }
  },
)

test('all settings are changed at once, to and fro, while both sides send', () => {
  const live = ALL.filter(([name, knob]) => knob.isFixed !== true && ENDS[name] === undefined).map(([name]) => name)
  for (const side of [0, 1]) {
    const changes = Object.fromEntries(live.map((name) => [name, extremes(name)[side]])) as Partial<TcpConfig>
    whileBusy(
      { loss: 0.01, sends: [200_000, 40_000], seed: 8 },
      (tcb) => tcb.delivery.delivered > 30_000,
      (pair) => {
        const before = pair.hosts[0].connection?.tcb.config
        pair.hosts[0].connection?.configure(changes)
        pair.hosts[0].run()
        pair.time.schedule(pair.time.now() + 50_000, () => {
          if (before === undefined) return
          const back = Object.fromEntries(live.map((name) => [name, before[name]])) as Partial<TcpConfig>
          pair.hosts[0].connection?.configure(back)
          pair.hosts[0].run()
        })
      },
    )
  }
})

scenario('a send buffer that is made smaller keeps what it holds, and takes no more until there is room', () => {
  const c = established({ win: 1000, mss: 1000 })
  c.write(5000).out('. 1:1001 ack 1')
  c.call((connection) => connection.configure({ sendBufferBytes: 2000 }))
  expect([c.offer(10), c.connection.writableBytes]).toEqual([0, 0])
  c.in('. ack 1001 win 4000').outText(1001, 5001).in('. ack 4001')
  expect(c.offer(2000)).toBe(1000)
  c.out('P. 5001:6001 ack 1').in('. ack 6001')
})

scenario(
  'a receive buffer below the unit of the window scale still has a window to tell of (RFC 7323 §2.3, RFC 9293 §3.8.6)',
  () => {
    const c = established({
      tcp: { receiveBufferBytes: 10_000, receiveBufferMaxBytes: 2 ** 25, receiveBufferAutotune: true },
      wscale: 0,
      mss: 1000,
    })
    const unit = 2 ** c.tcb.rcv.scale
    expect(unit).toBe(512)
    c.call((connection) => connection.configure({ receiveBufferBytes: 300 }))
    const window = (): number => (c.tcb.rcv.edge - c.tcb.rcv.nxt) | 0
    for (let at = 1, length = 0; at < 30_000 && (at === 1 || length > 0); at += length) {
      length = Math.min(1000, window())
      expect(length, `the window after ${at} bytes`).toBeGreaterThan(0)
      c.in(`P. ${at}:${at + length} ack 1`).drain()
      c.reads(length).drain()
      c.advance(500).drain()
    }
  },
)

scenario('a receive buffer that is made smaller keeps the edge it has promised (RFC 9293 §3.8.6 [SHLD-14])', () => {
  const c = established({ tcp: { receiveBufferBytes: 10_000 }, mss: 1000 })
  c.call((connection) => connection.configure({ receiveBufferBytes: 2000 }))
  c.in('. 1:1001 ack 1', '. 1001:2001 ack 1').out('. 1 ack 2001 win 8000')
  for (let at = 2001; at < 10_001; at += 2000) {
    c.in(`. ${at}:${at + 1000} ack 1`, `. ${at + 1000}:${at + 2000} ack 1`).out(`. 1 ack ${at + 2000} win ${8001 - at}`)
  }
  c.reads(10_000).out('. 1 ack 10001 win 2000')
})

scenario(
  'a smaller MSS holds for the next segments, a larger one up to what was agreed on (RFC 9293 §3.7.1 [MUST-16])',
  () => {
    const c = established()
    c.call((connection) => connection.configure({ mss: 500 }))
    c.write(1000).out('. 1:501 ack 1', 'P. 501:1001 ack 1').in('. ack 1001')
    c.call((connection) => connection.configure({ mss: 9000 }))
    c.write(1460).out('P. 1001:2461 ack 1').in('. ack 2461')
  },
)

scenario('a timer that was set by the old bounds does not outlast the new ones (RFC 6298 §2.5)', () => {
  const c = established()
  c.write(100).out('P. 1:101 ack 1').advance(20_000, true)
  c.call((connection) => connection.configure({ maxRtoUs: 1_000_000 }))
  c.silent(999.999).advance(0.001).out('P. 1:101 ack 1').in('. ack 101')
})

scenario(
  'code point and hop limit are changed for the next segments; the received code point is shown (RFC 9293 §3.9.1.9 [MUST-48] [SHLD-21] [SHLD-22] [MAY-9], §3.9.2 [MUST-49])',
  () => {
    const c = established()
    c.call((connection) => connection.configure({ trafficClass: 0xb8, hopLimit: 7 })).write(10)
    expect(c.drain()).toMatchObject([{ trafficClass: 0xb8, hopLimit: 7 }])
    expect(c.connection.info().receivedTrafficClass).toBe(0)
    const packet = c.packet('. 1 ack 11')
    if (c.remote.family === 4) {
      packet.bytes[packet.start + 1] = 0xbb
      let sum = 0
      packet.bytes[packet.start + 10] = packet.bytes[packet.start + 11] = 0
      for (let i = packet.start; i < packet.start + 20; i += 2) sum += packet.bytes[i] * 256 + packet.bytes[i + 1]
      sum = ~((sum & 0xffff) + (sum >>> 16))
      packet.bytes[packet.start + 10] = sum >> 8
      packet.bytes[packet.start + 11] = sum
    } else {
      packet.bytes[packet.start] = 0x6b
      packet.bytes[packet.start + 1] = 0xb0
    }
    c.deliver(packet)
    expect([c.connection.info().receivedTrafficClass, c.connection.unackedBytes]).toEqual([0xb8, 0]) // ECN is not of it
  },
)
