// The house's floors: who may import from whom. The table is the architecture; ARCHITECTURE.md only explains it.
// Owns: FLOORS, and the search for import cycles. Does not own: what needs Node (edge.ts).

import { complaint, type Source } from './source.ts'

/**
 * For each floor (a folder of src, or a file right under it) what it may import besides itself. Types count like everything else.
 * The order is that of the house: a floor's list names only floors above its own line. `sim` and `net` are siblings, virtual and real
 * time; `http` stands beside the house and runs over any byte stream.
 */
export const FLOORS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  link: ['base'],
  ip: ['base', 'link/device.ts'],
  tcp: ['base', 'link/device.ts', 'ip'],
  udp: ['base', 'link/device.ts', 'ip'],
  stack: ['base', 'link/device.ts', 'ip', 'tcp', 'udp'],
  dns: ['base', 'ip/address.ts', 'ip/policy.ts'],
  ethernet: ['base', 'link', 'ip'],
  dhcp: ['base', 'ip/address.ts'],
  trace: ['base', 'link/device.ts', 'ip', 'tcp', 'udp', 'stack'],
  sim: ['base', 'link', 'ip', 'tcp', 'udp', 'stack', 'trace'],
  net: ['base', 'link', 'ip', 'tcp', 'udp', 'stack', 'dns', 'ethernet', 'dhcp', 'trace'],
  packetdrill: ['base', 'link/device.ts', 'ip', 'tcp', 'udp', 'stack', 'trace', 'sim'],
  http: ['base'],
  lab: ['base', 'link', 'ip', 'tcp', 'udp', 'stack', 'dns', 'ethernet', 'dhcp', 'trace', 'sim', 'net', 'http'],
  'index.ts': ['base', 'link', 'ip', 'tcp', 'udp', 'stack', 'dns', 'ethernet', 'dhcp', 'trace', 'sim', 'net', 'http'],
  cli: [
    'base',
    'link',
    'ip',
    'tcp',
    'udp',
    'stack',
    'dns',
    'ethernet',
    'dhcp',
    'trace',
    'sim',
    'net',
    'packetdrill',
    'http',
    'lab',
    'index.ts',
  ],
}

/** The floor a file belongs to: `tcp` for src/tcp/congestion/reno.ts, `index.ts` for src/index.ts. */
export function floorOf(path: string): string {
  return path.split('/')[1] ?? ''
}

/** Imports from a floor that the importing file's own floor may not use. */
export function floorViolations(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const floor = floorOf(source.path)
    const allowed = FLOORS[floor]
    if (!allowed) return [complaint(source, 1, `src/${floor} is not in the table of floors (test/tidy/floors.ts)`)]
    return source.imports
      .filter(({ target }) => target !== null && !mayImport(floor, allowed, target))
      .map(({ specifier, line }) => {
        const list = allowed.length === 0 ? 'nothing but itself' : `itself, ${allowed.join(', ')}`
        return complaint(source, line, `imports '${specifier}', but ${floor} may import only ${list}`)
      })
  })
}

function mayImport(floor: string, allowed: readonly string[], target: string): boolean {
  if (!target.startsWith('src/')) return false
  const inside = target.slice('src/'.length)
  return [floor, ...allowed].some((entry) => inside === entry || inside.startsWith(`${entry}/`))
}

/** Imports of files that do not exist, so that no other rule is blind to them. */
export function danglingImports(sources: readonly Source[]): string[] {
  const known = new Set(sources.map((source) => source.path))
  return sources.flatMap((source) =>
    source.imports
      .filter(({ target }) => target !== null && !known.has(target))
      .map(({ specifier, line }) => complaint(source, line, `imports '${specifier}', and there is no such file`)),
  )
}

/** Circles of imports between files, types included: each once, starting at its first file in the alphabet. */
export function importCycles(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const done = new Set<string>()
  const trail: string[] = []
  const cycles = new Set<string>()
  const visit = (path: string) => {
    const from = trail.indexOf(path)
    if (from >= 0) cycles.add(describe(trail.slice(from)))
    if (from >= 0 || done.has(path)) return
    trail.push(path)
    for (const { target } of byPath.get(path)?.imports ?? []) if (target !== null && byPath.has(target)) visit(target)
    trail.pop()
    done.add(path)
  }
  for (const source of sources) visit(source.path)
  return [...cycles].sort()
}

function describe(cycle: readonly string[]): string {
  const first = cycle.indexOf([...cycle].sort()[0]!)
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
  return `${turned[0]}:1: import cycle ${[...turned, turned[0]].join(' -> ')}`
}
