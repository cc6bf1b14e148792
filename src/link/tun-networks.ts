// Which networks the interfaces of this namespace have, so that a new one takes none of them: with two routes to one network the kernel
// uses the older, and nothing would ever reach the new device.
// Owns: the comparison, a network to propose instead, the error. Does not own: the list (tun-interface.ts), the device (tun-open.ts).
// Read first: ip-route(8).

import { ERRNO, type SystemError, systemError } from './libc.ts'
import type { HeldAddress, KernelAddress } from './tun-interface.ts'

/** A refusal of openTun that a program can put into words of its own. */
export interface TunRefusal extends SystemError {
  /** What is wrong, without a mend. */
  what: string
  /** A network that no interface has, as `10.78.0.0/24` or `fd78::/64`; null when the network is not what is wrong. */
  freeNetwork: string | null
}

/** Builds a TunRefusal; its message is `what: mend`. */
export function tunRefusal(
  errno: number,
  syscall: string,
  what: string,
  mend: string,
  freeNetwork: string | null = null,
): TunRefusal {
  return Object.assign(systemError(errno, syscall, `${what}: ${mend}`), { what, freeNetwork })
}

/**
 * Refuses a network that overlaps that of another interface. An interface whose prefix length is 0 is not counted: it has everything.
 * @param name of the interface that gets the addresses; its own do not count
 * @throws {TunRefusal} EADDRINUSE
 */
export function checkNetworks(name: string, wanted: readonly KernelAddress[], held: readonly HeldAddress[]): void {
  const others = held.filter((other) => other.name !== name && other.prefixLength > 0)
  for (const address of wanted) {
    const taken = others.find((other) => overlaps(address, other))
    if (taken === undefined) continue
    const free = freeNetwork(address.family, held)
    const what = `another interface, ${taken.name}, has ${networkText(taken)} already`
    throw tunRefusal(ERRNO.EADDRINUSE, 'open', what, `choose another network, as ${free}`, free)
  }
}

/** A network that overlaps none of those held: the first of 10.77.0.0/24, 10.78.0.0/24, ..., or of fd77::/64, fd78::/64, ... */
export function freeNetwork(family: 4 | 6, held: readonly HeldAddress[]): string {
  const isFree = (candidate: Network): boolean =>
    !held.some((other) => other.prefixLength > 0 && overlaps(candidate, other))
  const found = (family === 4 ? ipv4Candidates() : ipv6Candidates()).find(isFree)
  return networkText(found ?? (family === 4 ? ipv4Candidates()[0] : ipv6Candidates()[0]))
}

interface Network {
  readonly bytes: Uint8Array
  readonly prefixLength: number
}

/** 10.x, then what the other private ranges have (RFC 1918 §3), for machines that have all of 10.0.0.0/8. */
function ipv4Candidates(): Network[] {
  const tens = Array.from({ length: 23 }, (_, i) => [10, 77 + i, 0, 0])
  return [...tens, [172, 31, 77, 0], [192, 168, 77, 0]].map((bytes) => ({
    bytes: Uint8Array.from(bytes),
    prefixLength: 24,
  }))
}

function ipv6Candidates(): Network[] {
  return Array.from({ length: 23 }, (_, i) => {
    const bytes = new Uint8Array(16)
    // fd77, fd78, ...: written as hexadecimal digits that read like decimal ones
    bytes.set([0xfd, Number.parseInt(String(77 + i), 16)])
    return { bytes, prefixLength: 64 }
  })
}

function overlaps(a: Network, b: Network): boolean {
  if (a.bytes.length !== b.bytes.length) return false
  const bits = Math.min(a.prefixLength, b.prefixLength)
  const one = masked(a.bytes, bits)
  const other = masked(b.bytes, bits)
  return one.every((byte, i) => byte === other[i])
}

/** The first `bits` bits, the others 0. */
function masked(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))))
}

function networkText({ bytes, prefixLength }: Network): string {
  const network = masked(bytes, prefixLength)
  if (network.length === 4) return `${network.join('.')}/${prefixLength}`
  const groups = Array.from({ length: 8 }, (_, i) => ((network[2 * i] << 8) | network[2 * i + 1]).toString(16))
  return `${groups.join(':').replace(/(?:^|:)0(?::0)+$/, '::')}/${prefixLength}`
}
