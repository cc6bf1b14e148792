// Streams of valid requests, derived rule by rule from the grammars of RFC 9112, RFC 9110 and RFC 3986, with every freedom that they give.
// Owns: what may be written. Does not own: bending it (generate.ts), who reads it (parsers.ts).
// Read first: RFC 9112 appendix A, RFC 9110 appendix A (collected ABNF); RFC 3986 appendix A.

import type { Random } from '../../src/base/random.ts'
import { Choice } from './generate.ts'

const ALPHA = 'abcdefghijklmnopqrstuvwxyz'
const DIGITS = '0123456789'
const TCHAR = `${ALPHA}${ALPHA.toUpperCase()}${DIGITS}!#$%&'*+-.^_\`|~`
const PCHAR = `${ALPHA}${ALPHA.toUpperCase()}${DIGITS}-._~!$&'()*+,;=:@`
const range = (from: number, to: number): string =>
  String.fromCharCode(...Array.from({ length: to - from + 1 }, (_, i) => from + i))
const OBS_TEXT = range(0x80, 0xff)
const VCHAR = range(0x21, 0x7e) + OBS_TEXT
const QDTEXT = `\t !${range(0x23, 0x5b)}${range(0x5d, 0x7e)}${OBS_TEXT}`
const QUOTED_PAIR = `\t ${VCHAR}`
/** Methods that a request with any target and body may have. */
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'PROPFIND', 'SEARCH'] as const
/** Names that mean something to readers, which the other fields must not have by chance. */
const MEANT =
  /^(?:host|content-length|transfer-encoding|connection|upgrade|expect|trailer|te|proxy-connection|keep-alive)$/i

/** A stream and how many requests are in it. */
export interface Valid {
  readonly text: string
  readonly messages: number
}

/** One to four requests; only the last may end the connection. */
export function generateValid(random: Random): Valid {
  const derive = new Derivation(random)
  const messages = 1 + derive.choice.below(4)
  let text = ''
  for (let i = 1; i <= messages; i++) text += derive.request(i === messages)
  return { text, messages }
}

class Derivation {
  readonly choice: Choice

  constructor(random: Random) {
    this.choice = new Choice(random)
  }

  request(isLast: boolean): string {
    const { choice } = this
    const lead = choice.oneIn(20) ? '\r\n' : '' // RFC 9112 §2.2: one empty line in front may be ignored
    if (isLast && choice.oneIn(12)) return `${lead}CONNECT ${this.#connect()}\r\n`
    const is10 = isLast && choice.oneIn(8)
    const method = choice.oneIn(10) ? 'OPTIONS' : choice.of(METHODS)
    const authority = this.#authority()
    const form = choice.below(4)
    const target =
      method === 'OPTIONS' && form === 0
        ? '*'
        : form === 1
          ? `http://${authority}${this.#path(true)}`
          : this.#path(false)
    const lines = [`Host:${this.#ows()}${authority}${this.#ows()}`]
    for (let n = choice.below(4); n > 0; n--) lines.push(`${this.#name()}:${this.#ows()}${this.#value()}${this.#ows()}`)
    if (choice.oneIn(6))
      lines.push(`Connection:${this.#list(isLast ? ['close', 'X-A', 'keep-alive'] : ['X-A', 'keep-alive'])}`)
    let body = ''
    const framing = choice.below(3)
    if (framing === 1) {
      body = this.#content()
      lines.push(
        `${this.#anyCase('Content-Length')}:${this.#space()}${'0'.repeat(choice.oneIn(5) ? 2 : 0)}${body.length}`,
      )
    } else if (framing === 2 && !is10) {
      lines.push(`${this.#anyCase('Transfer-Encoding')}:${this.#space()}${this.#anyCase('chunked')}`)
      body = this.#chunked()
    }
    for (let i = lines.length - 1; i > 0; i--) {
      const other = choice.below(i + 1)
      ;[lines[i], lines[other]] = [lines[other], lines[i]]
    }
    return `${lead}${method} ${target} HTTP/1.${is10 ? 0 : 1}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`
  }

  #connect(): string {
    const authority = `${this.#host()}:${1 + this.choice.below(65_535)}`
    return `${authority} HTTP/1.1\r\nHost: ${authority}\r\n`
  }

  #some(set: string, least: number, most: number): string {
    let text = ''
    for (let n = least + this.choice.below(most - least + 1); n > 0; n--) text += set[this.choice.below(set.length)]
    return text
  }

  #anyCase(text: string): string {
    if (!this.choice.oneIn(4)) return text
    return [...text].map((char) => (this.choice.oneIn(2) ? char.toUpperCase() : char.toLowerCase())).join('')
  }

  #ows(): string {
    return this.choice.oneIn(3) ? this.#some(' \t', 0, 3) : ' '
  }

  /** Whitespace in front of a value that frames. */
  #space(): string {
    return this.choice.oneIn(4) ? this.#some(' ', 0, 2) : ' '
  }

  #host(): string {
    const { choice } = this
    if (choice.oneIn(5)) return '[fd00::1:2]'
    if (choice.oneIn(5)) return `10.0.${choice.below(256)}.${choice.below(256)}`
    return this.#some(`${ALPHA}${DIGITS}-._~`, 1, 8)
  }

  #authority(): string {
    return this.choice.oneIn(4) ? `${this.#host()}:${1 + this.choice.below(65_535)}` : this.#host()
  }

  #pchars(extra: string): string {
    let text = ''
    for (let n = this.choice.below(6); n > 0; n--)
      text += this.choice.oneIn(8) ? `%${this.#some('0123456789abcdefABCDEF', 2, 2)}` : this.#some(PCHAR + extra, 1, 1)
    return text
  }

  #path(mayBeEmpty: boolean): string {
    let text = ''
    for (let n = this.choice.below(4); n > 0; n--) text += `/${this.#pchars('')}`
    if (text === '' && !mayBeEmpty) text = '/'
    return this.choice.oneIn(3) ? `${text}?${this.#pchars('/?')}` : text
  }

  #name(): string {
    const name = this.#some(TCHAR, 1, 8)
    return MEANT.test(name) ? 'x' : name
  }

  /** field-value: visible at both ends, anything visible, space and tab between. */
  #value(): string {
    if (this.choice.oneIn(6)) return ''
    const first = this.#some(VCHAR, 1, 1)
    return this.choice.oneIn(4) ? first : `${first}${this.#some(`${VCHAR} \t`, 0, 12)}${this.#some(VCHAR, 1, 1)}`
  }

  #list(options: readonly string[]): string {
    const parts = Array.from({ length: 1 + this.choice.below(3) }, () => this.#anyCase(this.choice.of(options)))
    return ` ${parts.join(this.choice.oneIn(3) ? ' ,\t' : ', ')}`
  }

  /** Octets of all kinds, line ends and what looks like another request among them. */
  #content(): string {
    if (this.choice.oneIn(6)) return 'GET /inside HTTP/1.1\r\nHost: inside\r\n\r\n'
    return this.#some(`\0\r\n\r\n0;:${VCHAR}`, 0, 24)
  }

  #chunked(): string {
    let text = ''
    for (let n = this.choice.below(4); n > 0; n--) {
      const data = this.#content() || 'x'
      const size = this.#anyCase(data.length.toString(16))
      text += `${'0'.repeat(this.choice.oneIn(5) ? 3 : 0)}${size}${this.#extensions()}\r\n${data}\r\n`
    }
    text += `${this.choice.oneIn(5) ? '000' : '0'}${this.#extensions()}\r\n`
    for (let n = this.choice.below(3); n > 0; n--)
      text += `${this.#name()}:${this.#ows()}${this.#value()}${this.#ows()}\r\n`
    return `${text}\r\n`
  }

  /** RFC 9112 §7.1.1, with the whitespace that a recipient must take. */
  #extensions(): string {
    let text = ''
    for (let n = this.choice.oneIn(3) ? 1 + this.choice.below(2) : 0; n > 0; n--) {
      const bws = (): string => (this.choice.oneIn(6) ? this.#some(' \t', 1, 2) : '')
      text += `${bws()};${bws()}${this.#some(TCHAR, 1, 4)}`
      if (this.choice.oneIn(2))
        text += `${bws()}=${bws()}${this.choice.oneIn(2) ? this.#some(TCHAR, 1, 4) : this.#quoted()}`
    }
    return text
  }

  #quoted(): string {
    let text = ''
    for (let n = this.choice.below(5); n > 0; n--)
      text += this.choice.oneIn(4) ? `\\${this.#some(QUOTED_PAIR, 1, 1)}` : this.#some(QDTEXT, 1, 1)
    return `"${text}"`
  }
}
