// What the kernel's TCP of this namespace counts (nstat): to explain a cell, not to judge it.

import { readFileSync } from 'node:fs'

/** The counters that tell of recovery, as nstat names them without their prefix. */
export const COUNTERS = [
  'TCPTimeouts',
  'TCPLossProbes',
  'TCPSpuriousRTOs',
  'TCPFullUndo',
  'TCPPartialUndo',
  'TCPDSACKUndo',
  'TCPLossUndo',
  'TCPSackRecovery',
  'TCPLostRetransmit',
  'TCPFastRetrans',
  'TCPSlowStartRetrans',
] as const

/** A reading of them. */
export type KernelCounters = Readonly<Record<(typeof COUNTERS)[number], number>>

/** Reads them, of all connections of this namespace since it began. */
export function readKernelCounters(): KernelCounters {
  const lines = readFileSync('/proc/net/netstat', 'latin1').split('\n')
  const [names, values] = lines.filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '))
  const read = (name: string): [string, number] => [name, Number(values[names.indexOf(name)] ?? Number.NaN)]
  return Object.fromEntries(COUNTERS.map(read)) as KernelCounters
}

/** What has been counted between two readings. */
export function countedBetween(from: KernelCounters, to: KernelCounters): KernelCounters {
  return Object.fromEntries(COUNTERS.map((name) => [name, to[name] - from[name]])) as KernelCounters
}
