// System calls in a script: `+0...0.3 connect(3, {sa_family = AF_INET, sin_port = htons(80)}, ...) = -1 EINPROGRESS (Operation ...)`.
// Owns: calls, their arguments and results. Does not own: times (parser.ts), what a call does (a target's).

import type { CallAction, ExpectedResult } from './ast.ts'
import { CONSTANTS, ERRNO, errnoName } from './constants.ts'
import { freebsdConstant } from './constants-freebsd.ts'
import type { Scanner } from './lexer.ts'
import type { Value } from './target.ts'

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const NOTE = /\(((?:[^()\n]|\([^()\n]*\))*)\)/y
const NUMBER = /(0[xX][0-9a-fA-F]+|\d+\.\d+|\d+)[uUlL]*(?![\w])/y

/** Functions that only say of which kind their argument is. */
const TRANSPARENT = new Set(['htons', 'htonl', 'ntohs', 'ntohl', 'inet_addr'])

/** Fields that have two names. */
const FIELD_ALIASES: Readonly<Record<string, string>> = {
  onoff: 'l_onoff',
  linger: 'l_linger',
  sin_family: 'sa_family',
  sin6_family: 'sa_family',
}

/** Whether a call stands next: a name and a parenthesis. */
export function seesCall(scanner: Scanner): boolean {
  scanner.skip()
  return /^[A-Za-z_][A-Za-z0-9_]*\s*\(/.test(scanner.text.slice(scanner.at, scanner.at + 60))
}

/** Reads a call and what it is to return. @throws {ScriptSyntaxError} */
export function parseCall(scanner: Scanner, blocksUntil: number): CallAction {
  const name = scanner.match(NAME)
  if (name === null) scanner.fail(`expected the name of a call, found ${scanner.ahead()}`)
  scanner.expect('(', `after ${name[0]}`)
  const args: Value[] = []
  if (!scanner.take(')')) {
    do args.push(parseValue(scanner))
    while (scanner.take(','))
    scanner.expect(')', `after the arguments of ${name[0]}`)
  }
  scanner.expect('=', `and the result of ${name[0]}`)
  const expected = parseResult(scanner)
  scanner.take(';')
  return { kind: 'call', name: name[0], args, expected, blocksUntil }
}

function parseResult(scanner: Scanner): ExpectedResult {
  if (scanner.take('?') || scanner.take('*')) return { least: null, most: null, errno: '', note: '' }
  if (scanner.take('...')) return { least: null, most: null, errno: '', note: '' }
  let least: number
  let most: number
  if (scanner.take('[')) {
    least = parseNumber(scanner)
    scanner.expect(',', 'between the bounds of a result')
    most = parseNumber(scanner)
    scanner.expect(']', 'after the bounds of a result')
  } else {
    least = parseNumber(scanner)
    most = scanner.take('...') || scanner.take('..') ? parseNumber(scanner) : least
  }
  const errno = parseErrno(scanner)
  return { least, most, errno, note: takeNote(scanner) }
}

function parseErrno(scanner: Scanner): string {
  const found = scanner.match(/E[A-Z0-9]+\b/y)
  if (found === null) return ''
  if (!(found[0] in ERRNO)) scanner.fail(`'${found[0]}' is no errno of Linux`, scanner.at - found[0].length)
  return errnoName(found[0])
}

/** `(Operation now in progress)` or `(flags O_RDWR)`: what strace prints, for people. */
function takeNote(scanner: Scanner): string {
  let note = ''
  for (let found = scanner.match(NOTE); found !== null; found = scanner.match(NOTE)) note += found[1]
  return note
}

function parseNumber(scanner: Scanner): number {
  const at = scanner.at
  // No sum: the + of the next line is its time.
  let value = parseUnary(scanner)
  while (typeof value === 'number' && scanner.take('|')) {
    const bit = parseUnary(scanner)
    if (typeof bit !== 'number') scanner.fail('a result is a number', at)
    value = applyOperator('|', value, bit)
  }
  if (typeof value !== 'number') scanner.fail('a result is a number', at)
  return value
}

/** Reads an argument. @throws {ScriptSyntaxError} */
export function parseValue(scanner: Scanner): Value {
  return parseBinary(scanner, 0)
}

const OPERATORS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '%']]

function parseBinary(scanner: Scanner, level: number): Value {
  if (level === OPERATORS.length) return parseUnary(scanner)
  let left = parseBinary(scanner, level + 1)
  for (;;) {
    const operator = OPERATORS[level].find((one) => scanner.sees(one))
    if (operator === undefined) return left
    const at = scanner.at
    scanner.take(operator)
    const right = parseBinary(scanner, level + 1)
    if (typeof left !== 'number' || typeof right !== 'number') {
      scanner.fail(`'${operator}' stands between two numbers`, at)
    }
    left = applyOperator(operator, left, right)
  }
}

function applyOperator(operator: string, left: number, right: number): number {
  switch (operator) {
    case '|':
      return Number(BigInt(left) | BigInt(right))
    case '&':
      return Number(BigInt(left) & BigInt(right))
    case '^':
      return Number(BigInt(left) ^ BigInt(right))
    case '<<':
      return left * 2 ** right
    case '>>':
      return Math.floor(left / 2 ** right)
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return Math.trunc(left / right)
    default:
      return left % right
  }
}

function parseUnary(scanner: Scanner): Value {
  if (scanner.take('...')) return null
  if (scanner.sees('-') || scanner.sees('~')) {
    const isMinus = scanner.take('-')
    if (!isMinus) scanner.take('~')
    const at = scanner.at
    const value = parseUnary(scanner)
    if (typeof value !== 'number') scanner.fail(`'${isMinus ? '-' : '~'}' stands before a number`, at)
    return isMinus ? -value : ~value
  }
  if (scanner.take('(')) {
    const value = parseValue(scanner)
    scanner.expect(')', 'to close the parenthesis')
    return value
  }
  if (scanner.sees('"')) return parseString(scanner)
  if (scanner.sees('[')) return parseArray(scanner)
  if (scanner.sees('{')) return parseStruct(scanner)
  const number = scanner.match(NUMBER)
  if (number !== null) return readNumber(number[1])
  const name = scanner.match(NAME)
  if (name === null) scanner.fail(`expected an argument, found ${scanner.ahead()}`)
  return parseNamed(scanner, name[0])
}

/** C's numbers: a leading 0 is octal. */
function readNumber(text: string): number {
  return /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text)
}

/** Reads a string in C's manner, with several in a row joined. @throws {ScriptSyntaxError} when it is not closed */
export function parseString(scanner: Scanner): string {
  let text = ''
  do {
    const found = scanner.match(/"((?:[^"\\\n]|\\.)*)"/y)
    if (found === null) scanner.fail('a string that begins here is not closed')
    text += found[1].replace(/\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)/g, (_, code: string) => unescapeOne(code))
  } while (scanner.sees('"'))
  return text
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }

function unescapeOne(code: string): string {
  if (code[0] === 'x' && code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
  if (/^[0-7]+$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
  return ESCAPES[code] ?? code
}

function parseArray(scanner: Scanner): Value {
  scanner.take('[')
  const items: Value[] = []
  if (scanner.take(']')) return items
  do items.push(parseValue(scanner))
  while (scanner.take(','))
  scanner.expect(']', 'to close the array')
  return items
}

/** `{field = value, ...}`, or `{..., 1000}` without names, which becomes an array. `msg_iov(1)=` says a count that we can count. */
function parseStruct(scanner: Scanner): Value {
  scanner.take('{')
  const fields: Record<string, Value> = {}
  const items: Value[] = []
  const from = scanner.at
  if (scanner.take('}')) return fields
  do {
    const field = scanner.match(/([A-Za-z_][A-Za-z0-9_.]*)\s*(\(\s*(?:\.\.\.|\w+)\s*\))?\s*=(?!=)/y)
    if (field === null) {
      items.push(parseValue(scanner))
      continue
    }
    const value = parseValue(scanner)
    fields[FIELD_ALIASES[field[1]] ?? field[1]] = value
  } while (scanner.take(','))
  scanner.expect('}', 'to close the structure')
  if (items.length === 0) return fields
  if (Object.keys(fields).length === 0) return items
  // A mixture: `{sa_family = AF_INET, ...}` says that the rest is not looked at.
  if (items.every((item) => item === null)) return fields
  return scanner.fail('either all or none of the fields of a structure have names', from)
}

function parseNamed(scanner: Scanner, name: string): Value {
  const at = scanner.at - name.length
  if (scanner.sees('(') && (TRANSPARENT.has(name) || name === 'inet_pton' || name === 'sizeof')) {
    return parseFunction(scanner, name)
  }
  const value = CONSTANTS[name] ?? ERRNO[name] ?? freebsdConstant(name)
  if (value !== null) return value
  switch (name) {
    case 'NULL':
      return 0
    case 'INADDR_ANY':
      return '0.0.0.0'
    case 'in6addr_any':
    case 'IN6ADDR_ANY_INIT':
      return '::'
    case 'in6addr_loopback':
      return '::1'
    default:
      return scanner.fail(`the name '${name}' is not known (see docs/packetdrill.md; -D ${name}=... defines it)`, at)
  }
}

function parseFunction(scanner: Scanner, name: string): Value {
  const at = scanner.at
  scanner.take('(')
  if (name === 'sizeof') {
    const found = scanner.match(/[^()]*\)/y)
    if (found === null) scanner.fail('sizeof( is not closed', at)
    return /\bint\b/.test(found[0]) ? 4 : null
  }
  const first = parseValue(scanner)
  const value = scanner.take(',') ? parseValue(scanner) : first
  scanner.expect(')', `after the argument of ${name}`)
  return value
}
