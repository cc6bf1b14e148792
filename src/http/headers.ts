// The header section as an ordered list: names compare without case, and are kept as they were written.
// Owns: HeaderList and the test that no name or value can break out of its line. Does not own: what a field means.
// Read first: RFC 9110 §5.1-5.5 (field names, order, values), §5.3 (combining lines of one name).
import { isFieldValue, isToken, splitList, trimOws } from './grammar.ts'

/** Anything that a HeaderList can be made of; an array value becomes one line for each element. */
export type HeadersInit =
  | HeaderList
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | number | readonly string[] | undefined>>

/** The most names that are remembered below. */
const KNOWN_NAMES = 512
/** Field names that programs have used, which are tokens, and their lower case. Names from the network are only looked up. */
const KEYS = new Map<string, string>()

const keyOf = (name: string): string => KEYS.get(name) ?? name.toLowerCase()

/** The lines of an empty list, which is not written to. */
const NO_LINES: string[] = []

/** Header fields in the order in which they were added or received. */
export class HeaderList implements Iterable<readonly [name: string, value: string]> {
  /** Name, its lower case and the value of each line. */
  #lines = NO_LINES
  /** Whether other lists have the same array: it is copied before it is changed. */
  #isShared = true
  #isUnchecked = false

  /** @throws {TypeError} when a name is not a token or a value holds control characters or characters beyond Latin-1 */
  constructor(init?: HeadersInit) {
    if (init !== undefined) this.appendAll(init)
  }

  /** Number of field lines. */
  get size(): number {
    return this.#lines.length / 3
  }

  /** The value of a field; several lines are joined with `, ` (RFC 9110 §5.3), and `null` means that there is none. */
  get(name: string): string | null {
    const key = keyOf(name)
    const lines = this.#lines
    let joined: string | null = null
    for (let i = 1; i < lines.length; i += 3) {
      if (lines[i] === key) joined = joined === null ? lines[i + 1] : `${joined}, ${lines[i + 1]}`
    }
    return joined
  }

  /** The value of every line of that name, in order. */
  getAll(name: string): string[] {
    const key = keyOf(name)
    const lines = this.#lines
    const values: string[] = []
    for (let i = 1; i < lines.length; i += 3) if (lines[i] === key) values.push(lines[i + 1])
    return values
  }

  /**
   * The elements of a comma-separated list field over all its lines, in lower case. Those of Connection are tokens, in
   * which a quote quotes nothing (RFC 9110 §7.6.1).
   */
  tokens(name: string): string[] {
    const value = this.get(name)
    if (value === null) return []
    const items = keyOf(name) === 'connection' ? value.split(',').map(trimOws) : splitList(value)
    return items.filter((item) => item !== '').map((item) => item.toLowerCase())
  }

  /** Whether there is a line of that name. */
  has(name: string): boolean {
    return this.#find(keyOf(name)) !== -1
  }

  /**
   * Adds a line at the end.
   * @throws {TypeError} when the name is not a token, or the value could break out of its line (RFC 9110 §5.5)
   */
  append(name: string, value: string | number): this {
    const text = typeof value === 'number' ? String(value) : trimOws(String(value))
    checkField(name, text)
    this.#own().push(name, keyOf(name), text)
    return this
  }

  /** Adds a line that the reader has validated already. Not for values that come from elsewhere. */
  appendUnchecked(name: string, value: string): this {
    this.#isUnchecked = true
    this.#own().push(name, keyOf(name), value)
    return this
  }

  /** Adds to the value of the last line, as a folded line does (RFC 9112 §5.2). Validated by the reader already. */
  extendLastUnchecked(text: string): void {
    this.#isUnchecked = true
    const lines = this.#own()
    const last = lines.length - 1
    lines[last] = lines[last] === '' ? text : `${lines[last]} ${text}`
  }

  /**
   * Replaces all lines of that name by one, at the place of the first.
   * @throws {TypeError} as `append`
   */
  set(name: string, value: string | number): this {
    const first = this.#find(keyOf(name))
    if (first === -1) return this.append(name, value)
    const text = trimOws(String(value))
    checkField(name, text)
    const key = keyOf(name)
    this.#removeAfter(key, first + 3)
    const lines = this.#own()
    lines[first - 1] = name
    lines[first + 1] = text
    return this
  }

  /** Adds a line unless there is one of that name. @throws {TypeError} as `append` */
  setDefault(name: string, value: string | number): this {
    return this.has(name) ? this : this.append(name, value)
  }

  /** Removes every line of that name; returns whether there was one. */
  delete(name: string): boolean {
    const key = keyOf(name)
    const first = this.#find(key)
    if (first !== -1) this.#removeAfter(key, first)
    return first !== -1
  }

  /**
   * Adds all lines of `init`; an array value becomes several lines, `undefined` none. @throws {TypeError} as `append`
   */
  appendAll(init: HeadersInit): this {
    for (const [name, value] of entriesOf(init)) this.append(name, value)
    return this
  }

  /** Replaces, name by name, what `init` names. @throws {TypeError} as `append` */
  setAll(init: HeadersInit): this {
    const entries = entriesOf(init)
    if (this.#lines.length > 0) for (const [name] of entries) this.delete(name)
    for (const [name, value] of entries) this.append(name, value)
    return this
  }

  /** A list of its own with the same lines. Costs little: lines are copied by whichever list changes first. */
  clone(): HeaderList {
    const copy = new HeaderList()
    copy.#lines = this.#lines
    copy.#isUnchecked = this.#isUnchecked
    this.#isShared = true
    return copy
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.#lines.length; i += 3) yield [this.#lines[i], this.#lines[i + 2]]
  }

  /** The lines as pairs, for printing and comparing. */
  toJSON(): [string, string][] {
    return [...this]
  }

  /**
   * The lines as they stand in a message, each with its CRLF.
   * @throws {TypeError} for a line that was added unchecked and could break out of its line
   */
  toLines(): string {
    const lines = this.#lines
    let text = ''
    for (let i = 0; i < lines.length; i += 3) {
      if (this.#isUnchecked) checkField(lines[i], lines[i + 2])
      text += `${lines[i]}: ${lines[i + 2]}\r\n`
    }
    return text
  }

  /** The array, alone this list's from now on. */
  #own(): string[] {
    if (this.#isShared) {
      this.#lines = this.#lines.slice()
      this.#isShared = false
    }
    return this.#lines
  }

  /** Where the key of the first line of that name stands; -1 when there is none. */
  #find(key: string): number {
    const lines = this.#lines
    for (let i = 1; i < lines.length; i += 3) if (lines[i] === key) return i
    return -1
  }

  /** Removes the lines of that name whose keys stand at `from` or behind it. */
  #removeAfter(key: string, from: number): void {
    const lines = this.#own()
    for (let i = lines.length - 2; i >= from; i -= 3) if (lines[i] === key) lines.splice(i - 1, 3)
  }
}

function entriesOf(init: HeadersInit): (readonly [string, string | number])[] {
  if (init instanceof HeaderList) return init.toJSON()
  if (Symbol.iterator in init) return [...(init as Iterable<readonly [string, string]>)].map(([n, v]) => [n, v])
  const entries: [string, string | number][] = []
  const record = init as Record<string, string | number | readonly string[] | undefined>
  for (const name of Object.keys(record)) {
    const value = record[name]
    if (Array.isArray(value)) for (const one of value) entries.push([name, one])
    else if (value !== undefined) entries.push([name, value as string | number])
  }
  return entries
}

/**
 * Checks that a field can be written as one line and nothing else.
 * @throws {TypeError} when the name is not a token (RFC 9110 §5.1) or the value holds CR, LF, NUL, other controls or
 *   non-Latin-1
 */
export function checkField(name: string, value: string): void {
  if (!KEYS.has(name)) {
    if (!isToken(name))
      throw new TypeError(`header name ${JSON.stringify(name)} is not a token; use letters, digits and '-'`)
    if (KEYS.size < KNOWN_NAMES && name.length <= 64) KEYS.set(name, name.toLowerCase())
  }
  if (!isFieldValue(value)) {
    throw new TypeError(`the value of header ${name} holds a control or non-Latin-1 character; encode it first`)
  }
}
