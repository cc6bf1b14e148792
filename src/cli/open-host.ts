// From settings to a running host: TUN device (or TAP device -> Ethernet) -> bad link -> captures -> stack, and back to nothing.
// Owns: the order, what is undone when a step fails, the tie between the host and the command's life.
// Does not own: reading options (options.ts), signals (lifecycle.ts).
//
//   kernel <-> TUN <-> impair (when asked for) <-> capture (--pcap, --trace: what our stack sends and gets) <-> host

import type { LookupFunction } from 'node:net'
import { SeededRandom } from '../base/random.ts'
import type { Scheduler } from '../base/time.ts'
import type { EthernetDevice } from '../ethernet/index.ts'
import { capture, type PacketObserver } from '../link/capture.ts'
import type { PacketDevice } from '../link/device.ts'
import { type ImpairedDevice, impair } from '../link/impair.ts'
import type { Impairment } from '../link/impairment.ts'
import { lateImpair } from '../link/late-impair.ts'
import type { OpenedTun, TunDevice, TunOptions } from '../link/tun.ts'
import { createHost, type Host, realTime, systemRandom } from '../net/index.ts'
import { eventLine } from '../trace/event-line.ts'
import { formatCidr } from './addresses.ts'
import { CaptureFile } from './capture-file.ts'
import { controlCalls } from './control-answers.ts'
import { openControlSocket } from './control-server.ts'
import { CliError, codeOf, EXIT, messageOf } from './errors.ts'
import { GrowingFile } from './growing-file.ts'
import type { Lifecycle } from './lifecycle.ts'
import { ethernetOn, joinHost } from './open-ethernet.ts'
import type { HostSettings } from './options.ts'
import { printError } from './print.ts'
import { threadData } from './threads.ts'
import { TracePrinter } from './trace-printer.ts'

/** How long connections have to end in order when a command ends, in milliseconds. */
const CLOSE_GRACE_MS = 400

/** A host with all that belongs to it. */
export interface OpenedHost {
  readonly host: Host
  /** The TUN or TAP device below everything. */
  readonly device: TunDevice
  /** The Ethernet interface; null without --tap. */
  readonly ethernet: EthernetDevice | null
  readonly scheduler: Scheduler
  /** What the instant 0 of the host's clock is, in microseconds since 1970. */
  readonly epochUs: number
  /** The bad link; null for a perfect one. */
  readonly impaired: ImpairedDevice | null
  /** Packets captured so far; null without --pcap. */
  readonly capturedPackets: () => number | null
  /** Ends connections (FIN, or RST after `graceMs`), closes the device and the capture file. Harmless when repeated. */
  close(options?: { graceMs?: number }): Promise<void>
}

/** Options of openHost. */
export interface OpenHostOptions {
  /** Resolves names for the host's connections. */
  readonly lookup?: LookupFunction
  /** The name of the command, when it is to have a control socket, for `tunstack ss` and its kin. */
  readonly control?: string
  /** Sees every packet, besides --pcap and --trace. */
  readonly observe?: PacketObserver
  /** Asked whether there is anything for `observe` to see. Default: always. */
  readonly isObserving?: () => boolean
  /** Makes a perfect link one that can be made bad later. */
  readonly changeable?: boolean
}

/**
 * Opens the device and makes the host. It is closed when the command ends, and the command ends when the device fails.
 * Whatever fails, nothing is left behind.
 * @throws {CliError} with status 77 when no TUN device can be had
 */
export async function openHost(
  settings: HostSettings,
  life: Lifecycle,
  options: OpenHostOptions = {},
): Promise<OpenedHost> {
  const device = await openDevice(settings)
  const undo: (() => void)[] = [() => device.close()]
  try {
    const scheduler = realTime()
    const epochUs = performance.timeOrigin * 1000
    const family = settings.ethernet === null ? 'raw' : 'ethernet'
    const file =
      settings.pcap === null ? null : new CaptureFile(settings.pcap, device.name, epochUs, (e) => life.fail(e), family)
    const events = settings.events === null ? null : new GrowingFile('--events', settings.events, (e) => life.fail(e))
    for (const one of [file, events]) {
      if (one === null) continue
      undo.push(() => one.close())
      process.on('exit', () => one.close())
    }
    const observers: PacketObserver[] = []
    const toFile: PacketObserver | null =
      file === null ? null : (packet, direction, at) => file.writer.packet(packet, direction, at)
    const ethernet =
      settings.ethernet === null ? null : ethernetOn(device, settings.ethernet, scheduler, life.info, toFile)
    const impaired = withImpairment(ethernet ?? device, settings, scheduler, life, options.changeable === true)
    if (toFile !== null && ethernet === null) observers.push(toFile)
    if (settings.trace) observers.push(new TracePrinter(printError, epochUs).print)
    const isWanted = observers.length === 0 ? options.isObserving : undefined
    if (options.observe !== undefined) observers.push(options.observe)
    const host = createHost({
      device: withObservers(impaired ?? ethernet ?? device, observers, scheduler, isWanted),
      address: settings.addresses.map(formatCidr),
      scheduler,
      tcp: settings.tcp,
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
    })
    if (ethernet !== null) joinHost(ethernet, host, settings, life.info)
    if (events !== null) {
      host.stack.tcp.observe((event, connection) =>
        events.add(Buffer.from(`${eventLine(event, connection, epochUs)}\n`)),
      )
    }
    host.ref()
    host.on('close', (error: Error | null) => {
      if (error !== null) life.fail(new CliError(`the device ${device.name} failed: ${error.message}`))
    })
    const close = async ({ graceMs = CLOSE_GRACE_MS } = {}): Promise<void> => {
      // The end of a connection is not an experiment: from here on nothing more is lost.
      impaired?.setImpairment('out', {})
      impaired?.setImpairment('in', {})
      await host.close({ graceMs })
      for (const step of undo.splice(0)) step()
    }
    if (options.control !== undefined) await openControl(host, ethernet ?? device, options.control, undo, life)
    life.defer(() => close(life.failure === null ? {} : { graceMs: 0 }))
    return {
      host,
      device,
      ethernet,
      impaired,
      scheduler,
      epochUs,
      close,
      capturedPackets: () => file?.writer.packets ?? null,
    }
  } catch (error) {
    for (const step of undo.reverse()) step()
    throw error
  }
}

/** A host without a control socket serves all the same. */
async function openControl(
  host: Host,
  device: PacketDevice,
  command: string,
  undo: (() => void)[],
  life: Lifecycle,
): Promise<void> {
  try {
    const thread = threadData()
    const name = thread === null ? device.name : `${device.name}-${thread.index}`
    const { close } = await openControlSocket(name, controlCalls(host, device, command))
    undo.push(close)
    process.once('exit', close)
  } catch (error) {
    life.info(`no control socket: ${messageOf(error)}`)
  }
}

async function openDevice(settings: HostSettings): Promise<TunDevice> {
  // Loaded here, so that `--help` does not load native code.
  const { openTun, tunQueue } = await import('../link/tun.ts')
  const { openTap } = await import('../link/tun-tap.ts')
  const thread = threadData()
  if (thread !== null) return tunQueue(thread.queue)
  const options = tunOptions(settings)
  try {
    return settings.ethernet === null ? openTun(options) : openTap(options)
  } catch (error) {
    throw deviceError(error, settings.tun)
  }
}

/** Opens the interface with a queue for each of `count` threads. @throws {CliError} as openHost */
export async function openQueues(settings: HostSettings, count: number): Promise<OpenedTun[]> {
  const { openTunQueues } = await import('../link/tun.ts')
  try {
    return openTunQueues(tunOptions(settings), count)
  } catch (error) {
    throw deviceError(error, settings.tun)
  }
}

function tunOptions({ tun, peers, mtu, txQueueLength, offload }: HostSettings): TunOptions {
  const queue = txQueueLength === null ? {} : { txQueueLength }
  return { name: tun, addresses: peers.map(formatCidr), mtu, offload, ...queue }
}

const NO_PERMISSION: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'ENOENT', 'ENODEV', 'ENOSYS', 'ENXIO', 'EROFS'])

/** What openTun's errors mean for a command: status 77 when this machine or user has no TUN device. */
export function deviceError(error: unknown, tun: string): CliError {
  const code = codeOf(error)
  const message = messageOf(error)
  const mend = refusalMend(code, tun, textOf(error, 'freeNetwork'))
  // openTun's message names the mend for a program; what stands before it is for everybody.
  if (mend !== null) return new CliError(`no TUN device: ${textOf(error, 'what') ?? message}`, { mend, cause: error })
  const unavailable = code !== null && (NO_PERMISSION.has(code) || code === 'ERR_TUNSTACK_NO_FFI')
  if (!unavailable) return new CliError(`no TUN device: ${message}`, { cause: error })
  // The message names the mend: sudo, unshare -Urn, modprobe.
  return new CliError(`no TUN device: ${message}`, { exitCode: EXIT.noTun, cause: error })
}

/** How to mend a refusal by the options of this program; null when it is none. */
function refusalMend(code: string | null, tun: string, freeNetwork: string | null): string | null {
  // 10.78.0.0/24 -> 10.78.0.2/24, fd78::/64 -> fd78::2/64
  const address = `--address ${(freeNetwork ?? '10.78.0.0/24').replace(/0?\//, '2/')}`
  switch (code) {
    case 'EADDRINUSE':
      return `choose another network, ${address}`
    case 'EBUSY':
      return `another tunstack may be running; try --tun ${nextName(tun)} ${address}`
    case 'EEXIST':
    case 'EINVAL':
      return `choose another name, --tun ${/[0-9]$/.test(tun) ? nextName(tun) : 'tunstack0'}`
    default:
      return null
  }
}

function textOf(error: unknown, field: 'what' | 'freeNetwork'): string | null {
  const value = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[field] : null
  return typeof value === 'string' ? value : null
}

function nextName(tun: string): string {
  const [, stem, number] = /^(.*?)([0-9]{0,4})$/.exec(tun) as unknown as [string, string, string]
  const next = number === '' ? '1' : String(Number(number) + 1)
  return stem.slice(0, 15 - next.length) + next
}

function withImpairment(
  device: PacketDevice,
  settings: HostSettings,
  scheduler: Scheduler,
  life: Lifecycle,
  changeable: boolean,
): ImpairedDevice | null {
  const { impairment } = settings
  if (impairment === null && !changeable) return null
  const seed = settings.seed ?? systemRandom().int32() >>> 0
  if (impairment === null) return lateImpair(device, { scheduler, random: new SeededRandom(seed) })
  life.info(isRandom(impairment) ? `link impaired; repeat with --seed ${seed}` : 'link impaired')
  return impair(device, { scheduler, random: new SeededRandom(seed), out: impairment, in: impairment })
}

/** Whether chance has a part in what happens, so that a seed repeats it. */
function isRandom({ lossRate, jitterUs, reorderRate, duplicateRate, corruptRate, markRate }: Impairment): boolean {
  return [lossRate, jitterUs, reorderRate, duplicateRate, corruptRate, markRate].some((amount) => (amount ?? 0) > 0)
}

function withObservers(
  device: PacketDevice,
  observers: readonly PacketObserver[],
  scheduler: Scheduler,
  isWanted: (() => boolean) | undefined,
): PacketDevice {
  if (observers.length === 0) return device
  const onPacket: PacketObserver = (packet, direction, at) => {
    for (const observe of observers) observe(packet, direction, at)
  }
  return capture(device, { scheduler, onPacket, ...(isWanted === undefined ? {} : { isWanted }) })
}
