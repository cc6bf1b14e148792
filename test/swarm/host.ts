// A host of the swarm: a stack, its applications, a clock that may leap, and times at which it does nothing. After every step the
// invariants are checked. Owns: when the stack is called. Does not own: the network (world.ts), what applications do (side.ts).

import { SeededRandom } from '../../src/base/random.ts'
import type { ScheduledTask } from '../../src/base/time.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { MAX_PACKET, Packet } from '../../src/link/device.ts'
import { splitSuperSegment } from '../../src/link/segmentation.ts'
import { Stack } from '../../src/stack/stack.ts'
import { Connection } from '../../src/tcp/connection.ts'
import { checkInvariants } from '../../src/tcp/invariants.ts'
import { checkIdle, checkLayer } from '../../src/tcp/invariants-layer.ts'
import type { Listener } from '../../src/tcp/listener.ts'
import type { Case, HostPlan } from './case.ts'
import { Side, type SideHost } from './side.ts'
import type { World } from './world.ts'

const NEVER = Number.POSITIVE_INFINITY
/** Packets that wait for a host which does nothing. */
const MOST_WAITING = 3000
/** Every so many steps the whole host is checked, and not only the connection that was touched. */
const SWEEP = 32
const SCRATCH = new Packet()
const PIECE = new Packet()

/** Secret of all who sign. */
export const MD5_KEY = 'of one swarm'

/** The address of a host. */
export function addressOf(family: 4 | 6, index: number): IpAddress {
  return IpAddress.parse(family === 4 ? `10.0.0.${index + 1}` : `fd00::${index + 1}`)
}

/** One host. */
export class Host implements SideHost {
  readonly index: number
  readonly address: IpAddress
  readonly plan: HostPlan
  readonly stack: Stack
  readonly sides: Side[] = []
  listener: Listener | null = null
  /** How far its clock is ahead of the world's. */
  leapUs = 0
  readonly #world: World
  readonly #waiting: Packet[] = []
  #idleUntil = 0
  #isWoken = false
  #timer: ScheduledTask | null = null
  #timerAt = NEVER
  #acceptAt = 0
  #steps = 0

  constructor(world: World, plan: HostPlan, index: number) {
    const { it } = world
    this.#world = world
    this.plan = plan
    this.index = index
    this.address = addressOf(it.family, index)
    let isn = it.isn ?? 0
    this.stack = new Stack({
      addresses: [{ address: this.address, prefixLength: it.family === 4 ? 24 : 64 }],
      mtu: plan.mtu,
      random: new SeededRandom(it.seed * 64 + index),
      tcp: plan.config,
      timeWaitMax: plan.timeWaitMax,
      ...(plan.offload !== 'none' && { offload: { checksum: true, superSegmentBytes: MAX_PACKET } }),
      ...(it.isn !== null && { isn: () => (isn = (isn + 65_537) | 0) }),
    })
    this.stack.tcp.onStep = (tcb) => {
      world.latest = { host: index, tcb }
      checkInvariants(tcb)
    }
    this.stack.tcp.onState = (_tcb, from, to) => world.notes.state(from, to)
    this.#listen(it)
  }

  #listen(_it: Case): void {
    const { listener } = this.plan
    if (listener === null) return
    const { port, backlog, config, md5 } = listener
    this.listener = this.stack.listen({ port, backlog, config, ...(md5 && { md5Key: MD5_KEY }) })
  }

  /** Virtual time, without this clock's leaps. */
  now(): number {
    return this.#world.time.now()
  }

  #clock(): number {
    return this.#world.time.now() + this.leapUs
  }

  wake(side: Side, at: number): void {
    this.#world.time.schedule(at, () => {
      if (side.isDone) return
      if (this.#idleUntil > this.now()) {
        this.wake(side, this.#idleUntil)
        return
      }
      side.step()
      this.run()
    })
  }

  progress(): void {
    this.#world.progressAt = this.now()
    this.#world.idleSteps = 0
    this.#world.strides++
  }

  fail(side: Side, what: string): void {
    this.#world.fail('content', `flow ${side.flow}, ${side.isServer ? 'server' : 'client'}: ${what}`, side.flow)
  }

  /** The clock leaps. */
  leap(byUs: number): void {
    this.leapUs += byUs
    this.#timerAt = NEVER
    this.run()
  }

  /** Does nothing for a while, then all at once. */
  stall(forUs: number): void {
    this.#idleUntil = Math.max(this.#idleUntil, this.now() + forUs)
    this.#comeBack(this.#idleUntil)
  }

  /** A packet has come. It is the host's from now on. */
  arrive(packet: Packet): void {
    const now = this.now()
    if (now < this.#idleUntil || this.plan.batchUs > 0) {
      if (this.#waiting.length < MOST_WAITING) this.#waiting.push(packet)
      if (now >= this.#idleUntil) this.#comeBack(now + this.plan.batchUs)
      return
    }
    this.#world.handles(this, packet)
    this.stack.handlePacket(packet, this.#clock())
    this.#world.recycle(packet)
    this.run()
  }

  #comeBack(at: number): void {
    if (this.#isWoken) return
    this.#isWoken = true
    this.#world.time.schedule(at, () => {
      this.#isWoken = false
      if (this.now() < this.#idleUntil) {
        this.#comeBack(this.#idleUntil)
        return
      }
      this.run()
    })
  }

  /** What waits is taken in, applications have their turn, output goes, the timer is set. */
  run(): void {
    if (this.now() < this.#idleUntil) return
    const { stack } = this
    const world = this.#world
    const clock = this.#clock()
    if (this.#waiting.length > 0) {
      for (const packet of this.#waiting.splice(0)) {
        world.handles(this, packet)
        stack.handlePacket(packet, clock)
        world.recycle(packet)
      }
    }
    if (stack.nextDeadline() <= clock) stack.handleTimeout(clock)
    for (let turn = 0; ; turn++) {
      const before = world.strides
      this.#tell()
      if (world.strides > before) turn = 0 // an application wrote or read: that ends
      let count = 0
      while (stack.pollTransmit(SCRATCH, clock)) {
        if (++count > 20_000) world.fail('livelock', `host ${this.index} sends ${count} packets at once`)
        this.#send(SCRATCH)
      }
      if (!stack.hasEvents) break
      if (turn > 1000) world.fail('livelock', `host ${this.index} has events for ever`)
    }
    if (++this.#steps % SWEEP === 0) this.check()
    this.#arm()
  }

  /** The invariants of the whole host. */
  check(): void {
    checkLayer(this.stack.tcp.lists, this.listener === null ? [] : [this.listener])
  }

  /** Nothing is left of anything. */
  checkIdle(): void {
    checkIdle(this.stack.tcp.lists, this.stack.nextDeadline())
  }

  #send(packet: Packet): void {
    if (this.plan.offload === 'split') splitSuperSegment(packet, PIECE, (piece) => this.#world.send(this, piece))
    else this.#world.send(this, packet)
  }

  #tell(): void {
    const { stack } = this
    for (let source = stack.pollEvent(); source !== null; source = stack.pollEvent()) {
      source.takeEvents()
      if (source instanceof Connection) {
        if (source.user instanceof Side) source.user.step()
      } else {
        this.accept()
      }
    }
  }

  /** Takes what waits to be accepted: all, or one every so often. */
  accept(): void {
    const { listener } = this
    if (listener === null) return
    const pause = this.plan.listener?.acceptUs ?? 0
    const now = this.now()
    while (listener.pending > 0) {
      if (pause > 0 && now < this.#acceptAt) {
        this.#world.time.schedule(this.#acceptAt, () => {
          this.accept()
          this.run()
        })
        return
      }
      const connection = listener.accept()
      if (connection === null) return
      this.#acceptAt = now + pause
      const side = this.#world.matched(this, connection)
      this.sides.push(side)
      side.step()
    }
  }

  #arm(): void {
    const at = this.stack.nextDeadline()
    if (at === this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    if (at === NEVER) return
    this.#timer = this.#world.time.schedule(at - this.leapUs, () => {
      this.#timerAt = NEVER
      this.run()
    })
  }
}
