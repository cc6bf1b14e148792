// What the parts of a run share: the target and its time, the wire, the log, the event under way.
// Owns: passing time, and taking in what happens meanwhile. Does not own: what events mean (packet-events.ts, call-events.ts).

import type { Micros } from '../base/time.ts'
import { FLAG } from '../tcp/header.ts'
import type { ScriptEvent } from './ast.ts'
import type { LivePacket } from './live-packet.ts'
import type { Recorder } from './record.ts'
import { formatTime, ScriptFailure } from './report.ts'
import { OwedAcks } from './semantic.ts'
import type { RunSettings } from './settings.ts'
import type { Target } from './target.ts'
import { Wire } from './wire.ts'

/** When an event may happen, on the script's clock. */
export interface Due {
  readonly from: Micros
  readonly to: Micros
}

/** Most steps without time passing: more is a target that stands still. */
const MOST_IDLE_STEPS = 100_000

/** A run under way. */
export class RunContext {
  readonly settings: RunSettings
  readonly target: Target
  readonly wire: Wire
  /** Acknowledgements that are owed, in the semantic way of matching. */
  readonly owed = new OwedAcks()
  /** What has happened. */
  readonly events: string[]
  /** Takes down what happens rather than hold it against the script; null in a run that judges. */
  recorder: Recorder | null = null
  /** Called whenever something may have happened. */
  onCollected: () => void = () => undefined
  /** When the event before this one was over. */
  base: Micros = 0
  #event: ScriptEvent | null = null
  #idleSteps = 0
  /** When the script's clock began. */
  readonly #start: Micros

  constructor(settings: RunSettings, target: Target, events: string[]) {
    this.settings = settings
    this.target = target
    this.events = events
    this.wire = new Wire(settings)
    this.#start = target.now()
  }

  /** The time on the script's clock. */
  get now(): Micros {
    return this.target.now() - this.#start
  }

  /** The script's time of an instant of the target's. */
  timeOf(at: Micros): Micros {
    return at - this.#start
  }

  /** The line of the event under way. */
  get line(): number {
    return this.#event?.line ?? 0
  }

  /** The next event begins. */
  begin(event: ScriptEvent): void {
    this.#event = event
    this.base = this.now
  }

  /** Notes what has happened. */
  log(what: string, at = this.now): void {
    this.events.push(`${formatTime(at)} ${what}`)
  }

  /** The event under way is not as the script says. @throws {ScriptFailure} always */
  fail(message: string, expected = '', actual = ''): never {
    throw new ScriptFailure(this.line, message, expected, actual)
  }

  /** When an event may happen. */
  dueOf({ time }: ScriptEvent): Due {
    if (time.kind === 'any') return { from: 0, to: this.base + this.settings.patienceUs }
    const base = time.kind === 'relative' ? this.base : 0
    return { from: base + time.start, to: base + time.end }
  }

  /** How far from a time something may happen, counted from `base`. */
  tolerance(expected: Micros, base = this.base): Micros {
    return Math.max(this.settings.toleranceUs, ((expected - base) * this.settings.tolerancePercent) / 100)
  }

  /** Lets time pass until the event under way is due. @throws {ScriptFailure} when that is over */
  async waitFor(event: ScriptEvent): Promise<void> {
    const { from, to } = this.dueOf(event)
    await this.advance(event.time.kind === 'any' ? this.now : from)
    if (this.now - to <= this.tolerance(to)) return
    this.fail(`the script is late here: due at ${formatTime(to)}, it is ${formatTime(this.now)}`)
  }

  /** Lets time pass until `until`, and at least settles what can happen now. */
  async advance(until: Micros): Promise<void> {
    do await this.step(until)
    while (this.now < until)
  }

  /** Lets time pass until `until` or until something happens. */
  async step(until: Micros): Promise<void> {
    const before = this.now
    await this.target.advance(until + this.#start)
    this.#idleSteps = this.now > before ? 0 : this.#idleSteps + 1
    if (this.#idleSteps > MOST_IDLE_STEPS) this.fail(`time stands still at ${formatTime(this.now)}`)
    this.collect()
  }

  /** Takes in what has happened. */
  collect(): void {
    for (let packet = this.target.take(); packet !== null; packet = this.target.take()) {
      const at = this.timeOf(packet.at)
      const before = this.wire.pending.length
      const line = this.wire.sent({ ...packet, at })
      const live = this.wire.pending[before]
      if (live?.body.kind === 'tcp' && (live.body.flags & FLAG.ACK) !== 0) this.owed.sent(live.body.ack)
      if (line !== '') this.log(line, at)
      if (live !== undefined) this.#record(live)
    }
    this.checkOwed(this.now)
    this.onCollected()
  }

  #record(live: LivePacket): void {
    if (this.recorder === null) return
    const flow = live.body.kind === 'tcp' ? this.wire.ownerOf(live.body) : null
    this.recorder.packet(live, flow, this.wire.isAlone)
    this.wire.pending.length = 0
  }

  /** Lets time pass until no acknowledgement is owed. @throws {ScriptFailure} for one that does not come */
  async awaitOwed(): Promise<void> {
    for (let until = this.owed.until; until !== null; until = this.owed.until) await this.step(until + 1)
  }

  /** @throws {ScriptFailure} when an acknowledgement that was put off has not come by `at` */
  checkOwed(at: Micros): void {
    const owed = this.owed.overdue(at)
    if (owed !== null)
      throw new ScriptFailure(owed.line, `acknowledgement ${owed.ack} never came`, owed.text, 'no packet')
  }
}
