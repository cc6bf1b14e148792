// A window that never changes: for experiments, and to see what flow control alone does. It is no friend of a shared network.

import type { CongestionControl, CongestionState } from './interface.ts'

/**
 * A controller whose window is always `segments` segments. To use it by name, register it.
 * @throws {RangeError} when `segments` is not a whole number of 1 or more
 */
export function fixedWindow(segments: number, name = `fixed-${segments}`): CongestionControl {
  if (!Number.isSafeInteger(segments) || segments < 1) {
    throw new RangeError(`a fixed window has ${segments} segments; it must have a whole number of at least 1`)
  }
  const set = (state: CongestionState): void => {
    state.cwnd = segments * state.mss // SMSS may change with the path
  }
  return {
    name,
    init(state) {
      set(state)
      state.ssthresh = state.cwnd
      state.acked = 0
      state.pacingRate = 0
      state.data = null
    },
    onAck: set,
    onLoss: set,
    onEcn: set,
    onRecovered: set,
    onTimeout: set,
    onSpuriousLoss: set,
    onIdle: set,
  }
}

/** Ten segments, whatever happens. */
export const fixed: CongestionControl = fixedWindow(10, 'fixed')
