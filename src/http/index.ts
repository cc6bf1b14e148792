// tunstack/http: HTTP/1.1 machines without I/O, and a server and a client over any byte stream.
// Owns: nothing; names what is public. Read first: connection.ts for the machine, server.ts and client.ts for the ends.
export { type BodySource, gatherBytes } from './body.ts'
export * from './cache/index.ts'
export { ChunkedDecoder, encodeChunk, encodeLastChunk } from './chunked.ts'
export {
  type ClientCounters,
  type CookieStore,
  type FetchOptions,
  HttpClient,
  type HttpClientOptions,
} from './client.ts'
export { HttpClientConnection } from './client-connection.ts'
export { ClientResponse, type ConnectionRequest, type ExchangeHooks, type Switched } from './client-message.ts'
export type { ClientConnectionOptions, ClientTimeouts } from './client-options.ts'
export { basicAuthorization, isDirect, type ProxyOptions, parseProxy } from './client-proxy.ts'
export {
  type ConnectionUse,
  type CurlTimes,
  curlTimes,
  type DialTrace,
  dialTrace,
  type ExchangeTimings,
  type ResourceTimes,
  resourceTimes,
} from './client-timings.ts'
export { checkPreconditions, parseEntityTags, type Validators } from './conditional.ts'
export { HttpConnection } from './connection.ts'
export { type ContentCoding, chooseCoding, codingWeight } from './content-coding.ts'
export { contentTypeOf } from './content-types.ts'
export { type BodyDecoder, decodeResponse } from './decode.ts'
export { openTunnel, TunnelError } from './dial.ts'
export { HttpError, type HttpErrorCode, ProtocolError, type ProtocolReason } from './errors.ts'
export * from './events.ts'
export { createFetch, type Fetch } from './fetch.ts'
export { decodePath, type FileOptions, type FileSource, type FileStat, fileHandler } from './files.ts'
export { type BodyFraming, bodyFraming, messagePersists } from './framing.ts'
export { formatHttpDate, parseHttpDate, parseRequestTarget, type RequestTarget, splitList } from './grammar.ts'
export { HeaderList, type HeadersInit } from './headers.ts'
export { type Forward, type HopRequest, type HopResponse, ownResponse } from './hop.ts'
export { type Leniency, STRICT } from './leniency.ts'
export { DEFAULT_LIMITS, type HttpLimits } from './limits.ts'
export type { DirectoryEntry } from './listing.ts'
export { ConnectionPool, originKey } from './pool.ts'
export type {
  Connect,
  ConnectContext,
  Origin,
  PoolCounters,
  PoolEvent,
  PooledConnection,
  PoolOptions,
  ProxyServer,
} from './pool-options.ts'
export { HttpProxy } from './proxy.ts'
export { type BlindEvent, type BlindOptions, BlindRelay } from './proxy-blind.ts'
export { type ProxyErrorType, UpstreamError } from './proxy-errors.ts'
export type { ForwardedStyle } from './proxy-fields.ts'
export type { HopRecord, HttpProxyOptions, ProxyCounters, ProxyTimeouts } from './proxy-options.ts'
export { type RedirectStep, redirectedHeaders, redirectStep } from './redirect.ts'
export { canRepeat, isReplayable } from './retry.ts'
export { HttpServer } from './server.ts'
export { type FetchHandler, fetchHandler } from './server-fetch.ts'
export {
  type ConnectionInfo,
  type Handler,
  type PlainResponse,
  ServerRequest,
  ServerResponse,
  type TakenStream,
} from './server-message.ts'
export type {
  ExchangeRecord,
  HttpServerOptions,
  ServerCounters,
  ServerLimits,
  ServerTimeouts,
} from './server-options.ts'
export {
  CLIENT_TABLE,
  type ClientState,
  JOINT_TABLE,
  MessageState,
  type Role,
  SERVER_TABLE,
  type ServerState,
} from './state.ts'
export { isIdempotent, reasonPhrase } from './status.ts'
export type { ByteStream } from './stream.ts'
export { joinStreams, type TunnelEnd, type TunnelEnding, type TunnelOptions } from './tunnel.ts'
export { BodyWriter, writeRequestHead, writeResponseHead } from './writer.ts'
