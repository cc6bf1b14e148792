// SHA-256 of everything that an experiment gives, so that two runs, or two machines, can be compared by a small file.
// Owns: what is hashed, the file. Does not own: what repeats (src/lab): TLS does not, as Node draws its keys.

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { reportHtml } from '../lab/html-report.ts'
import { reportLines } from '../lab/text-report.ts'
import type { Outcome } from '../lab/types.ts'
import { CliError, EXIT } from './errors.ts'
import { outcomeJson } from './lab-files.ts'

/** Style and script of the page are files of their own: they may change without any experiment giving something else. */
const NO_ASSETS = { script: '', style: '' }

/**
 * The digest of an outcome: its page, its lines, its JSON and its captures. Where TLS was spoken, of its claims' sentences and whether
 * they hold: the bytes of its records differ from run to run, and their lengths with the version of OpenSSL.
 */
export function outcomeDigest(outcome: Outcome): string {
  const hash = createHash('sha256')
  if (outcome.worlds.some(({ hasTls }) => hasTls)) {
    return hash.update(JSON.stringify(outcome.claims.map(({ text, holds }) => [text, holds]))).digest('hex')
  }
  hash.update(reportHtml(outcome, NO_ASSETS)).update(reportLines(outcome).join('\n')).update(outcomeJson(outcome))
  for (const { bytes } of outcome.worlds.flatMap(({ captures }) => captures)) hash.update(bytes)
  return hash.digest('hex')
}

/** Writes digests by the names of their experiments, in the form of sha256sum; the path. */
export function writeDigests(path: string, digests: ReadonlyMap<string, string>): string {
  writeFileSync(path, [...digests].map(([id, digest]) => `${digest}  ${id}\n`).join(''))
  return path
}

/** What differs from a file of writeDigests, a line each. @throws {CliError} when it cannot be read */
export function checkDigests(path: string, digests: ReadonlyMap<string, string>): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(`${path}: ${(error as Error).message}`, { exitCode: EXIT.usage })
  }
  const recorded = new Map(
    text.split('\n').flatMap((line) => {
      const [digest, id] = line.split(/ +/)
      return id === undefined ? [] : [[id, digest] as const]
    }),
  )
  const names = [...new Set([...recorded.keys(), ...digests.keys()])]
  return names.flatMap((id) => {
    if (recorded.get(id) === digests.get(id)) return []
    if (!recorded.has(id)) return [`${id} is not in ${path}`]
    return [digests.has(id) ? `${id} gives something else than ${path} has` : `${id} of ${path} is no experiment`]
  })
}
