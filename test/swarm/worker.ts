// A process that runs seeds for main.ts: every `step`-th from `from` on, until it is told to stop or its time is over, and tells how it went.

import { drawCase } from './draw.ts'
import { Notes } from './notes.ts'
import { runCase } from './once.ts'

/** What a worker says: so many seeds more, what they met, and the first that failed. */
export interface Report {
  readonly seeds: number
  readonly connections: number
  readonly bytes: number
  readonly packets: number
  readonly notes: Pick<Notes, 'totals' | 'states' | 'counters' | 'drawn' | 'ends' | 'wires'>
  readonly failures: { seed: number; text: string }[]
  readonly isDone: boolean
}

const [from, to, step, minutes] = process.argv.slice(2).map(Number)
const until = minutes > 0 ? performance.now() + minutes * 60_000 : Number.POSITIVE_INFINITY

let seed = from
function batch(): void {
  const notes = new Notes()
  const failures: { seed: number; text: string }[] = []
  let [seeds, connections, bytes, packets] = [0, 0, 0, 0]
  const next = performance.now() + 1000
  for (; seed < to && performance.now() < Math.min(next, until); seed += step) {
    const outcome = runCase(drawCase(seed), notes)
    seeds++
    connections += outcome.connections
    bytes += outcome.bytes
    packets += outcome.packets
    if (outcome.failure !== null)
      failures.push({ seed, text: `${outcome.failure.kind}: ${outcome.failure.text.split('\n')[0]}` })
  }
  const isDone = seed >= to || performance.now() >= until
  const report: Report = { seeds, connections, bytes, packets, notes, failures, isDone }
  process.send?.(report, () => {
    if (isDone) process.disconnect()
    else setImmediate(batch)
  })
}
batch()
