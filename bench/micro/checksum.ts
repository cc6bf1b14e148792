// How long the Internet checksum takes, against the plain loop over bytes: `npx tsx bench/micro/checksum.ts`.
// Owns: the numbers behind the comments in src/ip/checksum.ts.

import benny from 'benny'
import { finishChecksum, sumBytes } from '../../src/ip/checksum.ts'

function plainSum(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0
  for (let i = start; i + 1 < end; i += 2) sum += (bytes[i] << 8) | bytes[i + 1]
  if ((end - start) % 2 === 1) sum += bytes[end - 1] << 8
  return (sum & 0xffff) + (sum >>> 16)
}

const bytes = new Uint8Array(70000)
for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7919) >>> 3
// Buffers in turn: the worst case for the view that sumBytes keeps of the last buffer.
const many = Array.from({ length: 64 }, () => bytes.slice(0, 1600))
let turn = 0
let sink = 0

/** Runs the comparison for a header, a segment and a super-segment, and prints it. */
export async function benchChecksum(): Promise<void> {
  for (const length of [20, 512, 1460, 65535]) {
    const cases = [
      benny.add('sumBytes', () => {
        sink += finishChecksum(sumBytes(bytes, 32, 32 + length))
      }),
      benny.add('sumBytes, odd address', () => {
        sink += finishChecksum(sumBytes(bytes, 33, 33 + length))
      }),
      benny.add('plain loop', () => {
        sink += finishChecksum(plainSum(bytes, 32, 32 + length))
      }),
    ]
    if (length <= 1460) {
      cases.push(
        benny.add('sumBytes, 64 buffers in turn', () => {
          sink += finishChecksum(sumBytes(many[turn++ & 63], 32, 32 + length))
        }),
      )
    }
    await benny.suite(`${length} bytes`, ...cases, benny.cycle(), benny.complete())
  }
}

await benchChecksum()
if (sink < 0) console.log(sink)
