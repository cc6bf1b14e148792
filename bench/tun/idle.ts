// P7: what a connection costs that is established and does nothing, and what many of them cost the others.
// Owns: the numbers. Does not own: the server (servers.ts), who opens the connections (load.ts).

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { compile } from '../compile.ts'
import { type Figures, load, type Precedence, type Running, start, stop } from './testbed.ts'

/** Connections of one client process. */
const PER_CLIENT = 15_000
const PORTS = '5003,5103,5203,5303'

/** What was found. */
export interface IdleResult {
  readonly kind: string
  readonly connections: number
  readonly heapBytesEach: number
  readonly rssBytesEach: number
  readonly echoUs: number
  readonly echoUsBeside: number
}

async function memoryOf({ child, lines }: Running): Promise<NodeJS.MemoryUsage> {
  const line = once(lines, 'line')
  child.stdin?.write('\n')
  return JSON.parse((await line)[0])
}

/** Opens so many connections, which stay as long as the processes that are returned. */
async function holdMany(client: string, count: number): Promise<ChildProcess[]> {
  const holders: ChildProcess[] = []
  for (let held = 0; held < count; held += PER_CLIENT) {
    const part = Math.min(PER_CLIENT, count - held)
    const child = spawn(process.execPath, [client, 'hold', '10.78.0.2', PORTS, String(part)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    holders.push(child)
    const isHeld = once(createInterface({ input: child.stdout }), 'line')
    const hasEnded = once(child, 'exit').then(() => Promise.reject(new Error('a client of the idle ones has ended')))
    await Promise.race([isHeld, hasEnded])
    hasEnded.catch(() => undefined)
  }
  return holders
}

/** 100,000 connections that are idle and 10,000 that send a byte and get it back all the time, for so many seconds; errors are counted. */
export async function benchHold(
  idle: number,
  active: number,
  seconds: number,
  how: Precedence,
  text: (line: string) => void,
): Promise<Figures> {
  const [client, servers] = await compile('bench/tun/load.ts', 'bench/tun/servers.ts')
  const command = [process.execPath, '--expose-gc', '--max-semi-space-size=64', servers, 'direct']
  const running = await start({ name: 'direct', address: '10.78.0.2', command, isOurs: true }, how)
  const holders = await holdMany(client, idle)
  const patience = seconds * 1000 + 60_000
  const figures = await load(client, ['active', '10.78.0.2', 5003, seconds, active], how, patience)
  const lost = holders.filter(({ exitCode }) => exitCode !== null).length
  const { rss } = await memoryOf(running)
  for (const child of holders) child.kill('SIGKILL')
  await stop(running)
  text(
    `hold    ${idle} idle and ${active} active connections for ${seconds} s: ${Math.round(figures.perSecond)} echoes a second, ` +
      `${figures.errors + lost} errors, ${Math.round(rss / 2 ** 20)} MiB resident`,
  )
  return { ...figures, idle, lost, rss }
}

/** Opens `count` connections to echo servers, and measures memory and the round trip of one that works, before and beside them. */
export async function benchIdle(
  kind: 'stack' | 'direct',
  count: number,
  how: Precedence,
  text: (line: string) => void,
): Promise<IdleResult> {
  const [client, servers] = await compile('bench/tun/load.ts', 'bench/tun/servers.ts')
  const command = [process.execPath, '--expose-gc', servers, kind]
  const running = await start({ name: kind, address: '10.78.0.2', command, isOurs: true }, how)
  const echo = async (): Promise<number> => (await load(client, ['echo', '10.78.0.2', 5003, 1, 0], how)).p50Us
  const echoUs = await echo()
  const before = await memoryOf(running)
  const holders = await holdMany(client, count)
  const after = await memoryOf(running)
  const echoUsBeside = await echo()
  for (const child of holders) child.kill('SIGKILL')
  await stop(running)
  const used = ({ heapUsed, external }: NodeJS.MemoryUsage): number => heapUsed + external
  const result = {
    kind,
    connections: count,
    heapBytesEach: Math.round((used(after) - used(before)) / count),
    rssBytesEach: Math.round((after.rss - before.rss) / count),
    echoUs,
    echoUsBeside,
  }
  text(
    `P7      ${count} idle connections, ${kind}: ${result.heapBytesEach} bytes of heap and buffers each, ${result.rssBytesEach} of resident memory; ` +
      `echo beside them ${echoUsBeside.toFixed(1)} us, alone ${echoUs.toFixed(1)} us`,
  )
  return result
}
