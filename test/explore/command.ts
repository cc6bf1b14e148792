// What `npm run explore` does with its arguments: searches, tells, and says by its exit code what came of it.
// Owns: options, texts, exit codes. Does not own: the search (search.ts), the ladder (ladder.ts).

import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { ladder, readReplay, replay, replayString, shorten } from './ladder.ts'
import { judgeMatrix, matrixText } from './matrix.ts'
import { search } from './search.ts'
import type { WorldSpec } from './world.ts'
import { CONFIGS, WORLDS } from './worlds.ts'

/** What the process ends with: all was seen and is good; something is wrong; the call makes no sense; not all was seen. */
export const EXIT = { good: 0, failed: 1, usage: 2, unfinished: 3 } as const

interface Options {
  readonly faults?: number
  readonly world?: readonly string[]
  readonly config?: readonly string[]
  readonly minutes: number
  readonly replay?: string
  readonly quiet: boolean
}

type Print = (text: string) => void

/** The settings with which the full number of faults is tried. */
const FULL: readonly string[] = ['plain', 'modern']

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is meant.')
  return Number(text)
}

function positive(text: string): number {
  if (!(Number(text) > 0)) throw new InvalidArgumentError('a number above 0 is meant.')
  return Number(text)
}

/** A list with commas, of names that there are. */
function namesOf(what: string, known: readonly string[]): (text: string) => readonly string[] {
  return (text) => {
    const names = text.split(',')
    const bad = names.find((name) => !known.includes(name))
    if (bad !== undefined) throw new InvalidArgumentError(`there is no ${what} '${bad}'; there are ${known.join(', ')}`)
    return names
  }
}

function optionsOf(args: readonly string[], worlds: readonly WorldSpec[], print: Print): Options {
  const names = worlds.map(({ name }) => name)
  const configs = Object.keys(CONFIGS)
  return new Command('explore')
    .description(
      'Two small stacks, every order of events, up to K faults: searches each world whole and says what it found. ' +
        'Exit code: 0 all was seen and is good, 1 something is wrong, 2 the call is wrong, 3 not all was seen.',
    )
    .option('--faults <k>', 'losses, duplicates, delays in one path (default: as the world can bear)', wholeNumber)
    .option('--world <names>', `with commas; of ${names.join(', ')}`, namesOf('world', names))
    .option('--config <names>', `with commas; of ${configs.join(', ')}`, namesOf('config', configs))
    .option(
      '--minutes <m>',
      'for all of it; what is not whole then is said to be so',
      positive,
      Number.POSITIVE_INFINITY,
    )
    .option('--replay <string>', 'one path again, as a ladder')
    .option('--quiet', 'no ladders and no matrix', false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => print(text.trimEnd()), writeErr: (text) => print(text.trimEnd()) })
    .parse(args, { from: 'user' })
    .opts<Options>()
}

/** Runs the command; `print` gets its lines. Returns the exit code. */
export function exploreCommand(args: readonly string[], print: Print, worlds: readonly WorldSpec[] = WORLDS): number {
  try {
    const options = optionsOf(args, worlds, print)
    return options.replay === undefined ? explore(options, worlds, print) : playAgain(options.replay, worlds, print)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.good : EXIT.usage
    if (!(error instanceof RangeError)) throw error
    print(`error: ${error.message}`)
    return EXIT.usage
  }
}

function playAgain(text: string, worlds: readonly WorldSpec[], print: Print): number {
  const { spec, tcp, faults, path } = readReplay(text, worlds)
  const replayed = replay(spec, tcp, faults, path)
  print(replayed.text)
  return replayed.wrong === null ? EXIT.good : EXIT.failed
}

function explore(
  { faults, world, config, minutes, quiet }: Options,
  worlds: readonly WorldSpec[],
  print: Print,
): number {
  const startedAt = performance.now()
  const total = new Map<string, number>()
  let isGood = true
  let isWhole = true
  print('world               config      faults   states  transitions  depth   ends  seconds')
  const runs = worlds.flatMap((spec) => {
    if (world !== undefined && !world.includes(spec.name)) return []
    return (config ?? spec.configs ?? Object.keys(CONFIGS)).map((configName) => ({ spec, configName }))
  })
  runs.forEach(({ spec, configName }, i) => {
    const tcp = CONFIGS[configName]
    const most = FULL.includes(configName) ? (spec.most ?? 1) : Math.min(1, spec.most ?? 1)
    const allowed = faults ?? most
    // What earlier ones have left over of their time is shared by those that follow.
    const mostSeconds = (minutes * 60 - (performance.now() - startedAt) / 1000) / (runs.length - i)
    const found = search({ spec, configName, tcp, faults: allowed, mostSeconds })
    for (const [change, count] of found.changes) total.set(change, (total.get(change) ?? 0) + count)
    isWhole &&= found.isWhole
    const numbers = [found.states, found.transitions, found.depth, found.ends].map(String)
    print(
      `${spec.name.padEnd(19)} ${configName.padEnd(11)} ${String(allowed).padStart(6)} ${numbers[0]!.padStart(8)} ` +
        `${numbers[1]!.padStart(12)} ${numbers[2]!.padStart(6)} ${numbers[3]!.padStart(6)} ${found.seconds.toFixed(1).padStart(8)}` +
        (found.isWhole ? '' : '  not to the end'),
    )
    for (const failure of found.failures) {
      isGood = false
      const path = shorten(spec, tcp, allowed, failure)
      print(`\nFAILED: ${failure.what}`)
      if (!quiet) print(ladder(spec, tcp, allowed, path))
      print(`npm run explore -- --replay ${replayString(spec, configName, allowed, path)}\n`)
    }
  })
  if (!quiet) print(`\nRFC 9293 figure 5, transitions seen:\n${matrixText(total)}`)
  if (world === undefined && isWhole) {
    for (const complaint of judgeMatrix(total)) {
      isGood = false
      print(`FAILED: ${complaint}`)
    }
  }
  print(`${((performance.now() - startedAt) / 1000).toFixed(0)} seconds in all`)
  if (!isGood) return EXIT.failed
  return isWhole ? EXIT.good : EXIT.unfinished
}
