// Linux's side of a world of `lab --live`: sockets of the kernel by Node's net, HTTP by Node's http, and curl.
// Owns: what is open, until the world is over. Does not own: the network between (lab-live-world.ts).

import { execFile } from 'node:child_process'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { LabSocket, LinuxSite } from '../lab/live.ts'
import type { DialOptions } from '../net/options.ts'
import { CliError } from './errors.ts'

const CURL_LIMIT_MS = 15_000

type Target = Pick<DialOptions, 'port' | 'noDelay' | 'allowHalfOpen' | 'localAddress' | 'localPort'> & { host: string }

/** The kernel's sockets of one world. */
export class LinuxSide {
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  /** Begins to open a connection. */
  open({ host, port, noDelay, allowHalfOpen, localAddress, localPort }: Target): LabSocket {
    const from = {
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(localPort === undefined ? {} : { localPort }),
    }
    const socket = connect({
      host,
      port: Number(port),
      noDelay: noDelay === true,
      allowHalfOpen: allowHalfOpen === true,
      ...from,
    })
    this.#keep(socket)
    return socket
  }

  /** Opens a connection. @throws {Error} Node's */
  connect(target: Target): Promise<LabSocket> {
    const socket = this.open(target)
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(socket))
      socket.on('error', reject)
    })
  }

  /** Listens on an address of this kernel. */
  listen(
    address: string,
    port: number,
    onConnection: (socket: LabSocket) => void,
    { noDelay, allowHalfOpen }: { readonly noDelay?: boolean; readonly allowHalfOpen?: boolean },
  ): Promise<Server> {
    const server = createServer({ noDelay: noDelay === true, allowHalfOpen: allowHalfOpen === true }, onConnection)
    return this.#listen(server, address, port)
  }

  /** Serves HTTP by Node's own server. */
  async serveHttp(address: string, site: LinuxSite): Promise<{ readonly connections: number }> {
    const { handler, idleUs = 0, requestsPerConnection = 0, isOpenEnded = false, isTimeoutTold = true } = site
    const counts = { connections: 0 }
    const server = createHttpServer({ keepAliveTimeout: idleUs / 1000 }, (request, response) => {
      request.resume().once('end', () => {
        const { bodyBytes } = handler({ method: request.method ?? '', path: request.url ?? '' })
        if (!isOpenEnded) response.setHeader('Content-Length', bodyBytes)
        // Node tells its timeout beside a Connection of its own.
        if (!isTimeoutTold) response.setHeader('Connection', 'keep-alive')
        response.write('.'.repeat(bodyBytes))
        response.end()
      })
    })
    server.maxRequestsPerSocket = requestsPerConnection
    if (idleUs > 0) server.on('request', (request, response) => closeWhenIdle(request.socket, response, idleUs / 1000))
    server.on('connection', () => counts.connections++)
    await this.#listen(server, address, 80)
    return counts
  }

  /** Runs curl without the user's settings and proxies. @throws {CliError} where there is none */
  curl(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return new Promise((resolve, reject) => {
      const all = ['-q', '-sS', ...args]
      const child = execFile(
        'curl',
        all,
        { timeout: CURL_LIMIT_MS, encoding: 'latin1', env: { PATH: process.env['PATH'] } },
        (error, stdout, stderr) => {
          if (error !== null && typeof error.code === 'string')
            reject(new CliError('this experiment needs curl', { mend: 'install it: apt-get install curl' }))
          else resolve({ code: child.exitCode ?? -1, stdout, stderr })
        },
      )
    })
  }

  /** Closes everything. */
  close(): void {
    for (const server of this.#servers) server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #listen<S extends Server>(server: S, address: string, port: number): Promise<S> {
    this.#servers.push(server)
    server.on('connection', (socket: Socket) => this.#keep(socket))
    return new Promise((resolve, reject) => {
      server.once('error', reject).listen(port, address, () => resolve(server))
    })
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

/** Closes a connection that brings no request for so long after an answer; Node itself waits for up to a second more than it tells. */
function closeWhenIdle(socket: Socket, response: ServerResponse, idleMs: number): void {
  response.once('finish', () => {
    const timer = setTimeout(() => socket.destroy(), idleMs)
    const stop = (): void => clearTimeout(timer)
    socket.once('data', stop).once('close', stop)
  })
}
