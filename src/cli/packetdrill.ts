// `tunstack packetdrill FILE|DIR...`: runs packetdrill scripts against this stack, in virtual time, or against this machine's kernel.
// Owns: the command, finding scripts, the order of what is printed. Does not own: the language and the run (src/packetdrill).
// Exit status: 0 all passed, 1 some failed, 2 a script could not be read, or the command line.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command, Option } from 'commander'
import type { RunOptions } from '../packetdrill/index.ts'
import {
  formatFailure,
  mutantsOf,
  parseScript,
  runScript,
  type Script,
  type ScriptResult,
  StackTarget,
} from '../packetdrill/index.ts'
import type { MakeTarget } from '../packetdrill/runner.ts'
import { CliError, EXIT, messageOf, usageError } from './errors.ts'
import { KernelTarget } from './kernel-target.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { findNamespaceWay, isInsideNamespace, runInNamespace, watchLifeline } from './namespace.ts'
import { print } from './print.ts'
import { listOption, parseWhole, valueOption } from './read-options.ts'

const HELP = `
A script is a list of timed lines: packets that come in (<), packets that are expected to go out (>), system calls with their results,
assertions about tcp_info, sysctl settings. Time is virtual: a script of minutes takes milliseconds, needs no privileges, and ends
the same way each time.

    0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    +0   bind(3, ..., ...) = 0
    +0   listen(3, 1) = 0
    +0   < S 0:0(0) win 65535 <mss 1460,nop,wscale 7>
    +0   > S. 0:0(0) ack 1 <...>
    +.1  < . 1:1(0) ack 1 win 257
    +0   accept(3, ..., ...) = 4
    +0   write(4, ..., 1000) = 1000
    +0   > P. 1:1001(1000) ack 1
    +0   %{ assert tcpi_unacked == 1 }%

Strict matching (the default) compares flags, numbers, options in their order and times, as packetdrill does. --semantic passes over the
window, PSH, the order of options, the values of timestamps and window scale, and lets empty acknowledgements come at other times.

Nothing in backticks is executed: settings of net.ipv4.tcp_* and net.inet.tcp.* are applied to the stack, the rest is reported.

--kernel runs the scripts against this machine's Linux kernel instead, in real time: each in a network namespace of its own, with a TUN
device whose other end the script is. Nothing outside is touched. It needs root, or a kernel that lets users have namespaces.

--record judges nothing: it prints the script with what has really happened in the place of what was to happen, so that a draft of inputs
and calls becomes a script; with --kernel, Linux's answers. --record-windows writes the windows of packets too.

The options of packetdrill itself are taken too (--ip_version=ipv6, --mtu=1500, --local_ip=..., --remote_ip=..., --bind_port=...,
--tcp_ts_tick_usecs=..., --dry_run and so on) and stand above those that a script begins with.

--mutate asks how much the scripts notice: each script that passes is run again with one thing wrong at a time (a sequence number,
a flag, a result, a line left out), and must fail. Printed are the share that does and the mutants that do not.

Examples:
  tunstack packetdrill handshake.pkt
  tunstack packetdrill --semantic tests/                    every .pkt below a folder
  tunstack packetdrill -D PORT=8080 --json server.pkt
  tunstack packetdrill --mutate retransmission.pkt
  sudo tunstack packetdrill --kernel handshake.pkt          what does Linux do?

Exit status: 0 all passed, 1 some failed, 2 a script could not be read, 77 no namespace for --kernel. The language: docs/packetdrill.md.`

/** How far times may be off against the kernel, whose timers go by ticks of up to 10 ms. */
const KERNEL_TOLERANCE_US = 25_000

/** Options of the command line, as commander has them. */
export interface Flags {
  readonly kernel?: boolean
  readonly semantic?: boolean
  readonly json?: boolean
  readonly mutate?: boolean
  readonly define?: readonly (readonly [string, string])[]
  readonly tolerance_usecs?: number
  readonly verbose?: boolean
  readonly stopOnFailure?: boolean
  readonly jobs?: number
  readonly record?: boolean
  readonly recordWindows?: boolean
  readonly dry_run?: boolean
  readonly gso?: boolean
  readonly [original: string]: unknown
}

/** Options of the original with a value that a script may have too: given here they stand above it. */
const ORIGINAL = [
  'ip_version',
  'local_ip',
  'remote_ip',
  'netmask_ip',
  'gateway_ip',
  'mtu',
  'mss',
  'bind_port',
  'connect_port',
  'tolerance_percent',
  'tcp_ts_tick_usecs',
  'speed',
  'init_scripts',
  'non_fatal',
  'code_command',
  'code_format',
  'code_sockopt',
  'so_filename',
  'so_flags',
  'wire_client_dev',
  'wire_server_dev',
  'wire_server_ip',
  'wire_server_port',
  'udp_encaps',
  'tun_dev',
  'remote_prefix',
  'tos',
] as const
const ORIGINAL_FLAGS = [
  'send_omit_free',
  'strict_segments',
  'persistent_tun_dev',
  'debug',
  'is_anyip',
  'wire_client',
  'wire_server',
] as const

/** The command `packetdrill`. */
export function packetdrillCommand(): Command {
  const command = new Command('packetdrill')
    .summary('run packetdrill scripts against this stack')
    .description('Runs packetdrill scripts (.pkt) against this stack, in virtual time.')
    .argument('<file...>', 'scripts, or folders of them')
    .option('--semantic', 'compare what packets mean, not every field')
    .option('--kernel', "run them against this machine's kernel, in real time")
    .option('--json', 'print one JSON object a script')
    .option('--mutate', 'run each script with mistakes in it, which it must notice')
    .addOption(listOption('-D, --define <name=value>', 'put a value in the place of a name', parseDefinition))
    .addOption(
      valueOption('--tolerance_usecs <n>', 'how far times may be off, in microseconds', (text) =>
        parseWhole(text, 0, 2 ** 31),
      ),
    )
    .option('--record', 'print the scripts with what happens in the place of what was to happen')
    .option('--record-windows', 'the same, with the windows of packets')
    .addOption(
      new Option('--gso', 'with --kernel: TCP makes super-segments, which are cut up before the device').hideHelp(),
    )
    .option('--dry_run', 'read the scripts, and run none')
    .option('-v, --verbose', 'print what happens in each script, and what is ignored')
    .option('--stop-on-failure', 'end with the first script that fails')
    .addOption(valueOption('--jobs <n>', 'scripts under way at a time', (text) => parseWhole(text, 1, 1024)).default(1))
    .addHelpText('after', HELP)
    .action(async (paths: readonly string[], flags: Flags) => {
      await runCommand((life) => packetdrill(paths, flags, life))
    })
  for (const name of ORIGINAL) command.addOption(new Option(`--${name} <value>`).hideHelp())
  for (const name of ORIGINAL_FLAGS) command.addOption(new Option(`--${name} [value]`).hideHelp())
  return command
}

/** What of the original's options was given. */
function overridesOf(flags: Flags): Record<string, string> {
  const given = ORIGINAL.flatMap((name) => {
    const value = flags[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return Object.fromEntries(given)
}

function parseDefinition(text: string): readonly [string, string] {
  const found = /^([A-Za-z_]\w*)=(.*)$/s.exec(text)
  if (found === null) throw new TypeError(`'${text}': write NAME=VALUE`)
  return [found[1], found[2]]
}

/** The scripts that the arguments name, folders searched through. @throws {CliError} for what is not there */
function findScripts(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    let isFolder: boolean
    try {
      isFolder = statSync(path).isDirectory()
    } catch (error) {
      throw usageError(`${path}: ${messageOf(error)}`, 'name scripts, or folders of them')
    }
    if (!isFolder) return [path]
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.pkt'))
    return names.sort().map((name) => join(path, name))
  })
}

/**
 * What the command does: returns the exit status.
 * @throws {CliError} for what cannot be found, and options that do not go together
 */
export async function packetdrill(
  paths: readonly string[],
  flags: Flags,
  life: Pick<Lifecycle, 'stop'>,
): Promise<number> {
  const files = findScripts(paths)
  if (files.length === 0) throw usageError('no script (.pkt) was found', 'name scripts, or folders of them')
  const definitions = Object.fromEntries(flags.define ?? [])
  const isKernel = flags.kernel === true
  if (isKernel && flags.mutate === true) throw usageError('--mutate and --kernel do not go together', 'leave one out')
  if (isKernel && !isInsideNamespace()) return inNamespace()
  watchLifeline(() => process.exit(EXIT.failure))
  const toleranceUs = flags.tolerance_usecs ?? (isKernel ? KERNEL_TOLERANCE_US : undefined)
  const options: RunOptions = {
    semantic: flags.semantic === true,
    toleranceUs,
    overrides: overridesOf(flags),
    ...(flags.recordWindows === true ? { record: 'windows' } : flags.record === true ? { record: 'plain' } : {}),
  }
  if (flags.dry_run === true) return dryRun(files, definitions)
  const make: MakeTarget = isKernel
    ? (ends) => KernelTarget.open(ends, { isSegmentWise: flags.gso !== true })
    : ourStack
  const startMs = performance.now()
  if (flags.mutate === true) return mutate(files, definitions, options, flags, life)
  const count = { passed: 0, failed: 0, unreadable: 0 }
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < files.length && !life.stop.aborted) {
      const result = await runFile(files[next++], definitions, make, options)
      count[result.unreadable ? 'unreadable' : result.ok ? 'passed' : 'failed']++
      if (result.recorded !== '') print(result.recorded)
      tell(result, flags)
      if (!result.ok && flags.stopOnFailure === true) return
      await new Promise<void>((resolve) => setImmediate(resolve)) // signals
    }
  }
  await Promise.all(Array.from({ length: flags.jobs ?? 1 }, worker))
  if (flags.json !== true && options.record === undefined) print(summary(count, performance.now() - startMs))
  return count.unreadable > 0 ? EXIT.usage : count.failed > 0 ? EXIT.failure : EXIT.ok
}

/** Reads the scripts; all their mistakes are printed. */
function dryRun(files: readonly string[], definitions: Readonly<Record<string, string>>): number {
  let unreadable = 0
  for (const file of files) {
    const { complaints } = parseScript(readFileSync(file, 'utf8'), file, definitions)
    if (complaints.length > 0) unreadable++
    for (const { line, column, message } of complaints) print(`${file}:${line}:${column}: error ${message}`)
  }
  return unreadable > 0 ? EXIT.usage : EXIT.ok
}

/** A file that a script's commands name, beside the script or from where we are: read, and never executed. Null when there is none. */
function readBeside(file: string, name: string): string | null {
  for (const path of [join(dirname(file), name), name]) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      // the next place
    }
  }
  return null
}

const ourStack: MakeTarget = (ends) => new StackTarget(ends)

/** Runs this very command again where a namespace can be made for each script. @throws {CliError} exit status 77 when none can be had */
function inNamespace(): Promise<number> {
  const way = findNamespaceWay()
  if (way.ok) return runInNamespace(way.flags)
  throw new CliError(`--kernel: ${way.reason}`, { exitCode: EXIT.noTun, mend: 'run it with sudo' })
}

function summary(count: { passed: number; failed: number; unreadable: number }, ms: number): string {
  const { passed, failed, unreadable } = count
  const parts = [`${passed} passed`, `${failed} failed`]
  if (unreadable > 0) parts.push(`${unreadable} could not be read`)
  const all = passed + failed + unreadable
  return `${all} script${all === 1 ? '' : 's'}: ${parts.join(', ')}, in ${(ms / 1000).toFixed(2)} s`
}

/** The least share of mutants that a script notices. */
const LEAST_NOTICED = 0.95

async function mutate(
  files: readonly string[],
  definitions: Readonly<Record<string, string>>,
  options: RunOptions,
  flags: Flags,
  life: Pick<Lifecycle, 'stop'>,
): Promise<number> {
  let all = 0
  let noticed = 0
  let broken = 0
  for (const file of files) {
    if (life.stop.aborted) break
    const result = await runFile(file, definitions, ourStack, options)
    if (!result.ok) {
      broken++
      tell(result, flags)
      continue
    }
    const { script } = parseScript(readFileSync(file, 'utf8'), file, definitions)
    const outcome = await mutateOne(script, options)
    all += outcome.mutants
    noticed += outcome.mutants - outcome.survivors.length
    if (flags.json === true) print(JSON.stringify({ file, ...outcome }))
    else for (const { line, what, text } of outcome.survivors) print(`${file}:${line}: not noticed: ${what}: ${text}`)
  }
  const share = all === 0 ? 1 : noticed / all
  if (flags.json !== true) {
    print(`${all} mutants of ${files.length - broken} scripts: ${noticed} noticed (${(100 * share).toFixed(1)} %)`)
  }
  return broken > 0 || share < LEAST_NOTICED ? EXIT.failure : EXIT.ok
}

async function mutateOne(
  script: Script,
  options: RunOptions,
): Promise<{ mutants: number; survivors: { line: number; what: string; text: string }[] }> {
  const mutants = mutantsOf(script, options)
  const survivors: { line: number; what: string; text: string }[] = []
  for (const { script: changed, line, what, text } of mutants) {
    const { ok } = await runScript(changed, ourStack, options)
    if (ok) survivors.push({ line, what, text })
  }
  return { mutants: mutants.length, survivors }
}

async function runFile(
  file: string,
  definitions: Readonly<Record<string, string>>,
  make: MakeTarget,
  options: RunOptions,
): Promise<ScriptResult> {
  const { script, complaints } = parseScript(
    readFileSync(file, 'utf8'),
    file,
    definitions,
    options.overrides?.ip_version,
  )
  if (complaints.length === 0) {
    return runScript(script, make, { ...options, readFile: (name) => readBeside(file, name) })
  }
  const texts = complaints.map(({ line, column, message }) => `${file}:${line}:${column}: error ${message}`)
  return {
    file,
    ok: false,
    line: complaints[0].line,
    error: texts.join('\n'),
    expected: '',
    actual: '',
    events: [],
    warnings: [],
    unreadable: true,
    recorded: '',
  }
}

function tell(result: ScriptResult, flags: Flags): void {
  if (flags.json === true) {
    const { file, ok, line, error, expected, actual, events, warnings } = result
    print(JSON.stringify({ file, ok, line, error, expected, actual, events, warnings }))
    return
  }
  if (result.unreadable) print(result.error)
  else if (!result.ok) print(formatFailure(result))
  if (flags.verbose !== true) return
  if (result.ok) print(`${result.file}: passed`)
  for (const warning of result.warnings) print(`  note: ${warning}`)
  if (result.ok) for (const event of result.events) print(`  ${event}`)
}
