// `tunstack lab NAME --live`: an experiment with Linux's TCP at the other end, over a TUN device in a network namespace of its own.
// Owns: the surroundings of such a run, the kernel's knobs. Does not own: the namespace (namespace.ts), a world (lab-live-world.ts),
// the experiments (src/lab/live).

import { readFileSync, writeFileSync } from 'node:fs'
import { constants, release, setPriority } from 'node:os'
import { MILLISECOND, type Micros } from '../base/time.ts'
import type { LiveContext, LiveExperiment } from '../lab/live.ts'
import { inMs } from '../lab/measure.ts'
import { allHold, runLiveExperiment } from '../lab/run.ts'
import { pairOf } from '../lab/topology.ts'
import type { Outcome } from '../lab/types.ts'
import { bodyOf, browse, serve } from '../lab/web.ts'
import { bringUpLoopback } from '../link/tun-interface.ts'
import { CliError, messageOf } from './errors.ts'
import { TunWorld } from './lab-live-world.ts'

/** Worlds of this process so far: each has a network of its own, so that what one leaves in the kernel does not touch the next. */
let worlds = 0

/** A run in which timers came later than this says nothing when a claim fails: it is done again. */
const LATE_US = 15 * MILLISECOND
const MOST_RUNS = 3

/**
 * Runs an experiment live; the process must be in a namespace of its own. When a claim fails and the machine was too busy to keep time the
 * run is done again, and the outcome says so.
 * @param capture whether to keep what each host saw
 * @throws {TypeError | RangeError} for parameters that cannot be read
 */
export async function runLive(
  live: LiveExperiment,
  given: Readonly<Record<string, string>>,
  capture: boolean,
): Promise<Outcome> {
  if (worlds === 0) {
    bringUpLoopback()
    hurry()
    await warmUp()
  }
  for (let run = 1; ; run++) {
    const lateness = new Lateness()
    const outcome = await runOnce(live, given, capture)
    const lateUs = lateness.stop()
    if (!allHold(outcome) && lateUs > LATE_US && run < MOST_RUNS) continue
    if (lateUs <= LATE_US && run === 1) return outcome
    const again = run === 1 ? '' : `; run ${run} times, as a claim failed meanwhile`
    const late = `The machine was busy: timers came up to ${inMs(lateUs)} ms late${again}.`
    return { ...outcome, why: [...outcome.why, late] }
  }
}

/** How late the timers of this process come. */
class Lateness {
  #lateUs = 0
  #last = performance.now()
  readonly #timer = setInterval(() => this.#look(), TICK_MS)

  #look(): void {
    const now = performance.now()
    this.#lateUs = Math.max(this.#lateUs, (now - this.#last - TICK_MS) * 1000)
    this.#last = now
  }

  stop(): Micros {
    clearInterval(this.#timer)
    return this.#lateUs
  }
}

const TICK_MS = 5

async function runOnce(
  live: LiveExperiment,
  given: Readonly<Record<string, string>>,
  capture: boolean,
): Promise<Outcome> {
  const before = new Map<string, string>()
  try {
    return await runLiveExperiment(live, given, `Linux ${release()}`, (topology) => {
      const shown: TunWorld[] = []
      const context: LiveContext = {
        linux: (...linux) => ({
          world: (request) => {
            const isShown = request.isShown !== false
            const number = worlds++ % 256
            const world = new TunWorld({ request, linux, topology, number, capture: capture && isShown })
            if (isShown) shown.push(world)
            return world
          },
        }),
        sysctl(name, value) {
          if (!before.has(name)) before.set(name, readKnob(name))
          writeKnob(name, value)
        },
      }
      return { context, records: () => shown.map((world) => world.record()) }
    })
  } finally {
    for (const [name, value] of before) writeKnob(name, value)
  }
}

/** Timers that come late because others have the processor are errors of measurement: root goes first. */
function hurry(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST)
  } catch {
    // An ordinary user waits for the turn.
  }
}

/** Code that runs for the first time is slow, by more than what is measured: so a connection each way that nobody looks at. */
async function warmUp(): Promise<void> {
  for (const [linux, ours] of [
    ['server', 'client'],
    ['client', 'server'],
  ]) {
    const world = new TunWorld({
      request: { label: 'warm-up' },
      linux: [linux],
      topology: pairOf({ delay: '1ms' }),
      number: worlds++,
      capture: false,
    })
    await world.run(async () => {
      await serve(world, 'server', () => ({ body: bodyOf(200_000) }))
      const browser = browse(world, 'client')
      for (let i = 0; i < 5; i++) await browser.get('http://server/')
      browser.client.close()
      const [from, to] = [ours, linux]
      await world.listen(to, 7, (socket) => socket.on('data', (chunk: Uint8Array) => socket.write(chunk)), {
        noDelay: true,
      })
      const socket = await world.connect(from, to, 7, { noDelay: true })
      for (let i = 0; i < 20; i++) {
        const echoed = new Promise<void>((resolve) => socket.once('data', () => resolve()))
        socket.write('?')
        await echoed
      }
    })
  }
}

const readKnob = (name: string): string => readFileSync(`/proc/sys/${name}`, 'utf8').trim()

function writeKnob(name: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${name}`, value)
  } catch (error) {
    const mend = 'the namespace needs a writable /proc/sys/net (containers have it with --privileged)'
    throw new CliError(`the kernel's knob ${name} cannot be turned: ${messageOf(error)}`, { mend })
  }
}
