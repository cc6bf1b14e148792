// Stepping through a logged run on a terminal, forward and back.
// Owns: keys, what is shown of a step. Does not own: the states (src/lab/run-log.ts).

import { createInterface } from 'node:readline/promises'
import { packetText } from '../lab/futures.ts'
import type { PacketRecord } from '../lab/record.ts'
import { type RunHeader, statesAt } from '../lab/run-log.ts'
import { print } from './print.ts'

/** States kept on each side of a step, so that most steps need no run. */
const AROUND = 200

const KEYS = 'Enter or n: next, p: previous, a number: that packet, w: the whole state, q: end'

/** The packet, and every TCB of its world as it leaves. */
export async function stateLines(
  header: RunHeader,
  world: number,
  packets: readonly PacketRecord[],
  at: number,
): Promise<string[]> {
  const states = await statesAt(header, world, at, at)
  return [packetText(packets[at - 1], at), ...(states.get(at) ?? [])]
}

/** What is not as it was, line by line: lines begin with host, ports and the name of a field. */
export function changedLines(before: readonly string[], after: readonly string[]): string[] {
  const was = new Set(before)
  return after.filter((line) => !was.has(line))
}

/** Asks for steps until it is told to end. */
export async function stepThrough(
  header: RunHeader,
  world: number,
  packets: readonly PacketRecord[],
  from: number,
): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  let states = new Map<number, string[]>()
  const stateAt = async (n: number): Promise<string[]> => {
    if (!states.has(n)) states = await statesAt(header, world, n - AROUND, n + AROUND)
    return states.get(n) ?? []
  }
  let at = from
  let shown = await stateAt(at)
  print(packetText(packets[at - 1], at))
  for (const line of shown) print(`  ${line}`)
  print(KEYS)
  for (;;) {
    const word = (await terminal.question(`${at}> `)).trim()
    if (word === 'q') break
    if (word === 'w') {
      for (const line of shown) print(`  ${line}`)
      continue
    }
    const next = word === '' || word === 'n' ? at + 1 : word === 'p' ? at - 1 : Number(word)
    if (!Number.isInteger(next) || next < 1 || next > packets.length) {
      print(`packets are numbered from 1 to ${packets.length}; ${KEYS}`)
      continue
    }
    const state = await stateAt(next)
    at = next
    print(packetText(packets[at - 1], at))
    for (const line of changedLines(shown, state)) print(`  ${line}`)
    shown = state
  }
  terminal.close()
}
