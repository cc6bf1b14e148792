// The application's calls on an open connection: SEND, CLOSE, ABORT (RFC 9293 §3.9.1, §3.10.2 to §3.10.5); RECEIVE is takeText in
// receive.ts. Owns: their effect on the record. Does not own: making connections (layer.ts), errors of misuse (connection.ts).

import { abortTcb, closeTcb } from './closing.ts'
import { EVENT } from './events.ts'
import { beginLinger } from './linger.ts'
import { noteLinuxWrite } from './linux-send.ts'
import { lowerSendBuffer, writeRoom } from './send-buffer.ts'
import { seqGt } from './seq.ts'
import { canSend, setState } from './state.ts'
import { type Tcb, unsentBytes } from './tcb.ts'

/**
 * SEND: queues as much of `bytes` as the send buffer takes; returns how much. When it is not all, EVENT.writable will follow. `more`: the
 * call is without PUSH [MAY-15], another will follow.
 */
export function queueText(tcb: Tcb, bytes: Uint8Array, more: boolean): number {
  const { snd } = tcb
  if (!canSend(tcb.state) || snd.finQueued) return 0
  const length = Math.min(bytes.length, writeRoom(tcb))
  snd.hasMore = more
  snd.isMoreOver = false
  if (length > 0) noteLinuxWrite(tcb, length)
  if (length > 0) snd.buffer.put(snd.buffer.extent, bytes, 0, length)
  if (length < bytes.length) snd.wantsRoom = true
  return length
}

/** CLOSE of the sending side: FIN follows what is queued (RFC 9293 §3.10.4). */
export function queueFin(tcb: Tcb): void {
  if (tcb.snd.finQueued) return
  switch (tcb.state) {
    case 'SYN-SENT':
    case 'SYN-RECEIVED':
      tcb.snd.finQueued = true // takes effect with ESTABLISHED
      break
    case 'ESTABLISHED':
      tcb.snd.finQueued = true
      setState(tcb, 'FIN-WAIT-1')
      break
    case 'CLOSE-WAIT':
      tcb.snd.finQueued = true
      setState(tcb, 'LAST-ACK')
      break
  }
}

/**
 * RFC 9293 §3.6.1 [MAY-1]: the application is done with the connection in both directions. A FIN when it has read everything, a reset
 * when text is thrown away [SHLD-3]. What was written is still delivered in the first case. As in Linux text counts once it is in order:
 * behind a gap it has not been received yet, and what fills the gap is text after CLOSE, which resets.
 */
export function closeFully(tcb: Tcb): void {
  if (tcb.state === 'CLOSED') return
  if (tcb.state === 'SYN-SENT') {
    closeTcb(tcb)
    return
  }
  if (tcb.state === 'TIME-WAIT') {
    // Nothing is left to be told to the peer, and 2MSL is waited for all the same [MUST-13].
    tcb.rcv.buffer.clear()
    tcb.rcv.unread = 0
    tcb.orphaned = true
    return
  }
  if (tcb.rcv.unread > 0) {
    tcb.counters.TcpExtTCPAbortOnClose++
    abortTcb(tcb)
    return
  }
  if (tcb.config.lingerUs === 0) {
    tcb.counters.TcpExtTCPAbortOnData++ // Linux's name for it
    abortTcb(tcb)
    return
  }
  tcb.orphaned = true
  tcb.rcv.buffer.clear() // what lies behind a gap will not be read
  tcb.rcv.discard = true
  queueFin(tcb)
  if (tcb.config.lingerUs > 0) beginLinger(tcb)
}

/**
 * FLUSH (RFC 9293 §3.9.1.7 [MAY-14]): throws away what was written and never sent; returns how many bytes that was. What has a sequence
 * number already, and FIN, stay.
 */
export function flushUnsent(tcb: Tcb): number {
  const length = Math.max(0, unsentBytes(tcb))
  if (length === 0 || tcb.state === 'CLOSED') return 0
  const { snd } = tcb
  snd.buffer.truncate(snd.buffer.extent - length)
  if (snd.isUrgent && seqGt(snd.up, snd.nxt)) {
    snd.up = snd.nxt // the mark must not lie on text that is still to be written
    snd.isUrgentTold = true
  }
  lowerSendBuffer(tcb)
  if (tcb.snd.wantsRoom) {
    tcb.snd.wantsRoom = false
    tcb.events |= EVENT.writable
  }
  return length
}
