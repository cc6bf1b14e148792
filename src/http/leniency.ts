// What a reader takes though the grammar forbids it. Everything here is off unless it is asked for by name.
// Owns: the names and why each is a risk. Does not own: the reading (reader.ts, fields.ts, chunked.ts, framing.ts).
// Read first: RFC 9112 §2.2 (what a parser may repair), §11.2 (why two parsers must agree: request smuggling).

/** Repairs that a reader may make. Two ends of a chain that repair differently see different messages: use with care. */
export interface Leniency {
  /** A line may end in LF alone (RFC 9112 §2.2 permits it to a recipient). */
  readonly bareLf: boolean
  /** A folded line of a request goes on with a space (RFC 9112 §5.2); those of responses always do, as §5.2 asks. */
  readonly obsFold: boolean
  /** Whitespace between a field name and its colon is taken out (RFC 9112 §5.1: what a proxy does with responses). */
  readonly spaceBeforeColon: boolean
  /** Equal values of Content-Length, in several lines or in a list, count as one (RFC 9112 §6.3 rule 5 permits it). */
  readonly repeatedLength: boolean
  /** `Proxy-Connection: Keep-Alive` of an HTTP/1.0 request counts as that in Connection: for proxies (RFC 9112 appendix C.2.2). */
  readonly proxyConnection: boolean
}

/** Nothing is repaired. */
export const STRICT: Leniency = Object.freeze({
  bareLf: false,
  obsFold: false,
  spaceBeforeColon: false,
  repeatedLength: false,
  proxyConnection: false,
})
