// One host on a network: a stack on a device, with sockets and servers as Node has them, and promises beside.
// Owns: the public face. Does not own: what its sockets share (core.ts), TCP and IP (src/tcp, src/ip), the device's kind.
// Read first: socket.ts, server.ts.

import { EventEmitter } from 'node:events'
import type http from 'node:http'
import type https from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Random } from '../base/random.ts'
import { MILLISECOND, type Micros, type Scheduler } from '../base/time.ts'
import { type InterfaceAddress, IpAddress, parseCidr } from '../ip/address.ts'
import { type Connection, Stack } from '../stack/index.ts'
import type { TcpCounters, TcpEvent } from '../tcp/index.ts'
import { TunAgent, TunHttpsAgent } from './agent.ts'
import { attachServer } from './attach.ts'
import { Hold, HostCore, safely } from './core.ts'
import { type RemoteInfo, TunDgramSocket } from './dgram.ts'
import type { DgramOptions } from './dgram-arguments.ts'
import { HostDhcpClient, type HostDhcpOptions } from './dhcp.ts'
import { HostDhcpServer, type HostDhcpServerOptions } from './dhcp-server.ts'
import {
  connectDirect,
  type DirectHandler,
  type DirectListenOptions,
  type DirectServer,
  type DirectSocket,
  listenDirect,
} from './direct.ts'
import { type DirectStream, streamHandler } from './direct-stream.ts'
import { type DnsOptions, HostResolver } from './dns.ts'
import { HostDnsServer, type HostDnsServerOptions } from './dns-server.ts'
import { happyDial } from './happy-dial.ts'
import { checkOptionNames, type HostOptions } from './host-options.ts'
import {
  type ConnectArguments,
  type ConnectOptions,
  type CreateConnectionOptions,
  checkMilliseconds,
  connectArguments,
  type DialOptions,
  type HostListenOptions,
  parseLiteral,
  type ServerOptions,
  type SocketOptions,
} from './options.ts'
import { Pinger, type PingOptions } from './ping.ts'
import { realTime, systemRandom } from './real-time.ts'
import { type RedisConnectorClass, redisConnector } from './redis.ts'
import { type HostRoute, readRoute } from './routes.ts'
import { TunServer } from './server.ts'
import { TunSocket } from './socket.ts'
import { abortError, connectError } from './socket-errors.ts'
import { type UndiciConnector, type UndiciConnectorOptions, undiciConnector } from './undici.ts'

/** How long `host.close` lets connections end before it resets them, in milliseconds. */
const CLOSE_GRACE_MS = 2_000

/**
 * Is told what happens in the connections of a host: state, windows, round trips, retransmissions, reasons to wait. `socket` is null while
 * nobody has accepted the connection; a destroyed one is still told. It must not call the connection.
 */
export type HostObserver = (event: TcpEvent, connection: Connection, socket: TunSocket | null) => void

/** A host. Made by `createHost`. Event: close(error | null), once the device is closed. */
export class Host extends EventEmitter {
  /** The sans-I/O stack below, for counters and for looking in. */
  readonly stack: Stack
  readonly #core: HostCore
  readonly #hold: Hold
  readonly #pinger: Pinger
  readonly #random: Random
  readonly #resolver: HostResolver | null
  readonly #isHappy: boolean
  /** How names are resolved for `connect`, as dns.lookup; null when they are not. */
  readonly lookup: LookupFunction | null
  #closing: Promise<void> | null = null

  /** @throws {TypeError | RangeError} for an address that is none, or a setting out of its bounds */
  constructor(options: HostOptions) {
    super()
    checkOptionNames(options)
    const { device, address, scheduler = realTime(), random = systemRandom() } = options
    if (typeof device?.receive !== 'function')
      throw new TypeError('createHost needs a device: openTun({ ... }), or an end of a cable')
    if (address === undefined || address === '')
      throw new TypeError("createHost needs an address, as '10.77.0.2/24', or [] for a host that learns them")
    this.stack = new Stack({
      addresses: typeof address === 'string' ? [address] : address,
      mtu: device.mtu,
      offload: device.offload,
      random,
      tcp: options.tcp,
      hopLimit: options.hopLimit,
      ...(options.routes === undefined ? {} : { routes: options.routes.map(readRoute) }),
      timeWaitMax: options.timeWaitMax,
      ephemeralPorts: options.ephemeralPorts,
      orphanMax: options.orphanMax,
      challengeAcksPerSecond: options.challengeAcksPerSecond,
    })
    this.#random = random
    this.#resolver = options.dns === undefined ? null : this.resolver(options.dns)
    this.lookup = options.lookup ?? (this.#resolver?.lookup as LookupFunction | undefined) ?? null
    this.#isHappy = options.lookup === undefined && this.#resolver !== null
    this.#core = new HostCore(this.stack, device, scheduler, this.lookup)
    this.#core.onClosed = (error) => this.emit('close', error)
    this.#hold = new Hold(this.#core)
    this.#pinger = new Pinger(this.#core, random)
  }

  /** Own addresses, without prefix lengths. */
  get addresses(): string[] {
    return this.stack.ip.addresses.map(({ address }) => address.toString())
  }

  /** Adds an own address, '10.77.0.2/24', with a route to its prefix, or changes what is said of one. @throws {TypeError | RangeError} */
  addAddress(address: string | InterfaceAddress): void {
    this.stack.ip.addAddress(typeof address === 'string' ? parseCidr(address) : address)
  }

  /** Takes an own address away, given without its prefix length: see IpLayer.removeAddress. False when there is none. */
  removeAddress(address: string | IpAddress): boolean {
    return this.stack.ip.removeAddress(typeof address === 'string' ? IpAddress.parse(address) : address)
  }

  /** Adds a route: `{ to: 'default' | '10.1.0.0/16', via: '10.77.0.1' }`. @throws {TypeError | RangeError} for one that cannot be */
  addRoute(route: HostRoute): void {
    this.stack.ip.addRoute(readRoute(route))
  }

  /** Takes the first route away that fits what is given. False when there is none. @throws {TypeError} for what is no prefix */
  removeRoute(route: HostRoute): boolean {
    return this.stack.ip.routes.remove(readRoute(route))
  }

  /** The clock that timeouts of this host's sockets follow. */
  get scheduler(): Scheduler {
    return this.#core.scheduler
  }

  /** A socket that is not connected yet, for libraries that call `connect` themselves. */
  socket(options: SocketOptions = {}): TunSocket {
    return new TunSocket(this.#core, options)
  }

  /**
   * A UDP socket, as dgram.createSocket: `type` is 'udp4' or 'udp6', and `onMessage` a listener for 'message'.
   * @throws {TypeError} for a type that is none
   */
  createSocket(
    type: 'udp4' | 'udp6' | DgramOptions,
    onMessage?: (data: Buffer, from: RemoteInfo) => void,
  ): TunDgramSocket {
    return new TunDgramSocket(this.#core, typeof type === 'string' ? { type } : type, onMessage)
  }

  /**
   * As net.createConnection: returns a socket at once; 'connect' or 'error' follows. A `signal` destroys it at any time.
   * @throws {TypeError | RangeError} for options that cannot be meant
   */
  createConnection(...args: ConnectArguments): TunSocket {
    const { options, callback } = connectArguments(args)
    const all: CreateConnectionOptions = options
    const socket = new TunSocket(this.#core, all)
    if (all.timeout) socket.setTimeout(all.timeout)
    return socket.connect(options, callback)
  }

  /**
   * Opens a connection and waits for it. Rejects with Node's errors (ECONNREFUSED, ETIMEDOUT, ...), with ENOTFOUND for a
   * name that cannot be resolved, with an AbortError when `signal` aborts. `signal` and `timeoutMs` end with the attempt.
   * With the option `dns` a name's addresses are tried as RFC 8305 has it (Happy Eyeballs).
   * The socket has a listener for 'error': a later failure that nobody listens for destroys it but not the program.
   */
  async connect(options: DialOptions): Promise<TunSocket> {
    const { signal, timeoutMs, ...rest } = options
    if (timeoutMs !== undefined) checkMilliseconds(timeoutMs, 'timeoutMs')
    if (signal?.aborted) throw abortError(signal)
    const isName = this.#isHappy && rest.lookup === undefined && parseLiteral(rest.host ?? 'localhost') === null
    if (isName && this.#resolver !== null) return happyDial(this, this.#resolver, options)
    const socket = this.createConnection(rest)
    const abort = (): void => {
      if (signal !== undefined) socket.destroy(abortError(signal))
    }
    const late = (): void => {
      socket.destroy(connectError('ETIMEDOUT', { address: rest.host ?? 'localhost', port: Number(rest.port) }))
    }
    const { scheduler } = this.#core
    const deadline =
      timeoutMs === undefined ? null : scheduler.schedule(scheduler.now() + timeoutMs * MILLISECOND, late)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve)
        socket.on('error', reject)
      })
      return socket
    } finally {
      deadline?.cancel()
      signal?.removeEventListener('abort', abort)
    }
  }

  /** As net.createServer: a server that does not listen yet. */
  createServer(
    options?: ServerOptions | ((socket: TunSocket) => void),
    listener?: (socket: TunSocket) => void,
  ): TunServer {
    if (typeof options === 'function') return new TunServer(this.#core, {}, options)
    return new TunServer(this.#core, options ?? {}, listener)
  }

  /** Opens a port and waits for it; connections come by `for await` or by 'connection'. Rejects with EADDRINUSE and its like. */
  async listen(options: HostListenOptions): Promise<TunServer> {
    if (options.signal?.aborted) throw abortError(options.signal)
    const server = new TunServer(this.#core, options)
    await new Promise<void>((resolve, reject) => {
      const closed = (): void => reject(options.signal?.aborted ? abortError(options.signal) : listenClosed())
      server.once('error', reject).once('close', closed)
      server.listen(options, () => {
        server.off('error', reject).off('close', closed)
        resolve()
      })
    })
    return server
  }

  /**
   * Opens a port whose connections have callbacks instead of streams: for those who want what a Duplex costs. See DirectHandler.
   * @throws {SocketError} EADDRINUSE and its like @throws {TypeError | RangeError} for what cannot be meant
   */
  listenDirect(options: DirectListenOptions, handler: DirectHandler): DirectServer {
    return listenDirect(this.#core, options, handler)
  }

  /**
   * Opens a port whose connections are byte streams without node:stream, as HTTP takes them: `(stream) => server.handleConnection(stream)`.
   * @throws as listenDirect
   */
  listenStreams(options: DirectListenOptions, onStream: (stream: DirectStream) => void): DirectServer {
    return listenDirect(this.#core, options, streamHandler(onStream))
  }

  /** Opens a connection with callbacks instead of a stream, to an address. @throws as listenDirect: what fails later goes to `onClose` */
  connectDirect(options: ConnectOptions, handler: DirectHandler): DirectSocket {
    return connectDirect(this.#core, options, handler)
  }

  /**
   * Opens a port for a server of Node's (http, https, http2, net) or of a framework, which gets the connections as if they
   * were its own. The port closes when that server closes.
   *
   * That server has no handle of Node's, so its own `listening` stays false and `address()` null, and `close(callback)` closes it all
   * the same but tells the callback ERR_SERVER_NOT_RUNNING; the server that this resolves with has `listening`, `address` and `close`.
   */
  async serve(server: http.Server | https.Server | EventEmitter, options: HostListenOptions): Promise<TunServer> {
    if (typeof server?.emit !== 'function' || typeof server.once !== 'function' || typeof server === 'function') {
      throw new TypeError('host.serve takes a server: http.createServer(app), not the application itself')
    }
    return attachServer(server, options, (all) => this.listen(all))
  }

  /**
   * Sends an echo request to an address and resolves with the time to the reply, in microseconds. Rejects with ETIMEDOUT
   * (1 s unless told otherwise), ENETUNREACH, ENOTFOUND for a name, or an AbortError.
   */
  async ping(address: string, options: PingOptions = {}): Promise<Micros> {
    return this.#pinger.ping(address, options)
  }

  /**
   * A resolver that asks these servers from this host, with a cache of its own: `host.resolver({ servers: ['10.0.0.53'] })`.
   * @throws {TypeError | RangeError} for a server that is no address, or a setting out of its bounds
   */
  resolver(options: DnsOptions = {}): HostResolver {
    return new HostResolver(this, options, this.#random)
  }

  /** A DNS server over UDP and TCP: `host.dnsServer({ zone: { origin: 'lan', text: 'box A 10.0.0.2' } })`. May reject: EADDRINUSE. */
  dnsServer(options: HostDnsServerOptions): Promise<HostDnsServer> {
    return new HostDnsServer(this, options, this.#random).open()
  }

  /** Asks for an IPv4 address by DHCP, on an Ethernet interface: `host.dhcpClient({ ethernet })`. */
  dhcpClient(options: HostDhcpOptions): HostDhcpClient {
    return new HostDhcpClient(this.#core, options, this.#random)
  }

  /** Gives IPv4 addresses by DHCP: `host.dhcpServer({ ethernet, range: ['10.0.0.100', '10.0.0.199'] })`. */
  dhcpServer(options: HostDhcpServerOptions): HostDhcpServer {
    return new HostDhcpServer(this.#core, options, this.#pinger)
  }

  /** An agent for http.request, whose connections are this host's. */
  agent(options?: http.AgentOptions): TunAgent {
    return new TunAgent((all) => this.createConnection(all), options)
  }

  /** An agent for https.request, whose connections are this host's. */
  httpsAgent(options?: https.AgentOptions): TunHttpsAgent {
    return new TunHttpsAgent((all) => this.createConnection(all), options)
  }

  /** The `connect` option of undici's Client, Pool and Agent. */
  undiciConnector(options?: UndiciConnectorOptions): UndiciConnector {
    return undiciConnector((all) => this.connect(all), options)
  }

  /** The `Connector` option of ioredis. (pg takes `stream: () => host.socket()`.) */
  redisConnector(): RedisConnectorClass {
    return redisConnector((all) => this.createConnection(all))
  }

  /**
   * Tells `observer` what happens in every connection from now on; what it throws becomes an uncaught exception. Returns the call that
   * ends it. A host that nobody observes pays nothing.
   */
  observe(observer: HostObserver): () => void {
    return this.stack.tcp.observe((event, connection) => {
      const socket = connection.owner
      safely(() => observer(event, connection, socket instanceof TunSocket ? socket : null))
    })
  }

  /** TCP's counters as they are now, by nstat's names (`TcpRetransSegs`, `TcpExtTCPTimeouts`): a copy. */
  counters(): TcpCounters {
    return { ...this.stack.tcp.counters }
  }

  /** Keeps the program alive, to answer pings, although there is no connection or server. */
  ref(): this {
    this.#hold.settle(true)
    return this
  }

  /** Takes `ref` back (the default): the program lives as long as connections and servers that are not unref'd. */
  unref(): this {
    this.#hold.settle(false)
    return this
  }

  /**
   * Closes servers, ends connections, waits until the peers have everything and have ended too, at most `graceMs`, resets
   * what is left, and closes the device. Harmless when repeated.
   */
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#core.shutDown(checkMilliseconds(options.graceMs ?? CLOSE_GRACE_MS, 'graceMs'))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Makes a host on a device: `createHost({ device, address: '10.77.0.2/24' })`.
 *
 * What keeps the program alive is the open device. An end of `memoryPair` is no handle of the event loop, and the timers of the default
 * clock keep nothing alive either: a program whose hosts have only such a cable ends in the middle of what it does, silently, unless
 * something else goes on or they get `scheduler: realTime({ ref: true })`.
 * @throws {TypeError | RangeError} for an address that is none, or a setting out of its bounds
 */
export function createHost(options: HostOptions): Host {
  return new Host(options)
}

function listenClosed(): Error {
  return new Error('the server was closed before it listened')
}
