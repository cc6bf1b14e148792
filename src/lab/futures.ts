// Two runs that differ in one thing that happened: where they part, and what came of it.
// Owns: the comparison and its text. Does not own: making the runs (run-log.ts).

import type { PacketRecord, WorldRecord } from './record.ts'
import type { Outcome } from './types.ts'

/** Lines shown before the first difference, and of each future after it. */
const BEFORE = 3
const AFTER = 8

/** One packet as a line: number, time, ends, what tcpdump says, what became of it. */
export function packetText(packet: PacketRecord, n: number): string {
  const { sentAt, from, to, line, fate } = packet
  const time = (sentAt / 1e6).toFixed(6)
  return `${String(n).padStart(5)} ${time.padStart(12)} ${from} > ${to}: ${line}${fate === '' ? '' : `  [${fate}]`}`
}

const sentOf = ({ packets }: WorldRecord): PacketRecord[] => packets.filter(({ sentAt }) => sentAt >= 0)

/** The number (from 1) of the first packet that differs in when it leaves, what it is, or what becomes of it; 0 when all are equal. */
export function firstDifference(a: WorldRecord, b: WorldRecord): number {
  const [left, right] = [sentOf(a), sentOf(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    if (i >= left.length || i >= right.length || packetText(left[i], 0) !== packetText(right[i], 0)) return i + 1
  }
  return 0
}

/** Two futures beside each other, as lines: the first difference, then totals. */
export function futureLines(before: Outcome, after: Outcome, world: number): string[] {
  const [a, b] = [before.worlds[world - 1], after.worlds[world - 1]]
  const at = firstDifference(a, b)
  if (at === 0) return ['Both futures are the same.']
  const tail = (record: WorldRecord, sign: string): string[] =>
    sentOf(record)
      .slice(at - 1, at - 1 + AFTER)
      .map((packet, i) => `${sign}${packetText(packet, at + i)}`)
  const common = sentOf(a).slice(Math.max(0, at - 1 - BEFORE), at - 1)
  return [
    `The futures part at packet ${at}:`,
    ...common.map((packet, i) => ` ${packetText(packet, at - common.length + i)}`),
    ...tail(a, '-'),
    ...tail(b, '+'),
    '',
    ...totalLines(before, after, world),
  ]
}

function totalLines(before: Outcome, after: Outcome, world: number): string[] {
  const [a, b] = [totals(before, world), totals(after, world)]
  const names = [...new Set([...a.keys(), ...b.keys()])]
  const rows = names.map((name) => {
    const [was, is] = [a.get(name) ?? '-', b.get(name) ?? '-']
    const change = typeof was === 'number' && typeof is === 'number' ? signed(is - was) : was === is ? '' : 'differs'
    return [name, String(was), String(is), change]
  })
  const all = [['', 'as it was', 'forked', 'change'], ...rows]
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)))
  return all.map((row) =>
    row
      .map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  )
}

function signed(change: number): string {
  const value = Math.round(change * 1e6) / 1e6
  return value === 0 ? '=' : `${value > 0 ? '+' : ''}${value}`
}

function totals(outcome: Outcome, world: number): Map<string, string | number> {
  const record = outcome.worlds[world - 1]
  const result = new Map<string, string | number>()
  const packets = sentOf(record)
  result.set('ends after, ms', record.endedAt / 1000)
  for (const host of record.hosts) {
    const mine = packets.filter(({ from }) => from === host)
    const text = mine.filter(({ textBytes }) => textBytes > 0)
    result.set(`${host}: packets`, mine.length)
    result.set(
      `${host}: bytes of text`,
      text.reduce((sum, { textBytes }) => sum + textBytes, 0),
    )
    result.set(`${host}: sent again`, mine.filter(({ isAgain }) => isAgain).length)
    result.set(`${host}: did not arrive`, mine.filter(({ receivedAt }) => receivedAt < 0).length)
  }
  outcome.claims.forEach(({ text, holds, figures }, i) => {
    const measured = figures.find(({ name }) => name === 'measured')
    result.set(`claim ${i + 1} (${text.slice(0, 40)})`, holds ? 'holds' : 'FAILS')
    if (measured !== undefined) result.set(`claim ${i + 1}: measured ${measured.unit}`.trimEnd(), measured.value)
  })
  return result
}
