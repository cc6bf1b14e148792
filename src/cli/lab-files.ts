// What the lab writes: pages, captures, JSON.
// Owns: files and their names. Does not own: what stands in them (src/lab).

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatFault } from '../lab/faults.ts'
import { indexHtml, reportHtml } from '../lab/html-report.ts'
import type { RunOptions } from '../lab/run.ts'
import { logRun } from '../lab/run-log.ts'
import type { Outcome } from '../lab/types.ts'
import { packageVersion } from './version.ts'

/** Script and style of the page, which stand beside src and dist alike. */
function asset(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../assets/${name}`, import.meta.url)), 'utf8')
}

const style = (): string => asset('base.css') + asset('lab/report.css')

function write(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return path
}

/** Writes the page of an outcome; its path. */
export function writeReport(path: string, outcome: Outcome): string {
  return write(path, reportHtml(outcome, { script: asset('lab/report.js'), style: style() }))
}

/** Writes the list of all pages of a folder; its path. */
export function writeIndex(folder: string, outcomes: readonly Outcome[]): string {
  return write(join(folder, 'index.html'), indexHtml(outcomes, { style: style() }))
}

/** Writes the captures of an outcome, one file for each host of each world; their paths. */
export function writeCaptures(folder: string, { id, worlds }: Outcome): string[] {
  return worlds.flatMap(({ label, captures }) =>
    captures.map(({ host, bytes }) =>
      write(join(folder, `${[id, label, host].map(fileWord).join('-')}.pcapng`), bytes),
    ),
  )
}

/** Does a run with its log written; the log's path. */
export async function writeLog(path: string, experiment: string, options: RunOptions): Promise<string> {
  const { given = {}, seed = 1, faults = [], topology = null } = options
  const header = { kind: 'run', version: packageVersion(), experiment, seed, parameters: given } as const
  const { lines } = await logRun({ ...header, faults: faults.map(formatFault), topology, fork: null })
  return write(path, `${lines.join('\n')}\n`)
}

const fileWord = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')

/** The outcome for other programs: without packets and curves. */
export function outcomeJson(outcome: Outcome): string {
  const { worlds, plots: _plots, ...rest } = outcome
  const summary = worlds.map(({ label, endedAt, packets, omitted, connections, transactions }) => ({
    label,
    endedAtUs: endedAt,
    packets: packets.length + omitted,
    connections: connections.map(({ name }) => name),
    transactions,
  }))
  return JSON.stringify({ ...rest, worlds: summary }, null, 2)
}
