// What the ledger knows of a clause of an RFC: one record, written by hand in the file of its RFC in this folder.
// Owns: the shape. Does not own: which tests and which code belong to it where it does not say so itself (scan.ts finds them by their tags).

/** The words of RFC 2119, and what RFC 9293 calls `REC`. */
export type Word = 'MUST' | 'SHOULD' | 'MAY' | 'REC'

/** A clause, in our own words. */
export interface Clause {
  /** As titles and comments have it between brackets ([MUST-13]), or our own number (`5681-3.1-a`): RFC, section, letter. */
  readonly id: string
  readonly section: string
  readonly word: Word
  readonly meaning: string
  /** Parts of titles, each of exactly one test; by default every test whose title has the tag of the clause. */
  readonly tests?: readonly string[]
  /** Places as `src/tcp/rtt.ts updateRtt`; by default every place whose comment has the tag. */
  readonly code?: readonly string[]
  /** Why the clause is not honoured, or not in full. Its tests then show what is done instead. */
  readonly reason?: string
  /** Honoured, but for a corner: which. */
  readonly note?: string
}

/** The clauses of one RFC. */
export interface Rfc {
  readonly number: number
  readonly title: string
  readonly clauses: readonly Clause[]
}

/** Whether the RFC numbers its clauses itself. */
export const isNumbered = ({ clauses }: Rfc): boolean => /^[A-Z]/.test(clauses[0].id)

/** How a clause of an RFC without numbers of its own is written down: the id is the section, a hyphen and a letter. */
export type Entry = Omit<Clause, 'id' | 'section'> & { readonly at: string }

/** The clauses of RFC `number`, from entries such as `{ at: '3.1-a', word: 'MUST', ... }`. */
export function rfc(number: number, title: string, entries: readonly Entry[]): Rfc {
  const clauses = entries.map(({ at, ...rest }) => ({ id: `${number}-${at}`, section: at.replace(/-.*/, ''), ...rest }))
  return { number, title, clauses }
}

/** What stands in titles and comments for the clause. */
export const tagOf = ({ number }: Rfc, { id, section }: Clause): string =>
  /^[A-Z]/.test(id) ? `[${id}]` : `RFC ${number} §${section}`
