// `tunstack replay`: a logged run of the lab is printed, looked into at any packet, and forked.
// Owns: the command. Does not own: logs (src/lab/run-log.ts), comparing futures (src/lab/futures.ts), keys (replay-steps.ts).

import { readFileSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { compareLines, compareSegments } from '../lab/capture-compare.ts'
import { conversationsOf, replayConversation } from '../lab/capture-replay.ts'
import { futureLines, packetText } from '../lab/futures.ts'
import { type LoggedRun, logRun, numberedPackets, parseFork, parseHeader, type RunHeader } from '../lab/run-log.ts'
import { parseDuration } from '../link/impair-options.ts'
import { isCapture, readCapture } from '../trace/pcap-read.ts'
import { CliError, EXIT, messageOf, usageError } from './errors.ts'
import { print, printError } from './print.ts'
import { stateLines, stepThrough } from './replay-steps.ts'

interface Flags {
  readonly as?: string
  readonly connection: string
  readonly tolerance: string
  readonly world: string
  readonly at?: string
  readonly events?: boolean
  readonly fork: readonly string[]
  readonly log?: string
}

const HELP = `
  tunstack lab slow-start --log run.jsonl
  tunstack replay run.jsonl                          its packets; --events: what TCP said, too
  tunstack replay run.jsonl --at 12                  all that each TCP knows as packet 12 leaves; on a terminal: step
  tunstack replay run.jsonl --fork "lose packet 12"  the other future, and where the two part
  tunstack replay web.pcap --as server               our stack in the server's place: how its answers differ

Exit status: 0, 1 when a log does not repeat (it was made by another version) or a capture's answers differ, 2 bad command line.`

/** The subcommand. */
export function replayCommand(): Command {
  return new Command('replay')
    .summary('a logged run again: look into it at any packet, or fork it')
    .description('Prints a log of `tunstack lab --log`, shows the whole state at a packet, or runs on with a fault.')
    .argument('<file>', 'a log, made by tunstack lab NAME --log FILE; or a capture')
    .option('--world <number>', 'which of its networks', '1')
    .option('--at <packet>', 'the state as this packet leaves; on a terminal steps forward and back')
    .option('--events', "print TCP's events, too")
    .option(
      '--fork <fault>',
      'what happens otherwise: "lose packet 12", "delay packet 9 by 50ms", or any fault of the lab; may be repeated',
      (text, list: string[]) => [...list, text],
      [],
    )
    .option('--as <side>', 'of a capture (pcap, pcapng): play its client or server, and compare')
    .option('--connection <number>', 'which connection of a capture', '1')
    .option('--tolerance <time>', 'times of a capture that differ by less are the same', '5ms')
    .option('--log <file>', 'with --fork: log the other future')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: Flags) => {
      process.exitCode = await replay(file, flags)
    })
}

async function replay(file: string, flags: Flags): Promise<number> {
  const world = wholeNumber('--world', flags.world)
  const bytes = readFileSync(file)
  if (isCapture(bytes)) return replayCapture(bytes, flags)
  if (flags.as !== undefined) throw usageError(`${file} is no capture`, '--as is for pcap and pcapng')
  const recorded = bytes
    .toString()

    .split('\n')
    .filter((line) => line !== '')
  try {
    const header = parseHeader(recorded[0] ?? '')
    const run = await logRun(header)
    const packets = numberedPackets(run.outcome, world)
    const isSame = tellRepeats(recorded, run)
    if (flags.fork.length > 0) await fork(header, run, world, flags)
    else if (flags.at !== undefined) {
      const at = wholeNumber('--at', flags.at)
      if (at > packets.length) throw usageError(`--at ${at}`, `packets are numbered from 1 to ${packets.length}`)
      if (process.stdin.isTTY && process.stdout.isTTY) await stepThrough(header, world, packets, at)
      else for (const line of await stateLines(header, world, packets, at)) print(line)
    } else printRun(header, run, flags)
    return isSame ? EXIT.ok : EXIT.failure
  } catch (error) {
    if (error instanceof CliError) throw error
    if (error instanceof TypeError || error instanceof RangeError) throw usageError(messageOf(error))
    throw error
  }
}

/** Our stack in the place of one side of a capture. */
function replayCapture(bytes: Uint8Array, flags: Flags): number {
  const { as } = flags
  if (as !== 'client' && as !== 'server') throw usageError('this is a capture', 'say --as client or --as server')
  const index = wholeNumber('--connection', flags.connection)
  try {
    const conversations = conversationsOf(readCapture(bytes))
    const conversation = conversations[index - 1]
    if (conversation === undefined) {
      throw usageError(`--connection ${index}: the capture has ${conversations.length} with their SYN`)
    }
    const { client, server, segments } = conversation
    print(`${client} > ${server}, connection ${index} of ${conversations.length}, as ${as}`)
    const recorded = segments.filter(({ isFromClient }) => isFromClient === (as === 'client'))
    const ours = replayConversation(conversation, { as })
    const compared = compareSegments(recorded, ours, parseDuration(flags.tolerance))
    for (const line of compareLines(compared)) print(line)
    return compared.every(({ differences }) => differences.length === 0) ? EXIT.ok : EXIT.failure
  } catch (error) {
    if (error instanceof TypeError) throw usageError(error.message)
    throw error
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw usageError(`${name} ${text}`, 'write a whole number from 1 on')
  return value
}

/** Whether the run came out as its log says. */
function tellRepeats(recorded: readonly string[], { lines }: LoggedRun): boolean {
  const at = lines.findIndex((line, i) => line !== recorded[i])
  if (at < 0 && lines.length === recorded.length) return true
  const i = at < 0 ? lines.length : at
  printError(`the run does not repeat: line ${i + 1} of the log is not what this version of tunstack makes of it`)
  printError(`  logged: ${recorded[i] ?? '(nothing)'}`)
  printError(`  now:    ${lines[i] ?? '(nothing)'}`)
  return false
}

function printRun({ experiment, seed, parameters }: RunHeader, { outcome, lines }: LoggedRun, flags: Flags): void {
  const given = Object.entries(parameters).map(([name, value]) => ` --${name}=${value}`)
  print(`${experiment}${given.join('')}, seed ${seed}`)
  outcome.worlds.forEach(({ label }, i) => {
    print(`world ${i + 1}: ${label}`)
    const packets = numberedPackets(outcome, i + 1)
    if (flags.events !== true) {
      for (const [n, packet] of packets.entries()) print(packetText(packet, n + 1))
      return
    }
    for (const line of lines) {
      const entry = JSON.parse(line) as { kind: string; world?: number; packet: number } & EventEntry
      if (entry.world !== i + 1) continue
      if (entry.kind === 'packet') print(packetText(packets[entry.packet - 1], entry.packet))
      else if (entry.kind === 'event') print(eventText(entry))
    }
  })
  for (const { text, holds } of outcome.claims) print(`${holds ? 'holds' : 'FAILS'}  ${text}`)
}

interface EventEntry {
  readonly at: number
  readonly host: string
  readonly event: Readonly<Record<string, unknown>>
}

function eventText({ at, host, event }: EventEntry): string {
  const { kind, ...rest } = event
  const fields = Object.entries(rest).map(([name, value]) => `${name} ${value}`)
  return `      ${(at / 1e6).toFixed(6).padStart(12)}   ${host} ${kind}: ${fields.join(', ')}`
}

async function fork(header: RunHeader, run: LoggedRun, world: number, flags: Flags): Promise<void> {
  const packets = numberedPackets(run.outcome, world)
  const faults = flags.fork.map((text) => parseFork(text, packets))
  if (header.fork !== null && header.fork.world !== world) {
    throw usageError(`the log was forked in world ${header.fork.world} already`, 'fork it there again')
  }
  const forked: RunHeader = { ...header, fork: { world, faults: [...(header.fork?.faults ?? []), ...faults] } }
  const other = await logRun(forked)
  if (flags.log !== undefined) writeFileSync(flags.log, `${other.lines.join('\n')}\n`)
  print(`${flags.fork.join(', ')} (${faults.join(', ')})`)
  for (const line of futureLines(run.outcome, other.outcome, world)) print(line)
}
