// A place in a message that is being read, and the first thing that was wrong with it.
// Owns: bounds. Does not own: what the octets mean (names.ts, records.ts, message.ts).

import { get16, get32 } from '../base/bytes.ts'

/**
 * What reading a message says. `short`: it ends too early. `bad-pointer`: a compression pointer that does not lead back. `bad-label`: a
 * label of an unknown kind. `long-name`: over 255 octets. `bad-record`: data that do not fill their length, or a second OPT.
 * `many-records`: over MAX_RECORDS.
 */
export type DnsVerdict = 'ok' | 'short' | 'bad-pointer' | 'bad-label' | 'long-name' | 'bad-record' | 'many-records'

/** Reads on from `at` up to `end`; once something is wrong all reads give nothing. */
export class DnsReader {
  readonly bytes: Uint8Array
  at = 0
  end: number
  verdict: DnsVerdict = 'ok'

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.end = bytes.length
  }

  /** Keeps the first verdict. Always ''. */
  fail(verdict: DnsVerdict): '' {
    if (this.verdict === 'ok') this.verdict = verdict
    this.at = this.end
    return ''
  }

  /** Whether `count` octets are left; when they are not the verdict is `short`. */
  has(count: number): boolean {
    if (this.verdict === 'ok' && this.at + count <= this.end) return true
    this.fail('short')
    return false
  }

  /** The next octet, or 0. */
  u8(): number {
    return this.has(1) ? this.bytes[this.at++] : 0
  }

  /** The next 16 bits, or 0. */
  u16(): number {
    if (!this.has(2)) return 0
    this.at += 2
    return get16(this.bytes, this.at - 2)
  }

  /** The next 32 bits without sign, or 0. */
  u32(): number {
    if (!this.has(4)) return 0
    this.at += 4
    return get32(this.bytes, this.at - 4) >>> 0
  }

  /** A copy of the next octets; empty when there are not so many. */
  take(count: number): Uint8Array {
    if (!this.has(count)) return new Uint8Array(0)
    this.at += count
    return this.bytes.slice(this.at - count, this.at)
  }
}
