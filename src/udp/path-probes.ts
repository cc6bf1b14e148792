// Probes of the path of a UDP socket that need no word of the application: datagrams that whoever is asked sends back, whole as any echo
// server does (RFC 862), or the head alone as our sockets do that were told to (`answersPathProbes`).
// Owns: their bytes, both ways. Does not own: sizes and times (path-search.ts), sockets (layer.ts).
// Read first: RFC 8899 §4.1 (padding data), §8 (a number that nobody off the path can guess).
//
//   "PMTU?" or "PMTU!" and zeros, 8 | secret of the search 8 | number 4 | zeros to the size that is probed

import { get32, put32 } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'

/** Bytes of an answer, and of a probe before its padding. */
export const PATH_PROBE_BYTES = 20

const WORD = 0x504d5455 // PMTU
const ASK = 0x3f000000
const ANSWER = 0x21000000

/** What tells the probes of a search from those of others. */
export interface ProbeSecret {
  readonly high: number
  readonly low: number
}

/** A secret for a search. */
export function probeSecret(random: Random): ProbeSecret {
  return { high: random.int32(), low: random.int32() }
}

/** A probe of `length` bytes of data, at least PATH_PROBE_BYTES. */
export function writePathProbe(secret: ProbeSecret, id: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(PATH_PROBE_BYTES, length))
  put32(bytes, 0, WORD)
  put32(bytes, 4, ASK)
  put32(bytes, 8, secret.high)
  put32(bytes, 12, secret.low)
  put32(bytes, 16, id)
  return bytes
}

/** The answer to a probe, null to what is none. */
export function answerPathProbe(data: Uint8Array): Uint8Array | null {
  if (data.length < PATH_PROBE_BYTES || get32(data, 0) !== WORD || get32(data, 4) !== ASK) return null
  const answer = data.slice(0, PATH_PROBE_BYTES)
  put32(answer, 4, ANSWER)
  return answer
}

/** The number of the probe that a datagram answers or echoes; 0 when it is nothing of this search. */
export function readPathAnswer(secret: ProbeSecret, data: Uint8Array): number {
  if (data.length < PATH_PROBE_BYTES || get32(data, 0) !== WORD) return 0
  const kind = get32(data, 4)
  if (kind !== ASK && kind !== ANSWER) return 0
  return get32(data, 8) === secret.high && get32(data, 12) === secret.low ? get32(data, 16) : 0
}
