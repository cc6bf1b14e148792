// Runs a script against a target: each event at its time, in order.
// Owns: the order of events, commands, code. Does not own: packets (packet-events.ts), calls (call-events.ts), time (run-context.ts), the
// language (parser.ts). Time is the target's own, virtual or real: a relative time counts from when the event before was over.

import type { Script, ScriptEvent } from './ast.ts'
import { CallEvents } from './call-events.ts'
import { commandFile, readCommand } from './commands.ts'
import { PacketEvents } from './packet-events.ts'
import { Python, PythonError } from './python.ts'
import { Recorder } from './record.ts'
import { ScriptFailure, type ScriptResult } from './report.ts'
import { RunContext } from './run-context.ts'
import { type RunOptions, settingsOf } from './settings.ts'
import type { Ends, Target } from './target.ts'

/** Makes the side under test for one script. */
export type MakeTarget = (ends: Ends) => Target | Promise<Target>

/** Runs a script that was parsed without complaint. Never throws for what the script or the target do. */
export async function runScript(script: Script, make: MakeTarget, options: RunOptions = {}): Promise<ScriptResult> {
  const events: string[] = []
  const warnings: string[] = []
  const result = (failure: ScriptFailure | null): ScriptResult => ({
    file: script.file,
    ok: failure === null,
    line: failure?.line ?? 0,
    error: failure?.message ?? '',
    expected: failure?.expected ?? '',
    actual: failure?.actual ?? '',
    events,
    warnings,
    unreadable: false,
    recorded: recorder?.text(script) ?? '',
  })
  const recorder = options.record === undefined ? null : new Recorder(options.record === 'windows')
  let target: Target | null = null
  try {
    const settings = settingsOf(script, options)
    warnings.push(...settings.warnings)
    target = await make(settings.ends)
    const context = new RunContext(settings, target, events)
    context.recorder = recorder
    await new ScriptRun(script, context, warnings, options.readFile ?? (() => null)).run()
    return result(null)
  } catch (error) {
    if (error instanceof ScriptFailure) return result(error)
    return result(
      new ScriptFailure(script.options[0]?.line ?? 1, error instanceof Error ? error.message : String(error)),
    )
  } finally {
    await target?.close()
  }
}

class ScriptRun {
  readonly #script: Script
  readonly #run: RunContext
  readonly #warnings: string[]
  readonly #packets: PacketEvents
  readonly #calls: CallEvents
  readonly #python = new Python()
  readonly #readFile: (name: string) => string | null

  constructor(script: Script, run: RunContext, warnings: string[], readFile: (name: string) => string | null) {
    this.#readFile = readFile
    this.#script = script
    this.#run = run
    this.#warnings = warnings
    this.#packets = new PacketEvents(run)
    this.#calls = new CallEvents(run)
  }

  async run(): Promise<void> {
    for (const file of this.#run.settings.initScripts) this.#initScript(file)
    for (const event of this.#script.events) {
      this.#run.begin(event)
      await this.#bear(event)
    }
    await this.#calls.awaitIdle()
    await this.#run.awaitOwed()
  }

  /** Takes the settings of a file of --init_scripts, which is never executed. */
  #initScript(file: string): void {
    const text = this.#readFile(file)
    if (text === null) this.#warn(`--init_scripts: ${file} cannot be read`)
    else this.#command(text)
  }

  /** A step whose failure --non_fatal may make a note. */
  async #bear(event: ScriptEvent): Promise<void> {
    const { isPacketFatal, isCallFatal } = this.#run.settings
    try {
      await this.#step(event)
    } catch (error) {
      const isFatal = event.action.kind === 'packet' ? isPacketFatal : event.action.kind !== 'call' || isCallFatal
      if (isFatal || !(error instanceof ScriptFailure)) throw error
      this.#warn(
        `${error.message}${error.expected === '' ? '' : `: expected ${error.expected}, actual ${error.actual}`}`,
      )
      if (event.action.kind === 'packet') this.#run.wire.pending.shift()
    }
  }

  async #step(event: ScriptEvent): Promise<void> {
    const { action } = event
    switch (action.kind) {
      case 'packet':
        if (action.direction === 'in') await this.#packets.inject(event, action)
        else if (this.#run.recorder === null) await this.#packets.expect(event, action)
        return
      case 'call':
        await this.#calls.call(event, action)
        return
      case 'command':
        await this.#run.waitFor(event)
        this.#command(action.text)
        this.#run.recorder?.event(event, this.#run.now)
        return
      case 'code':
        await this.#run.waitFor(event)
        if (this.#run.recorder === null) this.#code(action.text)
        else this.#run.recorder.code(event, this.#python.fill(action.text, this.#calls.tcpInfo()), this.#run.now)
    }
  }

  #command(text: string, depth = 0): void {
    const { settings, ignored } = readCommand(text)
    for (const { name, value } of settings) {
      const reason = this.#run.target.setSysctl(name, value)
      if (reason !== null) this.#warn(`${name}=${value}: ${reason}`)
    }
    for (const line of ignored) {
      const file = depth < 3 ? commandFile(line) : ''
      const inner = file === '' ? null : this.#readFile(file)
      if (inner === null) this.#warn(`not executed: ${line}`)
      else this.#command(inner, depth + 1)
    }
  }

  #warn(message: string): void {
    this.#warnings.push(`line ${this.#run.line}: ${message}`)
  }

  #code(text: string): void {
    try {
      for (const line of this.#python.run(text, this.#calls.tcpInfo())) this.#run.log(`print: ${line}`)
    } catch (error) {
      if (!(error instanceof PythonError)) throw error
      throw new ScriptFailure(this.#run.line + error.line - 1, error.message, error.expected, error.actual)
    }
  }
}
