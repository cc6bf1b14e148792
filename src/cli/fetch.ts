// `tunstack fetch URL...`: what curl does, on our own stack, by curl's option names and exit codes.
// Owns: the command, the order of transfers, -w, the exit status. Does not own: options (fetch-options.ts), one transfer
// (fetch-transfer.ts). Several URLs of one server share connections.

import { Command } from 'commander'
import { HttpClient, parseProxy } from '../http/index.ts'
import { CliError, usageError } from './errors.ts'
import { Connector } from './fetch-connect.ts'
import { isNumber } from './fetch-network.ts'
import { addFetchOptions, type Collected, type FetchSettings, fetchSettings } from './fetch-options.ts'
import { type TransferContext, transfer } from './fetch-transfer.ts'
import { parseFetchUrl } from './fetch-url.ts'
import { Narrator } from './fetch-verbose.ts'
import { type Lifecycle, reportError, runCommand } from './lifecycle.ts'
import { openHost } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { printError } from './print.ts'
import { formatWriteOut, type TransferRecord, writeOutJson } from './write-out.ts'

/** How long an idle connection is kept for the next URL, as curl does: 118 s. */
const KEEP_ALIVE_US = 118_000_000

const EXAMPLES = `
Examples:
  sudo tunstack fetch -v http://10.77.0.1:8080/                      from a server of this machine's kernel
  sudo tunstack fetch -o page.html http://10.77.0.1/ --trace         and see every packet
  sudo tunstack fetch -s -o /dev/null -w '%{time_total}\\n' http://10.77.0.1/ --delay 50ms
  sudo tunstack fetch --resolve example.com:80:10.77.0.1 http://example.com/
  sudo tunstack fetch --dns 10.77.0.1 -L https://www.example.lan/ --cacert ca.pem
  sudo tunstack fetch -Z http://10.77.0.1/a http://10.77.0.1/b       at the same time
  sudo tunstack fetch http://10.77.0.1/a http://10.77.0.1/b --pipeline
  sudo tunstack fetch -x http://10.77.0.1:3128 http://example.com/

Names are looked up in --resolve, in /etc/hosts, and by --dns.
The body goes to stdout, everything else to stderr; --json prints a line of -w's variables for each transfer, on stdout
when -o or -O takes the bodies, on stderr otherwise.
Exit status, as curl's: 3 bad URL, 6 unknown name, 7 connection refused, 18 partial, 22 with -f, 28 timeout, 35 TLS,
47 redirects, 52 empty reply, 56 reset, 60 certificate; 2 bad command line, 77 no TUN device, 130 or 143 after Ctrl-C or SIGTERM.`

/** The command `fetch`. */
export function fetchCommand(): Command {
  const collected: Collected = { data: [], outputs: [] }
  const command = new Command('fetch')
    .summary('fetch URLs, with the options of curl')
    .description(
      'Fetches http and https URLs over a TCP/IP stack of its own behind a TUN device, with the options of curl.',
    )
    .argument('[url...]', 'as http://10.77.0.1:8080/path')
  addFetchOptions(command, collected)
  addHostOptions(command)
  command.addHelpText('after', EXAMPLES)
  return command.action(async (operands: string[], raw: RawOptions) => {
    const host = hostSettings(raw)
    const urls = withPipelinedUrl(operands, raw, command.parent?.args ?? [])
    if (collected.outputs.length > urls.length) {
      throw usageError('there are more -o and -O than URLs', 'give one for each URL')
    }
    await runCommand(async (life) => fetchAll(urls, host, await fetchSettings(raw, collected), life))
  })
}

/** `--pipeline URL`: what is no depth is a URL, in its place among the others. @throws {CliError} when there is no URL at all */
export function withPipelinedUrl(operands: readonly string[], raw: RawOptions, args: readonly string[]): string[] {
  const { pipeline } = raw
  const urls = [...operands]
  if (typeof pipeline === 'string' && !isNumber(pipeline)) {
    urls.push(pipeline)
    urls.sort((a, b) => args.indexOf(a) - args.indexOf(b))
  }
  if (urls.length === 0) throw usageError("missing required argument 'url'", 'see tunstack fetch --help')
  return urls
}

async function fetchAll(urls: string[], host: HostSettings, settings: FetchSettings, life: Lifecycle): Promise<number> {
  // What can be refused without a device is.
  if (urls.length === 1) parseFetchUrl(urls[0])
  const { network } = settings
  if (settings.silent || host.quiet || host.json) life.info = () => undefined
  const opened = await openHost(host, life)
  const { scheduler } = opened
  const shared = new Narrator(settings.verbose ? printError : null)
  const proxy = network.proxy === null ? null : parseProxy(network.proxy.url)
  const { resolve, connectTimeout } = settings
  const noDelay = host.tcp.nagle !== true
  const connector = new Connector(
    opened,
    { ...network, resolve, connectTimeout, noDelay, proxy },
    { onTry: (...tried) => shared.trying(...tried), onTryFailed: (...tried) => shared.tryFailed(...tried) },
  )
  const forever = Number.POSITIVE_INFINITY
  const client = new HttpClient({
    connect: connector.connect,
    scheduler,
    keepAliveUs: KEEP_ALIVE_US,
    // curl waits as long as it takes; -m sets a limit.
    timeouts: { responseUs: forever, idleUs: forever, writeUs: forever },
    maxPerOrigin: network.maxPerHost,
    maxWaiting: forever,
    pipelineDepth: network.pipelineDepth,
    maxRequests: network.keepAlive ? forever : 1,
    proxy: network.proxy,
  })
  const isChatty =
    !settings.silent &&
    !host.quiet &&
    !host.json &&
    !settings.verbose &&
    process.stderr.isTTY === true &&
    network.parallel === 1
  const context: TransferContext = {
    settings,
    opened,
    client,
    tell: settings.verbose ? printError : null,
    stop: life.stop,
    progress: isChatty && (settings.outputs.length > 0 || process.stdout.isTTY !== true),
  }
  const status = await all(urls, context, (record) => report(record, settings, host, life))
  if (life.stop.aborted) client.destroy()
  else client.close()
  return status
}

/** Runs the transfers, so many at a time; the exit status is that of the last one, or with -Z of the first that fails. */
async function all(
  urls: readonly string[],
  context: TransferContext,
  done: (record: TransferRecord) => void,
): Promise<number> {
  const { parallel } = context.settings.network
  let next = 0
  let last = 0
  let firstFailure = 0
  const worker = async (): Promise<void> => {
    while (next < urls.length && !context.stop.aborted) {
      const index = next++
      const record = await transfer(urls[index], index, context)
      last = record.exitCode
      if (firstFailure === 0) firstFailure = record.exitCode
      done(record)
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, urls.length) }, worker))
  return parallel > 1 ? firstFailure : last
}

function report(record: TransferRecord, settings: FetchSettings, host: HostSettings, life: Lifecycle): void {
  const { errorMessage } = record
  // What a signal or a lost reader has cut off is told by the end of the command.
  if (life.stop.aborted) return
  if (errorMessage !== null && (!settings.silent || settings.showError)) {
    reportError(new CliError(errorMessage, { mend: record.mend }))
  }
  if (settings.writeOut !== null) {
    const unknown = (name: string): void => printError(`tunstack: unknown --write-out variable: '${name}'`)
    for (const { to, text } of formatWriteOut(settings.writeOut, record, unknown)) process[to].write(text)
  }
  if (host.json) process[settings.outputs.length > 0 ? 'stdout' : 'stderr'].write(`${writeOutJson(record)}\n`)
}
