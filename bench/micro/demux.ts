// What it costs to find a segment's connection: `npx tsx bench/micro/demux.ts`. 1, 100 and 10,000 connections, over IPv4 and IPv6, segments
// of one connection in rows of 1 or of 16.
// Owns: the numbers behind the hash of src/tcp/demux.ts.

import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { Demux } from '../../src/tcp/demux.ts'

/** The least nanoseconds for a look-up, of nine runs. */
function measure(connections: number, family: 4 | 6, row: number): number {
  const demux = new Demux(new SeededRandom(1))
  const local = IpAddress.parse(family === 4 ? '10.0.0.1' : 'fd00::1')
  const ends = Array.from({ length: connections }, (_, i) => {
    const remote = IpAddress.parse(family === 4 ? `10.1.${(i >> 8) & 255}.${i & 255}` : `fd00::1:${i.toString(16)}`)
    return { local, localPort: 80, remote, remotePort: 40000 + (i % 1000) }
  })
  for (const tcb of ends) demux.add({ tcb, nextInBucket: null } as unknown as Connection)
  const wanted = ends[0].remote.clone()
  const count = 1_000_000
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < 9; run++) {
    let found = 0
    const start = process.hrtime.bigint()
    for (let i = 0, at = 0; i < count; i++) {
      if (i % row === 0) at = (at + 7919) % connections
      const { remote, remotePort } = ends[at]
      wanted.assign(remote)
      if (demux.find(local, 80, wanted, remotePort) !== null) found++
    }
    least = Math.min(least, Number(process.hrtime.bigint() - start) / count)
    if (found !== count) throw new Error(`${found} found`)
  }
  return least
}

for (const connections of [1, 100, 10_000]) {
  for (const family of [4, 6] as const) {
    const figures = [1, 16].map((row) => `rows of ${row} ${measure(connections, family, row).toFixed(1).padStart(6)}`)
    console.log(`${String(connections).padStart(6)} connections, IPv${family}, ns a look-up:   ${figures.join('   ')}`)
  }
}
