// Two hosts joined by a link that loses, repeats and reorders packets, in virtual time, from a seed. Each side has a stream to send and
// closes its half when it is out; what arrives is compared with what was sent. The invariants are checked after every step.

import { expect } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import type { ScheduledTask } from '../../src/base/time.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { splitSuperSegment } from '../../src/link/segmentation.ts'
import { VirtualTime } from '../../src/sim/virtual-time.ts'
import { Stack } from '../../src/stack/stack.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { checkInvariants } from '../../src/tcp/invariants.ts'
import type { Listener } from '../../src/tcp/listener.ts'

/** What happens between the two, and how much. */
export interface PairOptions {
  seed: number
  /** Bytes that the opener sends, and the other. */
  sends: readonly [number, number]
  /** Probabilities for each packet. */
  loss?: number
  duplicate?: number
  /** Up to so much is added to the delay: packets overtake one another. */
  jitterUs?: number
  delayUs?: number
  /** Probability that a packet skips the delay. */
  skip?: number
  family?: 4 | 6
  mtu?: number
  /** Super-segments of 64 KiB; `split` cuts them on the way, otherwise they arrive whole. */
  offload?: 'split' | 'whole'
  tcp?: Partial<TcpConfig>
  /** Settings of the second host only. */
  other?: Partial<TcpConfig>
  /** Initial sequence numbers. */
  isn?: readonly [number, number]
  /** A reader that takes its time: at most so many bytes every 20 ms. */
  readBytes?: number
  /** Both sign with it (RFC 2385). */
  md5Key?: string
}

/** A packet as it was sent. */
export interface Seen {
  readonly atUs: number
  readonly from: 0 | 1
  readonly segment: SegmentHeader
}

/** The octets of a stream. */
export function stream(seed: number, length: number): Uint8Array {
  const random = new SeededRandom(seed)
  return Uint8Array.from({ length }, () => random.int32())
}

/** One of the two hosts. */
export class Host {
  readonly stack: Stack
  readonly received: Uint8Array[] = []
  connection: Connection | null = null
  listener: Listener | null = null
  toSend: Uint8Array
  receivedBytes = 0
  isEnded = false
  readonly #pair: Pair
  readonly #packet = new Packet(new Uint8Array(HEADROOM + 65536))
  readonly #index: 0 | 1
  #timer: ScheduledTask | null = null
  #timerAt = -1

  constructor(pair: Pair, index: 0 | 1, toSend: Uint8Array) {
    const { options } = pair
    this.#pair = pair
    this.#index = index
    this.toSend = toSend
    const { isn, mtu = 1500, family = 4 } = options
    this.stack = new Stack({
      addresses: [family === 4 ? `10.0.0.${index + 1}/24` : `fd00::${index + 1}/64`],
      mtu,
      random: new SeededRandom(options.seed * 2 + index),
      tcp: { mslUs: 1_000_000, ...options.tcp, ...(index === 1 ? options.other : {}) },
      ...(options.offload && { offload: { checksum: true, superSegmentBytes: 65535 } }),
      ...(isn && { isn: () => isn[index] }),
    })
    this.stack.tcp.onStep = checkInvariants
  }

  /** Takes in a packet. */
  arrive(packet: Packet): void {
    this.stack.handlePacket(packet, this.#pair.time.now())
    this.run()
  }

  /** The application's turn, then output and the timer. */
  run(): void {
    for (let source = this.stack.pollEvent(); source !== null; source = this.stack.pollEvent()) {
      source.takeEvents()
      if (this.connection === null && this.listener !== null) this.connection = this.listener.accept()
    }
    if (this.connection !== null) this.#useConnection(this.connection)
    const now = this.#pair.time.now()
    for (let count = 0; this.stack.pollTransmit(this.#packet, now); count++) {
      expect(count, 'packets sent at once').toBeLessThan(5000)
      this.#pair.send(this.#index, this.#packet)
    }
    for (const { tcb } of this.stack.tcp.connections()) checkInvariants(tcb)
    this.#arm()
  }

  #useConnection(connection: Connection): void {
    if (this.toSend.length > 0) {
      this.toSend = this.toSend.subarray(connection.write(this.toSend))
      if (this.toSend.length === 0) connection.shutdownWrite()
    }
    if (this.#pair.options.readBytes === undefined) this.read()
  }

  /** Reads what there is, up to `most`. */
  read(most?: number): void {
    const { connection } = this
    const text = connection?.read(most) ?? null
    if (text !== null) {
      this.received.push(text)
      this.receivedBytes += text.length
    }
    this.isEnded = connection?.ended ?? false
  }

  #arm(): void {
    const at = this.stack.nextDeadline()
    if (at === this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    if (at === Number.POSITIVE_INFINITY) return
    this.#timer = this.#pair.time.schedule(at, () => {
      this.#timerAt = -1
      this.stack.handleTimeout(this.#pair.time.now())
      this.run()
    })
  }
}

/** Both hosts and the link between them. */
export class Pair {
  readonly time = new VirtualTime(1_000_000)
  readonly options: PairOptions
  readonly hosts: readonly [Host, Host]
  readonly seen: Seen[] = []
  readonly #random: SeededRandom
  readonly #piece = new Packet(new Uint8Array(HEADROOM + 65536))
  #last = [0, 0]

  constructor(options: PairOptions) {
    this.options = options
    this.#random = new SeededRandom(options.seed)
    this.hosts = [
      new Host(this, 0, stream(options.seed + 1000, options.sends[0])),
      new Host(this, 1, stream(options.seed + 2000, options.sends[1])),
    ]
  }

  /** The address of a host. */
  address(index: 0 | 1): IpAddress {
    return IpAddress.parse(this.options.family === 6 ? `fd00::${index + 1}` : `10.0.0.${index + 1}`)
  }

  /** A host has sent a packet: it arrives later, or not, or twice. */
  send(from: 0 | 1, packet: Packet): void {
    if (this.options.offload === 'split') splitSuperSegment(packet, this.#piece, (piece) => this.#carry(from, piece))
    else this.#carry(from, packet)
  }

  #carry(from: 0 | 1, packet: Packet): void {
    const { loss = 0, duplicate = 0, jitterUs = 0, delayUs = 10_000, skip = 0 } = this.options
    this.#note(from, packet)
    const copies = this.#random.fraction() < loss ? 0 : this.#random.fraction() < duplicate ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const copy = packet.clone()
      const waitUs = skip > 0 && this.#random.fraction() < skip ? 100 : delayUs
      let at = this.time.now() + waitUs + Math.floor(this.#random.fraction() * jitterUs)
      if (jitterUs === 0 && skip === 0) at = this.#last[from] = Math.max(at, this.#last[from])
      this.time.schedule(at, () => this.hosts[from === 0 ? 1 : 0].arrive(copy))
    }
  }

  #note(from: 0 | 1, packet: Packet): void {
    const ip = new IpHeader()
    expect(parseIp(packet.bytes, packet.start, packet.end, ip)).toBe('ok')
    const segment = new SegmentHeader()
    expect(parseTcp(packet.bytes, packet.start + ip.headerBytes, packet.end, segment)).toBe('ok')
    segment.bytes = new Uint8Array(0)
    this.seen.push({ atUs: this.time.now(), from, segment })
  }

  /** The first host opens to the second; both send and close. Runs until all is quiet. */
  transfer(): this {
    const [a, b] = this.hosts
    const { md5Key } = this.options
    b.listener = b.stack.listen({ port: 80, md5Key })
    a.connection = a.stack.connect({ remote: this.address(1), remotePort: 80, md5Key }, this.time.now())
    return this.run()
  }

  /** Both open to each other at the same time. */
  openBoth(): this {
    const [a, b] = this.hosts
    a.connection = a.stack.connect({ remote: this.address(1), remotePort: 80, localPort: 70 }, this.time.now())
    b.connection = b.stack.connect({ remote: this.address(0), remotePort: 70, localPort: 80 }, this.time.now())
    return this.run()
  }

  /** Runs until nothing is left to happen. */
  run(): this {
    const { readBytes } = this.options
    for (const host of this.hosts) host.run()
    if (readBytes !== undefined) {
      const slowly = (): void => {
        for (const host of this.hosts) {
          host.read(readBytes)
          host.run()
        }
        if (this.hosts.some((host) => !host.isEnded)) this.time.schedule(this.time.now() + 20_000, slowly)
      }
      this.time.schedule(this.time.now() + 20_000, slowly)
    }
    this.time.runSync({ until: this.time.now() + 3600e6, while: () => this.time.events < 200_000 })
    return this
  }

  /** Everything arrived, once and in order, both ends are closed, nobody saw an error. */
  expectDelivered(): this {
    const { seed, sends } = this.options
    this.hosts.forEach((host, i) => {
      const wanted = stream(seed + (i === 0 ? 2000 : 1000), sends[1 - i])
      const got = Buffer.concat(host.received)
      // A reset in LAST-ACK: the peer has all and has forgotten the connection, but its last acknowledgement was lost [MUST-12].
      const isLateReset = this.hosts[1 - i].isEnded && host.connection?.error?.code === 'ECONNRESET'
      const error = isLateReset ? null : host.connection?.error
      expect([got.length, error], `what host ${i} received`).toEqual([wanted.length, null])
      expect(Buffer.compare(got, wanted), `the octets that host ${i} received`).toBe(0)
      expect(host.isEnded, `host ${i} saw the end`).toBe(true)
      expect(host.connection?.state).toBe('CLOSED')
      expect(host.stack.tcp.connectionCount).toBe(0)
    })
    return this
  }
}
