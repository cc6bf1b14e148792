// `tunstack dhcp`: an address by DHCP for a host of ours on a TAP, or a DHCP server there.
// Owns: the command and its words. Does not own: the client and the server (src/net/dhcp*.ts), the file of leases (lease-file.ts).
// Exit status: 0 with a lease or a server that ran, 1 without.

import { Command, Option } from 'commander'
import type { Lease } from '../dhcp/index.ts'
import { type EthernetDevice, formatMac, type Mac, parseMac } from '../ethernet/index.ts'
import { IpAddress } from '../ip/address.ts'
import type { Host } from '../net/index.ts'
import { CliError, EXIT, usageError } from './errors.ts'
import { LeaseFile } from './lease-file.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { openHost } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { print } from './print.ts'
import { listOption, parseSeconds, parseWhole, valueOption } from './read-options.ts'

/** The command `dhcp`. */
export function dhcpCommand(): Command {
  const command = new Command('dhcp')
    .summary('get an address by DHCP, or give addresses')
    .description('Gets an IPv4 address by DHCP on a TAP device and says what it got; with --range, gives addresses.')
  for (const option of clientOptions()) command.addOption(option.helpGroup('Client:'))
  for (const option of serverOptions()) command.addOption(option.helpGroup('Server:'))
  addHostOptions(command)
  command.addHelpText('after', EXAMPLES)
  return command.action(async (raw: RawOptions) => {
    const isServer = raw.range !== undefined
    if (!isServer && raw.address !== undefined)
      throw usageError('a client has no --address: it asks for one', 'ask for it with --request')
    const all = hostSettings({ ...raw, tap: true, ...(isServer ? {} : { bare: true }) })
    const peers = raw.peer === undefined ? [] : (raw.peer as HostSettings['peers'])
    const settings: HostSettings = isServer ? all : { ...all, addresses: [], peers }
    await runCommand((life) => (isServer ? serve(raw, settings, life) : ask(raw, settings, life)), {
      normalSignals: ['SIGINT', 'SIGTERM'],
    })
  })
}

const EXAMPLES = `
Examples:
  sudo tunstack dhcp --tun tap0                        a client; join tap0 to a bridge with a server on it
  sudo tunstack dhcp --tun tap0 --once --json          one lease as JSON, given back at once
  sudo tunstack dhcp --address 10.77.0.2/24 --range 10.77.0.100-10.77.0.199 --router 10.77.0.2
                                                       a server for whoever is on the other side of the TAP`

function clientOptions(): Option[] {
  return [
    new Option('--once', 'give the lease back and end as soon as there is one'),
    valueOption('--timeout <seconds>', 'end when there is no lease by then', (text) => parseSeconds(text, 1)),
    new Option('--hostname <name>', 'tell the server our name'),
    valueOption('--request <address>', 'ask for an address that we had before', parseV4),
  ]
}

function serverOptions(): Option[] {
  return [
    valueOption('--range <first-last>', 'give these addresses, as 10.77.0.100-10.77.0.199', parseRange),
    listOption('--router <address>', 'tell clients of a router; may be repeated', parseV4),
    listOption('--dns <address>', 'tell clients of a DNS server; may be repeated', parseV4),
    new Option('--domain <name>', 'tell clients the domain'),
    valueOption('--lease <seconds>', 'how long (default: 3600)', (text) => parseWhole(text, 60, 0xfffffffe)),
    listOption('--reserve <mac=address>', 'an address that a client always gets; may be repeated', parseReservation),
    new Option('--leases <file>', 'keep the leases in a file'),
    new Option('--no-check', 'do not look whether an address is free before it is offered'),
  ]
}

function parseV4(text: string): string {
  if (IpAddress.parse(text).family !== 4) throw new TypeError('give an IPv4 address')
  return text
}

function parseRange(text: string): readonly [string, string] {
  const [first, last, ...rest] = text.split('-')
  if (last === undefined || rest.length > 0) throw new TypeError('give two addresses, as 10.77.0.100-10.77.0.199')
  return [parseV4(first), parseV4(last)]
}

function parseReservation(text: string): readonly [Mac, string] {
  const [mac, address] = text.split('=')
  return [parseMac(mac), parseV4(address ?? '')]
}

async function openedOnEthernet(
  settings: HostSettings,
  life: Lifecycle,
): Promise<{ host: Host; ethernet: EthernetDevice }> {
  const { host, ethernet } = await openHost(settings, life)
  if (ethernet === null) throw new CliError('DHCP needs Ethernet')
  return { host, ethernet }
}

async function ask(raw: RawOptions, settings: HostSettings, life: Lifecycle): Promise<number> {
  if (settings.quiet) life.info = () => undefined
  const { host, ethernet } = await openedOnEthernet(settings, life)
  const { hostname, request, timeout } = raw as { hostname?: string; request?: string; timeout?: number }
  const client = host.dhcpClient({
    ethernet,
    ...(hostname === undefined ? {} : { hostName: hostname }),
    ...(request === undefined ? {} : { previous: request }),
  })
  let leases = 0
  const first = new Promise<void>((resolve) => {
    client.on('bound', (lease: Lease, isNew: boolean) => {
      leases++
      if (settings.json) print(JSON.stringify({ type: isNew ? 'bound' : 'renewed', ...leaseObject(lease) }))
      else for (const line of leaseLines(lease, isNew)) print(line)
      resolve()
    })
  })
  client.on('lost', (lease: Lease, why: string) => {
    if (settings.json) print(JSON.stringify({ type: 'lost', address: lease.address.toString(), why }))
    else print(`lost ${lease.address}: ${why}`)
  })
  const late =
    timeout === undefined
      ? null
      : setTimeout(
          () =>
            life.fail(
              new CliError('no lease in time', {
                mend: 'is the TAP device on a bridge with a DHCP server? --trace shows what is sent and received',
              }),
            ),
          timeout * 1000,
        )
  await Promise.race([first, life.stopped()])
  if (late !== null) clearTimeout(late)
  if (raw.once !== true) await life.stopped()
  if (client.lease !== null) await client.release()
  return leases > 0 ? EXIT.ok : EXIT.failure
}

/** A lease in lines. */
export function leaseLines(lease: Lease, isNew: boolean): string[] {
  const { address, prefixLength, server, leaseS, routers, dnsServers, domain } = lease
  return [
    `${isNew ? 'bound' : 'renewed'} ${address}/${prefixLength} from ${server} for ${leaseS} s`,
    ...(routers.length > 0 ? [`  router ${routers.join(' ')}`] : []),
    ...(dnsServers.length > 0 ? [`  DNS ${dnsServers.join(' ')}`] : []),
    ...(domain === null ? [] : [`  domain ${domain}`]),
  ]
}

function leaseObject(lease: Lease): object {
  const { address, prefixLength, server, routers, dnsServers, domain, mtu, leaseS } = lease
  const texts = (list: readonly IpAddress[]): string[] => list.map(String)
  return {
    address: `${address}/${prefixLength}`,
    server: server.toString(),
    routers: texts(routers),
    dns: texts(dnsServers),
    domain,
    mtu,
    leaseS,
  }
}

async function serve(raw: RawOptions, settings: HostSettings, life: Lifecycle): Promise<number> {
  if (settings.quiet) life.info = () => undefined
  const file = raw.leases === undefined ? null : new LeaseFile(raw.leases as string)
  const { host, ethernet } = await openedOnEthernet(settings, life)
  const list = (name: string): string[] => [...((raw[name] as readonly string[] | undefined) ?? [])]
  const reserved = (raw.reserve as readonly (readonly [Mac, string])[] | undefined) ?? []
  const server = host.dhcpServer({
    ethernet,
    range: raw.range as readonly [string, string],
    routers: list('router'),
    dnsServers: list('dns'),
    reservations: Object.fromEntries(reserved.map(([mac, address]) => [formatMac(mac), address])),
    isChecked: raw.check !== false,
    ...(raw.domain === undefined ? {} : { domain: raw.domain as string }),
    ...(raw.lease === undefined ? {} : { leaseS: raw.lease as number }),
    ...(file === null ? {} : { leases: file.read() }),
  })
  const tell = (type: string, address: IpAddress, client: string): void => {
    file?.write(server.leases)
    print(
      settings.json ? JSON.stringify({ type, address: address.toString(), client }) : `${type} ${address} ${client}`,
    )
  }
  server.on('leased', ({ address, client }) => tell('leased', address, client))
  server.on('released', (address, client) => tell('released', address, client))
  server.on('declined', (address, client) => tell('declined', address, client))
  life.info(`giving ${(raw.range as readonly string[]).join(' to ')}`)
  await life.stopped()
  file?.write(server.leases)
  server.close()
  return EXIT.ok
}
