// The calls of a script: started at their times, held against their results, and those that block beside all else.
// Owns: which call blocks, what calls tell of connections to come, the descriptor that tcp_info is asked of. Does not own: comparing
// results (call-match.ts), descriptors (descriptors.ts). As in the original one call can be under way: the next one waits for it.

import type { Micros } from '../base/time.ts'
import type { CallAction, ScriptEvent } from './ast.ts'
import { compareOutcome, expectedText, resultText, returnsDescriptor } from './call-match.ts'
import { CONSTANTS } from './constants.ts'
import { Descriptors, portOf } from './descriptors.ts'
import type { Flow } from './flow.ts'
import { formatTime, ScriptFailure } from './report.ts'
import type { RunContext } from './run-context.ts'
import { signerOf } from './sign.ts'
import type { Call, Value } from './target.ts'

/** A call under way, and until when it may be. */
interface Blocked {
  readonly event: ScriptEvent
  readonly action: CallAction
  readonly call: Call
  readonly endsAt: Micros
  readonly base: Micros
  /** Its place in a recording. */
  readonly order: number
}

/** Runs the calls of a script. */
export class CallEvents {
  readonly #run: RunContext
  readonly #descriptors: Descriptors
  readonly #bound = new Map<number, number>()
  readonly #flowOfFd = new Map<number, Flow>()
  readonly #datagramFds = new Set<number>()
  #blocked: Blocked | null = null
  /** The script's descriptor that tcp_info is asked of. */
  #infoFd = -1

  constructor(run: RunContext) {
    this.#run = run
    this.#descriptors = new Descriptors(run.settings)
    run.onCollected = () => this.check()
  }

  /** The fields of tcp_info of the socket that was made or accepted last; none before that. */
  tcpInfo(): Readonly<Record<string, number>> {
    if (this.#infoFd < 0) return {}
    return this.#run.target.tcpInfo(this.#descriptors.toLive(this.#infoFd)) ?? {}
  }

  /** A call at its time: one that blocks goes on beside the events that follow. */
  async call(event: ScriptEvent, action: CallAction): Promise<void> {
    if (this.#blocked !== null) await this.awaitIdle()
    await this.#run.waitFor(event)
    const args = this.#descriptors.argsFor(action.name, action.args)
    const base = this.#run.base
    const order = this.#run.recorder?.reserve() ?? -1
    let call: Call
    try {
      this.#beforeCall(action, args)
      call = this.#run.target.start(action.name, args)
    } catch (error) {
      this.#run.fail(`in ${action.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (this.#run.recorder !== null && call.outcome === null) {
      this.#blocked = {
        event,
        action,
        call,
        endsAt: this.#run.now + this.#run.settings.patienceUs,
        base: this.#run.now,
        order,
      }
      await this.#run.advance(this.#run.now)
      return
    }
    if (action.blocksUntil >= 0 && this.#run.recorder === null) {
      const endsAt = event.time.kind === 'relative' ? base + action.blocksUntil : action.blocksUntil
      this.#blocked = { event, action, call, endsAt, base, order }
      await this.#run.advance(this.#run.now)
      return
    }
    const latest = this.#run.now + this.#run.settings.toleranceUs
    while (call.outcome === null && this.#run.now < latest) {
      await this.#run.step(latest)
    }
    if (call.outcome === null)
      this.#run.fail(`${action.name} blocks, and the script does not expect it to`, expectedText(action))
    this.#finish(event, action, call)
    await this.#run.advance(this.#run.now)
  }

  /** Takes in that a call has returned. @throws {ScriptFailure} when it should have by now */
  check(): void {
    const blocked = this.#blocked
    if (blocked === null) return
    if (blocked.call.outcome !== null) this.#ended(blocked)
    else if (this.#run.now > blocked.endsAt + this.#toleranceOf(blocked)) {
      const due = `returns at ${formatTime(blocked.endsAt)}`
      throw new ScriptFailure(blocked.event.line, `${blocked.action.name} still blocks`, due)
    }
  }

  #toleranceOf({ endsAt, base }: Blocked): Micros {
    return this.#run.tolerance(endsAt, base)
  }

  /** Lets time pass until no call blocks any more. */
  async awaitIdle(): Promise<void> {
    while (this.#blocked !== null) {
      await this.#run.step(this.#blocked.endsAt + this.#toleranceOf(this.#blocked) + 1)
    }
  }

  #ended(blocked: Blocked): void {
    this.#blocked = null
    const endedAt = this.#run.timeOf(blocked.call.endedAt)
    this.#finish(blocked.event, blocked.action, blocked.call, blocked.base, blocked.order)
    if (this.#run.recorder !== null) return
    if (Math.abs(endedAt - blocked.endsAt) <= this.#toleranceOf(blocked)) return
    const message = `${blocked.action.name} was to return at ${formatTime(blocked.endsAt)} and did at ${formatTime(endedAt)}`
    throw new ScriptFailure(blocked.event.line, message)
  }

  #finish(event: ScriptEvent, action: CallAction, call: Call, blockedAt = -1, order = -1): void {
    const { outcome } = call
    if (outcome === null) return
    const endedAt = this.#run.timeOf(call.endedAt)
    const actual = resultText(outcome.value, outcome.errno)
    this.#run.log(`${action.name}(...) = ${actual}`, endedAt)
    const outputs = this.#descriptors.outputsFor(action.name, action.args, outcome.outputs)
    if (this.#run.recorder !== null) {
      const since = blockedAt < 0 ? endedAt : blockedAt
      this.#run.recorder.call(event, action, { ...outcome, outputs }, since, endedAt, order)
      this.#afterCall(action, outcome.value, outcome.outputs)
      return
    }
    const differences = compareOutcome(action, { ...outcome, outputs }, this.#run.settings.toleranceUs)
    if (differences.length > 0) {
      throw new ScriptFailure(event.line, `in ${action.name}: ${differences.join('; ')}`, event.text, `= ${actual}`)
    }
    this.#afterCall(action, outcome.value, outcome.outputs)
  }

  /** What a call tells of the packets to come. */
  #beforeCall(action: CallAction, args: readonly Value[]): void {
    const fd = action.args[0]
    if (typeof fd !== 'number') return
    let port = -1
    if (action.name === 'connect') port = portOf(args[1])
    if (action.name === 'sendto' && isFastOpen(args[3])) port = portOf(args[4])
    if (action.name === 'sendmsg' && isFastOpen(args[2])) port = portOf(nameOf(args[1]))
    if (this.#datagramFds.has(fd)) {
      const to = action.name === 'sendto' ? args[4] : action.name === 'sendmsg' ? nameOf(args[1]) : args[1]
      const isSending = action.name === 'connect' || action.name.startsWith('send')
      if (isSending && portOf(to) >= 0) this.#run.wire.sendingTo(portOf(to), this.#bound.get(fd) || -1)
      return
    }
    if (port < 0) return
    this.#flowOfFd.set(fd, this.#run.wire.connecting(port, this.#bound.get(fd) || -1, this.#flowOfFd.get(fd) ?? null))
  }

  /** The two descriptors of a pipe. */
  #learnPair(script: Value | undefined, live: Value | undefined): void {
    if (!Array.isArray(script) || !Array.isArray(live)) return
    for (const [i, fd] of script.entries()) {
      if (typeof fd === 'number' && typeof live[i] === 'number') this.#descriptors.learn(fd, live[i])
    }
  }

  #noteKind(fd: number, type: Value): void {
    if (typeof type === 'number' && (type & 0xf) === CONSTANTS.SOCK_DGRAM) this.#datagramFds.add(fd)
    else this.#datagramFds.delete(fd)
  }

  #afterCall(action: CallAction, value: number, outputs: readonly Value[]): void {
    const { name, args, expected } = action
    if (value < 0) return
    const fd = typeof args[0] === 'number' ? args[0] : -1
    if (returnsDescriptor(action) && expected.least !== null) {
      this.#descriptors.learn(expected.least, value)
      if (name === 'socket' || name.startsWith('accept')) this.#infoFd = expected.least
      if (name === 'socket') this.#bound.delete(expected.least)
      if (name === 'socket') this.#flowOfFd.delete(expected.least)
      if (name === 'socket') this.#noteKind(expected.least, args[1])
    }
    if (name.startsWith('pipe')) this.#learnPair(args[0], outputs[0])
    if (name === 'bind') this.#bound.set(fd, portOf(args[1]) < 0 ? this.#run.settings.bindPort : portOf(args[1]))
    if (name === 'setsockopt') this.#run.wire.sign = signerOf(args) ?? this.#run.wire.sign
    if (name === 'bind' && this.#datagramFds.has(fd))
      this.#run.wire.listening(this.#bound.get(fd) ?? this.#run.settings.bindPort)
    if (name === 'listen') this.#run.wire.listening(this.#bound.get(fd) ?? this.#run.settings.bindPort)
  }
}

/** The address of a message. */
function nameOf(message: Value | undefined): Value | undefined {
  const isMessage = typeof message === 'object' && message !== null && !Array.isArray(message)
  return isMessage ? (message as Readonly<Record<string, Value>>).msg_name : undefined
}

function isFastOpen(flags: Value | undefined): boolean {
  return typeof flags === 'number' && (flags & CONSTANTS.MSG_FASTOPEN) !== 0
}
