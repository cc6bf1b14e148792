// Our stack as what a script runs against: virtual time, a wire of packets, Linux's socket calls by name.
// Owns: the contract (target.ts), the table of calls. Does not own: what they do (calls-*.ts), how it all moves on (host.ts).

import type { Micros } from '../base/time.ts'
import { datagramCall } from './calls-datagram.ts'
import { dup, dup2, fcntl } from './calls-descriptors.ts'
import { ftruncate, lseek, manyMessages, openCall, pipe, sendfile, splice } from './calls-files.ts'
import { read, readv, recv, recvmsg, sendCall, sendmsg, sendto, write, writev } from './calls-io.ts'
import {
  accept,
  accept4,
  bind,
  close,
  connect,
  getpeername,
  getsockname,
  listen,
  shutdown,
  socket,
} from './calls-open.ts'
import { getsockopt, setsockopt } from './calls-options.ts'
import { epollCreate, epollCreate1, epollCtl, epollWait, ioctl, poll, ppoll } from './calls-poll.ts'
import { pselect, select } from './calls-select.ts'
import { type Handler, Host } from './host.ts'
import { linuxInfo } from './linux-info.ts'
import { Socket } from './sockets.ts'
import type { Call, Ends, SentPacket, Target, Value } from './target.ts'

const CALLS: Readonly<Record<string, Handler>> = {
  accept,
  accept4,
  bind,
  close,
  connect,
  dup,
  dup2,
  epoll_create: epollCreate,
  epoll_create1: epollCreate1,
  epoll_ctl: epollCtl,
  epoll_wait: epollWait,
  fcntl,
  ftruncate,
  getpeername,
  getsockname,
  getsockopt,
  ioctl,
  listen,
  lseek,
  open: openCall,
  pipe,
  pipe2: pipe,
  poll,
  ppoll,
  pselect,
  read,
  readv,
  recv,
  recvfrom: recv,
  recvmmsg: manyMessages(recvmsg, true),
  recvmsg,
  select,
  send: sendCall,
  sendfile,
  sendmmsg: manyMessages(sendmsg, false),
  sendmsg,
  sendto,
  setsockopt,
  shutdown,
  socket,
  splice,
  write,
  writev,
}

/** How the stack under test is made. */
export interface StackTargetOptions {
  /** Initial sequence numbers, cookies and keys come from it. Default 1. */
  readonly seed?: number
  /** Whether each segment is a packet, rather than what belongs together. Default false. */
  readonly isSegmentWise?: boolean
}

/** Our stack in virtual time. */
export class StackTarget implements Target {
  readonly #host: Host

  /** @throws {TypeError} {RangeError} for addresses or an MTU that a host cannot have */
  constructor(ends: Ends, options: StackTargetOptions = {}) {
    this.#host = new Host(ends, options.seed ?? 1, options.isSegmentWise)
  }

  now(): Micros {
    return this.#host.now
  }

  setSysctl(name: string, value: string): string | null {
    return this.#host.setSysctl(name, value)
  }

  /** @throws {TypeError} for a call that is not emulated, or arguments that it cannot have */
  start(name: string, args: readonly Value[]): Call {
    const handler = datagramCall(this.#host, name, args) ?? (Object.hasOwn(CALLS, name) ? CALLS[name] : undefined)
    if (handler === undefined) {
      throw new TypeError(`the call '${name}' is not emulated; these are: ${Object.keys(CALLS).join(', ')}`)
    }
    return this.#host.run(handler, args)
  }

  deliver(packet: Uint8Array): void {
    this.#host.deliver(packet)
  }

  take(): SentPacket | null {
    return this.#host.take()
  }

  async advance(until: Micros): Promise<void> {
    this.advanceNow(until)
  }

  /** `advance` without a promise: nothing here waits for anything but virtual time. */
  advanceNow(until: Micros): void {
    const host = this.#host
    host.settle()
    while (!host.takeEnded() && !host.hasSent) {
      const next = host.nextDeadline()
      if (next > until) {
        if (until > host.now && until !== Number.POSITIVE_INFINITY) host.moveTo(until)
        return
      }
      host.moveTo(next)
    }
  }

  tcpInfo(fd: number): Readonly<Record<string, number>> | null {
    const found = this.#host.descriptors.get(fd)
    return found instanceof Socket ? linuxInfo(this.#host, found) : null
  }

  async close(): Promise<void> {
    this.#host.close()
  }
}
