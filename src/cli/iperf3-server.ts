// The server of iperf3 tests over our own TCP: one test at a time, as iperf3's server has it.
// Owns: whose connection is whose, the server's side of the control connection. Does not own: the bytes (iperf3-streams.ts), what is
// printed (iperf3-report.ts).

import type { Micros, Scheduler } from '../base/time.ts'
import type { Host, TunServer, TunSocket } from '../net/index.ts'
import { CliError, codeOf, messageOf } from './errors.ts'
import { congestionOf } from './iperf3-client.ts'
import {
  ByteReader,
  COOKIE_BYTES,
  ControlChannel,
  readParams,
  readResults,
  STATE,
  streamIds,
  type TestParams,
} from './iperf3-protocol.ts'
import { BLOCK_BYTES, type RunObserver, TestRun } from './iperf3-run.ts'
import { TestStream } from './iperf3-streams.ts'

/** A client that says nothing for so long is sent away. */
const PATIENCE_MS = 10_000

/** How a server is set up. */
export interface ServerOptions {
  readonly host: Host
  readonly scheduler: Scheduler
  readonly port: number
  readonly intervalUs: Micros
  readonly observer: RunObserver
  /** A control connection has come, from there. */
  onAccepted(socket: TunSocket): void
  /** A test is over, or broke off. */
  onOver(run: TestRun | null, error: unknown): void
}

/** A test that gathers its streams. */
interface Gathering {
  readonly cookie: string
  readonly wanted: number
  readonly sockets: TunSocket[]
  complete(): void
}

/** The server. */
export class Iperf3Server {
  readonly #options: ServerOptions
  readonly #server: TunServer
  #isBusy = false
  #gathering: Gathering | null = null
  #open = new Set<TunSocket>()

  constructor(options: ServerOptions) {
    this.#options = options
    this.#server = options.host.createServer((socket) => void this.#accept(socket))
  }

  /** Begins to listen. @throws {CliError} when the port is taken */
  listen(): Promise<void> {
    const { port } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('listening', resolve)
      this.#server.once('error', (error: unknown) => {
        const mend = codeOf(error) === 'EADDRINUSE' ? 'choose another --port' : null
        reject(new CliError(`cannot listen on port ${port}: ${messageOf(error)}`, { mend }))
      })
      this.#server.listen({ port })
    })
  }

  /** Ends a test that runs, and listens no more. */
  close(): void {
    this.#server.close()
    for (const socket of this.#open) socket.destroy()
  }

  async #accept(socket: TunSocket): Promise<void> {
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
    socket.on('error', () => undefined)
    const reader = new ByteReader(socket)
    try {
      const bytes = await this.#soon(reader.read(COOKIE_BYTES), socket)
      const cookie = bytes.toString('latin1', 0, COOKIE_BYTES - 1)
      if (this.#gathering !== null && this.#gathering.cookie === cookie) {
        this.#addStream(this.#gathering, socket, reader)
      } else if (this.#isBusy) {
        new ControlChannel(socket, reader).writeState(STATE.ACCESS_DENIED)
        socket.end()
      } else {
        await this.#test(socket, new ControlChannel(socket, reader), cookie)
      }
    } catch {
      socket.destroy() // no cookie: nobody that knows iperf3
    }
  }

  #addStream(gathering: Gathering, socket: TunSocket, reader: ByteReader): void {
    const early = reader.release()
    if (early.length > 0) socket.unshift(early)
    gathering.sockets.push(socket)
    if (gathering.sockets.length === gathering.wanted) gathering.complete()
  }

  async #test(socket: TunSocket, channel: ControlChannel, cookie: string): Promise<void> {
    this.#isBusy = true
    socket.setNoDelay(true)
    this.#options.onAccepted(socket)
    let run: TestRun | null = null
    let streams: readonly TunSocket[] = []
    try {
      channel.writeState(STATE.PARAM_EXCHANGE)
      const params = readParams(await this.#soon(channel.readJson(), socket))
      const gathered = this.#gather(params, cookie)
      channel.writeState(STATE.CREATE_STREAMS)
      streams = await this.#soon(gathered, socket)
      run = this.#makeRun(params, cookie, streams)
      channel.writeState(STATE.TEST_START)
      channel.writeState(STATE.TEST_RUNNING)
      run.start()
      const ended = channel.expectState(STATE.TEST_END)
      await ended.finally(() => run?.stop())
      const congestion = congestionOf(streams[0])
      // iperf3's client reads whole blocks and may wait for the rest of one: only the end of the stream lets it go on.
      for (const stream of streams) stream.destroy()
      channel.writeState(STATE.EXCHANGE_RESULTS)
      run.remote = readResults(await this.#soon(channel.readJson(), socket))
      channel.writeJson(run.results(congestion))
      channel.writeState(STATE.DISPLAY_RESULTS)
      await this.#soon(channel.expectState(STATE.IPERF_DONE), socket)
      this.#options.onOver(run, null)
    } catch (error) {
      channel.writeState(STATE.SERVER_TERMINATE)
      this.#options.onOver(run, error)
    } finally {
      this.#gathering = null
      this.#isBusy = false
      for (const stream of streams) stream.destroy()
      socket.end()
    }
  }

  #gather({ parallel = 1 }: TestParams, cookie: string): Promise<TunSocket[]> {
    return new Promise((resolve) => {
      const sockets: TunSocket[] = []
      const complete = (): void => {
        this.#gathering = null
        resolve(sockets)
      }
      this.#gathering = { cookie, wanted: parallel, sockets, complete }
    })
  }

  #makeRun(params: TestParams, cookie: string, sockets: readonly TunSocket[]): TestRun {
    const { scheduler, observer, intervalUs } = this.#options
    const isSender = params.reverse === true
    const ids = streamIds(sockets.length)
    const blockBytes = params.len ?? BLOCK_BYTES
    const settings = { scheduler, isSender, blockBytes, bitsPerSecond: params.bandwidth ?? 0 }
    if (params.congestion !== undefined && isSender)
      for (const socket of sockets) setCongestion(socket, params.congestion)
    if (params.nodelay === true) for (const socket of sockets) socket.setNoDelay(true)
    const streams = sockets.map((socket, i) => new TestStream(socket, ids[i], settings))
    return new TestRun({ params, cookie, isSender, streams, scheduler, observer, intervalUs })
  }

  /** @throws {CliError} when `promise` takes too long: one client must not block all others */
  async #soon<T>(promise: Promise<T>, socket: TunSocket): Promise<T> {
    let timer: NodeJS.Timeout | null = null
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new CliError('the client says nothing')), PATIENCE_MS)
      socket.once('close', () => reject(new CliError('the client has gone')))
    })
    late.catch(() => undefined)
    try {
      return await Promise.race([promise, late])
    } finally {
      if (timer !== null) clearTimeout(timer)
    }
  }
}

function setCongestion(socket: TunSocket, congestion: string): void {
  try {
    socket.configure({ congestion })
  } catch (error) {
    throw new CliError(`the client asks for a congestion controller that is not there: ${messageOf(error)}`)
  }
}
