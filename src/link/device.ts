// What a network device is to the stack: a place that gives and takes IP packets in batches. A TUN device, a cable in memory,
// an impairment or a capture around another device: all are a PacketDevice, so they nest in any order.
// Owns: the Packet record and the contract. Does not own: what the bytes mean (src/ip), when to read (src/stack/driver).

/** Bytes that every outgoing Packet leaves free before `start`, so that a device can put its own header there in place. */
export const HEADROOM = 32

/** The largest IP packet, and so the largest super-segment. */
export const MAX_PACKET = 65535

/**
 * How far the transport checksum in a packet is done:
 * - `'complete'`: the packet carries its final checksum; whoever receives it must verify it.
 * - `'partial'`: only the pseudo-header is summed; the device finishes it (out), or a trusted sender on this machine never did (in).
 * - `'verified'`: the device has verified it already (in only).
 */
export type ChecksumState = 'complete' | 'partial' | 'verified'

const NO_TAIL = new Uint8Array(0)

/**
 * One IP packet inside a buffer, `bytes[start, end)`. Reused by its owner: whoever is handed one may read it until the call
 * returns and copies what it keeps.
 */
export class Packet {
  /** The buffer; replaced, never resized, by a device that reads elsewhere. */
  bytes: Uint8Array
  /** Index of the first byte of the IP header. */
  start = HEADROOM
  /** Index one past the last byte. */
  end = HEADROOM
  checksum: ChecksumState = 'complete'
  /** For a super-segment or super-datagram: the payload bytes of TCP or UDP that each packet on the wire carries. 0: an ordinary packet. */
  segmentBytes = 0
  /** Bytes from `start` to the transport header; read only when `checksum` is `'partial'` or `segmentBytes` is set. */
  transportOffset = 0
  /** Bytes from `start` to the payload of TCP or UDP; read only when `segmentBytes` is set. */
  payloadOffset = 0

  /**
   * What follows `bytes[start, end)`, in memory of the connection's own: `tail[tailStart, tailEnd)`. Only in packets to a device whose
   * `offload.gather` takes them so; elsewhere it is empty.
   */
  tail: Uint8Array = NO_TAIL
  tailStart = 0
  tailEnd = 0

  /** @param bytes the buffer to use; by default a new one that holds the largest packet and the headroom. */
  constructor(bytes: Uint8Array = new Uint8Array(HEADROOM + MAX_PACKET + 1)) {
    this.bytes = bytes
  }

  /** Length of the packet in bytes. */
  get length(): number {
    return this.end - this.start + this.tailEnd - this.tailStart
  }

  /** Takes the tail away. */
  dropTail(): void {
    this.tail = NO_TAIL
    this.tailStart = 0
    this.tailEnd = 0
  }

  /** Copies another packet's bytes and marks into this one, in one piece; the buffer is kept when it is large enough. */
  copyFrom(other: Packet): void {
    const length = other.length
    const rest = other.tailEnd - other.tailStart
    if (this.bytes.length < HEADROOM + length) this.bytes = new Uint8Array(HEADROOM + length)
    this.bytes.set(other.bytes.subarray(other.start, other.end), HEADROOM)
    if (rest > 0) this.bytes.set(other.tail.subarray(other.tailStart, other.tailEnd), HEADROOM + length - rest)
    this.dropTail()
    this.start = HEADROOM
    this.end = HEADROOM + length
    this.checksum = other.checksum
    this.segmentBytes = other.segmentBytes
    this.transportOffset = other.transportOffset
    this.payloadOffset = other.payloadOffset
  }

  /** Takes another packet's bytes and marks over, without a copy: the other is left with this one's buffer, and nothing in it counts. */
  exchangeWith(other: Packet): void {
    const { bytes } = this
    this.bytes = other.bytes
    other.bytes = bytes
    this.dropTail()
    this.start = other.start
    this.end = other.end
    this.checksum = other.checksum
    this.segmentBytes = other.segmentBytes
    this.transportOffset = other.transportOffset
    this.payloadOffset = other.payloadOffset
  }

  /** A packet of its own with the same contents, in a buffer just large enough. */
  clone(): Packet {
    const copy = new Packet(new Uint8Array(HEADROOM + this.length))
    copy.copyFrom(this)
    return copy
  }
}

/** What a device does for the stack that it would otherwise do itself. */
export interface Offload {
  /** Finishes a `'partial'` TCP or UDP checksum on the way out, and may hand up packets marked `'partial'` or `'verified'`. */
  readonly checksum: boolean
  /** Largest TCP super-segment it takes (bytes of the IP packet), for IPv4 and IPv6; 0 when it takes only packets of `mtu`. */
  readonly superSegmentBytes: number
  /** Largest super-datagram it takes: UDP datagrams of one length, the last perhaps shorter, in one packet. Absent or 0: none. */
  readonly superDatagramBytes?: number
  /** It takes packets whose text stands apart (`Packet.tail`), so that nobody has to copy it there. */
  readonly gather?: boolean
}

/** A device without any offload: every packet is at most `mtu` long and carries its own checksum, in both directions. */
export const NO_OFFLOAD: Offload = Object.freeze({ checksum: false, superSegmentBytes: 0 })

/** Counters that every device keeps, named as `ip -s link` names them. */
export interface DeviceCounters {
  rxPackets: number
  rxBytes: number
  rxDropped: number
  txPackets: number
  txBytes: number
  txDropped: number
}

/** The same without `gather`: what a device offers that looks at the bytes of packets on their way to another. */
export function inOnePiece(offload: Offload): Offload {
  if (offload.gather !== true) return offload
  const { gather: _, ...rest } = offload
  return rest
}

/** Takes one received packet; borrowed until it returns. */
export type PacketSink = (packet: Packet) => void

/**
 * A device that gives and takes IP packets.
 *
 * The driver calls `onReadable` once, then `receive` whenever the callback said that packets may be there, until `receive`
 * returns less than its limit. It sends with `send` and ends each batch with `flush`.
 */
export interface PacketDevice {
  readonly name: string
  /** Largest IP packet on the link in bytes. */
  readonly mtu: number
  readonly offload: Offload
  readonly counters: Readonly<DeviceCounters>
  /** Sets who is told (from the event loop, never from within `send`) that packets may be there. One listener; `null` stops it. */
  onReadable(listener: (() => void) | null): void
  /** Sets who is told that the device failed or was closed from outside; `error` is null after `close()`. One listener. */
  onClose(listener: ((error: Error | null) => void) | null): void
  /** Hands up to `limit` waiting packets to `sink`, each borrowed until the sink returns. Returns how many it handed over. */
  receive(sink: PacketSink, limit: number): number
  /** Sends a copy of `packet`. Returns false when the device has dropped it (queue full, link down); that is counted, not thrown. */
  send(packet: Packet): boolean
  /**
   * The same for a packet that its owner needs no more: the device may keep its buffer and leave another there, as large or larger. What
   * is in it afterwards does not count; its length does. Only devices in memory have it: others copy all the same.
   */
  give?(packet: Packet): boolean
  /** Ends a batch of `send` calls; a device that gathers writes sends them now. */
  flush(): void
  /** Keeps the event loop alive while the device is open (the default). No effect in virtual time. */
  ref(): void
  /** Lets the program end although the device is open. */
  unref(): void
  /** Releases the device; harmless when repeated. Afterwards `receive` returns 0 and `send` false. */
  close(): void
}

/** Fresh counters, all zero. */
export function deviceCounters(): DeviceCounters {
  return { rxPackets: 0, rxBytes: 0, rxDropped: 0, txPackets: 0, txBytes: 0, txDropped: 0 }
}
