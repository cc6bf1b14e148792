// One direction of a link: what it does to each packet. Owns: loss, bursts, queue, MTU, corruption, marks, delay, order, copies. Does not
// own: where packets go (world.ts).

import type { Packet } from '../../src/link/device.ts'
import { ecnField, markCe } from '../../src/link/ecn-mark.ts'
import type { PathPlan } from './case.ts'
import { Dice } from './dice.ts'
import { copyOf, flipBit, release } from './packets.ts'

/** What became of packets, over all links. */
export interface WireCounts {
  packets: number
  lost: number
  bursts: number
  down: number
  overflowed: number
  tooBig: number
  blackHoled: number
  marked: number
  corrupted: number
  duplicated: number
  reordered: number
}

/** What a link asks of the network. */
export interface Carrier {
  now(): number
  /** The packet comes out at `at`, and is the network's from then on. */
  arrives(at: number, packet: Packet): void
  /** The packet is too large for this link, which says so. */
  refused(packet: Packet, mtu: number): void
}

/** One direction of a link. */
export class Wire {
  readonly plan: PathPlan
  /** Until when it carries nothing. */
  downUntil = 0
  readonly #d: Dice
  readonly #counts: WireCounts
  #busyUntil = 0
  #lastAt = 0
  #isBursting = false

  constructor(plan: PathPlan, seed: number, counts: WireCounts) {
    this.plan = { ...plan }
    this.#d = new Dice(seed)
    this.#counts = counts
  }

  /** Its properties change: what is sent from now on may overtake what is under way. */
  change(set: Partial<PathPlan>): void {
    Object.assign(this.plan, set)
    this.#lastAt = 0
  }

  /** Takes a packet, which is its own from now on. */
  carry(packet: Packet, to: Carrier): void {
    const counts = this.#counts
    const now = to.now()
    counts.packets++
    if (now < this.downUntil) {
      counts.down++
      release(packet)
      return
    }
    const { plan } = this
    const d = this.#d
    if (this.#isLost(d)) {
      counts.lost++
      release(packet)
      return
    }
    const length = packet.end - packet.start
    if (length > plan.mtu && packet.segmentBytes === 0) {
      if (plan.isHole) counts.blackHoled++
      else {
        counts.tooBig++
        to.refused(packet, plan.mtu)
      }
      release(packet)
      return
    }
    let at = now
    if (plan.rateBps > 0) {
      const waiting = Math.max(0, this.#busyUntil - now)
      if ((waiting * plan.rateBps) / 8e6 > plan.queueBytes) {
        counts.overflowed++
        release(packet)
        return
      }
      this.#busyUntil = now + waiting + (length * 8e6) / plan.rateBps
      at = this.#busyUntil
    }
    if (plan.mark > 0 && d.chance(plan.mark) && packet.segmentBytes === 0 && ecnField(packet) !== 0) {
      counts.marked++
      markCe(packet)
    }
    if (plan.corrupt > 0 && d.chance(plan.corrupt) && packet.checksum === 'complete') {
      counts.corrupted++
      flipBit(packet, d)
    }
    this.#deliver(packet, at, to)
  }

  #isLost(d: Dice): boolean {
    const { loss, burst } = this.plan
    if (burst !== null) {
      const turns = d.chance(this.#isBursting ? burst.leave : burst.enter)
      if (turns) {
        this.#isBursting = !this.#isBursting
        if (this.#isBursting) this.#counts.bursts++
      }
      if (this.#isBursting) return d.chance(burst.loss)
    }
    return loss > 0 && d.chance(loss)
  }

  #deliver(packet: Packet, from: number, to: Carrier): void {
    const { plan } = this
    const d = this.#d
    let at = from + plan.delayUs
    if (plan.jitterUs > 0) at += d.between(0, plan.jitterUs)
    if (plan.reorder > 0 && d.chance(plan.reorder)) {
      this.#counts.reordered++
      at = plan.reorderUs > 0 ? at + plan.reorderUs : from
    } else {
      at = this.#lastAt = Math.max(at, this.#lastAt)
    }
    at = Math.ceil(at)
    if (plan.duplicate > 0 && d.chance(plan.duplicate)) {
      this.#counts.duplicated++
      to.arrives(at, copyOf(packet))
    }
    to.arrives(at, packet)
  }
}
