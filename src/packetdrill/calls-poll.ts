// Calls that ask what is ready: poll, select's cousin epoll, ioctl. Owns: what is ready when (tcp_poll), edges and one-shots, who waits.
// Does not own: reading and writing (calls-io.ts).

import { MILLISECOND, type Micros } from '../base/time.ts'
import { hasRoom } from '../tcp/send-buffer.ts'
import { epollAt, fieldOf, isFields, isList, numberAt, pointedAt, replace } from './arguments.ts'
import { unreadBytes } from './calls-io.ts'
import type { DatagramSocket } from './datagram.ts'
import { fail, type Handler, type Host, type Reply, type Step } from './host.ts'
import { type Descriptor, Epoll, type EpollItem, Socket, TCP_STATE } from './sockets.ts'
import type { Value } from './target.ts'

/** Bits of poll and epoll. */
export const POLL = {
  IN: 1,
  PRI: 2,
  OUT: 4,
  ERR: 8,
  HUP: 0x10,
  NVAL: 0x20,
  RDNORM: 0x40,
  WRNORM: 0x100,
  RDHUP: 0x2000,
} as const

const EPOLL = { ADD: 1, DEL: 2, MOD: 3, ONESHOT: 2 ** 30, EDGE: 2 ** 31 } as const
const NEVER = Number.POSITIVE_INFINITY
const READABLE = POLL.IN | POLL.RDNORM
const WRITABLE = POLL.OUT | POLL.WRNORM

/** What is ready of a socket: all that tcp_poll would say. */
export function readiness(at: Socket): number {
  if (at.listener !== null) return at.listener.pending > 0 ? READABLE : 0
  let bits = 0
  const isClosed = at.state === TCP_STATE.CLOSE
  if (isClosed || (at.isReceiveShut && at.isSendShut)) bits |= POLL.HUP
  if (at.isReceiveShut) bits |= READABLE | POLL.RDHUP
  if (at.deferred !== null) bits = WRITABLE
  else if (!at.isOpening) bits |= readableBits(at) | writableBits(at)
  if (at.error !== '' || at.errors.isFilled) bits |= POLL.ERR
  if (at.errors.isFilled && at.options.get('SELECT_ERR_QUEUE') === 1) bits |= POLL.PRI
  return bits
}

function readableBits(at: Socket): number {
  const { connection } = at
  if (connection === null) return 0
  const urgent = connection.urgentBytes
  const isMarked = urgent > 0 && connection.readableBytes >= urgent && at.takenUrgent !== connection.tcb.rcv.up
  const target = (at.options.get('RCVLOWAT') ?? 1) + (urgent === 1 && at.options.get('OOBINLINE') !== 1 ? 1 : 0)
  return (connection.readableBytes >= target ? READABLE : 0) | (isMarked ? POLL.PRI : 0)
}

/** sk_stream_is_writeable: a third of the buffer is free, and less waits to be sent than the mark. */
function writableBits(at: Socket): number {
  const { connection } = at
  if (at.isSendShut || connection === null) return WRITABLE
  const { snd, config } = connection.tcb
  if (hasRoom(connection.tcb, false) && 2 * connection.unsentBytes < config.notSentLowWaterBytes) return WRITABLE
  snd.wantsRoom = true // SOCK_NOSPACE: whoever asks is told when there is room
  return 0
}

/** poll(descriptors, count, timeout). */
export const poll: Handler = (host, args) => {
  const given = isList(args[0]) ? args[0] : isFields(args[0]) ? [args[0]] : []
  const look = (): Reply => {
    let count = 0
    const told = given.map((one) => {
      const found = host.descriptors.get(fieldOf(one, ['fd'], -1))
      const wanted = fieldOf(one, ['events']) | POLL.ERR | POLL.HUP | POLL.NVAL
      const isNegative = fieldOf(one, ['fd'], -1) < 0
      const bits = found === null ? (isNegative ? 0 : POLL.NVAL) : bitsOf(found) & wanted
      if (bits !== 0) count++
      return isFields(one) ? { ...one, revents: bits } : one
    })
    return { value: count, outputs: replace(args, { 0: isList(args[0]) ? told : (told[0] ?? null) }) }
  }
  return waitFor(host, look, numberAt(args, 2, -1))
}

/** ppoll(descriptors, count, timeout, mask): NULL waits for ever. */
export const ppoll: Handler = (host, args) => {
  const limit = args[2]
  const ms = isFields(limit) ? fieldOf(limit, ['tv_sec']) * 1000 + fieldOf(limit, ['tv_nsec']) / 1e6 : -1
  return poll(host, [args[0], args[1], ms])
}

/** What is ready of a descriptor. */
export function bitsOf(found: Descriptor): number {
  if (found.kind === 'socket') return readiness(found)
  if (found.kind === 'datagram') return datagramBits(found)
  if (found.kind === 'epoll') return [...found.items.values()].some(isTold) ? READABLE : 0
  if (found.kind === 'file') return READABLE | WRITABLE
  const { buffer, isReader } = found
  if (isReader) return (buffer.held > 0 ? READABLE : 0) | (buffer.isWriterGone ? POLL.HUP : 0)
  return (buffer.room > 0 ? WRITABLE : 0) | (buffer.isReaderGone ? POLL.ERR : 0)
}

function datagramBits(at: DatagramSocket): number {
  const isReadable = at.peek() !== null || at.isReadShut
  const isShut = at.isReadShut ? POLL.RDHUP | (at.isWriteShut ? POLL.HUP : 0) : 0
  return (isReadable ? READABLE : 0) | WRITABLE | isShut | (at.error === '' ? 0 : POLL.ERR)
}

/** Ends when `look` finds something, or after so many milliseconds; -1: never. */
export function waitFor(host: Host, look: () => Reply, timeoutMs: number): Step {
  const first = look()
  if (first.value !== 0 || timeoutMs === 0) return first
  const until: Micros = timeoutMs < 0 ? NEVER : host.now + timeoutMs * MILLISECOND
  const attempt = (): Reply | null => {
    const reply = look()
    return reply.value === 0 ? null : reply
  }
  return { attempt, until, expired: look }
}

/** epoll_create(size). */
export const epollCreate: Handler = (host, args) =>
  numberAt(args, 0, 1) <= 0 ? fail('EINVAL') : { value: host.descriptors.add(new Epoll()) }

/** epoll_create1(flags). */
export const epollCreate1: Handler = (host) => ({ value: host.descriptors.add(new Epoll()) })

/** epoll_ctl(epoll, operation, fd, event). */
export const epollCtl: Handler = (host, args) => {
  const fd = numberAt(args, 2, -1)
  const target = host.descriptors.get(fd)
  const epoll = epollAt(host, args)
  if (epoll === 'EBADF' || target === null) return fail('EBADF')
  if (epoll === 'EINVAL' || target === epoll) return fail('EINVAL')
  if (target.kind === 'datagram') throw new TypeError('epoll of UDP sockets is not emulated: poll is')
  if (!(target instanceof Socket)) return fail('EPERM')
  const event = isList(args[3]) ? args[3][0] : args[3]
  const events = fieldOf(event, ['events']) >>> 0
  const item = epoll.items.get(fd)
  switch (numberAt(args, 1)) {
    case EPOLL.ADD: {
      if (item !== undefined) return fail('EEXIST')
      const data = isFields(event) ? event : {}
      const added: EpollItem = { fd, socket: target, events, data, isReady: true, isDisarmed: false }
      epoll.items.set(fd, added)
      target.watchers.add(added)
      return { value: 0 }
    }
    case EPOLL.MOD:
      if (item === undefined) return fail('ENOENT')
      item.events = events
      item.data = isFields(event) ? event : {}
      item.isReady = true
      item.isDisarmed = false
      return { value: 0 }
    case EPOLL.DEL:
      if (item === undefined) return fail('ENOENT')
      epoll.items.delete(fd)
      target.watchers.delete(item)
      return { value: 0 }
    default:
      return fail('EINVAL')
  }
}

/** What an item has to tell now. */
function toldBits(item: EpollItem): number {
  if (item.isDisarmed) return 0
  const isEdge = (item.events & EPOLL.EDGE) !== 0
  if (isEdge && !item.isReady) return 0
  return readiness(item.socket) & (item.events | POLL.ERR | POLL.HUP)
}

const isTold = (item: EpollItem): boolean => toldBits(item) !== 0

/** epoll_wait(epoll, events, most, timeout). */
export const epollWait: Handler = (host, args) => {
  const epoll = epollAt(host, args)
  if (typeof epoll === 'string') return fail(epoll)
  const most = numberAt(args, 2, 1)
  if (most <= 0) return fail('EINVAL')
  return waitFor(host, () => collect(epoll, args, most), numberAt(args, 3, -1))
}

function collect(epoll: Epoll, args: readonly Value[], most: number): Reply {
  const told: Value[] = []
  for (const [fd, item] of epoll.items) {
    if (told.length === most) break
    const bits = toldBits(item)
    item.isReady = false
    if (bits === 0) continue
    if ((item.events & EPOLL.ONESHOT) !== 0) item.isDisarmed = true
    told.push({ ...(item.data as Record<string, Value>), events: bits })
    epoll.items.delete(fd) // whoever was told stands behind the others
    epoll.items.set(fd, item)
    if (told.length === epoll.items.size) break
  }
  if (told.length === 0) return { value: 0 }
  const shape = isList(args[1]) || told.length > 1 ? told : told[0]
  return { value: told.length, outputs: replace(args, { 1: shape }) }
}

/** FreeBSD's: room in the send buffer. */
const FIONSPACE = 0x40046676
const FIONREAD = 0x541b
const FIONBIO = 0x5421
const SIOCATMARK = 0x8905
const SIOCOUTQ = 0x5411
const SIOCOUTQNSD = 0x894b

/** ioctl(fd, request, value): how much waits, both ways. */
export const ioctl: Handler = (host, args) => {
  const at = host.descriptors.get(numberAt(args, 0, -1))
  if (at === null) return fail('EBADF')
  if (!(at instanceof Socket)) return fail('ENOTTY')
  const request = numberAt(args, 1)
  if (request === FIONBIO) {
    at.isNonblocking = pointedAt(args[2]) !== 0
    return { value: 0 }
  }
  const number = queueOf(at, request)
  if (number === null) return fail('ENOTTY')
  if (at.listener !== null && request !== SIOCATMARK) return fail('EINVAL')
  return { value: 0, outputs: replace(args, { 2: isList(args[2]) ? [number] : number }) }
}

function queueOf(at: Socket, request: number): number | null {
  const { connection } = at
  switch (request) {
    case FIONREAD:
      return unreadBytes(at)
    case SIOCATMARK:
      return connection?.urgentBytes === 1 ? 1 : 0
    case SIOCOUTQ: {
      if (connection === null || at.isOpening) return 0
      const { snd } = connection.tcb
      const unsentFin = snd.finQueued && !snd.finSent ? 1 : 0
      return connection.unackedBytes + connection.unsentBytes + unsentFin
    }
    case FIONSPACE:
      return connection === null ? 0 : Math.max(0, connection.tcb.snd.bufferBytes - connection.tcb.snd.buffer.extent)
    case SIOCOUTQNSD: {
      if (connection === null || at.isOpening) return 0
      const { snd } = connection.tcb
      return connection.unsentBytes + (snd.finQueued && !snd.finSent ? 1 : 0)
    }
    default:
      return null
  }
}
