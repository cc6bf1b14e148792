// The public face of the IP floor (`tunstack/ip`): addresses, checksums, codecs, routes and a host's IP layer.
// Owns: nothing but the list.

export * from './address.ts'
export { finishChecksum, foldSum, pseudoHeaderSum, sumBytes } from './checksum.ts'
export { CONTROL_QUEUE_PACKETS, type EchoError, type EchoReply, type TransportError } from './control.ts'
export * from './drops.ts'
export { type FragmentLimits, Reassembler } from './fragments.ts'
export * from './header.ts'
export {
  formatIcmp,
  ICMP,
  ICMP_HEADER_BYTES,
  type IcmpErrorKind,
  type IcmpKind,
  IcmpMessage,
  parseIcmp,
  UNREACHABLE,
  writeIcmp,
} from './icmp.ts'
export * from './icmpv6.ts'
export * from './ipv4.ts'
export * from './ipv6.ts'
export * from './layer.ts'
export type { NeighbourEntry, NeighbourSource } from './neighbours.ts'
export * from './parse.ts'
export * from './policy.ts'
export * from './routes.ts'
export { selectSource } from './source-address.ts'
export { TokenBucket } from './token-bucket.ts'
export { type TransitCounters, type TransitProblem, transitCounters } from './transit.ts'
