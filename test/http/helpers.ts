// What the HTTP tests share: a virtual clock, a pair of streams in memory, readers and raw peers that need no sockets.
// Owns: nothing of the tests themselves. Time only moves when nothing else is left to do.
import { Duplex } from 'node:stream'
import type { Micros, ScheduledTask, Scheduler } from '../../src/base/time.ts'
import { HttpConnection } from '../../src/http/connection.ts'
import { ProtocolError } from '../../src/http/errors.ts'
import type { HttpEvent } from '../../src/http/events.ts'
import type { Role } from '../../src/http/state.ts'

/** Bytes of a Latin-1 string. */
export const b = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))
/** A Latin-1 string of bytes. */
export const s = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** A clock that jumps to its next task. */
export class VirtualScheduler implements Scheduler {
  #now: Micros = 0
  #tasks: { at: Micros; order: number; task: () => void }[] = []
  #order = 0

  now(): Micros {
    return this.#now
  }

  schedule(at: Micros, task: () => void): ScheduledTask {
    const entry = { at: Math.max(at, this.#now), order: this.#order++, task }
    this.#tasks.push(entry)
    return {
      cancel: () => {
        this.#tasks = this.#tasks.filter((one) => one !== entry)
      },
    }
  }

  defer(task: () => void): void {
    queueMicrotask(task)
  }

  get pending(): number {
    return this.#tasks.length
  }

  /** Lets promises and streams come to rest, without time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Lets time pass up to `untilUs`, task by task. */
  async run(untilUs: Micros): Promise<void> {
    await this.settle()
    for (;;) {
      this.#tasks.sort((x, y) => x.at - y.at || x.order - y.order)
      const next = this.#tasks[0]
      if (next === undefined || next.at > untilUs) break
      this.#tasks.shift()
      this.#now = next.at
      next.task()
      await this.settle()
    }
    this.#now = Math.max(this.#now, untilUs)
  }

  /** A promise that resolves after some virtual time. */
  wait(us: Micros): Promise<void> {
    return new Promise((resolve) => this.schedule(this.#now + us, resolve))
  }
}

/** One end of a stream pair; a destroyed end resets the other, as TCP does. */
export class MemoryStream extends Duplex {
  peer!: MemoryStream
  /** Every write, as it was made. */
  readonly writes: Uint8Array[] = []
  #waiting: (() => void) | null = null

  constructor(highWaterMark = 65_536) {
    super({ allowHalfOpen: true, highWaterMark })
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.writes.push(Uint8Array.from(chunk))
    if (this.peer.destroyed) done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    else if (this.peer.push(Uint8Array.from(chunk))) done()
    else this.peer.#waiting = done
  }

  override _read(): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.peer.destroyed) this.peer.push(null)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const clean = this.writableFinished && this.readableEnded
    const { peer } = this
    if (!clean && !peer.destroyed) {
      process.nextTick(() => peer.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })))
    }
    done(error)
  }

  /** Everything written on this end so far. */
  get written(): string {
    return s(Buffer.concat(this.writes))
  }
}

/** Two ends of one stream. */
export function streamPair(highWaterMark?: number): [MemoryStream, MemoryStream] {
  const one = new MemoryStream(highWaterMark)
  const two = new MemoryStream(highWaterMark)
  one.peer = two
  two.peer = one
  return [one, two]
}

/** A peer of the code under test that says and hears raw bytes. */
export class RawPeer {
  readonly stream: MemoryStream
  received = ''
  ended = false
  error: Error | null = null
  closed = false

  constructor(stream: MemoryStream) {
    this.stream = stream
    stream.on('data', (chunk: Uint8Array) => {
      this.received += s(chunk)
    })
    stream.on('end', () => {
      this.ended = true
    })
    stream.on('error', (error) => {
      this.error = error
    })
    stream.on('close', () => {
      this.closed = true
    })
  }

  send(text: string): void {
    this.stream.write(b(text))
  }

  /** What has come since the last call. */
  take(): string {
    const text = this.received
    this.received = ''
    return text
  }
}

/** All that one end makes of some input: events with adjoining data joined, and the error if any, as plain values. */
export function readAll(role: Role, pieces: readonly Uint8Array[], options: ReadOptions = {}): unknown[] {
  const http = new HttpConnection({ role, limits: options.limits })
  if (role === 'client') {
    const headers = options.requestHeaders ?? 'Host: a\r\n'
    const sender = new HttpConnection({ role: 'server' })
    sender.receiveData(b(`${options.method ?? 'GET'} ${options.target ?? '/'} HTTP/1.1\r\n${headers}\r\n`))
    http.send(sender.nextEvent() as HttpEvent)
    http.send(sender.nextEvent() as HttpEvent)
  }
  const out: unknown[] = []
  const step = (): void => {
    for (;;) {
      const event = http.nextEvent()
      if (typeof event === 'string') return
      note(out, event)
    }
  }
  try {
    for (const piece of pieces) {
      http.receiveData(piece.slice())
      step()
    }
    if (options.end === true) {
      http.receiveEnd()
      step()
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    out.push({ error: error.reason, status: error.status, side: error.side })
  }
  out.push({ left: http.bufferedBytes, theirs: http.theirState })
  return out
}

export interface ReadOptions {
  readonly limits?: ConstructorParameters<typeof HttpConnection>[0]['limits']
  readonly end?: boolean
  readonly method?: string
  readonly target?: string
  readonly requestHeaders?: string
}

function note(out: unknown[], event: HttpEvent): void {
  if (event.type === 'data') {
    const last = out.at(-1) as { data?: string } | undefined
    if (last?.data !== undefined) last.data += s(event.data)
    else out.push({ data: s(event.data) })
  } else if (event.type === 'end') out.push({ end: event.trailers.toJSON() })
  else if (event.type === 'closed') out.push('closed')
  else if (event.type === 'request') {
    out.push({ method: event.method, target: event.target, version: event.version, headers: event.headers.toJSON() })
  } else {
    const { status, reason, version, headers } = event
    out.push({ status, reason, version, headers: headers.toJSON() })
  }
}

/**
 * Reads the same input whole, byte by byte and at every cut in two; returns the one result, or throws where they
 * differ.
 */
export function readEveryWay(role: Role, text: string, options: ReadOptions = {}): unknown[] {
  const bytes = b(text)
  const whole = readAll(role, [bytes], options)
  const same = (pieces: Uint8Array[], how: string): void => {
    const result = readAll(role, pieces, options)
    // After an error the bytes that were never looked at differ, of course.
    const strip = (events: unknown[]): string =>
      JSON.stringify(errorOf(events) === undefined ? events : events.slice(0, -1))
    if (strip(result) !== strip(whole)) {
      throw new Error(`${how} gives\n${JSON.stringify(result)}\nwhole gives\n${JSON.stringify(whole)}`)
    }
  }
  same(
    Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
    'byte by byte',
  )
  for (let cut = 1; cut < bytes.length; cut++) same([bytes.subarray(0, cut), bytes.subarray(cut)], `cut at ${cut}`)
  return whole
}

/** The error among the results of readAll. */
export function errorOf(events: unknown[]): { error: string; status: number; side: string } | undefined {
  return events.find((event): event is { error: string; status: number; side: string } =>
    Object.hasOwn(event as object, 'error'),
  )
}
