// A server on one end of a stream in memory, and raw bytes on the other.
import { HttpServer } from '../../src/http/server.ts'
import type { Handler } from '../../src/http/server-message.ts'
import type { ExchangeRecord, HttpServerOptions } from '../../src/http/server-options.ts'
import { type MemoryStream, RawPeer, streamPair, VirtualScheduler } from './helpers.ts'

/** What a test of a server has at hand. */
export interface Served {
  readonly scheduler: VirtualScheduler
  readonly server: HttpServer
  readonly peer: RawPeer
  /** The server's end. */
  readonly stream: MemoryStream
  readonly records: ExchangeRecord[]
  readonly errors: unknown[]
  /** Opens one more connection. */
  connect(highWaterMark?: number): { peer: RawPeer; stream: MemoryStream }
  /** Sends text, lets everything come to rest, returns what came back. */
  ask(text: string): Promise<string>
}

/** Starts a server with one connection. */
export function serve(handler: Handler, options: Partial<HttpServerOptions> = {}): Served {
  const scheduler = new VirtualScheduler()
  const records: ExchangeRecord[] = []
  const errors: unknown[] = []
  const server = new HttpServer({
    handler,
    scheduler,
    onExchange: (record) => records.push(record),
    onError: (error) => errors.push(error),
    ...options,
  })
  const connect = (highWaterMark?: number): { peer: RawPeer; stream: MemoryStream } => {
    const [ours, theirs] = streamPair(highWaterMark)
    server.handleConnection(theirs, { remoteAddress: '10.0.0.1', remotePort: 5000 })
    return { peer: new RawPeer(ours), stream: theirs }
  }
  const { peer, stream } = connect()
  const ask = async (text: string): Promise<string> => {
    peer.send(text)
    await scheduler.settle()
    return peer.take()
  }
  return { scheduler, server, peer, stream, records, errors, connect, ask }
}

/** A request with Host; `lines` end without CRLF. */
export const req = (line = 'GET /', lines: readonly string[] = [], body = '', version = '1.1'): string =>
  [`${line} HTTP/${version}`, 'Host: a', ...lines, '', body].join('\r\n')

/** The status codes of the answers in a text, in order. */
export const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map((match) => Number(match[1]))
