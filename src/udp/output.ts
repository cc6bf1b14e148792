// The packets of a UDP socket: one for each datagram, or one for many of them where the device takes that (UDP_SEGMENT, RFC 768).
// Owns: their bytes, whether they may be cut up. Does not own: whether the socket may send (layer.ts), fragments (src/ip/outbound.ts).
// Read first: RFC 8085 §3.2; virtio 1.2 §5.1.6.2 (VIRTIO_NET_HDR_GSO_UDP_L4).

import type { IpAddress } from '../ip/address.ts'
import { PROTOCOL } from '../ip/header.ts'
import type { IpLayer } from '../ip/layer.ts'
import { HEADROOM, type Offload, Packet } from '../link/device.ts'
import { UDP_HEADER_BYTES, UdpHeader, writeUdp } from './header.ts'
import type { UdpSocket } from './socket.ts'

/** Most datagrams of one send (Linux's UDP_MAX_SEGMENTS). */
export const MOST_SEGMENTS = 128

/** Writes datagrams into the queue of one host's IP. */
export class UdpOutput {
  readonly #ip: IpLayer
  readonly #superDatagramBytes: number
  readonly #header = new UdpHeader()

  constructor(ip: IpLayer, { superDatagramBytes = 0 }: Offload) {
    this.#ip = ip
    this.#superDatagramBytes = superDatagramBytes
  }

  /**
   * Queues `data`, a copy, in datagrams of `each` bytes, the last one perhaps shorter; the addresses are of one family.
   * @returns how many datagrams; 0 when there is no room for them
   */
  write(
    socket: UdpSocket,
    data: Uint8Array,
    each: number,
    src: IpAddress,
    remote: IpAddress,
    port: number,
    mode: UdpSocket['pathMtuDiscovery'],
  ): number {
    const ip = this.#ip
    const headers = ip.headerBytes(remote) + UDP_HEADER_BYTES
    const count = data.length > each ? Math.ceil(data.length / each) : 1
    if (!ip.hasRoom(headers * count + data.length)) return 0
    if (ip.isLocal(remote)) ip.enableLoopback()
    const isProbe = mode === 'probe'
    const isWhole = isProbe || headers + Math.min(each, data.length) <= ip.pathMtu(remote)
    // RFC 8085 §3.2: what fits is not to be cut up on its way, so that a router tells where it does not fit.
    const dontFragment = isWhole && mode !== 'dont' && (mode !== 'want' || ip.pathMtus.mayForbidFragments(remote))
    const flow = remote.family === 4 ? 0 : ip.flowLabel(src, remote, PROTOCOL.UDP, socket.port, port)
    const hops = remote.isMulticast ? socket.multicastHopLimit : socket.hopLimit || ip.hopLimitTo(remote)
    // Whoever takes a super-datagram apart numbers its pieces, which is harmless only where none is cut up again (RFC 6864 §4.1).
    const isSuper = count > 1 && dontFragment && headers + data.length <= this.#superDatagramBytes
    const step = isSuper ? data.length : each
    for (let i = 0, from = 0; i < (isSuper ? 1 : count); i++, from += step) {
      const packet = this.#packetOf(
        data.subarray(from, from + step),
        socket.port,
        src,
        remote,
        port,
        isSuper ? each : 0,
      )
      ip.writeHeader(packet, src, remote, PROTOCOL.UDP, hops, 0, dontFragment, flow)
      ip.sendDatagram(packet, isProbe)
    }
    return count
  }

  #packetOf(data: Uint8Array, own: number, src: IpAddress, remote: IpAddress, port: number, each: number): Packet {
    const headers = this.#ip.headerBytes(remote) + UDP_HEADER_BYTES
    const packet = new Packet(new Uint8Array(HEADROOM + headers + data.length))
    packet.end = packet.start + headers + data.length
    packet.bytes.set(data, packet.start + headers)
    if (each > 0) {
      packet.checksum = 'partial'
      packet.transportOffset = headers - UDP_HEADER_BYTES
      packet.payloadOffset = headers
      packet.segmentBytes = each
    }
    const header = this.#header
    header.sourcePort = own
    header.destinationPort = port
    writeUdp(header, packet.bytes, packet.start + headers - UDP_HEADER_BYTES, packet.end, src, remote, each > 0)
    return packet
  }
}
