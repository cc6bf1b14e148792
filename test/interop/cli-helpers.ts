// What the tests of the command line share: running bin/tunstack and the kernel's own tools beside it.
// The tests run as root in a network namespace of their own with the loopback up; each removes what it has made.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The program under test; TUNSTACK_BIN names another build. */
export const BIN = process.env['TUNSTACK_BIN'] ?? fileURLToPath(new URL('../../bin/tunstack', import.meta.url))

/** How a program has ended. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Buffer
}

/** Runs a program to its end. */
export async function run(file: string, args: readonly string[], input?: string | Buffer): Promise<Finished> {
  return new Running(spawn(file, args, { stdio: 'pipe' }), input).finished
}

/** Runs `tunstack ...` to its end. */
export async function tunstack(...args: string[]): Promise<Finished> {
  return run(process.execPath, [BIN, ...args])
}

/** Starts `tunstack ...`. */
export function start(...args: string[]): Running {
  return new Running(spawn(process.execPath, [BIN, ...args], { stdio: 'pipe' }))
}

/** A program that runs. */
export class Running {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  stdout = ''
  stderr = ''

  constructor(child: ChildProcess, input?: string | Buffer) {
    this.child = child
    const parts: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => {
      parts.push(chunk)
      this.stdout += chunk.toString('latin1')
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString()
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
    this.finished = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
      bytes: Buffer.concat(parts),
    }))
  }

  /** Waits until stdout and stderr together match. */
  async until(pattern: RegExp): Promise<void> {
    const ended = this.finished.then(({ stderr }) => {
      throw new Error(`it ended before ${pattern}: ${stderr}`)
    })
    ended.catch(() => undefined)
    while (!pattern.test(this.stderr + this.stdout)) {
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 10)), ended])
    }
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Finished> {
    this.child.kill(signal)
    return this.finished
  }
}

/** The names of the interfaces in this namespace. */
export async function interfaces(): Promise<string[]> {
  const { stdout } = await run('ip', ['-j', 'link'])
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname)
}

/** A folder of its own, and how to remove it. */
export function scratchFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tunstack-cli-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
