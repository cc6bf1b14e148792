// TCP options in a script: `<mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>`.
// Owns: their grammar. Does not own: their bytes (packet-build.ts).

import type { OptionSpec } from './ast.ts'
import type { Scanner } from './lexer.ts'

/** Reads `<...>` (null) or a list in angle brackets, an empty list without one. @throws {ScriptSyntaxError} */
export function parseOptions(scanner: Scanner): readonly OptionSpec[] | null {
  if (!scanner.take('<')) return []
  if (scanner.take('...')) {
    scanner.expect('>', 'after <...')
    return null
  }
  const options: OptionSpec[] = []
  if (scanner.take('>')) return options
  do options.push(parseOption(scanner))
  while (scanner.take(','))
  scanner.expect('>', 'to close the options')
  return options
}

function parseOption(scanner: Scanner): OptionSpec {
  const at = scanner.at
  const word = scanner.match(/[A-Za-z_][A-Za-z0-9_]*/y)
  if (word === null) scanner.fail(`expected an option, found ${scanner.ahead()}`)
  switch (word[0]) {
    case 'nop':
    case 'NOP':
      return { kind: 'nop' }
    case 'eol':
    case 'EOL':
      return { kind: 'eol' }
    case 'sackOK':
      return { kind: 'sackOK' }
    case 'mss':
      return { kind: 'mss', value: scanner.whole('the value of mss') }
    case 'wscale':
      return { kind: 'wscale', value: scanner.whole('the value of wscale') }
    case 'TS':
    case 'ts':
      return parseTimestamps(scanner)
    case 'sack':
      return parseSack(scanner)
    case 'FO':
    case 'fo':
    case 'FOEXP':
    case 'foexp':
      return { kind: /exp/i.test(word[0]) ? 'FOEXP' : 'FO', cookie: parseHex(scanner) }
    case 'md5':
    case 'MD5':
      return parseMd5(scanner)
    case 'ECN':
    case 'AccECN':
    case 'ACCECN':
      return parseEcn(scanner)
    case 'EXP':
    case 'exp':
      return raw(254, parseHex(scanner))
    case 'unk':
    case 'kind':
    case 'opt':
      return raw(scanner.whole('the kind of an option'), parseHex(scanner))
    default:
      return scanner.fail(`the TCP option '${word[0]}' is not known here`, at)
  }
}

function raw(type: number, body: Uint8Array): OptionSpec {
  return { kind: 'raw', type, body, length: body.length + 2 }
}

function parseTimestamps(scanner: Scanner): OptionSpec {
  const part = (name: string): number => {
    if (!scanner.takeWord(name)) return -1
    return scanner.take('...') ? -1 : scanner.whole(`the value of ${name}`)
  }
  return { kind: 'TS', val: part('val'), ecr: part('ecr') }
}

function parseSack(scanner: Scanner): OptionSpec {
  const blocks: [number, number][] = []
  for (;;) {
    const found = scanner.match(/(\d+)\s*:\s*(\d+)/y)
    if (found === null) return { kind: 'sack', blocks }
    blocks.push([Number(found[1]), Number(found[2])])
  }
}

function parseMd5(scanner: Scanner): OptionSpec {
  if (scanner.takeWord('invalid')) return { kind: 'md5', valid: false }
  scanner.takeWord('valid')
  return { kind: 'md5', valid: true }
}

function parseEcn(scanner: Scanner): OptionSpec {
  const counters: ['e0b' | 'e1b' | 'ceb', number][] = []
  for (;;) {
    const found = scanner.match(/(?:e?)(e0b|e1b|ceb)\s+(\d+)/y)
    if (found === null) return { kind: 'ECN', counters }
    counters.push([found[1] as 'e0b' | 'e1b' | 'ceb', Number(found[2])])
  }
}

/** Hexadecimal octets, with or without 0x; none is an empty string of octets. */
function parseHex(scanner: Scanner): Uint8Array {
  const found = scanner.match(/(?:0[xX])?([0-9a-fA-F]+)(?![\w])/y)
  if (found === null) return new Uint8Array(0)
  if (found[1].length % 2 !== 0) scanner.fail('octets are written in pairs of hexadecimal digits', scanner.at - 1)
  return Uint8Array.from({ length: found[1].length / 2 }, (_, i) =>
    Number.parseInt(found[1].slice(2 * i, 2 * i + 2), 16),
  )
}
