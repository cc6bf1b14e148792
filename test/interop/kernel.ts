// Linux's TCP as the other side, and as the judge: its sockets by remote control (peer/peer.py), its counters (nstat), what it knows of a
// connection (ss), further network namespaces, and tshark's reading of a capture.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { run } from './helpers.ts'

/** An answer of the kernel's: what an operation of peer.py returns. */
export interface PeerAnswer {
  readonly fd: number
  readonly port: number
  readonly bytes: number
  readonly sha256: string
  readonly text: string
  readonly done: number
  readonly errors: Readonly<Record<string, number>>
}

/** Sockets of the kernel's, each operation as peer/peer.py has it. What fails rejects with an Error whose message is the errno's name. */
export class KernelPeer {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (answer: PeerAnswer) => void; reject: (error: Error) => void }>()
  #next = 1

  /** @param prefix runs python3 by this command, as one that enters a namespace */
  constructor(prefix: readonly string[] = []) {
    const [command, ...args] = [...prefix, 'python3', join(import.meta.dirname, 'peer/peer.py')]
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#answer(line))
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('peer.py has ended'))
    })
  }

  call(op: string, args: Record<string, unknown> = {}): Promise<PeerAnswer> {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.stdin!.write(JSON.stringify({ id, op, ...args }) + '\n')
    })
  }

  /** A listening socket and a connection from it: what a server does first. */
  async acceptOn(host: string, port: number, options: object = {}): Promise<{ accepted: Promise<PeerAnswer> }> {
    const { fd } = await this.call('listen', { host, port, options })
    return { accepted: this.call('accept', { fd }).finally(() => this.call('close', { fd })) }
  }

  /** What an operation fails with, as 'ECONNRESET'; '' when it does not. */
  async errorOf(op: string, args: Record<string, unknown> = {}): Promise<string> {
    return this.call(op, args).then(
      () => '',
      (error: Error) => error.message,
    )
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.stdin!.end()
    await gone
  }

  #answer(line: string): void {
    const { id, ok, error } = JSON.parse(line) as { id: number; ok?: PeerAnswer; error?: string }
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error !== undefined) waiting?.reject(new Error(error))
    else waiting?.resolve(ok!)
  }
}

/** A network namespace of its own, with loopback up, that lasts until it is stopped. */
export class Namespace {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async make(): Promise<Namespace> {
    const child = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo ready && exec sleep 600'])
    await once(child.stdout!, 'data')
    return new Namespace(child)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** The command that runs what follows it inside. */
  get prefix(): string[] {
    return ['nsenter', '-t', String(this.pid), '-n']
  }

  stop(): void {
    this.#child.kill()
  }
}

/** Runs a command of a few words, each without spaces, and returns what it printed. @throws when it fails */
export function sh(line: string, prefix: readonly string[] = []): string {
  const [command, ...args] = [...prefix, ...line.split(' ')]
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 })
}

/**
 * Ends connections of the kernel that nobody has a socket for any more: a test before this one took their device away, and their timeouts
 * would count among those of this test.
 */
export function endOrphans(): void {
  sh('ss -K -tn state fin-wait-1 state closing state last-ack')
}

/** The kernel's counters of this namespace, or of another, by nstat's names. */
export function kernelCounters(prefix: readonly string[] = []): Record<string, number> {
  const { kernel } = JSON.parse(sh('nstat -azsj', prefix)) as { kernel: Record<string, number> }
  return kernel
}

/** By how much each counter has grown since `before`; those that have not are left out. */
export function grownSince(before: Record<string, number>, prefix: readonly string[] = []): Record<string, number> {
  const now = kernelCounters(prefix)
  const grown = Object.keys(now).map((name) => [name, now[name] - (before[name] ?? 0)] as const)
  return Object.fromEntries(grown.filter(([, by]) => by !== 0))
}

/**
 * Counters that a peer which follows the rules never moves, on any link. TCPDSACKIgnoredOld and -NoUndo are not among them: after a pause of
 * ours of 8 ms the kernel probes for a lost tail, and is rightly told that the probe was a duplicate.
 */
export const NEVER_GROW = [
  'TcpInErrs TcpInCsumErrors TcpExtTCPSACKDiscard TcpExtTCPDSACKIgnoredDubious',
  'TcpExtPAWSEstab TcpExtPAWSActive TcpExtTSEcrRejected TcpExtTCPChallengeACK TcpExtTCPSYNChallenge TcpExtTCPACKSkippedSynRecv',
  'TcpExtTCPACKSkippedPAWS TcpExtTCPACKSkippedSeq TcpExtTCPACKSkippedFinWait2 TcpExtTCPACKSkippedTimeWait TcpExtTCPACKSkippedChallenge',
  'TcpExtBeyondWindow TcpExtTCPZeroWindowDrop TcpExtOutOfWindowIcmps TcpExtTCPAbortOnTimeout TcpExtTCPAbortFailed TcpExtTCPSACKReneging',
  'TcpExtTCPRcvQDrop TcpExtTCPMD5Unexpected TcpExtTCPMemoryPressures TcpExtListenDrops TcpExtListenOverflows TcpExtSyncookiesSent',
]
  .join(' ')
  .split(' ')

/** Counters that stand still as well when the link loses and reorders nothing. */
export const CLEAN_LINK = [
  'TcpRetransSegs TcpExtTCPLostRetransmit TcpExtTCPTimeouts TcpExtTCPOFOQueue TcpExtTCPOFOMerge TcpExtTCPOFODrop TcpExtTCPDSACKRecv',
  'TcpExtTCPDSACKOfoRecv TcpExtTCPDSACKOldSent TcpExtTCPDSACKOfoSent TcpExtTCPSpuriousRTOs TcpExtTCPLossProbes TcpExtTCPSACKRecovery',
  'TcpExtTCPRenoRecovery TcpExtTCPSACKReorder TcpExtTCPTSReorder TcpExtTCPSlowStartRetrans TcpExtTCPFastRetrans TcpExtTCPSynRetrans',
]
  .join(' ')
  .split(' ')

/** Of what has grown since `before`, those named. */
export function grownOf(names: readonly string[], before: Record<string, number>, prefix: readonly string[] = []) {
  return Object.fromEntries(Object.entries(grownSince(before, prefix)).filter(([name]) => names.includes(name)))
}

/** What the kernel knows of its TCP sockets that match, each in one line. */
export function ss(filter: string, prefix: readonly string[] = []): string {
  return sh(`ss -tinemoOHa ${filter}`, prefix).trim()
}

/** Waits until something holds; fails after `limitMs`, saying what was seen last. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  holds: (seen: T) => boolean,
  limitMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (Date.now() > deadline) throw new Error(`not in ${limitMs} ms; last seen: ${String(seen)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** tshark's reading of a capture: the named fields of each packet that passes the filter. Checksums are verified. */
export async function tshark(pcap: string, filter: string, fields: readonly string[] = []): Promise<string[][]> {
  const only = [
    '-o',
    'tcp.desegment_tcp_streams:FALSE',
    '-o',
    'tcp.check_checksum:TRUE',
    '-o',
    'ip.check_checksum:TRUE',
    '-o',
    'udp.check_checksum:TRUE',
  ]
  const shown = fields.length === 0 ? [] : ['-T', 'fields', ...fields.flatMap((field) => ['-e', field])]
  const got = await run('tshark', ['-n', ...only, '-r', pcap, '-Y', filter, ...shown])
  if (got.code !== 0) throw new Error(got.stderr)
  return got.text === '' ? [] : got.text.split('\n').map((line) => line.split('\t'))
}

/** What tshark must never find in packets of ours. */
export const MALFORMED =
  '_ws.malformed || tcp.option.len.invalid || tcp.bogus_header_length || tcp.short_segment || tcp.ack.nonzero || ' +
  'tcp.urgent_pointer.non_zero || tcp.non_zero_bytes_after_eol || tcp.checksum.status==0 || ip.checksum.status==0'

/** What it must not find either when the link loses and reorders nothing. */
export const UNCLEAN =
  'tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission || ' +
  'tcp.analysis.out_of_order || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.duplicate_ack || ' +
  'tcp.analysis.reused_ports'
