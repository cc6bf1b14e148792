// From a planned segment to a packet: header, text gathered from the send buffer, signature, checksum, IP header.
// Owns: the layout of an outgoing packet, checksum offload. Does not own: what is sent (output.ts), the IP header (src/ip).

import { put16 } from '../base/bytes.ts'
import type { IpAddress } from '../ip/address.ts'
import { finishChecksum, foldSum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import { PROTOCOL } from '../ip/header.ts'
import type { IpLayer } from '../ip/layer.ts'
import { HEADROOM, type Offload, type Packet } from '../link/device.ts'
import type { Answer } from './answers.ts'
import { type SegmentPlan, TCP_HEADER_MAX, writeTcp } from './header.ts'
import { signSegment } from './md5.ts'
import type { Tcb } from './tcb.ts'

const CHECKSUM_AT = 16
/** Shorter text is copied: that costs less than a second piece in the system call (measured, npm run bench). */
const LEAST_GATHERED = 4096

/** Writes segments into packets for one device. */
export class SegmentWriter {
  readonly #ip: IpLayer
  readonly #offload: Offload
  readonly #gathers: boolean

  constructor(ip: IpLayer, offload: Offload) {
    this.#ip = ip
    this.#offload = offload
    this.#gathers = offload.gather === true && offload.checksum
  }

  /** The most text in one packet of that connection; 0 when the device takes no super-segments, or cannot sign what it cuts. */
  superSegment(tcb: Tcb): number {
    const { superSegmentBytes } = this.#offload
    if (superSegmentBytes === 0 || tcb.md5Key !== null) return 0
    return superSegmentBytes - this.#ip.headerBytes(tcb.remote) - TCP_HEADER_MAX
  }

  /** Writes a segment of a connection. */
  write(tcb: Tcb, plan: SegmentPlan, packet: Packet): void {
    const at = HEADROOM + this.#ip.headerBytes(tcb.remote)
    const textAt = at + writeTcp(plan, packet.bytes, at)
    const place = this.#gathers && plan.textLength >= LEAST_GATHERED ? placeOfText(tcb, plan) : -1
    if (place >= 0) {
      packet.tail = tcb.snd.buffer.memory
      packet.tailStart = place
      packet.tailEnd = place + plan.textLength
    } else if (plan.textOffset >= 0) tcb.snd.buffer.copy(plan.textOffset, packet.bytes, textAt, plan.textLength)
    else packet.bytes.fill(0, textAt, textAt + plan.textLength)
    const { hopLimit, trafficClass } = tcb.config
    // [MUST-48] [SHLD-22]: Diffserv is the application's, as it is set now [SHLD-21]; ECN is TCP's.
    this.#finish(packet, plan, tcb.local, tcb.remote, at, textAt, hopLimit, (trafficClass & 0xfc) | plan.ecn)
  }

  /** Writes a segment without a connection. */
  writeAnswer(answer: Answer, packet: Packet): void {
    const { plan, local, remote, hopLimit, trafficClass } = answer
    const at = HEADROOM + this.#ip.headerBytes(remote)
    const textAt = at + writeTcp(plan, packet.bytes, at)
    this.#finish(packet, plan, local, remote, at, textAt, hopLimit, trafficClass)
  }

  /** Checksum [MUST-2], which a device with offload finishes, and IP header: always from the connection's own address [MUST-45]. */
  #finish(
    packet: Packet,
    plan: SegmentPlan,
    local: IpAddress,
    remote: IpAddress,
    at: number,
    textAt: number,
    hopLimit: number,
    trafficClass: number,
  ): void {
    const end = textAt + plan.textLength
    packet.start = HEADROOM
    packet.end = packet.tailEnd > 0 ? textAt : end
    packet.segmentBytes = plan.segmentBytes
    packet.transportOffset = at - HEADROOM
    packet.payloadOffset = textAt - HEADROOM
    if (plan.md5Key !== null) signSegment(packet.bytes, at, textAt, end, local, remote, plan.md5Key)
    const pseudo = pseudoHeaderSum(local, remote, PROTOCOL.TCP, end - at)
    if (this.#offload.checksum) {
      packet.checksum = 'partial'
      put16(packet.bytes, at + CHECKSUM_AT, foldSum(pseudo))
    } else {
      packet.checksum = 'complete'
      put16(packet.bytes, at + CHECKSUM_AT, finishChecksum(sumBytes(packet.bytes, at, end, pseudo)))
    }
    const ip = this.#ip
    const { sourcePort, destinationPort } = plan
    const flow = remote.family === 4 ? 0 : ip.flowLabel(local, remote, PROTOCOL.TCP, sourcePort, destinationPort)
    const hops = ip.hopLimitTo(remote, hopLimit)
    ip.writeHeader(packet, local, remote, PROTOCOL.TCP, hops, trafficClass, true, flow)
  }
}

/** Where text lies that need not be copied, -1 when it has to be: it lies in two pieces, or there is none (a garbage octet). */
function placeOfText({ snd, md5Key }: Tcb, { textOffset, textLength }: SegmentPlan): number {
  return textOffset < 0 || md5Key !== null ? -1 : snd.buffer.placeOf(textOffset, textLength)
}
