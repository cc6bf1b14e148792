// The public face of the Ethernet floor (`tunstack/ethernet`): frames, ARP, neighbour discovery, interfaces, switches.
// Owns: nothing but the list.

export { Arp, type ArpHost } from './arp.ts'
export { ARP_BYTES, ARP_OPERATION, ArpPacket, formatArp, parseArp, writeArp } from './arp-packet.ts'
export { type AddressState, type AutoAddress, Autoconfiguration } from './autoconfiguration.ts'
export { Claims, type Defence } from './claims.ts'
export { EthernetDevice, type EthernetOptions } from './device.ts'
export * from './frame.ts'
export { type EthernetEvent, formatEthernetEvent, type IpConfig } from './ip-config.ts'
export * from './mac.ts'
export { isNdType, ND_TYPE, NdMessage, parseNd, writeNd, writeRouterAdvertisement } from './nd-message.ts'
export {
  NEIGHBOUR_LIMITS,
  Neighbour,
  NeighbourCache,
  type NeighbourLimits,
  type NeighbourState,
} from './neighbour-cache.ts'
export { type LinkParameters, NeighbourDiscovery } from './neighbour-discovery.ts'
export { type FramePairOptions, memoryFramePair } from './pair.ts'
export { ETHERNET_DROP_REASONS, type EthernetDropReason, EthernetDrops } from './reasons.ts'
export { type PortOptions, type SwitchCounters, type SwitchPort, VirtualSwitch } from './switch.ts'
