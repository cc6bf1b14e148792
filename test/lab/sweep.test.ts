import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DoneFile, readDone, resultsOf, writeResults } from '../../src/cli/sweep-files.ts'
import { progressLine } from '../../src/cli/sweep-progress.ts'
import { identityError, loadBullmq, redisConnection } from '../../src/cli/sweep-redis.ts'
import { parseSweep, readSeeds } from '../../src/cli/sweep-yaml.ts'
import { countRuns, doRun, parseShard, runAt, runsOf, type SweepResult } from '../../src/lab/sweep-plan.ts'
import { sweepSvg } from '../../src/lab/sweep-plot.ts'
import { pointsOf } from '../../src/lab/sweep-table.ts'

const TEXT = `experiment: transfer
seeds: 3
fixed: { bytes: 8kb }
grid:
  rtt: [10ms, 20ms]
  link.loss: [0%, 5%]
`
const folders: string[] = []
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'sweep-'))
  folders.push(path)
  return path
}
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true })
})

describe('a sweep', () => {
  test('numbers its runs: seeds change fastest, then the last axis', async () => {
    const plan = await parseSweep(TEXT, 's.yaml')
    expect(countRuns(plan)).toBe(12)
    expect(runAt(plan, 0)).toEqual({ run: 0, seed: 1, parameters: { rtt: '10ms', 'link.loss': '0%' } })
    expect(runAt(plan, 5)).toEqual({ run: 5, seed: 3, parameters: { rtt: '10ms', 'link.loss': '5%' } })
    expect(runAt(plan, 11)).toEqual({ run: 11, seed: 3, parameters: { rtt: '20ms', 'link.loss': '5%' } })
  })

  test('is parted by shards into runs of which none is done twice or forgotten', async () => {
    const plan = await parseSweep(TEXT, 's.yaml')
    const parts = ['1/5', '2/5', '3/5', '4/5', '5/5'].flatMap((text) => runsOf(plan, parseShard(text)))
    expect(parts.sort((a, b) => a - b)).toEqual(runsOf(plan, parseShard('1/1')))
    expect(() => parseShard('0/4')).toThrow('write i/n')
    expect(() => parseShard('5/4')).toThrow('write i/n')
  })

  test('gives the same files in shards, in another order, and after a torn line', async () => {
    const plan = await parseSweep(TEXT, 's.yaml')
    const [whole, first, second] = [folder(), folder(), folder()]
    const results: SweepResult[] = []
    for (const run of runsOf(plan, parseShard('1/1'))) results.push(await doRun(plan, run))
    expect(results.map(({ error }) => error)).toEqual(results.map(() => ''))
    writeResults(whole, plan, results)
    for (const [at, shard] of [
      [first, '1/2'],
      [second, '2/2'],
    ]) {
      const file = new DoneFile(at, plan, shard)
      for (const run of runsOf(plan, parseShard(shard)).reverse()) file.append(results[run])
      file.close()
    }
    appendFileSync(join(second, 'done-2-of-2.jsonl'), '{"key":"torn","meas')
    const again = new DoneFile(second, plan, '2/2')
    again.append(results[1])
    again.close()
    const done = readDone([first, second])
    expect(done.size).toBe(12)
    writeResults(second, plan, resultsOf(plan, runsOf(plan, parseShard('1/1')), done))
    for (const name of ['results.jsonl', 'results.csv', 'summary.csv', 'summary.jsonl', 'goodput.svg']) {
      expect(readFileSync(join(second, name), 'utf8')).toBe(readFileSync(join(whole, name), 'utf8'))
    }
    expect(readFileSync(join(whole, 'summary.csv'), 'utf8').split('\n')[0]).toMatch(
      /^rtt,link.loss,runs,failed,holds,goodput,goodput low,goodput high,goodput deviation,/,
    )
    const [point] = pointsOf(plan, results)
    expect(point).toMatchObject({ runs: 3, failed: 0, holds: 1 })
    expect(sweepSvg(plan, pointsOf(plan, results), 'time')).toContain('link.loss 5%')
    expect(done.get('torn')).toBeUndefined()
  })

  test('tells a run that cannot be, and goes on', async () => {
    const plan = await parseSweep(TEXT.replace('seeds: 3', 'measure: [speed]'), 's.yaml')
    expect((await doRun(plan, 0)).error).toContain("'speed' is not measured; there are: goodput, time")
  })

  test.each([
    ['  rtt: [10ms, 20ms]', '  rtt: [10ms, 20]', "s.yaml:5:15: --rtt: '20': write a duration"],
    ['  rtt:', '  rtx:', "s.yaml:5:9: this experiment has no parameter --rtx; did you mean '--rtt'?"],
    ['experiment: transfer', 'experiment: transfr', "s.yaml:1:13: there is no experiment 'transfr'"],
    ['seeds: 3', 'seeds: many', 's.yaml:2:8: seeds: write how many'],
    ['seeds: 3', 'sedes: 3', 's.yaml:2:'],
    ['seeds: 3', 'x: loss', "s.yaml:2:4: x: 'loss' is no axis"],
    ['seeds: 3', 'faults: [drop it]', "s.yaml:2:10: fault 'drop it'"],
  ])('with %s as %s is refused at its line and column', async (was, is, message) => {
    await expect(parseSweep(TEXT.replace(was, is), 's.yaml')).rejects.toThrow(message)
  })
})

test('seeds are a count, a range or a list', () => {
  expect(readSeeds(3)).toEqual([1, 2, 3])
  expect(readSeeds('5-7')).toEqual([5, 6, 7])
  expect(readSeeds([4, 2])).toEqual([4, 2])
  expect(() => readSeeds('7-5')).toThrow('seeds')
})

test('progress says what is left, by the pace since the start', () => {
  expect(progressLine(2000, 500, 500, 10_000)).toBe('1000 of 2000 runs, 50 %, 50.0 a second, 20 s left')
  expect(progressLine(100_000, 0, 1, 1000)).toContain('27:46:39 left')
})

describe('a sweep through Redis', () => {
  test('says what to install when bullmq is missing', async () => {
    const missing = Object.assign(new Error("Cannot find package 'bullmq'"), { code: 'ERR_MODULE_NOT_FOUND' })
    await expect(loadBullmq(() => Promise.reject(missing))).rejects.toMatchObject({ mend: 'npm install bullmq' })
  })

  test('wants one program on both sides, and a URL of Redis', () => {
    expect(identityError('0.1.0 (a)', { program: '0.1.0 (a)', sweep: 's' })).toBeNull()
    expect(identityError('0.1.0 (a)', { program: '0.1.0 (b)', sweep: 's' })?.message).toContain('coordinator 0.1.0 (b)')
    expect(() => redisConnection('http://host')).toThrow('is no URL of Redis')
  })
})
