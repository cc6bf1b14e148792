// What the lab gives must not depend on where and when it runs. The whole of it is compared by `npm run lab -- --check=FILE`.

import { afterEach, expect, test } from 'vitest'
import { checkDigests, outcomeDigest, writeDigests } from '../../src/cli/lab-digests.ts'
import { experimentNamed } from '../../src/lab/registry.ts'
import { runExperiment } from '../../src/lab/run.ts'
import type { Outcome } from '../../src/lab/types.ts'

const { TZ } = process.env
afterEach(() => {
  if (TZ === undefined) delete process.env['TZ']
  else process.env['TZ'] = TZ
})

test('page, lines, JSON and captures of an experiment are the same in another time zone', async () => {
  const digest = async (): Promise<string> => outcomeDigest(await runExperiment(experimentNamed('cache-distance')))
  const here = await digest()
  process.env['TZ'] = 'Pacific/Chatham'
  expect(await digest()).toBe(here)
})

test('a digest tells of any octet, in a claim or in a capture', async () => {
  const outcome = await runExperiment(experimentNamed('seven-steps'))
  const [world] = outcome.worlds
  const bytes = world.captures[0].bytes.slice()
  bytes[bytes.length - 1] ^= 1
  const [first, ...rest] = outcome.claims
  const others: Outcome[] = [
    { ...outcome, claims: [{ ...first, because: `${first.because}.` }, ...rest] },
    { ...outcome, worlds: [{ ...world, captures: [{ ...world.captures[0], bytes }, ...world.captures.slice(1)] }] },
    { ...outcome, seed: 2 },
  ]
  expect(new Set([outcome, ...others].map(outcomeDigest)).size).toBe(4)
})

test('a file of digests says what differs, what is missing and what is new', () => {
  const path = writeDigests(
    '/tmp/tunstack-digests.txt',
    new Map([
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ]),
  )
  expect(
    checkDigests(
      path,
      new Map([
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ]),
    ),
  ).toEqual([])
  expect(
    checkDigests(
      path,
      new Map([
        ['a', '1'],
        ['b', 'x'],
        ['d', '4'],
      ]),
    ),
  ).toEqual([`b gives something else than ${path} has`, `c of ${path} is no experiment`, `d is not in ${path}`])
  expect(() => checkDigests('/tmp/no/such/file', new Map())).toThrow('no such file')
})
