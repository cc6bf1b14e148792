// Whether a packet that was sent is the one that the script expects: strictly, as the language's authors mean it, or semantically.
// Owns: the comparison and its words, pieces of one script packet in several live ones and the other way round. Does not own: when a
// packet is due (timing.ts), which connection it belongs to (runner.ts).
//
// Strict: flags with PSH, numbers, length, options and their order; the window, ECN, ttl and tos where they are written.
// Semantic: without window, PSH, order and padding of options, and the values of timestamps and window scale.

import { PROTOCOL } from '../ip/header.ts'
import { FLAG } from '../tcp/header.ts'
import type { EcnMark, IcmpSpec, IpSpec, OptionSpec, PacketAction, TcpSpec } from './ast.ts'
import type { Flow } from './flow.ts'
import { formatFlagBits, formatOption, type LiveIcmp, type LivePacket, type LiveTcp } from './live-packet.ts'
import { icmpOf } from './packet-build.ts'

/** How strictly packets are compared. */
export interface MatchRules {
  readonly semantic: boolean
  /** Length of one tick of the timestamp clock; 0: values of timestamps are not looked at, as in the original. */
  readonly stampTickUs: number
  readonly toleranceUs: number
}

/**
 * What a live packet is to an expected one: all of it, its first `octets` (more live packets make up the rest), more than it (its tail is
 * for the next script packets), or different, and in what.
 */
export type Match =
  | { readonly kind: 'whole' }
  | { readonly kind: 'piece' | 'surplus'; readonly octets: number }
  | { readonly kind: 'different'; readonly differences: readonly string[] }

const LAST_ONLY = FLAG.PSH | FLAG.FIN

/**
 * Compares a segment with what is expected; `flow` must know the ISN of the side under test.
 * @param live as on the wire
 * @param segmentBytes the most octets of text in one packet; longer ones may be split or joined
 */
export function matchTcp(
  spec: TcpSpec,
  live: LiveTcp,
  flow: Flow,
  rules: MatchRules,
  segmentBytes: number,
  isPushFree = false,
): Match {
  const differences: string[] = []
  const say = (what: string, actual: number | string, expected: number | string): void => {
    if (actual !== expected) differences.push(`${what} ${actual}, expected ${expected}`)
  }
  say('sequence number', flow.toScript(live.seq), spec.seq)
  if (spec.ack >= 0) say('acknowledgement', live.ack, spec.ack)
  if (spec.window >= 0 && !rules.semantic) say('window', live.window, spec.window)
  if (spec.urgent >= 0 || (live.flags & FLAG.URG) !== 0) say('urgent pointer', live.urgent, Math.max(0, spec.urgent))
  if (spec.options !== null) differences.push(...compareOptions(spec.options, live.options, flow, rules))
  const shape = shapeOf(spec, live, segmentBytes)
  if (shape.kind === 'different') say('length', live.length, spec.length)
  const ignored = rules.semantic || isPushFree ? FLAG.PSH : 0
  let expectedFlags = spec.flags & ~ignored
  let actualFlags = live.flags & ~ignored
  // Within text that comes in other packets than it is written down in, PSH says where Linux has cut: that goes by the pace.
  if (shape.kind === 'piece') {
    expectedFlags &= ~LAST_ONLY
    actualFlags &= ~FLAG.PSH
  }
  if (shape.kind === 'surplus') {
    expectedFlags &= ~FLAG.PSH
    actualFlags &= ~LAST_ONLY
  }
  say('flags', formatFlagBits(actualFlags), formatFlagBits(expectedFlags))
  return differences.length > 0 ? { kind: 'different', differences } : shape
}

/** How the lengths go together. Text that fits into one packet must come in one. */
function shapeOf(spec: TcpSpec, live: LiveTcp, segmentBytes: number): Match {
  if (live.length === spec.length) return { kind: 'whole' }
  const isSyn = ((live.flags | spec.flags) & FLAG.SYN) !== 0
  if (isSyn || live.length === 0 || spec.length === 0) return { kind: 'different', differences: [] }
  if (live.length < spec.length && spec.length > segmentBytes) return { kind: 'piece', octets: live.length }
  if (live.length > spec.length && live.length > segmentBytes) return { kind: 'surplus', octets: spec.length }
  return { kind: 'different', differences: [] }
}

/** Compares options; differences in words. */
function compareOptions(
  expected: readonly OptionSpec[],
  actual: readonly OptionSpec[],
  flow: Flow,
  rules: MatchRules,
): string[] {
  const mapped = actual.map((option) => optionToScript(option, flow))
  const wanted = rules.semantic ? sorted(expected) : expected
  const found = rules.semantic ? sorted(mapped) : mapped
  const same = wanted.length === found.length && wanted.every((option, i) => sameOption(option, found[i], rules))
  return same ? [] : [`options <${formatOptions(mapped)}>, expected <${formatOptions(expected)}>`]
}

function sorted(options: readonly OptionSpec[]): OptionSpec[] {
  const rest = options.filter(({ kind }) => kind !== 'nop' && kind !== 'eol')
  return rest.sort((a, b) => (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0))
}

/** An option of the side under test in the script's numbers. Its SACK blocks are about the script's own numbers. */
function optionToScript(option: OptionSpec, flow: Flow): OptionSpec {
  return option.kind === 'TS' ? { kind: 'TS', val: flow.stampToScript(option.val), ecr: option.ecr } : option
}

function sameOption(expected: OptionSpec, actual: OptionSpec, rules: MatchRules): boolean {
  if (expected.kind === 'TS' && actual.kind === 'TS') return sameStamps(expected, actual, rules)
  if (expected.kind === 'wscale' && actual.kind === 'wscale' && rules.semantic) return true
  if (expected.kind === 'md5' && actual.kind === 'md5') return true
  if (expected.kind === 'ECN' && actual.kind === 'ECN' && rules.semantic) return sameCounters(expected, actual)
  return formatOption(expected) === formatOption(actual)
}

function sameStamps(
  expected: { readonly val: number; readonly ecr: number },
  actual: { readonly val: number; readonly ecr: number },
  rules: MatchRules,
): boolean {
  if (rules.semantic) return true
  if (expected.ecr >= 0 && expected.ecr !== actual.ecr) return false
  if (expected.val < 0 || rules.stampTickUs === 0) return true
  return Math.abs(expected.val - actual.val) * rules.stampTickUs <= Math.max(rules.toleranceUs, rules.stampTickUs)
}

type Counters = Extract<OptionSpec, { kind: 'ECN' }>

function sameCounters(expected: Counters, actual: Counters): boolean {
  return expected.counters.every(([name, value]) => actual.counters.some(([n, v]) => n === name && v === value))
}

/** Compares what the script says of the IP header; differences in words. */
export function compareIp(spec: IpSpec, live: LivePacket): string[] {
  const differences: string[] = []
  const ecn = live.trafficClass & 3
  if (spec.ecn !== null && !ecnFits(spec.ecn, ecn)) {
    differences.push(`ECN field ${ECN_NAMES[ecn]}, expected ${spec.ecn}`)
  }
  if (spec.trafficClass >= 0 && spec.trafficClass !== live.trafficClass) {
    differences.push(`tos 0x${live.trafficClass.toString(16)}, expected 0x${spec.trafficClass.toString(16)}`)
  }
  if (spec.hopLimit >= 0 && spec.hopLimit !== live.hopLimit) {
    differences.push(`ttl ${live.hopLimit}, expected ${spec.hopLimit}`)
  }
  if (spec.flowLabel >= 0 && spec.flowLabel !== live.flowLabel) {
    differences.push(`flow label ${live.flowLabel}, expected ${spec.flowLabel}`)
  }
  return differences
}

const ECN_NAMES = ['noecn', 'ect1', 'ect0', 'ce'] as const

function ecnFits(mark: EcnMark, ecn: number): boolean {
  return mark === 'ect01' ? ecn === 1 || ecn === 2 : ECN_NAMES[ecn] === mark
}

const formatOptions = (options: readonly OptionSpec[]): string => options.map(formatOption).join(',')

/** A live packet in the script's notation and numbers. */
export function formatLive(live: LivePacket, flow: Flow | null): string {
  const { body } = live
  if (body.kind === 'icmp') return formatLiveIcmp(body)
  if (body.kind === 'udp') return `> udp (${body.length})`
  if (body.kind === 'other') return `> protocol ${body.protocol}`
  const seq = flow === null ? body.seq : flow.toScript(body.seq)
  const options = body.options.map((option) => (flow === null ? option : optionToScript(option, flow)))
  const parts = ['>']
  if ((live.trafficClass & 3) !== 0) parts.push(`[${ECN_NAMES[live.trafficClass & 3]}]`)
  parts.push(formatFlagBits(body.flags), `${seq}:${(seq + body.length) % 2 ** 32}(${body.length})`)
  if ((body.flags & FLAG.ACK) !== 0) parts.push(`ack ${body.ack}`)
  parts.push(`win ${body.window}`)
  if ((body.flags & FLAG.URG) !== 0) parts.push(`urg ${body.urgent}`)
  if (options.length > 0) parts.push(`<${formatOptions(options)}>`)
  return parts.join(' ')
}

/** A packet of a script in its own notation, without what the script has left out. */
export function formatSpec(action: PacketAction): string {
  const { body } = action
  const arrow = action.direction === 'in' ? '<' : '>'
  if (body.kind === 'udp') return `${arrow} udp (${body.length})`
  if (body.kind === 'icmp') return `${arrow} ${formatIcmpSpec(body)}`
  const parts = [arrow]
  if (action.ip.ecn !== null) parts.push(`[${action.ip.ecn}]`)
  parts.push(formatFlagBits(body.flags), `${body.seq}:${(body.seq + body.length) % 2 ** 32}(${body.length})`)
  if (body.ack >= 0) parts.push(`ack ${body.ack}`)
  if (body.window >= 0) parts.push(`win ${body.window}`)
  if (body.urgent >= 0) parts.push(`urg ${body.urgent}`)
  if (body.options === null) parts.push('<...>')
  else if (body.options.length > 0) parts.push(`<${formatOptions(body.options)}>`)
  return parts.join(' ')
}

/** Compares an ICMP message with what is expected: type and code, and of the rest what is written. Differences in words. */
export function compareIcmp(spec: IcmpSpec, live: LiveIcmp, family: 4 | 6): string[] {
  const differences: string[] = []
  const say = (what: string, actual: number, expected: number): void => {
    if (actual !== expected) differences.push(`${what} ${actual}, expected ${expected}`)
  }
  const wanted = icmpOf(spec, family)
  say('type', live.type, wanted.type)
  say('code', live.code, wanted.code)
  if (spec.mtu >= 0) say('MTU', live.mtu, spec.mtu)
  if (spec.identifier >= 0) say('identifier', live.identifier, spec.identifier)
  if (spec.sequence >= 0) say('number', live.sequence, spec.sequence)
  if (spec.type.startsWith('echo_')) say('length', live.length, spec.length)
  if (spec.quoted === '') return differences
  if (live.quoted === null) return [...differences, 'it quotes no packet']
  say('quoted protocol', live.quoted.protocol, spec.quoted === 'udp' ? PROTOCOL.UDP : PROTOCOL.TCP)
  if (spec.quoted === 'tcp') say('quoted sequence number', live.quoted.seq, spec.seq)
  say('quoted length', live.quoted.length, spec.length)
  return differences
}

function formatLiveIcmp({ type, code, mtu, quoted, identifier, sequence, length }: LiveIcmp): string {
  const parts = [`> icmp type ${type} code ${code}`]
  if (mtu > 0) parts.push(`mtu ${mtu}`)
  if (quoted === null) parts.push(`id ${identifier} seq ${sequence} (${length})`)
  else if (quoted.protocol === PROTOCOL.UDP) parts.push(`[udp (${quoted.length})]`)
  else parts.push(`[${quoted.seq}:${(quoted.seq + quoted.length) % 2 ** 32}(${quoted.length})]`)
  return parts.join(' ')
}

function formatIcmpSpec(spec: IcmpSpec): string {
  const parts = ['icmp', spec.type]
  if (spec.code !== '') parts.push(spec.code)
  if (spec.mtu >= 0) parts.push(`mtu ${spec.mtu}`)
  if (spec.identifier >= 0) parts.push(`id ${spec.identifier}`)
  if (spec.sequence >= 0) parts.push(`seq ${spec.sequence}`)
  if (spec.type.startsWith('echo_')) parts.push(`(${spec.length})`)
  else if (spec.quoted === 'udp') parts.push(`[udp (${spec.length})]`)
  else parts.push(`[${spec.seq}:${(spec.seq + spec.length) % 2 ** 32}(${spec.length})]`)
  return parts.join(' ')
}
