// The header section as an ordered list: names compare without case, and are kept as they were written.
// Owns: HeaderList and the test that no name or value can break out of its line. Does not own: what a field means.
// Read first: RFC 9110 §5.1-5.5 (field names, order, values), §5.3 (combining lines of one name).
import { isFieldValue, isToken, splitList, trimOws } from './grammar.ts'

/** Anything that a HeaderList can be made of; an array value becomes one line for each element. */
export type HeadersInit =
  | HeaderList
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | number | readonly string[] | undefined>>

/** Header fields in the order in which they were added or received. */
export class HeaderList implements Iterable<readonly [name: string, value: string]> {
  #names: string[] = []
  #keys: string[] = []
  #values: string[] = []

  /** @throws {TypeError} when a name is not a token or a value holds control characters or characters beyond Latin-1 */
  constructor(init?: HeadersInit) {
    if (init !== undefined) this.appendAll(init)
  }

  /** Number of field lines. */
  get size(): number {
    return this.#names.length
  }

  /** The value of a field; several lines are joined with `, ` (RFC 9110 §5.3), and `null` means that there is none. */
  get(name: string): string | null {
    const key = name.toLowerCase()
    let joined: string | null = null
    for (let i = 0; i < this.#keys.length; i++) {
      if (this.#keys[i] === key) joined = joined === null ? this.#values[i] : `${joined}, ${this.#values[i]}`
    }
    return joined
  }

  /** The value of every line of that name, in order. */
  getAll(name: string): string[] {
    const key = name.toLowerCase()
    return this.#values.filter((_, i) => this.#keys[i] === key)
  }

  /**
   * The elements of a comma-separated list field over all its lines, in lower case. Those of Connection are tokens, in
   * which a quote quotes nothing (RFC 9110 §7.6.1).
   */
  tokens(name: string): string[] {
    const value = this.get(name)
    if (value === null) return []
    const items = name.toLowerCase() === 'connection' ? value.split(',').map(trimOws) : splitList(value)
    return items.filter((item) => item !== '').map((item) => item.toLowerCase())
  }

  /** Whether there is a line of that name. */
  has(name: string): boolean {
    return this.#keys.includes(name.toLowerCase())
  }

  /**
   * Adds a line at the end.
   * @throws {TypeError} when the name is not a token, or the value could break out of its line (RFC 9110 §5.5)
   */
  append(name: string, value: string | number): this {
    const text = trimOws(String(value))
    checkField(name, text)
    return this.appendUnchecked(name, text)
  }

  /** Adds a line that the reader has validated already. Not for values that come from elsewhere. */
  appendUnchecked(name: string, value: string): this {
    this.#names.push(name)
    this.#keys.push(name.toLowerCase())
    this.#values.push(value)
    return this
  }

  /** Adds to the value of the last line, as a folded line does (RFC 9112 §5.2). Validated by the reader already. */
  extendLastUnchecked(text: string): void {
    const last = this.#values.length - 1
    this.#values[last] = this.#values[last] === '' ? text : `${this.#values[last]} ${text}`
  }

  /**
   * Replaces all lines of that name by one, at the place of the first.
   * @throws {TypeError} as `append`
   */
  set(name: string, value: string | number): this {
    const text = trimOws(String(value))
    checkField(name, text)
    const first = this.#keys.indexOf(name.toLowerCase())
    if (first === -1) return this.appendUnchecked(name, text)
    this.#removeAfter(name.toLowerCase(), first + 1)
    this.#names[first] = name
    this.#values[first] = text
    return this
  }

  /** Adds a line unless there is one of that name. @throws {TypeError} as `append` */
  setDefault(name: string, value: string | number): this {
    return this.has(name) ? this : this.append(name, value)
  }

  /** Removes every line of that name; returns whether there was one. */
  delete(name: string): boolean {
    const before = this.#names.length
    this.#removeAfter(name.toLowerCase(), 0)
    return this.#names.length < before
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
    for (const [name] of entries) this.delete(name)
    for (const [name, value] of entries) this.append(name, value)
    return this
  }

  /** A list of its own with the same lines. */
  clone(): HeaderList {
    const copy = new HeaderList()
    for (let i = 0; i < this.#names.length; i++) copy.appendUnchecked(this.#names[i], this.#values[i])
    return copy
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.#names.length; i++) yield [this.#names[i], this.#values[i]]
  }

  /** The lines as pairs, for printing and comparing. */
  toJSON(): [string, string][] {
    return [...this]
  }

  #removeAfter(key: string, from: number): void {
    for (let i = this.#keys.length - 1; i >= from; i--) {
      if (this.#keys[i] !== key) continue
      this.#names.splice(i, 1)
      this.#keys.splice(i, 1)
      this.#values.splice(i, 1)
    }
  }
}

function entriesOf(init: HeadersInit): [string, string | number][] {
  if (Symbol.iterator in init) return [...(init as Iterable<readonly [string, string]>)].map(([n, v]) => [n, v])
  const entries: [string, string | number][] = []
  for (const [name, value] of Object.entries(init as Record<string, string | number | readonly string[] | undefined>)) {
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
  if (!isToken(name))
    throw new TypeError(`header name ${JSON.stringify(name)} is not a token; use letters, digits and '-'`)
  if (!isFieldValue(value)) {
    throw new TypeError(`the value of header ${name} holds a control or non-Latin-1 character; encode it first`)
  }
}
