// Happy Eyeballs: attempts to several addresses, each a little after the last, until one is open.
// Owns: which address next and when, the end of the others, the errors of all. Does not own: resolving, TCP: it asks with actions and
// is told what came of them. Read first: RFC 8305 §3 (resolution delay), §4 (order), §5 (attempt delay).

import { MILLISECOND, type Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { sortDestinations } from './address-order.ts'

/** What has to be done. */
export type EyeballsAction =
  /** Start a connection; `attempt` names it from now on. */
  | { readonly kind: 'connect'; readonly attempt: number; readonly address: IpAddress }
  /** Another one was faster: give this one up. */
  | { readonly kind: 'cancel'; readonly attempt: number; readonly address: IpAddress }
  /** The connection to use. Nothing comes after it but cancels before it. */
  | { readonly kind: 'done'; readonly attempt: number; readonly address: IpAddress }
  /** None could be opened: what went wrong, in order. */
  | { readonly kind: 'failed'; readonly errors: readonly Error[] }

/** Settings, with RFC 8305 §8's defaults. */
export interface EyeballsOptions {
  /** How long IPv4's answer waits for that of IPv6. Default 50 ms. */
  readonly resolutionDelayUs?: Micros
  /** Between the starts of two attempts: 10 ms to 2 s (RFC 8305 §5). Default 250 ms. */
  readonly attemptDelayUs?: Micros
  /** How many of the preferred family go first. Default 1. */
  readonly firstFamilyCount?: number
  /** From where we would send to an address; null: no way there. For RFC 6724's order. */
  readonly sourceOf: (destination: IpAddress) => IpAddress | null
  /** Whether an own address is deprecated: destinations reached from it come later (rule 3). Default: none is. */
  readonly isDeprecated?: (source: IpAddress) => boolean
}

/** One connection to a name. */
export class HappyEyeballs {
  readonly #resolutionDelayUs: Micros
  readonly #attemptDelayUs: Micros
  readonly #firstFamilyCount: number
  readonly #sourceOf: (destination: IpAddress) => IpAddress | null
  readonly #isDeprecated: (source: IpAddress) => boolean
  readonly #waiting = new Set<4 | 6>([4, 6])
  readonly #running = new Map<number, IpAddress>()
  readonly #tried: IpAddress[] = []
  readonly #errors: Error[] = []
  readonly #actions: EyeballsAction[] = []
  #addresses: IpAddress[] = []
  #nextAttempt = 1
  #startAt: Micros = Number.POSITIVE_INFINITY
  #isStarted = false
  #isOver = false

  constructor(options: EyeballsOptions) {
    this.#resolutionDelayUs = options.resolutionDelayUs ?? 50 * MILLISECOND
    const delay = options.attemptDelayUs ?? 250 * MILLISECOND
    if (!(delay >= 10 * MILLISECOND && delay <= 2000 * MILLISECOND)) {
      throw new RangeError('attemptDelayUs must be from 10 ms to 2 s (RFC 8305 §5)')
    }
    this.#attemptDelayUs = delay
    this.#firstFamilyCount = options.firstFamilyCount ?? 1
    this.#sourceOf = options.sourceOf
    this.#isDeprecated = options.isDeprecated ?? (() => false)
  }

  /** Whether 'done' or 'failed' has come, or `cancel`. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** When handleTimeout has to be called. */
  nextDeadline(): Micros {
    return this.#isOver ? Number.POSITIVE_INFINITY : this.#startAt
  }

  /** What is to be done now; null when there is nothing more. */
  pollAction(): EyeballsAction | null {
    return this.#actions.shift() ?? null
  }

  /** The answer for one family: its addresses, or none and why. */
  handleAddresses(family: 4 | 6, addresses: readonly IpAddress[], error: Error | null, now: Micros): void {
    if (this.#isOver || !this.#waiting.delete(family)) return
    if (error !== null) this.#errors.push(error)
    this.#addresses = this.#inOrder([...this.#addresses, ...addresses])
    if (this.#isStarted) {
      // RFC 8305 §3: what comes later joins the list of what is still to be tried.
      if (this.#running.size === 0) this.#startAt = now
    } else if (this.#addresses.length > 0) {
      // RFC 8305 §3: AAAA starts at once; A waits a moment for AAAA, unless that has been answered already.
      const wait = this.#waiting.has(6) && family === 4 ? this.#resolutionDelayUs : 0
      this.#startAt = Math.min(this.#startAt, now + wait)
      if (this.#waiting.size === 0) this.#startAt = now
    }
    this.handleTimeout(now)
  }

  /** Time has come to `now`. */
  handleTimeout(now: Micros): void {
    if (this.#isOver) return
    if (now >= this.#startAt) {
      const address = this.#addresses.shift()
      this.#startAt = Number.POSITIVE_INFINITY
      if (address !== undefined) this.#start(address, now)
    }
    if (this.#running.size === 0 && this.#waiting.size === 0 && this.#addresses.length === 0) {
      this.#isOver = true
      this.#actions.push({ kind: 'failed', errors: this.#errors })
    }
  }

  #start(address: IpAddress, now: Micros): void {
    const attempt = this.#nextAttempt++
    this.#isStarted = true
    this.#running.set(attempt, address)
    this.#tried.push(address)
    this.#actions.push({ kind: 'connect', attempt, address })
    this.#startAt = now + this.#attemptDelayUs
  }

  /** An attempt is open: all others end. */
  handleConnected(attempt: number): void {
    const address = this.#running.get(attempt)
    if (this.#isOver || address === undefined) return
    this.#running.delete(attempt)
    this.#end()
    this.#actions.push({ kind: 'done', attempt, address })
  }

  /** An attempt has failed: the next one starts at once (RFC 8305 §5). */
  handleFailed(attempt: number, error: Error, now: Micros): void {
    if (this.#isOver || !this.#running.delete(attempt)) return
    this.#errors.push(error)
    this.#startAt = now
    this.handleTimeout(now)
  }

  /** The caller has given up: all attempts end, and nothing more is told. */
  cancel(): void {
    if (!this.#isOver) this.#end()
  }

  #end(): void {
    this.#isOver = true
    for (const [attempt, address] of this.#running) this.#actions.push({ kind: 'cancel', attempt, address })
    this.#running.clear()
  }

  // RFC 8305 §4: RFC 6724's order, then the families in turn, `firstFamilyCount` of the first one ahead. Attempts made count as places.
  #inOrder(addresses: readonly IpAddress[]): IpAddress[] {
    const sorted = sortDestinations([...this.#tried, ...addresses], this.#sourceOf, this.#isDeprecated)
    const isTried = (address: IpAddress): boolean => this.#tried.some((other) => other.equals(address))
    const rest = sorted.filter((a, i) => !isTried(a) && sorted.findIndex((b) => b.equals(a)) === i)
    const first = (this.#tried[0] ?? rest[0])?.family
    const same = rest.filter(({ family }) => family === first)
    const other = rest.filter(({ family }) => family !== first)
    const ahead = Math.max(0, this.#firstFamilyCount - this.#tried.length)
    const order = same.splice(0, ahead)
    let turn: IpAddress[] = (this.#tried.at(-1)?.family ?? first) === first ? other : same
    while (same.length > 0 || other.length > 0) {
      const next = turn.shift()
      if (next !== undefined) order.push(next)
      turn = turn === other ? same : other
    }
    return order
  }
}
