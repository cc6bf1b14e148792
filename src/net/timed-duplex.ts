// A NamedDuplex with the idle timeout of a net.Socket, on the clock of the host.
// Owns: `timeout`, `setTimeout`, the timer. Does not own: what counts as activity (socket.ts).

import type { Scheduler } from '../base/time.ts'
import { safely } from './core.ts'
import { IdleTimer } from './idle-timer.ts'
import { NamedDuplex } from './named-duplex.ts'
import { checkMilliseconds, type SocketOptions } from './options.ts'

/** Bytes that a stream holds on its side of the connection, unless told otherwise: what Node 22 has. */
const HIGH_WATER_MARK_BYTES = 65536

/** A Duplex that tells when nothing has passed for a while. */
export class TimedDuplex extends NamedDuplex {
  /** The idle timeout in milliseconds, once `setTimeout` was called. */
  timeout: number | undefined = undefined
  /** Activity goes to its `touch`. */
  protected readonly idle: IdleTimer

  constructor(scheduler: Scheduler, options: SocketOptions) {
    super({
      allowHalfOpen: options.allowHalfOpen === true,
      readableHighWaterMark: options.readableHighWaterMark ?? HIGH_WATER_MARK_BYTES,
      writableHighWaterMark: options.writableHighWaterMark ?? HIGH_WATER_MARK_BYTES,
      // 'close' carries hadError, which the stream's own would not.
      emitClose: false,
      autoDestroy: true,
    })
    this.idle = new IdleTimer(scheduler, () => safely(() => this.emit('timeout')))
  }

  /** Emits 'timeout' after `timeoutMs` without bytes in either direction, on the host's clock; 0: never. It does not close. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    checkMilliseconds(timeoutMs, 'msecs')
    if (this.destroyed) return this
    this.timeout = timeoutMs
    this.idle.start(timeoutMs)
    if (callback !== undefined) {
      if (timeoutMs === 0) this.removeListener('timeout', callback)
      else this.once('timeout', callback)
    }
    return this
  }
}
