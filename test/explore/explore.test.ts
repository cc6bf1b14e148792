// The share of the search that every run of the tests affords: small worlds, each to its end. `npm run explore` does the rest.

import { expect, test } from 'vitest'
import { ladder, readReplay, replayString, shorten } from './ladder.ts'
import { judgeMatrix } from './matrix.ts'
import { search } from './search.ts'
import { World, type WorldSpec } from './world.ts'
import { CONFIGS, WORLDS } from './worlds.ts'

const world = (name: string): WorldSpec => {
  const spec = WORLDS.find((one) => one.name === name)
  if (spec === undefined) throw new RangeError(`no world ${name}`)
  return spec
}

const changes = new Map<string, number>()

function searchWhole(name: string, configName: string, faults: number): void {
  const spec = world(name)
  const tcp = CONFIGS[configName] ?? {}
  const found = search({ spec, configName, tcp, faults })
  const told = found.failures.map((failure) => {
    const path = shorten(spec, tcp, faults, failure)
    return `${failure.what}\n${ladder(spec, tcp, faults, path)}\n${replayString(spec, configName, faults, path)}`
  })
  expect(told.join('\n\n')).toBe('')
  expect(found.isWhole).toBe(true)
  for (const [change, count] of found.changes) changes.set(change, (changes.get(change) ?? 0) + count)
}

test.each([
  ['open-close-a', 'plain', 0],
  ['open-close-b', 'modern', 0],
  ['open-close-any', 'adaptive', 0],
  ['linger', 'adaptive', 0],
  ['bare', 'plain', 0],
  ['lossy-bare', 'plain', 1],
  ['half-close', 'delayed', 0],
  ['several', 'modern', 0],
  ['crossed', 'plain', 0],
  ['simultaneous-close', 'delayed', 0],
  ['close-fully', 'plain', 0],
  ['close-unread', 'modern', 0],
  ['unlisten', 'plain', 0],
  ['cookies', 'modern', 0],
  ['again', 'plain', 0],
  ['again-paws', 'modern', 0],
  ['reopen', 'modern', 0],
  ['deferred', 'modern', 0],
] as const)('every way through the world %s (%s, %d faults) comes to a good end (RFC 9293 §3.3.2)', searchWhole)

test('the worlds show every transition of figure 5 that there can be (RFC 9293 §3.3.2)', () => {
  expect(judgeMatrix(changes)).toEqual([])
})

test('what must not be is found, by a shortest way, and can be played again', () => {
  // An application that never closes: the other waits for it for ever.
  const spec: WorldSpec = {
    ...world('bare'),
    steps: [
      ['connect', 'shutdown'],
      ['listen', 'accept'],
    ],
  }
  const found = search({ spec, configName: 'plain', tcp: {}, faults: 0 })
  expect(found.failures.map(({ what }) => what)).toEqual(['at the end A is left with FIN-WAIT-2 and no timer'])
  const path = shorten(spec, {}, 0, found.failures[0]!)
  expect(path.filter((choice) => choice.startsWith('o'))).toHaveLength(3)
  expect(readReplay(replayString(spec, 'plain', 0, path)).path).toEqual(path)
  expect(ladder(spec, {}, 0, path)).toContain('at the end: A is left with FIN-WAIT-2 and no timer')
})

test('octets of an earlier connection are told from those of this one', () => {
  const spec = world('again')
  const at = new World(spec, {}, 0)
  at.apply('oA')
  const peer = at.sides[0].owned[0]!
  for (const choice of ['pA', 'pB', 'pA', 'oB', 'oA']) at.apply(choice)
  peer.written = 0 // as if nobody had written what is under way
  expect(() => at.apply('pA')).toThrow('octet 0 was read and nobody wrote it')
})
