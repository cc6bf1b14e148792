// The emulated links of the lossy-link table, and the loop that carries packets over them: every transfer has a link of its own, an
// ImpairedPath each way, whoever's TCP stands at its ends.
// Owns: finding a packet's link by the server's port, forwarding, counting what was sent again and what arrived twice. Does not own:
// what happens to packets (src/link/impairment.ts), the devices.

import { get16 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { Scheduler } from '../../src/base/time.ts'
import { Packet, type PacketDevice } from '../../src/link/device.ts'
import { ImpairedPath, type Impairment, type ImpairmentCounters } from '../../src/link/impairment.ts'
import { splitSuperSegment } from '../../src/link/segmentation.ts'
import { parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { type Seq, seq, seqDiff, seqGe, seqGt, seqLe, seqMax } from '../../src/tcp/seq.ts'

const BATCH = 64
const IPV4_HEADER_BYTES = 20

/** What was seen of a transfer on its link. Bytes of text. */
export interface Seen {
  /** Sent by the sender, whatever became of it. */
  sent: number
  /** Sent again. */
  resent: number
  /** Reported by the receiver as having come twice (RFC 2883): sent again for nothing. */
  twice: number
}

/** Told of every packet at the sender's end of a link, borrowed. */
export type LinkObserver = (packet: Packet, direction: 'in' | 'out') => void

/** How a link is made. */
export interface LinkOptions {
  readonly scheduler: Scheduler
  readonly seed: number
  readonly impairment: Impairment
  readonly sender: PacketDevice
  readonly receiver: PacketDevice
  readonly observe?: LinkObserver
}

const header = new SegmentHeader()

/** One emulated link. */
export class Link {
  readonly seen: Seen = { sent: 0, resent: 0, twice: 0 }
  readonly #forth: ImpairedPath
  readonly #back: ImpairedPath
  readonly #observe: LinkObserver | null
  #highest: Seq | null = null

  constructor(options: LinkOptions) {
    const { scheduler, impairment, sender, receiver, observe = null } = options
    const random = new SeededRandom(options.seed)
    const toSender = (packet: Packet): void => {
      observe?.(packet, 'in')
      sender.send(packet)
    }
    const toReceiver = (packet: Packet): void => void receiver.send(packet)
    this.#observe = observe
    this.#forth = new ImpairedPath(scheduler, random.fork(), impairment, toReceiver, () => receiver.flush())
    this.#back = new ImpairedPath(scheduler, random.fork(), impairment, toSender, () => sender.flush())
  }

  /** What became of the packets that the sender sent. */
  get counters(): Readonly<ImpairmentCounters> {
    return this.#forth.counters
  }

  /** Takes a packet of the sender's. */
  fromSender(packet: Packet): void {
    this.#observe?.(packet, 'out')
    this.#countText(packet)
    this.#forth.offer(packet)
  }

  /** Takes a packet of the receiver's. */
  fromReceiver(packet: Packet): void {
    this.#countDuplicates(packet)
    this.#back.offer(packet)
  }

  /** Forgets the packets on their way. */
  close(): void {
    this.#forth.clear()
    this.#back.clear()
  }

  #countText({ bytes, start, end }: Packet): void {
    if (parseTcp(bytes, start + IPV4_HEADER_BYTES, end, header) !== 'ok' || header.textLength === 0) return
    const first = header.seq
    const last = (first + header.textLength) | 0
    const highest = this.#highest ?? first
    this.seen.sent += header.textLength
    if (seqGt(highest, first)) this.seen.resent += Math.min(header.textLength, seqDiff(highest, first))
    this.#highest = seqMax(highest, last as Seq)
  }

  #countDuplicates({ bytes, start, end }: Packet): void {
    if (parseTcp(bytes, start + IPV4_HEADER_BYTES, end, header) !== 'ok' || header.sackCount === 0) return
    const { sackEdges, sackCount } = header
    const left = seq(sackEdges[0])
    const right = seq(sackEdges[1])
    const isInside = sackCount > 1 && seqGe(left, seq(sackEdges[2])) && seqLe(right, seq(sackEdges[3]))
    if (seqLe(right, header.ack) || isInside) this.seen.twice += Math.max(0, seqDiff(right, left))
  }
}

/** Carries packets from devices into the links they belong to. */
export class Bridge {
  readonly #links = new Map<number, Link>()
  readonly #piece = new Packet(new Uint8Array(2048))

  /** Takes the packets of a device from now on; a super-segment as those that it stands for. */
  attach(device: PacketDevice): void {
    const one = (packet: Packet): void => this.#forward(packet)
    const forward = (packet: Packet): void => void splitSuperSegment(packet, this.#piece, one)
    device.onReadable(() => {
      while (device.receive(forward, BATCH) === BATCH);
    })
  }

  /** Puts a link in place for the connections to a port. */
  add(port: number, link: Link): void {
    this.#links.set(port, link)
  }

  /** Takes it away; packets to and from the port are dropped from now on. */
  remove(port: number): void {
    this.#links.get(port)?.close()
    this.#links.delete(port)
  }

  #forward(packet: Packet): void {
    const { bytes, start, end } = packet
    const ports = start + IPV4_HEADER_BYTES
    if (end < ports + 4 || bytes[start] !== 0x45 || bytes[start + 9] !== 6) return // the kernel says other things too
    const forth = this.#links.get(get16(bytes, ports + 2))
    if (forth !== undefined) forth.fromSender(packet)
    else this.#links.get(get16(bytes, ports))?.fromReceiver(packet)
  }
}
