// Two whole stacks with TCP Fast Open on both sides (RFC 7413) over bad links: everything arrives once, in order, whatever is lost.

import { expect, test } from 'vitest'
import { FLAG } from '../../src/tcp/header.ts'
import { Pair, type PairOptions } from './pair.ts'

/** Two hosts of which the opener has the other's cookie. */
function acquainted(options: PairOptions): Pair {
  const pair = new Pair({ ...options, tcp: { fastOpen: true, ...options.tcp } })
  const [a, b] = pair.hosts
  const cookie = b.stack.tcp.fastOpen.maker.make(pair.address(0), pair.address(1))
  a.stack.tcp.fastOpen.jar.keep(pair.address(1), cookie, 1460)
  return pair
}

const NEAR_WRAP = [0, 2 ** 31 - 5000, 2 ** 32 - 5000, 2 ** 32 - 1]

const LINKS: Record<string, Partial<PairOptions>> = {
  'that is clean': {},
  'that loses 20 %': { loss: 0.2 },
  'that reorders': { jitterUs: 30_000 },
  'that repeats': { duplicate: 0.3 },
  'that loses, reorders and repeats': { loss: 0.3, jitterUs: 20_000, duplicate: 0.1 },
  'with super-segments that are cut on the way and lost in part': { offload: 'split', loss: 0.1, jitterUs: 3000 },
}

for (const [name, link] of Object.entries(LINKS)) {
  test(`every octet arrives once both ways with Fast Open over a link ${name} (seeds 0 to 31)`, () => {
    let taken = 0
    for (let seed = 0; seed < 32; seed++) {
      const pair = acquainted({
        seed,
        sends: [1 + 997 * (seed % 7), 1 + 3001 * (seed % 11)],
        family: seed & 1 ? 6 : 4,
        isn: [NEAR_WRAP[seed % 4], NEAR_WRAP[(seed >> 2) % 4]],
        tcp: { sack: (seed & 2) > 0, timestamps: (seed & 4) > 0, ecn: seed & 8 ? 'accurate' : 'on' },
        ...link,
      })
      try {
        pair.transfer().expectDelivered()
      } catch (error) {
        if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`
        throw error
      }
      taken += pair.hosts[1].stack.tcp.counters.TcpExtTCPFastOpenPassive
    }
    expect(taken).toBeGreaterThan(name === 'that is clean' ? 31 : 10)
  })
}

test('request and answer take one round trip: the answer leaves when the SYN comes (RFC 7413 §4.2.2)', () => {
  const pair = acquainted({ seed: 1, sends: [500, 5000], delayUs: 50_000 })
    .transfer()
    .expectDelivered()
  const start = pair.seen[0].atUs
  const answers = pair.seen.filter(({ from, segment }) => from === 1 && segment.textLength > 0)
  expect(answers.map(({ atUs }) => atUs - start)).toEqual(answers.map(() => 50_000))
  expect(answers.reduce((sum, { segment }) => sum + segment.textLength, 0)).toBe(5000)
  const again = pair.seen.filter(({ segment }) => (segment.flags & FLAG.SYN) !== 0)
  expect(again.length).toBe(2)
})

test('a server that has changed its key twice meanwhile takes no text, and gives a fresh cookie (RFC 7413 §5.1)', () => {
  const pair = acquainted({ seed: 1, sends: [500, 500] })
  const { maker } = pair.hosts[1].stack.tcp.fastOpen
  maker.rotate()
  maker.rotate()
  pair.transfer().expectDelivered()
  const [a, b] = pair.hosts.map(({ stack }) => stack.tcp.counters)
  expect([a.TcpExtTCPFastOpenActiveFail, b.TcpExtTCPFastOpenPassiveFail]).toEqual([1, 1])
  const kept = pair.hosts[0].stack.tcp.fastOpen.jar.find(pair.address(1), pair.time.now())
  expect(kept?.cookie).toEqual(maker.make(pair.address(0), pair.address(1)))
})
