// npm run explore: searches the small worlds and says what it found.
//     npm run explore -- [--faults K] [--world NAME] [--config NAME] [--minutes M] [--replay STRING]
// Owns: the command line. Does not own: the search (search.ts), the ladder (ladder.ts).

import { Command, InvalidArgumentError } from 'commander'
import { ladder, readReplay, replayString, shorten } from './ladder.ts'
import { judgeMatrix, matrixText } from './matrix.ts'
import { search } from './search.ts'
import { CONFIGS, WORLDS } from './worlds.ts'

interface Options {
  faults?: number
  world?: string
  config?: string
  minutes: number
  replay?: string
  quiet: boolean
}

const command = new Command('explore')
  .description(
    'Two small stacks, every order of events, up to K faults: searches each world whole and says what it found.',
  )
  .option(
    '--faults <k>',
    'losses, duplicates, delays in one path (default: as the world and its settings can bear)',
    wholeNumber,
  )
  .option('--world <names>', `with commas; of ${WORLDS.map(({ name }) => name).join(', ')}`)
  .option('--config <names>', `with commas; of ${Object.keys(CONFIGS).join(', ')}`)
  .option('--minutes <m>', 'for all of it; what is not whole then is said to be so', positive, 1e9)
  .option('--replay <string>', 'one path again, as a ladder')
  .option('--quiet', 'no ladders and no matrix', false)
  .parse()
const known = { world: WORLDS.map(({ name }) => name), config: Object.keys(CONFIGS) }
for (const option of ['world', 'config'] as const) {
  const bad = command
    .getOptionValue(option)
    ?.split(',')
    .find((name: string) => !known[option].includes(name))
  if (bad !== undefined) command.error(`error: there is no ${option} '${bad}'; there are ${known[option].join(', ')}`)
}
const values = command.opts<Options>()

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is meant.')
  return Number(text)
}

function positive(text: string): number {
  if (!(Number(text) > 0)) throw new InvalidArgumentError('a number above 0 is meant.')
  return Number(text)
}

/** The settings with which the full number of faults is tried. */
const FULL: readonly string[] = ['plain', 'modern']

function explore(): number {
  const minutes = values.minutes
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
    const usual = FULL.includes(configName) ? (spec.most ?? 1) : Math.min(1, spec.most ?? 1)
    const faults = values.faults === undefined ? usual : values.faults
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
      if (!values.quiet) console.log(ladder(spec, tcp, faults, path))
      console.log(`npm run explore -- --replay ${replayString(spec, configName, faults, path)}\n`)
    }
  })
  if (!values.quiet) console.log(`\nRFC 9293 figure 5, transitions seen:\n${matrixText(total)}`)
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
