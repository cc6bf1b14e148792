// What must hold of every packet that a host sends, and of what it keeps.
// Owns: these properties. Does not own: the record's own invariants (src/tcp/invariants.ts), the text that is read (tcp-host.ts).

import { finishChecksum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { IcmpMessage, parseIcmp } from '../../src/ip/icmp.ts'
import { parseIcmpv6 } from '../../src/ip/icmpv6.ts'
import { parseIp } from '../../src/ip/parse.ts'
import type { Packet } from '../../src/link/device.ts'
import { FLAG, parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { checkInvariants } from '../../src/tcp/invariants.ts'
import { isSynchronized } from '../../src/tcp/state.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { parseUdp, UdpHeader } from '../../src/udp/header.ts'
import { violated } from './target.ts'
import { streamText } from './tcp-stream.ts'

/** What is remembered of what a connection has told its peer. */
export interface Told {
  edge: number
  isKnown: boolean
}

/** Most pieces that the windows of these worlds can be cut into. */
const MOST_PIECES = 4096
const icmp = new IcmpMessage()
const udp = new UdpHeader()

/** One sent packet, taken apart and judged. */
export class SentPacket {
  readonly ip = new IpHeader()
  readonly tcp = new SegmentHeader()
  isTcp = false

  /** Takes a packet apart. @throws {Violation} when it is not well-formed */
  read(packet: Packet, mtu: number): void {
    const { ip, tcp } = this
    const { bytes, start, end } = packet
    const verdict = parseIp(bytes, start, end, ip)
    if (verdict !== 'ok') violated(`a sent packet has a bad IP header: ${verdict}`)
    if (ip.totalBytes !== end - start) violated('a sent packet has a wrong length')
    if (end - start > mtu && packet.segmentBytes === 0) violated(`a packet of ${end - start} bytes, MTU ${mtu}`)
    const at = start + ip.headerBytes
    this.isTcp = ip.protocol === PROTOCOL.TCP
    if (ip.isFragment && !this.isTcp) return
    if (ip.protocol === PROTOCOL.UDP) {
      const isRight = parseUdp(bytes, at, end, ip.src, ip.dst, udp)
      if (isRight !== 'ok') violated(`a sent datagram is bad: ${isRight}`)
      return
    }
    if (!this.isTcp) {
      const isRight =
        ip.family === 4
          ? parseIcmp(bytes, at, end, icmp, false)
          : parseIcmpv6(bytes, at, end, ip.src, ip.dst, icmp, false)
      if (isRight !== 'ok') violated(`a sent packet has bad ICMP: ${isRight}`)
      return
    }
    const parsed = parseTcp(bytes, at, end, tcp)
    if (parsed !== 'ok') violated(`a sent segment has a bad header: ${parsed}`)
    if (packet.checksum === 'complete') {
      const pseudo = pseudoHeaderSum(ip.src, ip.dst, PROTOCOL.TCP, end - at)
      if (finishChecksum(sumBytes(bytes, at, end, pseudo)) !== 0) violated('a sent segment has a wrong checksum')
    }
    if (tcp.sourcePort === 0 || tcp.destinationPort === 0) violated('a sent segment has port 0')
    if ((tcp.flags & FLAG.ACK) === 0 && (tcp.flags & (FLAG.SYN | FLAG.RST)) === 0) violated('a segment without ACK')
    if ((tcp.flags & FLAG.ACK) === 0 && tcp.ack !== 0) violated('a number of acknowledgement without ACK')
    if ((tcp.flags & FLAG.URG) === 0 && tcp.urgent !== 0) violated('an urgent pointer without URG')
    if ((tcp.flags & FLAG.SYN) !== 0 && (tcp.flags & (FLAG.RST | FLAG.FIN)) !== 0) violated('SYN with RST or FIN')
    if ((tcp.flags & FLAG.SYN) === 0 && tcp.mss >= 0) violated('an MSS option outside SYN [MUST-65]')
  }

  /** Judges a segment of a connection: its numbers, its text, its window. */
  judge(packet: Packet, tcb: Tcb, told: Told, sender: 0 | 1): void {
    const { tcp } = this
    const isSyn = (tcp.flags & FLAG.SYN) !== 0
    if ((tcp.flags & FLAG.RST) !== 0) return
    const options = tcp.headerBytes - 20
    const most = packet.segmentBytes > 0 ? packet.segmentBytes : tcp.textLength
    if (!isSyn && most > 0 && most + options > Math.max(48, tcb.path.peerMss)) {
      violated(`${most} bytes of text and ${options} of options, but the peer's MSS is ${tcb.path.peerMss}`)
    }
    if (tcp.textLength > 0) this.#judgeText(tcb, sender)
    this.#judgeWindow(tcb, told, isSyn)
  }

  #judgeText(tcb: Tcb, sender: 0 | 1): void {
    const { tcp } = this
    const first = (tcp.flags & FLAG.SYN) !== 0 ? 0 : (tcp.seq - tcb.snd.iss - 1) | 0
    const wanted = streamText(sender, first, tcp.textLength)
    const end = tcp.textStart + tcp.textLength
    const view = Buffer.from(tcp.bytes.buffer, tcp.bytes.byteOffset + tcp.textStart, end - tcp.textStart)
    if (view.compare(wanted) !== 0) violated(`wrong octets at ${first} in ${tcp.textLength} bytes of sent text`)
  }

  /** The right edge never moves left, but for what a unit of the scale rounds away (RFC 7323 §2.4) [SHLD-14]. */
  #judgeWindow(tcb: Tcb, told: Told, isSyn: boolean): void {
    const { tcp } = this
    if ((tcp.flags & FLAG.ACK) === 0) return
    const scale = isSyn ? 0 : tcb.rcv.scale
    const edge = (tcp.ack + tcp.window * 2 ** scale) | 0
    if (told.isKnown && !isSyn) {
      const moved = (edge - told.edge) | 0
      if (moved <= -(1 << scale)) violated(`the right edge of the window moves left by ${-moved}, scale ${scale}`)
      if (moved <= 0) return
    }
    told.edge = edge
    told.isKnown = true
  }
}

/** What a connection keeps is bounded by its settings. */
export function checkRecord(tcb: Tcb): void {
  checkInvariants(tcb)
  const { rcv, snd, config, recovery } = tcb
  if (rcv.outOfOrder.size > config.outOfOrderRanges + 1) violated(`${rcv.outOfOrder.size} pieces out of order`)
  if (rcv.recentRanges.length > 64) violated(`${rcv.recentRanges.length} recent ranges`)
  if (rcv.duplicates.length > 2 * 64) violated(`${rcv.duplicates.length / 2} duplicates to report`)
  if (rcv.acksOwed > 64) violated(`${rcv.acksOwed} acknowledgements owed`)
  if (snd.flight.size > MOST_PIECES) violated(`${snd.flight.size} pieces in flight`)
  const most = 2 * Math.max(config.receiveBufferBytes, config.receiveBufferMaxBytes) + 65536
  if (rcv.buffer.extent > most || rcv.unread > most) violated(`a receive buffer of ${rcv.buffer.extent} bytes`)
  if (!Number.isFinite(tcb.cc.cwnd) || !Number.isFinite(tcb.cc.ssthresh + 1 - tcb.cc.ssthresh || 0)) {
    violated(`cwnd ${tcb.cc.cwnd}, ssthresh ${tcb.cc.ssthresh}`)
  }
  if (!(tcb.rtt.rtoUs > 0)) violated(`an RTO of ${tcb.rtt.rtoUs}`)
  if (isSynchronized(tcb.state) && !(snd.mss >= 1)) violated(`a send MSS of ${snd.mss}`)
  if (!(recovery.dupAcks >= 0)) violated(`${recovery.dupAcks} duplicate acknowledgements`)
}
