// One line for each answered request: the Common Log Format with the duration behind it, or a JSON object.
// Owns: the texts, and the wait until the client has the answer: only then is the exchange over, and its duration known.
// Does not own: where the lines go (serve.ts), what else was measured (http/server-options.ts).

import type { Scheduler } from '../base/time.ts'
import type { ConnectionInfo, ExchangeRecord } from '../http/index.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** A connection's stream, as far as the log has to do with it. */
interface Acknowledged {
  whenAcknowledged(): Promise<boolean>
}

/**
 * Holds each record back until the client's TCP has acknowledged the whole answer, which is what `endUs` says then. An answer that the
 * client did not take to its end is `aborted`. Answers that are pipelined closely may share the end of the last one.
 */
export class AccessLog {
  readonly #write: (record: ExchangeRecord) => void
  readonly #scheduler: Scheduler
  readonly #sockets = new WeakMap<ConnectionInfo, Acknowledged>()
  readonly #waiting = new Set<ExchangeRecord>()

  /** @param write takes each record when it is complete */
  constructor(scheduler: Scheduler, write: (record: ExchangeRecord) => void) {
    this.#scheduler = scheduler
    this.#write = write
  }

  /** Says which socket a connection's records are of. */
  connected(connection: ConnectionInfo, socket: Acknowledged): void {
    this.#sockets.set(connection, socket)
  }

  /** Takes a record whose answer was handed to TCP, or was cut off. */
  add(record: ExchangeRecord): void {
    const socket = this.#sockets.get(record.connection)
    if (record.aborted || socket === undefined) {
      this.#write(record)
      return
    }
    this.#waiting.add(record)
    void socket.whenAcknowledged().then((acknowledged) => this.#complete(record, acknowledged))
  }

  /** Gives up waiting: the command ends. */
  flush(): void {
    for (const record of this.#waiting) this.#complete(record, false)
  }

  #complete(record: ExchangeRecord, acknowledged: boolean): void {
    if (!this.#waiting.delete(record)) return
    this.#write({ ...record, endUs: this.#scheduler.now(), aborted: !acknowledged })
  }
}

/**
 * `10.77.0.1 - - [21/Nov/2026:12:00:00 +0000] "GET /a.txt HTTP/1.1" 200 312 0.84ms`; the size is that of the answer's body.
 * @param epochUs what the instant 0 of the record's clock is, in microseconds since 1970
 */
export function accessLine(record: ExchangeRecord, epochUs: number): string {
  const { method, target, httpVersion, status, responseBodyBytes, startUs, endUs, connection, aborted } = record
  const when = commonLogTime((epochUs + startUs) / 1000)
  const request = quoted(`${method} ${target} HTTP/${httpVersion}`)
  const duration = `${((endUs - startUs) / 1000).toFixed(2)}ms`
  const address = connection.remoteAddress ?? '-'
  return `${address} - - [${when}] ${request} ${status || '-'} ${responseBodyBytes} ${duration}${aborted ? ' aborted' : ''}`
}

/** The same as one JSON object. */
export function accessJson(record: ExchangeRecord, epochUs: number): string {
  const { connection, startUs, endUs } = record
  return JSON.stringify({
    type: 'request',
    time: new Date((epochUs + startUs) / 1000).toISOString(),
    remoteAddress: connection.remoteAddress ?? null,
    remotePort: connection.remotePort ?? null,
    method: record.method,
    target: record.target,
    httpVersion: record.httpVersion,
    status: record.status,
    requestBodyBytes: record.requestBodyBytes,
    responseBodyBytes: record.responseBodyBytes,
    responseBytes: record.responseBytes,
    durationUs: endUs - startUs,
    sequence: record.sequence,
    aborted: record.aborted,
  })
}

/** `21/Nov/2026:12:00:00 +0000`, in UTC. */
export function commonLogTime(ms: number): string {
  const date = new Date(ms)
  const day = date.toISOString()
  return `${day.slice(8, 10)}/${MONTHS[date.getUTCMonth()]}/${day.slice(0, 4)}:${day.slice(11, 19)} +0000`
}

/** In quotes, with nothing in it that could end the quotes or the line, or speak to a terminal. */
function quoted(text: string): string {
  const safe = text.replace(/[^ !#-[\]-~]/g, (c) => `\\x${(c.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`)
  return `"${safe}"`
}
