// The knobs of the live page: what they are called, how far they turn, what each turns. They act at once, on connections that live too.
// Owns: reading and applying. Does not own: who may turn them (inspect.ts), what loss is (link/impairment.ts), TCP's settings (config.ts).

import type { ImpairedDevice } from '../link/impair.ts'
import type { Impairment } from '../link/impairment.ts'
import type { Host } from '../net/index.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { congestionControlNames } from '../tcp/congestion/index.ts'

/** Where the knobs stand. The link's hold in each direction; null: as it is without the knob. */
export interface KnobValues {
  /** Of packets, in percent: 0 to 50. */
  readonly loss: number
  /** One way, in milliseconds: 0 to 2000. */
  readonly delay: number
  /** Of the bottleneck, in Mbit/s: 0 (none), or 0.05 to 1000, with a queue of 100 packets. */
  readonly rate: number
  readonly congestion: string
  readonly nagle: boolean
  /** How long an acknowledgement waits, in milliseconds: 0 to 499; null adapts itself. */
  readonly delayedAck: number | null
}

/** What the knobs turn. */
export interface Knobbed {
  readonly host: Host
  readonly link: ImpairedDevice
  /** The impairment that the link began with. */
  readonly impairment: Impairment
}

/** The knobs of one host. */
export class Knobs {
  readonly #of: Knobbed
  #values: KnobValues

  /** @param tcp the settings that the host began with; Nagle's algorithm is off where servers switch it off */
  constructor(of: Knobbed, tcp: Partial<TcpConfig>) {
    this.#of = of
    const { lossRate = 0, delayUs = 0, rateBps = 0 } = of.impairment
    const isFixed = tcp.delayedAck === 'fixed' || tcp.delayedAckUs !== undefined
    this.#values = {
      loss: lossRate * 100,
      delay: delayUs / 1000,
      rate: rateBps / 1e6,
      congestion: tcp.congestion ?? 'cubic',
      nagle: tcp.nagle === true,
      delayedAck: isFixed ? (tcp.delayedAckUs ?? 40_000) / 1000 : null,
    }
  }

  /** Where they stand. */
  get values(): KnobValues {
    return this.#values
  }

  /**
   * Turns those that `changes` names, all or none.
   * @throws {TypeError | RangeError} for what is no knob, or out of its bounds
   */
  turn(changes: unknown): void {
    const read = readKnobs(changes)
    const values = { ...this.#values, ...read }
    if (read.loss !== undefined || read.delay !== undefined || read.rate !== undefined) this.#turnLink(values)
    this.#turnTcp(read)
    this.#values = values
  }

  #turnLink({ loss, delay, rate }: KnobValues): void {
    const { link, impairment } = this.#of
    const all: { -readonly [K in keyof Impairment]: Impairment[K] } = { ...impairment }
    all.lossRate = loss / 100
    all.delayUs = delay * 1000
    if (delay === 0) delete all.reorderRate // what leaves its place skips the delay
    if (rate * 1e6 !== impairment.rateBps) {
      for (const name of ['rateBps', 'queueBytes', 'queuePackets', 'markThreshold'] as const) delete all[name]
      if (rate > 0) Object.assign(all, { rateBps: rate * 1e6, queuePackets: 100 })
    }
    for (const direction of ['out', 'in'] as const) link.setImpairment(direction, all)
  }

  #turnTcp({ congestion, nagle, delayedAck }: Partial<KnobValues>): void {
    const { host } = this.#of
    const ack: Partial<TcpConfig> =
      delayedAck === undefined
        ? {}
        : delayedAck === null
          ? { delayedAck: 'adaptive', delayedAckUs: 40_000 }
          : { delayedAck: 'fixed', delayedAckUs: delayedAck * 1000 }
    const changes: Partial<TcpConfig> = {
      ...(congestion === undefined ? {} : { congestion }),
      ...(nagle === undefined ? {} : { nagle }),
      ...ack,
    }
    if (Object.keys(changes).length === 0) return
    const { tcp } = host.stack
    for (const listener of tcp.ports.listeners()) listener.configure(changes)
    for (const connection of tcp.connections()) connection.configure(changes)
  }
}

function number(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw new RangeError(`${name} is a number from ${least} to ${most}`)
  return value
}

const READERS: Readonly<{ [K in keyof KnobValues]: (value: unknown) => KnobValues[K] }> = {
  loss: (value) => number(value, 'loss', 0, 50),
  delay: (value) => number(value, 'delay', 0, 2000),
  rate: (value) => (value === 0 ? 0 : number(value, 'rate', 0.05, 1000)),
  congestion: (value) => {
    const names = congestionControlNames()
    if (typeof value === 'string' && names.includes(value)) return value
    throw new RangeError(`congestion is one of ${names.join(', ')}`)
  },
  nagle: (value) => {
    if (typeof value === 'boolean') return value
    throw new TypeError('nagle is true or false')
  },
  delayedAck: (value) => (value === null ? null : number(value, 'delayedAck', 0, 499)),
}

/** Reads what the page sends. @throws {TypeError | RangeError} naming the knob and its bounds */
export function readKnobs(changes: unknown): Partial<KnobValues> {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes))
    throw new TypeError('knobs are an object, as {"loss": 1}')
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(READERS, name))
      throw new TypeError(`there is no knob '${name}'; there are: ${Object.keys(READERS).join(', ')}`)
    read[name] = READERS[name as keyof KnobValues](value)
  }
  return read
}
