// Scripts in packetdrill's language against our stack, with what Linux does as what they expect. Passed on Linux 6.18 too, through
// src/cli/kernel-target.ts: challenge, close*, connect, cork, defer-accept, delack, ecnsrv, info0, keepalive, listenclose, nagle,
// nolisten, ooo, recvmsg, refused, synack, tfo, tlp, urgent, zerowin. The others have not passed there.

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
