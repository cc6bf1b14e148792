// Python's expressions: numbers, names, comparisons in a chain, logic, arithmetic, bits, a few functions.
// Owns: their grammar and value. Does not own: statements and names (python.ts).

/** A value of Python. */
export type PythonValue = number | string | boolean | null | readonly PythonValue[]

type Node =
  | { readonly kind: 'value'; readonly value: PythonValue }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Node[] }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Node }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Node; readonly right: Node }
  | { readonly kind: 'logic'; readonly operator: 'and' | 'or'; readonly left: Node; readonly right: Node }
  | { readonly kind: 'compare'; readonly operators: readonly string[]; readonly operands: readonly Node[] }
  | { readonly kind: 'choice'; readonly condition: Node; readonly then: Node; readonly otherwise: Node }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Node[] }
  | { readonly kind: 'format'; readonly parts: readonly (string | Node)[] }
  | { readonly kind: 'index'; readonly of: Node; readonly at: Node }

const NUMBER = /0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+|\d+(?:[eE][-+]?\d+)?/.source
const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/.source
const SIGN = /\*\*|\/\/|<<|>>|<=|>=|==|!=|<>|[-+*/%&|^~<>()[\],{}:]/.source
const TOKEN = new RegExp(`\\s*(${NUMBER}|[fF](?:${STRING})|[A-Za-z_][\\w.]*|${STRING}|${SIGN})`, 'y')

const COMPARISONS = ['==', '!=', '<>', '<=', '>=', '<', '>', 'in', 'is']

const LEVELS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']]

/** An expression, or several with commas between them, as `assert condition, message` has. */
export class Expression {
  /** The expression; of several a list. */
  readonly root: Node
  readonly #tokens: string[] = []
  #at = 0

  /** @throws {SyntaxError} for what is not understood */
  constructor(text: string) {
    TOKEN.lastIndex = 0
    while (TOKEN.lastIndex < text.length) {
      const from = TOKEN.lastIndex
      const found = TOKEN.exec(text)
      if (found === null) {
        if (text.slice(from).trim() === '') break
        throw new SyntaxError(`'${text.slice(from).trim().slice(0, 20)}' is not understood`)
      }
      this.#tokens.push(found[1])
    }
    const items = [this.#choice()]
    let isList = false
    while (this.#take(',')) {
      isList = true
      if (this.#at < this.#tokens.length) items.push(this.#choice())
    }
    if (this.#at < this.#tokens.length) throw new SyntaxError(`'${this.#tokens[this.#at]}' is not understood here`)
    this.root = isList ? { kind: 'list', items } : items[0]
  }

  /** What stands before and after the first comma; null for what is not there. */
  alternatives(): [Node, Node | null] {
    if (this.root.kind !== 'list' || this.root.items.length < 2) return [this.root, null]
    return [this.root.items[0], this.root.items[1]]
  }

  /** The names in it, each once. */
  names(): string[] {
    return [...new Set(this.#tokens.filter((token, i) => this.#isName(token, i)))]
  }

  #isName(token: string, i: number): boolean {
    return /^[A-Za-z_]/.test(token) && !/["']$/.test(token) && !KEYWORDS.has(token) && this.#tokens[i + 1] !== '('
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false
    this.#at++
    return true
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw new SyntaxError(`expected '${token}', found '${this.#tokens[this.#at] ?? 'the end'}'`)
  }

  #choice(): Node {
    const then = this.#or()
    if (!this.#take('if')) return then
    const condition = this.#or()
    this.#expect('else')
    return { kind: 'choice', condition, then, otherwise: this.#choice() }
  }

  #or(): Node {
    let left = this.#and()
    while (this.#take('or')) left = { kind: 'logic', operator: 'or', left, right: this.#and() }
    return left
  }

  #and(): Node {
    let left = this.#not()
    while (this.#take('and')) left = { kind: 'logic', operator: 'and', left, right: this.#not() }
    return left
  }

  #not(): Node {
    return this.#take('not') ? { kind: 'unary', operator: 'not', operand: this.#not() } : this.#comparison()
  }

  #comparison(): Node {
    const operands = [this.#level(0)]
    const operators: string[] = []
    for (;;) {
      const operator = this.#comparisonOperator()
      if (operator === null) break
      operators.push(operator)
      operands.push(this.#level(0))
    }
    return operators.length === 0 ? operands[0] : { kind: 'compare', operators, operands }
  }

  #comparisonOperator(): string | null {
    if (this.#tokens[this.#at] === 'not' && this.#tokens[this.#at + 1] === 'in') {
      this.#at += 2
      return 'not in'
    }
    const operator = COMPARISONS.find((one) => this.#take(one))
    if (operator === undefined) return null
    if (operator === 'is') return this.#take('not') ? '!=' : '=='
    return operator === '<>' ? '!=' : operator
  }

  #level(level: number): Node {
    if (level === LEVELS.length) return this.#unary()
    let left = this.#level(level + 1)
    for (;;) {
      const operator = LEVELS[level].find((one) => this.#take(one))
      if (operator === undefined) return left
      left = { kind: 'binary', operator, left, right: this.#level(level + 1) }
    }
  }

  #unary(): Node {
    for (const operator of ['-', '+', '~'])
      if (this.#take(operator)) return { kind: 'unary', operator, operand: this.#unary() }
    const base = this.#postfix()
    return this.#take('**') ? { kind: 'binary', operator: '**', left: base, right: this.#unary() } : base
  }

  #postfix(): Node {
    let node = this.#atom()
    while (this.#take('[')) {
      node = { kind: 'index', of: node, at: this.#choice() }
      this.#expect(']')
    }
    return node
  }

  #atom(): Node {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw new SyntaxError('something is missing at the end')
    if (token === '(' || token === '[' || token === '{') return this.#group(token)
    if (/^[fF]["']/.test(token)) return { kind: 'format', parts: formatParts(unquote(token.slice(1))) }
    if (/^["']/.test(token)) return { kind: 'value', value: unquote(token) }
    if (/^[\d.]/.test(token)) return { kind: 'value', value: Number(token) }
    if (token === 'True' || token === 'False') return { kind: 'value', value: token === 'True' }
    if (token === 'None') return { kind: 'value', value: null }
    if (!/^[A-Za-z_]/.test(token) || KEYWORDS.has(token)) throw new SyntaxError(`'${token}' is not understood here`)
    if (!this.#take('(')) return { kind: 'name', name: token }
    return { kind: 'call', name: token, args: this.#items(')') }
  }

  #group(open: string): Node {
    const close = open === '(' ? ')' : open === '[' ? ']' : '}'
    const from = this.#at
    const items = this.#items(close)
    const hasComma = items.length !== 1 || this.#tokens[this.#at - 2] === ','
    if (open === '(' && !hasComma && this.#at > from) return items[0]
    return { kind: 'list', items }
  }

  #items(close: string): Node[] {
    const items: Node[] = []
    while (!this.#take(close)) {
      items.push(this.#choice())
      if (!this.#take(',')) {
        this.#expect(close)
        break
      }
    }
    return items
  }

  /** The value of a part of an expression. @throws {TypeError} when an operation has no meaning; whatever `lookup` throws */
  static evaluate(node: Node, lookup: (name: string) => PythonValue): PythonValue {
    const value = (one: Node): PythonValue => Expression.evaluate(one, lookup)
    switch (node.kind) {
      case 'value':
        return node.value
      case 'name':
        return lookup(node.name)
      case 'list':
        return node.items.map(value)
      case 'unary':
        return unary(node.operator, value(node.operand))
      case 'binary':
        return binary(node.operator, value(node.left), value(node.right))
      case 'logic': {
        const left = value(node.left)
        return truth(left) === (node.operator === 'or') ? left : value(node.right)
      }
      case 'compare':
        return node.operators.every((operator, i) =>
          compare(operator, value(node.operands[i]), value(node.operands[i + 1])),
        )
      case 'choice':
        return truth(value(node.condition)) ? value(node.then) : value(node.otherwise)
      case 'call':
        return call(node.name, node.args.map(value))
      case 'format':
        return node.parts.map((part) => (typeof part === 'string' ? part : formatPython(value(part), false))).join('')
      case 'index':
        return index(value(node.of), value(node.at))
    }
  }
}

const KEYWORDS = new Set(['and', 'or', 'not', 'in', 'is', 'if', 'else', 'True', 'False', 'None', 'lambda', 'for'])

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t' }

function unquote(token: string): string {
  return token.slice(1, -1).replace(/\\(.)/g, (_, c: string) => ESCAPES[c] ?? c)
}

/** The pieces of f'text {expression}': what stands behind a colon, the format, is passed over. */
function formatParts(text: string): (string | Node)[] {
  const parts = text.split(/(\{\{|\}\}|\{[^{}]*\})/)
  return parts.map((part) => {
    if (part === '{{' || part === '}}') return part[0]
    if (!part.startsWith('{')) return part
    return new Expression(part.slice(1, -1).replace(/(?:![rsa])?(?::[^:\]]*)?$|=$/, '')).root
  })
}

/** Whether Python takes a value for true. */
export function truth(value: PythonValue): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value)
}

/** A value as Python prints it; text in quotes by default. */
export function formatPython(value: PythonValue, quotes = true): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string') return quotes ? `'${value}'` : value
  if (typeof value === 'number') return String(value)
  return `[${value.map((item) => formatPython(item)).join(', ')}]`
}

function numberOf(value: PythonValue, operator: string): number {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  throw new TypeError(`'${operator}' takes numbers, not ${formatPython(value)}`)
}

function unary(operator: string, value: PythonValue): PythonValue {
  if (operator === 'not') return !truth(value)
  const number = numberOf(value, operator)
  return operator === '-' ? -number : operator === '~' ? -number - 1 : number
}

function binary(operator: string, left: PythonValue, right: PythonValue): PythonValue {
  if (operator === '%' && typeof left === 'string') return formatPercent(left, Array.isArray(right) ? right : [right])
  if (operator === '+' && typeof left === 'string' && typeof right === 'string') return left + right
  const a = numberOf(left, operator)
  const b = numberOf(right, operator)
  if ((operator === '/' || operator === '//' || operator === '%') && b === 0) throw new TypeError('division by zero')
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '//':
      return Math.floor(a / b)
    case '%':
      return a - b * Math.floor(a / b)
    case '**':
      return a ** b
    case '<<':
      return a * 2 ** b
    case '>>':
      return Math.floor(a / 2 ** b)
    default:
      return bits(operator, a, b)
  }
}

function bits(operator: string, a: number, b: number): number {
  if (!Number.isInteger(a) || !Number.isInteger(b)) throw new TypeError(`'${operator}' takes whole numbers`)
  const x = BigInt(a)
  const y = BigInt(b)
  return Number(operator === '|' ? x | y : operator === '&' ? x & y : x ^ y)
}

/** `'%d of %s' % (1, 2)`. */
function formatPercent(text: string, values: readonly PythonValue[]): string {
  let next = 0
  return text.replace(/%(?:%|[-+ 0#]*\d*(?:\.\d+)?[diufgxXrs])/g, (directive) => {
    if (directive === '%%') return '%'
    const value = values[next++] ?? null
    if (/[xX]$/.test(directive) && typeof value === 'number') return value.toString(16)
    return formatPython(value, directive.endsWith('r'))
  })
}

function compare(operator: string, left: PythonValue, right: PythonValue): boolean {
  switch (operator) {
    case '==':
      return same(left, right)
    case '!=':
      return !same(left, right)
    case 'in':
      return contains(right, left)
    case 'not in':
      return !contains(right, left)
  }
  if (typeof left === 'string' && typeof right === 'string')
    return ordered(operator, left < right ? -1 : left > right ? 1 : 0)
  return ordered(operator, numberOf(left, operator) - numberOf(right, operator))
}

function ordered(operator: string, difference: number): boolean {
  if (operator === '<') return difference < 0
  if (operator === '<=') return difference <= 0
  return operator === '>' ? difference > 0 : difference >= 0
}

function same(left: PythonValue, right: PythonValue): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => same(item, right[i]))
  }
  if (typeof left === 'boolean' && typeof right === 'number') return Number(left) === right
  if (typeof right === 'boolean' && typeof left === 'number') return Number(right) === left
  return left === right
}

function contains(all: PythonValue, one: PythonValue): boolean {
  if (typeof all === 'string' && typeof one === 'string') return all.includes(one)
  if (!Array.isArray(all)) throw new TypeError(`'in' takes a list, not ${formatPython(all)}`)
  return all.some((item: PythonValue) => same(item, one))
}

function index(of: PythonValue, at: PythonValue): PythonValue {
  const i = numberOf(at, '[]')
  const value = Array.isArray(of) || typeof of === 'string' ? of.at(i) : undefined
  if (value === undefined) throw new TypeError(`${formatPython(of)} has no [${i}]`)
  return value as PythonValue
}

function call(name: string, args: readonly PythonValue[]): PythonValue {
  const list = args.length === 1 && Array.isArray(args[0]) ? (args[0] as readonly PythonValue[]) : args
  const numbers = (): number[] => list.map((one) => numberOf(one, name))
  switch (name) {
    case 'abs':
      return Math.abs(numberOf(args[0] ?? null, name))
    case 'min':
      return Math.min(...numbers())
    case 'max':
      return Math.max(...numbers())
    case 'int':
      return typeof args[0] === 'string' ? Number.parseInt(args[0], 10) : Math.trunc(numberOf(args[0] ?? null, name))
    case 'float':
      return Number(args[0])
    case 'bool':
      return truth(args[0] ?? null)
    case 'round':
      return Math.round(numberOf(args[0] ?? null, name))
    case 'str':
    case 'repr':
      return formatPython(args[0] ?? null, name === 'repr')
    case 'any':
      return list.some(truth)
    case 'all':
      return list.every(truth)
    case 'hex':
      return `0x${numberOf(args[0] ?? null, name).toString(16)}`
    case 'len':
      return Array.isArray(args[0]) || typeof args[0] === 'string' ? args[0].length : 0
    case 'sum':
      return numbers().reduce((a, b) => a + b, 0)
    case 'range':
      return Array.from(
        { length: numbers().at(-1)! - (args.length > 1 ? numbers()[0] : 0) },
        (_, i) => i + (args.length > 1 ? numbers()[0] : 0),
      )
    default:
      throw new TypeError(`the function '${name}' is not known`)
  }
}
