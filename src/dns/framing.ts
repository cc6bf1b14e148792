// Messages on a stream: each behind its length in two octets.
// Owns: frame, FrameReader. Does not own: the stream. Read first: RFC 1035 §4.2.2, RFC 7766 §8.

import { get16, put16 } from '../base/bytes.ts'

/** A message behind its length, in one piece (RFC 7766 §8). @throws {RangeError} when it is over 65535 octets */
export function frameMessage(message: Uint8Array): Uint8Array {
  if (message.length > 65_535) throw new RangeError('a DNS message has at most 65535 octets')
  const out = new Uint8Array(2 + message.length)
  put16(out, 0, message.length)
  out.set(message, 2)
  return out
}

/** Cuts a stream into messages. Holds one unfinished message, at most 65537 octets, besides the piece that it was given. */
export class FrameReader {
  #held: Uint8Array = new Uint8Array(0)

  /** Takes the next octets of the stream, and returns the messages that are whole now. */
  push(bytes: Uint8Array): Uint8Array[] {
    const all = new Uint8Array(this.#held.length + bytes.length)
    all.set(this.#held)
    all.set(bytes, this.#held.length)
    const messages: Uint8Array[] = []
    let at = 0
    while (at + 2 <= all.length && at + 2 + get16(all, at) <= all.length) {
      const end = at + 2 + get16(all, at)
      messages.push(all.slice(at + 2, end))
      at = end
    }
    this.#held = all.slice(at)
    return messages
  }
}
