// What an Ethernet interface needs to know of the IP host above it, and may change there.
// Owns: the contract, which IpLayer fulfils; what the interface tells. Does not own: addresses and routes (src/ip).

import type { Micros } from '../base/time.ts'
import type { InterfaceAddress, IpAddress } from '../ip/address.ts'
import type { Route } from '../ip/routes.ts'
import { formatMac, type Mac } from './mac.ts'
import type { LinkParameters } from './neighbour-discovery.ts'

/** The addresses and routes of a host; `stack.ip` and `host.stack.ip` are one. */
export interface IpConfig {
  /** A new array after every change. */
  readonly addresses: readonly InterfaceAddress[]
  readonly routes: {
    add(route: Route): void
    remove(route: Route): boolean
    removeWhere(isGone: (route: Route) => boolean): number
    hasGateway(address: IpAddress): boolean
    setDead(gateway: IpAddress, isDead: boolean): void
  }
  /** Sets who is told when a group is joined by the first, and left by the last. */
  onGroup(listener: ((group: IpAddress, isJoined: boolean) => void) | null): void
  isLocal(address: IpAddress): boolean
  isBroadcast(address: IpAddress): boolean
  sourceFor(address: IpAddress): IpAddress | null
  /** Whose Ethernet address a packet to `dst` needs; null: there is no route. */
  nextHop(dst: IpAddress): IpAddress | null
  addAddress(entry: InterfaceAddress): void
  removeAddress(address: IpAddress): boolean
  /** A router says what the link takes and how far packets should go; 0: it does not say. */
  setAdvertised(mtu: number, hopLimit: number): boolean
  /** When a transport last made progress by a neighbour; null: nobody knows. */
  readonly progressVia: ((neighbour: IpAddress) => Micros) | null
  readonly icmp: {
    countIn(family: 4 | 6, type: number): void
    countOut(family: 4 | 6, type: number): void
    countError(family: 4 | 6, isChecksum: boolean): void
  }
}

/** What has happened to the interface's addresses. */
export type EthernetEvent =
  /** An address may be used from now on, or has become deprecated. */
  | { readonly type: 'address'; readonly entry: InterfaceAddress }
  | { readonly type: 'address-gone'; readonly address: IpAddress }
  /** Somebody else has an address of ours. `isLost`: so it is ours no longer. */
  | { readonly type: 'conflict'; readonly address: IpAddress; readonly mac: Mac; readonly isLost: boolean }
  | { readonly type: 'router'; readonly address: IpAddress; readonly isDefault: boolean }
  | { readonly type: 'link'; readonly parameters: LinkParameters }

/** An event in one line. */
export function formatEthernetEvent(event: EthernetEvent): string {
  switch (event.type) {
    case 'address': {
      const { address, prefixLength, isDeprecated } = event.entry
      return `address ${address}/${prefixLength}${isDeprecated === true ? ' deprecated' : ''}`
    }
    case 'address-gone':
      return `address ${event.address} is gone`
    case 'conflict': {
      const who = event.mac < 0 ? 'somebody' : formatMac(event.mac)
      return `${who} has ${event.address} too${event.isLost ? '; given up' : ''}`
    }
    case 'router':
      return `router ${event.address}${event.isDefault ? '' : ' is one no longer'}`
    default: {
      const { dnsServers, mtu } = event.parameters
      return `link: mtu ${mtu === 0 ? 'as it is' : mtu}, DNS ${dnsServers.join(' ') || 'none'}`
    }
  }
}
