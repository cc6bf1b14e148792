// What the parts of a run share: the target and its time, the wire, the log, the event under way.
// Owns: passing time, and taking in what happens meanwhile. Does not own: what events mean (packet-events.ts, call-events.ts).

import type { Micros } from '../base/time.ts'
import type { ScriptEvent } from './ast.ts'
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

/** A run under way. */
export class RunContext {
  readonly settings: RunSettings
  readonly target: Target
  readonly wire: Wire
  /** Acknowledgements that are owed, in the semantic way of matching. */
  readonly owed = new OwedAcks()
  /** What has happened. */
  readonly events: string[]
  /** Called whenever something may have happened. */
  onCollected: () => void = () => undefined
  /** When the event before this one was over. */
  base: Micros = 0
  #event: ScriptEvent | null = null
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
    await this.target.advance(until + this.#start)
    this.collect()
  }

  /** Takes in what has happened. */
  collect(): void {
    for (let packet = this.target.take(); packet !== null; packet = this.target.take()) {
      const at = this.timeOf(packet.at)
      const line = this.wire.sent({ at, bytes: packet.bytes })
      if (line !== '') this.log(line, at)
    }
    this.checkOwed(this.now)
    this.onCollected()
  }

  /** @throws {ScriptFailure} when an acknowledgement that was put off has not come by `at` */
  checkOwed(at: Micros): void {
    const owed = this.owed.overdue(at)
    if (owed !== null)
      throw new ScriptFailure(owed.line, `acknowledgement ${owed.ack} never came`, owed.text, 'no packet')
  }
}
