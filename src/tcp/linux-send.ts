// The send buffer as Linux reckons it (`heuristics: 'linux'`): by the memory of super-segments, each with its record, and what is bound is
// the beginning of another one, so that the last one is filled beyond the bound. For scripts that name what a write takes.
// Owns: these rules. Does not own: the bytes (base/byte-ring.ts), what calls them (send-buffer.ts).
// Read first: Linux's tcp_sendmsg_locked, tcp_sndbuf_expand, tcp_xmit_size_goal and sk_stream_is_writeable, whose names stand here.

import { pipe } from './loss.ts'
import { seqAdd, seqDiff, seqMax } from './seq.ts'
import { type Tcb, unsentBytes } from './tcb.ts'

/** Memory of a super-segment beside its text: the record, room for headers, the list of its pieces. */
const RECORD_BYTES = 960
/** The same as tcp_sndbuf_expand guesses it, for each segment. */
const HEADER_ROOM = 640
const RECORD_ROOM = 256
const FIRST_SEGMENTS = 10
const WINDOWS_HELD = 2
/** The most of a super-segment: 64 KiB less room for headers. */
const MOST_BYTES = 65215
/** So many segments of what is in flight are taken to share a super-segment: Linux sends no fewer. */
const SEGMENTS_TOGETHER = 2

/** Whether the send buffer of this connection is reckoned so: its numbers are agreed on, or there is no segment size yet. */
export function isLinuxSend(tcb: Tcb): boolean {
  return tcb.config.heuristics === 'linux' && tcb.snd.mss > 0
}

/** tcp_xmit_size_goal: so many octets of text go into one super-segment, no more than half of the greatest window. */
function sizeGoal({ snd }: Tcb): number {
  const most = snd.maxWnd > 536 ? Math.min(MOST_BYTES, snd.maxWnd >> 1) : MOST_BYTES
  return Math.max(1, Math.floor(most / snd.mss)) * snd.mss
}

/** What the last super-segment, where all of it waits to be sent, takes more. */
function tailRoom(tcb: Tcb, unsent: number, goal: number): number {
  return unsent <= 0 ? 0 : Math.max(0, goal - Math.min(unsent, tailBytes(tcb)))
}

/** Octets of the last super-segment that were not sent. */
function tailBytes(tcb: Tcb): number {
  const { snd } = tcb
  const end = seqAdd(snd.nxt, Math.max(0, unsentBytes(tcb)))
  return Math.max(0, seqDiff(end, seqMax(snd.tailStart, snd.nxt)))
}

/** What the send buffer is charged with, in octets of truesize, as Linux's sk_wmem_queued reckons it. */
export function linuxQueued(tcb: Tcb): number {
  const { snd } = tcb
  const goal = sizeGoal(tcb)
  const unsent = Math.max(0, unsentBytes(tcb))
  const tail = Math.min(unsent, tailBytes(tcb))
  const inFlight = Math.max(0, snd.buffer.extent - unsent)
  const sent = Math.max(Math.ceil(inFlight / (SEGMENTS_TOGETHER * snd.mss)), snd.flight.size)
  const records = sent + Math.ceil((unsent - tail) / goal) + (tail > 0 ? 1 : 0)
  return snd.buffer.extent + records * RECORD_BYTES
}

/** tcp_sndbuf_expand: what the window needs, in segments and their memory. The bound never goes down. */
function expand(tcb: Tcb, segments: number): void {
  const { snd, ts, config } = tcb
  if (!config.sendBufferAutotune) return
  const each = 2 ** Math.ceil(Math.log2(snd.mss + (ts.enabled ? 12 : 0) + HEADER_ROOM)) + RECORD_ROOM
  const wanted = Math.min(config.sendBufferMaxBytes, WINDOWS_HELD * Math.max(FIRST_SEGMENTS, segments) * each)
  if (wanted > snd.bufferBytes) snd.bufferBytes = wanted
}

/**
 * Bytes that a write takes before it looks again: the rest of the last super-segment, or another one while the bound is not reached, and
 * there is little enough unsent (`mayBegin`).
 */
export function linuxRoom(tcb: Tcb, mayBegin: boolean): number {
  expand(tcb, FIRST_SEGMENTS) // tcp_init_buffer_space
  const goal = sizeGoal(tcb)
  const rest = tailRoom(tcb, unsentBytes(tcb), goal)
  if (rest > 0) return rest
  return mayBegin && linuxQueued(tcb) < tcb.snd.bufferBytes ? goal : 0
}

/** So many octets are about to be queued: they fill the last super-segment, or begin another. */
export function noteLinuxWrite(tcb: Tcb, length: number): void {
  if (!isLinuxSend(tcb)) return
  const unsent = Math.max(0, unsentBytes(tcb))
  const goal = sizeGoal(tcb)
  let over = length - tailRoom(tcb, unsent, goal)
  if (over <= 0) return
  over = over % goal === 0 ? goal : over % goal
  tcb.snd.tailStart = seqAdd(tcb.snd.nxt, unsent + length - over)
}

/** sk_stream_is_writeable: a third of the bound is free; tcp_new_space: an application that waits while cwnd does not gets more. */
export function isLinuxFree(tcb: Tcb, isWaiting: boolean): boolean {
  expand(tcb, FIRST_SEGMENTS)
  if (isWaiting && pipe(tcb) < tcb.cc.cwnd) expand(tcb, Math.floor(tcb.cc.cwnd / tcb.snd.mss))
  const queued = linuxQueued(tcb)
  return tcb.snd.bufferBytes - queued >= queued / 2
}

/** How much a write takes if nothing is sent meanwhile. */
export function linuxCapacity(tcb: Tcb): number {
  expand(tcb, FIRST_SEGMENTS)
  const goal = sizeGoal(tcb)
  const rest = tailRoom(tcb, unsentBytes(tcb), goal)
  const free = tcb.snd.bufferBytes - linuxQueued(tcb) - rest
  return rest + Math.max(0, Math.ceil(free / (goal + RECORD_BYTES))) * goal
}
