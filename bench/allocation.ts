// `npm run bench -- --only allocation`: bytes allocated for each packet, both ways counted, while bulk and echoes run: over the TUN device
// in the server's process alone, in virtual time in both ends and the cable. With `--profile` also which functions allocate.
// Owns: the table. Does not own: counting (allocations.ts), the works (tun/load.ts, sim/bulk.ts).

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import type { Allocated } from './allocations.ts'
import { compile } from './compile.ts'
import { figure } from './statistics.ts'
import { load, type Precedence, start, stop } from './tun/testbed.ts'

/** What was found of one work. Bytes for each packet. */
export interface AllocationResult {
  readonly work: string
  readonly packets: number
  readonly heapBytesEach: number
  readonly bufferBytesEach: number
  readonly collections: number
  readonly by: Allocated['by']
}

interface Counted {
  readonly allocated: Allocated
  readonly packets: number
}

const KINDS = ['stack', 'direct', 'plain', 'plain-direct'] as const
const WORKS = [
  { way: 'up', title: 'bulk in', port: 5001 },
  { way: 'down', title: 'bulk out', port: 5002 },
  { way: 'echo', title: 'echo', port: 5003 },
] as const
/** Longer than the load's own warm-up. */
const WARM_UP_MS = 600
const COUNTED_MS = 1000

/** Runs each work once. */
export async function benchAllocation(
  isProfiled: boolean,
  how: Precedence,
  text: (line: string) => void,
): Promise<AllocationResult[]> {
  const [client, servers, bulk] = await compile('bench/tun/load.ts', 'bench/tun/servers.ts', 'bench/sim/bulk.ts')
  const word = isProfiled ? 'profile' : 'count'
  const results: AllocationResult[] = []
  const tell = (work: string, counted: Counted): void => {
    const result = resultOf(work, counted)
    results.push(result)
    for (const line of linesOf(result)) text(line)
  }
  for (const links of ['checked', 'super']) {
    const args = [bulk, '1e9', '10000', '3', links, word]
    const output = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
    tell(`virtual time, ${links === 'super' ? 'super-segments' : 'plain'}`, JSON.parse(output))
  }
  for (const kind of KINDS) {
    const command = [process.execPath, servers, kind]
    const running = await start({ name: kind, address: '10.78.0.2', command, isOurs: true }, how)
    for (const { way, title, port } of WORKS) {
      const seconds = (WARM_UP_MS + COUNTED_MS) / 1000
      const loaded = load(client, [way, '10.78.0.2', port, seconds, 0], how)
      await sleep(WARM_UP_MS)
      running.child.stdin?.write(`${word}\n`)
      await sleep(COUNTED_MS)
      const answer = once(running.lines, 'line')
      running.child.stdin?.write('\n')
      tell(`${title}, ${kind}`, JSON.parse((await answer)[0]))
      await loaded
    }
    await stop(running)
  }
  return results
}

function resultOf(work: string, { allocated, packets }: Counted): AllocationResult {
  const { heapBytes, bufferBytes, collections, by } = allocated
  return {
    work,
    packets,
    heapBytesEach: heapBytes / packets,
    bufferBytesEach: bufferBytes / packets,
    collections,
    by: by.map(({ name, bytes }) => ({ name, bytes: bytes / packets })),
  }
}

function linesOf({ work, packets, heapBytesEach, bufferBytesEach, collections, by }: AllocationResult): string[] {
  const each = `${figure(heapBytesEach).padStart(7)} bytes of heap, ${figure(bufferBytesEach).padStart(7)} of buffers`
  return [
    `memory  ${work.padEnd(32)} ${each} for each of ${packets} packets, ${collections} collections`,
    ...by.map(({ name, bytes }) => `        ${figure(bytes).padStart(9)}  ${name}`),
  ]
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
