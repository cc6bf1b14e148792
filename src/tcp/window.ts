// Windows, both ways (RFC 9293 §3.8.6, RFC 7323 §2). Owns: taking over the peer's window, deciding what we advertise without silly
// windows [MUST-39] and without moving the right edge left [SHLD-14]. Does not own: when an update is worth a segment of its own
// beyond the rule below, what the sender does with its window (output.ts).

import type { TcpConfig } from './config.ts'
import type { SegmentHeader } from './header.ts'
import { isLinuxUpdateDue, isLinuxWindow, tellLinuxWindow } from './linux-window.ts'
import { largestReceiveBuffer, receiveBufferBytes } from './receive-buffer.ts'
import { seqAdd, seqDiff, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** What a byte ring holds at most. */
const LARGEST_BUFFER_BYTES = 1 << 30

/** Greatest shift count (RFC 7323 §2.3). */
export const MAX_WINDOW_SCALE = 14

/** Smallest shift with which the 16-bit field can tell a buffer of that size. */
export function windowScaleFor(bufferBytes: number): number {
  let scale = 0
  while (scale < MAX_WINDOW_SCALE && 65535 << scale < bufferBytes) scale++
  return scale
}

/**
 * The shift count to announce: for the largest buffer that may be, but with units of a sixteenth of the first one at most, or nothing of
 * a small one could be told.
 */
export function receiveWindowScale(config: TcpConfig): number {
  let scale = windowScaleFor(largestReceiveBuffer(config))
  while (scale > 0 && 16 << scale > config.receiveBufferBytes) scale--
  return scale
}

/**
 * Takes the peer's window from an acceptable segment unless it is older than the one in use (RFC 9293 §3.10.7.4, fifth check). There is no
 * SND.WL2: SEG.ACK is at least SND.UNA here, and that at least what any segment before has acknowledged.
 */
export function updateSendWindow(tcb: Tcb, segment: SegmentHeader): void {
  const { snd } = tcb
  if (seqLt(segment.ack, snd.una)) return
  if (seqLt(segment.seq, snd.wl1) || isOlderByClock(tcb, segment)) return
  snd.wnd = segment.window << snd.scale // 30 bits at most [REC-1]
  snd.wl1 = segment.seq
  if (snd.wnd > snd.maxWnd) snd.maxWnd = snd.wnd
}

/** A bare acknowledgement that was overtaken (acceptability.ts): its window is not the last one. */
function isOlderByClock({ ts }: Tcb, segment: SegmentHeader): boolean {
  return ts.enabled && segment.hasTimestamps && ((segment.tsVal - ts.recent) | 0) < 0
}

/** RCV.WND: how much more the peer may send now, by what it was last told. */
export function receiveWindow(tcb: Tcb): number {
  return Math.max(0, seqDiff(tcb.rcv.edge, tcb.rcv.nxt))
}

/** Room in the receive buffer, as far as the window field can tell of it. */
function freeBytes(tcb: Tcb): number {
  return Math.min(65535 << tcb.rcv.scale, Math.max(0, receiveBufferBytes(tcb) - tcb.rcv.unread))
}

/** Whether moving the right edge to `free` beyond RCV.NXT is a step that RFC 9293 §3.8.6.2.2 allows. */
function isWorthTelling(tcb: Tcb, free: number): boolean {
  const tellable = free - (free % (1 << tcb.rcv.scale))
  if (!tcb.config.sillyWindowAvoidance) return tellable > receiveWindow(tcb)
  return tellable - receiveWindow(tcb) >= Math.min(Math.floor(receiveBufferBytes(tcb) / 2), tcb.rcv.mss)
}

/**
 * The window so far, in units of the scale: rounded up, so that the edge stays where it was promised. Rounding up moves it right a
 * little each time, so a peer that sends small pieces could have it grow for ever: an eighth of the buffer is the most, or once the buffer
 * where it may grow, for then the units are those of a larger one. From there on it is rounded down: the peer sees the edge move left by
 * less than a unit, and text up to the old edge is taken (RFC 7323 §2.4).
 */
function promisedUnits(tcb: Tcb, unit: number): number {
  const units = Math.ceil(receiveWindow(tcb) / unit)
  const spare = tcb.config.receiveBufferAutotune ? 2 : 1.125
  const most = Math.min(receiveBufferBytes(tcb) * spare, LARGEST_BUFFER_BYTES) - tcb.rcv.unread
  return units * unit <= most ? units : Math.floor(receiveWindow(tcb) / unit)
}

/** What a SYN tells: in whole segments where that is asked for, each as long as its text will be when it carries timestamps. */
function synWindow(tcb: Tcb): number {
  const free = freeBytes(tcb)
  if (!tcb.config.synWindowBySegments) return free
  const hasTimestamps = tcb.ts.enabled && tcb.state === 'SYN-RECEIVED' // agreed on: our own SYN only offers them
  const segment = tcb.rcv.mss - (hasTimestamps ? 12 : 0)
  const whole = receiveBufferBytes(tcb)
  return Math.min(free, whole > segment ? whole - (whole % segment) : whole)
}

/**
 * The value of the window field for a segment that goes out now, and the right edge moved to match. For as long as the application does
 * not read that is 0 [MAY-8].
 */
export function advertiseWindow(tcb: Tcb, isSyn: boolean): number {
  const { rcv } = tcb
  if (!isSyn && isLinuxWindow(tcb)) {
    const told = tellLinuxWindow(tcb)
    const edge = seqAdd(rcv.nxt, told)
    if (seqLt(rcv.edge, edge)) rcv.edge = edge
    rcv.isWindowTold = true
    return Math.floor(told / (1 << rcv.scale))
  }
  const scale = isSyn ? 0 : rcv.scale
  const unit = 1 << scale
  const free = isSyn ? synWindow(tcb) : freeBytes(tcb)
  const promised = promisedUnits(tcb, unit)
  const field = isSyn || isWorthTelling(tcb, free) ? Math.max(Math.floor(free / unit), promised) : promised
  const bounded = Math.min(65535, field)
  const edge = seqAdd(rcv.nxt, bounded * unit)
  if (isSyn || seqLt(rcv.edge, edge)) rcv.edge = edge
  rcv.isWindowTold = !isSyn
  return bounded
}

/**
 * After the application has read: whether the window has opened so far that the peer should be told without waiting for text to
 * acknowledge. As in Linux: at least a segment, and at least twice what the peer may send now. Right after the handshake the window of
 * the SYN, which could not be scaled, will do until there is something to say anyway.
 */
export function windowUpdateDue(tcb: Tcb): boolean {
  if (isLinuxWindow(tcb)) return isLinuxUpdateDue(tcb)
  const free = freeBytes(tcb)
  return tcb.rcv.isWindowTold && isWorthTelling(tcb, free) && free >= 2 * receiveWindow(tcb)
}
