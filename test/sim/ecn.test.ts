// Transfers over links that mark: ECN's promise is congestion control without a single packet lost.

import { describe, expect, test } from 'vitest'
import { MILLISECOND } from '../../src/base/index.ts'
import type { Impairment } from '../../src/link/impairment.ts'
import { createHost, type TunSocket } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'
import { checkInvariants, type TcpConfig, type TcpCounters, type TcpInfo } from '../../src/tcp/index.ts'

interface Result {
  readonly received: number
  readonly virtualMs: number
  readonly sender: TcpCounters
  readonly info: TcpInfo
  /** cwnd, in segments, each time that it was smaller than before. */
  readonly reductions: readonly [from: number, to: number][]
}

const BYTES = 3_000_000

/** 3 MB from one host to the other, over a line that does `forth` to the text. */
async function transfer(
  forth: Impairment,
  tcp: Partial<TcpConfig>,
  back: Impairment = { delayUs: 10 * MILLISECOND },
): Promise<Result> {
  const network = new Network({ seed: 5 })
  const { time } = network
  const [left, right] = network.cable({ ...forth, back })
  const options = { scheduler: time, tcp: { nagle: false, ...tcp } } // or the last piece would wait for a delayed acknowledgement
  const sender = createHost({ ...options, device: left, address: '10.0.0.1/24', random: network.random() })
  const receiver = createHost({ ...options, device: right, address: '10.0.0.2/24', random: network.random() })
  const reductions: [number, number][] = []
  let cwnd = 0
  sender.stack.tcp.onStep = (tcb) => {
    checkInvariants(tcb)
    if (tcb.cc.cwnd < cwnd) reductions.push([cwnd / tcb.snd.mss, tcb.cc.cwnd / tcb.snd.mss])
    cwnd = tcb.cc.cwnd
  }
  receiver.stack.tcp.onStep = checkInvariants
  let received = 0
  let doneUs = 0
  receiver
    .createServer((socket: TunSocket) => {
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length
        doneUs = time.now()
      })
      socket.on('end', () => socket.end())
    })
    .listen(80)
  const socket = sender.createConnection({ host: '10.0.0.2', port: 80 })
  socket.write(Buffer.alloc(BYTES, 1))
  await time.run({ until: 300e6, while: () => received < BYTES })
  const [connection] = sender.stack.tcp.connections()
  return {
    received,
    virtualMs: doneUs / 1000,
    sender: { ...sender.stack.tcp.counters },
    info: connection.info(),
    reductions,
  }
}

/** 1% of what is ECN-capable is marked on its way; 20 ms there and back. */
const MARKING: Impairment = { delayUs: 10 * MILLISECOND, rateBps: 100e6, queuePackets: 2000, markRate: 0.01 }
/** The step of a DCTCP switch. */
const STEP: Impairment = { delayUs: 100, rateBps: 100e6, queuePackets: 200, markThreshold: 20 }

describe('a transfer over a link that marks', () => {
  test.each(['cubic', 'reno'])(
    '%s sends nothing twice and lowers its window for each marked window (RFC 3168 §6.1.2)',
    async (congestion) => {
      const { received, sender, reductions, info } = await transfer(MARKING, { ecn: 'on', congestion })
      expect(received).toBe(BYTES)
      expect(sender.TcpRetransSegs).toBe(0)
      expect(reductions.length).toBeGreaterThan(2)
      expect(sender.TcpExtTCPDeliveredCE).toBeGreaterThan(reductions.length)
      expect(info.tcpi_options).toContain('ecn')
    },
  )

  test('without ECN the same link drops in place of marking', async () => {
    const { received, sender } = await transfer(MARKING, { ecn: 'passive' })
    expect(received).toBe(BYTES)
    expect(sender.TcpRetransSegs).toBeGreaterThan(5)
    expect(sender.TcpExtTCPDeliveredCE).toBe(0)
  })

  test('ABE keeps more of the window for each mark and is done sooner (RFC 8511 §1)', async () => {
    const [on, off] = [await transfer(MARKING, { ecn: 'on' }), await transfer(MARKING, { ecn: 'on', abe: false })]
    const kept = ({ reductions }: Result): number[] => reductions.slice(1).map(([from, to]) => to / from)
    expect(Math.max(...kept(off))).toBeLessThan(0.71)
    expect(Math.max(...kept(on))).toBeGreaterThan(0.84)
    expect(on.virtualMs).toBeLessThan(off.virtualMs)
  })

  test('AccECN tells of every mark, and the window still falls once a round trip (RFC 9768 §1.1)', async () => {
    const { received, sender, reductions, info } = await transfer(MARKING, { ecn: 'accurate' })
    expect([received, sender.TcpRetransSegs]).toEqual([BYTES, 0])
    expect(info.tcpi_options).toContain('accecn')
    const segments = BYTES / info.tcpi_snd_mss
    expect(info.tcpi_delivered_ce / segments).toBeGreaterThan(0.005)
    expect(info.tcpi_delivered_ce / segments).toBeLessThan(0.02)
    expect(reductions.length).toBeLessThanOrEqual(info.tcpi_delivered_ce)
  })

  test('DCTCP fills a line whose queue is kept short by marks (RFC 8257 §1)', async () => {
    const { received, sender, virtualMs, reductions } = await transfer(STEP, { congestion: 'dctcp' }, { delayUs: 100 })
    expect([received, sender.TcpRetransSegs]).toEqual([BYTES, 0])
    expect(virtualMs).toBeLessThan(1.15 * ((BYTES * 8) / 100e6) * 1000)
    const last = reductions.slice(-5).map(([from, to]) => to / from)
    expect(Math.min(...last)).toBeGreaterThan(0.6) // by the fraction that was marked, no longer by half
  })
})
