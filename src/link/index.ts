// The link floor: devices that give and take IP packets, and what can be wrapped around them.
// Importing it loads no native code: koffi is loaded by the first openTun.

export { type CaptureOptions, capture, type Direction, type PacketObserver } from './capture.ts'
export { completeChecksum } from './checksum-offload.ts'
export * from './device.ts'
export { type ImpairedDevice, type ImpairOptions, impair } from './impair.ts'
export { parseDuration, parseImpairment, parsePercent, parseRate, parseSize } from './impair-options.ts'
export { type Impairment, type ImpairmentCounters, validateImpairment } from './impairment.ts'
export { lateImpair } from './late-impair.ts'
export type { SystemError } from './libc.ts'
export { type MemoryPairOptions, memoryPair } from './pair.ts'
export { splitSuperSegment } from './segmentation.ts'
export {
  isTunUsable,
  type OpenedTun,
  openTun,
  openTunQueues,
  removeTun,
  TunDevice,
  type TunOptions,
  tunQueue,
} from './tun.ts'
export { bringUpLoopback } from './tun-interface.ts'
export { openTap, type TapOptions } from './tun-tap.ts'
export { fromTuntap2, type Tuntap2Like, type Tuntap2Options } from './tuntap2.ts'
