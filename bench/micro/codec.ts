// Headers on the wire, there and back: `npx tsx bench/micro/codec.ts`.
// Owns: the numbers of src/ip/ipv4.ts, src/ip/ipv6.ts and src/tcp/header.ts.

import benny from 'benny'
import { IpAddress } from '../../src/ip/address.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp, writeIp } from '../../src/ip/parse.ts'
import { FLAG, parseTcp, SegmentHeader, SegmentPlan, writeTcp } from '../../src/tcp/header.ts'

const bytes = new Uint8Array(200)
const header = new IpHeader()
const parsed = new SegmentHeader()

function plan(sackBlocks: number): SegmentPlan {
  const segment = new SegmentPlan()
  Object.assign(segment, {
    sourcePort: 80,
    destinationPort: 40_000,
    flags: FLAG.ACK,
    window: 1000,
    hasTimestamps: true,
  })
  segment.sackCount = sackBlocks
  return segment
}

for (const family of [4, 6] as const) {
  const from = family === 4 ? '10.0.0.1' : 'fd00::1'
  const to = family === 4 ? '10.0.0.2' : 'fd00::2'
  header.src.assign(IpAddress.parse(from))
  header.dst.assign(IpAddress.parse(to))
  Object.assign(header, { family, protocol: 6, hopLimit: 64, totalBytes: 100, dontFragment: true })
  const written = new IpHeader()
  await benny.suite(
    `IPv${family}`,
    benny.add('write', () => {
      writeIp(header, bytes, 0)
    }),
    benny.add('parse', () => {
      if (parseIp(bytes, 0, 100, written) !== 'ok') throw new Error('not ok')
    }),
    benny.cycle(),
  )
}

for (const blocks of [0, 3]) {
  const segment = plan(blocks)
  const end = writeTcp(segment, bytes, 0)
  await benny.suite(
    `TCP, timestamps, ${blocks} SACK blocks`,
    benny.add('write', () => {
      writeTcp(segment, bytes, 0)
    }),
    benny.add('parse', () => {
      if (parseTcp(bytes, 0, end, parsed) !== 'ok') throw new Error('not ok')
    }),
    benny.cycle(),
  )
}
