// An answer of another hop, written out as the answer of a server.
// Owns: passing the body on with back-pressure, the head before a slow body, trailers. Does not own: fields of a hop (proxy-fields.ts).
import type { Scheduler } from '../base/time.ts'
import type { HeaderList } from './headers.ts'
import type { HopResponse } from './hop.ts'
import type { ServerResponse } from './server-message.ts'

/**
 * Sends an answer with these fields and trailers. The head leaves with the first part of the body, or at the end of the turn when that
 * is slow to come.
 * @returns resolves when all is written
 * @throws what the body fails with, and an error when the client is gone; nothing is done then about what was sent already
 */
export async function sendHop(
  response: ServerResponse,
  answer: HopResponse,
  headers: HeaderList,
  trailers: () => HeaderList | null,
  scheduler: Scheduler,
): Promise<void> {
  response.writeHead(answer.status, headers)
  response.reason = answer.reason
  const iterator = answer.body[Symbol.asyncIterator]()
  let isWaiting = true
  scheduler.defer(() => {
    if (isWaiting && !response.headSent && !response.ended) response.flushHead()
  })
  try {
    for (;;) {
      const next = await iterator.next()
      isWaiting = false
      if (next.done === true) break
      await response.write(next.value)
    }
  } catch (error) {
    isWaiting = false
    await iterator.return?.()
    throw error
  }
  await response.end(undefined, trailers() ?? undefined)
}
