// Agents for http.request and https.request whose connections go through a host of ours.
// Owns: one method of Node's Agent. Does not own: pooling and keep-alive (Node's), TLS (Node's).
// Invariant: with `agent: false` Node makes an Agent of its own, so requests must be given this one.

import http from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { CreateConnectionOptions } from './options.ts'
import type { TunSocket } from './socket.ts'
import { nameTlsSocket } from './tls-names.ts'

/** How an agent gets its connections: `host.createConnection`. */
export type Opener = (options: CreateConnectionOptions) => TunSocket

/** An http.Agent on a host of ours. Made by `host.agent()`. */
export class TunAgent extends http.Agent {
  readonly #open: Opener

  constructor(open: Opener, options?: http.AgentOptions) {
    super(options)
    this.#open = open
  }

  override createConnection(options: http.ClientRequestArgs): Duplex {
    return this.#open(openOptions(options))
  }
}

/** An https.Agent on a host of ours, with Node's TLS and its cache of sessions. Made by `host.httpsAgent()`. */
export class TunHttpsAgent extends https.Agent {
  readonly #open: Opener

  constructor(open: Opener, options?: https.AgentOptions) {
    super(options)
    this.#open = open
  }

  override createConnection(options: https.RequestOptions): Duplex {
    // TLS over a Duplex ends our side itself, when it has nothing more to send.
    const socket = this.#open({ ...openOptions(options), allowHalfOpen: true })
    const secure = super.createConnection({ ...options, socket } as https.RequestOptions)
    return nameTlsSocket(secure as TLSSocket, socket)
  }
}

/** What an agent asks for in the words of `createConnection`; it has the options of the request and of the agent in one. */
function openOptions(asked: http.ClientRequestArgs): CreateConnectionOptions {
  const options = asked as http.ClientRequestArgs &
    http.AgentOptions & { noDelay?: boolean; keepAliveInitialDelay?: number }
  return {
    host: options.host ?? options.hostname ?? undefined,
    port: options.port ?? options.defaultPort ?? 80,
    localAddress: options.localAddress,
    localPort: options.localPort,
    lookup: options.lookup,
    timeout: options.timeout,
    noDelay: options.noDelay,
    keepAlive: options.keepAlive,
    keepAliveInitialDelay: options.keepAliveInitialDelay ?? options.keepAliveMsecs,
  }
}
