// The error queue of a socket (MSG_ERRQUEUE): when what was written left and was acknowledged (SO_TIMESTAMPING), and which buffers of
// MSG_ZEROCOPY may be used again.
// Owns: what is put into it and when, its messages. Does not own: the calls (calls-io.ts).
// Read first: Documentation/networking/timestamping.rst and msg_zerocopy.rst of Linux, recvmsg(2).

import { get16, get32 } from '../base/bytes.ts'
import { type Micros, SECOND } from '../base/time.ts'
import type { Connection } from '../tcp/connection.ts'
import { type Seq, seqAdd, seqDiff, seqGe } from '../tcp/seq.ts'
import { sendBufferStart } from '../tcp/tcb.ts'
import type { Value } from './target.ts'

/** Flags of SO_TIMESTAMPING (SOF_TIMESTAMPING_*). */
export const STAMPING = {
  TX_SOFTWARE: 2,
  SOFTWARE: 16,
  OPT_ID: 128,
  TX_SCHED: 256,
  TX_ACK: 512,
  OPT_TSONLY: 2048,
  OPT_STATS: 4096,
  OPT_ID_TCP: 65536,
} as const

/** The socket whose queue it is. */
interface Owner {
  readonly family: number
  readonly connection: Connection | null
  /** Its connection is over. */
  readonly isDone: boolean
}

/** What one call may ask for of its own. */
export const STAMPING_RECORDS = 1 | STAMPING.TX_SOFTWARE | STAMPING.TX_SCHED | STAMPING.TX_ACK | 0x40000
const STAMPING_KNOWN = 0x7ffff
const SOL_SOCKET = 1
const AF_INET = 2
const SCM_TIMESTAMPING = 37
const SCM_TIMESTAMPING_OPT_STATS = 54
const ENOMSG = 42
const ORIGIN = { timestamping: 4, zerocopy: 5 } as const
const STAGE = { sent: 0, scheduled: 1, acknowledged: 2 } as const

/** One message of the queue: struct sock_extended_err, and the time that it tells, -1 for none. */
export interface QueuedError {
  readonly origin: number
  readonly errno: number
  readonly code: number
  info: number
  data: number
  readonly at: Micros
  /** SCM_TIMESTAMPING_OPT_STATS: what tcp_info said then; null without. */
  readonly stats: Value | null
}

/** A place in the stream that somebody waits for. */
interface Mark {
  /** The octet after it. */
  readonly end: Seq
  readonly flags: number
  /** MSG_ZEROCOPY's number of the call; -1: SO_TIMESTAMPING. */
  readonly call: number
  isSent: boolean
}

/** The error queue of a socket, and what will come into it. */
export class ErrorQueue {
  readonly #queue: QueuedError[] = []
  readonly #marks: Mark[] = []
  #calls = 0
  /** SO_TIMESTAMPING. */
  flags = 0
  #firstKey: Seq | null = null
  /** What SCM_TIMESTAMPING_OPT_STATS tells of the connection now. */
  readStats: () => Value = () => null

  /** Whether a message waits: EPOLLERR. */
  get isFilled(): boolean {
    return this.#queue.length > 0
  }

  /** Whether it has to be looked at when something was sent or acknowledged. */
  get isWaiting(): boolean {
    return this.#marks.length > 0
  }

  /** The next message, taken out; null when there is none. */
  take(): QueuedError | null {
    return this.#queue.shift() ?? null
  }

  /** SO_TIMESTAMPING is set; returns the name of the error, '' for none (sock_set_timestamping). */
  setFlags(at: Owner, value: number): string {
    if (value < 0 || (value & ~STAMPING_KNOWN) !== 0) return 'EINVAL'
    if ((value & STAMPING.OPT_ID_TCP) !== 0 && (value & STAMPING.OPT_ID) === 0) return 'EINVAL'
    if ((value & STAMPING.OPT_STATS) !== 0 && (value & STAMPING.OPT_TSONLY) === 0) return 'EINVAL'
    if ((value & STAMPING.OPT_ID) !== 0 && (this.flags & STAMPING.OPT_ID) === 0) {
      if (at.connection === null || at.isDone) return 'EINVAL'
      const { tcb } = at.connection
      const { una, iss, buffer } = tcb.snd
      const unacked = una === iss ? seqAdd(iss, 1) : una
      this.#firstKey = (value & STAMPING.OPT_ID_TCP) !== 0 ? seqAdd(sendBufferStart(tcb), buffer.extent) : unacked
    }
    this.flags = value
    return ''
  }

  /** A call has written up to here. `own`: its own wish for time stamps, -1 for that of the socket. */
  written(at: Owner, isZeroCopy: boolean, own: number): void {
    const { connection } = at
    if (connection === null) return
    const flags = own < 0 ? this.flags : own
    const end = seqAdd(sendBufferStart(connection.tcb), connection.tcb.snd.buffer.extent)
    if ((flags & STAMPING_RECORDS) !== 0) this.#marks.push({ end, flags, call: -1, isSent: false })
    if (isZeroCopy) this.#marks.push({ end, flags: 0, call: this.#calls++, isSent: false })
  }

  /** A packet goes out: what was stamped before is stamped again when it goes again. */
  sent(at: Owner, bytes: Uint8Array, transportAt: number, now: Micros): void {
    const { connection } = at
    if (connection === null || get16(bytes, transportAt) !== connection.localPort) return
    const start = get32(bytes, transportAt + 4)
    const length = bytes.length - transportAt - ((bytes[transportAt + 12] >> 4) << 2)
    for (const mark of this.#marks) {
      const place = (mark.end - 1 - start) | 0
      if (mark.isSent && mark.call < 0 && place >= 0 && place < length) this.#stampSent(mark, now)
    }
  }

  #stampSent(mark: Mark, now: Micros): void {
    if ((mark.flags & STAMPING.TX_SCHED) !== 0) this.#stamp(mark, STAGE.scheduled, now)
    if ((mark.flags & STAMPING.TX_SOFTWARE) !== 0) this.#stamp(mark, STAGE.sent, now)
  }

  /** Something may have been sent or acknowledged; whether the queue has grown. */
  settle(at: Owner, now: Micros): boolean {
    const { connection } = at
    const before = this.#queue.length
    const isOver = connection === null || at.isDone
    let changed = false
    for (let i = 0; i < this.#marks.length; ) {
      const mark = this.#marks[i]
      if (!isOver && !mark.isSent && seqGe(connection.tcb.snd.nxt, mark.end)) {
        mark.isSent = true
        this.#stampSent(mark, now)
      }
      const isAcked = !isOver && seqGe(connection.tcb.snd.una, mark.end)
      if (!isAcked && !isOver) {
        i++
        continue
      }
      this.#marks.splice(i, 1)
      if (mark.call >= 0) changed = this.#complete(mark.call) || changed
      else if (isAcked && (mark.flags & STAMPING.TX_ACK) !== 0) this.#stamp(mark, STAGE.acknowledged, now)
    }
    return changed || this.#queue.length > before
  }

  #stamp({ end }: Mark, stage: number, now: Micros): void {
    const key = this.#firstKey === null || (this.flags & STAMPING.OPT_ID) === 0 ? 0 : seqDiff(end, this.#firstKey) - 1
    const hasStats = (this.flags & STAMPING.OPT_STATS) !== 0
    const at = (this.flags & STAMPING.SOFTWARE) !== 0 ? now : -1
    this.#queue.push({
      origin: ORIGIN.timestamping,
      errno: ENOMSG,
      code: 0,
      info: stage,
      data: key >>> 0,
      at,
      stats: hasStats ? this.readStats() : null,
    })
  }

  /** Calls in a row become one message; the device has copied what it was given. */
  #complete(call: number): boolean {
    const last = this.#queue.at(-1)
    if (last !== undefined && last.origin === ORIGIN.zerocopy && last.data + 1 === call) {
      last.data = call
      return true
    }
    this.#queue.push({ origin: ORIGIN.zerocopy, errno: 0, code: 1, info: call, data: call, at: -1, stats: null })
    return true
  }
}

/** The ancillary data of a message, as recvmsg gives it. */
export function controlOfError({ family }: Owner, error: QueuedError): Value[] {
  const control: Value[] = []
  const stamp = { scm_sec: Math.floor(error.at / SECOND), scm_nsec: (error.at % SECOND) * 1000 }
  if (error.at >= 0) control.push({ cmsg_level: SOL_SOCKET, cmsg_type: SCM_TIMESTAMPING, cmsg_data: stamp })
  if (error.stats !== null)
    control.push({ cmsg_level: SOL_SOCKET, cmsg_type: SCM_TIMESTAMPING_OPT_STATS, cmsg_data: error.stats })
  const isV4 = family === AF_INET
  control.push({
    cmsg_level: isV4 ? 0 : 41,
    cmsg_type: isV4 ? 11 : 25,
    cmsg_data: {
      ee_errno: error.errno,
      ee_origin: error.origin,
      ee_type: 0,
      ee_code: error.code,
      ee_info: error.info,
      ee_data: error.data,
    },
  })
  return control
}
