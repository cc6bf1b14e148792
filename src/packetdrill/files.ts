// Files and pipes of a script: only how much there is in them, since text is zeros here.
// Owns: these records. Does not own: the calls (calls-files.ts), sockets (sockets.ts).

/** What a pipe holds in Linux, unless it is told otherwise. */
const PIPE_BYTES = 65536

/** An open file. One that the script has not made is as long as is asked for. */
export class OpenFile {
  readonly kind = 'file'
  isCloseOnExec = false
  isNonblocking = false
  length: number
  at = 0

  /** @param length in bytes; Infinity for /dev/zero and files of which nothing is known */
  constructor(length: number) {
    this.length = length
  }
}

/** The buffer between the two ends of a pipe. */
export class PipeBuffer {
  held = 0
  isReaderGone = false
  isWriterGone = false

  /** Bytes that it takes now. */
  get room(): number {
    return PIPE_BYTES - this.held
  }
}

/** One end of a pipe. */
export class PipeEnd {
  readonly kind = 'pipe'
  isCloseOnExec = false
  isNonblocking = false
  readonly buffer: PipeBuffer
  readonly isReader: boolean

  constructor(buffer: PipeBuffer, isReader: boolean) {
    this.buffer = buffer
    this.isReader = isReader
  }

  /** The descriptor is closed. */
  close(): void {
    if (this.isReader) this.buffer.isReaderGone = true
    else this.buffer.isWriterGone = true
  }
}
