// Experiments with Linux's TCP at the other end.

import { expect, test } from 'vitest'
import { tunstack } from './helpers.ts'

test('slow start against Linux: the first round is the initial window, none more than twice the last (RFC 5681 §3.1)', async () => {
  const { text, stderr, code } = await tunstack('lab', 'slow-start', '--live', '--json', '--rtt=60ms')
  expect(code, stderr + text).toBe(0)
  const { live, claims } = JSON.parse(text) as { live: boolean; claims: { holds: boolean }[] }
  expect([live, claims.map(({ holds }) => holds)]).toEqual([true, [true, true]])
})

test('an experiment that does not run live says which do', async () => {
  const { stderr, code } = await tunstack('lab', 'four-values', '--live')
  expect([code, stderr]).toEqual([2, expect.stringContaining('these do: slow-start, nagle')])
})
