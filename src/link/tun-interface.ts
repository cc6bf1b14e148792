// Configuring a network interface of the kernel by ioctl and rtnetlink: addresses, MTU, queue length, up.
// Owns: struct ifreq and friends, little-endian as every machine that Node drives a TUN device on, and the texts of errors.
// Does not own: the TUN device (tun.ts).
// Read first: netdevice(7); linux/ipv6.h for struct in6_ifreq.

import { readFileSync } from 'node:fs'
import { ERRNO, type Libc, loadLibc, type SystemError, systemError } from './libc.ts'

const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0x80000
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000
const SIOCGIFCONF = 0x8912
const SIOCGIFFLAGS = 0x8913
const SIOCSIFFLAGS = 0x8914
const SIOCSIFADDR = 0x8916
const SIOCGIFNETMASK = 0x891b
const SIOCSIFNETMASK = 0x891c
const SIOCGIFMTU = 0x8921
const SIOCSIFMTU = 0x8922
const SIOCGIFINDEX = 0x8933
const SIOCGIFTXQLEN = 0x8942
const RTM_NEWLINK = 16
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const IFLA_TXQLEN = 13
const IFF_UP = 1
const IFA_F_TENTATIVE = 0x40
const WAIT_ROUNDS = 500
const IFREQ_BYTES = 40
const IFREQ_VALUE = 16 // behind the name

/** What to run when a privilege is missing. */
export const NEEDS_ADMIN =
  'needs CAP_NET_ADMIN: run with sudo, or in a namespace of your own with `unshare -Urn`, or give node the capability with `setcap`'

/** An address of the kernel's end of a device, read from text. */
export interface KernelAddress {
  readonly text: string
  readonly family: 4 | 6
  /** 4 or 16 bytes in network order. */
  readonly bytes: Uint8Array
  readonly prefixLength: number
}

/**
 * Reads `10.77.0.1/24` or `fd77::1/64`; without a prefix length the address stands alone (/32, /128).
 * @throws {TypeError} when the text is neither
 */
export function parseKernelAddress(text: string): KernelAddress {
  const [host, length, ...rest] = text.split('/')
  const family = host.includes(':') ? 6 : 4
  const bytes = new Uint8Array(family === 4 ? 4 : 16)
  const most = bytes.length * 8
  if (loadLibc().inetPton(family === 4 ? AF_INET : AF_INET6, host, bytes) !== 1) {
    throw new TypeError(
      `'${text}' is not an IPv4 or IPv6 address with its prefix length, as 10.77.0.1/24 or fd77::1/64`,
    )
  }
  if (rest.length > 0 || (length !== undefined && (!/^[0-9]{1,3}$/.test(length) || Number(length) > most))) {
    throw new TypeError(`'${text}': the prefix length after '/' is a whole number from 0 to ${most}`)
  }
  return { text, family, bytes, prefixLength: length === undefined ? most : Number(length) }
}

/** struct ifreq: 16 bytes of name, then the value. */
export function ifreq(name: string): Buffer {
  const request = Buffer.alloc(IFREQ_BYTES)
  request.write(name, 0, 15, 'latin1')
  return request
}

/** A socket for ioctl on interfaces; the C library's errno is turned into errors that name the interface. */
export class InterfaceControl {
  readonly #libc: Libc = loadLibc()
  readonly #fd: number

  /** @throws {SystemError} when no socket can be had */
  constructor() {
    this.#fd = this.#libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0)
    if (this.#fd < 0) throw systemError(this.#libc.errno(), 'socket', 'no socket to configure interfaces with')
  }

  /** Closes the socket. */
  close(): void {
    this.#libc.close(this.#fd)
  }

  /** The index of an interface, or -1 when there is none of this name. */
  index(name: string): number {
    const request = ifreq(name)
    return this.#libc.ioctl(this.#fd, SIOCGIFINDEX, request) < 0 ? -1 : request.readInt32LE(IFREQ_VALUE)
  }

  /** @throws {SystemError} when the interface is gone */
  mtu(name: string): number {
    const request = ifreq(name)
    this.#call(SIOCGIFMTU, request, `no MTU of ${name}`)
    return request.readInt32LE(IFREQ_VALUE)
  }

  /** Sets the MTU unless it is that already. @throws {SystemError} */
  setMtu(name: string, mtu: number): void {
    if (this.mtu(name) === mtu) return
    const request = ifreq(name)
    request.writeInt32LE(mtu, IFREQ_VALUE)
    this.#call(SIOCSIFMTU, request, `the MTU ${mtu} was refused for ${name}`)
  }

  /** @throws {SystemError} when the interface is gone */
  txQueueLength(name: string): number {
    const request = ifreq(name)
    this.#call(SIOCGIFTXQLEN, request, `no txqueuelen of ${name}`)
    return request.readInt32LE(IFREQ_VALUE)
  }

  /**
   * Sets how many packets wait for the reader of the TUN device. By rtnetlink, because the ioctl for it wants the privilege in the
   * first user namespace, so that it fails under `unshare -Urn`.
   * @throws {SystemError}
   */
  setTxQueueLength(name: string, packets: number): void {
    if (this.txQueueLength(name) === packets) return
    const message = Buffer.alloc(40) // struct nlmsghdr, struct ifinfomsg, one attribute
    message.writeUInt32LE(message.length, 0)
    message.writeUInt16LE(RTM_NEWLINK, 4)
    message.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK, 6)
    message.writeInt32LE(this.index(name), 20)
    message.writeUInt16LE(8, 32)
    message.writeUInt16LE(IFLA_TXQLEN, 34)
    message.writeUInt32LE(packets, 36)
    const errno = this.#netlink(message)
    if (errno !== 0) throw this.#error(errno, 'sendmsg', `the queue length ${packets} was refused for ${name}`)
  }

  /** Sends one rtnetlink request and returns the errno of its acknowledgement, 0 for success. */
  #netlink(message: Buffer): number {
    const libc = this.#libc
    const fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0)
    if (fd < 0) return libc.errno()
    const answer = Buffer.alloc(512)
    const sent = libc.write(fd, libc.addressOf(message), message.length) > 0
    const failed = !sent || libc.read(fd, libc.addressOf(answer), answer.length) < 20 ? libc.errno() : 0
    libc.close(fd)
    return failed === 0 ? -answer.readInt32LE(16) : failed // struct nlmsgerr behind the header
  }

  /** Brings the interface up. @throws {SystemError} */
  setUp(name: string): void {
    const request = ifreq(name)
    this.#call(SIOCGIFFLAGS, request, `no flags of ${name}`)
    const flags = request.readUInt16LE(IFREQ_VALUE)
    if ((flags & IFF_UP) !== 0) return
    request.writeUInt16LE(flags | IFF_UP, IFREQ_VALUE)
    this.#call(SIOCSIFFLAGS, request, `${name} could not be brought up`)
  }

  /**
   * Adds an address. Linux's ioctl knows one IPv4 address per label: the first takes the interface's own name, further ones take
   * `name:1`, `name:2` (pass the number as `label`).
   * @throws {SystemError}
   */
  addAddress(name: string, address: KernelAddress, label: number): void {
    if (address.family === 6) this.#addIpv6(name, address)
    else this.#addIpv4(name, address, label)
  }

  #addIpv4(name: string, address: KernelAddress, label: number): void {
    const request = ifreq(label === 0 ? name : `${name}:${label}`)
    request.writeUInt16LE(AF_INET, IFREQ_VALUE)
    request.set(address.bytes, IFREQ_VALUE + 4)
    this.#call(SIOCSIFADDR, request, `the address ${address.text} was refused for ${name}`)
    const mask = address.prefixLength === 0 ? 0 : (-1 << (32 - address.prefixLength)) >>> 0
    request.writeUInt32BE(mask, IFREQ_VALUE + 4)
    this.#call(SIOCSIFNETMASK, request, `the prefix length of ${address.text} was refused for ${name}`)
  }

  #addIpv6(name: string, address: KernelAddress): void {
    const request = Buffer.alloc(24) // struct in6_ifreq: address, prefix length, interface index
    request.set(address.bytes, 0)
    request.writeUInt32LE(address.prefixLength, 16)
    request.writeInt32LE(this.index(name), 20)
    const fd = this.#libc.socket(AF_INET6, SOCK_DGRAM_CLOEXEC, 0)
    if (fd < 0) throw systemError(this.#libc.errno(), 'socket', `this kernel has no IPv6: leave ${address.text} out`)
    const result = this.#libc.ioctl(fd, SIOCSIFADDR, request)
    const errno = this.#libc.errno()
    this.#libc.close(fd)
    if (result >= 0 || errno === ERRNO.EEXIST) return
    const off = errno === ERRNO.EACCES || errno === ERRNO.ENODEV
    const mend = off
      ? `IPv6 is switched off for ${name} (sysctl net.ipv6.conf.*.disable_ipv6): leave ${address.text} out`
      : ''
    throw this.#error(errno, 'ioctl', mend || `the address ${address.text} was refused for ${name}`)
  }

  /** All addresses of an interface as bytes, link-local IPv6 ones left out (the kernel makes those itself). */
  addresses(name: string): Uint8Array[] {
    const found = [...this.#ipv4Entries().map(heldIpv4), ...ipv6Entries()]
    return found.filter((entry) => entry.name === name).map(({ bytes }) => bytes)
  }

  /** The addresses of all interfaces that are up, with their prefix lengths; link-local IPv6 ones left out. */
  networks(): HeldAddress[] {
    const found: HeldAddress[] = []
    for (const entry of this.#ipv4Entries()) {
      const held = heldIpv4(entry)
      if (!this.#isUp(held.name)) continue
      // The entry names label and address, so this is the mask of just this address; without one (it went meanwhile) it stands alone.
      const mask = this.#libc.ioctl(this.#fd, SIOCGIFNETMASK, entry) < 0 ? 0xffffffff : entry.readUInt32BE(20)
      found.push({ ...held, prefixLength: mask === 0xffffffff ? 32 : Math.clz32(~mask) })
    }
    return [...found, ...ipv6Entries().filter(({ name }) => this.#isUp(name))]
  }

  /** A copy of each struct ifreq that SIOCGIFCONF tells: label and IPv4 address. */
  #ipv4Entries(): Buffer[] {
    const buffer = Buffer.alloc(IFREQ_BYTES * 1024)
    const conf = Buffer.alloc(16) // struct ifconf: length, padding, pointer
    conf.writeInt32LE(buffer.length, 0)
    conf.writeBigUInt64LE(BigInt(this.#libc.addressOf(buffer)), 8)
    this.#call(SIOCGIFCONF, conf, 'no list of addresses')
    const count = conf.readInt32LE(0) / IFREQ_BYTES
    return Array.from({ length: count }, (_, i) => Buffer.from(buffer.subarray(i * IFREQ_BYTES, (i + 1) * IFREQ_BYTES)))
  }

  #isUp(name: string): boolean {
    const request = ifreq(name)
    return this.#libc.ioctl(this.#fd, SIOCGIFFLAGS, request) >= 0 && (request.readUInt16LE(IFREQ_VALUE) & IFF_UP) !== 0
  }

  #call(request: number, argument: Uint8Array, what: string): void {
    if (this.#libc.ioctl(this.#fd, request, argument) < 0) throw this.#error(this.#libc.errno(), 'ioctl', what)
  }

  #error(errno: number, syscall: string, what: string): SystemError {
    return systemError(errno, syscall, errno === ERRNO.EPERM ? `${what}: ${NEEDS_ADMIN}` : what)
  }
}

/** An address that an interface of this namespace has. */
export interface HeldAddress {
  /** Of the interface, without a label's number. */
  readonly name: string
  /** 4 or 16 bytes in network order. */
  readonly bytes: Uint8Array
  readonly prefixLength: number
}

function heldIpv4(entry: Buffer): HeldAddress {
  const name = entry.toString('latin1', 0, 16).replace(/[:\0].*$/s, '')
  return { name, bytes: Uint8Array.from(entry.subarray(20, 24)), prefixLength: 32 }
}

function ipv6Entries(): (HeldAddress & { readonly flags: number })[] {
  let table: string
  try {
    table = readFileSync('/proc/net/if_inet6', 'latin1')
  } catch {
    return [] // a kernel without IPv6
  }
  // address, index, prefix length, scope, flags, name
  const lines = table.split('\n').map((line) => line.trim().split(/\s+/))
  const global = lines.filter((fields) => fields.length === 6 && !/^fe[89ab]/.test(fields[0]))
  return global.map((fields) => ({
    name: fields[5],
    bytes: Uint8Array.from(Buffer.from(fields[0], 'hex')),
    prefixLength: Number.parseInt(fields[2], 16),
    flags: Number.parseInt(fields[4], 16),
  }))
}

/**
 * Waits until the interface's IPv6 addresses can be used. Linux marks a new address tentative (RFC 4862 §5.4) and clears the mark a
 * little later, on TUN devices too, where no duplicate can be; a connection made meanwhile fails with EADDRNOTAVAIL or takes the
 * link-local address. Blocks, normally for a few milliseconds, at most 500.
 */
export function waitForIpv6(name: string): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  for (let i = 0; i < WAIT_ROUNDS; i++) {
    if (!ipv6Entries().some((entry) => entry.name === name && (entry.flags & IFA_F_TENTATIVE) !== 0)) return
    Atomics.wait(sleeper, 0, 0, 1)
  }
}

/**
 * Brings the loopback interface up, which a fresh network namespace has down.
 * @throws {SystemError} EPERM without CAP_NET_ADMIN
 */
export function bringUpLoopback(): void {
  const control = new InterfaceControl()
  try {
    control.setUp('lo')
  } finally {
    control.close()
  }
}
