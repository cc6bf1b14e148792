// One thread of the fuzzer: searches until it is told to end, tells how far it is, and what has failed.
// Owns: the loop. Does not own: the search (search.ts), what is made of failures (main.ts).

import { parentPort, workerData } from 'node:worker_threads'
import { kindOf, minimise, Search } from './search.ts'
import { targetOf } from './targets.ts'

/** What a thread is given. `running` holds the input under way, its length in the first four bytes: a hang is found by it. */
export interface WorkerTask {
  readonly target: string
  readonly seed: number
  readonly corpus: readonly Uint8Array[]
  readonly endsAt: number
  readonly running: SharedArrayBuffer
}

/** What a thread tells. */
export type WorkerReport =
  | { readonly type: 'progress'; inputs: number; packets: number; corpus: number; covered: number; heap: number }
  | { readonly type: 'failure'; kind: string; stack: string; input: Uint8Array; original: Uint8Array }
  | { readonly type: 'kept'; input: Uint8Array }
  | { readonly type: 'done' }

const { target: name, seed, corpus, endsAt, running } = workerData as WorkerTask
const port = parentPort
const target = targetOf(name)
const search = new Search(target, seed)
const known = new Set<string>()
const length = new Int32Array(running, 0, 1)
const bytes = new Uint8Array(running, 4)

function tell(report: WorkerReport): void {
  port?.postMessage(report)
}

function failed(error: unknown, input: Uint8Array): void {
  const kind = kindOf(error)
  if (known.has(kind)) return
  known.add(kind)
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  tell({ type: 'failure', kind, stack, input: minimise(target, input, kind), original: input })
}

function tryOne(input: Uint8Array): boolean {
  bytes.set(input.subarray(0, bytes.length))
  length[0] = input.length
  try {
    return search.run(input)
  } catch (error) {
    failed(error, input)
    return false
  }
}

function progress(): void {
  const { inputs, packets, covered } = search
  const heap = process.memoryUsage().heapUsed
  tell({ type: 'progress', inputs, packets, corpus: search.corpus.length, covered, heap })
}

for (const input of [...(target.seeds ?? []), ...corpus]) tryOne(input)
let toldAt = Date.now()
for (;;) {
  const input = search.next()
  if (tryOne(input)) tell({ type: 'kept', input })
  if ((search.inputs & 15) !== 0) continue
  const now = Date.now()
  if (now >= endsAt) break
  if (now - toldAt < 1000) continue
  toldAt = now
  progress()
}
progress()
tell({ type: 'done' })
