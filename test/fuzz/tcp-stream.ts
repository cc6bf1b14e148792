// The text of the two streams: any octet is known by its place, so that a forged segment may carry the true text of its numbers.
// Owns: the octets. Does not own: who reads and writes them (tcp-host.ts).

import { SeededRandom } from '../../src/base/random.ts'

const PERIOD = 65521

function table(seed: number): Uint8Array {
  const random = new SeededRandom(seed)
  const once = Uint8Array.from({ length: PERIOD }, () => random.int32())
  const bytes = new Uint8Array(2 * PERIOD + 65536)
  for (let at = 0; at < bytes.length; at += PERIOD) bytes.set(once.subarray(0, Math.min(PERIOD, bytes.length - at)), at)
  return bytes
}

const TABLES = [table(1), table(2)] as const

/** Octets [offset, offset + length) of the stream that host `index` sends; borrowed. `length` up to 64 KiB. */
export function streamText(index: 0 | 1, offset: number, length: number): Uint8Array {
  const from = ((offset % PERIOD) + PERIOD) % PERIOD
  return TABLES[index].subarray(from, from + length)
}
