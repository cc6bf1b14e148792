// A cursor over a script's text: white space, comments, words and numbers, and complaints that know their place.
// Owns: where we are in the text. Does not own: what stands there (parser.ts and its parts).
// What a token is depends on where it stands (`1` may be flags, `.` an acknowledgement), so the parser asks for what it expects.

import type { Position } from './ast.ts'

/** The text cannot be understood at a place. */
export class ScriptSyntaxError extends Error {
  override name = 'ScriptSyntaxError'
  readonly line: number
  readonly column: number

  constructor(message: string, { line, column }: Position) {
    super(message)
    this.line = line
    this.column = column
  }
}

/** A cursor over the text of a script. */
export class Scanner {
  readonly text: string
  /** Index of the next character. */
  at = 0
  readonly #lineStarts: number[] = [0]

  constructor(text: string) {
    this.text = text
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) this.#lineStarts.push(i + 1)
  }

  /** Whether nothing but white space and comments is left; skips those. */
  get isAtEnd(): boolean {
    this.skip()
    return this.at >= this.text.length
  }

  /** The place of an index, by default of the next character. */
  position(at = this.at): Position {
    let low = 0
    let high = this.#lineStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#lineStarts[middle] <= at) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: at - this.#lineStarts[low] + 1 }
  }

  /** Skips white space and comments: two slashes, slash and asterisk, and a `#` that begins a line or follows white space. */
  skip(): void {
    const { text } = this
    while (this.at < text.length) {
      const c = text[this.at]
      if (c === ' ' || c === '\t' || c === '\n' || c === '\r') this.at++
      else if (c === '#' || text.startsWith('//', this.at)) this.#to('\n')
      else if (text.startsWith('/*', this.at)) this.#closeComment()
      else return
    }
  }

  #to(end: string): void {
    const i = this.text.indexOf(end, this.at)
    this.at = i < 0 ? this.text.length : i
  }

  #closeComment(): void {
    const end = this.text.indexOf('*/', this.at + 2)
    if (end < 0) this.fail('a comment that begins here is not closed: there is no */')
    this.at = end + 2
  }

  /** Whether this text stands next, after white space and comments. */
  sees(literal: string): boolean {
    this.skip()
    return this.text.startsWith(literal, this.at)
  }

  /** Takes this text if it stands next. */
  take(literal: string): boolean {
    if (!this.sees(literal)) return false
    this.at += literal.length
    return true
  }

  /** Takes what the sticky pattern matches, after white space and comments; null without a match. */
  match(pattern: RegExp): RegExpExecArray | null {
    this.skip()
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (found !== null) this.at += found[0].length
    return found
  }

  /** Takes a word of this name, not the beginning of a longer one. */
  takeWord(word: string): boolean {
    if (!this.sees(word)) return false
    if (/[A-Za-z0-9_]/.test(this.text[this.at + word.length] ?? '')) return false
    this.at += word.length
    return true
  }

  /** Takes this text. @throws {ScriptSyntaxError} when something else stands here */
  expect(literal: string, where: string): void {
    if (!this.take(literal)) this.fail(`expected '${literal}' ${where}, found ${this.ahead()}`)
  }

  /** A whole number: decimal or 0x. @throws {ScriptSyntaxError} naming what it should have been */
  whole(what: string): number {
    const found = this.match(/(0[xX][0-9a-fA-F]+|\d+)/y)
    if (found === null) this.fail(`expected ${what}, a whole number, found ${this.ahead()}`)
    return Number(found[1])
  }

  /** What stands next, for a complaint. */
  ahead(): string {
    this.skip()
    if (this.at >= this.text.length) return 'the end of the script'
    const rest = /^\S{1,20}/.exec(this.text.slice(this.at, this.at + 20))
    return `'${rest === null ? this.text[this.at] : rest[0]}'`
  }

  /** Complains about a place, by default about the next character. @throws {ScriptSyntaxError} always */
  fail(message: string, at = this.at): never {
    throw new ScriptSyntaxError(message, this.position(at))
  }
}
