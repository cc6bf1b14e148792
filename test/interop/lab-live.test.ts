// Experiments with Linux's TCP at the other end: every claim holds there too.
// They run in a few processes side by side, each in a network namespace of its own: most of their time is waiting.

import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { LIVE } from '../../src/lab/index.ts'
import { BIN, folder, run, tunstack } from './helpers.ts'

interface LiveOutcome {
  readonly id: string
  readonly live: string
  readonly claims: readonly { readonly text: string; readonly holds: boolean; readonly figures: unknown }[]
  readonly worlds: readonly { readonly packets: number }[]
}

/** Those whose figures are of the clock run alone, after the others. */
const TIMED = new Set(['handshake', 'delayed-ack', 'nagle-delayed-ack', 'pipelining', 'idle-close-race', 'nagle'])
const IDS = LIVE.map(({ experiment }) => experiment.id)
const files = folder()
afterAll(() => files.remove())

async function outcomeOf(id: string, ...options: string[]): Promise<LiveOutcome> {
  const { text, stderr } = await tunstack('lab', id, '--live', '--json', ...options)
  expect(text, stderr).toMatch(/^\{/)
  return JSON.parse(text) as LiveOutcome
}

function expectHeld({ id, live, claims, worlds }: LiveOutcome): void {
  expect([id, claims.filter(({ holds }) => !holds)]).toEqual([id, []])
  expect(live).toMatch(/^Linux [0-9]/)
  expect(claims.length).toBeGreaterThan(2)
  expect(worlds.every(({ packets }) => packets > 0)).toBe(true)
}

describe('against Linux', { timeout: 60_000 }, () => {
  test('every experiment of the list that does not look at the clock holds', async () => {
    for (const outcome of await Promise.all(IDS.filter((id) => !TIMED.has(id)).map((id) => outcomeOf(id))))
      expectHeld(outcome)
  })

  test.each(IDS.filter((id) => TIMED.has(id)))('%s holds', async (id) => {
    expectHeld(await outcomeOf(id))
  })
})

test('a live run has a page, and a capture as each side saw it', async () => {
  const page = files.file('page.html')
  const packets = files.file('packets')
  const { code, stderr } = await tunstack('lab', 'half-close', '--live', '--report', page, '--pcap', packets)
  expect(code, stderr).toBe(0)
  expect(readFileSync(page, 'utf8')).toMatch(/<h1>Closing both halves erases answers, live against Linux [0-9]/)
  const captures = readdirSync(packets)
  expect(captures).toHaveLength(8)
  const read = await run('tshark', ['-n', '-r', `${packets}/${captures[0]}`, '-Y', 'tcp.flags.syn==1'])
  expect(read.text.split('\n').length).toBe(2)
})

test('in an unprivileged user namespace it is the same', async () => {
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
  const got = await run('setpriv', [...nobody, process.execPath, BIN, 'lab', 'half-close', '--live'])
  // Where the system forbids user namespaces it says so, with the status for it.
  if (got.code === 77) expect(got.stderr).toMatch(/a network namespace with a TUN device cannot be had here: /)
  else expect([got.code, got.stderr]).toEqual([0, ''])
})

test.each([
  [['four-values', '--live'], /does not run live\n.*these do: segments, handshake/],
  [['nagle', '--live', '--seed=1'], /--live does not go with --seed\n/],
  [['nagle', '--live', '--fault', 'drop SYN once'], /--live does not go with --fault\n/],
  [['nagle', '--live', '--topology', 'x.yaml'], /--live does not go with --topology\n/],
  [['nagle', '--live', '--log', 'x.jsonl'], /--live does not go with --log\n/],
  [['nagle', '--live', '--writes=1'], /--writes is from 2 to 2000, not 1/],
])('tunstack lab %s is refused', async (words, message) => {
  const { stderr, code } = await tunstack('lab', ...words)
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
})
