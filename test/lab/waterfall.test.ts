import { expect, test } from 'vitest'
import type { WorldRequest } from '../../src/lab/context.ts'
import { RunContext } from '../../src/lab/context.ts'
import type { TransactionRecord } from '../../src/lab/record.ts'
import { pairOf } from '../../src/lab/topology.ts'
import { bodyOf, browse, serve } from '../../src/lab/web.ts'

async function exchange(
  request: Partial<WorldRequest>,
  bytes: number,
  thinkUs = 0,
  noDelay = true,
): Promise<TransactionRecord> {
  const context = new RunContext({ seed: 1, topology: pairOf({ delay: '50ms' }), faults: [], capture: false })
  const world = context.world({ label: 'one', tcp: { delayedAckUs: 0, congestion: 'reno' }, ...request })
  await world.run(async () => {
    await serve(
      world,
      'server',
      async () => {
        if (thinkUs > 0) await world.sleep(thinkUs)
        return { status: 200, body: bodyOf(bytes) }
      },
      { listen: { noDelay } },
    )
    await browse(world, 'client').get('http://server/')
  })
  return world.record().transactions[0]
}

/** Milliseconds by cause. */
function sums({ slices }: TransactionRecord): Record<string, number> {
  const all: Record<string, number> = {}
  for (const { cause, from, to } of slices) all[cause] = (all[cause] ?? 0) + (to - from) / 1000
  return all
}

test('a small exchange is a handshake, a request and an answer', async () => {
  expect(sums(await exchange({}, 100))).toEqual({ handshake: 100, request: 50, travel: 50 })
})

test('the server’s own time is told apart', async () => {
  expect(sums(await exchange({}, 100, 30_000))).toEqual({ handshake: 100, request: 50, server: 30, travel: 50 })
})

test('rounds of slow start are waited for one by one (RFC 5681 §3.1)', async () => {
  const tcp = { initialWindowSegments: 1, delayedAckUs: 0, congestion: 'reno' }
  expect(sums(await exchange({ tcp }, 6 * 1448))).toEqual({
    handshake: 100,
    request: 50,
    'slow-start': 200,
    travel: 50,
  })
})

test('a lost SYN and a lost segment are retransmissions (RFC 6298)', async () => {
  const syn = sums(await exchange({ faults: ['drop SYN once'] }, 100))
  expect(syn).toEqual({ retransmission: 1050, handshake: 50, request: 50, travel: 50 })
  const tail = sums(await exchange({ faults: ['drop data segment 1 from server'] }, 100))
  expect(tail.retransmission).toBeGreaterThan(200)
})

test('the slices make up the whole time, one after another', async () => {
  const transaction = await exchange({ faults: ['drop data segment 5 from server'] }, 100_000, 20_000)
  const { slices, startedAt, endedAt } = transaction
  expect(slices[0].from).toBe(startedAt)
  expect(slices.at(-1)?.to).toBe(endedAt)
  for (let i = 1; i < slices.length; i++) expect(slices[i].from).toBe(slices[i - 1].to)
})
