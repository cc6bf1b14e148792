// What a script's options say about a run: addresses, tolerance, ports.
// Owns: the options that mean something here, and those that are accepted without meaning anything. Does not own: definitions (parser.ts).

import type { Micros } from '../base/time.ts'
import { parseCidr } from '../ip/address.ts'
import type { Script } from './ast.ts'
import type { Ends } from './target.ts'

/** How a run judges, from the command line; what is absent is the script's to say. */
export interface RunOptions {
  readonly semantic?: boolean
  readonly toleranceUs?: Micros
  /** The longest that `*` waits for a packet. Default 60 s. */
  readonly patienceUs?: Micros
  /** Judges nothing, and takes down what happens: ScriptResult.recorded. With the windows of packets, or without. */
  readonly record?: 'windows' | 'plain'
  /** Reads a file of commands that a script names; null when there is none. Without it none is read. */
  readonly readFile?: (name: string) => string | null
  /** Options of the command line: they stand above the script's own. */
  readonly overrides?: Readonly<Record<string, string>>
}

/** What a run is bound by. */
export interface RunSettings {
  readonly semantic: boolean
  readonly toleranceUs: Micros
  /** Percent of the time since the event before, if that is more. */
  readonly tolerancePercent: number
  readonly patienceUs: Micros
  readonly stampTickUs: Micros
  readonly ends: Ends
  /** The family of the script's sockets: 4 or 6; 6 too for IPv4-mapped addresses. */
  readonly socketFamily: 4 | 6
  readonly bindPort: number
  readonly connectPort: number
  /** Files of commands that are read before the script's first line: --init_scripts. */
  readonly initScripts: readonly string[]
  /** Whether a packet, or a call, that is not as expected is only told: --non_fatal=packet,syscall. */
  readonly isPacketFatal: boolean
  readonly isCallFatal: boolean
  /** Options that are not known. */
  readonly warnings: readonly string[]
}

const DEFAULT_TOLERANCE_US = 4000
const DEFAULT_PERCENT = 1
const DEFAULT_PATIENCE_US = 60_000_000
const DEFAULT_PORT = 8080

const DEFAULT_ENDS = {
  4: { local: '192.168.0.1', prefixLength: 16, remote: '192.0.2.1' },
  6: { local: 'fd3d:a0b:17d6::1', prefixLength: 64, remote: '2001:db8::1' },
} as const

/** Options of the original that have no meaning here, and need none. */
const WITHOUT_MEANING = new Set([
  'send_omit_free',
  'is_anyip',
  'dry_run',
  'verbose',
  'so_filename',
  'so_flags',
  'speed',
  'gateway_ip',
  'wire_client',
  'wire_server',
  'wire_server_at',
  'wire_server_port',
  'wire_client_dev',
  'wire_server_dev',
  'code_command',
  'code_format',
  'code_sockopt',
  'strict_segments',
  'define',
  'persistent_tun_dev',
  'tun_dev',
  'mss',
  'debug',
  'hexdump_packets',
  'ip_prefix_length',
  'code',
  'ts_tick_usecs',
  'tun_dev_name',
  'ip_family',
  'test_name',
])

/** Reads the options of a script. @throws {RangeError} naming the option whose value cannot be meant */
export function settingsOf(script: Script, run: RunOptions): RunSettings {
  const values = new Map<string, string>()
  const warnings: string[] = []
  for (const { name, value, line } of script.options) {
    values.set(name, value)
    if (!KNOWN.has(name) && !WITHOUT_MEANING.has(name))
      warnings.push(`line ${line}: option --${name} is not known: ignored`)
  }
  for (const [name, value] of Object.entries(run.overrides ?? {})) values.set(name, value)
  const whole = (name: string, otherwise: number): number => {
    const text = values.get(name)
    if (text === undefined) return otherwise
    const value = Number(text)
    if (!(value >= 0 && value < 2 ** 32)) throw new RangeError(`--${name}=${text}: a number is needed`)
    return value
  }
  const encapsulation = values.get('udp_encaps') ?? 'none'
  if (encapsulation !== 'none') throw new RangeError(`--udp_encaps=${encapsulation}: packets in UDP are not supported`)
  const version = values.get('ip_version') ?? 'ipv4'
  if (!['ipv4', 'ipv6', 'ipv4-mapped-ipv6'].includes(version)) {
    throw new RangeError(`--ip_version=${version}: ipv4, ipv6 or ipv4-mapped-ipv6`)
  }
  return {
    semantic: run.semantic ?? false,
    toleranceUs: run.toleranceUs ?? whole('tolerance_usecs', DEFAULT_TOLERANCE_US),
    tolerancePercent: whole('tolerance_percent', DEFAULT_PERCENT),
    patienceUs: run.patienceUs ?? DEFAULT_PATIENCE_US,
    stampTickUs: whole('tcp_ts_tick_usecs', whole('ts_tick_usecs', 0)),
    ends: endsOf(version === 'ipv6' ? 6 : 4, values, whole('mtu', 1500)),
    socketFamily: version === 'ipv4' ? 4 : 6,
    bindPort: whole('bind_port', DEFAULT_PORT),
    connectPort: whole('connect_port', DEFAULT_PORT),
    initScripts: words(values.get('init_scripts')),
    isPacketFatal: !words(values.get('non_fatal')).includes('packet'),
    isCallFatal: !words(values.get('non_fatal')).includes('syscall'),
    warnings,
  }
}

const words = (text = ''): string[] => text.split(/[\s,]+/).filter((word) => word !== '')

const KNOWN = new Set([
  'tolerance_usecs',
  'tolerance_percent',
  'tcp_ts_tick_usecs',
  'ip_version',
  'local_ip',
  'remote_ip',
  'netmask_ip',
  'mtu',
  'bind_port',
  'connect_port',
  'init_scripts',
  'non_fatal',
  'udp_encaps',
])

function endsOf(family: 4 | 6, values: ReadonlyMap<string, string>, mtu: number): Ends {
  const defaults = DEFAULT_ENDS[family]
  const local = addressOf('local_ip', values.get('local_ip') ?? defaults.local, family)
  const remote = addressOf('remote_ip', values.get('remote_ip') ?? defaults.remote, family)
  let prefixLength: number = local.prefixLength ?? defaults.prefixLength
  const mask = values.get('netmask_ip')
  if (mask !== undefined && family === 4) {
    const bits = mask.split('.').map((part) => Number(part).toString(2).padStart(8, '0'))
    prefixLength = bits.join('').indexOf('0')
    if (prefixLength < 0) prefixLength = 32
  }
  return { family, local: local.text, prefixLength, remote: remote.text, mtu }
}

function addressOf(name: string, text: string, family: 4 | 6): { text: string; prefixLength: number | null } {
  try {
    const { address, prefixLength } = parseCidr(text)
    if (address.family !== family) throw new TypeError(`it is not of IPv${family}`)
    return { text: address.toString(), prefixLength: text.includes('/') ? prefixLength : null }
  } catch (error) {
    throw new RangeError(`--${name}=${text}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
