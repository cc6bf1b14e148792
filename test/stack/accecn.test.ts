// AccECN between two hosts on a path that marks (RFC 9768): what one end has received with a mark is what the other knows of, by ACE and by
// the option, and nobody takes the path for one that spoils the bits.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import type { Packet } from '../../src/link/device.ts'
import { Pair, type PairOptions } from './pair.ts'

/** Marks one packet in five that may be marked. IPv6 only: there is no header checksum. */
class MarkingPair extends Pair {
  readonly #marks: SeededRandom

  constructor(options: PairOptions) {
    super({ ...options, family: 6 })
    this.#marks = new SeededRandom(options.seed + 5)
  }

  override send(from: 0 | 1, packet: Packet): void {
    const isCapable = (packet.bytes[packet.start + 1] & 0x30) !== 0
    if (isCapable && this.#marks.fraction() < 0.2) packet.bytes[packet.start + 1] |= 0x30
    super.send(from, packet)
  }
}

/** Both ends: octets and packets marked, as received there and as known here; and whether the path is trusted. */
function run(options: PairOptions): { known: number[]; received: number[]; isTrusted: boolean }[] {
  const pair = new MarkingPair(options)
  pair.transfer().expectDelivered()
  const ends = pair.hosts.map(({ connection }) => {
    if (connection === null) throw new Error('no connection')
    return { info: connection.info(), isTrusted: connection.tcb.ecn.isCapable }
  })
  return ends.map(({ info, isTrusted }, i) => {
    const peer = ends[1 - i].info
    return {
      known: [info.tcpi_delivered_ce_bytes, info.tcpi_delivered_ce],
      received: [peer.tcpi_received_ce_bytes, peer.tcpi_received_ce],
      isTrusted,
    }
  })
}

const sends = [60_000, 40_000] as const

test('on a path that loses nothing both know of every mark (RFC 9768 §3.2)', () => {
  for (let seed = 0; seed < 6; seed++) {
    for (const accEcnOption of ['full', 'minimum', 'off'] as const) {
      for (const { known, received, isTrusted } of run({ seed, sends, tcp: { ecn: 'accurate', accEcnOption } })) {
        expect(isTrusted, `seed ${seed}, ${accEcnOption}`).toBe(true)
        expect(received[1]).toBeGreaterThan(0)
        expect(known[1], `packets, seed ${seed}, ${accEcnOption}`).toBe(received[1])
        expect(known[0]).toBeLessThanOrEqual(received[0])
        if (accEcnOption === 'full') expect(known[0], `octets, seed ${seed}`).toBe(received[0])
      }
    }
  }
})

test('where packets are lost, repeated and overtaken all arrives, and nobody knows of marks that never were', () => {
  for (let seed = 0; seed < 12; seed++) {
    const accEcnOption = seed % 2 === 0 ? 'full' : 'minimum'
    const link = { loss: 0.05, duplicate: 0.05, jitterUs: seed % 3 === 0 ? 15_000 : 0 }
    for (const { known, received, isTrusted } of run({
      seed,
      sends,
      ...link,
      tcp: { ecn: 'accurate', accEcnOption },
    })) {
      expect(isTrusted, `seed ${seed}`).toBe(true)
      expect(known[0], `octets, seed ${seed}`).toBeLessThanOrEqual(received[0])
    }
  }
})
