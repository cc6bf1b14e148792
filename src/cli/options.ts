// The options that every command with a host of its own takes: addresses, the device, impairments, TCP settings, output.
// Owns: their names, help, defaults, and what does not go together. Does not own: reading one value (read-options.ts, addresses.ts),
// what they do (open-host.ts).

import { type Command, Option } from 'commander'
import type { InterfaceAddress } from '../ip/address.ts'
import { parsePackets, parsePercent, parseRate, parseSize } from '../link/impair-options.ts'
import { type Impairment, validateImpairment } from '../link/impairment.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { congestionControl } from '../tcp/congestion/index.ts'
import { DEFAULT_ADDRESSES, type GivenAddress, parseHostAddress, peersOf } from './addresses.ts'
import { messageOf, usageError } from './errors.ts'
import { addEthernetOptions, type EthernetSettings, ethernetSettings } from './open-ethernet.ts'
import { listOption, parseDelay, parseTcpSetting, parseWhole, valueOption } from './read-options.ts'

/** A host as the command line describes it; made by `hostSettings`. */
export interface HostSettings {
  /** Name of the TUN interface. */
  readonly tun: string
  /** The stack's addresses. */
  readonly addresses: readonly InterfaceAddress[]
  /** The kernel's addresses on the interface. */
  readonly peers: readonly InterfaceAddress[]
  readonly mtu: number
  /** Packets that the kernel queues for us; null: the driver's default. */
  readonly txQueueLength: number | null
  readonly offload: boolean
  /** A host on Ethernet; null: IP over a TUN device. */
  readonly ethernet: EthernetSettings | null
  /** File to write a capture to; null for none. */
  readonly pcap: string | null
  /** File to write the events of connections to; null for none. */
  readonly events: string | null
  /** Whether every packet is printed on stderr. */
  readonly trace: boolean
  /** What happens to the packets of each direction; null for a perfect link. */
  readonly impairment: Impairment | null
  /** Seed of the impairment; null: a new one each time. */
  readonly seed: number | null
  readonly tcp: Partial<TcpConfig>
  readonly json: boolean
  readonly quiet: boolean
}

/** Parsed options as commander hands them over. */
export type RawOptions = Readonly<Record<string, unknown>>

/** Adds the options that describe a host. */
export function addHostOptions(command: Command): Command {
  for (const option of networkOptions()) command.addOption(option.helpGroup('Network:'))
  addEthernetOptions(command)
  for (const option of impairmentOptions()) command.addOption(option.helpGroup('A bad link, in both directions:'))
  command.addOption(
    listOption(
      '--set <name=value>',
      'a TCP setting, as nagle=false or delayedAckUs=40ms; may be repeated (all: tunstack serve --help)',
      parseTcpSetting,
    ).helpGroup('TCP:'),
  )
  for (const option of outputOptions()) command.addOption(option.helpGroup('Output:'))
  return command
}

function networkOptions(): Option[] {
  const address = `our address with its prefix length; may be repeated (default: ${DEFAULT_ADDRESSES.join(' and ')})`
  const peer = "the kernel's address; may be repeated (default: the first other address of each of our networks)"
  return [
    valueOption('--tun <name>', 'name of the network interface', parseTunName).default('tunstack0'),
    listOption('--address <cidr>', address, parseOwnAddress),
    listOption('--peer <address>', peer, parseHostAddress),
    valueOption('--mtu <bytes>', 'largest IP packet', (text) => parseWhole(text, 68, 65535)).default(1500),
    valueOption('--txqueuelen <packets>', 'packets that the kernel queues for us (default: 4096)', (text) =>
      parseWhole(text, 1, 65535),
    ),
    new Option('--no-offload', 'neither segmentation nor checksum offload: every packet as on a real wire'),
  ]
}

function impairmentOptions(): Option[] {
  return [
    valueOption('--loss <percent>', 'lose packets, as 1%', parsePercent),
    valueOption('--delay <time>', 'delay packets, as 20ms', parseDelay),
    valueOption('--jitter <time>', 'vary the delay by up to this much, as 2ms', parseDelay),
    valueOption('--rate <rate>', 'limit the rate, as 10mbit', parseRate),
    valueOption('--queue <size>', 'queue before the limited rate, as 64kb, or 100p for packets', parseQueue),
    valueOption('--reorder <percent>', 'let packets skip the delay, as 5%', parsePercent),
    valueOption('--duplicate <percent>', 'send packets twice, as 1%', parsePercent),
    valueOption('--corrupt <percent>', 'flip a bit of packets, as 0.1%', parsePercent),
    valueOption('--mark <percent>', 'mark ECN-capable packets as a busy router does, drop others, as 1%', parsePercent),
    valueOption('--mark-threshold <packets>', 'mark those that find a longer queue, as 20p', parsePackets),
    valueOption('--seed <number>', 'repeat the choices of an earlier run', (text) =>
      parseWhole(text, 0, Number.MAX_SAFE_INTEGER),
    ),
  ]
}

function outputOptions(): Option[] {
  return [
    new Option('--pcap <file>', 'write every packet to a capture file for Wireshark and tcpdump'),
    new Option(
      '--events <file>',
      'write what happens in TCP as JSON lines: states, cwnd, round trips, retransmissions, waits',
    ),
    new Option('--trace', 'print every packet on stderr, in the format of tcpdump -n'),
    new Option('--json', 'results as JSON, one object a line'),
    new Option('--quiet', 'results only'),
  ]
}

/** Reads the name of an interface. @throws {TypeError} when Linux would refuse it */
export function parseTunName(text: string): string {
  if (!/^[!-~]{1,15}$/.test(text) || /[/:%]/.test(text) || text === '.' || text === '..') {
    throw new TypeError("an interface name has 1 to 15 characters without spaces, '/', ':' and '%', as tun0")
  }
  return text
}

function parseOwnAddress(text: string): GivenAddress {
  const given = parseHostAddress(text)
  if (!given.hasPrefix)
    throw new TypeError(`write the prefix length too, as ${text}/${given.address.family === 4 ? 24 : 64}`)
  return given
}

/** Reads `64kb` (bytes) or `100p` (packets). @throws {TypeError} when it is neither or nothing */
export function parseQueue(text: string): Pick<Impairment, 'queueBytes' | 'queuePackets'> {
  const packets = /^([0-9]{1,9})p$/i.exec(text)
  const amount = packets === null ? parseSize(text) : Number(packets[1])
  if (amount === 0) throw new TypeError('the queue must hold something, as 64kb or 100p')
  return packets === null ? { queueBytes: amount } : { queuePackets: amount }
}

/**
 * Checks how the options fit together and fills in what depends on others.
 * @param raw what commander has parsed with `addHostOptions`
 * @throws {CliError} naming the options and the mend
 */
export function hostSettings(raw: RawOptions): HostSettings {
  const mtu = raw.mtu as number
  const addresses = ownAddresses(raw.address as readonly GivenAddress[] | undefined, mtu)
  const ethernet = ethernetSettings(raw)
  const tcp = Object.assign({}, ...((raw.set as readonly Partial<TcpConfig>[] | undefined) ?? [])) as Partial<TcpConfig>
  if (tcp.congestion !== undefined) checkCongestion(tcp.congestion)
  return {
    tun: raw.tun as string,
    addresses,
    peers: ethernet?.isBare === true ? [] : peersOf(addresses, (raw.peer as readonly GivenAddress[] | undefined) ?? []),
    mtu,
    txQueueLength: (raw.txqueuelen as number | undefined) ?? null,
    offload: raw.offload !== false,
    ethernet,
    pcap: (raw.pcap as string | undefined) ?? null,
    events: (raw.events as string | undefined) ?? null,
    trace: raw.trace === true,
    impairment: impairmentOf(raw),
    seed: (raw.seed as number | undefined) ?? null,
    tcp,
    json: raw.json === true,
    quiet: raw.quiet === true,
  }
}

function ownAddresses(given: readonly GivenAddress[] | undefined, mtu: number): InterfaceAddress[] {
  const asked = given ?? DEFAULT_ADDRESSES.map(parseHostAddress)
  // RFC 8200 §5: IPv6 needs an MTU of 1280.
  const tooSmall = mtu < 1280 ? asked.filter(({ address }) => address.family === 6) : []
  if (given !== undefined && tooSmall.length > 0) {
    throw usageError(
      `--mtu ${mtu} is too small for IPv6`,
      `raise it to 1280, or leave out --address ${tooSmall[0].address}`,
    )
  }
  const used = asked.filter((one) => !tooSmall.includes(one))
  const seen = new Set<string>()
  for (const { address } of used) {
    if (seen.has(address.toString())) throw usageError(`--address ${address} is given twice`, 'leave one out')
    seen.add(address.toString())
  }
  return used.map(({ address, prefixLength }) => ({ address, prefixLength }))
}

function checkCongestion(name: string): void {
  try {
    congestionControl(name)
  } catch (error) {
    throw usageError(`--set congestion=${name}: ${messageOf(error)}`)
  }
}

function impairmentOf(raw: RawOptions): Impairment | null {
  const given = (name: string): number | undefined => raw[name] as number | undefined
  const queue = raw.queue as Pick<Impairment, 'queueBytes' | 'queuePackets'> | undefined
  const impairment: Impairment = {
    ...(given('loss') === undefined ? {} : { lossRate: given('loss') }),
    ...(given('delay') === undefined ? {} : { delayUs: given('delay') }),
    ...(given('jitter') === undefined ? {} : { jitterUs: given('jitter') }),
    ...(given('rate') === undefined ? {} : { rateBps: given('rate') }),
    ...(given('reorder') === undefined ? {} : { reorderRate: given('reorder') }),
    ...(given('duplicate') === undefined ? {} : { duplicateRate: given('duplicate') }),
    ...(given('corrupt') === undefined ? {} : { corruptRate: given('corrupt') }),
    ...(given('mark') === undefined ? {} : { markRate: given('mark') }),
    ...(given('markThreshold') === undefined ? {} : { markThreshold: given('markThreshold') }),
    ...queue,
  }
  if (queue !== undefined && impairment.rateBps === undefined) {
    throw usageError('--queue needs --rate: without a rate no packet waits', 'add --rate, as --rate 10mbit')
  }
  if ((impairment.reorderRate ?? 0) > 0 && (impairment.delayUs ?? 0) === 0) {
    throw usageError('--reorder needs --delay: a reordered packet skips the delay', 'add --delay, as --delay 20ms')
  }
  if ((impairment.jitterUs ?? 0) > 0 && (impairment.delayUs ?? 0) === 0) {
    throw usageError('--jitter needs --delay, which it varies', 'add --delay, as --delay 20ms')
  }
  try {
    validateImpairment(impairment)
  } catch (error) {
    throw usageError(messageOf(error))
  }
  return Object.keys(impairment).length === 0 ? null : impairment
}
