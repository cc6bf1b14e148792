// What happens on an HTTP connection, as plain records: both what is received (nextEvent) and what is sent (send).
// Owns: the records. Does not own: which may follow which (state.ts), bytes (reader.ts, writer.ts).
// Read first: RFC 9112 §2.1 (message format).
import { HeaderList } from './headers.ts'

/** The two versions that this code speaks; a higher minor version of the peer is read as 1.1 (RFC 9110 §2.5). */
export type HttpVersion = '1.0' | '1.1'

/** The head of a request. */
export interface RequestHead {
  readonly type: 'request'
  readonly method: string
  /** The request target as sent, see `parseRequestTarget`. */
  readonly target: string
  readonly version: HttpVersion
  readonly headers: HeaderList
}

/** A 1xx response: more is to come (101 excepted). */
export interface InformationalResponse {
  readonly type: 'informational'
  /** 100 to 199. */
  readonly status: number
  readonly reason: string
  readonly version: HttpVersion
  readonly headers: HeaderList
}

/** The head of a final response. */
export interface ResponseHead {
  readonly type: 'response'
  /** 200 to 999. */
  readonly status: number
  readonly reason: string
  readonly version: HttpVersion
  readonly headers: HeaderList
}

/** A part of a body; where it is cut means nothing. When received, the bytes belong to whoever takes the event. */
export interface Data {
  readonly type: 'data'
  readonly data: Uint8Array
}

/** The end of a message. */
export interface EndOfMessage {
  readonly type: 'end'
  /** Fields after a chunked body; empty otherwise. */
  readonly trailers: HeaderList
}

/** One side will send nothing more. */
export interface ConnectionClosed {
  readonly type: 'closed'
}

/** Anything that happens on a connection. */
export type HttpEvent = RequestHead | InformationalResponse | ResponseHead | Data | EndOfMessage | ConnectionClosed

/** What a server sends of an answer. */
export type ServerEvent = InformationalResponse | ResponseHead | Data | EndOfMessage

/** The tag of each event. */
export type EventType = HttpEvent['type']

/** A Data event for `data`. */
export const dataEvent = (data: Uint8Array): Data => ({ type: 'data', data })

/** An EndOfMessage event. */
export const endEvent = (trailers: HeaderList = new HeaderList()): EndOfMessage => ({ type: 'end', trailers })

/** The ConnectionClosed event. */
export const CLOSED: ConnectionClosed = Object.freeze({ type: 'closed' })
