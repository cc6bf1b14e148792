// `tunstack serve DIR`: the files of a folder over HTTP, on our own stack behind a TUN device.
// Owns: the command, its start and its end, the access log. Does not own: HTTP (src/http), files (fs-source.ts), the host (open-host.ts).
// SIGINT and SIGTERM are the normal end of a server: exit status 0.

import { Command, Option } from 'commander'
import { fileHandler, type Handler, HttpServer } from '../http/index.ts'
import type { ImpairedDevice } from '../link/impair.ts'
import type { ImpairmentCounters } from '../link/impairment.ts'
import { type DirectServer, nodeCodings } from '../net/index.ts'
import { AccessLog, accessJson, accessLine } from './access-log.ts'
import { CliError, codeOf, messageOf, usageError } from './errors.ts'
import { FsSource } from './fs-source.ts'
import { INSPECT_PATH, type Inspector, inspectorOf } from './inspect.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { type OpenedHost, openHost, openQueues } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { print, printError } from './print.ts'
import { parseWhole, settingsHelp, valueOption } from './read-options.ts'
import { countersText, nonZero } from './tcp-counters.ts'
import { runInThreads, threadData } from './threads.ts'
import { UPLOAD_PATH, withUploads } from './upload.ts'
import { packageVersion } from './version.ts'

/** How long answers under way may go on when the server ends, in milliseconds. */
const FINISH_MS = 500

interface ServeSettings {
  readonly host: HostSettings
  readonly port: number
  readonly index: string | null
  readonly listing: boolean
  readonly upload: boolean
  readonly inspect: boolean
}

/** The command `serve`. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('serve the files of a folder over HTTP')
    .description('Serves the files of DIR over HTTP/1.1 from a TCP/IP stack of its own behind a TUN device.')
    .argument('<dir>', 'folder with the files; nothing outside it is served, whatever links lead there')
    .addOption(valueOption('--port <port>', 'TCP port', (text) => parseWhole(text, 1, 65535)).default(80))
    .addOption(new Option('--index <name>', 'file that stands for its folder').default('index.html'))
    .option('--no-index', 'no file stands for its folder')
    .option('--no-listing', '404 instead of a listing of a folder')
    .option('--upload', `take POST and PUT at ${UPLOAD_PATH}; the body is counted, hashed and thrown away`)
  command.option('--inspect', `serve a live page about the stack itself at ${INSPECT_PATH}: connections, plots, knobs`)
  command.addOption(
    valueOption('--workers <number>', 'threads, each with a stack of its own on one queue of the interface', (text) =>
      parseWhole(text, 1, 64),
    ).default(1),
  )
  addHostOptions(command)
  command.addHelpText('after', () => `\n${settingsHelp()}\n${EXAMPLES}`)
  return command.action(async (folder: string, raw: RawOptions) => {
    const settings: ServeSettings = {
      host: hostSettings(raw),
      port: raw.port as number,
      index: raw.index === false ? null : (raw.index as string),
      listing: raw.listing !== false,
      upload: raw.upload === true,
      inspect: raw.inspect === true,
    }
    const workers = threadData() === null ? (raw.workers as number) : 1
    if (workers > 1) checkWorkers(settings)
    const body = (life: Lifecycle): Promise<number> =>
      workers > 1 ? serveInThreads(workers, settings, life) : serve(folder, settings, life)
    await runCommand(body, { normalSignals: ['SIGINT', 'SIGTERM'] })
  })
}

const EXAMPLES = `
Examples:
  sudo tunstack serve .                                then: curl http://10.77.0.2/
  sudo tunstack serve . --delay 50ms --loss 1%         the same over a bad link
  sudo tunstack serve . --pcap run.pcapng --trace      see every packet
  sudo tunstack serve . --inspect                      then look at http://10.77.0.2/.tunstack/

The access log goes to stdout, everything else to stderr. A line has the size of the answer's body and the time from the request to the
acknowledgement of the answer's last byte by the client. SIGINT (Ctrl-C) and SIGTERM end the server with status 0.`

/** What sees every packet cannot be in several threads. */
function checkWorkers({ host: { pcap, events, trace, ethernet }, inspect }: ServeSettings): void {
  if (ethernet !== null)
    throw usageError('--workers does not go with --tap', 'a network card has one stack: leave one of them out')
  if (pcap === null && events === null && !trace && !inspect) return
  throw usageError(
    '--workers goes with none of --pcap, --events, --trace and --inspect',
    'each worker sees its own packets only',
  )
}

async function serveInThreads(count: number, settings: ServeSettings, life: Lifecycle): Promise<number> {
  return runInThreads(await openQueues(settings.host, count), life)
}

async function serve(folder: string, settings: ServeSettings, life: Lifecycle): Promise<number> {
  const source = new FsSource(folder)
  life.defer(() => source.close())
  if (settings.host.quiet) life.info = () => undefined
  let inspector: Inspector | null = null
  const opened = await openHost(settings.host, life, {
    control: 'serve',
    ...(settings.inspect
      ? {
          changeable: true,
          isObserving: () => inspector?.isOn === true,
          observe: (packet, direction, at) => inspector?.onPacket(packet, direction, at),
        }
      : {}),
  })
  if (settings.inspect && opened.impaired !== null) {
    const { tcp, impairment } = settings.host
    const of = { host: opened.host, link: opened.impaired, impairment: impairment ?? {} }
    inspector = inspectorOf(opened, of, settings.port, tcp)
  }
  const log = makeLog(settings, opened)
  const http = makeServer(source, settings, opened, log, inspector)
  const listener = listen(opened, settings, http, log)
  announce(source, settings, opened)
  await life.stopped()
  listener.close()
  inspector?.close()
  await Promise.race([http.close(), new Promise((resolve) => setTimeout(resolve, FINISH_MS).unref())])
  http.closeAll()
  log.flush()
  summarize(http, settings, opened, life)
  return 0
}

function makeLog({ host }: ServeSettings, { scheduler, epochUs }: OpenedHost): AccessLog {
  return new AccessLog(scheduler, (record) => {
    if (host.json) print(accessJson(record, epochUs))
    else if (!host.quiet) print(accessLine(record, epochUs))
  })
}

function makeServer(
  source: FsSource,
  settings: ServeSettings,
  { scheduler }: OpenedHost,
  log: AccessLog,
  inspector: Inspector | null,
): HttpServer {
  const { index, listing, upload } = settings
  const files = fileHandler(source, { index, listing, wallClock: Date.now })
  const served: Handler = upload ? withUploads(files) : files
  const handler = inspector === null ? served : inspector.handler(served)
  return new HttpServer({
    handler,
    scheduler,
    serverName: `tunstack/${packageVersion()}`,
    wallClock: Date.now,
    codings: nodeCodings(),
    onError: (error, request) => {
      // A malformed request is the log's business, a failing disk is ours.
      if (request !== null)
        printError(`tunstack: ${request.method} ${JSON.stringify(request.path)}: ${messageOf(error)}`)
    },
    onExchange: (record) => log.add(record),
  })
}

function listen({ host }: OpenedHost, settings: ServeSettings, http: HttpServer, log: AccessLog): DirectServer {
  const { port } = settings
  // Answers leave in whole writes already; --set nagle=true brings the wait for acknowledgements back.
  const tcp = { nagle: settings.host.tcp.nagle === true }
  try {
    return host.listenStreams({ port, tcp }, (stream) => {
      const { local, localPort } = stream.socket.connection
      const { remoteAddress, remotePort } = stream
      const connection = { remoteAddress, remotePort, localAddress: local.toString(), localPort }
      log.connected(connection, stream)
      http.handleConnection(stream, connection)
    })
  } catch (error) {
    const mend = codeOf(error) === 'EADDRINUSE' ? 'choose another --port' : null
    throw new CliError(`cannot listen on port ${port}: ${messageOf(error)}`, { mend })
  }
}

function announce(source: FsSource, settings: ServeSettings, { device, host }: OpenedHost): void {
  const { json, quiet, peers } = settings.host
  const thread = threadData()
  if (thread !== null && thread.index > 0) return // the first one says it for all
  const urls = host.addresses.map((address) => urlOf(address, settings.port))
  const offload = device.offload.superSegmentBytes > 0 && settings.host.impairment === null
  if (json) {
    const kernel = peers.map(({ address }) => address.toString())
    const { name } = device
    const { mtu } = host.stack.ip
    print(JSON.stringify({ type: 'listening', root: source.root, urls, interface: name, mtu, kernel, offload }))
  }
  if (quiet || json) return
  printError(`serving ${source.root}`)
  printError(`     at ${urls.join('  ')}`)
  printError(
    `    via ${device.name}, MTU ${host.stack.ip.mtu}, ${offload ? 'segmentation and checksum offload' : 'no offload'}`,
  )
  if (thread !== null) printError(`     in ${thread.count} workers`)
  printError(`    try curl ${urls[0]}`)
  if (settings.inspect) printError(`  look at ${urls[0].slice(0, -1)}${INSPECT_PATH}`)
  if (settings.upload) printError(`     or curl -T FILE ${urls[0].slice(0, -1)}${UPLOAD_PATH}`)
  printError('Ctrl-C ends it')
}

function summarize(http: HttpServer, settings: ServeSettings, opened: OpenedHost, life: Lifecycle): void {
  const { requests, connections } = http.counters
  const { rxPackets, rxBytes, txPackets, txBytes } = opened.device.counters
  const tcp = nonZero(opened.host.counters())
  const retransmitted = tcp.TcpRetransSegs ?? 0
  const totals = impairmentTotals(opened.impaired)
  const link = totals?.offered === 0 && settings.host.impairment === null ? null : totals
  if (settings.host.json) {
    const device = { rxPackets, rxBytes, txPackets, txBytes }
    const impaired = link === null ? {} : { impairment: link }
    print(JSON.stringify({ type: 'summary', requests, connections, ...device, retransmitted, tcp, ...impaired }))
    return
  }
  const captured = opened.capturedPackets()
  const capture = captured === null ? '' : `; ${captured} packets in ${settings.host.pcap}`
  life.info(
    `${requests} requests on ${connections} connections; sent ${txBytes} bytes in ${txPackets} packets${capture}`,
  )
  for (const line of countersText(tcp)) life.info(line)
  if (link !== null) life.info(`${impairmentText(link)}; TCP sent ${retransmitted} segments again`)
}

/** What the bad link did, both directions together. */
type ImpairmentTotals = Readonly<Omit<ImpairmentCounters, 'hooked'>>

function impairmentTotals(impaired: ImpairedDevice | null): ImpairmentTotals | null {
  if (impaired === null) return null
  const [a, b] = [impaired.impairmentCounters('in'), impaired.impairmentCounters('out')]
  return {
    offered: a.offered + b.offered,
    delivered: a.delivered + b.delivered,
    lost: a.lost + b.lost,
    reordered: a.reordered + b.reordered,
    duplicated: a.duplicated + b.duplicated,
    corrupted: a.corrupted + b.corrupted,
    overflowed: a.overflowed + b.overflowed,
    marked: a.marked + b.marked,
    unmarkable: a.unmarkable + b.unmarkable,
  }
}

/** `the link lost 3 of 812 packets, reordered 5, duplicated 0`, and of what is rare only what has happened. */
export function impairmentText(link: ImpairmentTotals): string {
  const { offered, lost, reordered, duplicated, corrupted, overflowed, marked, unmarkable } = link
  const rare = [
    corrupted > 0 ? `, damaged ${corrupted}` : '',
    overflowed > 0 ? `, had no room for ${overflowed}` : '',
    marked > 0 ? `, marked ${marked}` : '',
  ].join('')
  return `the link lost ${lost + unmarkable} of ${offered} packets, reordered ${reordered}, duplicated ${duplicated}${rare}`
}

/** `http://10.77.0.2/`, `http://[fd77::2]:8080/`. */
export function urlOf(address: string, port: number): string {
  return `http://${address.includes(':') ? `[${address}]` : address}${port === 80 ? '' : `:${port}`}/`
}
