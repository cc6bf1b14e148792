// Content codings of answers: gzip, deflate, br and whatever else there is a decoder for.
// Owns: which codings an answer has, in which order they are taken off, when there is nothing to take off. Does not own: the decoders
// (src/net/content-codings.ts has Node's).
// Read first: RFC 9110 §8.4 (Content-Encoding), §8.4.1 (the codings), §12.5.3 (Accept-Encoding).
import type { ClientResponse } from './client-message.ts'
import { isBodyless } from './status.ts'

/** Takes a coding off a body; throws when what comes is not in that coding, or is cut short. */
export type BodyDecoder = (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

/**
 * Takes the codings off a response that there are decoders for; its header fields stay as they were received. A coding that nobody knows
 * stays on the body, with those that were put on before it.
 */
export function decodeResponse(
  response: ClientResponse,
  method: string,
  decoders: Readonly<Record<string, BodyDecoder>>,
): void {
  if (method === 'HEAD' || isBodyless(response.status)) return
  // RFC 9110 §8.4: listed in the order in which they were applied.
  for (const name of response.headers.tokens('content-encoding').reverse()) {
    if (name === 'identity') continue
    const known = name.replace(/^x-(?=gzip$|compress$)/, '')
    if (!Object.hasOwn(decoders, known)) return
    response.body = orNothing(response.body, decoders[known])
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
