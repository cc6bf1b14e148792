// The share of the search that every run of the tests affords: small worlds, each to its end. `npm run explore` does the rest.

import { expect, test } from 'vitest'
import { EXIT, exploreCommand } from './command.ts'
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

/** An application that never closes: the other waits for it for ever. */
const endless = (): WorldSpec => ({
  ...world('bare'),
  steps: [
    ['connect', 'shutdown'],
    ['listen', 'accept'],
  ],
})

test('what must not be is found, by a shortest way, and can be played again', () => {
  const spec = endless()
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

/** The command with these arguments: its exit code, and what it said. */
function run(args: string, worlds?: readonly WorldSpec[]): { code: number; said: string } {
  const lines: string[] = []
  const code = exploreCommand(args.split(' '), (line) => lines.push(line), worlds)
  return { code, said: lines.join('\n') }
}

test('the exit code of a search tells whether all was seen and is good', () => {
  expect(run('--world bare --config plain --faults 0')).toMatchObject({ code: EXIT.good })
  const failed = run('--world bare --config plain --faults 0 --quiet', [endless()])
  expect(failed).toMatchObject({ code: EXIT.failed, said: expect.stringContaining('FAILED: at the end A is left') })
  const cut = run('--world bare --config plain --faults 0 --minutes 1e-9 --quiet')
  expect(cut).toMatchObject({ code: EXIT.unfinished, said: expect.stringContaining('not to the end') })
})

test('a search of all worlds that is whole misses no transition of figure 5 without a word (RFC 9293 §3.3.2)', () => {
  const found = run('--config plain --faults 0 --quiet', [world('bare')])
  expect(found).toMatchObject({ code: EXIT.failed, said: expect.stringContaining('of figure 5 was not seen') })
})

test('the exit code of a replay tells whether the path comes to a good end', () => {
  const { said } = run('--world bare --config plain --faults 0 --quiet', [endless()])
  const path = / --replay (\S+)/.exec(said)?.[1] ?? ''
  expect(run(`--replay ${path}`, [endless()])).toMatchObject({
    code: EXIT.failed,
    said: expect.stringContaining('at the end: A is left with FIN-WAIT-2 and no timer'),
  })
  expect(run(`--replay ${path.replace(/\.[^.]*$/, '')}`, [endless()])).toMatchObject({ code: EXIT.good })
  expect(run('--replay bare/plain/0/oA')).toMatchObject({ code: EXIT.good })
})

test('a call that makes no sense is told from a failure', () => {
  for (const [args, said] of [
    ['--faults some', 'a whole number is meant'],
    ['--minutes 0', 'a number above 0 is meant'],
    ['--world bare,nowhere', "there is no world 'nowhere'; there are open-close-a"],
    ['--replay nowhere/plain/0/oA', 'no world nowhere with settings plain'],
    ['--replay bare/plain/0/oA.pB', "there is no 'pB' here, but"],
    ['--nothing', "unknown option '--nothing'"],
  ]) {
    expect(run(args)).toMatchObject({ code: EXIT.usage, said: expect.stringContaining(said) })
  }
  expect(run('--help')).toMatchObject({ code: EXIT.good, said: expect.stringContaining('Exit code: 0') })
})
