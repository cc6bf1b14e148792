// The Python between `%{` and `}%`, as far as scripts use it: assert, print, assignments and expressions over the fields of tcp_info.
// Owns: statements, names that live on from one piece of code to the next. Does not own: expressions (python-expression.ts).
// DEVIATION: the original gathers all code and runs it after the script; here it runs where it stands, so that a failure ends the script
// there.

import { CONSTANTS } from './constants.ts'
import { freebsdConstant } from './constants-freebsd.ts'
import { Expression, formatPython, type PythonValue, truth } from './python-expression.ts'

/** The code cannot be understood, or an assertion of it does not hold. */
export class PythonError extends Error {
  override name = 'PythonError'
  /** Within the code, counted from 1. */
  readonly line: number
  /** The assertion, and the values of its names; '' for other errors. */
  readonly expected: string
  readonly actual: string

  constructor(message: string, line: number, expected = '', actual = '') {
    super(message)
    this.line = line
    this.expected = expected
    this.actual = actual
  }
}

interface Line {
  readonly number: number
  readonly indent: number
  readonly text: string
}

/** An evaluator whose names live as long as it. */
export class Python {
  readonly #names = new Map<string, PythonValue>()
  #info: Readonly<Record<string, number>> = {}
  #printed: string[] = []

  /**
   * Runs a piece of code and returns what it prints.
   * @param info fields of tcp_info, which the code sees as names
   * @throws {PythonError}
   */
  run(code: string, info: Readonly<Record<string, number>>): readonly string[] {
    this.#info = info
    this.#printed = []
    this.#block(linesOf(code))
    return this.#printed
  }

  /** The code with the values that are true now in the place of those that its assertions compare with. */
  fill(code: string, info: Readonly<Record<string, number>>): string {
    this.#info = info
    return code.replace(/(assert\s+)([^=<>!,;\n]+?)\s*==\s*([^,;\n]+)/g, (_, word: string, asked: string) => {
      return `${word}${asked} == ${formatPython(this.#evaluate(asked, 1))}`
    })
  }

  /** Runs lines; those that are indented below an `if` belong to it. */
  #block(lines: readonly Line[]): void {
    let i = 0
    let taken: boolean | null = null
    while (i < lines.length) {
      const { text, number, indent } = lines[i]
      if (/^for\b/.test(text)) {
        taken = null
        i = this.#loop(lines, i)
        continue
      }
      const branch = /^(if|elif|else)\b(.*)$/s.exec(text)
      if (branch === null) {
        taken = null
        for (const statement of splitAt(text, ';')) this.#statement(statement.trim(), number)
        i++
        continue
      }
      const { condition, rest } = this.#branch(branch[1], branch[2], number)
      let end = i + 1
      while (end < lines.length && lines[end].indent > indent) end++
      const body = rest === '' ? lines.slice(i + 1, end) : [{ number, indent: indent + 1, text: rest }]
      if (branch[1] === 'if') taken = null
      const holds: boolean = taken !== true && (condition === '' || truth(this.#evaluate(condition, number)))
      if (holds) this.#block(body)
      taken = taken === true || holds
      i = end
    }
  }

  /** `for name in list:` with the lines that belong to it; returns the index of the line after them. */
  #loop(lines: readonly Line[], at: number): number {
    const { text, number, indent } = lines[at]
    const found = /^for\s+([\w\s,()]+?)\s+in\s+(.*)$/s.exec(text)
    const [list, ...more] = splitAt(found?.[2] ?? '', ':')
    if (found === null || more.length === 0) throw new PythonError("'for' is written: for NAME in LIST:", number)
    const rest = more.join(':').trim()
    let end = at + 1
    while (end < lines.length && lines[end].indent > indent) end++
    const body = rest === '' ? lines.slice(at + 1, end) : [{ number, indent: indent + 1, text: rest }]
    const names = found[1]
      .replace(/[()]/g, '')
      .split(',')
      .map((name) => name.trim())
    const items = this.#evaluate(list, number)
    if (!Array.isArray(items)) throw new PythonError(`'for' takes a list, not ${formatPython(items)}`, number)
    for (const item of items as readonly PythonValue[]) {
      for (const [i, name] of names.entries()) {
        this.#names.set(name, names.length === 1 ? item : ((Array.isArray(item) ? item[i] : null) as PythonValue))
      }
      this.#block(body)
    }
    return end
  }

  #branch(word: string, text: string, line: number): { condition: string; rest: string } {
    const parts = splitAt(text, ':')
    if (parts.length < 2) throw new PythonError(`'${word}' has no ':'`, line)
    return { condition: word === 'else' ? '' : parts[0].trim(), rest: parts.slice(1).join(':').trim() }
  }

  #statement(text: string, line: number): void {
    if (text === '' || text === 'pass' || /^(import|from)\s/.test(text)) return
    if (/^(def|while|class|try|with|lambda|raise|global|return)\b/.test(text)) {
      throw new PythonError(
        `'${text.split(/\W/, 1)[0]}' is not supported: assert, print, if, for and assignments are`,
        line,
      )
    }
    if (/^assert\b/.test(text)) {
      this.#assert(text.slice(6).trim(), line)
      return
    }
    const print = /^print\b\s*(.*)$/s.exec(text)
    if (print !== null) {
      this.#print(print[1].trim(), line)
      return
    }
    const assignment = /^([A-Za-z_]\w*)\s*(\+|-|\*|\/\/|\||&|)=(?!=)\s*(.*)$/s.exec(text)
    if (assignment !== null) {
      const [, name, operator, value] = assignment
      const source = operator === '' ? value : `${name} ${operator} (${value})`
      this.#names.set(name, this.#evaluate(source, line))
      return
    }
    this.#evaluate(text, line)
  }

  #assert(text: string, line: number): void {
    const expression = this.#parse(text, line)
    const [condition, message] = expression.alternatives()
    if (truth(this.#value(condition, line))) return
    const names = expression.names().filter((name) => !(name in CONSTANTS))
    const values = names.map((name) => `${name} = ${formatPython(this.#lookup(name, line))}`)
    const said = message === null ? '' : `: ${formatPython(this.#value(message, line))}`
    throw new PythonError(`assertion failed${said}`, line, `assert ${text.replace(/\s+/g, ' ')}`, values.join(', '))
  }

  #print(text: string, line: number): void {
    const inner = /^\((.*)\)$/s.exec(text)
    const parts = splitAt(inner === null ? text : inner[1], ',').filter((part) => part.trim() !== '')
    this.#printed.push(parts.map((part) => formatPython(this.#evaluate(part, line), false)).join(' '))
  }

  #parse(text: string, line: number): Expression {
    try {
      return new Expression(text)
    } catch (error) {
      throw new PythonError(`in code: ${error instanceof Error ? error.message : String(error)}`, line)
    }
  }

  #evaluate(text: string, line: number): PythonValue {
    return this.#value(this.#parse(text.trim(), line).root, line)
  }

  #value(node: Expression['root'], line: number): PythonValue {
    try {
      return Expression.evaluate(node, (name) => this.#lookup(name, line))
    } catch (error) {
      if (error instanceof PythonError) throw error
      throw new PythonError(`in code: ${error instanceof Error ? error.message : String(error)}`, line)
    }
  }

  #lookup(name: string, line: number): PythonValue {
    const own = this.#names.get(name)
    if (own !== undefined) return own
    const value = this.#info[name] ?? CONSTANTS[name] ?? freebsdConstant(name) ?? undefined
    if (value === undefined) throw new PythonError(`in code: the name '${name}' is not defined`, line)
    return value
  }
}

/** The code with one assertion negated, for each of its assertions. */
export function assertionsNegated(code: string): string[] {
  const lines = linesOf(code).map((line) => ({ ...line, statements: splitAt(line.text, ';') }))
  const variants: string[] = []
  for (const [i, line] of lines.entries()) {
    for (const [j, statement] of line.statements.entries()) {
      const found = /^(\s*(?:(?:if|elif)\b.*:\s*)?assert)\b(.*)$/s.exec(statement)
      if (found === null) continue
      const [condition, ...message] = splitAt(found[2], ',')
      const negated = [`${found[1]} not (${condition.trim()})`, ...message].join(',')
      const changed = lines.with(i, { ...line, statements: line.statements.with(j, negated) })
      variants.push(changed.map(({ indent, statements }) => ' '.repeat(indent) + statements.join(';')).join('\n'))
    }
  }
  return variants
}

/** Lines without comments; those within brackets, or before a backslash, joined. */
function linesOf(code: string): Line[] {
  const lines: Line[] = []
  let open = 0
  let continued = false
  for (const [i, raw] of code.split('\n').entries()) {
    const text = withoutComment(raw)
    const previous = lines.at(-1)
    const joined = (open > 0 || continued) && previous !== undefined
    continued = /\\\s*$/.test(text)
    const clean = text.replace(/\\\s*$/, '')
    if (joined) lines[lines.length - 1] = { ...previous, text: `${previous.text} ${clean.trim()}` }
    else if (clean.trim() !== '')
      lines.push({ number: i + 1, indent: clean.length - clean.trimStart().length, text: clean.trim() })
    else continue
    open = Math.max(0, (joined ? open : 0) + depthOf(clean))
  }
  return lines
}

function withoutComment(line: string): string {
  return splitAt(line, '#')[0]
}

function depthOf(text: string): number {
  let depth = 0
  for (const c of text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, ''))
    depth += '([{'.includes(c) ? 1 : ')]}'.includes(c) ? -1 : 0
  return depth
}

/** Parts of a text between separators that stand outside strings and brackets. */
function splitAt(text: string, separator: string): string[] {
  const parts: string[] = []
  let depth = 0
  let quote = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (quote !== '') {
      if (c === '\\') i++
      else if (c === quote) quote = ''
    } else if (c === '"' || c === "'") quote = c
    else if (c === separator && depth <= 0) {
      parts.push(text.slice(from, i))
      from = i + 1
    } else depth += '([{'.includes(c) ? 1 : ')]}'.includes(c) ? -1 : 0
  }
  parts.push(text.slice(from))
  return parts
}
