// `tunstack proxy`: an HTTP proxy on our own stack behind a TUN device, forward or reverse, caching, or blind on purpose.
// Owns: the command, its options, its start and its end. Does not own: proxying (src/http), the store on disk (cache-disk.ts), the host
// (open-host.ts). Both sides are connections of our stack: what is beyond the TUN device goes by the kernel, which routes.

import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { BlindRelay, type Connect, HttpCache, HttpProxy, type Origin } from '../http/index.ts'
import type { TunSocket } from '../net/index.ts'
import { AccessLog, accessJson, accessLine } from './access-log.ts'
import { DiskStore } from './cache-disk.ts'
import { CliError, codeOf, messageOf, usageError } from './errors.ts'
import { type Lifecycle, runCommand } from './lifecycle.ts'
import { type OpenedHost, openHost } from './open-host.ts'
import { addHostOptions, type HostSettings, hostSettings, type RawOptions } from './options.ts'
import { print, printError } from './print.ts'
import { proxyConnector, type ReachSettings, reachOptions, reachSettings } from './proxy-connect.ts'
import { listOption, parseWhole, valueOption } from './read-options.ts'
import { urlOf } from './serve.ts'

/** How long exchanges under way may go on when the proxy ends, in milliseconds. */
const FINISH_MS = 500

interface Listen {
  /** Null: all own addresses. */
  readonly host: string | null
  readonly port: number
}

interface ProxySettings {
  readonly host: HostSettings
  readonly listen: readonly Listen[]
  readonly blind: boolean
  readonly cache: boolean
  readonly store: string | null
  readonly origin: Origin | null
  readonly parent: Origin | null
  readonly connectPorts: readonly number[] | 'all' | null
  readonly auth: string | null
  readonly forwarded: 'none' | 'forwarded' | 'x-forwarded'
  readonly upgrade: boolean
  readonly name: string
  readonly reach: ReachSettings
}

/** Reads `3128`, `10.77.0.2:3128` or `[fd77::2]:3128`. @throws {TypeError} when it is none of them */
export function parseListen(text: string): Listen {
  const parts = /^(?:(\[[^\]]+\]|[^:[\]]+):)?([0-9]{1,5})$/.exec(text)
  if (parts === null) throw new TypeError('write a port, or address:port, as 3128 or 10.77.0.2:3128')
  return { host: parts[1]?.replace(/^\[|\]$/g, '') ?? null, port: parseWhole(parts[2], 1, 65_535) }
}

/** Reads `http://host:port`, or `host:port` alone. @throws {TypeError} when it is neither, or has more to it */
export function parseOrigin(text: string): Origin {
  const origin = parseServer(text)
  if (origin.protocol !== 'http:') throw new TypeError('write http://host:port, as http://10.77.0.1:8080')
  return origin
}

/** Reads the server behind a reverse proxy: as `parseOrigin`, or `https://host:port`. @throws {TypeError} as that */
export function parseServer(text: string): Origin {
  const mend = 'write http://host:port or https://host:port, as http://10.77.0.1:8080'
  const url = tryUrl(text)
  // A word alone is a slip more often than a host.
  if (!/:/.test(text)) throw new TypeError(mend)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new TypeError(mend)
  if (url.pathname !== '/' || url.search !== '' || url.username !== '')
    throw new TypeError(`no path and no user; ${mend}`)
  const protocol = url.protocol as Origin['protocol']
  const port = Number(url.port || (protocol === 'http:' ? 80 : 443))
  return { protocol, host: url.hostname.replace(/^\[|\]$/g, ''), port }
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`)
  } catch {
    return null
  }
}

function parsePorts(text: string): readonly number[] | 'all' {
  return text === 'all' ? 'all' : text.split(',').map((one) => parseWhole(one.trim(), 1, 65_535))
}

/** The command `proxy`. */
export function proxyCommand(): Command {
  const command = new Command('proxy')
    .summary('an HTTP proxy: forward, reverse, caching, or blind')
    .description('Passes HTTP/1.1 on, from a TCP/IP stack of its own behind a TUN device.')
    .addOption(listOption('--listen <[address:]port>', 'where to listen; may be repeated (default: 3128)', parseListen))
    .option('--forward', 'to wherever the request says: what clients are told as their proxy (default)')
    .addOption(valueOption('--reverse <origin>', 'always to this server, as http://10.77.0.1:8080', parseServer))
    .addOption(valueOption('--parent <proxy>', 'send everything to another proxy, as 10.77.0.1:3128', parseOrigin))
    .option('--cache', 'answer from what is stored, and store what may be stored (RFC 9111)')
    .addOption(
      new Option('--store <folder>', 'store on disk, and find it again after the next start (default: in memory)'),
    )
    .addOption(
      valueOption('--connect-ports <list>', 'ports to which CONNECT may lead, or all (default: 443)', parsePorts),
    )
    .addOption(new Option('--auth <user:password>', 'ask every client for it (Basic, 407)'))
    .addOption(
      new Option('--forwarded <style>', "tell servers the client's address")
        .choices(['none', 'forwarded', 'x-forwarded'])
        .default('none'),
    )
    .option('--upgrade', 'pass Upgrade on, as for WebSocket')
    .addOption(new Option('--name <token>', 'what it calls itself in Via (default: tunstack- and a number by chance)'))
    .option('--blind', 'WARNING: the relay of 1996, to see it hang; see below')
  for (const option of reachOptions()) command.addOption(option)
  addHostOptions(command)
  command.addHelpText('after', EXAMPLES)
  return command.action(async (raw: RawOptions) => {
    const settings = proxySettings(raw)
    await runCommand((life) => proxy(settings, life), { normalSignals: ['SIGINT', 'SIGTERM'] })
  })
}

const EXAMPLES = `
WARNING: --blind passes every field on, 'Connection: Keep-Alive' too, and waits for the server to close. Clients that keep connections
open hang in it, requests are not checked, and there is no limit on anything. It is there to be looked at with --trace, never to be used.

Examples:
  sudo tunstack proxy                                    then: curl -x http://10.77.0.2:3128 http://10.77.0.1:8080/
  sudo tunstack proxy --cache --store /tmp/store         the second request does not go to the server
  sudo tunstack proxy --reverse http://10.77.0.1:8080 --listen 80
  sudo tunstack proxy --blind --trace                    then: curl -0 -x http://10.77.0.2:3128 -H 'Connection: Keep-Alive' ...

The access log goes to stdout, everything else to stderr. Names are looked up in --resolve, in /etc/hosts, and by --dns.
To reach servers beyond this
machine the kernel must forward for the stack's address (net.ipv4.ip_forward, and masquerading where it is not routed).
SIGINT (Ctrl-C) and SIGTERM end the proxy with status 0.`

function proxySettings(raw: RawOptions): ProxySettings {
  const origin = (raw.reverse as Origin | undefined) ?? null
  const parent = (raw.parent as Origin | undefined) ?? null
  const [blind, store] = [raw.blind === true, (raw.store as string | undefined) ?? null]
  if (origin !== null && raw.forward === true)
    throw usageError('--forward and --reverse exclude each other', 'leave one out')
  const cache = raw.cache === true
  if (store !== null && !cache) throw usageError('--store needs --cache', 'add --cache')
  const auth = (raw.auth as string | undefined) ?? null
  if (auth !== null && !auth.includes(':')) throw usageError('--auth needs a password', 'write --auth user:password')
  if (blind && (cache || auth !== null || raw.upgrade === true)) {
    throw usageError('--blind does nothing but relay', 'leave out --cache, --auth and --upgrade')
  }
  return {
    host: hostSettings(raw),
    listen: (raw.listen as readonly Listen[] | undefined) ?? [{ host: null, port: 3128 }],
    blind,
    cache,
    store,
    origin,
    parent,
    connectPorts: (raw.connectPorts as readonly number[] | 'all' | undefined) ?? null,
    auth,
    forwarded: raw.forwarded as ProxySettings['forwarded'],
    upgrade: raw.upgrade === true,
    name: (raw.name as string | undefined) ?? `tunstack-${randomBytes(3).toString('hex')}`,
    reach: reachSettings(raw),
  }
}

async function proxy(settings: ProxySettings, life: Lifecycle): Promise<number> {
  const store = settings.store === null ? null : new DiskStore(settings.store)
  if (settings.host.quiet) life.info = () => undefined
  const opened = await openHost(settings.host, life)
  const { json, quiet } = settings.host
  const log = new AccessLog(opened.scheduler, (record) => {
    if (json) print(accessJson(record, opened.epochUs))
    else if (!quiet) print(accessLine(record, opened.epochUs))
  })
  const connect = proxyConnector(opened, settings.reach, settings.host.tcp.nagle !== true)
  const cache = settings.cache ? makeCache(settings, opened, store) : null
  const smart = settings.blind ? null : makeProxy(settings, opened, connect, cache, log)
  const blind = settings.blind ? makeBlind(settings, opened, connect, life) : null
  const accept = (socket: TunSocket): void => {
    const { remoteAddress, remotePort, localAddress, localPort } = socket
    const connection = { remoteAddress, remotePort, localAddress, localPort }
    if (smart === null) {
      blind?.handleConnection(socket)
      return
    }
    log.connected(connection, socket)
    smart.handleConnection(socket, connection)
  }
  for (const one of settings.listen) await listen(opened, one, settings, accept)
  announce(settings, opened)
  await life.stopped()
  if (smart !== null)
    await Promise.race([smart.close(), new Promise((resolve) => setTimeout(resolve, FINISH_MS).unref())])
  smart?.closeAll()
  blind?.closeAll()
  log.flush()
  if (smart !== null) summarize(smart, cache, settings, life)
  return 0
}

function makeCache({ name }: ProxySettings, { scheduler }: OpenedHost, store: DiskStore | null): HttpCache {
  return new HttpCache({ scheduler, wallClock: Date.now, name, ...(store !== null && { store }) })
}

function makeProxy(
  settings: ProxySettings,
  { scheduler }: OpenedHost,
  connect: Connect,
  cache: HttpCache | null,
  log: AccessLog,
): HttpProxy {
  const { name, forwarded, upgrade, origin, parent, connectPorts, auth } = settings
  const check = (user: string, password: string): boolean => `${user}:${password}` === auth
  try {
    return new HttpProxy({
      scheduler,
      connect,
      wallClock: Date.now,
      name,
      forwarded,
      upgrade,
      ...(origin !== null && { origin }),
      ...(parent !== null && { parent }),
      ...(connectPorts !== null && { connectPorts }),
      ...(cache !== null && { cache }),
      ...(auth !== null && { authenticate: { realm: 'tunstack', check } }),
      onExchange: (record) => log.add(record),
    })
  } catch (error) {
    throw usageError(messageOf(error))
  }
}

function makeBlind(settings: ProxySettings, { scheduler }: OpenedHost, connect: Connect, life: Lifecycle): BlindRelay {
  const { origin, parent } = settings
  return new BlindRelay({
    scheduler,
    connect,
    ...(origin !== null && { origin }),
    ...(parent !== null && { parent }),
    onEvent: ({ at, what, bytes, text }) => life.info(`${(at / 1e6).toFixed(3)} s  ${what} ${bytes} bytes  ${text}`),
  })
}

async function listen(
  { host }: OpenedHost,
  at: Listen,
  settings: ProxySettings,
  accept: (socket: TunSocket) => void,
): Promise<void> {
  const server = host.createServer({ allowHalfOpen: true, noDelay: settings.host.tcp.nagle !== true })
  server.on('connection', accept)
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error: unknown) => {
      const mend = codeOf(error) === 'EADDRINUSE' ? 'choose another --listen' : 'listen on an address of --address'
      reject(new CliError(`cannot listen on port ${at.port}: ${messageOf(error)}`, { mend }))
    })
    server.listen(at.host === null ? { port: at.port } : { port: at.port, host: at.host })
  })
}

function announce(settings: ProxySettings, { device, host }: OpenedHost): void {
  const { json, quiet } = settings.host
  const urls = settings.listen.flatMap((one) =>
    (one.host === null ? host.addresses : [one.host]).map((a) => urlOf(a, one.port)),
  )
  const kind = settings.blind ? 'blind' : settings.origin === null ? 'forward' : 'reverse'
  if (json)
    print(
      JSON.stringify({
        type: 'listening',
        kind,
        cache: settings.cache,
        name: settings.name,
        urls,
        interface: device.name,
      }),
    )
  if (json || quiet) return
  if (settings.blind)
    printError('WARNING: the blind relay hangs, checks nothing and limits nothing; it is only to be looked at')
  const via = settings.blind ? '' : `, ${settings.name} in Via`
  printError(`${kind} proxy${settings.cache ? ' with a cache' : ''}${via}`)
  printError(`     at ${urls.join('  ')}`)
  printError(`    via ${device.name}, MTU ${host.stack.ip.mtu}`)
  printError(`    try curl ${kind === 'reverse' ? urls[0] : `-x ${urls[0]} http://${settings.host.peers[0].address}/`}`)
  printError('Ctrl-C ends it')
}

function summarize(smart: HttpProxy, cache: HttpCache | null, { host }: ProxySettings, life: Lifecycle): void {
  const { counters } = smart
  if (host.json) {
    print(JSON.stringify({ type: 'summary', ...counters, ...(cache !== null && { cache: cache.counters }) }))
    return
  }
  const { requests, connections, reused, tunnels, truncated } = counters
  life.info(
    `${requests} requests, ${connections} connections to servers used ${reused} times again, ${tunnels} tunnels, ${truncated} cut short`,
  )
  if (cache !== null) {
    const { hits, validated, stored } = cache.counters
    life.info(`cache: ${hits} hits, ${validated} of them after asking, ${stored} stored`)
  }
}
