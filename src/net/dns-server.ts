// A DNS server on a host: UDP and TCP on one port.
// Owns: its sockets, what a connection may cost. Does not own: replies (src/dns/server.ts). Read first: RFC 7766 §6.

import type { Random } from '../base/random.ts'
import { MILLISECOND } from '../base/time.ts'
import {
  DNS_PORT,
  DnsServer,
  type DnsServerOptions,
  FrameReader,
  frameMessage,
  type ZoneOptions,
} from '../dns/index.ts'
import { parseAddress } from '../ip/address.ts'
import { serverAddress } from './dns.ts'
import type { DnsDatagramSocket, DnsHost } from './dns-host.ts'
import { DnsSockets } from './dns-sockets.ts'
import type { TunServer } from './server.ts'
import type { TunSocket } from './socket.ts'

/** How a DNS server of a host is set up. */
export interface HostDnsServerOptions extends Omit<DnsServerOptions, 'random' | 'upstream'> {
  /** One zone; `zones` for several. */
  readonly zone?: ZoneOptions
  /** Addresses of the servers that are asked for other names. Default: none, and those names are refused. */
  readonly upstream?: readonly string[]
  /** How long each of them is waited for in the first round, in milliseconds. Default 2000. */
  readonly upstreamTimeoutMs?: number
  /** Default 53. */
  readonly port?: number
}

/** How long a connection may be idle (RFC 7766 §6.2.3: some seconds), in milliseconds. */
const IDLE_MS = 10_000

/** Most connections at a time. */
const MAX_CONNECTIONS = 100

/** A DNS server. Made by `host.dnsServer`, which waits until it is open. */
export class HostDnsServer {
  /** The sans-I/O server below, for its counters. */
  readonly machine: DnsServer
  readonly port: number
  readonly #host: DnsHost
  readonly #sockets: DnsSockets
  readonly #udp: DnsDatagramSocket[] = []
  readonly #connections = new Set<TunSocket>()
  #tcp: TunServer | null = null

  /** @throws {TypeError | RangeError} for a zone or a server that is none */
  constructor(host: DnsHost, options: HostDnsServerOptions, random: Random) {
    const { zone, zones = [], upstream = [], upstreamTimeoutMs = 2000, udpBytes } = options
    this.machine = new DnsServer({
      zones: zone === undefined ? zones : [zone, ...zones],
      upstream: { servers: upstream.map(serverAddress), timeoutUs: upstreamTimeoutMs * MILLISECOND },
      udpBytes,
      random,
    })
    this.port = options.port ?? DNS_PORT
    this.#host = host
    this.#sockets = new DnsSockets(host, this.machine.exchanger)
  }

  /** Opens the ports. Rejects with EADDRINUSE and its like. */
  async open(): Promise<this> {
    try {
      // A socket for each own address, so that a reply comes from where the query went.
      for (const address of this.#host.addresses) await this.#bind(address)
      this.#tcp = await this.#host.listen({ port: this.port })
      this.#tcp.on('connection', (socket) => this.#serve(socket))
      return this
    } catch (error) {
      this.close()
      throw error
    }
  }

  #bind(address: string): Promise<void> {
    const socket = this.#host.createSocket(parseAddress(address)?.family === 6 ? 'udp6' : 'udp4')
    this.#udp.push(socket)
    socket.on('message', (data, from) => {
      this.machine.handleQuery(data, 'udp', this.#host.scheduler.now(), (reply) => {
        // A client that is gone is no error of the server's.
        if (this.#udp.includes(socket)) socket.send(reply, from.port, from.address, () => undefined)
      })
      this.#sockets.settle()
    })
    return new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.bind(this.port, address, () => {
        socket.on('error', () => undefined)
        socket.off('error', reject)
        resolve()
      })
    })
  }

  #serve(socket: TunSocket): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      socket.destroy()
      return
    }
    this.#connections.add(socket)
    const frames = new FrameReader()
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('close', () => this.#connections.delete(socket))
    socket.on('data', (data) => {
      // RFC 7766 §6.2.1.1: several queries may be under way; each is answered when its answer is there.
      for (const message of frames.push(data)) {
        this.machine.handleQuery(message, 'tcp', this.#host.scheduler.now(), (reply) => {
          if (socket.writable) socket.write(frameMessage(reply))
        })
      }
      this.#sockets.settle()
    })
  }

  /** Closes the ports and all connections. Harmless when repeated. */
  close(): void {
    for (const socket of this.#udp.splice(0)) socket.close()
    this.#tcp?.close()
    this.#tcp = null
    for (const socket of this.#connections) socket.destroy()
    this.#sockets.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return Promise.resolve()
  }
}
