// Hosts, neighbours and routers of IPv6 that a test plays by hand.

import {
  type EthernetOptions,
  ND_TYPE,
  NdMessage,
  writeNd,
  writeRouterAdvertisement,
} from '../../src/ethernet/index.ts'
import type { PrefixInformation } from '../../src/ethernet/nd-message.ts'
import type { Packet } from '../../src/link/device.ts'
import { icmpv6Frame, ip, Lan, mac } from './helpers.ts'

export const MINE = '02:00:00:00:00:01'
export const PEER = '02:00:00:00:00:99'
export const EVIL = '02:00:00:00:06:66'
export const ALL = '33:33:00:00:00:01'
export const LINK_LOCAL = 'fe80::ff:fe00:1'
export const SLAAC = '2001:db8::ff:fe00:1'

export function scene(options: Partial<EthernetOptions> = {}, addresses = ['fd00::1/64'], quietS = 10) {
  const lan = new Lan()
  const station = lan.station(addresses, options)
  const peer = lan.tap()
  lan.run(quietS)
  if (quietS > 0) lan.said()
  peer.heard.length = 0
  const datagram = (to = 'fd00::9'): void => {
    const socket = station.host.createSocket('udp6')
    socket.send('x', 7, to, () => socket.close())
    lan.run(0)
  }
  return { lan, station, peer, datagram, drops: station.ethernet.drops }
}

export interface Said {
  readonly target: string
  readonly from?: string
  readonly to?: [string, string]
  readonly who?: string
  readonly flags?: string
  readonly hopLimit?: number
  readonly saysMac?: boolean
}

export function solicit({ target, from = 'fd00::9', to, who = PEER, hopLimit, saysMac = true }: Said): Packet {
  const message = new NdMessage()
  message.type = ND_TYPE.neighbourSolicitation
  message.target.assign(ip(target))
  if (saysMac && from !== '::') message.sourceMac = mac(who)
  const low = ip(target).w3 & 0xffffff
  const group = `33:33:ff:${low
    .toString(16)
    .padStart(6, '0')
    .replace(/(..)(?!$)/g, '$1:')}`
  const name = `ff02::1:ff${(low >>> 16).toString(16).padStart(2, '0')}:${(low & 0xffff).toString(16)}`
  return icmpv6Frame([who, from], to ?? [group, name], (b, at, s, d) => writeNd(message, b, at, s, d), hopLimit)
}

export function advertise({
  target,
  from = target,
  to = [MINE, 'fd00::1'],
  who = PEER,
  flags = 'SO',
  hopLimit,
}: Said): Packet {
  const message = new NdMessage()
  message.type = ND_TYPE.neighbourAdvertisement
  message.target.assign(ip(target))
  message.targetMac = mac(who)
  message.isRouter = flags.includes('R')
  message.isSolicited = flags.includes('S')
  message.isOverride = flags.includes('O')
  return icmpv6Frame([who, from], to, (b, at, s, d) => writeNd(message, b, at, s, d), hopLimit)
}

export function router(
  fields: Partial<Pick<NdMessage, 'lifetimeS' | 'mtu' | 'reachableMs' | 'retransMs' | 'hopLimit' | 'sourceMac'>> = {},
  prefixes: Partial<PrefixInformation>[] = [{}],
  from = 'fe80::99',
  hopLimit = 255,
): Packet {
  const message = Object.assign(new NdMessage(), { lifetimeS: 1800, hopLimit: 64, sourceMac: mac(PEER), ...fields })
  message.prefixes = prefixes.map((prefix) => ({
    prefix: ip('2001:db8::'),
    prefixLength: 64,
    isOnLink: true,
    isAutonomous: true,
    validS: 86_400,
    preferredS: 14_400,
    ...prefix,
  }))
  return icmpv6Frame(
    [PEER, from],
    [ALL, 'ff02::1'],
    (b, at, s, d) => writeRouterAdvertisement(message, b, at, s, d),
    hopLimit,
  )
}
