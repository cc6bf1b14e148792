// Calls that move text: read, write, send, recv and their kin, as tcp_sendmsg and tcp_recvmsg have them.
// Owns: what a call takes or gives, when it waits, what it fails with; the urgent octet out of line. Does not own: buffers (src/tcp),
// options (calls-options.ts).

import type { Micros } from '../base/time.ts'
import type { Connection } from '../stack/index.ts'
import { endpointOf, gather, isFields, isList, numberAt, replace, socketAt, textOf, vectorOf } from './arguments.ts'
import { stampingOf, takeError } from './calls-errors.ts'
import { open, waitForConnection } from './calls-open.ts'
import { fileCall } from './file-io.ts'
import { fail, type Handler, type Host, type Reply, type Step, type Waiting } from './host.ts'
import { type Endpoint, type Socket, TCP_STATE } from './sockets.ts'
import type { Value } from './target.ts'
import { writeText } from './write-text.ts'

/** Linux's flags of send and recv. */
export const MSG = {
  OOB: 1,
  PEEK: 2,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  ERRQUEUE: 0x2000,
  MORE: 0x8000,
  ZEROCOPY: 0x4000000,
  FASTOPEN: 0x20000000,
} as const

const SOL_TCP = 6
const TCP_CM_INQ = 36
/** Options of a SYN take up to so much beside its text (RFC 9293 §3.1). */
const SYN_OPTION_BYTES = 40

/** A write under way: it waits for the handshake, then for room. */
class Sending implements Waiting {
  readonly until: Micros
  readonly #at: Socket
  readonly #text: Uint8Array
  readonly #flags: number
  readonly #mayWait: boolean
  #isConnected = false
  #isWaiting = false
  #written: number
  readonly #host: Host
  readonly #stamping: number

  constructor(host: Host, at: Socket, text: Uint8Array, flags: number, written: number, stamping = -1) {
    this.#host = host
    this.#stamping = stamping
    this.#at = at
    this.#text = text
    this.#flags = flags
    this.#written = written
    this.#mayWait = !at.isNonblocking && (flags & MSG.DONTWAIT) === 0
    this.until = host.now + at.sendTimeoutUs
  }

  attempt(): Reply | null {
    const reply = this.#attempt()
    if (reply !== null) this.#noteEnd(reply.value)
    return reply
  }

  /** What the call asks to be told of: the error queue, and the end of a record. */
  #noteEnd(written: number): void {
    if (written <= 0) return
    const at = this.#at
    const isZeroCopy = (this.#flags & MSG.ZEROCOPY) !== 0 && at.options.get('ZEROCOPY') === 1
    if ((this.#flags & MSG.EOR) !== 0 && written === this.#text.length) at.connection?.endRecord()
    at.errors.written(at, isZeroCopy, this.#stamping)
    if (at.errors.isWaiting) this.#host.watchErrors(at)
  }

  #attempt(): Reply | null {
    const at = this.#at
    if (!this.#isConnected && !at.canWrite) {
      if (at.error !== '' || !at.isOpening) return this.#failed()
      return this.#mayWait ? null : fail('EAGAIN')
    }
    this.#isConnected = true
    if (at.error !== '' || at.isSendShut) return this.#failed()
    const connection = at.connection as Connection
    if (this.#isWaiting && connection.tcb.snd.wantsRoom) return null
    const rest = this.#written === 0 ? this.#text : this.#text.subarray(this.#written)
    this.#written += this.#put(connection, rest)
    if (this.#written === this.#text.length) return { value: this.#written }
    if (!this.#mayWait) return this.#partial()
    this.#isWaiting = true
    return null
  }

  expired(): Reply {
    const reply = this.#partial()
    this.#noteEnd(reply.value)
    return reply
  }

  #partial(): Reply {
    return this.#written > 0 ? { value: this.#written } : fail('EAGAIN')
  }

  #put(connection: Connection, rest: Uint8Array): number {
    if ((this.#flags & MSG.OOB) !== 0) return connection.writeUrgent(rest)
    const more = (this.#flags & MSG.MORE) !== 0
    return writeText(this.#host, connection, rest, more)
  }

  /** sk_stream_error: what went before counts; else the socket's own error, which is told once. */
  #failed(): Reply {
    if (this.#written > 0) return { value: this.#written }
    return fail(this.#at.takeError() || 'EPIPE')
  }
}

function send(host: Host, at: Socket, text: Uint8Array, flags: number, to: Endpoint | null, stamping = -1): Step {
  if ((flags & MSG.FASTOPEN) !== 0 || at.deferred !== null) return sendWithSyn(host, at, text, flags, to)
  return begin(new Sending(host, at, text, flags, 0, stamping))
}

/** A write without an address, for calls that write among other things. */
export const sendTo = (host: Host, at: Socket, text: Uint8Array, flags: number): Step =>
  send(host, at, text, flags, null)

const begin = (waiting: Waiting): Step => waiting.attempt() ?? waiting

/** MSG_FASTOPEN, or the first write after TCP_FASTOPEN_CONNECT: text goes with the SYN, as much as fits, when there is a cookie. */
function sendWithSyn(host: Host, at: Socket, text: Uint8Array, flags: number, to: Endpoint | null): Step {
  if ((host.settings.fastOpen & 1) === 0) return fail('EOPNOTSUPP')
  if (at.phase === 'connected') return fail('EISCONN')
  if (at.phase === 'connecting' && at.canWrite) {
    at.phase = 'connected' // the handshake was over before anybody asked
    return begin(new Sending(host, at, text, flags, 0))
  }
  if (at.phase === 'connecting' && at.deferred === null) return fail('EALREADY')
  if (at.state !== TCP_STATE.CLOSE) return fail('EISCONN')
  const target = at.deferred ?? to
  if (target === null) return fail('EDESTADDRREQ')
  at.phase = 'unconnected'
  const refused = open(host, at, target, { fastOpen: true, ...host.cookieless(at) })
  if (refused !== null) return refused
  const connection = at.connection as Connection
  const { tcb } = connection
  const { fastOpen } = tcb
  const carries = fastOpen.isOffered && (fastOpen.cookie.length > 0 || tcb.config.fastOpenCookieless)
  const segment = Math.min(carries ? fastOpen.mss : 0, tcb.pathSegmentBytes - 20, tcb.config.mss)
  const written = connection.write(text.subarray(0, Math.max(0, Math.min(text.length, segment - SYN_OPTION_BYTES))))
  const isNonblocking = at.isNonblocking || (flags & MSG.DONTWAIT) !== 0
  if (isNonblocking) return written > 0 ? { value: written } : fail('EINPROGRESS')
  const opening = waitForConnection(host, at, false, 'EINPROGRESS')
  return 'attempt' in opening ? new ThenSending(opening, new Sending(host, at, text, flags, written)) : opening
}

/** A write that waits for its handshake first: how that fails is how it fails. */
class ThenSending implements Waiting {
  readonly until: Micros
  readonly #opening: Waiting
  readonly #sending: Sending
  #isOpen = false

  constructor(opening: Waiting, sending: Sending) {
    this.#opening = opening
    this.#sending = sending
    this.until = opening.until
  }

  attempt(): Reply | null {
    if (!this.#isOpen) {
      const reply = this.#opening.attempt()
      if (reply === null || reply.value < 0) return reply
      this.#isOpen = true
    }
    return this.#sending.attempt()
  }

  expired(): Reply {
    return this.#isOpen ? this.#sending.expired() : this.#opening.expired()
  }
}

/** Bytes that a read takes or finds now, the urgent octet out of line left aside. `isPeek`: it leaves them. */
function take(at: Socket, most: number, isPeek: boolean): number {
  const { connection } = at
  if (connection === null || most <= 0) return 0
  const isInline = at.options.get('OOBINLINE') === 1
  let taken = 0
  for (;;) {
    const urgent = connection.urgentBytes
    let limit = connection.readableBytes
    if (limit === 0) return taken
    if (urgent > 1) limit = Math.min(limit, urgent - 1)
    if (urgent === 1) {
      if (taken > 0) return taken // a read stops at the mark
      if (!isInline) {
        if (isPeek) return Math.min(most, limit - 1)
        connection.read(1)
        continue
      }
    }
    const wanted = Math.min(limit, most - taken)
    if (isPeek) return wanted
    const text = connection.read(wanted)
    taken += text === null ? 0 : text.length
    if (text === null || taken === most || urgent > 1) return taken
  }
}

/** A read under way. */
class Receiving implements Waiting {
  readonly until: Micros
  readonly #at: Socket
  readonly #count: number
  readonly #flags: number
  readonly #mayWait: boolean
  readonly #target: number
  #peekAt: number
  readonly #finish: (reply: Reply) => Reply
  #copied = 0

  constructor(host: Host, at: Socket, count: number, flags: number, finish: (reply: Reply) => Reply) {
    this.#at = at
    this.#count = count
    this.#flags = flags
    this.#mayWait = !at.isNonblocking && (flags & MSG.DONTWAIT) === 0
    const low = (flags & MSG.WAITALL) !== 0 ? count : Math.min(at.options.get('RCVLOWAT') ?? 1, count)
    this.#target = Math.max(1, low)
    this.#finish = finish
    this.#peekAt = (flags & MSG.PEEK) === 0 ? -1 : (at.options.get('PEEK_OFF') ?? -1)
    this.until = host.now + at.receiveTimeoutUs
  }

  attempt(): Reply | null {
    const reply = this.#attempt()
    if (reply === null) return null
    this.#movePeek(reply.value)
    return this.#finish(reply)
  }

  /** SO_PEEK_OFF moves on with what was looked at, and back with what was read. */
  #movePeek(count: number): void {
    const off = this.#at.options.get('PEEK_OFF') ?? -1
    if (off < 0 || count <= 0) return
    this.#at.options.set('PEEK_OFF', this.#peekAt >= 0 ? off + count : Math.max(0, off - count))
  }

  #attempt(): Reply | null {
    const at = this.#at
    if (at.state === TCP_STATE.LISTEN) return fail('ENOTCONN')
    if ((this.#flags & MSG.OOB) !== 0) return this.#urgent()
    const isPeek = (this.#flags & MSG.PEEK) !== 0
    if (isPeek && this.#peekAt > 0)
      this.#copied = Math.max(0, take(at, this.#peekAt + this.#count, true) - this.#peekAt)
    else if (isPeek) this.#copied = take(at, this.#count, true)
    else this.#copied += take(at, this.#count - this.#copied, false)
    const isOver = at.isReceiveShut || at.state === TCP_STATE.CLOSE
    if (this.#copied >= this.#target || (this.#copied > 0 && (at.error !== '' || isOver)))
      return { value: this.#copied }
    if (this.#copied === 0) {
      if (this.#count === 0 && at.connection !== null && at.connection.readableBytes > 0) return { value: 0 }
      if (at.hasFin) return { value: 0 }
      if (at.error !== '') return fail(at.takeError())
      if (at.isReceiveShut) return { value: 0 }
      if (at.state === TCP_STATE.CLOSE) return fail('ENOTCONN')
    }
    return this.#mayWait ? null : this.#partial()
  }

  expired(): Reply {
    return this.#finish(this.#partial())
  }

  #partial(): Reply {
    return this.#copied > 0 ? { value: this.#copied } : fail('EAGAIN')
  }

  /** MSG_OOB (tcp_recv_urg). */
  #urgent(): Reply {
    const at = this.#at
    const { connection } = at
    if (connection === null) return fail('ENOTCONN')
    const urgent = connection.urgentBytes
    const { up } = connection.tcb.rcv
    if (at.options.get('OOBINLINE') === 1 || urgent === 0 || at.takenUrgent === up) return fail('EINVAL')
    if (connection.readableBytes < urgent) return at.isReceiveShut ? { value: 0 } : fail('EAGAIN')
    if ((this.#flags & MSG.PEEK) === 0) at.takenUrgent = up
    return { value: Math.min(1, this.#count) }
  }
}

const receive = (host: Host, at: Socket, count: number, flags: number, finish: (reply: Reply) => Reply): Step =>
  begin(new Receiving(host, at, count, flags, finish))
const asIs = (reply: Reply): Reply => reply

/** A read of a socket, for calls that read among other things. */
export const receiveFrom = (host: Host, at: Socket, count: number, flags: number): Step =>
  receive(host, at, count, flags, asIs)

/** read(fd, buffer, count). */
export const read: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fileCall(host, args, false) ?? fail(at === 'ENOTSOCK' ? 'EINVAL' : at)
  return receive(host, at, numberAt(args, 2), 0, asIs)
}

/** readv(fd, iovec, count). */
export const readv: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at === 'ENOTSOCK' ? 'EINVAL' : at)
  return receive(host, at, lengthOf(args[1]), 0, asIs)
}

/** recv(fd, buffer, count, flags) and recvfrom, which tells no address of a stream's. */
export const recv: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  return receive(host, at, numberAt(args, 2), numberAt(args, 3), asIs)
}

/** recvmsg(fd, message, flags): with TCP_INQ it tells how much more there is. */
export const recvmsg: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const message = args[1]
  const flags = numberAt(args, 2)
  if ((flags & MSG.ERRQUEUE) !== 0) return takeError(at, args)
  const pieces = isFields(message) ? message.msg_iov : undefined
  return receive(host, at, lengthOf(pieces), flags, (reply) => {
    if (reply.value < 0 || !isFields(message)) return reply
    const told = { ...message, msg_flags: (flags & MSG.OOB) !== 0 && reply.value > 0 ? MSG.OOB : 0 }
    return { ...reply, outputs: replace(args, { 1: { ...told, ...controlOf(at, message.msg_control) } }) }
  })
}

/** The ancillary data of a message, where an option asks for it. */
function controlOf(at: Socket, given: Value | undefined): { msg_control?: Value } {
  if (at.options.get('INQ') !== 1) return isList(given) && given.length > 0 ? { msg_control: [] } : {}
  const unread = unreadBytes(at)
  const inq = unread === 0 && at.hasFin ? 1 : unread // a reader that looks at it alone must come for the end
  const shape = isList(given) && isFields(given[0]) ? given[0].cmsg_data : 0
  return {
    msg_control: [{ cmsg_level: SOL_TCP, cmsg_type: TCP_CM_INQ, cmsg_data: isList(shape) ? [inq] : inq }],
  }
}

/** What SIOCINQ tells: text in order, up to the urgent octet that stands out of line. */
export function unreadBytes(at: Socket): number {
  const { connection } = at
  if (connection === null || at.isOpening) return 0
  const urgent = at.options.get('OOBINLINE') === 1 ? 0 : connection.urgentBytes
  return urgent > 0 && urgent <= connection.readableBytes ? urgent - 1 : connection.readableBytes
}

const lengthOf = (vector: Value | undefined): number => vectorOf(vector).reduce((sum, { length }) => sum + length, 0)

/** write(fd, buffer, count). */
export const write: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fileCall(host, args, true) ?? fail(at === 'ENOTSOCK' ? 'EINVAL' : at)
  return send(host, at, textOf(args[1], numberAt(args, 2)), 0, null)
}

/** writev(fd, iovec, count). */
export const writev: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at === 'ENOTSOCK' ? 'EINVAL' : at)
  return send(host, at, gather(vectorOf(args[1])), 0, null)
}

/** send(fd, buffer, count, flags). */
export const sendCall: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  return send(host, at, textOf(args[1], numberAt(args, 2)), numberAt(args, 3), null)
}

/** sendto(fd, buffer, count, flags, address, length): the address counts for MSG_FASTOPEN alone. */
export const sendto: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const to = endpointOf(args[4], host.remote)
  return send(host, at, textOf(args[1], numberAt(args, 2)), numberAt(args, 3), to)
}

/** sendmsg(fd, message, flags). */
export const sendmsg: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const message = args[1]
  if (!isFields(message)) return fail('EFAULT')
  const to = endpointOf(message.msg_name, host.remote)
  const stamping = stampingOf(at, message.msg_control)
  return send(host, at, gather(vectorOf(message.msg_iov)), numberAt(args, 2), to, stamping)
}
