// Content codings by Node's zlib, for the servers of tunstack/http, which do not know Node.
// Owns: gzip, brotli and deflate, whole and as streams. Does not own: when they are used (http/content-coding.ts).
// Read first: RFC 9110 §8.4.1 (gzip, deflate), RFC 7932 (brotli).
import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

/** One way to compress; what `codings` of an HttpServer takes. */
export interface NodeCoding {
  /** Its registered name. */
  readonly name: string
  /** Compresses a whole body, at once. */
  whole(body: Uint8Array): Uint8Array
  /** Compresses a body as it comes, on Node's thread pool; what it holds back leaves when nothing follows in the same turn. */
  stream(body: AsyncIterable<Uint8Array | string>): AsyncIterable<Uint8Array>
}

/**
 * Brotli, gzip and deflate, in this order of preference.
 * @param options `level` is zlib's, 1 (fast) to 9 (small), 6 unless given; brotli's quality is one less, for a like speed
 * @throws {RangeError} when the level is not 1 to 9
 */
export function nodeCodings(options: { readonly level?: number } = {}): readonly NodeCoding[] {
  const { level = 6 } = options
  if (!(Number.isInteger(level) && level >= 1 && level <= 9)) throw new RangeError(`level is ${level}; give 1 to 9`)
  const brotli = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level - 1 } }
  return [
    coding(
      'br',
      (body) => zlib.brotliCompressSync(body, brotli),
      () => zlib.createBrotliCompress(brotli),
      zlib.constants.BROTLI_OPERATION_FLUSH,
    ),
    coding(
      'gzip',
      (body) => zlib.gzipSync(body, { level }),
      () => zlib.createGzip({ level }),
    ),
    // RFC 9110 §8.4.1.2: `deflate` is the zlib format, not the bare one.
    coding(
      'deflate',
      (body) => zlib.deflateSync(body, { level }),
      () => zlib.createDeflate({ level }),
    ),
  ]
}

/** A compressor of Node's; `flush` makes it give out what it holds back. */
type Compressor = Transform & { flush(kind: number, done: () => void): void }

function coding(
  name: string,
  whole: (body: Uint8Array) => Uint8Array,
  make: () => Compressor,
  flush: number = zlib.constants.Z_SYNC_FLUSH,
): NodeCoding {
  const stream = (body: AsyncIterable<Uint8Array | string>): AsyncIterable<Uint8Array> => {
    const compressor = make()
    void feed(body[Symbol.asyncIterator](), compressor, flush)
    return compressor
  }
  return { name, whole, stream }
}

/** Whether something has not come by the end of the turn. */
async function isLate(something: Promise<unknown>): Promise<boolean> {
  const turn = new Promise<boolean>((resolve) => setImmediate(resolve, true))
  return Promise.race([something.then(() => false), turn])
}

/** Gives a compressor what comes, each part once the one before has been taken; between two turns nothing is held back. */
async function feed(source: AsyncIterator<Uint8Array | string>, compressor: Compressor, flush: number): Promise<void> {
  let isOver = false
  // Whoever stops reading ends the source.
  compressor.on('close', () => {
    if (!isOver) Promise.resolve(source.return?.()).catch(() => undefined)
  })
  try {
    for (let holds = false; !compressor.destroyed; ) {
      const next = source.next()
      if (holds && (await isLate(next))) await new Promise<void>((resolve) => compressor.flush(flush, resolve))
      const { done, value } = await next
      if (done) break
      await new Promise<void>((resolve) => compressor.write(value, () => resolve()))
      holds = true
    }
    isOver = true
    compressor.end()
  } catch (error) {
    // An error of the source ends the loop of whoever reads.
    isOver = true
    compressor.destroy(error instanceof Error ? error : new Error(String(error)))
  }
}
