// An adapter for the stream of the npm package `tuntap2` (and its maintained forks), so that a device made by it serves a stack.
// Owns: one packet per write and per 'data' event, bounded queues, an orderly end. Does not own: making and configuring the device
// (tuntap2 does); tun.ts is the faster and recommended driver (no offload here, and a thread-pool operation for every packet).
//
// Found by trying @xiaobaidadada/node-tuntap2-wintun 3.0.2 on Linux (class LinuxTun; Tun in tuntap2 itself):
// - Packets come and go bare (IFF_NO_PI); each 'data' event is one packet. `read()` may glue several together, so it is not used.
// - The descriptor blocks: a read sits in the thread pool until a packet comes, and `release()` waits for that read. Hence the nudge.
// - `write(packet, callback)` forgets the callback; `write(packet, undefined, callback)` does not.
// - An error of one write ends the stream, so what is no IP packet is dropped before.

import { createSocket } from 'node:dgram'
import { get16 } from '../base/bytes.ts'
import {
  type DeviceCounters,
  deviceCounters,
  NO_OFFLOAD,
  type Offload,
  Packet,
  type PacketDevice,
  type PacketSink,
} from './device.ts'
import { PacketQueue } from './packet-queue.ts'

/** What the adapter uses of a tuntap2 device: a Duplex of whole IP packets with a name, an MTU and, when known, addresses. */
export interface Tuntap2Like {
  readonly name: string
  readonly mtu: number
  /** With the prefix length, as `10.77.0.1/24`. May throw while the device is down. */
  readonly ipv4?: string
  on(event: 'data', listener: (packet: Uint8Array) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close', listener: () => void): unknown
  pause(): unknown
  resume(): unknown
  write(packet: Uint8Array, encoding: undefined, callback: (error?: Error | null) => void): boolean
  /** Closes the device; `destroy` is called when there is no `release`. */
  release?(): void
  destroy?(): unknown
}

/** Options of fromTuntap2. */
export interface Tuntap2Options {
  /** Packets that wait in each direction before further ones are dropped. Default 1000. */
  readonly txQueueLength?: number
  /** Whether four bytes of packet information (flags, EtherType) stand before each packet. Default false, as tuntap2 has it. */
  readonly packetInfo?: boolean
}

/**
 * Makes a PacketDevice of a tuntap2 device that is configured and up. The device belongs to the adapter from then on: nothing else
 * may read from it or write to it, and `close()` releases it. `ref` and `unref` do nothing: the thread pool has no such notion.
 * @throws {RangeError} when the queue length is no whole number above 0
 */
export function fromTuntap2(tun: Tuntap2Like, options: Tuntap2Options = {}): PacketDevice {
  return new Tuntap2Device(tun, options)
}

const INFO_BYTES = 4
const NUDGE_EVERY_MS = 20
const MOST_NUDGES = 50

class Tuntap2Device implements PacketDevice {
  readonly name: string
  readonly mtu: number
  readonly offload: Offload = NO_OFFLOAD
  readonly counters: DeviceCounters = deviceCounters()
  readonly #tun: Tuntap2Like
  readonly #infoBytes: number
  readonly #received: PacketQueue
  readonly #toSend: PacketQueue
  readonly #view = new Packet(new Uint8Array(0))
  #listening = false
  #writing = false
  #open = true
  #readable: (() => void) | null = null
  #onClose: ((error: Error | null) => void) | null = null

  constructor(tun: Tuntap2Like, options: Tuntap2Options) {
    const { txQueueLength = 1000 } = options
    if (!Number.isInteger(txQueueLength) || txQueueLength < 1) {
      throw new RangeError(`txQueueLength is a whole number above 0, not ${txQueueLength}`)
    }
    this.#tun = tun
    this.name = tun.name
    this.mtu = tun.mtu
    this.#infoBytes = options.packetInfo === true ? INFO_BYTES : 0
    this.#received = new PacketQueue(txQueueLength)
    this.#toSend = new PacketQueue(txQueueLength)
    tun.on('error', (error) => this.#fail(error))
    tun.on('close', () => this.#fail(null))
  }

  onReadable(listener: (() => void) | null): void {
    const first = this.#readable === null && listener !== null
    this.#readable = listener
    if (!this.#open) return
    if (listener === null) {
      this.#tun.pause()
    } else if (first) {
      if (!this.#listening) this.#tun.on('data', (chunk) => this.#arrive(chunk))
      this.#listening = true
      this.#tun.resume()
      if (this.#received.size > 0) queueMicrotask(() => this.#readable?.())
    }
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#onClose = listener
  }

  receive(sink: PacketSink, limit: number): number {
    let count = 0
    while (count < limit) {
      const packet = this.#received.shift()
      if (packet === null) return count
      count++
      this.counters.rxPackets++
      this.counters.rxBytes += packet.length
      sink(packet)
      this.#received.recycle(packet)
    }
    if (this.#received.size > 0) queueMicrotask(() => this.#readable?.())
    return count
  }

  send(packet: Packet): boolean {
    const version = packet.bytes[packet.start] >>> 4
    const isIp = packet.length >= 20 && (version === 4 || version === 6)
    if (!this.#open || !isIp || packet.length > this.mtu || !this.#toSend.push(packet)) {
      this.counters.txDropped++
      return false
    }
    this.counters.txPackets++
    this.counters.txBytes += packet.length
    return true
  }

  flush(): void {
    if (!this.#writing) this.#writeNext()
  }

  ref(): void {}
  unref(): void {}

  close(): void {
    if (!this.#open) return
    const target = neighbourOf(this.#tun)
    this.#end(null)
    this.#tun.resume() // or what waits in a paused stream would keep it from closing
    if (this.#tun.release !== undefined) this.#tun.release()
    else this.#tun.destroy?.()
    if (target !== null) nudge(this.#tun, target)
  }

  /** Takes what one 'data' event brought; packets that were glued together are told apart by their own lengths. */
  #arrive(chunk: Uint8Array): void {
    const view = this.#view
    view.bytes = chunk
    for (let at = this.#infoBytes; at < chunk.length && this.#open; at = view.end + this.#infoBytes) {
      const length = packetLength(chunk, at)
      view.start = at
      view.end = length <= 0 ? chunk.length : Math.min(at + length, chunk.length)
      if (length <= 0 || !this.#received.push(view)) this.counters.rxDropped++
    }
    this.#readable?.()
  }

  /** One write at a time: streams that gather waiting writes into one writev would make one packet of several. */
  #writeNext(): void {
    const packet = this.#open ? this.#toSend.shift() : null
    this.#writing = packet !== null
    if (packet === null) return
    const from = packet.start - this.#infoBytes
    if (this.#infoBytes > 0) {
      packet.bytes.fill(0, from, packet.start)
      const etherType = packet.bytes[packet.start] >>> 4 === 4 ? 0x0800 : 0x86dd
      packet.bytes[from + 2] = etherType >>> 8
      packet.bytes[from + 3] = etherType & 0xff
    }
    this.#tun.write(packet.bytes.subarray(from, packet.end), undefined, (error) => {
      if (error) this.counters.txDropped++
      this.#toSend.recycle(packet)
      this.#writeNext()
    })
  }

  #fail(error: Error | null): void {
    if (this.#open) this.#end(error ?? new Error(`${this.name} was closed from outside`))
  }

  #end(error: Error | null): void {
    this.#open = false
    this.#readable = null
    this.#received.clear()
    this.#toSend.clear()
    this.#onClose?.(error)
  }
}

/** The length that the IP packet at `at` says it has; 0 when it is none. */
function packetLength(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < 20) return 0
  const version = bytes[at] >>> 4
  return version === 4 ? get16(bytes, at + 2) : version === 6 ? 40 + get16(bytes, at + 4) : 0
}

/** An IPv4 address behind the device, or null when there is none. */
function neighbourOf(tun: Tuntap2Like): string | null {
  try {
    const [address, prefixLength] = (tun.ipv4 ?? '').split('/')
    const parts = address.split('.').map(Number)
    if (parts.length !== 4 || Number(prefixLength) > 31) return null
    parts[3] ^= 1
    return parts.join('.')
  } catch {
    return null
  }
}

/** Makes the kernel send packets into the device until the read that blocks in the thread pool has ended and the stream has closed. */
function nudge(tun: Tuntap2Like, target: string): void {
  const socket = createSocket('udp4')
  let left = MOST_NUDGES
  let stopped = false
  const stop = (): void => {
    if (stopped) return
    stopped = true
    clearInterval(timer)
    socket.close()
  }
  const timer = setInterval(() => {
    if (left-- === 0) stop()
    else socket.send('', 9, target)
  }, NUDGE_EVERY_MS)
  socket.on('error', stop) // no route any more: the device is gone, which is what was wanted
  let closes = 0
  tun.on('close', () => {
    // The writing half announces its end first, on the same emitter.
    if (++closes === 2) stop()
  })
}
