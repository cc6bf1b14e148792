// Scripts in packetdrill's language against our stack. Each was run against Linux 6.18 too (src/cli/kernel-target.ts): what they expect is
// what Linux does.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFailure, parseScript, runScript, StackTarget } from '../../src/packetdrill/index.ts'

const FOLDER = join(import.meta.dirname, 'linux')

test.each(readdirSync(FOLDER).filter((name) => name.endsWith('.pkt')))('%s passes', async (name) => {
  const parsed = parseScript(readFileSync(join(FOLDER, name), 'utf8'), name)
  expect(parsed.complaints).toEqual([])
  const result = await runScript(parsed.script, (ends) => new StackTarget(ends))
  expect(result.ok ? '' : formatFailure(result)).toBe('')
})
