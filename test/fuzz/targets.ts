// All that is fuzzed, by name.

import { dhcpTarget } from './dhcp-target.ts'
import { dnsTarget } from './dns-target.ts'
import { httpTarget } from './http-target.ts'
import { ipTarget } from './ip-target.ts'
import { linkTarget } from './link-target.ts'
import { parserTarget } from './parser-target.ts'
import { scriptTarget } from './script-target.ts'
import type { Target } from './target.ts'
import { tcpTarget } from './tcp-world.ts'

/** The targets. */
export const TARGETS: readonly Target[] = [
  tcpTarget,
  ipTarget,
  linkTarget,
  dhcpTarget,
  httpTarget,
  parserTarget,
  dnsTarget,
  scriptTarget,
]

/** The target of that name. @throws {RangeError} */
export function targetOf(name: string): Target {
  const target = TARGETS.find((one) => one.name === name)
  if (target === undefined)
    throw new RangeError(`no target '${name}'; there are ${TARGETS.map((t) => t.name).join(', ')}`)
  return target
}
