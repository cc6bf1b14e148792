// Content codings of answers: gzip, deflate, br and whatever else there is a decoder for.
// Owns: which codings an answer has, in which order they are taken off, when there is nothing to take off. Does not own: the decoders
// (src/net/content-codings.ts has Node's).
// Read first: RFC 9110 §8.4 (Content-Encoding), §8.4.1 (the codings), §12.5.3 (Accept-Encoding).
import { DEFAULT_GATHER_BYTES } from './body.ts'
import type { ClientResponse } from './client-message.ts'
import { remoteError } from './errors.ts'
import { isBodyless } from './status.ts'

/** Takes a coding off a body; throws when what comes is not in that coding, or is cut short. */
export type BodyDecoder = (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

/** More codings than this on one answer are an attack, not a wish to save. */
const MOST_CODINGS = 5

/** An answer may become this large by any factor; it is what `bytes()` takes, too. */
const FREE_BYTES = DEFAULT_GATHER_BYTES

/** How many times larger an answer may become where nothing else is given: gzip reaches 1032 (RFC 1951 §3.2.5). */
export const MOST_EXPANSION = 1100

/** Checks a factor of expansion. @throws {RangeError} unless it is at least 1 */
export function checkExpansion(most = MOST_EXPANSION): number {
  if (most >= 1) return most
  throw new RangeError(`maxExpansion is ${most}; give a number from 1 on, or Infinity`)
}

/**
 * Takes the codings off a response that there are decoders for; its header fields stay as they were received. A coding that nobody knows
 * stays on the body, with those that were put on before it.
 * @param most how many times larger than what came the body may become, beyond the first 16 MiB; more fails it, and more than five
 *   codings do (a few bytes can unpack to all of the memory)
 */
export function decodeResponse(
  response: ClientResponse,
  method: string,
  decoders: Readonly<Record<string, BodyDecoder>>,
  most = MOST_EXPANSION,
): void {
  if (method === 'HEAD' || isBodyless(response.status)) return
  const codings = response.headers.tokens('content-encoding').filter((name) => name !== 'identity')
  const known = codings.map((name) => name.replace(/^x-(?=gzip$|compress$)/, ''))
  const bytes = { came: 0, became: 0 }
  const counted = counting(response.body, (length) => {
    bytes.came += length
  })
  // RFC 9110 §8.4: listed in the order in which they were applied.
  let decoded = counted
  for (const name of known.reverse()) {
    if (!Object.hasOwn(decoders, name)) break
    decoded = orNothing(decoded, decoders[name])
  }
  if (decoded === counted) return
  response.body = counting(decoded, (length) => {
    bytes.became += length
    if (codings.length > MOST_CODINGS)
      throw remoteError(502, 'body-too-large', `an answer of ${codings.length} codings`)
    if (bytes.became > FREE_BYTES && bytes.became > bytes.came * most)
      throw remoteError(502, 'body-too-large', `${bytes.came} bytes became more than ${most} times as many`)
  })
}

async function* counting(body: AsyncIterable<Uint8Array>, count: (length: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    count(chunk.length)
    yield chunk
  }
}

// An empty body is empty in any coding: servers put Content-Encoding on it all the same.
async function* orNothing(body: AsyncIterable<Uint8Array>, decode: BodyDecoder): AsyncGenerator<Uint8Array> {
  const source = body[Symbol.asyncIterator]()
  let isWhole = false
  try {
    const first = await source.next()
    if (first.done) {
      isWhole = true
      return
    }
    const rest = async function* (): AsyncGenerator<Uint8Array> {
      yield first.value
      for (;;) {
        const next = await source.next()
        if (next.done) break
        yield next.value
      }
      isWhole = true
    }
    yield* decode(rest())
  } finally {
    // Left early, or broken: the connection below must hear that nobody reads on.
    if (!isWhole) await source.return?.()
  }
}
