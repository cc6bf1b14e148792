// The window as Linux reckons it (`windowGrowth: 'linux'`): by the memory that packets take, of which text is only a part, and by what a
// peer may be trusted with (rcv_ssthresh), which grows with the segments that come. For scripts that name windows.
// Owns: what the window may be, what the buffer has grown to. Does not own: telling it (window.ts), when to acknowledge (acknowledge.ts).
// Read first: Linux's tcp_select_window, tcp_grow_window, tcp_measure_rcv_mss and tcp_rcv_space_adjust, whose names stand here.

import type { Micros } from '../base/time.ts'
import type { LinuxWindow } from './receive-state.ts'
import { type Seq, seqAdd, seqDiff, seqGt, seqLe } from './seq.ts'
import type { Tcb } from './tcb.ts'

const EVEN_RATIO = 128
const LEAST_CLAMP = 1152
/** SOCK_MIN_RCVBUF: with less no part of a poorly filled packet would be text, and the window stay shut for ever. */
const LEAST_RCVBUF = 2304
/** Room before a packet that comes over a TUN device, what is kept behind it, and the record itself. */
const HEADROOM = 64
const BEHIND = 320
const RECORD = 256
/** Sizes in which memory is handed out, as far as one packet may need them. */
const SIZES = [704, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072] as const

/** Whether the window is reckoned so. */
export function isLinuxWindow(tcb: Tcb): boolean {
  return tcb.config.windowGrowth === 'linux'
}

/** What is kept, from the first look at it after the handshake on (tcp_init_buffer_space). */
export function linuxWindow(tcb: Tcb): LinuxWindow {
  const { tuning, rcv, config } = tcb
  if (tuning.linux !== null) return tuning.linux
  const whole = config.receiveBufferBytes
  promiseAll(tcb)
  const told = Math.max(0, seqDiff(rcv.edge, rcv.nxt))
  const clamp = whole > 2 * advmss(tcb) ? Math.max(2 * advmss(tcb), whole - advmss(tcb)) : whole
  const ssthresh = Math.min(Math.max(told, LEAST_CLAMP), clamp) // a window that is full at the first look opens again
  tuning.linux = {
    rcvbuf: Math.max(LEAST_RCVBUF, 2 * whole),
    ratio: EVEN_RATIO,
    clamp,
    ssthresh,
    rcvMss: Math.max(88, Math.min(536, advmss(tcb), tcb.snd.mss > 0 ? tcb.snd.mss : 536, told >> 1)),
    space: Math.min(ssthresh, told, 10 * advmss(tcb)),
    spaceSeq: rcv.nxt,
    spaceAt: 0,
    told,
    held: [],
    charged: 0,
  }
  return tuning.linux
}

/**
 * tcp_select_initial_window: the first window is all of the buffer, in whole segments, though the SYN's field could tell of 65535 octets
 * only.
 */
function promiseAll({ rcv, config }: Tcb): void {
  const told = seqDiff(rcv.edge, rcv.nxt)
  if (told < 65535 || rcv.mss <= 0) return
  const whole = Math.floor(config.receiveBufferBytes / rcv.mss) * rcv.mss
  rcv.edge = seqAdd(rcv.nxt, Math.max(told, Math.min(whole, 65535 * 2 ** rcv.scale)))
}

/** tp->advmss: the text of a full segment of the peer's. */
function advmss({ rcv, ts }: Tcb): number {
  return rcv.mss - (ts.enabled ? 12 : 0)
}

/** tcp_win_from_space: the text in so much memory. */
function textOf(w: LinuxWindow, bytes: number): number {
  return Math.floor((bytes * w.ratio) / 256)
}

function memoryOf(text: number, headers: number): { truesize: number; room: number } {
  const used = Math.ceil((HEADROOM + headers + text) / 64) * 64
  const size = SIZES.find((one) => used + BEHIND <= one) ?? used + BEHIND
  return { truesize: size + RECORD, room: size - BEHIND - HEADROOM - headers - text }
}

/** Text has come, `[from, end)` of it new; before anything is said of it. A segment is `length` long, with so many octets of headers. */
export function takeLinuxText(tcb: Tcb, from: Seq, end: Seq, length: number, headers: number): void {
  const w = linuxWindow(tcb)
  const isInOrder = seqLe(from, tcb.rcv.nxt)
  const { truesize, room } = memoryOf(length, headers)
  const fresh = seqDiff(end, from)
  const before = w.held.find((one) => one.end === from && one.room >= fresh)
  if (before !== undefined) {
    before.end = end
    before.room -= fresh
  } else {
    w.held.push({ start: from, end, truesize, room })
    w.charged += truesize
  }
  if (isInOrder) measure(tcb, w, length, truesize)
  if (!isInOrder || length >= 128) grow(tcb, w, length, truesize)
}

/** tcp_measure_rcv_mss: a segment longer than any before tells how much of memory is text. */
function measure(tcb: Tcb, w: LinuxWindow, length: number, truesize: number): void {
  if (length < w.rcvMss) return
  if (length !== w.rcvMss) {
    const ratio = Math.max(1, Math.floor((length * 256) / truesize))
    if (ratio !== w.ratio) {
      w.ratio = ratio
      setClamp(tcb, w, textOf(w, w.rcvbuf))
    }
  }
  w.rcvMss = Math.min(length, advmss(tcb))
}

/** tcp_set_window_clamp. */
function setClamp(tcb: Tcb, w: LinuxWindow, value: number): void {
  const clamp = Math.max(LEAST_CLAMP, value)
  const isLess = clamp < w.clamp
  w.clamp = clamp
  w.ssthresh = isLess ? Math.min(w.ssthresh, clamp) : Math.max(w.ssthresh, Math.min(w.told, clamp))
  if (tcb.config.receiveBufferAutotune) return
  w.ssthresh = Math.min(w.ssthresh, clamp)
}

/** tcp_grow_window: a peer whose packets are well filled is trusted with more. */
function grow(tcb: Tcb, w: LinuxWindow, length: number, truesize: number): void {
  const room = Math.min(w.clamp, freeText(w)) - w.ssthresh
  if (room <= 0) return
  const step = textOf(w, truesize) <= length ? 2 * advmss(tcb) : stepForSmall(tcb, w, length, truesize)
  if (step === 0) return
  w.ssthresh += Math.min(room, Math.max(step, 2 * length))
  tcb.ack.quickLeft |= 1
}

/** __tcp_grow_window: small packets are borne while the window is small. */
function stepForSmall(tcb: Tcb, w: LinuxWindow, length: number, truesize: number): number {
  let text = textOf(w, truesize) >> 1
  let window = textOf(w, tcb.config.receiveBufferMaxBytes) >> 1
  while (w.ssthresh <= window) {
    if (text <= length) return 2 * w.rcvMss
    text >>= 1
    window >>= 1
  }
  return 0
}

/** tcp_space: the text for which there is room. */
function freeText(w: LinuxWindow): number {
  return textOf(w, w.rcvbuf - w.charged)
}

/** __tcp_select_window: what may be told now. */
export function selectLinuxWindow(tcb: Tcb): number {
  const w = linuxWindow(tcb)
  const scale = tcb.rcv.scale
  let free = freeText(w)
  const allowed = textOf(w, w.rcvbuf)
  const full = Math.min(w.clamp, allowed)
  const mss = Math.min(w.rcvMss, full)
  if (mss <= 0) return 0
  if (free < full >> 1) {
    tcb.ack.quickLeft = 0
    free -= free % 2 ** scale
    if (free < allowed >> 4 || free < mss) return 0
  }
  free = Math.min(free, w.ssthresh)
  if (scale > 0) return Math.ceil(free / 2 ** scale) * 2 ** scale
  if (w.told <= free - mss || w.told > free) return free - (free % mss)
  return mss === full && free > w.told + (full >> 1) ? free : w.told
}

/** The window that is told with a segment now, in octets: never less than what the peer may send already. */
export function tellLinuxWindow(tcb: Tcb): number {
  const w = linuxWindow(tcb)
  const unit = 2 ** tcb.rcv.scale
  const current = Math.max(0, seqDiff(tcb.rcv.edge, tcb.rcv.nxt))
  const chosen = selectLinuxWindow(tcb)
  w.told = chosen < current ? Math.ceil(current / unit) * unit : chosen
  return Math.min(w.told, 65535 * unit)
}

/** Whether a second full segment is acknowledged at once: only while the window need not shrink for it (__tcp_ack_snd_check). */
export function mayTellAsMuch(tcb: Tcb): boolean {
  return selectLinuxWindow(tcb) >= linuxWindow(tcb).told
}

/** Whether reading has opened the window so far that it is told at once (__tcp_cleanup_rbuf). */
export function isLinuxUpdateDue(tcb: Tcb): boolean {
  const w = linuxWindow(tcb)
  const current = Math.max(0, seqDiff(tcb.rcv.edge, tcb.rcv.nxt))
  if (2 * current > w.clamp) return false
  const chosen = selectLinuxWindow(tcb)
  return chosen > 0 && chosen >= 2 * current
}

/** The application has read up to `copied`: packets that were read whole are let go. */
export function releaseLinux(tcb: Tcb, copied: Seq): void {
  const w = linuxWindow(tcb)
  w.held = w.held.filter((one) => {
    if (seqGt(one.end, copied)) return true
    w.charged -= one.truesize
    return false
  })
}

/** tcp_rcv_space_adjust: once in a round trip the buffer grows with what was read in it. */
export function adjustLinuxSpace(tcb: Tcb, copied: Seq, now: Micros): void {
  const w = linuxWindow(tcb)
  const { rttUs } = tcb.tuning
  if (rttUs <= 0 || now - w.spaceAt < rttUs) return
  const read = seqDiff(copied, w.spaceSeq)
  w.spaceSeq = copied
  w.spaceAt = now
  if (read <= w.space) return
  if (tcb.config.receiveBufferAutotune) {
    const wanted = 2 * read + 16 * advmss(tcb)
    const most = tcb.config.receiveBufferMaxBytes
    const wide = wanted + 2 * Math.floor((wanted * (read - w.space)) / Math.max(1, w.space))
    const rcvbuf = Math.min(most, Math.ceil((wide * 256) / w.ratio))
    if (rcvbuf > w.rcvbuf) {
      w.rcvbuf = rcvbuf
      w.clamp = textOf(w, rcvbuf)
    }
  }
  w.space = read
}

/** Where the application has read up to. */
export function copiedSeq({ rcv }: Tcb): Seq {
  return seqAdd(rcv.nxt, -rcv.unread)
}
