// A client connection on one end of a stream in memory, and raw bytes on the other.
import { HttpClientConnection } from '../../src/http/client-connection.ts'
import type { ConnectionRequest } from '../../src/http/client-message.ts'
import type { ClientConnectionOptions } from '../../src/http/client-options.ts'
import { type MemoryStream, RawPeer, streamPair, VirtualScheduler } from './helpers.ts'

/** A client connection and a raw server. */
export interface Dialled {
  readonly scheduler: VirtualScheduler
  readonly http: HttpClientConnection
  /** The raw server. */
  readonly peer: RawPeer
  /** The client's end. */
  readonly stream: MemoryStream
}

/** Makes a client connection whose other end is raw bytes. */
export function dial(options: Partial<ClientConnectionOptions> = {}): Dialled {
  const scheduler = new VirtualScheduler()
  const [ours, theirs] = streamPair()
  const http = new HttpClientConnection(ours, { scheduler, host: 'a', ...options })
  return { scheduler, http, peer: new RawPeer(theirs), stream: ours }
}

/** An answer. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Asks, answers with raw text, and returns what the client made of it: status and body, or its error. */
export async function exchange(
  dialled: Dialled,
  answer: string,
  request: Partial<ConnectionRequest> = {},
  end = false,
): Promise<unknown> {
  const asked = dialled.http.request({ target: '/', ...request }).then(
    async (response) => {
      try {
        return [response.status, await response.text()]
      } catch (error) {
        return [response.status, error]
      }
    },
    (error: unknown) => error,
  )
  await dialled.scheduler.settle()
  dialled.peer.send(answer)
  if (end) dialled.peer.stream.end()
  await dialled.scheduler.settle()
  return asked
}
