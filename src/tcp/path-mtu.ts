// How large a segment the path takes: what routers say (RFC 1191, RFC 8201), what silence says (RFC 4821 §7.7), and looking for more
// with larger segments of real text (RFC 4821 §7, RFC 8899).
//
//      pathSegmentBytes            high           linkBytes
//     ---------|---------------------|----------------|----
//      works   |  may work: probed   |   fails        |   never sent
//
// A size that has failed is tried again when it has grown old. With SACK that is one probe, whose loss costs nothing but itself; without
// it the segments simply grow, as RFC 1191 §6.3 has it, and the next router that minds says so.
// Owns: SND.MSS, the search and its probes. Does not own: what an ICMP message says (icmp-errors.ts), making the probe (output.ts),
// finding it lost (loss.ts, rack.ts).

import { MILLISECOND, type Micros } from '../base/time.ts'
import { TCP_HEADER_BYTES } from './header.ts'
import { boundByWindow } from './linux-ways.ts'
import { standingOptionBytes } from './md5.ts'
import { type Seq, seqAdd, seqDiff, seqGe, seqLe, seqLt } from './seq.ts'
import { isSynchronized } from './state.ts'
import type { Tcb } from './tcb.ts'

const NEVER = Number.POSITIVE_INFINITY

/** RFC 1191 §7, table 7-1: the sizes that networks have, for routers that do not say which (RFC 1191 §5). */
const PLATEAUS: readonly number[] = [65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]
/** Where a black hole leads: to 1024 octets of text, as Linux (tcp_base_mss), then to what every path takes. */
const STEPS = { 4: [1024, 512], 6: [1220] } as const
/** Timeouts in a row from which a large segment is taken to be too large (Linux: R1). */
const BLACK_HOLE_TIMEOUTS = 3
/** RFC 8899 §5.1.2, MAX_PROBES: a lost probe may have been lost for another reason. */
const MOST_PROBES = 3
/** The search ends when its bounds are so near, in bytes (Linux: tcp_probe_threshold). */
const CLOSE_ENOUGH = 8
/** Between two probes, at least. */
const PROBE_PAUSE_US: Micros = 10 * MILLISECOND

/** What every segment carries besides text. */
function headerBytes(tcb: Tcb): number {
  return TCP_HEADER_BYTES + standingOptionBytes(tcb)
}

/** RFC 9293 §3.7.1 [MUST-16]: the peer's MSS and ours, bounded by what the path takes, less the options of every segment. */
export function updateSendMss(tcb: Tcb): void {
  tcb.snd.mss = boundByWindow(tcb, Math.min(mostBytes(tcb), tcb.pathSegmentBytes) - headerBytes(tcb))
  tcb.cc.mss = tcb.snd.mss
}

/** The largest segment that may ever be sent: RFC 9293 §3.7.1 counts the options into it. */
function mostBytes(tcb: Tcb): number {
  return Math.min(tcb.path.linkBytes, Math.min(tcb.path.peerMss, tcb.config.mss) + TCP_HEADER_BYTES)
}

/** What another connection has found out of the path (RFC 8201 §5.2); before the handshake. */
export function startWithPathMtu(tcb: Tcb, segmentBytes: number): void {
  if (segmentBytes >= tcb.pathSegmentBytes) return
  tcb.pathSegmentBytes = segmentBytes
  tcb.path.high = segmentBytes
  tcb.path.raiseAt = -1
}

/** The MTU to try when a router says only that `packetBytes` are too many: the next plateau below (RFC 1191 §5, §7). */
export function plateauBelow(packetBytes: number): number {
  return PLATEAUS.find((plateau) => plateau < packetBytes) ?? 0
}

/** A router has told the path MTU, and `pathSegmentBytes` is that by now: more is not tried until it is old. */
export function notePathMtuTold(tcb: Tcb): void {
  const { path } = tcb
  endProbe(tcb)
  path.high = tcb.pathSegmentBytes
  path.isSearching = false
  path.raiseAt = -1
}

/** Sets what the calls and messages that do not know the time have left. */
export function armPathMtu(tcb: Tcb, now: Micros): void {
  const { path, config } = tcb
  if (path.raiseAt < 0) path.raiseAt = config.pathMtuAgeUs === NEVER ? NEVER : now + config.pathMtuAgeUs
}

/** RFC 1191 §6.3, RFC 8201 §4: what was found out has grown old; the path may have changed. */
export function onPathMtuAged(tcb: Tcb, now: Micros): void {
  const { path } = tcb
  path.raiseAt = NEVER
  path.high = path.linkBytes
  path.isHighTried = false
  path.probeLosses = 0
  if (canSearch(tcb)) {
    path.isSearching = true
    path.nextProbeAt = now
    return
  }
  tcb.pathSegmentBytes = path.high
  if (path.peerMss !== NEVER) updateSendMss(tcb)
}

/** A probe is told lost by SACK alone: without it three duplicates would stand for the probe and for what follows it alike. */
function canSearch(tcb: Tcb): boolean {
  return tcb.config.pathMtuProbing && tcb.sackEnabled
}

/**
 * The retransmission timer has run out again. RFC 4821 §7.7, RFC 2923 §2.1: large segments that vanish without a word may be too large.
 * Returns the segment size to go down to, 0 when there is no reason to; the caller lowers it and calls `noteBlackHole`.
 */
export function blackHoleSize(tcb: Tcb): number {
  const { snd, rtt, path } = tcb
  // What goes again into a shut window is a probe of the window.
  path.timeouts = snd.wnd === 0 ? 0 : rtt.timeouts === 0 ? 1 : path.timeouts + 1
  if (!tcb.config.pathMtuBlackHole || path.timeouts < BLACK_HOLE_TIMEOUTS || snd.flight.size === 0) return 0
  if (!isSynchronized(tcb.state)) return 0
  const { start, end } = snd.flight.at(0)
  const size = Math.min(seqDiff(end, start), snd.mss)
  const step = STEPS[tcb.remote.family].find((bytes) => bytes - (headerBytes(tcb) - TCP_HEADER_BYTES) < size)
  return step === undefined ? 0 : step + TCP_HEADER_BYTES
}

/** Segments were made smaller on suspicion, from `fromBytes`: the search back up begins as soon as something arrives. */
export function noteBlackHole(tcb: Tcb, fromBytes: number, now: Micros): void {
  const { path } = tcb
  path.high = Math.max(path.isSearching ? path.high : 0, fromBytes)
  path.isHighTried = false
  path.probeLosses = 0
  path.nextProbeAt = now
  path.isSearching = canSearch(tcb)
  path.raiseAt = path.isSearching ? NEVER : -1
}

/**
 * How much text a probe of the path is to carry now (RFC 4821 §7.2, §7.4): 0, nothing is to be probed; -1, it waits for room in cwnd, and
 * so does other text. There must be enough behind it for its loss to be seen.
 */
export function pathProbeText(tcb: Tcb, unsent: number, inNetwork: number, now: Micros): number {
  const { path, snd, recovery } = tcb
  const { flight } = snd
  if (path.probeBytes > 0 || path.isRepairing || now < path.nextProbeAt || recovery.phase !== 'open') return 0
  if (!canSearch(tcb) || flight.lostBytes > 0 || flight.sackedBytes > 0 || tcb.rtt.timeouts > 0) return 0
  const size = nextSize(tcb)
  if (size === 0) {
    endSearch(tcb)
    return 0
  }
  const length = size - headerBytes(tcb)
  const behind = (tcb.config.dupThresh + 1) * snd.mss
  const usable = seqDiff(seqAdd(snd.una, snd.wnd), snd.nxt)
  if (unsent < length + behind || usable < length + behind || tcb.cc.cwnd < length + behind) return 0
  return inNetwork + length <= tcb.cc.cwnd ? length : -1
}

/** The size to probe: the greatest first, which is what a path that has changed back takes; then halves (RFC 4821 §7.3). */
function nextSize(tcb: Tcb): number {
  const { path } = tcb
  const low = tcb.pathSegmentBytes
  const high = Math.min(path.high, mostBytes(tcb))
  if (high <= low) return 0
  if (!path.isHighTried) return high
  return high - low < CLOSE_ENOUGH ? 0 : (low + high + 1) >> 1
}

function endSearch(tcb: Tcb): void {
  const { path } = tcb
  path.isSearching = false
  // More than has been found is tried again later, if the link has more.
  path.raiseAt = tcb.pathSegmentBytes < mostBytes(tcb) ? -1 : NEVER
}

/** The probe was sent: the last `length` octets of the flight. */
export function notePathProbe(tcb: Tcb, length: number): void {
  const { path, snd } = tcb
  path.probeBytes = length + headerBytes(tcb)
  path.probeEnd = snd.nxt
  path.probeStart = seqAdd(snd.nxt, -length)
}

/** What the probe carried goes again for another reason: nothing can be told of it any more (RFC 4821 §7.6.4). */
export function endProbe(tcb: Tcb): void {
  tcb.path.probeBytes = 0
  tcb.path.isRepairing = false
}

/** Text from `start` on goes again. */
export function noteResentOnPath(tcb: Tcb, start: Seq): void {
  const { path } = tcb
  if (path.probeBytes > 0 && seqGe(start, path.probeStart) && seqLt(start, path.probeEnd)) endProbe(tcb)
}

/** After an acknowledgement was judged: what it says of the probe. */
export function judgePathProbe(tcb: Tcb, now: Micros): void {
  const { path, snd } = tcb
  const isAcked = seqLe(path.probeEnd, snd.una)
  if (path.probeBytes === 0) {
    if (isAcked) path.isRepairing = false
    return
  }
  if (isAcked) {
    onProbeArrived(tcb, now)
    return
  }
  const i = snd.flight.indexOf(path.probeStart)
  if (i >= snd.flight.size || snd.flight.at(i).mark !== 'lost') return
  // RFC 4821 §7.6.4: lost together with others it tells of congestion, not of its size.
  if (tcb.recovery.phase !== 'open' || snd.flight.lostBytes > lostOfProbe(tcb)) {
    endProbe(tcb)
    path.nextProbeAt = now + Math.max(PROBE_PAUSE_US, tcb.rtt.srttUs)
    return
  }
  onProbeLost(tcb, now)
}

function onProbeArrived(tcb: Tcb, now: Micros): void {
  const { path } = tcb
  tcb.counters.TcpExtTCPMTUPSuccess++
  tcb.pathSegmentBytes = path.probeBytes
  updateSendMss(tcb)
  path.probeLosses = 0
  path.probeBytes = 0
  path.nextProbeAt = now + PROBE_PAUSE_US
  if (nextSize(tcb) === 0) endSearch(tcb)
}

function onProbeLost(tcb: Tcb, now: Micros): void {
  const { path } = tcb
  tcb.counters.TcpExtTCPMTUPFail++
  if (++path.probeLosses >= MOST_PROBES) giveUpSize(tcb, path.probeBytes - 1)
  repair(tcb)
  path.nextProbeAt = now + Math.max(PROBE_PAUSE_US, tcb.rtt.srttUs)
}

function giveUpSize(tcb: Tcb, high: number): void {
  tcb.path.high = Math.max(tcb.pathSegmentBytes, high)
  tcb.path.isHighTried = true
  tcb.path.probeLosses = 0
}

function repair(tcb: Tcb): void {
  tcb.path.probeBytes = 0
  tcb.path.isRepairing = true
  tcb.recovery.forced = true
}

/** A router says that the probe itself was too large: `segmentBytes` are not. Returns whether it was the probe that it spoke of. */
export function probeWasTooBig(tcb: Tcb, sequence: Seq, segmentBytes: number): boolean {
  const { path, snd } = tcb
  if (path.probeBytes === 0 || sequence !== path.probeStart || segmentBytes >= path.probeBytes) return false
  if (segmentBytes < tcb.pathSegmentBytes) return false // it speaks of more than the probe
  tcb.counters.TcpExtTCPMTUPFail++
  giveUpSize(tcb, segmentBytes)
  path.isHighTried = false // this one is said to fit
  const i = snd.flight.indexOf(path.probeStart)
  if (i < snd.flight.size && snd.flight.at(i).mark === 'sent') snd.flight.lose(snd.flight.at(i), 'pmtu')
  repair(tcb)
  return true
}

/** Bytes that are lost, and say nothing of congestion: the probe's, until they have gone again. */
export function lostOfProbe(tcb: Tcb): number {
  const { path, snd } = tcb
  if (!path.isRepairing && path.probeBytes === 0) return 0
  let bytes = 0
  for (let i = snd.flight.indexOf(path.probeStart); i < snd.flight.size; i++) {
    const { start, end, mark, transmissions } = snd.flight.at(i)
    if (!seqLt(start, path.probeEnd)) break
    if (mark === 'lost' && transmissions === 1) bytes += seqDiff(end, start)
  }
  return bytes
}
