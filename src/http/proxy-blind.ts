// WARNING: a relay that is wrong on purpose. It is kept to be looked at: how proxies of 1996 made persistent connections hang.
// It passes every field on as it is, `Connection: Keep-Alive` among them, and takes the end of the server's connection for the end of
// the answer. Both ends then believe that the connection stays, the server keeps it open, and the relay waits for a close that does not
// come; the client's next request on that connection is heard by nobody. Never put it in front of anything real: it neither checks what
// it relays (request smuggling) nor knows loops, limits or time. The cure is proxy.ts.
// Owns: the relay and the record of what it does. Does not own: anything that would make it better.
// Read first: RFC 9112 appendix C.2.2 (keep-alive and proxies), §9.3.
import type { Micros, Scheduler } from '../base/time.ts'
import { ByteQueue } from './byte-queue.ts'
import { decodeLatin1, encodeLatin1, parseRequestTarget } from './grammar.ts'
import type { Connect, Origin } from './pool-options.ts'
import { parseAuthority } from './proxy-target.ts'
import type { ByteStream } from './stream.ts'

/** The longest head that is relayed. */
const MOST_HEAD_BYTES = 65_536

/** What a blind relay does, and when. */
export interface BlindEvent {
  readonly at: Micros
  /**
   * `'request'`: a head has come; `'relayed'`: it has gone on, as `text` says; `'answer'`: bytes have come back; `'waits'`: only the
   * server's close can end it now; `'unheard'`: the client has said more, and nobody listens; `'closed'`: the server has closed at last.
   */
  readonly what: 'request' | 'relayed' | 'answer' | 'waits' | 'unheard' | 'closed' | 'failed'
  /** Bytes of it; 0 where that has no meaning. */
  readonly bytes: number
  readonly text: string
}

/** Options of a blind relay. */
export interface BlindOptions {
  readonly scheduler: Scheduler
  readonly connect: Connect
  /** Where every request goes; otherwise the target says it. */
  readonly origin?: Origin
  /** Another proxy to which every request goes as it is. */
  readonly parent?: Origin
  /** Told of every step. */
  readonly onEvent?: (event: BlindEvent) => void
}

/** The dumb proxy. See the warning at the head of this file. */
export class BlindRelay {
  readonly #options: BlindOptions
  readonly #streams = new Set<ByteStream>()

  constructor(options: BlindOptions) {
    this.#options = options
  }

  /** Connections open now, both sides. */
  get connectionCount(): number {
    return this.#streams.size
  }

  /** Relays one request of a client's connection, and then waits; the stream belongs to the relay from now on. */
  handleConnection(stream: ByteStream): void {
    this.#watch(stream)
    const input = new ByteQueue()
    const read = (chunk: Uint8Array): void => {
      input.push(chunk)
      const head = headOf(input)
      if (head === null) {
        if (input.length > MOST_HEAD_BYTES) stream.destroy()
        return
      }
      stream.off('data', read)
      stream.pause()
      void this.#relay(stream, head, input.take(input.length))
    }
    stream.on('data', read)
    stream.resume()
  }

  /** Drops every connection. */
  closeAll(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  async #relay(client: ByteStream, head: string, rest: Uint8Array): Promise<void> {
    this.#tell('request', head.length, firstLine(head))
    const way = this.#way(head)
    if (way === null) {
      client.write(encodeLatin1('HTTP/1.0 400 Bad Request\r\n\r\n'))
      client.end()
      return
    }
    let server: ByteStream
    try {
      server = await this.#options.connect(way.origin, {})
    } catch {
      this.#tell('failed', 0, 'no connection')
      client.write(encodeLatin1('HTTP/1.0 502 Bad Gateway\r\n\r\n'))
      client.end()
      return
    }
    if (client.destroyed) {
      server.destroy()
      return
    }
    this.#watch(server)
    server.write(encodeLatin1(way.head))
    this.#tell('relayed', way.head.length, firstLine(way.head))
    this.#requestBody(client, server, head, rest)
    this.#answer(client, server)
  }

  /** The body goes on as far as Content-Length says; whatever comes behind it is thrown away. */
  #requestBody(client: ByteStream, server: ByteStream, head: string, rest: Uint8Array): void {
    let left = Number(/^content-length:[ \t]*([0-9]{1,15})/im.exec(head)?.[1] ?? 0)
    const pass = (chunk: Uint8Array): void => {
      const part = chunk.subarray(0, left)
      left -= part.length
      if (part.length > 0 && !server.write(part)) client.pause()
      if (chunk.length > part.length) this.#tell('unheard', chunk.length - part.length, 'nobody reads it')
    }
    pass(rest)
    server.on('drain', () => client.resume())
    client.on('data', pass)
    client.resume()
  }

  #answer(client: ByteStream, server: ByteStream): void {
    let began = false
    server.on('data', (chunk) => {
      this.#tell('answer', chunk.length, began ? '' : firstLine(decodeLatin1(chunk, 0, Math.min(chunk.length, 200))))
      if (!began) this.#tell('waits', 0, "for the server's close")
      began = true
      if (!client.destroyed && !client.write(chunk)) server.pause()
    })
    client.on('drain', () => server.resume())
    server.on('end', () => {
      this.#tell('closed', 0, 'the server has closed')
      server.end()
      if (!client.destroyed) client.end()
    })
    server.on('close', () => {
      if (!client.destroyed) client.end()
    })
    client.on('close', () => server.destroy())
    server.resume()
  }

  #way(head: string): { origin: Origin; head: string } | null {
    const { origin, parent } = this.#options
    const parts = /^(\S+) (\S+) (\S+)\r\n/.exec(head)
    if (parts === null) return null
    if (parent !== undefined) return { origin: parent, head }
    const target = parseRequestTarget(parts[1], parts[2])
    const at = target?.form === 'absolute' ? parseAuthority(target.authority, 80) : null
    const to: Origin | null = origin ?? (at === null ? null : { protocol: 'http:', ...at })
    if (target === null || to === null) return null
    const path = target.query === '' ? target.path : `${target.path}?${target.query}`
    // The request line is all that it changes.
    return { origin: to, head: `${parts[1]} ${path} ${parts[3]}${head.slice(parts[0].length - 2)}` }
  }

  #watch(stream: ByteStream): void {
    this.#streams.add(stream)
    stream.on('error', () => undefined)
    stream.on('close', () => this.#streams.delete(stream))
  }

  #tell(what: BlindEvent['what'], bytes: number, text: string): void {
    this.#options.onEvent?.({ at: this.#options.scheduler.now(), what, bytes, text })
  }
}

/** Takes a head, empty line included, from the front; null when it is not there yet. */
function headOf(input: ByteQueue): string | null {
  const text = decodeLatin1(input.bytes, input.start, input.end)
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return null
  input.skip(end + 4)
  return text.slice(0, end + 4)
}

const firstLine = (head: string): string => head.split('\r\n', 1)[0]
