// Experiments with Linux's TCP at the other end: every claim holds there too.
// They run in a few processes side by side, each in a network namespace of its own: most of their time is waiting. Those that measure
// time run alone.

import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIVE } from '../../src/lab/index.ts'
import { BIN, folder, type RunResult, run, tunstack } from './helpers.ts'

interface LiveOutcome {
  readonly id: string
  readonly live: string
  readonly claims: readonly { readonly text: string; readonly holds: boolean; readonly figures: unknown }[]
  readonly worlds: readonly { readonly packets: number }[]
}

/** Those whose figures are of the clock run alone, after the others, one after another in one process. */
const TIMED = ['handshake', 'delayed-ack', 'nagle-delayed-ack', 'pipelining', 'idle-close-race', 'nagle']
/** The others, those that wait longest first. */
const LONG = ['port-exhaustion', 'time-wait', 'persistent', 'keep-alive', 'graceful-close']
const OTHERS = LIVE.map(({ experiment }) => experiment.id).filter((id) => !TIMED.includes(id) && !LONG.includes(id))
const files = folder()
afterAll(() => files.remove())

async function outcomesOf(ids: readonly string[]): Promise<LiveOutcome[]> {
  const { text, stderr } = await tunstack('lab', ids.join(), '--live', '--json')
  expect(text, stderr).toMatch(/^\{/)
  return JSON.parse(`[${text.replace(/^\}\n\{$/gm, '},{')}]`) as LiveOutcome[]
}

function expectHeld({ id, live, claims, worlds }: LiveOutcome): void {
  expect([id, claims.filter(({ holds }) => !holds)]).toEqual([id, []])
  expect(live).toMatch(/^Linux [0-9]/)
  expect(claims.length).toBeGreaterThan(2)
  expect(worlds.every(({ packets }) => packets > 0)).toBe(true)
}

describe.concurrent('against Linux, side by side', { timeout: 120_000 }, () => {
  test.each([...LONG, ...OTHERS])('%s holds', async (id) => {
    const [outcome] = await outcomesOf([id])
    expect(outcome.id).toBe(id)
    expectHeld(outcome)
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
    const got = await asNobody('666', 'lab', 'half-close', '--live')
    // Where the system forbids user namespaces it says so, with the status for it.
    if (got.code === 77) expect(got.stderr).toMatch(/cannot be had here: unshare.*users may make no namespaces/)
    else expect([got.code, got.stderr]).toEqual([0, ''])
  })

  test('who may not open /dev/net/tun is told so', async () => {
    const { code, stderr } = await asNobody('600', 'lab', 'half-close', '--live')
    expect([code, stderr]).toEqual([77, expect.stringMatching(/^tunstack: this user may not open \/dev\/net\/tun/)])
  })
})

/** Our command line as an unprivileged user, with a /dev/net/tun of this mode. */
function asNobody(mode: string, ...words: string[]): Promise<RunResult> {
  const device = files.file(`tun-${mode}`)
  const make = `chmod 755 ${files.path} && mknod ${device} c 10 200 && chmod ${mode} ${device}`
  const open = `${make} && mount --bind ${device} /dev/net/tun`
  const nobody = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
  return run('unshare', ['--mount', 'sh', '-c', `${open} && ${nobody}`, 'sh', process.execPath, BIN, ...words])
}

describe('against Linux, by the clock', () => {
  const outcomes = new Map<string, LiveOutcome>()
  beforeAll(async () => {
    for (const outcome of await outcomesOf(TIMED)) outcomes.set(outcome.id, outcome)
  }, 180_000)

  test.each(TIMED)('%s holds', (id) => {
    const outcome = outcomes.get(id)
    if (outcome === undefined) expect.fail(`there is no outcome of ${id}`)
    expectHeld(outcome)
  })
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
