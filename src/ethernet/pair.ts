// A cable in memory for Ethernet frames.
// Owns: nothing but the size of frames. Does not own: the cable (src/link/pair.ts).

import { type MemoryPairOptions, memoryPair } from '../link/pair.ts'
import { FRAME_OVERHEAD_BYTES, type FrameDevice } from './frame.ts'

/** Options of memoryFramePair: those of memoryPair but for offloads, which frames have none. */
export type FramePairOptions = Omit<MemoryPairOptions, 'superSegmentBytes'>

/**
 * Two ends of an Ethernet cable in memory. `mtu` is that of IP; a frame may be longer by FRAME_OVERHEAD_BYTES. See memoryPair.
 * @throws {RangeError} as memoryPair
 */
export function memoryFramePair(options: FramePairOptions): readonly [FrameDevice, FrameDevice] {
  return memoryPair({ ...options, mtu: (options.mtu ?? 1500) + FRAME_OVERHEAD_BYTES })
}
