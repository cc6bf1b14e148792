// A segment taken apart, so that each field can be changed, and put together again with a right checksum (or a wrong one).
// Owns: the record and its bytes. Does not own: how it is changed (tcp-mutate.ts).

import { get16, put16, put32 } from '../../src/base/bytes.ts'
import type { IpAddress } from '../../src/ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp, writeIp } from '../../src/ip/parse.ts'
import type { Packet } from '../../src/link/device.ts'
import { FLAG, parseTcp, SegmentHeader, TCP_HEADER_BYTES } from '../../src/tcp/header.ts'
import { signSegment } from '../../src/tcp/md5.ts'

const ip = new IpHeader()

/** A segment that is being forged. */
export class Draft {
  readonly header = new SegmentHeader()
  sourcePort = 0
  destinationPort = 0
  flags = 0
  seq = 0
  ack = 0
  window = 0
  urgent = 0
  textLength = 0
  /** Options as they will stand in the header, padded to four bytes when written. */
  readonly options = new Uint8Array(64)
  optionBytes = 0
  trafficClass = 0
  /** Damage: what the data offset says too much, bytes cut from the end of the packet, a wrong checksum, no honest text. */
  offsetError = 0
  cutBytes = 0
  isChecksumWrong = false
  isPoisoned = false

  /** An empty acknowledgement. */
  clear(): void {
    this.flags = FLAG.ACK
    this.seq = this.ack = 0
    this.window = 1000
    this.urgent = this.textLength = this.optionBytes = this.trafficClass = 0
    this.heal()
  }

  /** No damage. */
  heal(): void {
    this.offsetError = this.cutBytes = 0
    this.isChecksumWrong = this.isPoisoned = false
  }

  /** Takes over a packet; false when it is not TCP. */
  read(packet: Packet): boolean {
    if (parseIp(packet.bytes, packet.start, packet.end, ip) !== 'ok' || ip.protocol !== PROTOCOL.TCP) return false
    const { header } = this
    const at = packet.start + ip.headerBytes
    if (parseTcp(packet.bytes, at, packet.end, header) !== 'ok') return false
    this.sourcePort = header.sourcePort
    this.destinationPort = header.destinationPort
    this.flags = header.flags
    this.seq = header.seq
    this.ack = header.ack
    this.window = header.window
    this.urgent = header.urgent
    this.textLength = header.textLength
    this.trafficClass = ip.trafficClass
    this.optionBytes = header.headerBytes - TCP_HEADER_BYTES
    this.options.set(packet.bytes.subarray(at + TCP_HEADER_BYTES, at + header.headerBytes))
    this.heal()
    return true
  }

  /** Adds an option of these bytes, if there is room. */
  addOption(kind: number, ...body: readonly number[]): void {
    if (this.optionBytes + body.length + 2 > 40) return
    this.options[this.optionBytes++] = kind
    this.options[this.optionBytes++] = body.length + 2
    for (const byte of body) this.options[this.optionBytes++] = byte
  }

  /** Where an option of that kind stands in `options`, -1 when there is none. */
  findOption(kind: number): number {
    for (let at = 0; at < this.optionBytes; ) {
      if (this.options[at] === kind) return at
      at += this.options[at] <= 1 ? 1 : Math.max(2, this.options[at + 1])
    }
    return -1
  }

  /** Puts the segment into `packet`; `text` has at least `textLength` octets. */
  write(packet: Packet, src: IpAddress, dst: IpAddress, text: Uint8Array, md5Key: Uint8Array | null): void {
    const { options } = this
    while (this.optionBytes % 4 !== 0) options[this.optionBytes++] = 1
    const headerBytes = TCP_HEADER_BYTES + this.optionBytes
    const ipBytes = dst.family === 4 ? 20 : 40
    packet.end = packet.start + ipBytes + headerBytes + this.textLength
    packet.checksum = 'complete'
    packet.segmentBytes = 0
    const { bytes } = packet
    const at = packet.start + ipBytes
    put16(bytes, at, this.sourcePort)
    put16(bytes, at + 2, this.destinationPort)
    put32(bytes, at + 4, this.seq)
    put32(bytes, at + 8, this.ack)
    bytes[at + 12] = (((headerBytes >> 2) + this.offsetError) << 4) | ((this.flags >> 8) & 1)
    bytes[at + 13] = this.flags
    put16(bytes, at + 14, this.window)
    put16(bytes, at + 16, 0)
    put16(bytes, at + 18, this.urgent)
    for (let i = 0; i < this.optionBytes; i++) bytes[at + TCP_HEADER_BYTES + i] = options[i]
    bytes.set(text.subarray(0, this.textLength), at + headerBytes)
    packet.end = Math.max(packet.start + ipBytes + 4, packet.end - this.cutBytes)
    const isSigned = md5Key !== null && this.cutBytes === 0 && get16(options, 0) === 0x0101 && options[2] === 19
    if (isSigned) signSegment(bytes, at, at + headerBytes, packet.end, src, dst, md5Key)
    ip.family = dst.family
    ip.src.assign(src)
    ip.dst.assign(dst)
    ip.protocol = PROTOCOL.TCP
    ip.hopLimit = 64
    ip.trafficClass = this.trafficClass
    ip.dontFragment = true
    ip.identification = 0
    ip.flowLabel = 0
    ip.totalBytes = packet.end - packet.start
    writeIp(ip, bytes, packet.start)
    if (packet.end < at + TCP_HEADER_BYTES) return
    const sum = pseudoHeaderSum(src, dst, PROTOCOL.TCP, packet.end - at)
    put16(bytes, at + 16, finishChecksum(sumBytes(bytes, at, packet.end, sum)) ^ (this.isChecksumWrong ? 0x55 : 0))
  }
}
