// How long a message's body is: RFC 9112 §6.3 as one decision list.
// Owns: the list, for requests and responses, received or sent; whether a message lets the connection persist. Does not
// own: reading or writing the body (chunked.ts, reader.ts, writer.ts).
// Read first: RFC 9112 §6 (message body), §11.2 (request smuggling), §9.3 (persistence).
import { ProtocolError, type ProtocolReason } from './errors.ts'
import type { HttpVersion, InformationalResponse, RequestHead, ResponseHead } from './events.ts'
import { trimOws } from './grammar.ts'
import type { HeaderList } from './headers.ts'
import { type Leniency, STRICT } from './leniency.ts'
import { isBodyless } from './status.ts'

/** Where a body ends: there is none, after `length` bytes, at the last chunk, or with the connection. */
export type BodyFraming = 'none' | 'chunked' | 'until-close' | { readonly length: number }

/**
 * The framing of a message's body.
 * @param requestMethod for a response: the method that it answers, null when unknown
 * @param side who made the message, for the blame
 * @param lenient what is taken though it is not valid
 * @throws {ProtocolError} 400, 413 or 501 when the length is ambiguous, invalid or not understood
 */
export function bodyFraming(
  message: RequestHead | ResponseHead | InformationalResponse,
  requestMethod: string | null,
  side: 'local' | 'remote',
  lenient: Leniency = STRICT,
): BodyFraming {
  if (message.type !== 'request') {
    // RFC 9112 §6.3 (1): an answer to HEAD, 1xx, 204 and 304 end at the empty line, whatever the fields say.
    if (requestMethod === 'HEAD' || isBodyless(message.status)) return 'none'
    // RFC 9112 §6.3 (2): 2xx to CONNECT begins a tunnel.
    if (requestMethod === 'CONNECT' && message.status < 300) return 'none'
  }
  const { headers } = message
  // What most messages have: no framing field, or one length.
  if (!headers.has('transfer-encoding') && !(message.type === 'request' && message.method === 'CONNECT')) {
    const length = headers.get('content-length')
    if (length === null) return message.type === 'request' ? 'none' : 'until-close'
    if (/^[0-9]{1,15}$/.test(length)) return { length: Number(length) }
  }
  const fail: Fail = (status, reason, text) => {
    throw new ProtocolError(side, side === 'local' ? 500 : status, reason, text)
  }
  const lengths = headers.getAll('content-length')
  // RFC 9110 §9.3.6: a CONNECT request has no content; a length that another end might believe is refused.
  if (message.type === 'request' && message.method === 'CONNECT') {
    const empty = lengths.every((one) => one === '0') && !message.headers.has('transfer-encoding')
    return empty ? 'none' : fail(400, 'bad-content-length', 'a CONNECT request with content')
  }
  // RFC 9112 §6.3 (3): both is an attempt at smuggling. §6.1: HTTP/1.0 has no transfer codings.
  if (message.headers.has('transfer-encoding')) {
    if (lengths.length > 0) fail(400, 'length-and-encoding', 'both Content-Length and Transfer-Encoding')
    if (message.version === '1.0') fail(400, 'bad-transfer-encoding', 'Transfer-Encoding in an HTTP/1.0 message')
    // RFC 9112 §6.3 (4): chunked, once, last; a coding that we do not know is 501 (§6.1).
    return transferFraming(message, fail)
  }
  // RFC 9112 §6.3 (5), (6): so many bytes, or an invalid length.
  if (lengths.length > 0) return { length: contentLength(lengths, lenient, fail) }
  // RFC 9112 §6.3 (7): a request without either has no body. (8): a response without either ends with the connection.
  return message.type === 'request' ? 'none' : 'until-close'
}

type Fail = (status: number, reason: ProtocolReason, text: string) => never

// DEVIATION: equal values, too, are refused when they come twice, unless asked for; RFC 9112 §6.3 (5) permits both.
function contentLength(lines: readonly string[], lenient: Leniency, fail: Fail): number {
  const values = lines.flatMap((line) => line.split(',').map(trimOws))
  const [value] = values
  if (values.some((one) => !/^[0-9]+$/.test(one))) {
    const reason = values.length > 1 ? 'duplicate-content-length' : 'bad-content-length'
    fail(400, reason, `Content-Length: ${JSON.stringify(lines.join(', '))}`)
  }
  if (values.length > 1 && !(lenient.repeatedLength && values.every((one) => one === value))) {
    fail(400, 'duplicate-content-length', `Content-Length: ${lines.join(', ')}`)
  }
  const length = Number(value)
  if (!Number.isSafeInteger(length)) fail(413, 'bad-content-length', `Content-Length: ${value} is out of range`)
  return length
}

function transferFraming(message: RequestHead | ResponseHead | InformationalResponse, fail: Fail): BodyFraming {
  // DEVIATION: RFC 9110 §5.6.1 ignores empty elements of a list; here other parsers do not, and lose the end of the body.
  const lines = message.headers.getAll('transfer-encoding')
  const codings = lines.flatMap((line) => line.split(',').map((coding) => trimOws(coding).toLowerCase()))
  const text = `Transfer-Encoding: ${message.headers.get('transfer-encoding')}`
  const chunkedAt = codings.indexOf('chunked')
  if (chunkedAt === -1 || chunkedAt !== codings.length - 1) {
    // A request whose last coding is not chunked has no end; a response's would be its connection's, in a coding
    // unknown to us.
    return fail(400, 'bad-transfer-encoding', text)
  }
  if (codings.length > 1) return fail(501, 'unsupported-transfer-coding', text)
  return 'chunked'
}

/**
 * Whether a message, by itself, lets the connection persist (RFC 9112 §9.3).
 * @param peerVersion the version of the other message of the exchange: with HTTP/1.0 on either side only `keep-alive`
 *   persists
 */
export function messagePersists(headers: HeaderList, version: HttpVersion, peerVersion: HttpVersion): boolean {
  if (!headers.has('connection')) return version === '1.1' && peerVersion === '1.1'
  const options = headers.tokens('connection')
  if (options.includes('close')) return false
  return (version === '1.1' && peerVersion === '1.1') || options.includes('keep-alive')
}
