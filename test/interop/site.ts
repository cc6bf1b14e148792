// A host of ours on a TUN device beside the kernel, with a filter that drops chosen packets and a capture of all that pass by.

import { CaptureFile } from '../../src/cli/capture-file.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import type { Direction } from '../../src/link/capture.ts'
import { completeChecksum } from '../../src/link/checksum-offload.ts'
import type { DeviceCounters, Offload, Packet, PacketDevice, PacketSink } from '../../src/link/device.ts'
import { openTun } from '../../src/link/tun.ts'
import { createHost, type Host, realTime, type TunSocket } from '../../src/net/index.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import { FLAG, parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { seqDiff } from '../../src/tcp/seq.ts'

/** Our addresses, and the kernel's on the same link. */
export const OURS = { 4: '10.77.0.2', 6: 'fd77::2' } as const
export const KERNELS = { 4: '10.77.0.1', 6: 'fd77::1' } as const

/** Whether a packet passes; it is borrowed. `direction` is seen from our stack. */
export type Filter = (packet: Packet, direction: Direction) => boolean

/** A device that shows every packet to an observer and then drops those that the filter does not let pass. */
export class FilterDevice implements PacketDevice {
  /** Told of every packet, before the filter. */
  observe: ((packet: Packet, direction: Direction) => void) | null = null
  /** Decides; may be changed at any time. */
  filter: Filter = () => true
  /** Received packets that come before the next one; put clones of what the filter has held back here. */
  readonly late: Packet[] = []
  readonly #device: PacketDevice

  constructor(device: PacketDevice) {
    this.#device = device
  }

  get name(): string {
    return this.#device.name
  }

  get mtu(): number {
    return this.#device.mtu
  }

  get offload(): Offload {
    return this.#device.offload
  }

  get counters(): Readonly<DeviceCounters> {
    return this.#device.counters
  }

  onReadable(listener: (() => void) | null): void {
    this.#device.onReadable(listener)
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#device.onClose(listener)
  }

  receive(sink: PacketSink, limit: number): number {
    return this.#device.receive((packet) => {
      const isIn = this.#passes(packet, 'in')
      for (const other of this.late.splice(0)) sink(other)
      if (isIn) sink(packet)
    }, limit)
  }

  send(packet: Packet): boolean {
    return this.#passes(packet, 'out') ? this.#device.send(packet) : true
  }

  flush(): void {
    this.#device.flush()
  }

  ref(): void {
    this.#device.ref()
  }

  unref(): void {
    this.#device.unref()
  }

  close(): void {
    this.#device.close()
  }

  #passes(packet: Packet, direction: Direction): boolean {
    this.observe?.(packet, direction)
    return this.filter(packet, direction)
  }
}

const ipHeader = new IpHeader()
const segment = new SegmentHeader()

/** The TCP header of a packet, in a record that the next call overwrites; null when it is something else. */
export function tcpOf(packet: Packet): SegmentHeader | null {
  if (parseIp(packet.bytes, packet.start, packet.end, ipHeader) !== 'ok' || ipHeader.protocol !== 6) return null
  return parseTcp(packet.bytes, packet.start + ipHeader.headerBytes, packet.end, segment) === 'ok' ? segment : null
}

/**
 * Drops segments with text in one direction, named by how often each sequence number has been seen: `{ 5: 1, 9: 2 }` drops the fifth new
 * segment once and the ninth twice. What it dropped, as relative sequence numbers, gathers in `dropped`.
 */
export function dropChosen(direction: Direction, chosen: Readonly<Record<number, number>>): DropChosen {
  const order = new Map<number, number>() // sequence number: the place of the segment among the new ones
  const dropped: number[] = []
  const left = new Map(Object.entries(chosen).map(([place, times]) => [Number(place), times]))
  let first = 0
  const filter: Filter = (packet, way) => {
    const header = way === direction ? tcpOf(packet) : null
    if (header === null) return true
    if ((header.flags & FLAG.SYN) !== 0) first = header.seq
    if (header.textLength === 0) return true
    const place = order.get(header.seq) ?? order.size + 1
    order.set(header.seq, place)
    const times = left.get(place) ?? 0
    if (times === 0) return true
    left.set(place, times - 1)
    dropped.push(seqDiff(header.seq, first as typeof header.seq))
    return false
  }
  return { filter, dropped }
}

/** See dropChosen. */
export interface DropChosen {
  readonly filter: Filter
  readonly dropped: number[]
}

/** How a site is set up. */
export interface SiteOptions {
  readonly tcp?: Partial<TcpConfig>
  /** Default false: what is captured is what would be on a wire. */
  readonly offload?: boolean
  readonly mtu?: number
  /** Where to write a capture of all that passes, dropped or not. */
  readonly pcap?: string
}

/** A host of ours on a TUN device of its own. */
export interface Site {
  readonly host: Host
  readonly device: FilterDevice
  /** Ends connections, closes the device and the capture. */
  stop(graceMs?: number): Promise<void>
}

/** Opens the device tst0 with the kernel's addresses on it, and a host with ours. */
export function openSite(options: SiteOptions = {}): Site {
  const { mtu = 1500, offload = false, pcap } = options
  const addresses = mtu < 1280 ? ['10.77.0.1/24'] : ['10.77.0.1/24', 'fd77::1/64']
  const device = new FilterDevice(openTun({ name: 'tst0', addresses, mtu, offload }))
  const own = mtu < 1280 ? ['10.77.0.2/24'] : ['10.77.0.2/24', 'fd77::2/64']
  const scheduler = realTime()
  const host = createHost({ device, address: own, scheduler, tcp: options.tcp })
  let file: CaptureFile | null = null
  if (pcap !== undefined) {
    file = new CaptureFile(pcap, device.name, performance.timeOrigin * 1000, (error) => {
      throw error
    })
    const { writer } = file
    device.observe = (packet, direction) => {
      const shown = packet.checksum === 'partial' ? packet.clone() : packet
      completeChecksum(shown)
      writer.packet(shown, direction, scheduler.now())
    }
  }
  const stop = async (graceMs = 2000): Promise<void> => {
    await host.close({ graceMs })
    file?.close()
  }
  return { host, device, stop }
}

/** What a socket of ours fails with, as 'ECONNRESET'; '' when it closes without. */
export function errorOf(socket: TunSocket): Promise<string> {
  return new Promise((resolve) => {
    let code = ''
    socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? error.message))
    socket.once('close', () => resolve(code))
  })
}

/** Reads a socket to its end; our side stays open. */
export function readAll(socket: TunSocket): Promise<Buffer> {
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
    socket.on('error', reject)
  })
}
