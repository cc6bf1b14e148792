// The file in which a DHCP server keeps its leases: a JSON array.
// Owns: reading it with care, writing it whole or not at all. Does not own: what a lease is (src/net/dhcp-server.ts).

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { parseAddress } from '../ip/address.ts'
import type { StoredLease } from '../net/index.ts'
import { CliError, codeOf, messageOf } from './errors.ts'
import { printError } from './print.ts'

/** Files of more than that are not of ours. */
const MOST_LEASES = 65_536

/** A file of leases. */
export class LeaseFile {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** What the file holds; nothing when there is no file. @throws {CliError} for a file that cannot be read or is none */
  read(): StoredLease[] {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw new CliError(`--leases ${this.#path}: ${messageOf(error)}`)
    }
    const leases = parse(text)
    if (leases === null)
      throw new CliError(`--leases ${this.#path} is no file of leases`, { mend: 'name another file' })
    return leases
  }

  /** Writes all leases beside the file, then in its place. A disk that is full is told of, and the server goes on. */
  write(leases: readonly StoredLease[]): void {
    try {
      writeFileSync(`${this.#path}.new`, `${JSON.stringify(leases, null, 2)}\n`)
      renameSync(`${this.#path}.new`, this.#path)
    } catch (error) {
      printError(`tunstack: --leases ${this.#path}: ${messageOf(error)}`)
    }
  }
}

function parse(text: string): StoredLease[] | null {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.length <= MOST_LEASES && value.every(isLease) ? value : null
  } catch {
    return null
  }
}

function isLease(value: unknown): value is StoredLease {
  if (typeof value !== 'object' || value === null) return false
  const { client, address, expiresAtS, hostName } = value as Record<string, unknown>
  const isText = typeof client === 'string' && (hostName === null || typeof hostName === 'string')
  return isText && typeof address === 'string' && parseAddress(address)?.family === 4 && Number.isFinite(expiresAtS)
}
