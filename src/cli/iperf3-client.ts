// The client of an iperf3 test over our own TCP: asks for it, makes the streams, ends it, exchanges results.
// Owns: the client's side of the control connection. Does not own: the bytes (iperf3-streams.ts), what is printed (iperf3-report.ts).

import { type Micros, type ScheduledTask, type Scheduler, SECOND } from '../base/time.ts'
import type { Host, TunSocket } from '../net/index.ts'
import { CliError, messageOf } from './errors.ts'
import {
  ControlChannel,
  cookieBytes,
  createCookie,
  readResults,
  STATE,
  streamIds,
  type TestParams,
} from './iperf3-protocol.ts'
import { BLOCK_BYTES, type RunObserver, TestRun } from './iperf3-run.ts'
import { TestStream } from './iperf3-streams.ts'

/** What a client wants to be tested. */
export interface ClientOptions {
  readonly host: Host
  readonly scheduler: Scheduler
  readonly server: string
  readonly port: number
  readonly params: TestParams
  readonly intervalUs: Micros
  readonly observer: RunObserver
  /** Ends the test before its time, in order. */
  readonly stop: AbortSignal
}

/**
 * Runs a test. Resolves with what both sides have counted.
 * @throws {CliError} when the server cannot be reached, refuses, or breaks off
 */
export async function runClient(options: ClientOptions): Promise<TestRun> {
  const { server, port, params, stop } = options
  const cookie = createCookie()
  const control = await dial(options)
  control.setNoDelay(true)
  const channel = new ControlChannel(control)
  const abort = (): void => channel.writeState(STATE.CLIENT_TERMINATE)
  const sockets: TunSocket[] = []
  try {
    control.write(cookieBytes(cookie))
    await channel.expectState(STATE.PARAM_EXCHANGE)
    channel.writeJson(params)
    await channel.expectState(STATE.CREATE_STREAMS)
    for (let i = 0; i < (params.parallel ?? 1); i++) sockets.push(await openStream(options, cookie))
    const end = new EndOfTest(options)
    const run = new TestRun({
      params,
      cookie,
      isSender: params.reverse !== true,
      streams: makeStreams(sockets, options, end),
      scheduler: options.scheduler,
      observer: options.observer,
      intervalUs: options.intervalUs,
    })
    await channel.expectState(STATE.TEST_START)
    await channel.expectState(STATE.TEST_RUNNING)
    stop.addEventListener('abort', end.now, { once: true })
    run.start()
    end.arm()
    // The server has nothing to say before the end, unless it breaks off.
    const early = channel.readState()
    early.catch(() => undefined) // looked at below
    const state = await Promise.race([early, end.promise.then(() => null)])
    end.cancel()
    run.stop()
    if (state !== null) throw new CliError('the server has ended the test')
    channel.writeState(STATE.TEST_END)
    if ((await early) !== STATE.EXCHANGE_RESULTS) throw new CliError('the server does not exchange results')
    channel.writeJson(run.results(congestionOf(sockets[0])))
    run.remote = readResults(await channel.readJson())
    await channel.expectState(STATE.DISPLAY_RESULTS)
    channel.writeState(STATE.IPERF_DONE)
    return run
  } catch (error) {
    abort()
    if (error instanceof CliError) throw error
    throw new CliError(`the test with ${server} port ${port} broke off: ${messageOf(error)}`)
  } finally {
    for (const socket of sockets) socket.destroy()
    control.end()
  }
}

/** The name of the congestion controller that a socket's connection has. */
export function congestionOf(socket: TunSocket | undefined): string {
  return socket?.info()?.congestion ?? 'unknown'
}

/** When the test is over: after its time, after its bytes, or when the user says so. */
class EndOfTest {
  readonly promise: Promise<void>
  readonly #options: ClientOptions
  #resolve: () => void = () => undefined
  #timer: ScheduledTask | null = null
  #bytes = 0

  constructor(options: ClientOptions) {
    this.#options = options
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  readonly now = (): void => this.#resolve()

  readonly count = (bytes: number): boolean => {
    const { num = 0 } = this.#options.params
    this.#bytes += bytes
    if (num === 0 || this.#bytes < num) return true
    this.#resolve()
    return false
  }

  arm(): void {
    const { scheduler, params } = this.#options
    const { num = 0, time = 10, omit = 0 } = params
    if (num > 0) return
    this.#timer = scheduler.schedule(scheduler.now() + (time + omit) * SECOND, this.now)
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#options.stop.removeEventListener('abort', this.now)
  }
}

async function dial({ host, server, port, params, stop }: ClientOptions): Promise<TunSocket> {
  const congestion = params.congestion === undefined ? {} : { congestion: params.congestion }
  const mss = params.MSS === undefined || params.MSS === 0 ? {} : { mss: params.MSS }
  try {
    const tcp = { ...congestion, ...mss }
    return await host.connect({ host: server, port, signal: stop, noDelay: params.nodelay === true, tcp })
  } catch (error) {
    const mend = `start one there: iperf3 -s${port === 5201 ? '' : ` -p ${port}`}`
    throw new CliError(`cannot connect to an iperf3 server at ${server} port ${port}: ${messageOf(error)}`, { mend })
  }
}

async function openStream(options: ClientOptions, cookie: string): Promise<TunSocket> {
  const socket = await dial(options)
  socket.write(cookieBytes(cookie))
  return socket
}

function makeStreams(sockets: readonly TunSocket[], options: ClientOptions, end: EndOfTest): TestStream[] {
  const { scheduler, params } = options
  const ids = streamIds(sockets.length)
  const settings = {
    scheduler,
    isSender: params.reverse !== true,
    blockBytes: params.len ?? BLOCK_BYTES,
    bitsPerSecond: params.bandwidth ?? 0,
    onBytes: end.count,
  }
  return sockets.map((socket, i) => new TestStream(socket, ids[i], settings))
}
