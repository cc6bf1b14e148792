// npm run explore: searches the small worlds and says what it found.
//     npm run explore -- [--faults K] [--world NAME] [--config NAME] [--minutes M] [--replay STRING]
// Owns: the command line. Does not own: the search (search.ts), the ladder (ladder.ts).

import { parseArgs } from 'node:util'
import { ladder, readReplay, replayString, shorten } from './ladder.ts'
import { judgeMatrix, matrixText } from './matrix.ts'
import { search } from './search.ts'
import { CONFIGS, WORLDS } from './worlds.ts'

const { values } = parseArgs({
  options: {
    faults: { type: 'string' },
    world: { type: 'string' },
    config: { type: 'string' },
    minutes: { type: 'string' },
    replay: { type: 'string' },
    /** No ladders and no matrix. */
    quiet: { type: 'boolean' },
  },
})

/** The settings with which the full number of faults is tried. */
const FULL: readonly string[] = ['plain', 'modern']

function explore(): number {
  const minutes = Number(values.minutes ?? 1e9)
  const startedAt = performance.now()
  const total = new Map<string, number>()
  let isGood = true
  console.log('world               config      faults   states  transitions  depth   ends  seconds')
  const runs = WORLDS.flatMap((spec) => {
    if (values.world !== undefined && !values.world.split(',').includes(spec.name)) return []
    const names = values.config?.split(',') ?? spec.configs ?? Object.keys(CONFIGS)
    return names.map((configName) => ({ spec, configName }))
  })
  runs.forEach(({ spec, configName }, i) => {
    const tcp = CONFIGS[configName]
    if (tcp === undefined)
      throw new RangeError(`no settings ${configName}; there are ${Object.keys(CONFIGS).join(', ')}`)
    const usual = FULL.includes(configName) ? (spec.most ?? 1) : Math.min(1, spec.most ?? 1)
    const faults = values.faults === undefined ? usual : Number(values.faults)
    // What earlier ones have left over of their time is shared by those that follow.
    const mostSeconds = (minutes * 60 - (performance.now() - startedAt) / 1000) / (runs.length - i)
    const found = search({ spec, configName, tcp, faults, mostSeconds })
    for (const [change, count] of found.changes) total.set(change, (total.get(change) ?? 0) + count)
    const numbers = [found.states, found.transitions, found.depth, found.ends].map(String)
    console.log(
      `${spec.name.padEnd(19)} ${configName.padEnd(11)} ${String(faults).padStart(6)} ${numbers[0]!.padStart(8)} ` +
        `${numbers[1]!.padStart(12)} ${numbers[2]!.padStart(6)} ${numbers[3]!.padStart(6)} ${found.seconds.toFixed(1).padStart(8)}` +
        (found.isWhole ? '' : '  not to the end'),
    )
    for (const failure of found.failures) {
      isGood = false
      const path = shorten(spec, tcp, faults, failure)
      console.log(`\nFAILED: ${failure.what}`)
      if (values.quiet !== true) console.log(ladder(spec, tcp, faults, path))
      console.log(`npm run explore -- --replay ${replayString(spec, configName, faults, path)}\n`)
    }
  })
  if (values.quiet !== true) console.log(`\nRFC 9293 figure 5, transitions seen:\n${matrixText(total)}`)
  if (values.world === undefined && values.minutes === undefined) {
    for (const complaint of judgeMatrix(total)) {
      isGood = false
      console.log(`FAILED: ${complaint}`)
    }
  }
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(0)} seconds in all`)
  return isGood ? 0 : 1
}

if (values.replay !== undefined) {
  const { spec, tcp, faults, path } = readReplay(values.replay)
  console.log(ladder(spec, tcp, faults, path))
} else process.exitCode = explore()
