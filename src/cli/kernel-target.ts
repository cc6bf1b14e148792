// The Linux kernel as what a packetdrill script runs against: its sockets on one side, a TUN device in a namespace of its own on the other,
// in real time.
// Owns: the clock, calls under way, packets that wait to be taken. Does not own: the namespace (kernel-network.ts), what a call takes
// (kernel-calls.ts), when things happen and what is expected (src/packetdrill/runner.ts).

import type { Micros } from '../base/time.ts'
import { HEADROOM, Packet } from '../link/index.ts'
import type { Call, Ends, Outcome, SentPacket, Target, Value } from '../packetdrill/target.ts'
import { planCall } from './kernel-calls.ts'
import { KernelNetwork } from './kernel-network.ts'
import type { Plan } from './kernel-plan.ts'
import { numberOf } from './kernel-structs.ts'
import { errorName, type Memory, memory, type SyscallResult, syscall } from './kernel-syscalls.ts'
import { borrowThread, type CallThread, prepareThreads, returnThread } from './kernel-worker.ts'
import { readTcpInfo, TCP_INFO_BYTES } from './tcp-info-struct.ts'

const SOL_SOCKET = 1
const SO_LINGER = 13
const IPPROTO_TCP = 6
const TCP_INFO = 11
const SHUT_RDWR = 2
const EFD_NONBLOCK = 0o4000
const BATCH = 64
/** A call that may wait mostly does not: so long its end is waited for at once, so that it is seen where it happened. */
const CALL_GRACE_MS = 2
/** Before a deadline timers are too coarse: so long the event loop goes round without them. */
const SPIN_US = 1500
const LONGEST_TIMER_MS = 1000
/** Calls that can be under way at once before another thread has to be started. */
const THREADS = 2
/** How long close waits for calls under way. */
const CLOSE_WAIT_MS = 1000

/** How the target keeps time, and cuts up what it sends. */
export interface KernelTargetOptions {
  /** Whether a deadline is met to some ten microseconds, at the price of a busy processor before it. Default true. */
  readonly isPunctual?: boolean
  /** Whether TCP decides for each segment anew, rather than for super-segments that are cut up before the device. Default false. */
  readonly isSegmentWise?: boolean
}

/** A call under way or over. */
class KernelCall implements Call {
  outcome: Outcome | null = null
  endedAt: Micros = -1
}

interface Running {
  readonly call: KernelCall
  readonly plan: Plan
  readonly thread: CallThread
}

/** The kernel under test. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN, as root or in a user namespace has. */
export class KernelTarget implements Target {
  readonly #ends: Ends
  readonly #network: KernelNetwork
  readonly #isPunctual: boolean
  readonly #startUs = clockUs()
  readonly #epochUs = (performance.timeOrigin + performance.now()) * 1000
  readonly #wakeFd: number
  readonly #fds = new Set<number>()
  readonly #running = new Set<Running>()
  readonly #sent: SentPacket[] = []
  readonly #packet = new Packet()
  #hasEnded = false
  #wake: (() => void) | null = null
  #isClosed = false

  /**
   * Makes one whose first blocking call is as fast as any.
   * @throws {SystemError} as the constructor
   */
  static async open(ends: Ends, options: KernelTargetOptions = {}): Promise<KernelTarget> {
    await prepareThreads(THREADS)
    return new KernelTarget(ends, options)
  }

  /** @throws {SystemError} EPERM without the privileges, and whatever a TUN device fails of */
  constructor(ends: Ends, options: KernelTargetOptions = {}) {
    this.#ends = ends
    this.#isPunctual = options.isPunctual ?? true
    this.#network = new KernelNetwork(ends, options.isSegmentWise ?? false)
    this.#wakeFd = syscall('eventfd', 0, EFD_NONBLOCK).value
    this.#network.device.onReadable(() => {
      this.#drain()
      this.#wake?.()
    })
  }

  now(): Micros {
    return clockUs() - this.#startUs
  }

  setSysctl(name: string, value: string): string | null {
    return this.#network.setSysctl(name, value)
  }

  /** The value of a sysctl of its namespace, null when there is none. */
  sysctl(name: string): string | null {
    return this.#network.sysctl(name)
  }

  start(name: string, args: readonly Value[]): Call {
    const plan = planCall(name, args, { ends: this.#ends, wakeFd: this.#wakeFd, epochUs: this.#epochUs })
    const call = new KernelCall()
    if (name === 'close') this.#fds.delete(numberOf(args[0]))
    if (!plan.blocks) {
      const make = (): SyscallResult => syscall(plan.name, ...plan.args)
      this.#end(call, plan, plan.name === 'socket' ? this.#network.inside(make) : make(), this.now())
      return call
    }
    const running: Running = { call, plan, thread: borrowThread() }
    this.#running.add(running)
    running.thread.start(plan.name, plan.args, () => {
      this.#settle(running, 0)
      this.#wake?.()
    })
    const hadEnded = this.#hasEnded
    this.#settle(running, plan.name === 'connect' ? 0 : CALL_GRACE_MS)
    this.#hasEnded = hadEnded // what is over already is seen by whoever started it
    this.#drain()
    return call
  }

  deliver(packet: Uint8Array): void {
    const out = this.#packet
    out.bytes.set(packet, HEADROOM)
    out.start = HEADROOM
    out.end = HEADROOM + packet.length
    out.checksum = 'complete'
    this.#network.device.send(out)
    this.#drain() // the kernel answers within the write
  }

  take(): SentPacket | null {
    if (this.#sent.length === 0) this.#drain()
    return this.#sent.shift() ?? null
  }

  async advance(until: Micros): Promise<void> {
    for (;;) {
      this.#drain()
      for (const running of this.#running) this.#settle(running, 0)
      if (this.#hasEnded || this.#sent.length > 0) break
      const leftUs = until - this.now()
      if (leftUs <= 0) break
      await this.#wait(leftUs)
    }
    this.#hasEnded = false
  }

  tcpInfo(fd: number): Readonly<Record<string, number>> | null {
    const [value, length] = [memory(TCP_INFO_BYTES), memory(4)]
    length.bytes.writeInt32LE(TCP_INFO_BYTES, 0)
    const result = syscall('getsockopt', fd, IPPROTO_TCP, TCP_INFO, value.address, length.address)
    return result.value < 0 ? null : readTcpInfo(value.bytes, length.bytes.readInt32LE(0))
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#network.close() // first: what the sockets send in dying goes nowhere
    const one = memory(8)
    one.bytes.writeBigUInt64LE(1n, 0)
    syscall('write', this.#wakeFd, one.address, 8)
    const linger = lingerZero()
    for (const fd of this.#fds) {
      syscall('setsockopt', fd, SOL_SOCKET, SO_LINGER, linger.address, 8)
      syscall('shutdown', fd, SHUT_RDWR)
    }
    const deadline = this.now() + CLOSE_WAIT_MS * 1000
    while (this.#running.size > 0 && this.now() < deadline) {
      for (const running of this.#running) this.#settle(running, 0)
      if (this.#running.size > 0) await this.#wait(2000)
    }
    for (const fd of this.#fds) syscall('close', fd)
    syscall('close', this.#wakeFd)
  }

  /** Takes a call's result when it is there. */
  #settle(running: Running, waitMs: number): void {
    if (!this.#running.has(running)) return
    const result = running.thread.take(waitMs)
    if (result === null) return
    this.#running.delete(running)
    returnThread(running.thread)
    const { plan, call } = running
    const last = plan.follow === undefined || result.value < 0 ? result : syscall(plan.follow[0], ...plan.follow[1])
    this.#end(call, plan, last, result.endedUs - this.#startUs)
    this.#hasEnded = true
  }

  #end(call: KernelCall, plan: Plan, { value, errno }: SyscallResult, at: Micros): void {
    const outputs = plan.outputs(value)
    call.outcome = { value, errno: errorName(errno), outputs }
    call.endedAt = at
    if (plan.opens !== true || value < 0) return
    const made = plan.name === 'pipe' || plan.name === 'pipe2' ? (outputs[0] as readonly number[]) : [value]
    for (const fd of made) this.#fds.add(fd)
  }

  /** Takes what the kernel has sent by now; packets that have nothing to do with a script are dropped. */
  #drain(): void {
    const take = (packet: Packet): void => {
      const bytes = packet.bytes.slice(packet.start, packet.end)
      if (isOfInterest(bytes)) this.#sent.push({ at: this.now(), bytes })
    }
    while (this.#network.device.receive(take, BATCH) === BATCH);
  }

  /** Waits for a packet, a call's end or so much time, whatever is first; the event loop turns at least once. */
  #wait(us: number): Promise<void> {
    const timerMs = Math.min(LONGEST_TIMER_MS, Math.floor((us - (this.#isPunctual ? SPIN_US : -999)) / 1000))
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wake = null
        clearTimeout(timer)
        clearImmediate(turn)
        resolve()
      }
      const timer = timerMs >= 1 ? setTimeout(done, timerMs) : undefined
      const turn = timerMs >= 1 ? undefined : setImmediate(done)
      this.#wake = done
    })
  }
}

function clockUs(): Micros {
  return Number(process.hrtime.bigint() / 1000n)
}

function lingerZero(): Memory {
  const made = memory(8)
  made.bytes.writeInt32LE(1, 0)
  return made
}

/** TCP, UDP, ICMP's errors and echoes. Not router solicitations, multicast reports and other business of the kernel's own. */
function isOfInterest(bytes: Uint8Array): boolean {
  if (bytes[0] >> 4 === 4) return bytes[9] === 6 || bytes[9] === 1 || bytes[9] === 17
  return bytes[6] === 6 || bytes[6] === 17 || (bytes[6] === 58 && bytes[40] < 130)
}
