// What an acknowledgement costs the sender with a long flight: `npx tsx bench/micro/flight.ts`. A flight of 10,000 segments of which the
// first is lost; the peer SACKs the rest one by one. RACK and RFC 6675 in turn, beside them the same flight acknowledged without loss, and
// one of which every second segment is lost, with duplicates that tell nothing new.
// Owns: the numbers behind the two orders of src/tcp/flight.ts.

import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { handleAck } from '../../src/tcp/ack.ts'
import { ChallengeBudget } from '../../src/tcp/challenge-budget.ts'
import { tcpConfig } from '../../src/tcp/config.ts'
import { congestionControl } from '../../src/tcp/congestion/index.ts'
import { createCounters } from '../../src/tcp/counters.ts'
import { createTcb } from '../../src/tcp/create-tcb.ts'
import { FLAG, SegmentHeader, SegmentPlan } from '../../src/tcp/header.ts'
import { nextSegment } from '../../src/tcp/output.ts'
import { seq, seqAdd } from '../../src/tcp/seq.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'

const MSS = 1000

/** An open connection with `pieces` segments in flight, sent a microsecond apart. */
function inFlight(pieces: number, rack: boolean): Tcb {
  const tcb = createTcb({
    passive: false,
    local: IpAddress.parse('10.0.0.1'),
    localPort: 1,
    remote: IpAddress.parse('10.0.0.2'),
    remotePort: 2,
    config: tcpConfig({ rack, congestion: 'reno', sendBufferBytes: 1 << 26 }),
    counters: createCounters(),
    challenges: new ChallengeBudget(1000, new SeededRandom(1)),
    control: congestionControl('reno'),
    iss: seq(0),
    timestampOffset: 0,
    pathSegmentBytes: 1480,
    now: 0,
  })
  Object.assign(tcb, { state: 'ESTABLISHED', sackEnabled: true })
  Object.assign(tcb.snd, { una: seq(1), nxt: seq(1), wnd: 1 << 30, maxWnd: 1 << 30, mss: MSS, scale: 14 })
  tcb.ts.enabled = false
  tcb.cc.mss = MSS
  tcb.control.init(tcb.cc, pieces * MSS, 0)
  Object.assign(tcb.rtt, { srttUs: 20_000, minUs: 20_000, rttvarUs: 5000 })
  tcb.snd.buffer.put(0, new Uint8Array(pieces * MSS), 0, pieces * MSS)
  const plan = new SegmentPlan()
  for (let i = 0; i < pieces; i++) nextSegment(tcb, i, 0, plan)
  if (tcb.snd.flight.size !== pieces) throw new Error(`${tcb.snd.flight.size} in flight`)
  return tcb
}

/** Microseconds for each of `pieces - 1` acknowledgements. */
function measure(pieces: number, rack: boolean, isLossy: boolean): number {
  const tcb = inFlight(pieces, rack)
  const ack = new SegmentHeader()
  const plan = new SegmentPlan()
  Object.assign(ack, { flags: FLAG.ACK, seq: tcb.rcv.nxt, window: 65535, ack: seq(1) })
  const start = process.hrtime.bigint()
  for (let i = 1; i < pieces; i++) {
    if (isLossy) {
      ack.sackCount = 1
      ack.sackEdges[0] = seqAdd(seq(1), MSS)
      ack.sackEdges[1] = seqAdd(seq(1), MSS * (i + 1))
    } else {
      ack.ack = seqAdd(seq(1), MSS * i)
    }
    const now = 20_000 + i
    handleAck(tcb, ack, now)
    while (nextSegment(tcb, now, 0, plan));
  }
  return Number(process.hrtime.bigint() - start) / 1000 / (pieces - 1)
}

/** Microseconds for each of 1000 duplicates when every second segment was lost and went again, by RFC 6675, and the window has room. */
function measureHoles(pieces: number): number {
  const tcb = inFlight(pieces, false)
  const ack = new SegmentHeader()
  const plan = new SegmentPlan()
  Object.assign(ack, { flags: FLAG.ACK, seq: tcb.rcv.nxt, window: 65535, ack: seq(1), sackCount: 1 })
  const acknowledge = (i: number, now: number): void => {
    ack.sackEdges[0] = seqAdd(seq(1), MSS * i)
    ack.sackEdges[1] = seqAdd(seq(1), MSS * (i + 1))
    handleAck(tcb, ack, now)
    tcb.cc.cwnd = 1 << 30
    while (nextSegment(tcb, now, 0, plan));
  }
  for (let i = 1; i < pieces; i += 2) acknowledge(i, 20_000 + i)
  const start = process.hrtime.bigint()
  for (let i = 0; i < 1000; i++) acknowledge(1, 40_000 + i)
  return Number(process.hrtime.bigint() - start) / 1000 / 1000
}

for (const pieces of [100, 1000, 10_000, 16_000]) {
  const best = (rack: boolean, isLossy: boolean): string => {
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < (pieces > 1000 ? 3 : 20); i++) least = Math.min(least, measure(pieces, rack, isLossy))
    return least.toFixed(2).padStart(8)
  }
  let holes = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) holes = Math.min(holes, measureHoles(pieces))
  console.log(
    `${String(pieces).padStart(6)} in flight, us an ACK:  no loss ${best(true, false)}   one lost, RACK ${best(true, true)}   RFC 6675 ${best(false, true)}   duplicates among holes ${holes.toFixed(2).padStart(8)}`,
  )
}
