// How scenarios are told and recorded: comparison.test.ts runs each on node:net over the kernel's loopback and on ours in virtual
// time, and the records must be equal. A record holds, per socket, its events in order, errors by all their properties.

import { once } from 'node:events'
import type net from 'node:net'

/** node:net, or ours behind its types. */
export interface World {
  readonly host: string
  createServer(options?: net.ServerOpts): net.Server
  socket(options?: net.SocketConstructorOpts): net.Socket
  connect(options: net.TcpNetConnectOpts, connected?: () => void): net.Socket
  /** Time enough for anything under way to arrive. */
  settle(): Promise<void>
}

/** The names of the sockets and what happened to each. */
export class Recorder {
  readonly #lines = new Map<string, string[]>()
  readonly #host: string
  #port = -1

  constructor(host: string) {
    this.#host = host
  }

  /** The record, to be compared. */
  toJSON(): Record<string, string[]> {
    return Object.fromEntries([...this.#lines].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Notes a line under a name. */
  note(name: string, line: string): void {
    const lines = this.#lines.get(name) ?? []
    this.#lines.set(name, lines)
    lines.push(line)
  }

  /** The port that becomes `<port>` in the record. */
  usePort(port: number): void {
    this.#port = port
  }

  /** Notes an error with all its properties. */
  error(name: string, event: string, error: unknown): void {
    if (!(error instanceof Error)) {
      this.note(name, `${event}: ${String(error)}`)
      return
    }
    const { message, name: kind } = error
    const properties = JSON.stringify({ kind, message, ...(error as object) }, (key, value) =>
      key === 'cause' ? String(value) : value,
    )
    const text = properties.replaceAll(this.#host, '<host>').replaceAll(String(this.#port), '<port>')
    this.note(name, `${event}: ${text}`)
  }

  /** Notes every event of a socket; reading from it when `data` is set, without 'close' when `close` is not. */
  watch(name: string, socket: net.Socket, data = true, close = true): void {
    for (const event of ['connect', 'ready', 'end', 'finish', 'timeout']) socket.on(event, () => this.note(name, event))
    socket.on('error', (error) => this.error(name, 'error', error))
    if (close) socket.on('close', (hadError) => this.note(name, `close ${hadError}`))
    let text: string | null = null
    if (!data) return
    socket.on('data', (chunk) => {
      // However the network cut it: the bytes in a row are one line.
      const lines = this.#lines.get(name) ?? []
      if (text !== null && lines.at(-1) === text) lines.pop()
      else text = 'data: '
      text += chunk.length > 1000 ? '' : chunk.toString()
      this.note(name, text)
    })
  }

  /** Notes the state that the properties show. */
  state(name: string, socket: net.Socket): void {
    const { connecting, pending, readyState, destroyed, bytesRead, bytesWritten, timeout, allowHalfOpen } = socket
    this.note(
      name,
      JSON.stringify({ connecting, pending, readyState, destroyed, bytesRead, bytesWritten, timeout, allowHalfOpen }),
    )
  }
}

/** One scenario. */
export interface Scenario {
  readonly name: string
  readonly run: (world: World, record: Recorder) => Promise<void>
}

/** Both ends of a connection and the server. */
export interface Pair {
  readonly server: net.Server
  readonly client: net.Socket
  readonly served: net.Socket
}

/** How to make a pair. */
export interface PairOptions {
  readonly serverOptions?: net.ServerOpts
  readonly clientOptions?: Partial<net.TcpNetConnectOpts>
  readonly clientData?: boolean
  readonly servedData?: boolean
}

/** A server that listens on a free port, which becomes `<port>` in the record. */
export async function listen(world: World, record: Recorder, options?: net.ServerOpts): Promise<[net.Server, number]> {
  const server = world.createServer(options)
  server.listen(0, world.host)
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  record.usePort(port)
  return [server, port]
}

/** A port where nobody listens. */
export async function closedPort(world: World, record: Recorder): Promise<number> {
  const [server, port] = await listen(world, record)
  server.close()
  await closed(server)
  return port
}

/** A connection, both of whose ends are watched: 'client' and 'served'. */
export async function pair(world: World, record: Recorder, options: PairOptions = {}): Promise<Pair> {
  const [server, port] = await listen(world, record, options.serverOptions)
  const accepted = once(server, 'connection')
  server.on('connection', (socket) => record.watch('served', socket, options.servedData))
  const client = world.connect({ port, host: world.host, ...options.clientOptions })
  record.watch('client', client, options.clientData)
  await once(client, 'ready')
  const [served] = (await accepted) as [net.Socket]
  return { server, client, served }
}

/** Lets what is under way arrive, then ends everything. */
export async function finish(world: World, { server, client, served }: Pair): Promise<void> {
  await world.settle()
  server.close()
  client.destroy()
  served.destroy()
  await world.settle()
}

/** As `once(..., 'close')`, which would reject at an 'error'. */
export const closed = (source: net.Socket | net.Server): Promise<void> =>
  new Promise((resolve) => source.once('close', () => resolve()))

/** A write callback that notes how the write went. */
export const wrote = (record: Recorder, name: string) => (error?: Error | null) => record.error(name, 'written', error)
