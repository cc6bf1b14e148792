// What the interop tests share: running Linux's tools, our own command line, files with known bytes. They run as root in a network
// namespace that .ci/run made; a tool that is missing is a failure, never a skip.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SeededRandom } from '../../src/base/index.ts'

export const BIN = join(import.meta.dirname, '../../bin/tunstack')

/** What a program did. */
export interface RunResult {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
  /** Standard output as text without the last line end. */
  readonly text: string
}

/** Runs a program to its end; a code other than 0 is a result, not an error. */
export function run(
  command: string,
  args: readonly string[],
  options: { timeoutMs?: number; input?: string | Buffer } = {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { encoding: 'buffer', timeout: options.timeoutMs ?? 120_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code === 'string') reject(error)
        else {
          const text = stdout.toString('utf8').replace(/\n$/, '')
          resolve({ code: child.exitCode ?? -1, stdout, stderr: stderr.toString('utf8'), text })
        }
      },
    )
    if (options.input !== undefined) child.stdin?.end(options.input)
  })
}

/** curl, quiet, without the user's settings. */
export function curl(...args: string[]): Promise<RunResult> {
  return run('curl', ['-q', '-sS', '--noproxy', '*', '-m', '150', ...args])
}

/** Our own command line. */
export function tunstack(...args: string[]): Promise<RunResult> {
  return run(process.execPath, [BIN, ...args])
}

/** A program that goes on until it is stopped. */
export class Background {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>

  constructor(command: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv } = {}) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.exited = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({ code, signal })))
  }

  /** Waits until `ready` holds; fails when the program ends before, or after `limitMs`. */
  async until(ready: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<this> {
    const deadline = Date.now() + limitMs
    while (!(await ready())) {
      if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}: ${this.stderr}`)
      if (Date.now() > deadline) throw new Error(`not ready in ${limitMs} ms: ${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    return this
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill(signal)
    return this.exited
  }
}

/** `tunstack serve` on a TUN of its own; ready when it answers. */
export async function serve(args: readonly string[], url: string): Promise<Background> {
  const server = new Background(process.execPath, [BIN, 'serve', ...args])
  return server.until(async () => (await curl('-o', '/dev/null', '--connect-timeout', '1', '-g', url)).code === 0)
}

/** Names of the interfaces in this namespace. */
export function interfaces(): string[] {
  const { stdout, status } = spawnSync('ip', ['-j', 'link'], { encoding: 'utf8' })
  if (status !== 0) throw new Error('ip -j link failed')
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname)
}

/** A folder for one test file; `remove` takes it away. */
export function folder(): { path: string; file: (name: string) => string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tunstack-interop-'))
  return { path, file: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Bytes that are the same for the same seed. */
export function bytes(length: number, seed = 1): Buffer {
  const random = new SeededRandom(seed)
  const words = new Int32Array(Math.ceil(length / 4))
  for (let i = 0; i < words.length; i++) words[i] = random.int32()
  return Buffer.from(words.buffer, 0, length)
}

/** Writes such bytes to a file; returns their sha256. */
export function writeBytes(file: string, length: number, seed = 1): string {
  const content = bytes(length, seed)
  writeFileSync(file, content)
  return sha256(content)
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export async function sha256File(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

export const MIB = 1 << 20
