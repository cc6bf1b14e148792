// What the control protocols tell others, and what they use of their host.
// Owns: these records. Does not own: when they are made (control.ts).

import type { Packet } from '../link/device.ts'
import type { IpAddress } from './address.ts'
import type { DropCounters } from './drops.ts'
import type { IcmpErrorKind } from './icmp.ts'
import type { IcmpCounters } from './icmp-counters.ts'
import type { Outbound } from './outbound.ts'
import type { PathMtus } from './path-mtus.ts'

/** An ICMP error about a packet of ours. Anyone may have made it up: `sequence` lets TCP check (RFC 5927 §4.1). */
export interface TransportError {
  readonly kind: IcmpErrorKind
  readonly type: number
  readonly code: number
  /** Packet too big: the MTU of the next hop, 0 when not said (RFC 1191 §5), otherwise 0. Not bounded here. */
  readonly mtu: number
  /** Who says so: a router, or the destination. */
  readonly reporter: IpAddress
  /** Of the quoted packet: its length in bytes by its own header, which anyone may have made up. */
  readonly packetBytes: number
  /** Of the quoted packet: TCP or UDP. */
  readonly protocol: number
  /** Of the quoted packet: our own address. */
  readonly src: IpAddress
  /** Of the quoted packet: the peer's address. */
  readonly dst: IpAddress
  readonly sourcePort: number
  readonly destinationPort: number
  /** Of the quoted TCP header, int32; meaningless for UDP. */
  readonly sequence: number
}

/** An ICMP error about an echo request of ours. */
export interface EchoError {
  readonly kind: IcmpErrorKind
  readonly type: number
  readonly code: number
  /** Packet too big: the MTU of the next hop, otherwise 0. */
  readonly mtu: number
  /** Who says so: a router, or the destination. */
  readonly reporter: IpAddress
  /** Of the request. */
  readonly dst: IpAddress
  readonly identifier: number
  readonly sequence: number
}

/** An echo reply. */
export interface EchoReply {
  readonly src: IpAddress
  readonly identifier: number
  readonly sequence: number
  readonly hopLimit: number
  /** A copy of the data; the caller's. */
  readonly payload: Uint8Array
}

/** What the control plane uses of the IP floor that it belongs to: see IpLayer. */
export interface ControlHost {
  readonly mtu: number
  readonly drops: DropCounters
  readonly pathMtus: PathMtus
  readonly icmp: IcmpCounters
  readonly counters: {
    echoRequests: number
    echoReplies: number
    errorsReceived: number
    errorsSent: number
    errorsLimited: number
  }
  readonly onTransportError: ((error: TransportError) => void) | null
  readonly onEchoReply: ((reply: EchoReply) => void) | null
  readonly onEchoError: ((error: EchoError) => void) | null
  isLocal(address: IpAddress): boolean
  sourceFor(dst: IpAddress): IpAddress | null
  headerBytes(dst: IpAddress): number
  mtuTo(dst: IpAddress): number
  hopLimitTo(dst: IpAddress): number
  enableLoopback(): void
  queueControl(queue: Outbound, packet: Packet): void
  writeHeader(
    packet: Packet,
    src: IpAddress,
    dst: IpAddress,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    dontFragment: boolean,
  ): void
}
