// What nobody may forge if the streams are to arrive: numbers that a TCP without signatures has to believe (RFC 5961 §1, RFC 9293 §3.10.7.4).
// A forged segment that is about to tell such a lie is brought back to the truth as far as the other host knows it.
// Owns: the lies that count. Does not own: forging (tcp-mutate.ts).

import { get32, put32 } from '../../src/base/bytes.ts'
import { FLAG } from '../../src/tcp/header.ts'
import { type Seq, seqGt } from '../../src/tcp/seq.ts'
import { isSynchronized } from '../../src/tcp/state.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { timestampNow } from '../../src/tcp/timestamps.ts'
import type { Draft } from './tcp-draft.ts'

/** Takes the lies out of a segment for `victim` in the name of `peer`; false when it had better not be sent at all. */
export function makeHarmless(draft: Draft, victim: Tcb | null, peer: Tcb | null, now: number): boolean {
  if (victim === null || peer === null) return false
  if (!isSynchronized(victim.state) || !isSynchronized(peer.state)) return false
  if (victim.rcv.irs !== peer.snd.iss || peer.rcv.irs !== victim.snd.iss) return false
  draft.isPoisoned = false
  draft.cutBytes = 0 // a FIN would stand before its place
  if (draft.offsetError !== 0) draft.isChecksumWrong = true // options would be taken for text
  const sentEnd = peer.snd.finSent ? (peer.snd.nxt - 1) | 0 : peer.snd.nxt
  // A segment from ahead of what the peer has sent makes its windows the older ones, and its text one that it cannot acknowledge.
  if (seqGt(draft.seq as Seq, sentEnd as Seq)) draft.seq = sentEnd
  if (((draft.seq + draft.textLength - sentEnd) | 0) > 0) draft.textLength = Math.max(0, (sentEnd - draft.seq) | 0)
  if ((draft.flags & FLAG.RST) !== 0 && draft.seq === victim.rcv.nxt) draft.flags &= ~FLAG.RST
  if ((draft.flags & FLAG.FIN) !== 0) {
    const isTrue =
      peer.snd.finSent && ((draft.seq + draft.textLength) | 0) === sentEnd && (draft.flags & FLAG.SYN) === 0
    if (!isTrue) draft.flags &= ~FLAG.FIN
  }
  if (victim.state === 'TIME-WAIT') draft.flags &= ~FLAG.SYN // it would open another connection in its place
  if (seqGt(draft.ack as Seq, peer.rcv.nxt)) draft.ack = peer.rcv.nxt
  keepClock(draft, timestampNow(peer, now))
  return true
}

/** No timestamp from the future: the true ones would be taken for old duplicates (RFC 7323 §5.3). */
function keepClock(draft: Draft, clock: number): void {
  for (let at = 0; at + 1 < draft.optionBytes; ) {
    const kind = draft.options[at]
    if (kind === 0) return
    if (kind === 1) {
      at++
      continue
    }
    const length = draft.options[at + 1]
    if (length < 2) return
    if (kind === 8 && ((get32(draft.options, at + 2) - clock) | 0) > 0) put32(draft.options, at + 2, clock)
    at += length
  }
}
