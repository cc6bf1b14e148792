// A network namespace of this machine's kernel for one script: fresh sysctls, no connection of another script, a TUN device whose other end
// is in our hands. The thread is in it only while a call here runs, so nothing else in the process notices, and several can exist at once.
// Owns: making the namespace, entering it, addresses, routes, sysctls. Does not own: sockets (kernel-calls.ts), packets (kernel-target.ts).
// Read first: network_namespaces(7), setns(2).

import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { bringUpLoopback, openTun, type TunDevice } from '../link/index.ts'
import { systemError } from '../link/libc.ts'
import type { Ends } from '../packetdrill/target.ts'
import { syscall } from './kernel-syscalls.ts'

const CLONE_NEWNET = 0x40000000
const INTERFACE = 'tun0'
/** Where a thread's own namespace is; /proc/self is that of the first thread. */
const OWN_NAMESPACE = '/proc/thread-self/ns/net'

/** Linux's own defaults where a machine has chosen by its memory: window scale and buffers are the same everywhere. */
const STANDARD: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_rmem': '4096 131072 6291456',
  'net.ipv4.tcp_wmem': '4096 16384 4194304',
}

/** BSD's names of what Linux has too. */
const BSD_SYSCTLS: Readonly<Record<string, readonly string[]>> = {
  'net.inet.tcp.rfc1323': ['net.ipv4.tcp_timestamps', 'net.ipv4.tcp_window_scaling'],
  'net.inet.tcp.sack.enable': ['net.ipv4.tcp_sack'],
  'net.inet.tcp.ecn.enable': ['net.ipv4.tcp_ecn'],
}

/** A namespace of its own with a TUN device in it. */
export class KernelNetwork {
  readonly device: TunDevice
  readonly #namespace: number
  readonly #ends: Ends
  #congestion = 'cubic'
  /** What else the routes say, by word. */
  readonly #routeWords = new Map<string, string>()

  /**
   * @param isSegmentWise whether TCP decides for each segment anew, rather than for super-segments that are cut up before the device
   * @throws {SystemError} EPERM without the privilege for a namespace, or what a TUN device fails of
   */
  constructor(ends: Ends, isSegmentWise: boolean) {
    this.#ends = ends
    const before = openSync(OWN_NAMESPACE, 'r')
    try {
      const { value, errno } = syscall('unshare', CLONE_NEWNET)
      if (value < 0) {
        const mend = 'a network namespace needs CAP_SYS_ADMIN: run with sudo, or under `unshare -Urn`'
        throw systemError(errno, 'unshare', mend)
      }
      this.#namespace = openSync(OWN_NAMESPACE, 'r')
      try {
        quietIpv6(ends.family)
        for (const [name, value] of Object.entries(STANDARD)) writeSysctl(name, value)
        this.device = openTun({
          name: INTERFACE,
          addresses: [`${ends.local}/${ends.prefixLength}`],
          mtu: ends.mtu,
          offload: false,
        })
        bringUpLoopback()
        this.#setRoutes('cubic', isSegmentWise ? [`link set dev ${INTERFACE} gso_max_segs 1`] : [])
      } catch (error) {
        closeSync(this.#namespace)
        throw error
      }
    } finally {
      enter(before)
      closeSync(before)
    }
  }

  /** Runs `work` with this thread in the namespace. Nothing in it may wait for anything. */
  inside<T>(work: () => T): T {
    const before = openSync(OWN_NAMESPACE, 'r')
    try {
      enter(this.#namespace)
      return work()
    } finally {
      enter(before)
      closeSync(before)
    }
  }

  /** Writes a sysctl of the namespace; returns why it cannot, or null. Never writes anything that the whole machine shares. */
  setSysctl(name: string, value: string): string | null {
    if (name.startsWith('route.')) return this.#setRouteWord(name.slice('route.'.length), value)
    const names = BSD_SYSCTLS[name] ?? [name]
    if (name === 'net.ipv4.tcp_congestion_control') return this.inside(() => this.#trySetRoutes(value))
    for (const one of names) {
      // Outside net/ there is one value for the whole machine; what in net/ is shared too, a namespace other than the first cannot write.
      if (!/^net\.[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(one)) return `${one} is no sysctl of a network namespace`
      const why = this.inside(() => writeSysctl(one, value))
      if (why !== null) return why
    }
    return null
  }

  /** The value of a sysctl, or null when there is none of this name. */
  sysctl(name: string): string | null {
    try {
      return this.inside(() => readFileSync(sysctlPath(name), 'latin1').trim())
    } catch {
      return null
    }
  }

  /** Removes the device. The namespace goes away with the last socket in it. */
  close(): void {
    this.device.close()
    closeSync(this.#namespace)
  }

  /** What a script says of its route: `initcwnd 4`. */
  #setRouteWord(word: string, value: string): string | null {
    if (word === 'congctl') return this.inside(() => this.#trySetRoutes(value))
    if (!/^[a-z_]+$/.test(word) || !/^[\w.]+$/.test(value)) return `${word} ${value} is nothing that a route says`
    this.#routeWords.set(word, value)
    return this.inside(() => this.#trySetRoutes(this.#congestion))
  }

  #trySetRoutes(congestion: string): string | null {
    try {
      this.#setRoutes(congestion)
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Everything goes to the device. Congestion control by route, since a namespace may choose only what the machine has for all. */
  #setRoutes(congestion: string, more: readonly string[] = []): void {
    this.#congestion = congestion
    const { family, remote } = this.#ends
    const words = [...this.#routeWords].map(([word, value]) => ` ${word} ${value}`).join('')
    const destinations = ['default', `${remote}/${family === 4 ? 32 : 128}`]
    const lines = destinations.map((to) => `route replace ${to} dev ${INTERFACE} congctl ${congestion}${words}`)
    const options = { input: `${[...lines, ...more].join('\n')}\n`, encoding: 'utf8', timeout: 10_000 } as const
    const { status, stderr, error } = spawnSync('ip', [`-${family}`, '-batch', '-'], options)
    if (status !== 0) throw new Error(`ip route (iproute2): ${error?.message ?? stderr.trim().split('\n')[0]}`)
  }
}

function enter(namespace: number): void {
  const { value, errno } = syscall('setns', namespace, CLONE_NEWNET)
  if (value < 0) throw systemError(errno, 'setns', 'the network namespace cannot be entered')
}

/** No packet but the script's: no router solicitations, no duplicate address detection, no IPv6 at all where the script has none. */
function quietIpv6(family: 4 | 6): void {
  const wanted = { accept_dad: 0, router_solicitations: 0, addr_gen_mode: 1, disable_ipv6: family === 4 ? 1 : 0 }
  for (const [name, value] of Object.entries(wanted)) writeSysctl(`net.ipv6.conf.default.${name}`, String(value))
}

function sysctlPath(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`
}

function writeSysctl(name: string, value: string): string | null {
  try {
    writeFileSync(sysctlPath(name), value)
    return null
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === 'ENOENT' || code === 'EACCES'
      ? `this kernel has no sysctl ${name} that a network namespace may set`
      : `${name} = ${value}: ${code}`
  }
}
