// Long transfers in a world: one host sends as fast as TCP lets it, another reads.
// Owns: the two ends, the count. Does not own: what is concluded from it.

import type { Micros } from '../base/time.ts'
import type { TcpConfig } from '../tcp/config.ts'
import type { World } from './world.ts'

/** A transfer. */
export interface BulkOptions {
  readonly from: string
  readonly to: string
  readonly port?: number
  /** Settings of the sender's connection. */
  readonly tcp?: Partial<TcpConfig>
  readonly startUs?: Micros
  /** When to stop. */
  readonly untilUs: Micros
  /** What arrives before is not counted. Default: from the beginning. */
  readonly countFromUs?: Micros
  /** Stop after so many bytes. */
  readonly bytes?: number
}

/** What came of it. */
export interface BulkResult {
  /** Bytes that arrived from `countFromUs` to `untilUs`. */
  readonly bytes: number
  readonly bitsPerSecond: number
  readonly mss: number
}

const CHUNK = new Uint8Array(1 << 16)

/** Runs a transfer; to be called inside `world.run`, several at a time on ports of their own. */
export async function bulk(world: World, options: BulkOptions): Promise<BulkResult> {
  const {
    from,
    to,
    port = 5001,
    tcp,
    startUs = 0,
    untilUs,
    countFromUs = startUs,
    bytes = Number.POSITIVE_INFINITY,
  } = options
  let counted = 0
  let come = 0
  let finished = (): void => undefined
  const whole = new Promise<void>((resolve) => {
    finished = resolve
  })
  await world.listen(to, port, (socket) => {
    socket.on('data', (chunk: Uint8Array) => {
      come += chunk.length
      if (world.now() >= countFromUs && world.now() <= untilUs) counted += chunk.length
      if (come >= bytes) finished()
    })
  })
  if (startUs > world.now()) await world.sleep(startUs - world.now())
  const socket = await world.connect(from, to, port, tcp === undefined ? {} : { tcp })
  let left = bytes
  const fill = (): void => {
    while (left > 0 && world.now() < untilUs) {
      const part = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left)
      left -= part.length
      if (!socket.write(part)) return
    }
  }
  socket.on('drain', fill)
  fill()
  await Promise.race([whole, world.sleep(untilUs - world.now())])
  const mss = socket.info()?.tcpi_snd_mss ?? 0
  const seconds = (Math.min(world.now(), untilUs) - countFromUs) / 1e6
  socket.destroy()
  return { bytes: counted, bitsPerSecond: (counted * 8) / seconds, mss }
}
