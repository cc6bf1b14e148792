// Settings of open connections that differ from their listener's by one: `setNoDelay`, a cork. What a thousand connections have set alike
// is one record for all of them, made and checked once.
// Owns: remembering. Does not own: settings and their checks (config.ts).

import { reconfigure, type TcpConfig } from './config.ts'

/** Of each configuration so many others are remembered. */
const MOST_DERIVED = 32

const derived = new WeakMap<TcpConfig, Map<string, TcpConfig>>()

/** As `reconfigure`; equal changes of one setting give the same record. @throws {TypeError} {RangeError} as there */
export function deriveConfig(changes: Partial<TcpConfig>, config: TcpConfig): TcpConfig {
  const entries = Object.entries(changes)
  if (entries.length !== 1) return reconfigure(changes, config)
  const key = entries[0].join('=')
  const known = derived.get(config)
  const same = known?.get(key)
  if (same !== undefined && typeof entries[0][1] === typeof same[entries[0][0] as keyof TcpConfig]) return same
  const made = reconfigure(changes, config)
  if (known === undefined) derived.set(config, new Map([[key, made]]))
  else if (known.size < MOST_DERIVED) known.set(key, made)
  return made
}
