// Anything may arrive at any time, and the application may do anything: the invariants hold, nothing is thrown, nothing runs for ever.
// A failing seed is in the test's name; it repeats.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { flagText } from './notation.ts'
import { connecting, established, listening, type Script, type ScriptOptions } from './script.ts'
import { inWorld, WORLDS } from './world.ts'

const below = (random: SeededRandom, n: number): number => Math.floor(random.fraction() * n)

/** A segment near what the connection would take, with any flags. */
function anyLine(random: SeededRandom, c: Script): string {
  const flags = random.fraction() < 0.7 ? 16 | (below(random, 8) === 0 ? 1 : 0) : below(random, 64)
  const { rcv, snd } = c.tcb
  const near = (value: number, spread: number): number => value + below(random, 2 * spread) - spread
  const nxt = (rcv.nxt - c.origin.irs) | 0
  const start = random.fraction() < 0.5 ? nxt : near(nxt, below(random, 3) === 0 ? 70_000 : 3000)
  const length = random.fraction() < 0.5 ? 0 : below(random, 1460)
  const una = (snd.una - c.origin.iss) | 0
  const sent = (snd.nxt - c.origin.iss) | 0
  const ack = random.fraction() < 0.7 ? una + below(random, sent - una + 1) : near(sent, 5000)
  const window = random.fraction() < 0.3 ? below(random, 3000) : 65535
  const edges = Array.from({ length: 2 * below(random, 4) }, () => una + below(random, sent - una + 2)).sort(
    (a, b) => a - b,
  )
  const blocks = edges.flatMap((edge, i) => (i % 2 === 0 ? [`${edge}:${edges[i + 1]}`] : []))
  const options = [blocks.length > 0 ? `sack ${blocks.join(' ')}` : '', c.options.ts ? 'TS' : ''].filter(
    (o) => o !== '',
  )
  return `${flagText(flags)} ${start}:${start + length}${flags & 16 ? ` ack ${ack}` : ''} win ${window} <${options.join(',')}>`
}

function anyCall(random: SeededRandom, c: Script): void {
  const { connection } = c
  switch (below(random, 16)) {
    case 0:
      if (below(random, 10) === 0) connection.close()
      break
    case 1:
      if (below(random, 5) === 0) connection.shutdownWrite()
      break
    case 2:
      if (below(random, 20) === 0) connection.abort()
      break
    case 3:
      connection.setNoDelay(below(random, 2) === 0)
      break
    case 4:
      connection.setKeepAlive(below(random, 2) === 0, 1_000_000)
      break
    case 5:
      if (below(random, 10) === 0) connection.shutdownRead()
      break
    case 6:
    case 7:
    case 8:
      connection.read(below(random, 5000))
      break
    case 9:
      connection.configure({ cork: below(random, 2) === 0, notSentLowWaterBytes: 1 + below(random, 9000) })
      break
    case 10:
      if (below(random, 3) === 0) connection.configure({ sendBufferBytes: 1 + below(random, 20_000) })
      break
    case 11:
      connection.quickAck(below(random, 2) === 0)
      break
    default:
      c.offer(below(random, 4000), below(random, 3) === 0)
  }
  connection.info()
  c.drain()
  c.call(() => {})
}

function run(seed: number): void {
  const random = new SeededRandom(seed)
  inWorld(WORLDS[seed % WORLDS.length], () => {
    const options: ScriptOptions = {
      sack: below(random, 2) === 0,
      ts: below(random, 2) === 0,
      ...(below(random, 2) === 0 && { wscale: 7 }),
      tcp: {
        receiveBufferBytes: 2 ** (10 + below(random, 8)),
        sendBufferBytes: 2 ** (12 + below(random, 6)),
        sendBufferAutotune: below(random, 2) === 0,
        windowValidation: (['decay', 'keep', 'off'] as const)[below(random, 3)],
        nagleVariant: (['minshall', 'rfc'] as const)[below(random, 2)],
        delayedAck: seed & 1 ? 'adaptive' : 'fixed',
        receiveBufferAutotune: (seed & 2) > 0,
        outOfOrderPrune: (seed & 4) > 0,
        outOfOrderRanges: seed & 8 ? 4 : 1024,
        dsack: (seed & 16) > 0,
      },
      ...(below(random, 3) === 0 && { offload: { checksum: true, superSegmentBytes: 65535 } }),
    }
    const open = below(random, 4)
    const c =
      open === 0
        ? connecting(options)
        : open === 1
          ? listening(options)
          : established({ ...options, passive: open === 2 })
    if (open === 1) c.in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1')
    for (let i = 0; i < 150; i++) {
      const what = random.fraction()
      if (what < 0.6) c.in(...Array.from({ length: 1 + below(random, 3) }, () => anyLine(random, c)))
      else if (what < 0.8) anyCall(random, c)
      else c.advance(below(random, 5) === 0 ? 100_000 : below(random, 500), true)
      const sent = c.drain()
      expect(sent.length).toBeLessThan(2000)
      c.events()
      if (c.listener?.pending) c.listener.accept()
      if (c.stack.tcp.connectionCount === 0 && i > 100) return
    }
  })
}

for (let group = 0; group < 6; group++) {
  test(`any segments and calls leave the invariants whole, seeds ${group * 20} to ${group * 20 + 19} (RFC 9293 §3.10)`, () => {
    for (let seed = group * 20; seed < group * 20 + 20; seed++) {
      try {
        run(seed)
      } catch (error) {
        if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`
        throw error
      }
    }
  })
}
