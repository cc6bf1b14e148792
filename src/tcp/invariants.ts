// What must hold of a connection between any two steps. Run after every step of a test or a simulation; never in production.

import { assert } from '../base/assert.ts'
import { UNUSED_FRTO, UNUSED_PRR, UNUSED_UNDO } from './recovery-state.ts'
import { seqAdd, seqDiff, seqGe, seqLe, seqLt } from './seq.ts'
import { isSynchronized } from './state.ts'
import { sendBufferStart, type Tcb, unsentBytes } from './tcb.ts'
import { nextDeadline } from './timers.ts'

/** Checks a connection's record. @throws {InvariantError} naming what does not hold */
export function checkInvariants(tcb: Tcb): void {
  checkSend(tcb)
  checkFlight(tcb)
  checkReceive(tcb)
  checkTimers(tcb)
  checkShared()
}

function checkSend(tcb: Tcb): void {
  const { snd } = tcb
  // After the handshake ISS means nothing any more: text may have gone around the number space.
  assert(isSynchronized(tcb.state) || tcb.state === 'CLOSED' || seqLe(snd.iss, snd.una), 'SND.UNA is before ISS')
  assert(seqLe(snd.una, snd.nxt), 'SND.UNA is after SND.NXT')
  assert(snd.wnd >= 0 && snd.maxWnd >= snd.wnd, 'MAX.SND.WND is below SND.WND')
  assert(!snd.finSent || snd.finQueued, 'FIN was sent but not queued')
  const { sendBufferBytes, sendBufferMaxBytes } = tcb.config
  const isBounded = tcb.config.heuristics !== 'linux' // whose last super-segment is filled beyond the bound
  assert(!isBounded || snd.buffer.extent <= snd.bufferBytes, 'the send buffer holds more than its bound')
  const isEarly = tcb.state === 'SYN-RECEIVED' && tcb.fastOpen.isTaken // Fast Open: text may be on its way before the handshake's end
  assert(!isEarly || !snd.finSent, 'FIN was sent before our SYN was acknowledged')
  if ((!isSynchronized(tcb.state) && !isEarly) || tcb.state === 'TIME-WAIT') return
  const most = Math.max(sendBufferBytes, sendBufferMaxBytes, snd.buffer.extent)
  assert(snd.bufferBytes <= most, 'the send buffer has grown beyond its bound')
  assert(unsentBytes(tcb) >= 0, 'SND.NXT lies beyond the text that was ever queued')
  const sentText = seqDiff(snd.nxt, sendBufferStart(tcb)) - (snd.finSent && seqLt(snd.una, snd.nxt) ? 1 : 0)
  assert(sentText <= snd.buffer.extent || snd.una === snd.nxt, 'text in flight is missing from the send buffer')
  assert(tcb.cc.cwnd >= 1, 'cwnd is below one byte')
}

function checkFlight(tcb: Tcb): void {
  const { snd } = tcb
  const { flight } = snd
  if (tcb.state === 'CLOSED' || tcb.state === 'TIME-WAIT') return
  assert(flight.bytes === seqDiff(snd.nxt, snd.una), 'the flight does not span SND.UNA to SND.NXT')
  let at = snd.una
  let sacked = 0
  let lost = 0
  for (let i = 0; i < flight.size; i++) {
    const entry = flight.at(i)
    assert(entry.start === at, 'the flight has a gap')
    assert(seqLt(entry.start, entry.end), 'the flight has an empty entry')
    const length = seqDiff(entry.end, entry.start)
    if (entry.mark === 'sacked') sacked += length
    if (entry.mark === 'lost') lost += length
    at = entry.end
  }
  checkSendingOrder(tcb)
  assert(sacked === flight.sackedBytes && lost === flight.lostBytes, 'the counts of the flight are wrong')
  assert(flight.pipe >= 0, 'pipe is negative')
}

/** All that is in the network stands in the flight's second order, by when it was sent. */
function checkSendingOrder({ snd: { flight } }: Tcb): void {
  let inNetwork = 0
  let sentAt = Number.NEGATIVE_INFINITY
  for (let entry = flight.oldest; entry !== null; entry = entry.newer) {
    assert(
      entry.mark === 'sent' || entry.mark === 'resent',
      'what is not in the network stands in the order of sending',
    )
    assert(entry.sentAt >= sentAt, 'the order of sending is wrong')
    sentAt = entry.sentAt
    inNetwork += seqDiff(entry.end, entry.start)
  }
  assert(inNetwork === flight.pipe, 'something is in the network, but not in the order of sending')
}

function checkReceive(tcb: Tcb): void {
  const { rcv } = tcb
  if (tcb.state === 'SYN-RECEIVED') {
    const taken = tcb.fastOpen.isTaken ? seqDiff(rcv.nxt, seqAdd(rcv.irs, 1)) : 0
    assert(rcv.unread <= taken, 'there is text that was not taken')
  }
  if (!isSynchronized(tcb.state)) return
  assert(seqGe(rcv.edge, rcv.nxt), 'the advertised right edge is left of RCV.NXT')
  assert(rcv.discard || rcv.unread <= rcv.buffer.extent, 'unread text is missing from the receive buffer')
  const isTimed = tcb.timers.delayedAck !== Number.POSITIVE_INFINITY
  assert(rcv.acksOwed === 0 || tcb.ackHold === 'due', 'an acknowledgement is owed and nothing says so')
  assert(
    rcv.acksOwed > 0 || isTimed === (tcb.ackHold !== 'none'),
    'an acknowledgement waits without a timer, or a timer for none',
  )
  let previous = rcv.nxt
  for (let i = 0; i < rcv.outOfOrder.size; i++) {
    const start = seqAdd(rcv.nxt, (rcv.outOfOrder.start(i) - rcv.nxt) | 0)
    assert(seqLt(previous, start), 'out-of-order text touches RCV.NXT or its neighbour')
    previous = seqAdd(start, (rcv.outOfOrder.end(i) - start) | 0)
  }
  assert(seqLe(previous, rcv.edge), 'out-of-order text lies beyond the window')
}

function checkTimers(tcb: Tcb): void {
  const { timers, snd } = tcb
  if (tcb.state === 'CLOSED') {
    assert(nextDeadline(tcb) === Number.POSITIVE_INFINITY, 'a closed connection has a timer')
    return
  }
  assert(
    snd.flight.bytes === 0 || timers.retransmit !== Number.POSITIVE_INFINITY,
    'something is in flight and no retransmission timer runs',
  )
  assert(tcb.state !== 'TIME-WAIT' || timers.linger !== Number.POSITIVE_INFINITY, 'TIME-WAIT without its timer')
}

/** What connections share that have nothing of their own to recover (recovery-state.ts): nobody has written to it. */
function checkShared(): void {
  const { isPossible, isResent, isMended, resent } = UNUSED_UNDO
  assert(
    !isPossible && !isResent && !isMended && resent.size === 0,
    'a connection has written to what all share of undo',
  )
  const { delivered, out, isForMark } = UNUSED_PRR
  assert(delivered === 0 && out === 0 && !isForMark, 'a connection has written to what all share of PRR')
  assert(UNUSED_FRTO.step === 'off', 'a connection has written to what all share of F-RTO')
}
