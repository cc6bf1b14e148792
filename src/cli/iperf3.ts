// `tunstack iperf3 -s | -c ADDRESS`: the tool that everyone measures TCP with, over our own TCP; it speaks to the real one.
// Owns: the command and its options. Does not own: the protocol (iperf3-protocol.ts), the sides of a test (iperf3-client.ts,
// iperf3-server.ts), what is printed (iperf3-report.ts).

import { Command, Option } from 'commander'
import { SECOND } from '../base/time.ts'
import { parseAddress } from '../ip/address.ts'
import { CliError, EXIT, messageOf, usageError } from './errors.ts'
import { congestionOf, runClient } from './iperf3-client.ts'
import { IPERF3_PORT, type TestParams } from './iperf3-protocol.ts'
import { type JsonFacts, jsonDocument, TextReport } from './iperf3-report.ts'
import type { RunObserver, TestRun } from './iperf3-run.ts'
import { BLOCK_BYTES } from './iperf3-run.ts'
import { Iperf3Server } from './iperf3-server.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { openHost } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { print } from './print.ts'
import { parseSeconds, parseWhole, valueOption } from './read-options.ts'

const SERVER_RULE = '-----------------------------------------------------------'

interface Settings {
  readonly host: HostSettings
  /** Where to connect; null: be a server. */
  readonly server: string | null
  readonly port: number
  readonly intervalSeconds: number
  readonly isOneOff: boolean
  readonly json: boolean
  readonly params: TestParams
}

/** The command `iperf3`. */
export function iperf3Command(): Command {
  const command = new Command('iperf3')
    .summary('measure TCP with iperf3 on the other side')
    .description(
      "Speaks iperf3's protocol over a TCP/IP stack of its own behind a TUN device, as its server or its client.",
    )
    .addOption(new Option('-s, --server', 'wait for clients'))
    .addOption(new Option('-c, --client <address>', 'test with the server there'))
    .addOption(
      valueOption('-p, --port <port>', 'of the server', (text) => parseWhole(text, 1, 65535)).default(IPERF3_PORT),
    )
    .addOption(valueOption('-t, --time <seconds>', 'send for so long', (text) => parseSeconds(text, 0.1)).default(10))
    .addOption(valueOption('-n, --bytes <size>', 'send so much instead, as 100M', parseBytes))
    .addOption(
      valueOption('-P, --parallel <n>', 'connections side by side', (text) => parseWhole(text, 1, 128)).default(1),
    )
    .addOption(new Option('-R, --reverse', 'the server sends'))
    .addOption(
      valueOption('-b, --bitrate <rate>', 'of each connection, as 100M; 0: as fast as it goes', parseBits).default(0),
    )
    .addOption(valueOption('-l, --length <size>', 'of a write, as 128K', parseBytes).default(BLOCK_BYTES, '128K'))
    .addOption(
      valueOption('-i, --interval <seconds>', 'between lines; 0: none', (text) => parseSeconds(text)).default(1),
    )
    .addOption(
      valueOption('-O, --omit <seconds>', 'leave out the first seconds', (text) => parseSeconds(text)).default(0),
    )
    .addOption(new Option('-N, --nodelay', "without Nagle's algorithm"))
    .addOption(valueOption('-M, --set-mss <bytes>', 'largest segment', (text) => parseWhole(text, 88, 65495)))
    .addOption(new Option('-C, --congestion <name>', 'congestion control of the sender'))
    .addOption(new Option('-1, --one-off', 'a server for one test'))
    .addOption(new Option('-J', "results as iperf3's JSON document, as --json"))
  addHostOptions(command)
  command.addHelpText('after', EXAMPLES)
  return command.action(async (raw: RawOptions) => {
    const settings = readSettings(raw)
    await runCommand((life) => iperf3(settings, life), { normalSignals: ['SIGINT', 'SIGTERM'] })
  })
}

const EXAMPLES = `
Examples:
  sudo tunstack iperf3 -s                              then: iperf3 -c 10.77.0.2       (-R for the other direction)
  iperf3 -s &  sudo tunstack iperf3 -c 10.77.0.1       ours as the client
  sudo tunstack iperf3 -c 10.77.0.1 --delay 10ms --loss 0.1% --set congestion=bbr`

/** Reads `131072`, `128K`, `100M`: a size as iperf3 writes it, K, M and G of 1,024. @throws {TypeError} when it is none */
export function parseBytes(text: string): number {
  const [, digits = '', prefix = ''] = /^([0-9]{1,12}(?:\.[0-9]{1,6})?)([kmg]?)$/i.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * 1024 ** ' kmg'.indexOf(prefix.toLowerCase() || ' '))
  if (digits === '' || bytes < 1) throw new TypeError('give a size of at least one byte, as 128K or 100M')
  return bytes
}

/** Reads `100M`, `1G`: a rate as iperf3 writes it, in bits a second, K, M and G of 1,000. @throws {TypeError} when it is none */
export function parseBits(text: string): number {
  const [, digits = '', prefix = ''] = /^([0-9]{1,12}(?:\.[0-9]{1,6})?)([kmg]?)$/i.exec(text) ?? []
  if (digits === '') throw new TypeError('give a rate in bits a second, as 100M, or 0 for none')
  return Math.floor(Number(digits) * 1000 ** ' kmg'.indexOf(prefix.toLowerCase() || ' '))
}

function readSettings(raw: RawOptions): Settings {
  const isServer = raw['server'] === true
  const server = (raw['client'] as string | undefined) ?? null
  if (isServer === (server !== null))
    throw usageError('give either -s or -c ADDRESS', 'as tunstack iperf3 -c 10.77.0.1')
  if (server !== null && parseAddress(server) === null) {
    throw usageError(`'${server}' is no IP address`, 'names are not resolved here: give an address, as 10.77.0.1')
  }
  const len = raw['length'] as number
  if (len > 1 << 20) throw usageError(`--length ${len} is too long`, 'give at most 1M')
  const params: TestParams = {
    tcp: true,
    omit: raw['omit'] as number,
    time: raw['bytes'] === undefined ? (raw['time'] as number) : 0,
    num: (raw['bytes'] as number | undefined) ?? 0,
    blockcount: 0,
    parallel: raw['parallel'] as number,
    len,
    bandwidth: raw['bitrate'] as number,
    ...(raw['reverse'] === true ? { reverse: true } : {}),
    ...(raw['nodelay'] === true ? { nodelay: true } : {}),
    ...(raw['setMss'] === undefined ? {} : { MSS: raw['setMss'] as number }),
    ...(raw['congestion'] === undefined ? {} : { congestion: raw['congestion'] as string }),
    client_version: '3.12',
  }
  const host = hostSettings(raw)
  return {
    host,
    server,
    port: raw['port'] as number,
    intervalSeconds: raw['interval'] as number,
    isOneOff: raw['1'] === true || raw['oneOff'] === true,
    json: raw['J'] === true || host.json,
    params,
  }
}

const SILENT: RunObserver = { onStart: () => undefined, onInterval: () => undefined }

async function iperf3(settings: Settings, life: Lifecycle): Promise<number> {
  if (settings.host.quiet || settings.json) life.info = () => undefined
  return settings.server === null ? serve(settings, life) : test(settings, settings.server, life)
}

function factsOf(settings: Settings, run: TestRun | null): JsonFacts {
  const socket = run?.streams[0]?.socket
  const { server, port } = settings
  return { server, port, congestion: congestionOf(socket), mss: socket?.info()?.tcpi_snd_mss ?? 0 }
}

async function test(settings: Settings, server: string, life: Lifecycle): Promise<number> {
  const { json, port, params, intervalSeconds } = settings
  const { host, scheduler } = await openHost(settings.host, life, { control: 'iperf3' })
  const report = new TextReport()
  const isSilent = json || settings.host.quiet
  if (!isSilent) print(`Connecting to host ${server}, port ${port}`)
  if (!isSilent && params.reverse === true) print(`Reverse mode, remote host ${server} is sending`)
  const observer = isSilent ? SILENT : report
  try {
    const intervalUs = intervalSeconds * SECOND
    const run = await runClient({ host, scheduler, server, port, params, intervalUs, observer, stop: life.stop })
    if (json) print(JSON.stringify(jsonDocument(run, factsOf(settings, run), null), null, '\t'))
    else {
      report.end(run)
      print('\niperf Done.')
    }
    return EXIT.ok
  } catch (error) {
    if (!json) throw error
    print(JSON.stringify(jsonDocument(null, factsOf(settings, null), messageOf(error)), null, '\t'))
    return EXIT.failure
  }
}

async function serve(settings: Settings, life: Lifecycle): Promise<number> {
  const { json, port, intervalSeconds, isOneOff } = settings
  const { host, scheduler } = await openHost(settings.host, life, { control: 'iperf3' })
  const report = new TextReport()
  const isSilent = json || settings.host.quiet
  const announce = (): void => {
    if (isSilent) return
    for (const line of [SERVER_RULE, `Server listening on ${port} at ${host.addresses.join(' and ')}`, SERVER_RULE])
      print(line)
  }
  let status: number = EXIT.ok
  const over = new Promise<void>((resolve) => {
    const server = new Iperf3Server({
      host,
      scheduler,
      port,
      intervalUs: intervalSeconds * SECOND,
      observer: isSilent ? SILENT : report,
      onAccepted: ({ remoteAddress, remotePort }) => {
        if (!isSilent) print(`Accepted connection from ${remoteAddress}, port ${remotePort}`)
      },
      onOver: (run, error) => {
        const message = error === null ? null : messageOf(error)
        if (json) print(JSON.stringify(jsonDocument(run, factsOf(settings, run), message)))
        else if (message !== null) life.info(`tunstack: the test broke off: ${message}`)
        else if (run !== null) report.end(run)
        if (isOneOff) {
          status = error === null ? EXIT.ok : EXIT.failure
          setTimeout(resolve, 50) // for the last state to leave
        } else announce()
      },
    })
    life.defer(() => server.close())
    server.listen().then(announce, (error: unknown) => {
      life.fail(error instanceof CliError ? error : new CliError(messageOf(error)))
    })
  })
  await Promise.race([over, life.stopped()])
  return status
}
