// `tunstack ping ADDRESS`: echo requests from our stack, with the lines and the exit status of iputils' ping.
// Owns: the command, the rhythm of requests. Does not own: ICMP (src/ip), matching replies (net/ping.ts), the texts (ping-stats.ts).
// Exit status: 0 with an answer, 1 without one, 2 when nothing could be sent. Ctrl-C is a normal end: the summary follows.

import { Command, Option } from 'commander'
import { type Micros, SECOND } from '../base/time.ts'
import type { EchoError } from '../ip/control.ts'
import type { Host, PingError } from '../net/index.ts'
import { parseLiteral } from '../net/options.ts'
import { codeOf, EXIT, messageOf, usageError } from './errors.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { type OpenedHost, openHost } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { errorLine, type PingReply, PingStats, pingTitle, replyLine, summaryLines } from './ping-stats.ts'
import { print, printError } from './print.ts'
import { parseSeconds, parseWhole, valueOption } from './read-options.ts'

/** Most data bytes of a request: 65,535 of an IP packet without its headers. */
const MAX_PAYLOAD = 65_507

interface PingSettings {
  readonly host: HostSettings
  /** Requests to send; Infinity until interrupted. */
  readonly count: number
  readonly intervalUs: Micros
  readonly payloadBytes: number
  readonly timeoutUs: Micros
  /** Hop limit of the requests; null: the host's. */
  readonly hopLimit: number | null
}

/** The command `ping`. */
export function pingCommand(): Command {
  const command = new Command('ping')
    .summary('send echo requests')
    .description('Sends ICMP echo requests to ADDRESS from a stack of its own behind a TUN device.')
    .argument('<address>', 'IPv4 or IPv6 address')
    .addOption(valueOption('-c, --count <n>', 'stop after so many requests', (text) => parseWhole(text, 1, 2 ** 31)))
    .addOption(
      valueOption('-i, --interval <seconds>', 'between two requests', (text) => parseSeconds(text, 0.001)).default(1),
    )
    .addOption(
      valueOption('-s, --size <bytes>', 'data in each request', (text) => parseWhole(text, 0, MAX_PAYLOAD)).default(56),
    )
    .addOption(
      valueOption('-W, --timeout <seconds>', 'wait so long for each answer', (text) =>
        parseSeconds(text, 0.001),
      ).default(2),
    )
  command.addOption(valueOption('-t, --ttl <hops>', 'hop limit of the requests', (text) => parseWhole(text, 1, 255)))
  command.addOption(new Option('-4', 'ADDRESS is one of IPv4').conflicts('6'))
  command.addOption(new Option('-6', 'ADDRESS is one of IPv6'))
  addHostOptions(command)
  command.addHelpText(
    'after',
    '\nExamples:\n  sudo tunstack ping -c 3 10.77.0.1\n  sudo tunstack ping -c 100 -i 0.01 fd77::1 --delay 20ms --jitter 5ms',
  )
  return command.action(async (address: string, raw: RawOptions) => {
    if (parseLiteral(address) === null) {
      throw usageError(`'${address}' is no IP address`, 'names are not resolved here: give an address, as 10.77.0.1')
    }
    const family = raw['4'] === true ? 4 : raw['6'] === true ? 6 : 0
    if (family !== 0 && family !== parseLiteral(address)?.family) {
      throw usageError(`${address} is no IPv${family} address`, `leave -${family} out`)
    }
    const settings: PingSettings = {
      host: hostSettings(raw),
      count: (raw.count as number | undefined) ?? Number.POSITIVE_INFINITY,
      intervalUs: (raw.interval as number) * SECOND,
      payloadBytes: raw.size as number,
      timeoutUs: (raw.timeout as number) * SECOND,
      hopLimit: (raw.ttl as number | undefined) ?? null,
    }
    await runCommand((life) => ping(address, settings, life), { normalSignals: ['SIGINT'] })
  })
}

async function ping(address: string, settings: PingSettings, life: Lifecycle): Promise<number> {
  const { json, quiet } = settings.host
  if (quiet || json) life.info = () => undefined
  const opened = await openHost(settings.host, life, { control: 'ping' })
  if (!json) print(pingTitle(address, settings.payloadBytes))
  const run = new PingRun(address, settings, opened)
  const elapsedUs = await run.run(life.stop)
  if (json) {
    const { transmitted, received, errors, lossPercent, rtt } = run.stats
    print(
      JSON.stringify({ type: 'summary', address, transmitted, received, errors, lossPercent, elapsedUs, rttUs: rtt }),
    )
  } else {
    for (const line of summaryLines(address, run.stats, elapsedUs)) print(line)
  }
  if (run.stats.received > 0) return EXIT.ok
  return run.isUnsent ? EXIT.usage : EXIT.failure
}

/** One run: requests at their times, whether or not the earlier ones have been answered. */
class PingRun {
  readonly stats = new PingStats()
  /** Whether a request could not be sent at all. */
  isUnsent = false
  readonly #address: string
  readonly #settings: PingSettings
  readonly #host: Host
  readonly #opened: OpenedHost
  readonly #pending = new Set<Promise<void>>()
  readonly #abandon = new AbortController()
  /** Hop limits of replies by sequence number, which the host counts from 1 as we do. */
  readonly #hopLimits = new Map<number, number>()

  constructor(address: string, settings: PingSettings, opened: OpenedHost) {
    this.#address = address
    this.#settings = settings
    this.#opened = opened
    this.#host = opened.host
    // A look at each reply on its way to the host, which keeps its time only: for the hop limit that ping prints.
    const { ip } = this.#host.stack
    const deliver = ip.onEchoReply
    ip.onEchoReply = (reply) => {
      this.#hopLimits.set(reply.sequence, reply.hopLimit)
      deliver?.(reply)
    }
  }

  /** Runs until all is sent and answered, or `stop` aborts. Returns the time from the first request to the last event. */
  async run(stop: AbortSignal): Promise<Micros> {
    const { count, intervalUs } = this.#settings
    const { scheduler } = this.#opened
    const startUs = scheduler.now()
    stop.addEventListener('abort', () => this.#abandon.abort(), { once: true })
    for (let sequence = 1; sequence <= count && !stop.aborted; sequence++) {
      const request = this.#request(sequence)
      this.#pending.add(request)
      void request.finally(() => this.#pending.delete(request))
      if (sequence < count) await this.#sleepUntil(startUs + sequence * intervalUs, stop)
    }
    await Promise.all(this.#pending)
    return scheduler.now() - startUs
  }

  async #request(sequence: number): Promise<void> {
    const { payloadBytes, timeoutUs, hopLimit } = this.#settings
    this.stats.transmitted++
    try {
      const limit = hopLimit === null ? {} : { hopLimit }
      const options = { payloadBytes, timeoutMs: timeoutUs / 1000, signal: this.#abandon.signal, ...limit }
      const rttUs = await this.#host.ping(this.#address, options)
      this.stats.add(rttUs)
      this.#told({ sequence, bytes: payloadBytes + 8, ttl: this.#takeHopLimit(sequence & 0xffff), rttUs })
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ETIMEDOUT' || code === 'ABORT_ERR') return
      this.stats.errors++
      const { icmp } = error as Partial<PingError>
      if (icmp !== undefined) this.#refused(sequence, icmp)
      else this.isUnsent = true
      if (icmp === undefined)
        printError(`tunstack: ping ${this.#address}: icmp_seq=${sequence}: ${this.#reason(error)}`)
    }
  }

  #refused(sequence: number, icmp: EchoError): void {
    const { json, quiet } = this.#settings.host
    const { reporter, kind, type, code, mtu } = icmp
    const from = reporter.toString()
    if (json)
      print(JSON.stringify({ type: 'error', address: this.#address, sequence, from, kind, icmp: { type, code, mtu } }))
    else if (!quiet) print(errorLine(icmp.dst.family, sequence, icmp))
  }

  #reason(error: unknown): string {
    const { payloadBytes, host } = this.#settings
    if (codeOf(error) !== 'EMSGSIZE') return messageOf(error)
    const headers = this.#address.includes(':') ? 48 : 28
    return `message too long, MTU ${host.mtu}: ${payloadBytes} bytes and ${headers} of headers; -s ${host.mtu - headers} fits`
  }

  #takeHopLimit(sequence: number): number {
    const hopLimit = this.#hopLimits.get(sequence) ?? 0
    this.#hopLimits.delete(sequence)
    return hopLimit
  }

  #told(reply: PingReply): void {
    const { json, quiet } = this.#settings.host
    if (json) print(JSON.stringify({ type: 'reply', address: this.#address, ...reply }))
    else if (!quiet) print(replyLine(this.#address, reply))
  }

  #sleepUntil(at: Micros, stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const task = this.#opened.scheduler.schedule(at, () => {
        stop.removeEventListener('abort', wake)
        resolve()
      })
      const wake = (): void => {
        task.cancel()
        resolve()
      }
      stop.addEventListener('abort', wake, { once: true })
    })
  }
}
