// Starting and ending what is measured, and loads against it, inside the network namespace of the bench.
// Owns: processes, their end, their precedence over others on the machine. Does not own: what is measured (works.ts).

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface, type Interface } from 'node:readline'

/** Longer than any load may take. */
const PATIENCE_MS = 30_000

/** A program to measure. */
export interface Server {
  readonly name: string
  readonly address: string
  readonly command: readonly string[]
  /** It says 'ready' and ends with its input; others are asked by connecting, and ended. */
  readonly isOurs: boolean
}

/** A program that runs. */
export interface Running {
  readonly server: Server
  readonly child: ChildProcess
  readonly lines: Interface
}

/** By which command processes run. */
export interface Precedence {
  readonly server: readonly string[]
  readonly load: readonly string[]
}

/**
 * Real-time priority, where the machine allows it; nothing otherwise. No processor is set: the threads of V8 that collect garbage and
 * compile would share it with the one that works.
 */
export function precedence(wanted: boolean): Precedence {
  const before = ['chrt', '-r', '20']
  const isAllowed = wanted && spawnSync(before[0], [...before.slice(1), 'true']).status === 0
  return isAllowed ? { server: before, load: before } : { server: [], load: [] }
}

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a server and waits until it takes connections. */
export async function start(server: Server, { server: prefix }: Precedence): Promise<Running> {
  const [program, ...args] = [...prefix, ...server.command]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', server.isOurs ? 'inherit' : 'ignore'] })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const lines = createInterface({ input: child.stdout })
  if (server.isOurs) {
    await new Promise<void>((resolve, reject) => {
      lines.once('line', () => resolve())
      child.once('exit', (code) => reject(new Error(`${server.name} ended with ${code}`)))
    })
  } else {
    await untilReachable(server.address)
  }
  return { server, child, lines }
}

async function untilReachable(address: string): Promise<void> {
  for (let i = 0; i < 50; i++) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: address, port: 5003 })
      const answer = (is: boolean): void => {
        socket.destroy()
        resolve(is)
      }
      socket.setTimeout(500, () => answer(false)).once('connect', () => answer(true))
      socket.once('error', () => answer(false))
    })
    if (isThere) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`nobody answers at ${address}:5003`)
}

/** Ends a server, and waits until it is gone with its interface. */
export async function stop({ child, server }: Running): Promise<void> {
  const gone = new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve(null)))
  if (server.isOurs) child.stdin?.end()
  setTimeout(() => child.kill('SIGTERM'), server.isOurs && server.name !== 'kernel' ? 1000 : 0).unref()
  setTimeout(() => child.kill('SIGKILL'), 3000).unref()
  await gone
}

/** What a load has measured. */
export type Figures = Readonly<Record<string, number>>

/** Runs a load to its end. Rejects when it fails. */
export function load(
  program: string,
  args: readonly (string | number)[],
  how: Precedence,
  patienceMs = PATIENCE_MS,
): Promise<Figures> {
  return run([...how.load, process.execPath, program, ...args.map(String)], (text) => JSON.parse(text), patienceMs)
}

/** Processor time that a process has had, all its threads, in microseconds (/proc/PID/stat counts in hundredths of a second). */
export function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** Requests a second by wrk, and how many there were. */
export function wrk(url: string, seconds: number, how: Precedence): Promise<Figures> {
  return run([...how.load, 'wrk', '-t1', '-c64', `-d${seconds}s`, url], (text) => {
    const rate = /Requests\/sec:\s+([0-9.]+)/.exec(text)
    if (rate === null || /Socket errors|Non-2xx/.test(text)) throw new Error(`wrk: ${text}`)
    return { perSecond: Number(rate[1]), requests: Number(/([0-9]+) requests in/.exec(text)?.[1]) }
  })
}

/** Mbit/s over the kernel's loopback by iperf3. */
export async function iperf3(seconds: number): Promise<Figures> {
  const server = spawn('iperf3', ['-s', '-1', '-B', '127.0.0.1'], { stdio: 'ignore' })
  running.add(server)
  await new Promise((resolve) => setTimeout(resolve, 200))
  try {
    return await run(['iperf3', '-c', '127.0.0.1', '-t', String(seconds), '-J'], (text) => ({
      mbit: JSON.parse(text).end.sum_received.bits_per_second / 1e6,
    }))
  } finally {
    server.kill('SIGKILL')
    running.delete(server)
  }
}

function run(
  [program, ...args]: readonly string[],
  parse: (text: string) => Figures,
  timeout = PATIENCE_MS,
): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { timeout, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      running.delete(child)
      if (error !== null) reject(new Error(`${args.join(' ')}: ${stderr.trim() || error.message}`))
      else resolve(parse(stdout))
    })
    running.add(child)
  })
}
