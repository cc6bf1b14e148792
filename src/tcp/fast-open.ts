// TCP Fast Open, the client's side (RFC 7413 §4.1.3, §4.2): text goes with the SYN to a server whose cookie is known; else the SYN asks
// for one. Whatever the server does not take of the text goes again when the connection is open: the worst that can happen is a handshake
// as it always was.
// Owns: what the SYN offers, what the answer means. Does not own: cookies (fast-open-cookies.ts), the server's side (fast-open-server.ts).

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { EVENT } from './events.ts'
import type { CookieJar } from './fast-open-cookies.ts'
import type { SegmentHeader, SegmentPlan } from './header.ts'
import { untilRecordEnd } from './records.ts'
import { lowerSendBuffer, tellRoom } from './send-buffer.ts'
import { seqAdd } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** Bytes of the options that go with a cookie in a SYN at most: RFC 9293 §3.1 leaves 40, 24 of which are MSS, SACK, timestamps, scale. */
const SYN_OPTION_BYTES = 40

/** An active open with Fast Open: looks for the server's cookie. */
export function offerFastOpen(tcb: Tcb, jar: CookieJar, server: IpAddress, now: Micros): void {
  const { fastOpen } = tcb
  fastOpen.jar = jar
  fastOpen.isOffered = !jar.isResting(server, now)
  const known = jar.find(server, now)
  if (tcb.config.fastOpenCookieless) {
    fastOpen.isOffered = true
    fastOpen.mss = known?.mss ?? (tcb.config.heuristics === 'linux' ? 65535 : server.family === 4 ? 536 : 1220)
    return
  }
  if (known?.cookie == null) return
  fastOpen.cookie = known.cookie
  fastOpen.mss = known.mss
}

/** Puts the option into our first SYN, and as much of the text that waits as fits beside it; returns how much that is. */
export function fillFastOpen(tcb: Tcb, plan: SegmentPlan): number {
  const { fastOpen, snd } = tcb
  if (!fastOpen.isOffered) return 0
  const { fastOpenCookieless } = tcb.config
  plan.hasCookie = !fastOpenCookieless
  plan.cookie = fastOpen.cookie
  if (fastOpen.cookie.length === 0 && !fastOpenCookieless) {
    fastOpen.failure = 1
    return 0
  }
  const segment = Math.min(fastOpen.mss, tcb.pathSegmentBytes - 20, tcb.config.mss)
  const first = untilRecordEnd(tcb, seqAdd(snd.iss, 1), snd.buffer.extent)
  const length = Math.min(first, Math.max(0, segment - SYN_OPTION_BYTES))
  plan.textOffset = 0
  plan.textLength = length
  fastOpen.isTextOut = length > 0
  return length
}

/** Our SYN has to go again: without the option and without text, as something on the way may have dropped it for them (§4.2.1, §7.1). */
export function withdrawFastOpen(tcb: Tcb, now: Micros): void {
  const { fastOpen } = tcb
  if (!fastOpen.isOffered || fastOpen.jar === null) return
  fastOpen.isOffered = false
  fastOpen.jar.failed(tcb.remote, now)
  if (fastOpen.isTextOut) tcb.counters.TcpExtTCPFastOpenActiveFail++
}

/** The peer's SYN has come: a cookie in it is kept for the next time (§4.1.3). */
export function takeCookie(tcb: Tcb, segment: SegmentHeader): void {
  const { jar } = tcb.fastOpen
  if (jar === null || segment.cookieLength <= 0) return
  const { bytes, cookieStart, cookieLength, mss } = segment
  const defaultMss = tcb.remote.family === 4 ? 536 : 1220
  jar.keep(tcb.remote, bytes.subarray(cookieStart, cookieStart + cookieLength), mss >= 0 ? mss : defaultMss)
}

/** Our SYN is acknowledged, SND.UNA has moved: what the server did not take of the text goes again at once, which is no loss (§4.2.1). */
export function afterSynAcked(tcb: Tcb): void {
  const { fastOpen, snd, recovery } = tcb
  if (!fastOpen.isTextOut) return
  fastOpen.isTextOut = false
  if (snd.una !== seqAdd(snd.iss, 1)) {
    fastOpen.isTextTaken = true
    if (fastOpen.isOffered) tcb.counters.TcpExtTCPFastOpenActive++
    fastOpen.jar?.succeeded(tcb.remote)
    lowerSendBuffer(tcb)
    tellRoom(tcb)
    if (snd.buffer.extent === 0) tcb.events |= EVENT.drained
  } else if (fastOpen.isOffered) {
    tcb.counters.TcpExtTCPFastOpenActiveFail++
  }
  if (snd.flight.size > 0) fastOpen.failure = tcb.recovery.retransmits > 0 ? 3 : 2
  for (let i = 0; i < snd.flight.size; i++) {
    snd.flight.lose(snd.flight.at(i), 'fast-open')
    recovery.forced = true
  }
}
