// How much the application may hand over before it has to wait: the send buffer's bound, which grows with cwnd so that any path can be
// filled, and the mark on what was not sent yet (Linux: tcp_wmem, SO_SNDBUF, TCP_NOTSENT_LOWAT; RFC 9293 §3.9.1.2 leaves it to us).
// Owns: what a write takes, when there is room again. Does not own: the bytes (base/byte-ring.ts).

import type { TcpConfig } from './config.ts'
import { EVENT } from './events.ts'
import { isLinuxFree, isLinuxSend, linuxRoom } from './linux-send.ts'
import { type Tcb, unsentBytes } from './tcb.ts'

/** What was sent must stay until it is acknowledged, and as much again must wait to be sent when the window opens: two windows. */
const WINDOWS_HELD = 2
/** Each round trip of slow start doubles what the path is seen to hold. */
const GROWTH = 2
/** BBR lets more than its cwnd's worth of a round trip wait, as in Linux. */
const WINDOWS_HELD_BY_MODEL = 3

/** Bytes that `write` takes now. */
export function writeRoom(tcb: Tcb): number {
  const { snd, config } = tcb
  const room = Math.max(0, snd.bufferBytes - snd.buffer.extent)
  const unsent = Math.max(0, unsentBytes(tcb))
  const mark = config.notSentLowWaterBytes
  if (isLinuxSend(tcb)) return linuxRoom(tcb, unsent < mark)
  if (unsent >= mark) return 0
  // Up to the mark, but at least a segment: a mark of one byte means "one write at a time", not single bytes.
  return Math.min(room, Math.max(mark - unsent, snd.mss))
}

/** Whether an application is told of room: a third of what is queued and free is free. `isWaiting`: it waits for that. */
export function hasRoom(tcb: Tcb, isWaiting: boolean): boolean {
  if (isLinuxSend(tcb)) return isLinuxFree(tcb, isWaiting)
  return tcb.snd.bufferBytes - tcb.snd.buffer.extent >= tcb.snd.buffer.extent / 2
}

/**
 * After acknowledgements and after output: tells the application that waits for room that there is some. As Linux: a third of what is
 * queued and free is free, so that it is not woken for every segment, and less than half of the mark is not sent yet.
 */
export function tellRoom(tcb: Tcb): void {
  const { snd, config } = tcb
  if (!snd.wantsRoom) return
  if (!hasRoom(tcb, true)) return
  if (2 * unsentBytes(tcb) >= config.notSentLowWaterBytes) return
  snd.wantsRoom = false
  tcb.events |= EVENT.writable
}

/**
 * On an acknowledgement that tells of so many bytes a second (-1: of none), while the application waits for room: the bound follows cwnd
 * upwards, as far as the path is seen to hold that much. On a short path cwnd grows without end and a buffer of its size would only be
 * memory that no cache holds (measured, npm run bench: a third less).
 */
export function retuneSendBuffer(tcb: Tcb, bytesPerSecond: number): void {
  const { snd, config, control, cc, rtt } = tcb
  lowerSendBuffer(tcb)
  if (isLinuxSend(tcb)) return
  if (!config.sendBufferAutotune || !snd.wantsRoom || bytesPerSecond < 0) return
  const held = control.ownsRecovery === true ? WINDOWS_HELD_BY_MODEL : WINDOWS_HELD
  const onPath = (held * GROWTH * bytesPerSecond * rtt.minUs) / 1e6
  const wanted = Math.floor(Math.min(held * cc.cwnd, onPath, config.sendBufferMaxBytes))
  if (wanted > snd.bufferBytes) snd.bufferBytes = wanted
}

/** A bound that was lowered below what was queued is reached as that goes. */
export function lowerSendBuffer({ snd, config }: Tcb): void {
  const { sendBufferBytes, sendBufferMaxBytes, sendBufferAutotune } = config
  const most = sendBufferAutotune ? Math.max(sendBufferBytes, sendBufferMaxBytes) : sendBufferBytes
  if (snd.bufferBytes > most) snd.bufferBytes = Math.max(most, snd.buffer.extent)
}

/** Settings have changed from `before`: the bound is the one that is set now, or what is queued already if that is more. */
export function resizeSendBuffer(tcb: Tcb, before: TcpConfig): void {
  const { snd, config } = tcb
  const isSame =
    config.sendBufferBytes === before.sendBufferBytes &&
    config.sendBufferAutotune === before.sendBufferAutotune &&
    config.sendBufferMaxBytes === before.sendBufferMaxBytes &&
    config.heuristics === before.heuristics // Linux's fill the last super-segment beyond the bound
  if (isSame) return
  snd.bufferBytes = Math.max(config.sendBufferBytes, snd.buffer.extent)
}
