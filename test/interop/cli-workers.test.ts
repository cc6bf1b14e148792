// `tunstack serve --workers 2`: two stacks with the same addresses on two queues of one interface.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { interfaces, run, scratchFolder, start, tunstack } from './cli-helpers.ts'

test('two workers serve one address, each the flows that the kernel gives it, and end together', async () => {
  const scratch = scratchFolder()
  writeFileSync(join(scratch.path, 'a.txt'), 'hello\n')
  const server = start('serve', scratch.path, '--workers', '2')
  try {
    await server.until(/in 2 workers/)
    const fetched = await Promise.all(
      Array.from({ length: 24 }, () => run('curl', ['-sS', '-m', '20', 'http://10.77.0.2/a.txt'])),
    )
    expect(fetched.map(({ bytes }) => bytes.toString())).toEqual(Array.from({ length: 24 }, () => 'hello\n'))
    const { code } = await server.end('SIGINT')
    expect(code).toBe(0)
    // Each worker sums up its own; 24 connections do not all have the same hash.
    const sums = [...server.stderr.matchAll(/(\d+) requests on/g)].map(([, requests]) => Number(requests))
    expect(sums.length).toBe(2)
    expect(Math.min(...sums)).toBeGreaterThan(0)
    expect(sums[0] + sums[1]).toBe(24)
    expect(await interfaces()).not.toContain('tunstack0')
  } finally {
    await server.end('SIGKILL')
    scratch.remove()
  }
})

test('workers and a capture do not go together', async () => {
  const { code, stderr } = await tunstack('serve', '.', '--workers', '2', '--trace')
  expect(code).toBe(2)
  expect(stderr).toContain('--workers')
})
