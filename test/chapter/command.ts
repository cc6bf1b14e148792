// Commands as the pages write them: `tunstack lab slow-start --iw=4 --fault "drop SYN once"`. Read strictly, so that no page names what
// does not exist; run once, however often a page shows it.
// Owns: the reading, the runs. Does not own: what is shown of a run (blocks.ts).

import { existsSync, readFileSync } from 'node:fs'
import { parseFault } from '../../src/lab/faults.ts'
import { liveNamed } from '../../src/lab/live/registry.ts'
import { readParameters } from '../../src/lab/parameters.ts'
import { experimentNamed } from '../../src/lab/registry.ts'
import { runExperiment } from '../../src/lab/run.ts'
import type { Experiment, Outcome } from '../../src/lab/types.ts'

const ROOT = new URL('../../', import.meta.url)
/** Options of `tunstack lab` that change how a run is shown, with whether they take a value. */
const SHOWN: Readonly<Record<string, boolean>> = {
  '--report': true,
  '--pcap': true,
  '--log': true,
  '--json': false,
  '--list': false,
  '--live': false,
}

/** A run of an experiment. */
export interface LabCommand {
  readonly experiment: Experiment
  readonly given: Readonly<Record<string, string>>
  readonly faults: readonly string[]
  readonly seed: number
  readonly isLive: boolean
}

/** Words of a shell line: what stands in double quotes is one. */
function wordsOf(text: string): string[] {
  return (text.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'))
}

/** Reads what follows `tunstack lab`. @throws {TypeError | RangeError} for what does not exist */
export function readLab(text: string): LabCommand {
  const [name = '', ...rest] = wordsOf(text)
  const experiment = experimentNamed(name)
  const given: Record<string, string> = {}
  const faults: string[] = []
  let seed = 1
  let isLive = false
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]
    const match = /^--([a-z][a-z-]*)=(.+)$/.exec(word)
    if (word === '--fault') faults.push(rest[++i])
    else if (match?.[1] === 'seed') seed = Number(match[2])
    else if (SHOWN[word] !== undefined) {
      isLive ||= word === '--live'
      if (SHOWN[word]) i++
    } else if (match !== null) given[match[1]] = match[2]
    else throw new TypeError(`'${word}' of 'tunstack lab ${text}' is no option`)
  }
  if (isLive && liveNamed(experiment.id) === null) throw new TypeError(`${name} does not run live`)
  readParameters(experiment.parameters, given)
  for (const fault of faults) parseFault(fault)
  return { experiment, given, faults, seed, isLive }
}

const outcomes = new Map<string, Promise<Outcome>>()

/** Runs it, or gives what it gave before. */
export function outcomeOf(text: string): Promise<Outcome> {
  const { experiment, given, faults, seed } = readLab(text)
  const key = JSON.stringify([experiment.id, given, faults, seed])
  const known = outcomes.get(key)
  if (known !== undefined) return known
  const options = { given, faults: faults.map(parseFault), seed, capture: false }
  const outcome = runExperiment(experiment, options)
  outcomes.set(key, outcome)
  return outcome
}

/** The commands in a page's code, a line each, without remarks behind `#`. */
export function commandsIn(page: string): string[] {
  const blocks = page.match(/```(?:sh|bash)\n[\s\S]*?```/g) ?? []
  return blocks
    .flatMap((block) => block.split('\n').slice(1, -1))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '')
}

/** Checks that a command exists with all of its words; of `tunstack lab` the rest, else ''. @throws {TypeError | RangeError} naming it */
export function checkCommand(line: string): string {
  const [program, name, rest = ''] = /^(\S+) ?(\S*) ?(.*)$/.exec(line)?.slice(1) ?? []
  if (program === 'npm') {
    const { scripts } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as {
      scripts: Record<string, string>
    }
    const script = name === 'run' ? rest.split(' ')[0] : name
    if (scripts[script] === undefined) throw new TypeError(`'${line}': there is no such script`)
    return ''
  }
  if (program !== 'tunstack' || !existsSync(new URL(`src/cli/${name}.ts`, ROOT))) {
    throw new TypeError(`'${line}' is no command of tunstack`)
  }
  if (name !== 'lab' || rest === '' || rest.startsWith('all')) return ''
  return readLab(rest).isLive ? '' : rest
}
