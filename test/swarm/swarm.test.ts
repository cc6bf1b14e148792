// A bounded share of the swarm; `npm run swarm` runs as much as there is time for. What a failure prints replays it.

import { pathToFileURL } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { bundled } from './bundle.ts'
import type { Case } from './case.ts'
import type { Failure } from './world.ts'

const FROM = 1_000_000
const SEEDS = 40

type Swarm = typeof import('./all.ts')
let swarm: Swarm

beforeAll(async () => {
  swarm = (await import(pathToFileURL(await bundled('all')).href)) as Swarm
})

test(`whole networks deliver every byte once and in order, or fail for a reason, and leave nothing behind: ${SEEDS} seeds`, () => {
  const notes = new swarm.Notes()
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    const { failure } = swarm.runCase(swarm.drawCase(seed), notes)
    expect(failure?.text, `npm run swarm -- --seed ${seed}`).toBeUndefined()
  }
  expect(notes.ends['strict'], 'flows without any excuse').toBeGreaterThan(100)
})

test('the same seed gives the same packets at the same times, a case survives its text, and other seeds differ', () => {
  const digests = new Set<number>()
  for (let seed = 0; seed < 10; seed++) {
    const it = swarm.drawCase(seed)
    const first = swarm.runCase(it)
    expect(swarm.runCase(swarm.drawCase(seed)), `seed ${seed}`).toEqual(first)
    expect(swarm.runCase(swarm.caseFromJson(swarm.caseToJson(it))), `seed ${seed} as text`).toEqual(first)
    digests.add(first.digest)
  }
  expect(digests.size).toBe(10)
})

/** A pair of hosts with quiet links and some flows of 5000 bytes. */
function quiet(flows: number): Case {
  const it = swarm.drawCase(0)
  const path = { delayUs: 1000, jitterUs: 0, loss: 0, burst: null, duplicate: 0, reorder: 0, reorderUs: 0 }
  const rest = { corrupt: 0, mark: 0, rateBps: 0, queueBytes: 1e6, mtu: 65535, isHole: false }
  const host = { mtu: 1500, offload: 'none' as const, batchUs: 0, timeWaitMax: 65536, config: {}, listener: null }
  const app = { bytes: 5000, chunk: 65521, writeUs: 0, readBytes: 0, readUs: 0, stallAt: 0, stallUs: 0, urgentEvery: 0 }
  const polite = { ...app, more: false, discardAt: -1, ending: 'polite' as const, endUs: 0, changes: [] }
  const plan = { at: 0, from: 0, to: 1, localPort: 0, both: false, config: {}, client: polite, server: polite }
  return {
    ...it,
    shape: 'pair',
    routers: 0,
    hosts: [host, { ...host, listener: { port: 80, backlog: 511, acceptUs: 0, md5: false, config: {} } }],
    links: [{ a: 0, b: 1, ab: { ...path, ...rest }, ba: { ...path, ...rest } }],
    flows: Array.from({ length: flows }, (_, id) => ({ ...plan, id })),
    incidents: [],
  }
}

/** Runs a case whose network does what its plan does not say. */
function harmed(it: Case, harm: 'octet' | 'silence' | 'none'): Failure | null {
  const world = new swarm.World(it, new swarm.Notes())
  let count = 0
  world.tap = (_host, packet, direction) => {
    if (direction !== 'in') return
    count++
    if (harm === 'octet' && packet.length > 1000 && count === 9) {
      packet.bytes[packet.end - 1] ^= 1
      packet.checksum = 'verified'
    }
    if (harm === 'silence' && count > 9) packet.bytes[packet.start] = 0
  }
  return world.run().failure
}

test('an octet that changes on the way, and a link that falls silent, are found where the model has no excuse', () => {
  expect(harmed(quiet(3), 'none')).toBeNull()
  expect(harmed(quiet(3), 'octet')).toMatchObject({ kind: 'content' })
  expect(harmed(quiet(3), 'silence')).toMatchObject({ kind: 'error', text: expect.stringContaining('ETIMEDOUT') })
})

test('a failing case is made smaller while it fails in the same way', () => {
  const it = quiet(6)
  it.hosts[0].config = { nagle: false, dupThresh: 10 }
  it.links[0].ba.duplicate = 0.5
  const small = swarm.shrink(
    it,
    'error',
    1,
    () => 0,
    (smaller) => harmed(smaller, 'silence'),
  )
  expect([small.flows.length, small.hosts[0].config, small.links[0].ba.duplicate]).toEqual([1, {}, 0])
  expect(harmed(small, 'silence')).toMatchObject({ kind: 'error' })
})
