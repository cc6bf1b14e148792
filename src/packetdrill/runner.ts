// Runs a script against a target: each event at its time, each expectation against what happens.
// Owns: time, order, calls that block, what is due when. Does not own: the wire (wire.ts), comparing (packet-match.ts, call-match.ts),
// the language (parser.ts). Time is the target's own, virtual or real: a relative time counts from when the event before was over.

import type { Micros } from '../base/time.ts'
import { FLAG } from '../tcp/header.ts'
import type { CallAction, PacketAction, Script, ScriptEvent, TcpSpec } from './ast.ts'
import { compareOutcome, expectedText, RETURNS_DESCRIPTOR, resultText } from './call-match.ts'
import { readCommand } from './commands.ts'
import { CONSTANTS } from './constants.ts'
import { Descriptors, portOf } from './descriptors.ts'
import type { Flow } from './flow.ts'
import type { LivePacket, LiveTcp } from './live-packet.ts'
import { compareIp, formatLive, formatSpec, matchTcp } from './packet-match.ts'
import { Python, PythonError } from './python.ts'
import { formatTime, ScriptFailure, type ScriptResult } from './report.ts'
import { OwedAcks } from './semantic.ts'
import { type RunOptions, type RunSettings, settingsOf } from './settings.ts'
import type { Call, Ends, Target, Value } from './target.ts'
import { Wire } from './wire.ts'

/** Makes the side under test for one script. */
export type MakeTarget = (ends: Ends) => Target | Promise<Target>

/** A call under way, and until when it may be. */
interface Blocked {
  readonly event: ScriptEvent
  readonly action: CallAction
  readonly call: Call
  readonly endsAt: Micros
  readonly base: Micros
}

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
  })
  let target: Target | null = null
  try {
    const settings = settingsOf(script, options)
    warnings.push(...settings.warnings)
    target = await make(settings.ends)
    await new ScriptRun(script, settings, target, events, warnings).run()
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
  readonly #settings: RunSettings
  readonly #target: Target
  readonly #events: string[]
  readonly #warnings: string[]
  readonly #wire: Wire
  readonly #descriptors: Descriptors
  readonly #python = new Python()
  readonly #owed = new OwedAcks()
  readonly #bound = new Map<number, number>()
  readonly #flowOfFd = new Map<number, Flow>()
  #blocked: Blocked | null = null
  /** The script's descriptor that tcp_info is asked of. */
  #infoFd = -1
  /** When the event before this one was over. */
  #base: Micros = 0
  /** When the script's clock began. */
  #start: Micros = 0
  #event: ScriptEvent | null = null

  constructor(script: Script, settings: RunSettings, target: Target, events: string[], warnings: string[]) {
    this.#script = script
    this.#settings = settings
    this.#target = target
    this.#events = events
    this.#warnings = warnings
    this.#wire = new Wire(settings)
    this.#descriptors = new Descriptors(settings)
  }

  async run(): Promise<void> {
    this.#start = this.#target.now()
    for (const event of this.#script.events) {
      this.#event = event
      this.#base = this.#now()
      await this.#step(event)
    }
    if (this.#blocked !== null) await this.#awaitIdle()
    const owed = this.#owed.overdue(Number.POSITIVE_INFINITY)
    if (owed !== null)
      throw new ScriptFailure(owed.line, `acknowledgement ${owed.ack} never came`, owed.text, 'no packet')
  }

  #now(): Micros {
    return this.#target.now() - this.#start
  }

  #log(what: string, at = this.#now()): void {
    this.#events.push(`${formatTime(at)} ${what}`)
  }

  #fail(message: string, expected = '', actual = ''): never {
    throw new ScriptFailure(this.#event?.line ?? 0, message, expected, actual)
  }

  async #step(event: ScriptEvent): Promise<void> {
    const { action } = event
    switch (action.kind) {
      case 'packet':
        return action.direction === 'in' ? this.#inject(event, action) : this.#expect(event, action)
      case 'call':
        return this.#call(event, action)
      case 'command':
        await this.#waitFor(event)
        return this.#command(action.text)
      case 'code':
        await this.#waitFor(event)
        return this.#code(action.text)
    }
  }

  // Time.

  /** When an event begins and the latest that it may, on the script's clock. */
  #due({ time }: ScriptEvent): { from: Micros; to: Micros } {
    if (time.kind === 'any') return { from: 0, to: this.#base + this.#settings.patienceUs }
    const base = time.kind === 'relative' ? this.#base : 0
    return { from: base + time.start, to: base + time.end }
  }

  #tolerance(expected: Micros): Micros {
    return Math.max(this.#settings.toleranceUs, ((expected - this.#base) * this.#settings.tolerancePercent) / 100)
  }

  /** Lets time pass until the event is due. */
  async #waitFor(event: ScriptEvent): Promise<void> {
    const { from, to } = this.#due(event)
    const until = event.time.kind === 'any' ? this.#now() : from
    await this.#advance(until)
    const late = this.#now() - to
    if (late > this.#tolerance(to))
      this.#fail(`the script is late here: due at ${formatTime(to)}, it is ${formatTime(this.#now())}`)
  }

  async #advance(until: Micros): Promise<void> {
    do {
      await this.#target.advance(until + this.#start)
      this.#collect()
    } while (this.#now() < until)
  }

  /** Takes packets that were sent, and a call that has ended. */
  #collect(): void {
    for (let packet = this.#target.take(); packet !== null; packet = this.#target.take()) {
      const line = this.#wire.sent({ at: packet.at - this.#start, bytes: packet.bytes })
      if (line !== '') this.#log(line, packet.at - this.#start)
    }
    const { semantic } = this.#settings
    if (semantic) {
      const owed = this.#owed.overdue(this.#now())
      if (owed !== null) {
        throw new ScriptFailure(owed.line, `acknowledgement ${owed.ack} did not come in time`, owed.text, 'no packet')
      }
    }
    const blocked = this.#blocked
    if (blocked === null) return
    if (blocked.call.outcome !== null) this.#ended(blocked)
    else if (this.#now() > blocked.endsAt + this.#toleranceOf(blocked)) {
      throw new ScriptFailure(
        blocked.event.line,
        `${blocked.action.name} still blocks`,
        `returns at ${formatTime(blocked.endsAt)}`,
      )
    }
  }

  // Packets.

  async #inject(event: ScriptEvent, action: PacketAction): Promise<void> {
    await this.#waitFor(event)
    let bytes: Uint8Array
    try {
      bytes = this.#wire.build(action)
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
    }
    this.#log(formatSpec(action))
    this.#target.deliver(bytes)
    await this.#advance(this.#now())
  }

  async #expect(event: ScriptEvent, action: PacketAction): Promise<void> {
    const due = this.#due(event)
    const isAny = event.time.kind === 'any'
    const latest = due.to + (isAny ? 0 : this.#tolerance(due.to))
    let rest: PacketAction = action
    for (;;) {
      const live = await this.#next(latest)
      if (live === null) {
        if (this.#settings.semantic && this.#owed.defer(rest, event, this.#now())) return
        this.#fail(`no packet by ${formatTime(due.to)}`, formatSpec(rest), 'no packet')
      }
      const flow = this.#flowFor(live, rest)
      const left = this.#judge(live, rest, flow)
      if (left === 'skipped') continue
      if (!isAny) this.#checkTime(live, due, action, flow)
      this.#wire.pending.shift()
      if (left === null) return
      rest = left
    }
  }

  /** The next packet that was sent, which stays where it is; null when there is none by `latest`. */
  async #next(latest: Micros): Promise<LivePacket | null> {
    this.#collect()
    if (this.#wire.pending.length === 0) await this.#target.advance(this.#target.now())
    this.#collect()
    while (this.#wire.pending.length === 0) {
      if (this.#now() >= latest) return null
      await this.#target.advance(latest + this.#start)
      this.#collect()
    }
    return this.#wire.pending[0]
  }

  #flowFor(live: LivePacket, action: PacketAction): Flow | null {
    if (live.body.kind !== 'tcp') return null
    const owner = this.#wire.ownerOf(live.body)
    const expected = this.#wire.flowOf(action)
    if (owner === expected) return owner
    const { sourcePort, destinationPort } = live.body
    return this.#fail(
      `a packet of another connection (${sourcePort} > ${destinationPort})`,
      formatSpec(action),
      formatLive(live, owner),
    )
  }

  /** Compares the next packet; null when all of the script's packet is there, else what is still to come. */
  #judge(live: LivePacket, action: PacketAction, flow: Flow | null): PacketAction | null | 'skipped' {
    const { body } = live
    const spec = action.body
    if (body.kind !== 'tcp' || spec.kind !== 'tcp' || flow === null) {
      if (body.kind === spec.kind) return null
      return this.#differ(live, action, flow, [`it is ${body.kind}, not ${spec.kind}`])
    }
    this.#learn(body, spec, flow)
    const rules = this.#settings
    const match = matchTcp(spec, body, flow, rules, this.#wire.segmentBytes(body))
    const ip = compareIp(action.ip, live)
    if (match.kind === 'different' || ip.length > 0) {
      if (rules.semantic && this.#owed.isSurplusAck(body, spec)) {
        this.#owed.saw(body)
        this.#wire.pending.shift()
        return 'skipped'
      }
      return this.#differ(live, action, flow, [...(match.kind === 'different' ? match.differences : []), ...ip])
    }
    this.#owed.saw(body)
    if (match.kind === 'surplus') {
      const tail: LiveTcp = { ...body, seq: (body.seq + match.octets) % 2 ** 32, length: body.length - match.octets }
      this.#wire.pending.splice(1, 0, { ...live, body: tail })
    }
    if (match.kind !== 'piece') return null
    const octets = match.octets
    const flags = spec.flags & ~FLAG.CWR
    return { ...action, body: { ...spec, flags, seq: (spec.seq + octets) % 2 ** 32, length: spec.length - octets } }
  }

  /** What a packet shows of the numbers of the side under test. */
  #learn(body: LiveTcp, spec: TcpSpec, flow: Flow): void {
    if ((body.flags & FLAG.SYN) !== 0 && (spec.flags & FLAG.SYN) !== 0) flow.learnIsn(body.seq, spec.seq)
    const wanted = spec.options?.find(({ kind }) => kind === 'TS')
    const found = body.options.find(({ kind }) => kind === 'TS')
    if (wanted?.kind === 'TS' && found?.kind === 'TS' && wanted.val >= 0) flow.learnStamp(found.val, wanted.val)
  }

  #differ(live: LivePacket, action: PacketAction, flow: Flow | null, differences: readonly string[]): never {
    return this.#fail(`in a packet: ${differences.join('; ')}`, formatSpec(action), formatLive(live, flow))
  }

  #checkTime(live: LivePacket, due: { from: Micros; to: Micros }, action: PacketAction, flow: Flow | null): void {
    const isPureAck = action.body.kind === 'tcp' && action.body.flags === FLAG.ACK && action.body.length === 0
    if (this.#settings.semantic && isPureAck) return
    const tolerance = this.#tolerance(due.to)
    if (live.at >= due.from - tolerance && live.at <= due.to + tolerance) return
    const when = due.from === due.to ? formatTime(due.from) : `${formatTime(due.from)}~${formatTime(due.to)}`
    this.#fail(
      `timing: expected at ${when}, sent at ${formatTime(live.at)}`,
      formatSpec(action),
      formatLive(live, flow),
    )
  }

  // Calls.

  async #call(event: ScriptEvent, action: CallAction): Promise<void> {
    if (this.#blocked !== null) await this.#awaitIdle()
    await this.#waitFor(event)
    const args = this.#descriptors.argsFor(action.name, action.args)
    const base = this.#base
    let call: Call
    try {
      this.#beforeCall(action, args)
      call = this.#target.start(action.name, args)
    } catch (error) {
      this.#fail(`in ${action.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (action.blocksUntil >= 0) {
      const endsAt = event.time.kind === 'relative' ? base + action.blocksUntil : action.blocksUntil
      this.#blocked = { event, action, call, endsAt, base }
      await this.#advance(this.#now())
      return
    }
    const latest = this.#now() + this.#settings.toleranceUs
    while (call.outcome === null && this.#now() < latest) {
      await this.#target.advance(latest + this.#start)
      this.#collect()
    }
    if (call.outcome === null)
      this.#fail(`${action.name} blocks, and the script does not expect it to`, expectedText(action))
    this.#finish(event, action, call)
    await this.#advance(this.#now())
  }

  #toleranceOf(blocked: Blocked): Micros {
    const { toleranceUs, tolerancePercent } = this.#settings
    return Math.max(toleranceUs, ((blocked.endsAt - blocked.base) * tolerancePercent) / 100)
  }

  async #awaitIdle(): Promise<void> {
    while (this.#blocked !== null) {
      await this.#target.advance(this.#blocked.endsAt + this.#toleranceOf(this.#blocked) + 1 + this.#start)
      this.#collect()
    }
  }

  #ended(blocked: Blocked): void {
    this.#blocked = null
    const endedAt = blocked.call.endedAt - this.#start
    this.#finish(blocked.event, blocked.action, blocked.call)
    if (Math.abs(endedAt - blocked.endsAt) <= this.#toleranceOf(blocked)) return
    const message = `${blocked.action.name} was to return at ${formatTime(blocked.endsAt)} and did at ${formatTime(endedAt)}`
    throw new ScriptFailure(blocked.event.line, message)
  }

  #finish(event: ScriptEvent, action: CallAction, call: Call): void {
    const { outcome } = call
    if (outcome === null) return
    const actual = resultText(outcome.value, outcome.errno)
    this.#log(`${action.name}(...) = ${actual}`, call.endedAt - this.#start)
    const outputs = this.#descriptors.outputsFor(action.name, action.args, outcome.outputs)
    const differences = compareOutcome(action, { ...outcome, outputs })
    if (differences.length > 0) {
      throw new ScriptFailure(event.line, `in ${action.name}: ${differences.join('; ')}`, event.text, `= ${actual}`)
    }
    this.#afterCall(action, outcome.value)
  }

  /** What a call tells of the packets to come. */
  #beforeCall(action: CallAction, args: readonly Value[]): void {
    const fd = action.args[0]
    if (typeof fd !== 'number') return
    let port = -1
    if (action.name === 'connect') port = portOf(args[1])
    if (action.name === 'sendto' && isFastOpen(args[3])) port = portOf(args[4])
    if (action.name === 'sendmsg' && isFastOpen(args[2]))
      port = portOf((args[1] as Readonly<Record<string, Value>>).msg_name)
    if (port < 0) return
    this.#flowOfFd.set(fd, this.#wire.connecting(port, this.#bound.get(fd) ?? -1, this.#flowOfFd.get(fd) ?? null))
  }

  #afterCall({ name, args, expected }: CallAction, value: number): void {
    if (value < 0) return
    const fd = typeof args[0] === 'number' ? args[0] : -1
    if (RETURNS_DESCRIPTOR.has(name) && expected.least !== null) {
      this.#descriptors.learn(expected.least, value)
      if (name === 'socket' || name.startsWith('accept')) this.#infoFd = expected.least
      if (name === 'socket') this.#bound.delete(expected.least)
      if (name === 'socket') this.#flowOfFd.delete(expected.least)
    }
    if (name === 'bind') this.#bound.set(fd, portOf(args[1]) < 0 ? this.#settings.bindPort : portOf(args[1]))
    if (name === 'listen') this.#wire.listening(this.#bound.get(fd) ?? this.#settings.bindPort)
  }

  // Commands and code.

  #command(text: string): void {
    const { settings, ignored } = readCommand(text)
    for (const { name, value } of settings) {
      const reason = this.#target.setSysctl(name, value)
      if (reason !== null) this.#warn(`${name}=${value}: ${reason}`)
    }
    for (const line of ignored) this.#warn(`not executed: ${line}`)
  }

  #warn(message: string): void {
    this.#warnings.push(`line ${this.#event?.line ?? 0}: ${message}`)
  }

  #code(text: string): void {
    try {
      const info = this.#infoFd < 0 ? null : this.#target.tcpInfo(this.#descriptors.toLive(this.#infoFd))
      for (const line of this.#python.run(text, info ?? {})) this.#log(`print: ${line}`)
    } catch (error) {
      if (!(error instanceof PythonError)) throw error
      const line = (this.#event?.line ?? 0) + error.line - 1
      throw new ScriptFailure(line, error.message, error.expected, error.actual)
    }
  }
}

function isFastOpen(flags: Value | undefined): boolean {
  return typeof flags === 'number' && (flags & CONSTANTS.MSG_FASTOPEN) !== 0
}
