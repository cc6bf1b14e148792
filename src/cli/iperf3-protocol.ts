// iperf3's control protocol: one connection on which states go as single bytes and facts as JSON with their length before it.
// Owns: states, framing, cookies, the shapes of the JSON. Does not own: what a test does (iperf3-client.ts, iperf3-server.ts).
// Spoken as iperf 3.1 and later speak it; there is no other description than what they put on the wire.

import { randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { CliError } from './errors.ts'

/** The port that iperf3 listens on. */
export const IPERF3_PORT = 5201

/** Bytes of a cookie: 36 letters and digits, and a zero. */
export const COOKIE_BYTES = 37

/** Most bytes of JSON that the other side may send. */
const MOST_JSON_BYTES = 16 << 20

/** What a byte on the control connection says. */
export const STATE = {
  TEST_START: 1,
  TEST_RUNNING: 2,
  TEST_END: 4,
  PARAM_EXCHANGE: 9,
  CREATE_STREAMS: 10,
  SERVER_TERMINATE: 11,
  CLIENT_TERMINATE: 12,
  EXCHANGE_RESULTS: 13,
  DISPLAY_RESULTS: 14,
  IPERF_START: 15,
  IPERF_DONE: 16,
  ACCESS_DENIED: -1,
  SERVER_ERROR: -2,
} as const

/** What is to be tested: what the client tells the server. Sizes in bytes, times in seconds, rates in bits a second. */
export interface TestParams {
  readonly tcp?: boolean
  readonly udp?: boolean
  readonly omit?: number
  readonly time?: number
  /** Bytes to send in all; 0: as long as `time`. */
  readonly num?: number
  readonly blockcount?: number
  readonly MSS?: number
  readonly nodelay?: boolean
  readonly parallel?: number
  /** The server sends. */
  readonly reverse?: boolean
  readonly bidirectional?: boolean
  readonly window?: number
  readonly len?: number
  /** Of each stream; 0: as fast as it goes. */
  readonly bandwidth?: number
  readonly TOS?: number
  readonly congestion?: string
  readonly client_version?: string
}

/** What one side has counted of a stream. */
export interface StreamResults {
  readonly id: number
  readonly bytes: number
  /** -1 when the side does not know. */
  readonly retransmits: number
  readonly jitter: number
  readonly errors: number
  readonly packets: number
  readonly start_time?: number
  readonly end_time?: number
}

/** What one side has counted. */
export interface TestResults {
  readonly cpu_util_total: number
  readonly cpu_util_user: number
  readonly cpu_util_system: number
  /** 1: its streams' retransmits count; 0: not; -1: unknown. */
  readonly sender_has_retransmits: number
  readonly congestion_used?: string
  readonly streams: readonly StreamResults[]
}

/** What iperf3 calls the streams of a test: 1, 3, 4, 5, ... */
export function streamIds(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? 1 : i + 2))
}

/** A new cookie, without its zero. */
export function createCookie(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567'
  return Array.from({ length: COOKIE_BYTES - 1 }, () => letters[randomInt(letters.length)]).join('')
}

/** The bytes that stand for a cookie on the wire. */
export function cookieBytes(cookie: string): Buffer {
  const bytes = Buffer.alloc(COOKIE_BYTES)
  bytes.write(cookie, 'latin1')
  return bytes
}

/** Reads a stream piece by piece: so many bytes at a time, whatever pieces they come in. */
export class ByteReader {
  readonly #stream: Duplex
  #parts: Buffer[] = []
  #bytes = 0
  #wanted = 0
  #settle: { resolve(bytes: Buffer): void; reject(error: Error): void } | null = null
  #error: Error | null = null
  readonly #onData = (chunk: Buffer): void => {
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    this.#check()
  }
  readonly #onEnd = (): void => this.#fail(new CliError('the other side has ended the connection'))
  readonly #onError = (error: Error): void => this.#fail(error)

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('data', this.#onData)
    stream.once('end', this.#onEnd)
    stream.once('close', this.#onEnd)
    stream.once('error', this.#onError)
  }

  /** The next `count` bytes. Rejects when the stream ends before them. One call at a time. */
  read(count: number): Promise<Buffer> {
    this.#wanted = count
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#check()
    })
  }

  /** Gives the stream back: `unread` is what had come beyond what was read. */
  release(): Buffer {
    const stream = this.#stream
    stream.pause()
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('close', this.#onEnd)
    stream.off('error', this.#onError)
    return Buffer.concat(this.#parts)
  }

  #check(): void {
    const settle = this.#settle
    if (settle === null) return
    if (this.#bytes >= this.#wanted) {
      const all = Buffer.concat(this.#parts)
      const wanted = all.subarray(0, this.#wanted)
      const rest = all.subarray(this.#wanted)
      this.#parts = rest.length > 0 ? [rest] : []
      this.#bytes = rest.length
      this.#settle = null
      settle.resolve(wanted)
    } else if (this.#error !== null) {
      this.#settle = null
      settle.reject(this.#error)
    }
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#check()
  }
}

/** The control connection of a test. */
export class ControlChannel {
  readonly stream: Duplex
  readonly #reader: ByteReader

  constructor(stream: Duplex, reader: ByteReader = new ByteReader(stream)) {
    this.stream = stream
    this.#reader = reader
    stream.on('error', () => undefined) // the reader tells
  }

  /** Says where the test stands. */
  writeState(state: number): void {
    if (!this.stream.destroyed) this.stream.write(Buffer.from([state & 0xff]))
  }

  /** The next byte, signed. */
  async readState(): Promise<number> {
    return (await this.#reader.read(1)).readInt8(0)
  }

  /** Reads states until it is `wanted`. @throws {CliError} when the other side ends the test or says something else */
  async expectState(wanted: number): Promise<void> {
    const state = await this.readState()
    if (state === wanted) return
    throw await this.#refusal(state)
  }

  /** Sends JSON. */
  writeJson(value: unknown): void {
    const text = Buffer.from(JSON.stringify(value))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    if (!this.stream.destroyed) this.stream.write(Buffer.concat([length, text]))
  }

  /** Reads JSON. @throws {CliError} when it is none, or too long */
  async readJson(): Promise<unknown> {
    const length = (await this.#reader.read(4)).readUInt32BE(0)
    if (length > MOST_JSON_BYTES) throw new CliError(`the other side sends ${length} bytes of JSON: is it iperf3?`)
    const text = (await this.#reader.read(length)).toString()
    try {
      return JSON.parse(text)
    } catch {
      throw new CliError(`the other side sends what is no JSON: ${JSON.stringify(text.slice(0, 80))}`)
    }
  }

  async #refusal(state: number): Promise<CliError> {
    if (state === STATE.ACCESS_DENIED) {
      return new CliError('the server is busy running another test', { mend: 'try again later' })
    }
    if (state === STATE.SERVER_TERMINATE) return new CliError('the server has ended the test')
    if (state === STATE.CLIENT_TERMINATE) return new CliError('the client has ended the test')
    if (state === STATE.SERVER_ERROR) {
      const codes = await this.#reader.read(8)
      return new CliError(`the server failed: iperf3 error ${codes.readInt32BE(0)}, errno ${codes.readInt32BE(4)}`)
    }
    return new CliError(`the other side is in a state that does not belong here (${state}): is it iperf3?`)
  }
}

/** Checks the client's parameters. @throws {CliError} for what this server cannot do */
export function readParams(value: unknown): TestParams {
  if (typeof value !== 'object' || value === null) throw new CliError("the client's parameters are no JSON object")
  const params = value as TestParams
  if (params.udp === true) throw new CliError('the client asks for UDP, which is not there yet')
  if (params.bidirectional === true) throw new CliError('the client asks for --bidir, which is not there')
  const { parallel = 1, len = 131072 } = params
  if (!(parallel >= 1 && parallel <= 128)) throw new CliError(`the client asks for ${parallel} streams`)
  if (!(len >= 1 && len <= 1 << 20)) throw new CliError(`the client asks for blocks of ${len} bytes`)
  return params
}

/** Checks the other side's results. @throws {CliError} when they are none */
export function readResults(value: unknown): TestResults {
  const results = value as Partial<TestResults> | null
  if (typeof results !== 'object' || results === null || !Array.isArray(results.streams)) {
    throw new CliError("the other side's results are none")
  }
  return results as TestResults
}
