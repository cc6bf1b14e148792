// What flows carry: octets made from their position, so that any piece of a stream can be had and compared without keeping it.
// Owns: the octets. Does not own: who sends how many (side.ts).

import { SeededRandom } from '../../src/base/random.ts'

/** A prime, so that no size of buffer or segment hides a shift. */
const PERIOD = 65521

const OCTETS = ((): Buffer => {
  const random = new SeededRandom(65521)
  const once = Buffer.from(Uint8Array.from({ length: PERIOD }, () => random.int32()))
  return Buffer.concat([once, once])
})()

/** The octets of stream `key` from `at` on, at most 65521. */
export function streamAt(key: number, at: number, length: number): Uint8Array {
  const start = (key + at) % PERIOD
  return OCTETS.subarray(start, start + length)
}

/** Whether `bytes` are the octets of stream `key` from `at` on. */
export function isStream(key: number, at: number, bytes: Uint8Array): boolean {
  for (let done = 0; done < bytes.length; done += PERIOD) {
    const length = Math.min(PERIOD, bytes.length - done)
    const start = (key + at + done) % PERIOD
    if (OCTETS.compare(bytes, done, done + length, start, start + length) !== 0) return false
  }
  return true
}

/** The stream of one side of a flow. */
export function keyOf(flow: number, isServer: boolean): number {
  return (flow * 7919 + (isServer ? 30011 : 0)) % PERIOD
}
