// `tunstack load URL`: load on a server, and how long its answers take.
// Owns: the command, its report. Does not own: sending (load-run.ts), percentiles (histogram.ts), the stack (open-host.ts).

import net from 'node:net'
import { Command, Option } from 'commander'
import { MILLISECOND, type Scheduler, SECOND } from '../base/time.ts'
import type { ByteStream } from '../http/index.ts'
import { HeaderList } from '../http/index.ts'
import { parseDuration } from '../link/impair-options.ts'
import { httpConnector, realTime, secureOver } from '../net/index.ts'
import { CliError, codeOf, EXIT, usageError } from './errors.ts'
import { transferFailure } from './fetch-errors.ts'
import { formatSize } from './fetch-output.ts'
import { parseFetchUrl } from './fetch-url.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { type LoadPlan, type LoadResult, runLoad } from './load-run.ts'
import { openHost } from './open-host.ts'
import { addHostOptions, hostSettings, type RawOptions } from './options.ts'
import { print } from './print.ts'
import { listOption, parseSeconds, parseWhole, valueOption } from './read-options.ts'
import { packageVersion } from './version.ts'

const EXAMPLES = `
Examples:
  sudo tunstack load -c 50 -z 10s http://10.77.0.1:8080/             over our stack, against a server of the kernel
  tunstack load --kernel -c 50 -n 100000 http://127.0.0.1:8080/      the same over the kernel's own TCP: a comparison
  sudo tunstack load -c 4 -p 8 -n 10000 http://10.77.0.1:8080/       with eight requests under way on each connection
  sudo tunstack load -q 1000 -z 30s http://10.77.0.1:8080/ --loss 1%

With -q a request's time counts from when it was due, so that a server that stalls is seen to stall.
Exit status: 0 when every request was answered, 1 otherwise; 2 bad command line, 77 no TUN device, 130 after Ctrl-C.`

/** The command `load`. */
export function loadCommand(): Command {
  const whole = (least: number, most: number) => (text: string) => parseWhole(text, least, most)
  const command = new Command('load')
    .summary('put load on an HTTP server')
    .description('Sends requests to an HTTP server as fast as it answers, or at a rate, and reports latencies.')
    .argument('<url>', 'as http://10.77.0.1:8080/path')
  const options = [
    valueOption('-c, --connections <n>', 'connections', whole(1, 10_000)).default(1),
    valueOption('-n, --requests <n>', 'requests in all (default: 200, without -z)', whole(1, 1e9)),
    valueOption('-z, --duration <time>', 'for how long, as 10s', parseDuration),
    valueOption('-p, --pipeline <depth>', 'requests under way on each connection', whole(1, 1000)).default(1),
    valueOption('-q, --qps <n>', 'requests a second in all (default: as fast as answers come)', whole(1, 1e7)),
    new Option('-X, --request <method>', 'method').default('GET'),
    listOption('-H, --header <line>', "a header, 'Name: value'", String),
    new Option('-d, --data <text>', 'body of every request'),
    new Option('--no-keepalive', 'a connection for each request'),
    valueOption('-m, --max-time <seconds>', 'for each request', (text) => parseSeconds(text, 0.001)).default(30),
    new Option('-k, --insecure', 'https: look at no certificate'),
    new Option('--kernel', "over the kernel's own TCP instead of our stack"),
  ]
  for (const option of options) command.addOption(option)
  addHostOptions(command)
  command.addHelpText('after', EXAMPLES)
  return command.action(async (url: string, raw: RawOptions) => {
    const plan = loadPlan(url, raw)
    await runCommand((life) => load(url, plan, raw, life))
  })
}

/** Reads the options. @throws {CliError} for those that cannot be meant */
export function loadPlan(text: string, raw: RawOptions): LoadPlan {
  const { url, authorization } = parseFetchUrl(text)
  const headers = new HeaderList([['Host', url.host]])
  if (authorization !== null) headers.append('Authorization', authorization)
  for (const line of (raw.header as string[] | undefined) ?? []) {
    const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? []
    if (name === undefined) throw usageError(`-H '${line}' is no header`, "write it as 'Name: value'")
    headers.set(name, value)
  }
  const isSerial = raw.keepalive === false
  if (isSerial) headers.set('Connection', 'close')
  headers.setDefault('User-Agent', `tunstack/${packageVersion()}`)
  const duration = raw.duration as number | undefined
  const body = raw.data as string | undefined
  const given = raw.request as string
  return {
    connections: raw.connections as number,
    requests: (raw.requests as number | undefined) ?? (duration === undefined ? 200 : Number.POSITIVE_INFINITY),
    durationUs: duration ?? Number.POSITIVE_INFINITY,
    depth: raw.pipeline as number,
    rate: (raw.qps as number | undefined) ?? Number.POSITIVE_INFINITY,
    isSerial,
    request: {
      method: given === 'GET' && body !== undefined ? 'POST' : given,
      target: url.pathname + url.search,
      headers,
      body,
    },
    timeoutUs: (raw.maxTime as number) * SECOND,
  }
}

async function load(text: string, plan: LoadPlan, raw: RawOptions, life: Lifecycle): Promise<number> {
  const { url } = parseFetchUrl(text)
  const settings = hostSettings(raw)
  if (settings.json || settings.quiet) life.info = () => undefined
  const target = {
    protocol: url.protocol as 'http:' | 'https:',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
  }
  const tls = { rejectUnauthorized: raw.insecure !== true }
  let connect: () => Promise<ByteStream>
  let scheduler: Scheduler
  if (raw.kernel === true) {
    scheduler = realTime({ ref: true })
    connect = () => kernelConnect(target, tls)
  } else {
    const opened = await openHost(settings, life)
    scheduler = opened.scheduler
    const open = httpConnector(opened.host, { tls, connectMs: plan.timeoutUs / MILLISECOND })
    connect = async () => (await open(target)) as ByteStream
  }
  // A server that is not there is told as fetch tells it.
  try {
    ;(await connect()).destroy()
  } catch (error) {
    if (life.stop.aborted) return EXIT.failure
    throw codeOf(error) === 'ECONNREFUSED'
      ? new CliError(`Failed to connect to ${target.host} port ${target.port}: Connection refused`, {
          mend: 'is a server listening there, on that address or on all?',
        })
      : transferFailure(error)
  }
  const result = await runLoad(plan, connect, scheduler, life.stop)
  if (settings.json) print(JSON.stringify(loadObject(result)))
  else for (const line of loadLines(result)) print(line)
  const isWhole = plan.requests === Number.POSITIVE_INFINITY || result.answered >= plan.requests
  return isWhole && Object.keys(result.errors).length === 0 ? EXIT.ok : EXIT.failure
}

async function kernelConnect(
  { protocol, host, port }: { protocol: string; host: string; port: number },
  tls: { rejectUnauthorized: boolean },
): Promise<ByteStream> {
  const socket = net.connect({ host, port, noDelay: true, allowHalfOpen: true })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.on('error', () => undefined)
  if (protocol === 'http:') return socket as ByteStream
  const over = secureOver(socket, host, tls)
  await new Promise<void>((resolve, reject) => over.once('secureConnect', resolve).on('error', reject))
  return over as ByteStream
}

const PERCENTILES = [50, 75, 90, 99, 99.9] as const

/** The result as --json gives it: times in microseconds. */
export function loadObject(result: LoadResult): Record<string, unknown> {
  const { latency, connect, sent, answered, connections, bodyBytes, elapsedUs, statuses, errors } = result
  const seconds = elapsedUs / SECOND
  const percentiles = Object.fromEntries(PERCENTILES.map((p) => [`p${p}`, Math.round(latency.percentileUs(p))]))
  return {
    requests: sent,
    answered,
    connections,
    seconds,
    requests_per_second: seconds > 0 ? answered / seconds : 0,
    body_bytes: bodyBytes,
    latency_us: {
      min: Math.round(latency.leastUs),
      mean: Math.round(latency.meanUs),
      ...percentiles,
      max: Math.round(latency.mostUs),
    },
    connect_us: {
      mean: Math.round(connect.meanUs),
      p99: Math.round(connect.percentileUs(99)),
      max: Math.round(connect.mostUs),
    },
    statuses,
    errors,
  }
}

/** The result for people. */
export function loadLines(result: LoadResult): string[] {
  const { latency, connect, answered, connections, bodyBytes, elapsedUs } = result
  const seconds = elapsedUs / SECOND
  const perSecond = (n: number): number => (seconds > 0 ? n / seconds : 0)
  const row = (label: string, us: number): string => `  ${label.padEnd(6)} ${formatLatency(us).padStart(10)}`
  const counted = (title: string, counts: Record<string, number>): string[] =>
    Object.keys(counts).length === 0
      ? []
      : [
          `${title}: ${Object.entries(counts)
            .map(([key, n]) => `${key} x ${n}`)
            .join(', ')}`,
        ]
  return [
    `${answered} answers in ${seconds.toFixed(2)} s: ${perSecond(answered).toFixed(1)} a second`,
    `${formatSize(bodyBytes)} of bodies, ${formatSize(perSecond(bodyBytes))}/s`,
    `${connections} connections, each opened in ${formatLatency(connect.meanUs)} (at most ${formatLatency(connect.mostUs)})`,
    'latency',
    row('min', latency.leastUs),
    row('mean', latency.meanUs),
    ...PERCENTILES.map((p) => row(`p${p}`, latency.percentileUs(p))),
    row('max', latency.mostUs),
    ...counted('statuses', result.statuses),
    ...counted('errors', result.errors),
  ]
}

function formatLatency(us: number): string {
  if (us < 1000) return `${Math.round(us)} us`
  return us < SECOND ? `${(us / 1000).toFixed(2)} ms` : `${(us / SECOND).toFixed(3)} s`
}
