// Settings of open connections that differ from their listener's: `setNoDelay`, a cork. What a thousand connections have set alike is one
// record for all of them, made and checked once; and who sets a cork and takes it away again, a thousand times, has the first one back.
// Owns: remembering. Does not own: settings and their checks (config.ts).

import { KNOBS, reconfigure, type TcpConfig } from './config.ts'

/** Of each family so many records are remembered, and of each record so many steps to others. */
const MOST_DERIVED = 32

const NAMES = Object.keys(KNOBS) as (keyof TcpConfig)[]

/** All that came of one record, by what they differ in. What is not remembered in one is the root of a family of its own. */
interface Family {
  readonly root: TcpConfig
  readonly members: Map<string, TcpConfig>
}

interface Derived {
  readonly family: Family
  /** What one change leads to. */
  readonly steps: Map<string, TcpConfig>
}

const derived = new WeakMap<TcpConfig, Derived>()

/** As `reconfigure`; equal changes of one setting give the same record. @throws {TypeError} {RangeError} as there */
export function deriveConfig(changes: Partial<TcpConfig>, config: TcpConfig): TcpConfig {
  const entries = Object.entries(changes)
  if (entries.length !== 1) return reconfigure(changes, config)
  const [name, value] = entries[0]
  const key = `${typeof value} ${name}=${value}`
  const { family, steps } = recall(config)
  const known = steps.get(key)
  if (known !== undefined) return known
  const made = memberOf(family, reconfigure(changes, config))
  if (steps.size < MOST_DERIVED && derived.get(made)?.family === family) steps.set(key, made)
  return made
}

function recall(config: TcpConfig): Derived {
  const known = derived.get(config)
  if (known !== undefined) return known
  const made: Derived = { family: { root: config, members: new Map() }, steps: new Map() }
  derived.set(config, made)
  return made
}

/** The record of the family that equals `made`, which becomes it when there is none and there is room. */
function memberOf(family: Family, made: TcpConfig): TcpConfig {
  const { root, members } = family
  let difference = ''
  for (const name of NAMES) if (made[name] !== root[name]) difference += `${name}=${made[name]} `
  if (difference === '') return root
  const same = members.get(difference)
  if (same !== undefined) return same
  if (members.size < MOST_DERIVED) {
    members.set(difference, made)
    derived.set(made, { family, steps: new Map() })
  }
  return made
}
