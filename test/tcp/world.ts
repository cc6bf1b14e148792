// Where scenarios take place: over IPv4 and IPv6, with both initial sequence numbers at 0 and just below 2^31 and 2^32 (RFC 9293 §3.4).
// Owns: the worlds, running a body in each of them. Does not own: what a script can do (script.ts).

import { test } from 'vitest'

/** Where a scenario takes place. */
export interface World {
  readonly family: 4 | 6
  /** Our initial sequence number and the peer's. */
  readonly iss: number
  readonly irs: number
}

/** What a world looks after while a scenario runs in it. */
export interface Inhabitant {
  readonly transcript: string[]
  /** Throws when something was sent that the script did not expect. */
  quiet(): unknown
}

const OURS = [0, 2 ** 31 - 1000, 2 ** 32 - 1000]
const THEIRS = [0, 2 ** 31 - 1500, 2 ** 32 - 300]
const BOTH = [0, 1, 2].map((i) => ({ iss: OURS[i], irs: THEIRS[i] }))
const CROSSED = [
  { iss: OURS[0], irs: THEIRS[2] },
  { iss: OURS[2], irs: THEIRS[1] },
]

/** All worlds: both families, and sequence numbers that wrap, as signed and as unsigned, on both sides and on one. */
export const WORLDS: readonly World[] = [
  ...[...BOTH, ...CROSSED].map((numbers) => ({ family: 4 as const, ...numbers })),
  ...BOTH.map((numbers) => ({ family: 6 as const, ...numbers })),
]

let world: World = WORLDS[0]
let inhabitants: Inhabitant[] = []

/** The world that the scenario runs in now. */
export const currentWorld = (): World => world

/** Registers a script with the scenario that runs. */
export function inhabit(one: Inhabitant): void {
  inhabitants.push(one)
}

/** A test in every world. The title is a sentence that names its clause. */
export function scenario(title: string, body: () => void): void {
  test(title, () => {
    for (const one of WORLDS) inWorld(one, body)
  })
}

/** Runs a body in one world; a failure tells which world it was and what went over the wire. */
export function inWorld(one: World, body: () => void): void {
  world = one
  inhabitants = []
  try {
    body()
    for (const script of inhabitants) script.quiet()
  } catch (error) {
    const wire = inhabitants.map(({ transcript }) => transcript.join('\n')).join('\n---\n')
    const where = `IPv${one.family}, our ISN ${one.iss}, the peer's ${one.irs}`
    if (error instanceof Error) error.message = `${error.message}\n[${where}]\n${wire}`
    throw error
  }
}
