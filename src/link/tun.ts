// A TUN device of Linux: the kernel's IP packets in this program's hands, in batches, with segmentation and checksum offload.
// Owns: opening, configuring and closing the device, reading and writing packets in place. Does not own: interfaces in general
// (tun-interface.ts), the virtio header (vnet-header.ts), when to read (src/stack/driver).
// Read first: the kernel's Documentation/networking/tuntap.rst; libc.ts for how memory is passed.
//
// Memory: the virtio header lies in the headroom right before the packet, in both directions, so no byte is copied here. One buffer
// serves all reads; its address is a constant. Sends remember the address of the last buffer, which a stack reuses.

import { assert } from '../base/assert.ts'
import {
  type DeviceCounters,
  deviceCounters,
  HEADROOM,
  MAX_PACKET,
  NO_OFFLOAD,
  type Offload,
  Packet,
  type PacketDevice,
  type PacketSink,
} from './device.ts'
import { ERRNO, GatherList, type Libc, loadLibc, type PollHandle, type SystemError, systemError } from './libc.ts'
import { type OpenedTun, openTunDescriptor, type TunOptions } from './tun-open.ts'
import { readVnetHeader, VNET_HEADER_BYTES, writeVnetHeader } from './vnet-header.ts'

export { isTunUsable, type OpenedTun, openTunQueues, removeTun, type TunOptions } from './tun-open.ts'

/** What a TUN device with offload does: Linux takes IP packets of up to 65535 bytes and cuts them up itself, or never. */
const TUN_OFFLOAD: Offload = Object.freeze({ checksum: true, superSegmentBytes: MAX_PACKET, gather: true })

/** The same where the kernel takes and gives UDP datagrams of one length in one packet, too (Linux 6.2). */
const TUN_OFFLOAD_UDP: Offload = Object.freeze({ ...TUN_OFFLOAD, superDatagramBytes: MAX_PACKET })

const EMPTY = new Uint8Array(0)

/**
 * The open devices, and how each gives its descriptor back. It holds them strongly: a poll handle that is collected falls silent, and
 * the descriptor would leak.
 */
const openDevices = new Map<TunDevice, () => void>()

/**
 * Closes what is still open when the program, or the worker, ends, and tells nobody: nobody could do anything about it. Node's teardown
 * runs the event loop once more when no JavaScript may run any longer; with a packet waiting then (the kernel sends some of its own
 * when an interface comes up) koffi's poll would call back, fail and abort.
 */
function releaseAll(): void {
  for (const release of [...openDevices.values()]) release()
}

/** One 'exit' listener for all devices, there while one is open. */
function remember(device: TunDevice, release: () => void): void {
  if (openDevices.size === 0) process.on('exit', releaseAll)
  openDevices.set(device, release)
}

function forget(device: TunDevice): void {
  if (openDevices.delete(device) && openDevices.size === 0) process.off('exit', releaseAll)
}

/**
 * Opens a TUN device, made for the purpose or existing already, and configures the kernel's end of it.
 *
 * A new interface vanishes when it is closed or when the process ends in whatever way, unless `persistent`. An interface that
 * exists is used as it is when it is idle and has no addresses but those asked for (so an administrator can prepare one for an
 * unprivileged user); one with other addresses is refused unless `persistent` is given.
 * Whatever fails, nothing is left behind.
 *
 * @throws {TypeError} for a name or an address that is none @throws {RangeError} for an MTU or queue length out of bounds
 * @throws {SystemError} with `code` (EPERM, ENOENT, EBUSY, EEXIST, ...) and a message that names the mend
 */
export function openTun(options: TunOptions = {}): TunDevice {
  return new TunDevice(openTunDescriptor(options))
}

/** A device on one of the queues of `openTunQueues`, in whatever thread; it owns the queue from now on. */
export function tunQueue(opened: OpenedTun): TunDevice {
  return new TunDevice(opened)
}

/** A TUN device; made by openTun. */
export class TunDevice implements PacketDevice {
  readonly name: string
  readonly mtu: number
  /** What the kernel agreed to: NO_OFFLOAD when offload was not asked for or not granted. */
  readonly offload: Offload
  /** The kernel's addresses on this device, as they were given. */
  readonly addresses: readonly string[]
  readonly counters: DeviceCounters = deviceCounters()
  readonly #libc: Libc = loadLibc()
  /** Bytes before each packet: 10 with a virtio header, else 0. */
  readonly #headerBytes: number
  readonly #rx = new Packet(new Uint8Array(HEADROOM + MAX_PACKET + 1))
  readonly #rxBytes: Uint8Array
  readonly #rxAddress: number
  #txBytes: Uint8Array
  #txAddress: number
  readonly #gather = new GatherList()
  #tail: Uint8Array = EMPTY
  #tailAddress = 0
  #fd: number
  #poll: PollHandle | null = null
  #pollFailed = false
  #isTold = false
  readonly #onTurn = (): void => {
    this.#isTold = false
    if (this.#fd < 0) return
    if (this.#pollFailed) this.#fail(ERRNO.EBADFD, 'poll')
    else this.#readable?.()
  }
  #referenced = true
  #readable: (() => void) | null = null
  #onClose: ((error: Error | null) => void) | null = null

  /** Takes over an open descriptor; use openTun. */
  constructor(opened: OpenedTun) {
    this.name = opened.name
    this.mtu = opened.mtu
    this.offload = !opened.offload ? NO_OFFLOAD : opened.datagramOffload ? TUN_OFFLOAD_UDP : TUN_OFFLOAD
    this.addresses = opened.addresses
    this.#fd = opened.fd
    this.#headerBytes = opened.vnetHeader ? VNET_HEADER_BYTES : 0
    this.#rxBytes = this.#rx.bytes
    this.#txBytes = this.#rxBytes
    this.#rxAddress = this.#txAddress = this.#libc.addressOf(this.#rxBytes)
    remember(this, () => this.#release())
  }

  /** The file descriptor, -1 when closed. */
  get fd(): number {
    return this.#fd
  }

  onReadable(listener: (() => void) | null): void {
    this.#readable = listener
    if (this.#fd < 0) return
    if (listener === null) {
      this.#poll?.stop()
    } else if (this.#poll === null) {
      this.#poll = this.#libc.poll(this.#fd, (status) => this.#onPoll(status))
      if (!this.#referenced) this.#poll.unref()
    } else {
      this.#poll.start({ readable: true }, (status) => this.#onPoll(status))
    }
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#onClose = listener
  }

  receive(sink: PacketSink, limit: number): number {
    const packet = this.#rx
    const header = this.#headerBytes
    const address = this.#rxAddress + HEADROOM - header
    let count = 0
    while (count < limit && this.#fd >= 0) {
      const length = this.#libc.read(this.#fd, address, header + MAX_PACKET)
      if (length <= header) {
        if (length < 0 && this.#readFailed(this.#libc.errno())) return count
        count++
        continue
      }
      count++
      packet.bytes = this.#rxBytes // a sink may have swapped it
      packet.start = HEADROOM
      packet.end = HEADROOM + length - header
      if (header === 0) {
        packet.checksum = 'complete'
      } else if (readVnetHeader(this.#rxBytes, HEADROOM - VNET_HEADER_BYTES, packet) !== 'ok') {
        this.counters.rxDropped++
        continue
      }
      this.counters.rxPackets++
      this.counters.rxBytes += packet.end - packet.start
      sink(packet)
    }
    return count
  }

  send(packet: Packet): boolean {
    const { bytes, start, end } = packet
    const header = this.#headerBytes
    // The kernel reads memory by address: nothing else stands between a wrong index and another's bytes.
    assert(
      start >= header && start < end && end <= bytes.length,
      'a packet lies in its buffer, behind HEADROOM free bytes',
    )
    if (bytes !== this.#txBytes) {
      this.#txAddress = this.#libc.addressOf(bytes)
      this.#txBytes = bytes
    }
    const plain = packet.checksum !== 'partial' && packet.segmentBytes === 0
    assert(plain || this.offload.checksum, 'a device without offload is given finished packets only')
    const wellFormed = header === 0 || writeVnetHeader(packet, bytes, start - header)
    const { length } = packet
    const fits = length <= (packet.segmentBytes > 0 ? MAX_PACKET : this.mtu)
    const from = this.#txAddress + start - header
    if (packet.tailEnd > 0) this.#gatherFrom(packet, from, header + end - start)
    if (this.#fd < 0 || !wellFormed || !fits || !this.#write(from, header + end - start, packet.tailEnd > 0)) {
      this.counters.txDropped++
      return false
    }
    this.counters.txPackets++
    this.counters.txBytes += length
    return true
  }

  flush(): void {}

  ref(): void {
    this.#referenced = true
    this.#poll?.ref()
  }

  unref(): void {
    this.#referenced = false
    this.#poll?.unref()
  }

  close(): void {
    this.#shut(null)
  }

  /** Header and text of a packet that lies in two pieces. */
  #gatherFrom({ tail, tailStart, tailEnd }: Packet, from: number, length: number): void {
    assert(tailStart >= 0 && tailStart < tailEnd && tailEnd <= tail.length, 'a tail lies in its buffer')
    if (tail !== this.#tail) {
      this.#tailAddress = this.#libc.addressOf(tail)
      this.#tail = tail // held as long as its address is known
    }
    this.#gather.set(0, from, length)
    this.#gather.set(1, this.#tailAddress + tailStart, tailEnd - tailStart)
  }

  #write(address: number, length: number, isGathered: boolean): boolean {
    const libc = this.#libc
    for (;;) {
      const written = isGathered
        ? libc.writev(this.#fd, this.#gather.address, 2)
        : libc.write(this.#fd, address, length)
      if (written >= 0) return true
      const errno = this.#libc.errno()
      if (errno === ERRNO.EINTR) continue
      // EIO: the interface is down. EAGAIN, ENOBUFS: no room. EINVAL: not an IP packet. All are drops; EBADFD is the end.
      if (errno === ERRNO.EBADFD) this.#fail(errno, 'write')
      return false
    }
  }

  /** Whether a failed read ends the batch; only an interruption by a signal does not. */
  #readFailed(errno: number): boolean {
    if (errno === ERRNO.EINTR) return false
    if (errno !== ERRNO.EAGAIN) this.#fail(errno, 'read')
    return true
  }

  /**
   * koffi calls from outside of Node's callback scopes: there any call of Node's own that goes through one (TLS decrypting, zlib) would run
   * the callbacks of process.nextTick in the middle of ours, and the end of a stream overtake its last octets. The next phase of the same
   * turn of the event loop is within a scope; what is thrown there is reported, too.
   */
  #onPoll(status: number): void {
    if (status < 0) this.#pollFailed = true
    if (this.#isTold) return
    this.#isTold = true
    setImmediate(this.#onTurn)
  }

  #fail(errno: number, syscall: string): void {
    const gone = errno === ERRNO.EBADFD
    const error: SystemError = systemError(errno, syscall, gone ? `the interface ${this.name} was removed` : this.name)
    process.nextTick(() => this.#shut(error))
    this.#poll?.stop()
  }

  #shut(error: SystemError | null): void {
    if (this.#release()) this.#onClose?.(error)
  }

  /** Gives the descriptor and the watch on it back; false when that was done before. */
  #release(): boolean {
    if (this.#fd < 0) return false
    this.#poll?.close() // before the descriptor, which the event loop still watches
    this.#poll = null
    this.#libc.close(this.#fd)
    this.#fd = -1
    this.#readable = null
    forget(this)
    return true
  }
}
