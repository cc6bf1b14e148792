// Everything that a host counts, by the names that Linux's nstat has for it: Ip* of IPv4, Ip6* of IPv6.
// Owns: the names of IP's, in one record with all others. Does not own: the counting (src/ip, src/stack/router.ts), other protocols' names.
// Read first: RFC 4293 §3.2 (ipSystemStatsTable).

import type { IpCounters } from '../ip/layer.ts'
import { type TransitCounters, transitCounters } from '../ip/transit.ts'
import type { PacketDevice } from '../link/device.ts'
import type { Host } from '../net/index.ts'
import { Router } from '../stack/router.ts'

/** All counters by nstat's names, those of IP and of forwarding among them. */
export function counterRecord(host: Host, device: PacketDevice): Record<string, number> {
  const { ip, tcp, udp, drops } = host.stack
  const { counters, countersV6 } = ip
  const transit = device instanceof Router ? device.transit : transitCounters()
  const transitV6 = device instanceof Router ? device.transitV6 : transit
  return {
    ...familyRecord('Ip', without(counters, countersV6), without(transit, transitV6)),
    ...familyRecord('Ip6', countersV6, transitV6),
    // Of both families: what was given up is forgotten with its family.
    IpReasmFails: drops.get('ip-fragment-timeout') + drops.get('ip-fragment-evicted'),
    ...ip.icmp.toJSON(),
    ...udp.counters,
    ...tcp.counters,
  }
}

function familyRecord(prefix: 'Ip' | 'Ip6', counters: IpCounters, transit: TransitCounters): Record<string, number> {
  const { forwarded, hopLimit, noRoute, tooBig, martian, dropped, fragmented, pieces } = transit
  const record = {
    InReceives: counters.received + forwarded + hopLimit + noRoute + tooBig + martian + dropped,
    InHdrErrors: counters.headerErrors + hopLimit,
    InAddrErrors: counters.addressErrors + martian,
    [prefix === 'Ip' ? 'ForwDatagrams' : 'OutForwDatagrams']: forwarded,
    InUnknownProtos: counters.unknownProtocols,
    InDelivers: counters.delivered,
    OutRequests: counters.sent,
    OutNoRoutes: noRoute,
    OutDiscards: dropped,
    ReasmReqds: counters.fragmentsKept + counters.reassembled,
    ReasmOKs: counters.reassembled,
    FragOKs: fragmented,
    FragFails: tooBig,
    FragCreates: pieces,
  }
  return Object.fromEntries(Object.entries(record).map(([name, count]) => [prefix + name, count]))
}

function without<T extends object>(all: T, some: T): T {
  const rest = { ...all }
  for (const name of Object.keys(rest) as (keyof T)[])
    rest[name] = (Number(rest[name]) - Number(some[name])) as T[keyof T]
  return rest
}
