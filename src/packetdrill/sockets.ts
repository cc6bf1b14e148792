// Descriptors and the sockets behind them, as Linux has them: what a socket knows beside its connection. Every socket passes through
//
//     fresh -> bound -> listening                        fresh or bound -> connecting -> connected -> closed (and may connect again)
//
// Owns: socket records and their states, errors that are reported once, the descriptor table. Does not own: what the calls do with them
// (calls-*.ts), TCP (src/tcp).

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { Connection, Listener } from '../stack/index.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { isSynchronized, type State } from '../tcp/state.ts'
import type { DatagramSocket } from './datagram.ts'
import { ErrorQueue } from './error-queue.ts'
import type { OpenFile, PipeEnd } from './files.ts'

/** Linux's names of its families. */
export const AF = { unspecified: 0, inet: 2, inet6: 10 } as const

/** Linux's numbers of the states of TCP (tcpi_state). */
export const TCP_STATE = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
} as const

const STATE_NUMBER: Readonly<Record<State, number>> = {
  CLOSED: TCP_STATE.CLOSE,
  LISTEN: TCP_STATE.LISTEN,
  'SYN-SENT': TCP_STATE.SYN_SENT,
  'SYN-RECEIVED': TCP_STATE.SYN_RECV,
  ESTABLISHED: TCP_STATE.ESTABLISHED,
  'FIN-WAIT-1': TCP_STATE.FIN_WAIT1,
  'FIN-WAIT-2': TCP_STATE.FIN_WAIT2,
  'CLOSE-WAIT': TCP_STATE.CLOSE_WAIT,
  CLOSING: TCP_STATE.CLOSING,
  'LAST-ACK': TCP_STATE.LAST_ACK,
  // The socket's own record is closed as soon as TIME-WAIT begins: what waits is another record of Linux's.
  'TIME-WAIT': TCP_STATE.CLOSE,
}

/** Address and port. */
export interface Endpoint {
  readonly address: IpAddress
  readonly port: number
}

/** What an epoll instance watches of a socket. */
export interface EpollItem {
  readonly fd: number
  readonly socket: Socket
  events: number
  /** What epoll_wait gives back with the events, as the script has written it. */
  data: Readonly<Record<string, unknown>>
  /** Something has happened since it was last told: EPOLLET tells of nothing else. */
  isReady: boolean
  /** EPOLLONESHOT has told, and waits for EPOLL_CTL_MOD. */
  isDisarmed: boolean
}

const NEVER = Number.POSITIVE_INFINITY

/** A TCP socket. */
export class Socket {
  readonly kind = 'socket'
  readonly family: number
  isNonblocking = false
  isCloseOnExec = false
  /** Linux's sock->state: 'connecting' lasts until a call has seen how it ended. */
  phase: 'unconnected' | 'connecting' | 'connected' = 'unconnected'
  bound: Endpoint | null = null
  listener: Listener | null = null
  connection: Connection | null = null
  /** sk_err: the next call that reports errors takes it. */
  error = ''
  /** sk_shutdown, as far as the application has asked for it. */
  isReadShut = false
  isWriteShut = false
  /** Options as they were set, by name. */
  readonly options = new Map<string, number>()
  /** What they mean to the stack, beyond the host's defaults. */
  changes: Partial<TcpConfig> = {}
  congestion = ''
  sendTimeoutUs: Micros = NEVER
  receiveTimeoutUs: Micros = NEVER
  lingerSeconds = -1
  /** TCP_FASTOPEN_CONNECT: connect has returned, and the SYN waits for the first write. */
  deferred: Endpoint | null = null
  md5Keys: { readonly address: IpAddress; readonly key: string }[] = []
  /** The soft error that SO_ERROR has told already. */
  toldSoftError: unknown = null
  /** Sequence number, as the stack has it, of the urgent octet that a call has taken out of line; null: none. */
  takenUrgent: number | null = null
  savedSyn: Uint8Array | null = null
  /** MSG_ERRQUEUE. */
  readonly errors = new ErrorQueue()
  readonly watchers = new Set<EpollItem>()

  constructor(family: number) {
    this.family = family
  }

  /** Linux's sk_state. */
  get state(): number {
    if (this.listener !== null) return TCP_STATE.LISTEN
    return this.connection === null ? TCP_STATE.CLOSE : STATE_NUMBER[this.connection.state]
  }

  /** Whether its connection is over: both directions are shut then (tcp_done). */
  get isDone(): boolean {
    return this.connection !== null && this.state === TCP_STATE.CLOSE
  }

  /** RCV_SHUTDOWN: by the application, by the peer's FIN in its turn, or because it is over. */
  get isReceiveShut(): boolean {
    return this.isReadShut || this.isDone || this.hasFin
  }

  /** SEND_SHUTDOWN: by the application, or because it is over. */
  get isSendShut(): boolean {
    return this.isWriteShut || this.isDone
  }

  /** SOCK_DONE: the peer's FIN stands behind all that was read or waits to be. */
  get hasFin(): boolean {
    if (this.connection === null) return false
    const { rcv } = this.connection.tcb
    return rcv.finSeen && ((rcv.nxt - rcv.finSeq) | 0) > 0
  }

  /** Whether text may be written: the handshake is over, or Fast Open has given the socket to the application before that. */
  get canWrite(): boolean {
    const { state } = this
    if (state === TCP_STATE.SYN_RECV) return this.connection?.tcb.fastOpen.isTaken === true
    return state === TCP_STATE.ESTABLISHED || state === TCP_STATE.CLOSE_WAIT
  }

  /** Whether a handshake is under way that its application has begun. */
  get isOpening(): boolean {
    const { state } = this
    return state === TCP_STATE.SYN_SENT || (state === TCP_STATE.SYN_RECV && !this.canWrite)
  }

  /** sock_error: takes the error, '' when there is none. */
  takeError(): string {
    const { error } = this
    this.error = ''
    return error
  }

  /** The connection is gone from the socket, which may connect again (tcp_disconnect). */
  disconnect(): void {
    if (this.connection !== null) this.connection.user = null
    this.connection = null
    this.deferred = null
    this.isReadShut = false
    this.isWriteShut = false
    this.phase = 'unconnected'
  }
}

/** The name of a failure: a connection that the peer had closed already fails of a reset as of a broken pipe (tcp_reset). */
export function errorOf(connection: Connection): string {
  const code = connection.error?.code ?? ''
  const { rcv, snd } = connection.tcb
  const wasCloseWait = rcv.finSeen && ((rcv.nxt - rcv.finSeq) | 0) > 0 && !snd.finQueued
  return code === 'ECONNRESET' && wasCloseWait ? 'EPIPE' : code
}

/** Whether a connection has its numbers agreed on. */
export function isOpen(connection: Connection): boolean {
  return isSynchronized(connection.state)
}

/** An epoll instance. */
export class Epoll {
  readonly kind = 'epoll'
  isCloseOnExec = false
  isNonblocking = false
  readonly items = new Map<number, EpollItem>()
}

/** What a descriptor stands for. */
export type Descriptor = Socket | DatagramSocket | Epoll | OpenFile | PipeEnd

/** Descriptors by number: the lowest that is free is given next, as in every Unix. */
export class Descriptors {
  readonly #table: (Descriptor | null)[] = [null, null, null]

  /** Puts it in; returns its number. */
  add(descriptor: Descriptor): number {
    const free = this.#table.indexOf(null, 3)
    const fd = free < 0 ? this.#table.length : free
    this.#table[fd] = descriptor
    return fd
  }

  /** What a number stands for; null for none (EBADF). */
  get(fd: number): Descriptor | null {
    return this.#table[fd] ?? null
  }

  /** Whether another number stands for the same (dup). */
  holds(descriptor: Descriptor): boolean {
    return this.#table.includes(descriptor)
  }

  /** Puts it in at a number of the caller's choice (dup2). */
  put(fd: number, descriptor: Descriptor): void {
    while (this.#table.length < fd) this.#table.push(null)
    this.#table[fd] = descriptor
  }

  /** Takes it out. */
  remove(fd: number): void {
    this.#table[fd] = null
  }

  /** All sockets. */
  *sockets(): Iterable<Socket> {
    for (const one of this.#table) if (one?.kind === 'socket') yield one
  }
}
