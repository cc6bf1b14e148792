// A host on Ethernet: TAP device -> capture of frames -> Ethernet interface, for the commands' --tap.
// Owns: its options, the device, what is said about addresses. Does not own: the host (open-host.ts), ARP and the rest (src/ethernet).
//
//   kernel or bridge <-> TAP <-> capture (--pcap) <-> EthernetDevice <-> impair <-> trace <-> host

import { type Command, Option } from 'commander'
import type { Scheduler } from '../base/time.ts'
import { EthernetDevice, formatEthernetEvent, formatMac, type Mac, NO_MAC, parseMac } from '../ethernet/index.ts'
import { IpAddress } from '../ip/address.ts'
import { capture, type PacketObserver } from '../link/capture.ts'
import type { TunDevice } from '../link/tun.ts'
import type { Host } from '../net/index.ts'
import { systemRandom } from '../net/index.ts'
import { usageError } from './errors.ts'
import { listOption, valueOption } from './read-options.ts'

/** What the command line says of Ethernet. */
export interface EthernetSettings {
  /** Null: a random address. */
  readonly mac: Mac | null
  /** Whether routers are asked for IPv6 addresses. */
  readonly slaac: boolean
  readonly gateways: readonly IpAddress[]
  /** Whether the kernel gets no address: the TAP is for a bridge. */
  readonly isBare: boolean
}

/** Adds the options of a host on Ethernet. */
export function addEthernetOptions(command: Command): void {
  const options = [
    new Option('--tap', 'Ethernet over a TAP device instead of IP over a TUN device; its name is that of --tun'),
    valueOption('--mac <address>', 'our Ethernet address (default: a random one)', parseMac),
    new Option('--slaac', 'take IPv6 addresses and routes from routers'),
    listOption('--gateway <address>', 'the router of all other networks; one for each family', IpAddress.parse),
    new Option('--bare', 'give the kernel no address: the TAP is for a bridge'),
  ]
  for (const option of options) command.addOption(option.helpGroup('Ethernet:'))
}

/** Reads them; null without --tap. @throws {CliError} for an option that needs --tap */
export function ethernetSettings(raw: Readonly<Record<string, unknown>>): EthernetSettings | null {
  const gateways = (raw.gateway as readonly IpAddress[] | undefined) ?? []
  if (raw.tap !== true) {
    for (const name of ['mac', 'slaac', 'gateway', 'bare']) {
      if (raw[name] !== undefined) throw usageError(`--${name} needs --tap: without it there is no Ethernet`)
    }
    return null
  }
  return { mac: (raw.mac as Mac | undefined) ?? null, slaac: raw.slaac === true, gateways, isBare: raw.bare === true }
}

/** An interface on an open TAP, whose frames `onFrame` sees. */
export function ethernetOn(
  tap: TunDevice,
  settings: EthernetSettings,
  scheduler: Scheduler,
  info: (line: string) => void,
  onFrame: PacketObserver | null,
): EthernetDevice {
  const frames = onFrame === null ? tap : capture(tap, { scheduler, onPacket: onFrame })
  const { mac, slaac } = settings
  return new EthernetDevice(frames, {
    scheduler,
    random: systemRandom(),
    slaac,
    ...(mac === null ? {} : { mac }),
    onEvent: (event) => {
      if (event.type !== 'link') info(formatEthernetEvent(event))
    },
  })
}

/** Ties the interface to its host, sets the routes, and says which Ethernet address it has. */
export function joinHost(
  ethernet: EthernetDevice,
  host: Host,
  settings: { readonly ethernet: EthernetSettings | null },
  info: (line: string) => void,
): void {
  ethernet.attach(host.stack.ip)
  host.stack.neighbours = {
    neighbours: () =>
      ethernet.neighbours.map(({ address, mac, state, isRouter }) => ({
        address,
        linkAddress: mac === NO_MAC ? null : formatMac(mac),
        state,
        isRouter,
      })),
  }
  for (const gateway of settings.ethernet?.gateways ?? []) {
    const destination = gateway.family === 4 ? new IpAddress(0, 0, 0xffff, 0) : new IpAddress()
    host.stack.ip.routes.add({ destination, prefixLength: 0, gateway })
  }
  info(`${formatMac(ethernet.mac)} on ${ethernet.name}`)
}
