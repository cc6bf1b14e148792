// A path through a world for people: one line for each choice, the packets it draws, the states after it; and as a string that replays it.
// Owns: text, shortening. Does not own: the search.

import type { TcpConfig } from '../../src/tcp/config.ts'
import { formatPacket } from '../../src/trace/packet-line.ts'
import type { Failure } from './search.ts'
import { World, type WorldSpec } from './world.ts'
import { CONFIGS, WORLDS } from './worlds.ts'

const WORDS: Readonly<Record<string, string>> = {
  o: 'application:',
  x: 'aborts',
  p: 'its packet arrives',
  g: 'two of its packets arrive together',
  l: 'its packet is lost',
  h: 'its packet is held back',
  c: 'a copy of its packet is held back',
  t: 'timer',
  w: 'timer, packets under way',
  r: 'what was held back arrives:',
  i: 'a stranger sends:',
}

function words(world: World, choice: string): string {
  const what = WORDS[choice[0]!] ?? choice
  if (choice.startsWith('r')) return `${what} ${packetText(world.held[Number(choice.slice(1))]?.packet)}`
  if (choice.startsWith('i')) {
    const injection = world.spec.injections?.[Number(choice.slice(1))]
    return `${what} ${injection?.what} to ${injection?.to === 0 ? 'A' : 'B'}`
  }
  const i = choice.endsWith('B') ? 1 : 0
  const side = world.sides[i]
  if (choice.startsWith('o')) return `${'AB'[i]} ${what} ${side.steps[side.at]}`
  if (/^[plhcg]/.test(choice)) return `${'AB'[i]} ${what}: ${packetText(world.channels[i][0]?.packet)}`
  return `${'AB'[i]} ${what}`
}

function packetText(packet: Parameters<typeof formatPacket>[0] | undefined): string {
  return packet === undefined ? 'none' : formatPacket(packet).replace(/^IP.*?: /, '')
}

/** A path that was walked again: as text, and what went wrong; null: nothing. */
export interface Replayed {
  readonly text: string
  readonly wrong: string | null
}

/** The path as text; where it fails the last line says how. */
export function ladder(spec: WorldSpec, tcp: Partial<TcpConfig>, faults: number, path: readonly string[]): string {
  return replay(spec, tcp, faults, path).text
}

/** Walks a path again. @throws {RangeError} for a choice that there is not at its place */
export function replay(spec: WorldSpec, tcp: Partial<TcpConfig>, faults: number, path: readonly string[]): Replayed {
  const world = new World(spec, tcp, faults)
  const lines: string[] = []
  const sent: string[] = []
  world.onPacket = ({ from, packet }) => sent.push(`${' '.repeat(24)}${'AB'[from]} sends ${packetText(packet)}`)
  let wrong: string | null = null
  for (const choice of path) {
    const choices = world.choices()
    if (!choices.includes(choice)) throw new RangeError(`there is no '${choice}' here, but ${choices.join(' ')}`)
    sent.length = 0
    const said = words(world, choice)
    try {
      world.apply(choice)
    } catch (error) {
      wrong = error instanceof Error ? error.message : String(error)
    }
    const states = world.describe().join(' | ')
    lines.push(`${((world.now - 1e6) / 1000).toFixed(0).padStart(8)} ms  ${choice.padEnd(3)} ${said}`, ...sent)
    lines.push(`${' '.repeat(24)}${states}`)
    if (wrong === null) continue
    lines.push(`             ${wrong}`)
    return { text: lines.join('\n'), wrong }
  }
  if (!world.choices().some((choice) => /^[pgot]/.test(choice))) {
    wrong = world.judgeEnd()
    lines.push(`             at the end: ${wrong ?? 'all is well'}`)
  } else lines.push(`             choices: ${world.choices().join(' ')}`)
  return { text: lines.join('\n'), wrong }
}

/** What the path leads to: the failure's words without numbers, '' when it is none. */
function outcome(spec: WorldSpec, tcp: Partial<TcpConfig>, faults: number, path: readonly string[]): string {
  const world = new World(spec, tcp, faults)
  try {
    for (const choice of path) {
      if (!world.choices().includes(choice)) return ''
      world.apply(choice)
    }
  } catch (error) {
    return plain(error instanceof Error ? error.message : String(error))
  }
  if (world.choices().some((choice) => /^[pgot]/.test(choice))) return ''
  const wrong = world.judgeEnd()
  return wrong === null ? '' : plain(`at the end ${wrong}`)
}

const plain = (text: string): string => text.replace(/\d+/g, 'n')

/**
 * The same failure with choices left out that it does not need. Breadth first finds a shortest way already; this takes out what only
 * stood in for something else. What shows in the graph alone is left as it is.
 */
export function shorten(spec: WorldSpec, tcp: Partial<TcpConfig>, faults: number, failure: Failure): readonly string[] {
  let path = failure.path
  const wanted = plain(failure.what)
  if (outcome(spec, tcp, faults, path) !== wanted) return path
  for (let isShorter = true; isShorter; ) {
    isShorter = false
    for (const width of [1, 2, 3]) {
      for (let i = 0; i + width <= path.length; i++) {
        const less = [...path.slice(0, i), ...path.slice(i + width)]
        if (outcome(spec, tcp, faults, less) !== wanted) continue
        path = less
        isShorter = true
      }
    }
  }
  return path
}

/** The string that `--replay` takes. */
export function replayString(spec: WorldSpec, config: string, faults: number, path: readonly string[]): string {
  return `${spec.name}/${config}/${faults}/${path.join('.')}`
}

/** What such a string says. @throws {RangeError} when there is no such world or configuration */
export function readReplay(
  text: string,
  worlds: readonly WorldSpec[] = WORLDS,
): {
  spec: WorldSpec
  tcp: Partial<TcpConfig>
  faults: number
  path: readonly string[]
} {
  const [name, config = '', faults, path = ''] = text.split('/')
  const spec = worlds.find((world) => world.name === name)
  const tcp = CONFIGS[config]
  if (spec === undefined || tcp === undefined) throw new RangeError(`no world ${name} with settings ${config}`)
  return { spec, tcp, faults: Number(faults), path: path === '' ? [] : path.split('.') }
}
