// What memory for a piece of text costs, and a copy of it: `npx tsx bench/micro/buffers.ts`.
// Owns: the numbers behind ON_HEAP_BYTES and SLICE_BYTES of src/base/byte-ring.ts.

import benny from 'benny'
import { ByteRing } from '../../src/base/byte-ring.ts'

let sink = 0
const slab = new ArrayBuffer(32 << 10)
const source = new Uint8Array(70_000).fill(7)
const target = new Uint8Array(70_000)

for (const length of [64, 96, 1448, 65_483]) {
  const ring = new ByteRing()
  await benny.suite(
    `${length} bytes`,
    benny.add('new Uint8Array', () => {
      sink += new Uint8Array(length).length
    }),
    benny.add('a view of shared memory', () => {
      sink += new Uint8Array(slab, 0, Math.min(length, slab.byteLength)).length
    }),
    benny.add('copy: set(subarray)', () => {
      target.set(source.subarray(32, 32 + length), 32)
    }),
    benny.add('copy: loop', () => {
      for (let i = 0; i < length; i++) target[32 + i] = source[32 + i]
    }),
    benny.add('ring: put, take', () => {
      ring.put(0, source, 32, 32 + length)
      sink += ring.take(length).length
    }),
    benny.cycle(),
  )
}
if (sink < 0) console.log(sink)
