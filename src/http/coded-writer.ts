// An answer that is written part by part, on its way through a content coding: parts in, compressed bytes out.
// Owns: the order, back-pressure from the connection to the writer, holding the writer to the length that it announced. Does not own:
// which answers are compressed (content-coding.ts), when held-back bytes are flushed (the coding's stream).
// Read first: RFC 9110 §8.4 (Content-Encoding), §8.6 (Content-Length).
import { BODY_HIGH_WATER_BYTES, IncomingBody } from './body.ts'
import type { ContentCoding } from './content-coding.ts'
import { type Data, dataEvent } from './events.ts'
import { HeaderList } from './headers.ts'
import { quiet } from './output.ts'
import { BodyWriter } from './writer.ts'

/** Where compressed bytes go. */
export interface CodedSink {
  sendEvent(event: Data): void
  /** Resolves when more is taken. */
  ready(): Promise<void>
}

/** Compresses one answer as it is written. */
export class CodedWriter {
  readonly #queue: IncomingBody
  readonly #sent: Promise<void>
  /** What the program said that it would write: no more, no less. */
  readonly #announced: BodyWriter
  #failure: Error | null = null
  #waiters: (() => void)[] = []

  /** @param length what Content-Length announced of the bare body, null when nothing */
  constructor(coding: ContentCoding, sink: CodedSink, length: number | null) {
    const wake = (): void => this.#wake()
    this.#queue = new IncomingBody({ onStart: () => undefined, onTake: wake, onCancel: wake })
    this.#announced = new BodyWriter(length === null ? 'until-close' : { length })
    this.#sent = quiet(this.#run(coding, sink))
  }

  async #run(coding: ContentCoding, sink: CodedSink): Promise<void> {
    try {
      for await (const chunk of coding.stream(this.#queue)) {
        if (chunk.length > 0) sink.sendEvent(dataEvent(chunk))
        await sink.ready()
      }
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  /**
   * Takes a part.
   * @returns resolves when more is taken; rejects when the answer has failed (need not be awaited)
   * @throws {ProtocolError} local, when it is more than Content-Length announced
   */
  write(chunk: Uint8Array): Promise<void> {
    this.#queue.push(this.#announced.data(chunk))
    return quiet(this.#ready())
  }

  /**
   * No more parts come.
   * @returns resolves when all compressed bytes have been handed to the connection
   * @throws {ProtocolError} local, when bytes that Content-Length announced are missing
   */
  end(): Promise<void> {
    this.#announced.end(new HeaderList())
    this.#queue.finish()
    return this.#sent
  }

  /** Nothing more of it can be sent. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#queue.fail(error)
    this.#wake()
  }

  async #ready(): Promise<void> {
    if (this.#queue.queuedBytes >= BODY_HIGH_WATER_BYTES && this.#failure === null && !this.#queue.discarding)
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    if (this.#failure !== null) throw this.#failure
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
