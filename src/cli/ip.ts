// `tunstack ip addr|route|neigh|link`: addresses, routes, neighbours and interfaces of a running instance, in the words of Linux's ip.
// Owns: the command, the lines. Does not own: asking (control-client.ts), what is told (control-answers.ts).

import { Command, Option } from 'commander'
import type { AddressRecord, LinkRecord, NeighbourRecord, RouteRecord } from './control-answers.ts'
import { ask } from './control-client.ts'
import { EXIT, usageError } from './errors.ts'
import { runCommand } from './lifecycle.ts'
import type { RawOptions } from './options.ts'
import { print } from './print.ts'
import { instanceOption } from './ss.ts'

/** What can be shown, by the names that may be cut short. */
const OBJECTS = ['address', 'route', 'neighbour', 'link'] as const
type Shown = (typeof OBJECTS)[number]

/** The command `ip`. */
export function ipCommand(): Command {
  const command = new Command('ip')
    .summary('show addresses, routes, neighbours and interfaces of a running tunstack')
    .description("Shows what a running instance calls its own, in the words of Linux's ip.")
    .argument('<object>', 'addr, route, neigh or link')
    .argument('[show]', "the word 'show' may follow")
    .addOption(new Option('-s, --statistics', 'link: with counters'))
    .addOption(new Option('-4', 'IPv4 only').conflicts('6'))
    .addOption(new Option('-6', 'IPv6 only'))
    .addOption(new Option('-j, --json', 'as JSON'))
    .addOption(instanceOption())
  command.addHelpText(
    'after',
    '\nExamples:\n  sudo tunstack ip addr\n  sudo tunstack ip -6 route\n  sudo tunstack ip -s link',
  )
  return command.action(async (object: string, verb: string | undefined, raw: RawOptions) => {
    const shown = OBJECTS.find((name) => name.startsWith(object) || (name === 'neighbour' && object === 'neighbor'))
    if (shown === undefined) throw usageError(`ip does not know '${object}'`, 'known: addr, route, neigh, link')
    if (verb !== undefined && !['show', 'list', 'ls'].includes(verb)) {
      throw usageError(
        `ip ${object} ${verb}: things are only shown here`,
        'a program changes them: see Host.addAddress',
      )
    }
    await runCommand(() => show(shown, raw))
  })
}

async function show(object: Shown, raw: RawOptions): Promise<number> {
  const name = raw.instance as string | undefined
  const isShown = ({ family }: { readonly family: 4 | 6 }): boolean =>
    raw['4'] === true
      ? family === 4
      : raw['6'] === true
        ? family === 6
        : object !== 'route' || raw.json === true || family === 4
  const links = await ask<LinkRecord[]>(name, 'links')
  let records: readonly object[] = links
  let lines: string[] = []
  if (object === 'link') lines = links.flatMap((link, i) => linkLines(link, i + 1, raw.statistics === true))
  else if (object === 'address') {
    const addresses = (await ask<AddressRecord[]>(name, 'addresses')).filter(isShown)
    records = addresses
    lines = links.flatMap((link, i) => [
      linkLines(link, i + 1, false)[0],
      ...addresses.filter(({ device }) => device === link.name).map(addressLine),
    ])
  } else if (object === 'route') {
    const routes = (await ask<RouteRecord[]>(name, 'routes')).filter(isShown)
    records = routes
    lines = routes.toReversed().map(routeLine)
  } else {
    const neighbours = (await ask<NeighbourRecord[]>(name, 'neighbours')).filter(isShown)
    records = neighbours
    lines = neighbours.map(neighbourLine)
  }
  if (raw.json === true) print(JSON.stringify(records))
  else for (const line of lines) print(line)
  return EXIT.ok
}

/** As `ip link`, with `-s` the counters below. */
export function linkLines({ name, mtu, counters }: LinkRecord, index: number, withCounters: boolean): string[] {
  const lines = [`${index}: ${name}: <UP,LOWER_UP> mtu ${mtu} state UP`]
  if (!withCounters) return lines
  const { rxBytes, rxPackets, rxDropped, txBytes, txPackets, txDropped } = counters
  const row = (...values: readonly (string | number)[]): string =>
    `    ${values.map((value, i) => String(value).padStart([10, 8, 6, 7][i])).join(' ')}`
  lines.push('    RX:  bytes  packets errors dropped', row(rxBytes, rxPackets, 0, rxDropped))
  lines.push('    TX:  bytes  packets errors dropped', row(txBytes, txPackets, 0, txDropped))
  return lines
}

/** As `ip addr`. */
export function addressLine({ address, family, prefixLength, device, isDeprecated }: AddressRecord): string {
  const scope = /^(169\.254\.|fe[89ab])/.test(address) ? 'link' : 'global'
  const word = family === 4 ? 'inet' : 'inet6'
  return `    ${word} ${address}/${prefixLength} scope ${scope}${isDeprecated ? ' deprecated' : ''} ${device}`
}

/** As `ip route`. */
export function routeLine(route: RouteRecord): string {
  const { destination, prefixLength, family, gateway, source, metric, device, isConnected } = route
  const isHost = prefixLength === (family === 4 ? 32 : 128)
  const to = prefixLength === 0 ? 'default' : isHost ? destination : `${destination}/${prefixLength}`
  const parts = [to]
  if (gateway !== null) parts.push(`via ${gateway}`)
  parts.push(`dev ${device}`)
  if (isConnected) parts.push('proto kernel')
  if (gateway === null) parts.push('scope link')
  if (source !== null) parts.push(`src ${source}`)
  if (metric > 0) parts.push(`metric ${metric}`)
  return parts.join(' ')
}

/** As `ip neigh`. */
export function neighbourLine({ address, linkAddress, state, isRouter, device }: NeighbourRecord): string {
  const mac = linkAddress === null ? '' : ` lladdr ${linkAddress}`
  return `${address} dev ${device}${mac}${isRouter ? ' router' : ''} ${state}`
}
