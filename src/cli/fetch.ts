// `tunstack fetch URL...`: what curl does, on our own stack, by curl's option names and exit codes.
// Owns: the command, the order of transfers, -w, the exit status. Does not own: options (fetch-options.ts), one transfer
// (fetch-transfer.ts). Several URLs of one server share a connection.

import { Command } from 'commander'
import { HttpClient } from '../http/index.ts'
import { CliError, usageError } from './errors.ts'
import { Connector } from './fetch-connect.ts'
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

Names are looked up in --resolve and /etc/hosts only. There is no TLS.
The body goes to stdout, everything else to stderr; --json prints a line of -w's variables for each transfer, on stdout
when -o or -O takes the bodies, on stderr otherwise.
Exit status, as curl's: 3 bad URL, 6 unknown name, 7 connection refused, 18 partial, 22 with -f, 28 timeout,
52 empty reply, 56 reset; 2 bad command line, 77 no TUN device, 130 or 143 after Ctrl-C or SIGTERM.`

/** The command `fetch`. */
export function fetchCommand(): Command {
  const collected: Collected = { data: [], outputs: [] }
  const command = new Command('fetch')
    .summary('fetch URLs, with the options of curl')
    .description('Fetches http URLs over a TCP/IP stack of its own behind a TUN device, with the options of curl.')
    .argument('<url...>', 'as http://10.77.0.1:8080/path')
  addFetchOptions(command, collected)
  addHostOptions(command)
  command.addHelpText('after', EXAMPLES)
  return command.action(async (urls: string[], raw: RawOptions) => {
    const host = hostSettings(raw)
    if (collected.outputs.length > urls.length) {
      throw usageError('there are more -o and -O than URLs', 'give one for each URL')
    }
    await runCommand(async (life) => fetchAll(urls, host, await fetchSettings(raw, collected), life))
  })
}

async function fetchAll(urls: string[], host: HostSettings, settings: FetchSettings, life: Lifecycle): Promise<number> {
  // What can be refused without a device is.
  if (urls.length === 1) parseFetchUrl(urls[0])
  if (settings.silent || host.quiet || host.json) life.info = () => undefined
  const opened = await openHost(host, life)
  const { scheduler } = opened
  const connector = new Connector(opened, {
    resolve: settings.resolve,
    connectTimeout: settings.connectTimeout,
    noDelay: host.tcp.nagle !== true,
  })
  const forever = Number.POSITIVE_INFINITY
  const client = new HttpClient({
    connect: connector.connect,
    scheduler,
    keepAliveUs: KEEP_ALIVE_US,
    // curl waits as long as it takes; -m sets a limit.
    timeouts: { responseUs: forever, idleUs: forever, writeUs: forever },
  })
  const isChatty = !settings.silent && !host.quiet && !host.json && !settings.verbose && process.stderr.isTTY === true
  const context: TransferContext = {
    settings,
    opened,
    client,
    connector,
    narrator: new Narrator(settings.verbose ? printError : null),
    stop: life.stop,
    progress: isChatty && (settings.outputs.length > 0 || process.stdout.isTTY !== true),
  }
  let status = 0
  for (const [index, url] of urls.entries()) {
    if (life.stop.aborted) break
    const record = await transfer(url, index, context)
    status = record.exitCode
    report(record, settings, host, life)
  }
  if (life.stop.aborted) client.destroy()
  else client.close()
  return status
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
