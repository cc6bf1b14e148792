// Content codings by Node's zlib, for the servers of tunstack/http, which do not know Node.
// Owns: gzip, brotli and deflate, whole and as streams. Does not own: when they are used (http/content-coding.ts).
// Read first: RFC 9110 §8.4.1 (gzip, deflate), RFC 7932 (brotli).
import { Readable, type Transform } from 'node:stream'
import zlib from 'node:zlib'

/** One way to compress; what `codings` of an HttpServer takes. */
export interface NodeCoding {
  /** Its registered name. */
  readonly name: string
  /** Compresses a whole body, at once. */
  whole(body: Uint8Array): Uint8Array
  /** Compresses a body as it comes, on Node's thread pool. */
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

function coding(name: string, whole: (body: Uint8Array) => Uint8Array, make: () => Transform): NodeCoding {
  const stream = (body: AsyncIterable<Uint8Array | string>): AsyncIterable<Uint8Array> => {
    const source = Readable.from(body, { objectMode: false })
    const transform = make()
    // An error of the source ends the loop of whoever reads; one who stops reading ends the source.
    source.on('error', (error) => transform.destroy(error))
    transform.on('close', () => source.destroy())
    return source.pipe(transform)
  }
  return { name, whole, stream }
}
