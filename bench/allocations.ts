// What a piece of work allocates: bytes of V8's heap and of buffers beside it, whatever the garbage collector has taken back meanwhile, and
// by whom. Exact sums come from V8's own figures before and after each collection; who allocates, from its sampling profiler.
// Owns: counting in this process. Does not own: the work (sim/bulk.ts, tun/servers.ts), the report (allocation.ts).

import { Session } from 'node:inspector'
import { relative } from 'node:path'
import { GCProfiler, getHeapStatistics } from 'node:v8'

/** What was allocated between `start` and `stop`. Bytes. */
export interface Allocated {
  readonly heapBytes: number
  /** Of buffers outside of the heap. */
  readonly bufferBytes: number
  readonly collections: number
  /** The functions that allocated most on the heap, by samples; empty without `isProfiled`. */
  readonly by: readonly { readonly name: string; readonly bytes: number }[]
}

interface ProfileNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly selfSize: number
  readonly children: readonly ProfileNode[]
}

const SAMPLE_BYTES = 8192
const MOST_FUNCTIONS = 25

/** Counts from `start` to `stop`; the profile takes time itself, so that rates are to be read without one. */
export class AllocationCounter {
  readonly #isProfiled: boolean
  readonly #collections = new GCProfiler()
  readonly #session = new Session()
  #heap = 0
  #external = 0

  constructor(isProfiled = false) {
    this.#isProfiled = isProfiled
  }

  /** Begins. */
  start(): void {
    if (this.#isProfiled) {
      this.#session.connect()
      const includes = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
      this.#session.post('HeapProfiler.startSampling', { samplingInterval: SAMPLE_BYTES, ...includes } as object)
    }
    const now = getHeapStatistics()
    this.#heap = now.used_heap_size
    this.#external = now.external_memory
    this.#collections.start()
  }

  /** Ends. */
  stop(): Allocated {
    const now = getHeapStatistics()
    const { statistics } = this.#collections.stop()
    let heapBytes = 0
    let bufferBytes = 0
    let heap = this.#heap
    let external = this.#external
    for (const { beforeGC, afterGC } of statistics) {
      heapBytes += Math.max(0, beforeGC.heapStatistics.usedHeapSize - heap)
      bufferBytes += Math.max(0, beforeGC.heapStatistics.externalMemory - external)
      heap = afterGC.heapStatistics.usedHeapSize
      external = afterGC.heapStatistics.externalMemory
    }
    heapBytes += Math.max(0, now.used_heap_size - heap)
    bufferBytes += Math.max(0, now.external_memory - external)
    return { heapBytes, bufferBytes, collections: statistics.length, by: this.#isProfiled ? this.#stopProfile() : [] }
  }

  #stopProfile(): Allocated['by'] {
    const bytes = new Map<string, number>()
    const add = ({ callFrame, selfSize, children }: ProfileNode): void => {
      const file = callFrame.url.startsWith('file:') ? relative(process.cwd(), callFrame.url.slice(7)) : callFrame.url
      const name = `${callFrame.functionName || '(anonymous)'} ${file}:${callFrame.lineNumber + 1}`
      bytes.set(name, (bytes.get(name) ?? 0) + selfSize)
      children.forEach(add)
    }
    this.#session.post('HeapProfiler.stopSampling', (error, answer) => {
      if (error === null) add(answer.profile.head as ProfileNode)
    })
    this.#session.disconnect()
    const all = [...bytes].map(([name, size]) => ({ name, bytes: size }))
    return all.sort((a, b) => b.bytes - a.bytes).slice(0, MOST_FUNCTIONS)
  }
}
