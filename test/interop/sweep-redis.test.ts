// A sweep through Redis: two workers, one killed in the middle, and the same files as the sweep by itself.

import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Background, BIN, folder as newFolder, sha256, tunstack } from './helpers.ts'

const PORT = 6391
const URL_OF = `redis://127.0.0.1:${PORT}`
const RUNS = 60
const TEXT = `experiment: transfer
seeds: 30
fixed: { bytes: 16kb, rate: 10mbit }
grid: { link.loss: [0.1%, 3%] }
`
const { path: folder, remove } = newFolder()
const file = join(folder, 'loss.yaml')
const background: Background[] = []

const start = (command: string, ...args: string[]): Background => {
  const program = new Background(command, args)
  background.push(program)
  return program
}
const worker = (): Background => start(process.execPath, BIN, 'sweep', '--worker', '--redis', URL_OF, '--jobs', '1')

function digests(name: string): string[] {
  return ['results.jsonl', 'results.csv', 'summary.jsonl', 'summary.csv'].map((one) =>
    sha256(readFileSync(join(folder, name, one))),
  )
}

/** How many runs a sweep has written down. */
function done(name: string): number {
  try {
    return readFileSync(join(folder, name, 'done.jsonl'), 'utf8').split('\n').length - 1
  } catch {
    return 0
  }
}

const isListening = (): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(PORT, '127.0.0.1', () => resolve(true))
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
  })

beforeAll(async () => {
  writeFileSync(file, TEXT)
  const server = start('redis-server', '--port', String(PORT), '--bind', '127.0.0.1', '--save', '', '--dir', folder)
  await server.until(isListening)
})
afterAll(() => {
  for (const { child } of background) child.kill('SIGKILL')
  remove()
})

describe('a sweep at a Redis server', () => {
  test('gives the same files as by itself, though one of two workers is killed in the middle', async () => {
    expect((await tunstack('sweep', file, '-q', '-o', join(folder, 'local'), '-j', '2')).code).toBe(0)
    const [first, second] = [worker(), worker()]
    const coordinator = tunstack('sweep', file, '-q', '-o', join(folder, 'far'), '--redis', URL_OF)
    await first.until(() => done('far') >= RUNS / 4, 60_000)
    await first.stop('SIGKILL')
    expect(done('far')).toBeLessThan(RUNS)
    const { code, stderr } = await coordinator
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(digests('far')).toEqual(digests('local'))
    expect(await second.stop('SIGINT')).toEqual({ code: 0, signal: null })
    expect(second.stderr).toMatch(/[0-9]+ runs done\n$/)
  })

  test('refuses a worker that is another program', async () => {
    const { Queue } = await import('bullmq')
    const queue = new Queue('tunstack-sweep', { connection: { url: URL_OF } })
    const client = (await queue.client) as unknown as { set(key: string, value: string): Promise<unknown> }
    await client.set('tunstack-sweep:coordinator', JSON.stringify({ program: '0.0.1 (abc)', sweep: 'x' }))
    const { code, stderr } = await tunstack('sweep', '--worker', '-q', '--redis', URL_OF)
    expect(code).toBe(1)
    expect(stderr).toMatch(/this worker is tunstack .*, the sweep's coordinator 0\.0\.1 \(abc\)/)
    const other = await tunstack('sweep', file, '-q', '-o', join(folder, 'second'), '--redis', URL_OF)
    expect(other.stderr).toContain('another sweep is under way at this Redis server')
    await queue.close()
  })
})
