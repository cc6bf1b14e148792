// Link-local addresses with the interface they are on: `fe80::1%tun0` (RFC 4007 §11.2).
// Owns: taking the text apart, whether a host has that interface. Does not own: addresses (src/ip/address.ts).
// A host has one interface, or a router's ports: the zone only has to be one of them. Which port a packet leaves by follows from its
// source address.

import type { PacketDevice } from '../link/device.ts'
import { Router } from '../stack/index.ts'

/** `fe80::1%tun0` as its two parts; the zone is null when there is none, or when the address needs none. */
export function splitZone(text: string): { readonly address: string; readonly zone: string | null } {
  const at = text.indexOf('%')
  if (at < 0 || !/^(fe[89ab][0-9a-f]|ff[0-9a-f][12]):/i.test(text)) return { address: text, zone: null }
  return { address: text.slice(0, at), zone: text.slice(at + 1) }
}

/** Whether the zone in an address is an interface of that device, by its name or its number from 1 on. Without a zone it is. */
export function hasZoneOf(device: PacketDevice, text: string): boolean {
  const { zone } = splitZone(text)
  if (zone === null) return true
  const names = device instanceof Router ? device.ports.map(({ name }) => name) : [device.name]
  return names.includes(zone) || (/^[1-9][0-9]{0,3}$/.test(zone) && Number(zone) <= names.length)
}
