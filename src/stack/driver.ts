// Joins a stack, a device and a clock: read a batch, handle it, send what came of it, arm one timer, tell the owners (RFC 9293 §3.10.7.4
// [MUST-58] [MUST-59]: acknowledgements are made once a batch is handled). The same driver serves real and virtual time.
// Owns: the order of these steps, the one timer. Does not own: what a packet means, what the owners do.
//
// Invariant: an owner is never called from within the handling of a packet, only after the batch; what it writes goes out at the end.

import { MILLISECOND, type ScheduledTask, type Scheduler } from '../base/time.ts'
import { HEADROOM, Packet, type PacketDevice } from '../link/device.ts'
import type { EventSource, Stack } from './stack.ts'

/** Packets handled before output and owners get their turn. */
export const BATCH_PACKETS = 64
/**
 * Of super-segments so many: what they bring is read while the processor's cache still holds it, in memory that is not too large to be had
 * cheaply (measured, npm run bench).
 */
const BATCH_SUPER_SEGMENTS = 2
/** A batch of which the mean is longer than this is one of super-segments. */
const LONG_PACKET_BYTES = 9000
/** Batches in a row before the rest of the program has its turn. */
const MOST_BATCHES_IN_A_ROW = 16
/** A flood of packets holds the timers up no longer than this. */
const MOST_BATCHES_BEFORE_TIMERS = 16
/** Acknowledgements wait for owners so long. */
const OWNERS_US = MILLISECOND

/** What a driver is made from. */
export interface DriverOptions {
  readonly stack: Stack
  readonly device: PacketDevice
  readonly scheduler: Scheduler
  /** Told of events, after the batch that brought them. Must not throw. */
  readonly onEvent: (source: EventSource, events: number) => void
  /** Told when the device is gone: with the error when it failed, null when it was closed. */
  readonly onDeviceClose?: (error: Error | null) => void
}

/** Runs a stack over a device. */
export class Driver {
  readonly #options: DriverOptions
  readonly #packet: Packet
  readonly #onPacket: (packet: Packet) => void
  readonly #onDeferred: () => void
  readonly #onDeadline = (): void => this.#onTimer()
  #timer: ScheduledTask | null = null
  #timerAt = Number.POSITIVE_INFINITY
  #now = 0
  #batch = BATCH_PACKETS
  #batchBytes = 0
  #isDeferred = false
  #isRunning = false
  #isClosed = false

  constructor(options: DriverOptions) {
    this.#options = options
    const { device, stack } = options
    // What is given away is no larger than need be.
    this.#packet =
      device.give === undefined || device.offload.superSegmentBytes > 0
        ? new Packet()
        : new Packet(new Uint8Array(HEADROOM + Math.max(device.mtu, stack.ip.mtu)))
    this.#onPacket = (packet) => {
      this.#batchBytes += packet.end - packet.start
      stack.handlePacket(packet, this.#now)
    }
    this.#onDeferred = () => {
      this.#isDeferred = false
      this.#finish()
    }
    device.onReadable(() => this.#read())
    device.onClose((error) => {
      if (this.#isClosed) return
      this.#stop()
      options.onDeviceClose?.(error)
    })
  }

  /** To be called after every call on a connection or the stack: what came of it is sent once the current turn is over. */
  wake(): void {
    if (this.#isDeferred || this.#isRunning || this.#isClosed) return
    this.#isDeferred = true
    this.#options.scheduler.defer(this.#onDeferred)
  }

  /** Sends what waits, then leaves the device alone. The device stays open: it is its owner's. */
  close(): void {
    if (this.#isClosed) return
    this.#transmit()
    this.#stop()
  }

  #stop(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    this.#options.device.onReadable(null)
  }

  #read(): void {
    if (this.#isClosed) return
    const { device, scheduler } = this.#options
    for (let i = 0; i < MOST_BATCHES_IN_A_ROW; i++) {
      const most = this.#batch
      this.#now = scheduler.now()
      this.#batchBytes = 0
      const count = device.receive(this.#onPacket, most)
      this.#batch = this.#batchBytes > count * LONG_PACKET_BYTES ? BATCH_SUPER_SEGMENTS : BATCH_PACKETS
      this.#finish()
      if (count < most || this.#isClosed) return
    }
    // More may wait: it gets its turn after whatever else the program has to do.
    scheduler.schedule(scheduler.now(), () => this.#read())
  }

  /**
   * Output, events, output of what the owners did, timer. Connections whose owners have text to read wait for them: the acknowledgement
   * goes with the answer, and tells the window that was read free; but owners who take long hold up the others no longer than OWNERS_US.
   */
  #finish(): void {
    if (this.#isClosed || this.#isRunning) return
    this.#isRunning = true
    const { stack, onEvent, scheduler } = this.#options
    this.#transmit(false)
    let since = scheduler.now()
    for (let source = stack.pollEvent(); source !== null; source = stack.pollEvent()) {
      const events = source.takeEvents()
      if (events === 0) continue
      onEvent(source, events)
      const now = scheduler.now()
      if (now - since < OWNERS_US) continue
      this.#transmit()
      since = now
    }
    this.#isRunning = false
    if (this.#isClosed) return
    this.#transmit()
    this.#arm()
    if (stack.hasEvents) this.wake() // raised by the last output: told in a turn of their own
  }

  #transmit(isAll = true): void {
    const { device, scheduler, stack } = this.#options
    const packet = this.#packet
    const now = scheduler.now()
    let sent = false
    while (stack.pollTransmit(packet, now, isAll)) {
      if (device.give === undefined) device.send(packet)
      else device.give(packet)
      sent = true
    }
    if (sent) device.flush()
  }

  #arm(): void {
    const { scheduler, stack } = this.#options
    const at = stack.nextDeadline()
    if (at === this.#timerAt && this.#timer !== null) return
    // A timer that is due earlier than needed is left: it finds nothing and is armed anew.
    if (this.#timer !== null && this.#timerAt <= at) return
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = at
    if (at === Number.POSITIVE_INFINITY) return
    this.#timer = scheduler.schedule(at, this.#onDeadline)
  }

  /**
   * What came while the program was busy with something else is handled first: an acknowledgement that lies in the device to be read is
   * no reason to send again (Node runs timers before it looks for input).
   */
  #onTimer(): void {
    this.#timer = null
    if (this.#isClosed) return
    const { device, scheduler, stack } = this.#options
    this.#now = scheduler.now()
    for (let i = 0; i < MOST_BATCHES_BEFORE_TIMERS; i++) {
      if (device.receive(this.#onPacket, BATCH_PACKETS) < BATCH_PACKETS) break
      this.#transmit()
    }
    if (this.#isClosed) return
    stack.handleTimeout(this.#now)
    this.#finish()
  }
}
