// The smart proxy: takes requests on one side, sends them on over connections of its own on the other, and brings the answers back.
// Owns: what a request goes through, refusals, passing bodies, 1xx, trailers and truncation on. Does not own: fields (proxy-fields.ts),
// targets (proxy-target.ts), connections to servers (proxy-upstream.ts), those of clients (server-connection.ts), storing (cache/).
// Every message is taken apart and made anew: what cannot be read as one message is answered and never passed on.
// Read first: RFC 9110 §7.6 (message forwarding), RFC 9112 §11.2 (request smuggling).

import { toBytes } from './body.ts'
import type { HttpCache } from './cache/cache.ts'
import type { ClientResponse } from './client-message.ts'
import { remoteError } from './errors.ts'
import { HeaderList } from './headers.ts'
import { bodyOf, type Forward, type HopRequest, type HopResponse, ownResponse } from './hop.ts'
import { sendHop } from './hop-send.ts'
import type { Origin } from './pool-options.ts'
import { exchangeFailure, failureResponse, proxyError } from './proxy-errors.ts'
import { addForwarded, addVia, forwardedTrailers, maxForwards, timesInVia, withoutHopFields } from './proxy-fields.ts'
import {
  type HopRecord,
  type HttpProxyOptions,
  type ProxyContext,
  type ProxyCounters,
  proxyContext,
} from './proxy-options.ts'
import { connectOrigin, forwardRoute, type Route, reverseRoute } from './proxy-target.ts'
import { Upstream } from './proxy-upstream.ts'
import { HttpServer } from './server.ts'
import type { ConnectionInfo, ServerRequest, ServerResponse } from './server-message.ts'
import type { ByteStream } from './stream.ts'
import { joinStreams, type TunnelEnd } from './tunnel.ts'

/** Methods that OPTIONS names as answered here (RFC 9110 §9.3.7). */
const ALLOW = 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE, CONNECT'

/** Fields that TRACE must not show (RFC 9110 §9.3.8). */
const SECRET = ['authorization', 'proxy-authorization', 'cookie']

/** A forward or reverse proxy. */
export class HttpProxy {
  /** Counted since the beginning. */
  readonly counters: Readonly<ProxyCounters>
  readonly #context: ProxyContext
  readonly #server: HttpServer
  readonly #upstream: Upstream
  readonly #cache: HttpCache | null
  readonly #tunnels = new Set<ByteStream>()

  /**
   * @throws {TypeError} for a name that is no token
   * @throws {RangeError} for a limit or timeout out of range
   */
  constructor(options: HttpProxyOptions) {
    this.#context = proxyContext(options, () => this.#server.connectionCount)
    this.counters = this.#context.counters
    this.#upstream = new Upstream(this.#context)
    this.#cache = options.cache ?? null
    this.#server = new HttpServer({
      handler: (request, response) => this.#handle(request, response),
      scheduler: options.scheduler,
      role: 'proxy',
      // DEVIATION: RFC 9112 §9.3 lets no proxy keep a connection to an HTTP/1.0 client, for fear of a blind relay in between. One that
      // asks for it is kept, as in 1996: what that leads to is to be seen here.
      lenient: { proxyConnection: options.proxyConnection !== false },
      ...(options.limits && { limits: options.limits }),
      ...(options.clientTimeouts && { timeouts: options.clientTimeouts }),
      ...(options.wallClock && { wallClock: options.wallClock }),
      ...(options.onExchange && { onExchange: options.onExchange }),
      onError: (error) => options.onError?.(error),
    })
  }

  /** Connections of clients that are open now. */
  get connectionCount(): number {
    return this.#server.connectionCount
  }

  /** Connections to servers that are open now, tunnels not counted. */
  get upstreamCount(): number {
    return this.#upstream.connectionCount
  }

  /** Serves a client's connection; the stream belongs to the proxy from now on. */
  handleConnection(stream: ByteStream, info: ConnectionInfo = {}): void {
    this.#server.handleConnection(stream, info)
  }

  /** Ends when what is under way is done; tunnels are cut. */
  async close(): Promise<void> {
    this.#upstream.close()
    for (const stream of this.#tunnels) stream.destroy()
    await this.#server.close()
  }

  /** Drops every connection at once. */
  closeAll(): void {
    this.#server.closeAll()
    this.#upstream.destroy()
    for (const stream of this.#tunnels) stream.destroy()
  }

  // ---- requests

  async #handle(request: ServerRequest, response: ServerResponse): Promise<void> {
    this.#context.counters.requests++
    const { method, target, httpVersion } = request
    this.#note('request-in', `${method} ${target} HTTP/${httpVersion}`, request.headers)
    try {
      const answer = this.#refusal(request)
      if (answer !== null) {
        this.#context.counters.ownAnswers++
        return await this.#respond(request, response, answer, false)
      }
      if (method === 'CONNECT') return await this.#connect(request, response)
      const route = this.#route(request)
      if (this.#wantsUpgrade(request)) return await this.#upgrade(request, response, route)
      const hop = this.#hopRequest(request, response, route)
      const forward: Forward = (one) => this.#forward(one, request.connection, route)
      const got = await (this.#cache === null ? forward(hop) : this.#cache.handle(hop, forward))
      await this.#respond(request, response, got, true)
    } catch (error) {
      await this.#failed(request, response, error)
    }
  }

  async #failed(request: ServerRequest, response: ServerResponse, error: unknown): Promise<void> {
    if (request.signal.aborted) this.#context.counters.aborted++
    if (response.ended) return
    this.#context.options.onError?.(error)
    // In the middle of the answer: the connection ends with it incomplete.
    if (response.headSent) throw remoteError(502, 'truncated', 'the server cut its answer short')
    this.#context.counters.ownAnswers++
    const { name, options } = this.#context
    // An answer that was begun and broke off before its head left says nothing in ours.
    for (const [field] of response.headers.toJSON()) response.headers.delete(field)
    try {
      await this.#respond(request, response, failureResponse(error, name, options.proxyStatus !== false), false)
    } catch {
      // The client has gone meanwhile.
    }
  }

  /** What is answered here without asking anybody; null for what goes on. */
  #refusal(request: ServerRequest): HopResponse | null {
    const { method, headers } = request
    const { name, options } = this.#context
    const status = options.proxyStatus === false ? null : name
    // RFC 9110 §7.6.3: our own name in Via means that the request has been here.
    if (timesInVia(headers, name) > 0) {
      return proxyError(508, 'the request has passed this proxy before', 'proxy_loop_detected', status)
    }
    const challenge = this.#challenge(headers)
    if (challenge !== null) return challenge
    // RFC 9110 §9.3.8: a client must not send content in TRACE.
    if (method === 'TRACE' && hasBody(headers)) throw remoteError(400, 'body-length', 'TRACE has no body')
    // RFC 9110 §9.3.7: `*` is whoever is asked, which is a forward proxy itself.
    const isOwn = request.parsedTarget.form === 'asterisk' && options.origin === undefined
    const left = isOwn ? 0 : maxForwards(method, headers)
    if (left === 'bad') throw remoteError(400, 'bad-header', `Max-Forwards: ${headers.get('max-forwards')}`)
    if (left !== 0) return null
    // RFC 9110 §7.6.2: with 0 left this proxy is the one that answers.
    if (method === 'OPTIONS') return ownResponse(200, '', { Allow: ALLOW })
    return traceResponse(request)
  }

  #challenge(headers: HeaderList): HopResponse | null {
    const { authenticate } = this.#context.options
    if (authenticate === undefined) return null
    const credentials = readBasic(headers.get('proxy-authorization'))
    if (credentials !== null && authenticate.check(credentials.user, credentials.password)) return null
    const realm = authenticate.realm.replace(/["\\]/g, '\\$&')
    // RFC 9110 §11.7.1.
    return ownResponse(407, 'this proxy wants to know who asks', {
      'Proxy-Authenticate': `Basic realm="${realm}", charset="UTF-8"`,
    })
  }

  #route(request: ServerRequest): Route {
    const { origin } = this.#context.options
    const { parsedTarget, headers } = request
    return origin === undefined ? forwardRoute(parsedTarget) : reverseRoute(parsedTarget, origin, headers.get('host'))
  }

  /** The request as it is meant from end to end: without the fields of the hop it came over. */
  #hopRequest(
    request: ServerRequest,
    response: ServerResponse,
    { host, uri }: Pick<Route, 'host' | 'uri'>,
  ): HopRequest {
    const { method, httpVersion, signal } = request
    const headers = this.#endToEnd(request)
    headers.set('Host', host)
    const expects = headers.tokens('expect').includes('100-continue')
    // RFC 9110 §10.1.1: an HTTP/1.0 client's expectation is not passed on.
    if (httpVersion === '1.0') headers.delete('expect')
    return {
      method,
      uri,
      version: httpVersion,
      headers,
      body: hasBody(request.headers) ? request.body : null,
      trailers: () => forwardedTrailers(request.trailers),
      signal,
      onInformational: (informational) => {
        this.#note('response-in', `HTTP/${informational.version} ${informational.status}`, informational.headers)
        // RFC 9110 §15.2: 1xx is passed on, but for the 100 that the body's reader sends by itself.
        if (response.headSent || response.ended || informational.status === 101) return
        if (informational.status === 100 && expects) return
        const fields = withoutHopFields(informational.headers)
        response.informational(informational.status, fields)
      },
    }
  }

  #endToEnd(request: ServerRequest): HeaderList {
    const wantsTrailers = request.headers.tokens('te').includes('trailers')
    const headers = withoutHopFields(request.headers, request.httpVersion === '1.1')
    // RFC 9110 §11.7.2: credentials for a proxy end at the first that asks for them, and never get to a server.
    const { authenticate, parent } = this.#context.options
    if (authenticate !== undefined || parent === undefined) headers.delete('proxy-authorization')
    // RFC 9110 §10.1.4: TE is of one hop; this proxy takes trailers from the next one and passes them on.
    if (wantsTrailers) headers.append('TE', 'trailers').append('Connection', 'TE')
    return headers
  }

  async #forward(hop: HopRequest, info: ConnectionInfo, route: Route): Promise<HopResponse> {
    const { parent } = this.#context.options
    const target = parent === undefined ? route.originForm : route.absoluteForm
    return this.#hopResponse(await this.#send(hop, info, parent ?? route.origin, target))
  }

  /** Sends a request on with what this proxy says of itself and of the client. */
  #send(hop: HopRequest, info: ConnectionInfo, origin: Origin, target: string): Promise<ClientResponse> {
    const { options, name } = this.#context
    const headers = hop.headers.clone()
    const left = maxForwards(hop.method, headers)
    if (typeof left === 'number') headers.set('Max-Forwards', left - 1)
    addVia(headers, hop.version, name)
    addForwarded(headers, options.forwarded ?? 'none', info, headers.get('host') ?? '')
    this.#note('request-out', `${hop.method} ${target} HTTP/1.1`, headers)
    return this.#upstream.send(origin, { ...hop, headers }, target)
  }

  #hopResponse(response: ClientResponse): HopResponse {
    const { status, statusText: reason, httpVersion: version, headers, body } = response
    this.#note('response-in', `HTTP/${version} ${status} ${reason}`, headers)
    return { status, reason, version, headers, body, trailers: () => response.trailers }
  }

  // ---- answers

  async #respond(
    request: ServerRequest,
    response: ServerResponse,
    answer: HopResponse,
    isForwarded: boolean,
  ): Promise<void> {
    const headers = withoutHopFields(answer.headers, request.httpVersion === '1.1')
    if (isForwarded) {
      // RFC 9110 §11.7.1: a server's own challenge for a proxy is nobody's.
      if (this.#context.options.parent === undefined) {
        for (const name of ['proxy-authenticate', 'proxy-authentication-info']) headers.delete(name)
      }
      // RFC 9112 §9.6: a server that closes before the body has come takes no more of it, and so does this proxy.
      const isEarly = hasBody(request.headers) && request.trailers === null
      if (isEarly && answer.headers.tokens('connection').includes('close')) headers.set('Connection', 'close')
      addVia(headers, answer.version, this.#context.name)
    }
    this.#note('response-out', `HTTP/1.1 ${answer.status} ${answer.reason}`, headers)
    try {
      const { scheduler } = this.#context.options
      await sendHop(response, answer, headers, () => forwardedTrailers(answer.trailers()), scheduler)
    } catch (error) {
      if (isForwarded && !request.signal.aborted && !response.ended) this.#context.counters.truncated++
      // What is wrong with the server's body is no fault of the client.
      throw isForwarded ? exchangeFailure(error) : error
    }
  }

  // ---- tunnels

  async #connect(request: ServerRequest, response: ServerResponse): Promise<void> {
    const { parent } = this.#context.options
    const origin = connectOrigin(request.parsedTarget, this.#context.connectPorts)
    if (parent !== undefined) {
      const hop = this.#hopRequest(request, response, { host: request.target, uri: request.target })
      return this.#switch(request, response, hop, parent, request.target)
    }
    const stream = await this.#upstream.open(origin, request.signal)
    stream.on('error', () => undefined)
    if (response.ended) {
      stream.destroy()
      return
    }
    const headers = new HeaderList()
    this.#note('response-out', 'HTTP/1.1 200 OK', headers)
    await this.#tunnel(response, headers, { stream, head: new Uint8Array(0), ended: false })
  }

  #wantsUpgrade({ headers, httpVersion }: ServerRequest): boolean {
    const isAsked = httpVersion === '1.1' && headers.has('upgrade') && headers.tokens('connection').includes('upgrade')
    return this.#context.options.upgrade === true && isAsked
  }

  /** RFC 9110 §7.8: the protocol is proposed to the next server, in this proxy's own name for one hop. */
  async #upgrade(request: ServerRequest, response: ServerResponse, route: Route): Promise<void> {
    const { parent } = this.#context.options
    const hop = this.#hopRequest(request, response, route)
    hop.headers.append('Upgrade', request.headers.get('upgrade') ?? '').append('Connection', 'Upgrade')
    const target = parent === undefined ? route.originForm : route.absoluteForm
    await this.#switch(request, response, hop, parent ?? route.origin, target)
  }

  /** Sends a request that may turn the connection into something else, and joins both sides when it does. */
  async #switch(
    request: ServerRequest,
    response: ServerResponse,
    hop: HopRequest,
    origin: Origin,
    target: string,
  ): Promise<void> {
    const got = await this.#send(hop, request.connection, origin, target)
    const { switched } = got
    if (switched === null) return this.#respond(request, response, this.#hopResponse(got), true)
    const fields = withoutHopFields(got.headers)
    const upgrade = got.headers.get('upgrade')
    if (got.status === 101 && upgrade !== null) fields.append('Upgrade', upgrade).append('Connection', 'Upgrade')
    addVia(fields, got.httpVersion, this.#context.name)
    await this.#tunnel(response, fields, { ...switched, ended: false })
  }

  async #tunnel(response: ServerResponse, headers: HeaderList, server: TunnelEnd): Promise<void> {
    const { options, counters, timeouts } = this.#context
    const client = response.takeOver(headers)
    counters.tunnels++
    this.#tunnels.add(client.stream).add(server.stream)
    await joinStreams(client, server, {
      scheduler: options.scheduler,
      idleUs: timeouts.tunnelIdleUs,
      halfClosedUs: timeouts.halfClosedUs,
      onBytes: (bytes) => {
        counters.tunnelBytes += bytes
      },
    })
    this.#tunnels.delete(client.stream)
    this.#tunnels.delete(server.stream)
  }

  #note(what: HopRecord['what'], line: string, headers: HeaderList): void {
    const { onHop, scheduler } = this.#context.options
    onHop?.({ at: scheduler.now(), what, line, fields: headers.toJSON() })
  }
}

/** Whether a request announces a body. */
function hasBody(headers: HeaderList): boolean {
  return headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0
}

// RFC 9110 §9.3.8: the request as it came, as message/http, without what is secret.
function traceResponse({ method, target, httpVersion, headers }: ServerRequest): HopResponse {
  const lines = [...headers].filter(([name]) => !SECRET.includes(name.toLowerCase())).map(([n, v]) => `${n}: ${v}\r\n`)
  const text = toBytes(`${method} ${target} HTTP/${httpVersion}\r\n${lines.join('')}\r\n`)
  const answer = ownResponse(200, '', { 'Content-Type': 'message/http', 'Content-Length': text.length })
  return { ...answer, body: bodyOf(text) }
}

/** User and password of Basic credentials (RFC 7617 §2); null for anything else. */
function readBasic(value: string | null): { user: string; password: string } | null {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value ?? '')?.[1]
  if (encoded === undefined) return null
  try {
    const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0))
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const colon = text.indexOf(':')
    return colon === -1 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) }
  } catch {
    return null
  }
}
