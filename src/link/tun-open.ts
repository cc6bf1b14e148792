// Opening and configuring a TUN device: from options to a descriptor and a configured interface, or to nothing and a clear error.
// Owns: options, their checks, the order of the steps and the undoing. Does not own: the packets (tun.ts), ioctls of interfaces
// (tun-interface.ts).
// Read first: the kernel's Documentation/networking/tuntap.rst.

import { ERRNO, loadLibc, type SystemError, systemError } from './libc.ts'
import {
  InterfaceControl,
  ifreq,
  type KernelAddress,
  NEEDS_ADMIN,
  parseKernelAddress,
  waitForIpv6,
} from './tun-interface.ts'
import { checkNetworks, freeNetwork, tunRefusal } from './tun-networks.ts'
import { VNET_HEADER_BYTES } from './vnet-header.ts'

const O_RDWR = 2
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000 // or a child process would keep the interface alive
const TUNSETIFF = 0x400454ca
const TUNSETPERSIST = 0x400454cb
const TUNSETOFFLOAD = 0x400454d0
const TUNSETVNETHDRSZ = 0x400454d8
const IFF_TUN = 0x0001
const IFF_TAP = 0x0002
const IFF_MULTI_QUEUE = 0x0100
const IFF_NO_PI = 0x1000
const IFF_VNET_HDR = 0x4000
const TUN_F_CSUM_TSO4_TSO6 = 1 | 2 | 4
const TUN_F_USO4_USO6 = 0x20 | 0x40

/** Options of openTun. */
export interface TunOptions {
  /** Name of the interface, 1 to 15 characters; `%d` in it stands for the first free number. Default `tunstack%d`. */
  readonly name?: string
  /** The KERNEL's addresses on the device with their prefix lengths, as `10.77.0.1/24` and `fd77::1/64`. Default none. */
  readonly addresses?: readonly string[]
  /** Largest IP packet in bytes, 68 to 65535, with IPv6 addresses at least 1280. Default 1500, or that of an existing interface. */
  readonly mtu?: number
  /** Packets that the kernel keeps for us before it drops, 1 to 65535. Default 4096. */
  readonly txQueueLength?: number
  /** true: the interface outlives the process. false: it does not, even if it did before. Left out: as it was, for a new one false. */
  readonly persistent?: boolean
  /** Whether super-segments and unfinished checksums may pass. Default true; `device.offload` says what the kernel granted. */
  readonly offload?: boolean
  /** Whether the interface is brought up. Default true. */
  readonly up?: boolean
}

/** What openTunDescriptor hands over. */
export interface OpenedTun {
  readonly fd: number
  readonly name: string
  readonly mtu: number
  /** Whether each packet follows a virtio header. */
  readonly vnetHeader: boolean
  /** Whether the kernel gives and takes super-segments and unfinished checksums. */
  readonly offload: boolean
  /** Whether it gives and takes super-datagrams besides. */
  readonly datagramOffload: boolean
  readonly addresses: readonly string[]
}

/** What the device carries: IP packets, or Ethernet frames. */
export type TunKind = 'tun' | 'tap'

interface Plan {
  readonly kind: TunKind
  readonly options: TunOptions
  readonly name: string
  readonly addresses: readonly KernelAddress[]
  /** Whether an interface of this name was there before. */
  readonly existed: boolean
}

/**
 * Opens, configures and returns a TUN descriptor (non-blocking, closed on exec), which the caller owns. See openTun.
 * @throws as openTun
 */
export function openTunDescriptor(options: TunOptions, kind: TunKind = 'tun'): OpenedTun {
  return openDescriptor(options, kind, 0)
}

/**
 * Opens one TUN interface with several queues, for as many stacks, each in a thread of its own: what this returns can be sent to a
 * worker, whose `tunQueue` makes a device of it. The kernel gives each flow to one queue, by a hash of its addresses and ports; every stack
 * has the same addresses and listens on the same ports. Connections that a stack opens itself may get their answers at another one's queue
 * once they have been idle for three seconds: for clients take one queue. When one queue is closed flows move: close all.
 * @param count from 1 to 256 @throws as openTun
 */
export function openTunQueues(options: TunOptions, count: number): OpenedTun[] {
  if (!Number.isInteger(count) || count < 1 || count > 256) {
    throw new RangeError(`a TUN interface has from 1 to 256 queues, not ${count}`)
  }
  const opened = [openDescriptor(options, 'tun', IFF_MULTI_QUEUE)]
  try {
    while (opened.length < count) {
      const fd = openCloneDevice()
      opened.push({ ...opened[0], fd })
      attach(fd, opened[0].name, opened[0].vnetHeader, 'tun', IFF_MULTI_QUEUE)
    }
    return opened
  } catch (error) {
    for (const { fd } of opened) loadLibc().close(fd)
    throw error
  }
}

function openDescriptor(options: TunOptions, kind: TunKind, extraFlags: number): OpenedTun {
  const name = options.name ?? 'tunstack%d'
  checkOptions(name, options)
  const addresses = (options.addresses ?? []).map(parseKernelAddress)
  checkAddresses(name, addresses, options.mtu)
  const control = new InterfaceControl()
  let fd = -1
  try {
    const plan: Plan = { kind, options, name, addresses, existed: control.index(name) >= 0 }
    if (plan.existed) checkTakeOver(control, plan)
    if (addresses.length > 0) checkNetworks(name, addresses, control.networks())
    fd = openCloneDevice()
    const attached = attach(fd, name, options.offload ?? true, kind, extraFlags)
    const mtu = configure(control, fd, attached.name, plan)
    return { fd, mtu, ...attached, addresses: addresses.map(({ text }) => text) }
  } catch (error) {
    if (fd >= 0) loadLibc().close(fd) // a new interface is not persistent yet, so it vanishes with its descriptor
    throw error
  } finally {
    control.close()
  }
}

function checkOptions(name: string, options: TunOptions): void {
  if (!/^[^\s/:%]*(%d)?[^\s/:%]*$/.test(name) || !/^[!-~]{1,15}$/.test(name) || name === '.' || name === '..') {
    throw new TypeError(
      `'${name}' is no interface name: 1 to 15 characters without spaces, '/' and ':', as tun0 or tun%d`,
    )
  }
  const { mtu = 1500, txQueueLength = 4096 } = options
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65535) {
    throw new RangeError(`mtu is a whole number from 68 to 65535, not ${mtu}`)
  }
  if (!Number.isInteger(txQueueLength) || txQueueLength < 1 || txQueueLength > 65535) {
    throw new RangeError(`txQueueLength is a whole number from 1 to 65535, not ${txQueueLength}`)
  }
}

function checkAddresses(name: string, addresses: readonly KernelAddress[], mtu = 1500): void {
  const v4 = addresses.filter(({ family }) => family === 4).length
  if (v4 < addresses.length && mtu < 1280) {
    throw new RangeError(
      `mtu ${mtu} is too small for IPv6, which needs 1280 (RFC 8200 §5): raise it, or leave IPv6 addresses out`,
    )
  }
  if (v4 > 1 && (name.length > 12 || v4 > 100)) {
    throw new RangeError(`several IPv4 addresses need an interface name of at most 12 characters, not '${name}'`)
  }
}

function checkTakeOver(control: InterfaceControl, { name, addresses, options }: Plan): void {
  if (options.persistent === true) return
  const wanted = new Set(addresses.map(({ bytes }) => bytes.join()))
  if (control.addresses(name).every((bytes) => wanted.has(bytes.join()))) return
  const mend = 'choose another name, ask for its addresses, or pass persistent: true to take it over'
  throw tunRefusal(ERRNO.EEXIST, 'open', `interface ${name} exists already and has other addresses`, mend)
}

function openCloneDevice(): number {
  const libc = loadLibc()
  const fd = libc.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC)
  if (fd >= 0) return fd
  const errno = libc.errno()
  const mend =
    errno === ERRNO.ENOENT || errno === ERRNO.ENODEV
      ? 'no /dev/net/tun: `sudo modprobe tun`; in a container, start it with --device /dev/net/tun'
      : errno === ERRNO.EACCES || errno === ERRNO.EPERM
        ? 'no permission for /dev/net/tun: run with sudo, or `sudo chmod 666 /dev/net/tun` and then in `unshare -Urn`'
        : '/dev/net/tun could not be opened'
  throw systemError(errno, 'open', mend)
}

interface Attached {
  readonly name: string
  readonly vnetHeader: boolean
  readonly offload: boolean
  readonly datagramOffload: boolean
}

/** Makes or joins the interface. Without offload the kernel is told so, because a persistent interface remembers its last user's. */
function attach(fd: number, name: string, wantOffload: boolean, kind: TunKind, extraFlags = 0): Attached {
  const libc = loadLibc()
  const request = ifreq(name)
  const flags = (kind === 'tap' ? IFF_TAP : IFF_TUN) | IFF_NO_PI | extraFlags
  request.writeUInt16LE(wantOffload ? flags | IFF_VNET_HDR : flags, 16)
  if (libc.ioctl(fd, TUNSETIFF, request) < 0) {
    const errno = libc.errno()
    // A kernel without virtio headers says EINVAL, but so it does for an interface that is no TUN device.
    if (wantOffload && errno === ERRNO.EINVAL) return attach(fd, name, false, kind, extraFlags)
    throw attachError(errno, name, kind)
  }
  const actual = request.toString('latin1', 0, 16).replace(/\0.*$/s, '')
  if (wantOffload) {
    const size = Buffer.alloc(4)
    size.writeInt32LE(VNET_HEADER_BYTES)
    libc.ioctl(fd, TUNSETVNETHDRSZ, size) // 10 is the default; a persistent interface may have been given another
    for (const extra of [TUN_F_USO4_USO6, 0]) {
      if (libc.ioctlValue(fd, TUNSETOFFLOAD, TUN_F_CSUM_TSO4_TSO6 | extra) < 0) continue
      return { name: actual, vnetHeader: true, offload: true, datagramOffload: extra !== 0 }
    }
  }
  libc.ioctlValue(fd, TUNSETOFFLOAD, 0)
  return { name: actual, vnetHeader: wantOffload, offload: false, datagramOffload: false }
}

function attachError(errno: number, name: string, kind: TunKind): SystemError {
  const mend = 'choose another name'
  if (errno === ERRNO.EBUSY) {
    const what = `interface ${name} exists already and is busy`
    return tunRefusal(errno, 'ioctl', what, `${mend}, and another network`, proposedNetwork())
  }
  if (errno === ERRNO.EINVAL) {
    return tunRefusal(errno, 'ioctl', `interface ${name} exists already and is no ${kind.toUpperCase()} device`, mend)
  }
  const what = errno === ERRNO.EPERM ? `interface ${name} ${NEEDS_ADMIN}` : `interface ${name} could not be made`
  return systemError(errno, 'ioctl', what)
}

function proposedNetwork(): string {
  const control = new InterfaceControl()
  try {
    return freeNetwork(4, control.networks())
  } finally {
    control.close()
  }
}

/** Configures the interface and returns its MTU. */
function configure(control: InterfaceControl, fd: number, name: string, plan: Plan): number {
  const { kind, options, addresses, existed } = plan
  const mtu = existed && options.mtu === undefined ? control.mtu(name) : (options.mtu ?? 1500)
  control.setMtu(name, mtu)
  if (!existed || options.txQueueLength !== undefined) control.setTxQueueLength(name, options.txQueueLength ?? 4096)
  const present = new Set(existed ? control.addresses(name).map((bytes) => bytes.join()) : [])
  let label = 0
  for (const address of addresses) {
    const number = address.family === 4 ? label++ : 0
    if (!present.has(address.bytes.join())) control.addAddress(name, address, number)
  }
  if (options.up ?? true) {
    control.setUp(name)
    // On a TAP the kernel asks us whether somebody has the address, for a second: we cannot answer while we wait here.
    if (kind === 'tun' && addresses.some(({ family }) => family === 6)) waitForIpv6(name)
  }
  if (options.persistent !== undefined) setPersistent(fd, name, options.persistent)
  return mtu
}

function setPersistent(fd: number, name: string, persistent: boolean): void {
  const libc = loadLibc()
  if (libc.ioctlValue(fd, TUNSETPERSIST, persistent ? 1 : 0) < 0) {
    throw systemError(libc.errno(), 'ioctl', `${name} could not be made ${persistent ? 'persistent' : 'to vanish'}`)
  }
}

/**
 * Removes a persistent TUN interface. Harmless when there is none of this name.
 * @throws {SystemError} EBUSY when a program has it open, EPERM without the privilege, EINVAL when it is no TUN device
 */
export function removeTun(name: string): void {
  checkOptions(name, {})
  const control = new InterfaceControl()
  const exists = control.index(name) >= 0
  control.close()
  if (!exists) return
  const fd = openCloneDevice()
  try {
    attach(fd, name, false, 'tun')
    setPersistent(fd, name, false)
  } finally {
    loadLibc().close(fd)
  }
}

/**
 * Whether this process could open a TUN device now; makes one for an instant to find out.
 * @returns `reason` says what is missing and how to mend it
 */
export function isTunUsable(): { ok: true } | { ok: false; reason: string } {
  try {
    loadLibc().close(openTunDescriptor({ up: false }).fd)
    return { ok: true }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}
