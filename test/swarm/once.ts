// One case, from its description to its outcome; and, for a failure, the last packets of the connection in question.
// Owns: how a run is started and told. Does not own: the run (world.ts), many of them (main.ts).

import { ladder } from '../../src/trace/ladder.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import type { Case } from './case.ts'
import { Notes } from './notes.ts'
import { type Failure, type Outcome, World } from './world.ts'

/** Runs a case. What it meets is added to `notes`. */
export function runCase(it: Case, notes: Notes = new Notes()): Outcome {
  notes.drew(it)
  return new World(it, notes).run()
}

/** The last `rungs` packets of the connection that failed, in tcpdump's format; the case is run again for them. */
export function ladderOf(it: Case, failure: Failure, rungs = 50): string[] {
  const world = new World(it, new Notes())
  const recorder = new Recorder({ connections: 1000, segments: 1_000_000 })
  recorder.watch(world.hosts[failure.host].stack)
  world.tap = (host, packet, direction) => {
    if (host === failure.host) recorder.observe(packet, direction, world.now())
  }
  world.run()
  const traces = recorder.traces.filter((trace) => trace.localPort === failure.localPort)
  const trace = traces.at(-1) ?? recorder.traces.at(-1)
  if (trace === undefined) return ['no packet of it was seen']
  const records = trace.records.slice(-rungs)
  return ladder({ ...trace, records }, { most: rungs, width: 200, from: 1_000_000, hideTimestamps: false })
}
