// One line for each answered request: the Common Log Format with the duration behind it, or a JSON object.
// Owns: the texts. Does not own: where the lines go (serve.ts), what was measured (http/server-options.ts).

import type { ExchangeRecord } from '../http/index.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * `10.77.0.1 - - [21/Nov/2026:12:00:00 +0000] "GET /a.txt HTTP/1.1" 200 312 0.84ms`; the size is that of the whole answer on the wire.
 * @param epochUs what the instant 0 of the record's clock is, in microseconds since 1970
 */
export function accessLine(record: ExchangeRecord, epochUs: number): string {
  const { method, target, httpVersion, status, responseBytes, startUs, endUs, connection, aborted } = record
  const when = commonLogTime((epochUs + startUs) / 1000)
  const request = quoted(`${method} ${target} HTTP/${httpVersion}`)
  const duration = `${((endUs - startUs) / 1000).toFixed(2)}ms`
  const address = connection.remoteAddress ?? '-'
  return `${address} - - [${when}] ${request} ${status || '-'} ${responseBytes} ${duration}${aborted ? ' aborted' : ''}`
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
