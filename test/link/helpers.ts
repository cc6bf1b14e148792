// What the tests of devices share: a clock that jumps to the next task, and packets made by hand.

import { put16 } from '../../src/base/bytes.ts'
import type { Micros, ScheduledTask, Scheduler } from '../../src/base/time.ts'
import { foldedSum } from '../../src/link/checksum-offload.ts'
import { HEADROOM, Packet, type PacketDevice } from '../../src/link/device.ts'

/** Virtual time: tasks run in order of their instants, deferred ones before time goes on. */
export class VirtualScheduler implements Scheduler {
  #now: Micros = 0
  #order = 0
  readonly #tasks: { at: Micros; order: number; run: () => void }[] = []
  readonly #deferred: (() => void)[] = []

  now(): Micros {
    return this.#now
  }

  schedule(at: Micros, run: () => void): ScheduledTask {
    const task = { at: Math.max(at, this.#now), order: this.#order++, run }
    this.#tasks.push(task)
    this.#tasks.sort((a, b) => a.at - b.at || a.order - b.order)
    return {
      cancel: () => {
        const index = this.#tasks.indexOf(task)
        if (index >= 0) this.#tasks.splice(index, 1)
      },
    }
  }

  defer(task: () => void): void {
    this.#deferred.push(task)
  }

  /** How many tasks wait for their instant. */
  get waiting(): number {
    return this.#tasks.length
  }

  /** Runs until nothing is left, or until `until`, where the clock then stands. */
  run(until: Micros = Number.POSITIVE_INFINITY): void {
    for (;;) {
      for (let task = this.#deferred.shift(); task !== undefined; task = this.#deferred.shift()) task()
      if (this.#tasks.length === 0 || this.#tasks[0].at > until) break
      const next = this.#tasks.shift()!
      this.#now = next.at
      next.run()
    }
    if (until !== Number.POSITIVE_INFINITY) this.#now = Math.max(this.#now, until)
  }
}

/** A UDP-less IPv4 packet whose last two bytes are `id`, so that it can be told apart. */
export function numbered(id: number, length = 100): Packet {
  const packet = new Packet(new Uint8Array(HEADROOM + length))
  packet.end = HEADROOM + length
  packet.bytes[HEADROOM] = 0x45
  packet.bytes[HEADROOM + 9] = 253
  put16(packet.bytes, HEADROOM + 2, length)
  put16(packet.bytes, packet.end - 2, id)
  return packet
}

/** The number that `numbered` gave a packet. */
export function idOf(packet: Packet): number {
  return (packet.bytes[packet.end - 2] << 8) | packet.bytes[packet.end - 1]
}

/** A packet that carries TCP over IPv4 or IPv6, its checksum `'partial'` as a stack with offload leaves it. */
export function partialTcp(family: 4 | 6, payload: Uint8Array, segmentBytes = 0, flags = 0x18): Packet {
  const ip = family === 4 ? 20 : 40
  const packet = new Packet(new Uint8Array(HEADROOM + ip + 20 + payload.length))
  const { bytes } = packet
  const tcp = HEADROOM + ip
  packet.end = bytes.length
  if (family === 4) {
    bytes.set([0x45, 0, 0, 0, 0x12, 0xff, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], HEADROOM)
    put16(bytes, HEADROOM + 2, packet.length)
    put16(bytes, HEADROOM + 10, ~foldedSum(bytes, HEADROOM, tcp) & 0xffff)
  } else {
    bytes.set([0x60, 0, 0, 0, 0, 0, 6, 64, 0xfd, 0x77], HEADROOM)
    put16(bytes, HEADROOM + 4, 20 + payload.length)
    bytes[HEADROOM + 23] = 1
    bytes.set([0xfd, 0x77], HEADROOM + 24)
    bytes[HEADROOM + 39] = 2
  }
  bytes.set([0x1f, 0x90, 0xc0, 0x01, 0xff, 0xff, 0xff, 0x00, 0, 0, 0, 9, 0x50, flags, 0x20, 0], tcp)
  bytes.set(payload, tcp + 20)
  const addresses = family === 4 ? foldedSum(bytes, HEADROOM + 12, tcp) : foldedSum(bytes, HEADROOM + 8, tcp)
  const pseudo = addresses + 6 + 20 + payload.length
  put16(bytes, tcp + 16, (pseudo & 0xffff) + (pseudo >>> 16))
  packet.checksum = 'partial'
  packet.transportOffset = ip
  packet.payloadOffset = ip + 20
  packet.segmentBytes = segmentBytes
  return packet
}

/** Reads a device whenever it says so, and collects what `map` makes of each packet. */
export function collect<T>(device: PacketDevice, map: (packet: Packet) => T): T[] {
  const found: T[] = []
  device.onReadable(() => {
    while (device.receive((packet) => found.push(map(packet)), 16) === 16);
  })
  return found
}

/** Takes the text of a packet apart from its headers, as a stack hands it to a device that gathers. */
export function apart(packet: Packet): Packet {
  const text = packet.start + packet.payloadOffset
  packet.tail = packet.bytes.slice(text, packet.end)
  packet.tailEnd = packet.tail.length
  packet.end = text
  return packet
}
