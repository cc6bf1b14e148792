// `tunstack lab`: experiments in virtual time, whose claims can fail. The exit status says whether they hold.
// Owns: the command, its options, what is printed. Does not own: experiments (src/lab), files (lab-files.ts), YAML (lab-yaml.ts).

import { styleText } from 'node:util'
import { Command } from 'commander'
import type { Fault } from '../lab/faults.ts'
import {
  allHold,
  EXPERIMENTS,
  experimentNamed,
  formatFault,
  LIVE,
  type LiveExperiment,
  liveNamed,
  type Outcome,
  type Paint,
  PLAIN,
  parseFault,
  reportLines,
  runExperiment,
} from '../lab/index.ts'
import type { RunOptions } from '../lab/run.ts'
import type { Experiment } from '../lab/types.ts'
import { CliError, EXIT, usageError } from './errors.ts'
import { checkDigests, outcomeDigest, writeDigests } from './lab-digests.ts'
import { outcomeJson, writeCaptures, writeIndex, writeLog, writeReport } from './lab-files.ts'
import { readTopology } from './lab-yaml.ts'
import { findNamespaceWay, isInsideNamespace, runInNamespace, watchLifeline } from './namespace.ts'
import { print, printError } from './print.ts'

interface Flags {
  readonly seed?: string
  readonly report?: string
  readonly pcap?: string
  readonly log?: string
  readonly json?: boolean
  readonly fault?: readonly string[]
  readonly topology?: string
  readonly live?: boolean
  readonly digests?: string
  readonly check?: string
}

const HELP = `
Parameters of an experiment follow its name: tunstack lab slow-start --segments=100 --iw=10
\`tunstack lab NAME --list\` names them.

Faults: ACTION [all|every Nth] PACKET [N|N-M|once|twice] [from HOST] [by|after TIME]
  --fault "drop data segment 3 from server"        --fault "corrupt SYN-ACK once"
  --fault "delay the ACK that opens the window by 500ms"

Exit status: 0 every claim holds, 1 some claim fails, 2 bad command line.`

/** The subcommand. */
export function labCommand(): Command {
  return new Command('lab')
    .summary('experiments on TCP and HTTP in virtual time')
    .description(
      'Runs an experiment in virtual time and puts its claims to the test; without a name lists them, `all` runs all.',
    )
    .argument('[name]', 'an experiment, or the row of the chapter it shows (E10), or several (a,b,c), or all')
    .argument('[parameters...]', '--name=value')
    .option('--seed <number>', 'repeats the dice of a run (default: 1)')
    .option('--report <file>', 'write a page with plots, to be opened in a browser (for all: a folder)')
    .option('--pcap <folder>', 'write the packets of each host for Wireshark')
    .option('--log <file>', 'write all packets and events, for tunstack replay')
    .option('--live', 'with Linux’s TCP at the other end, over a TUN device in a namespace of its own')
    .option('--digests <file>', 'for all: write the SHA-256 of everything that each experiment gives')
    .option('--check <file>', 'for all: compare with such a file, of another run or another machine')
    .option('--json', 'the result as JSON on standard output')
    .option('--list', 'name the parameters of the experiment')
    .option(
      '--fault <fault>',
      'make something happen to packets; may be repeated',
      (text: string, list: readonly string[] = []) => [...list, text],
    )
    .option('--topology <file>', 'another network for it, in YAML')
    .allowUnknownOption()
    .addHelpText('after', HELP)
    .action(async (name: string | undefined, words: string[], flags: Flags & { list?: boolean }) => {
      if (name === undefined) return print(listing())
      if (flags.list) return print(parameterLines(named(name)).join('\n'))
      process.exitCode = flags.live
        ? await live(name, readWords(words), flags)
        : await lab(name, readWords(words), flags)
    })
}

function named(name: string): Experiment {
  try {
    return experimentNamed(name)
  } catch (error) {
    throw usageError((error as Error).message, 'tunstack lab lists them')
  }
}

/** `--name=value` and `--name value`. */
function readWords(words: readonly string[]): Record<string, string> {
  const given: Record<string, string> = {}
  for (let i = 0; i < words.length; i++) {
    const match = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/is.exec(words[i])
    if (match === null) throw usageError(`'${words[i]}' is no parameter`, 'write --name=value')
    const value = match[2] ?? words[++i]
    if (value === undefined) throw usageError(`--${match[1]} has no value`, `write --${match[1]}=value`)
    given[match[1]] = value
  }
  return given
}

/** Runs an experiment, or all that can, against Linux. */
async function live(name: string, given: Record<string, string>, flags: Flags): Promise<number> {
  checkLive(flags)
  const chosen = name === 'all' ? LIVE : name.split(',').map(liveOf)
  const isOne = name !== 'all' && chosen.length === 1
  if (!isOne) checkAll(given)
  if (!isInsideNamespace()) {
    const way = findNamespaceWay()
    if (!way.ok) throw new CliError(way.reason, { exitCode: EXIT.noTun })
    return runInNamespace(way.flags)
  }
  watchLifeline(() => process.exit(129))
  // Loaded here, so that the lab in virtual time does not load native code.
  const { runLive } = await import('./lab-live.ts')
  const isKept = flags.report !== undefined || flags.pcap !== undefined
  const run = (one: LiveExperiment): Promise<Outcome> => usable(one.experiment.id, runLive(one, given, isKept))
  if (isOne) return runShown(await run(chosen[0]), flags)
  return runAll(
    chosen.map((one) => () => run(one)),
    flags,
  )
}

/** What belongs to virtual time only. */
function checkLive({ seed, fault = [], topology, log, digests, check }: Flags): void {
  const refuse = (option: string, mend: string): never => {
    throw usageError(`--live does not go with ${option}`, mend)
  }
  if (seed !== undefined) refuse('--seed', 'real time has no dice to repeat: leave it out')
  if (fault.length > 0) refuse('--fault', 'faults by name are of the virtual network: leave out one of the two')
  if (topology !== undefined) refuse('--topology', 'live the network is one TUN device: leave out one of the two')
  if (digests !== undefined || check !== undefined) refuse('digests', 'no two runs in real time are the same')
  if (log !== undefined) refuse('--log', 'what Linux does cannot be replayed: --pcap keeps the packets')
}

function liveOf(name: string): LiveExperiment {
  const { id } = named(name)
  const found = liveNamed(id)
  if (found !== null) return found
  const names = LIVE.map(({ experiment }) => experiment.id)
  throw usageError(`${id} does not run live`, `these do: ${names.join(', ')}, or all of them: all`)
}

async function lab(name: string, given: Record<string, string>, flags: Flags): Promise<number> {
  const seed = Number(flags.seed ?? '1')
  if (!Number.isSafeInteger(seed)) throw usageError(`--seed ${flags.seed}`, 'write a whole number')
  const options = await runOptions(given, seed, flags)
  if (name !== 'all' && (flags.digests ?? flags.check) !== undefined) {
    throw usageError('digests are of all experiments', 'tunstack lab all')
  }
  const chosen = name === 'all' ? EXPERIMENTS : name.split(',').map(named)
  if (name === 'all' || chosen.length > 1) {
    checkAll(given)
    if (flags.log !== undefined) throw usageError('a log is of one run', 'name an experiment')
    return runAll(
      chosen.map((experiment) => () => runOne(experiment, options)),
      flags,
    )
  }
  const [experiment] = chosen
  const struck = new Set<string>()
  const outcome = await runOne(experiment, { ...options, onFault: (text) => struck.add(text) })
  if (flags.log !== undefined) printError(`log: ${await writeLog(flags.log, experiment.id, options)}`)
  const status = runShown(outcome, flags)
  tellIdleFaults(options.faults ?? [], struck)
  return status
}

/** A fault that waits for a packet which never comes changes nothing: that is to be known. */
function tellIdleFaults(faults: readonly Fault[], struck: ReadonlySet<string>): void {
  for (const fault of faults.map(formatFault)) {
    if (!struck.has(fault))
      printError(`the fault '${fault}' happened to no packet: look at who sends what, and how many`)
  }
}

/** Shows what came of one; the exit status. */
function runShown(outcome: Outcome, flags: Flags): number {
  show(outcome, flags)
  if (flags.report !== undefined) printError(`report: ${writeReport(flags.report, outcome)}`)
  return allHold(outcome) ? EXIT.ok : EXIT.failure
}

function checkAll(given: Record<string, string>): void {
  if (Object.keys(given).length > 0) throw usageError('parameters are of one experiment', 'run one by its name')
}

async function runOptions(given: Record<string, string>, seed: number, flags: Flags): Promise<RunOptions> {
  try {
    const faults = (flags.fault ?? []).map(parseFault)
    const isDigested = (flags.digests ?? flags.check) !== undefined
    const capture = flags.report !== undefined || flags.pcap !== undefined || isDigested
    if (flags.topology === undefined) return { given, seed, faults, capture }
    return { given, seed, faults, capture, topology: await readTopology(flags.topology), topologyFile: flags.topology }
  } catch (error) {
    throw usageError((error as Error).message, 'tunstack lab --help')
  }
}

function runOne(experiment: Experiment, options: RunOptions): Promise<Outcome> {
  return usable(experiment.id, runExperiment(experiment, options))
}

/** An error of the parameters is one of the command line. */
async function usable(id: string, outcome: Promise<Outcome>): Promise<Outcome> {
  try {
    return await outcome
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw usageError(error.message, `tunstack lab ${id} --list`)
    }
    throw error
  }
}

/** Runs one experiment after another. */
async function runAll(runs: readonly (() => Promise<Outcome>)[], flags: Flags): Promise<number> {
  const outcomes: Outcome[] = []
  const digests = new Map<string, string>()
  for (const run of runs) {
    const outcome = await run()
    if (flags.json) show(outcome, flags)
    else print(summaryLine(outcome))
    if (flags.pcap !== undefined && !flags.json) writeCaptures(flags.pcap, outcome)
    if (flags.report !== undefined) writeReport(`${flags.report}/${outcome.id}.html`, outcome)
    if ((flags.digests ?? flags.check) !== undefined) digests.set(outcome.id, outcomeDigest(outcome))
    outcomes.push({ ...outcome, worlds: [] })
  }
  if (flags.report !== undefined) printError(`reports: ${writeIndex(flags.report, outcomes)}`)
  const failed = outcomes.filter((outcome) => !allHold(outcome))
  const count = outcomes.reduce((sum, { claims }) => sum + claims.length, 0)
  if (!flags.json)
    print(
      `${outcomes.length} experiments, ${count} claims: ${failed.length === 0 ? 'all hold' : `${failed.length} experiments FAILED`}`,
    )
  if (flags.digests !== undefined) printError(`digests: ${writeDigests(flags.digests, digests)}`)
  const differing = flags.check === undefined ? [] : checkDigests(flags.check, digests)
  for (const line of differing) print(`${paint().bad('FAILED')} ${line}`)
  if (flags.check !== undefined && differing.length === 0) print(`all is as ${flags.check} has it, byte for byte`)
  return failed.length === 0 && differing.length === 0 ? EXIT.ok : EXIT.failure
}

function summaryLine(outcome: Outcome): string {
  const failed = outcome.claims.filter(({ holds }) => !holds)
  const mark = failed.length === 0 ? paint().good('ok    ') : paint().bad('FAILED')
  const { id, fact, claims, title } = outcome
  const line = `${mark} ${id.padEnd(24)} ${fact.padEnd(4)} ${String(claims.length).padStart(2)} claims  ${title}`
  return [line, ...failed.map(({ text }) => `         ${text}`)].join('\n')
}

function show(outcome: Outcome, flags: Flags): void {
  if (flags.pcap !== undefined) for (const path of writeCaptures(flags.pcap, outcome)) printError(`packets: ${path}`)
  print(flags.json ? outcomeJson(outcome) : reportLines(outcome, paint()).join('\n'))
}

function paint(): Paint {
  const isPlain = !process.stdout.isTTY || process.env['NO_COLOR'] !== undefined
  if (isPlain) return PLAIN
  return {
    bold: (text) => styleText('bold', text),
    dim: (text) => styleText('dim', text),
    good: (text) => styleText('green', text),
    bad: (text) => styleText(['red', 'bold'], text),
  }
}

function listing(): string {
  const lines = EXPERIMENTS.map(({ id, fact, question }) => `  ${id.padEnd(24)} ${fact.padEnd(4)} ${question}`)
  return ['Experiments (tunstack lab NAME, tunstack lab NAME --list, tunstack lab all):', ...lines].join('\n')
}

function parameterLines({ id, title, question, parameters }: Experiment): string[] {
  const lines = Object.entries(parameters).map(([name, { default: value, range, oneOf, doc }]) => {
    const bounds = range === undefined ? (oneOf?.join(', ') ?? '') : `${range[0]} to ${range[1]}`
    return `  --${`${name}=${value}`.padEnd(22)} ${doc}${bounds === '' ? '' : ` (${bounds})`}`
  })
  return [`${id}: ${title}`, question, ...(lines.length === 0 ? ['  no parameters'] : lines)]
}
