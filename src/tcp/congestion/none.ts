// No congestion control: the receiver's window alone holds the sender back. For one's own link only; what a TCP without it does to a
// network was seen in October 1986 (Jacobson 1988).

import type { CongestionControl, CongestionState } from './interface.ts'

/** The largest window that a receiver can offer, in bytes (RFC 7323 §2.3): a larger cwnd limits nothing more. */
export const UNLIMITED_WINDOW: number = 2 ** 30

const open = (state: CongestionState): void => {
  state.cwnd = UNLIMITED_WINDOW
}

/** A window that is always as large as any receiver's. */
export const none: CongestionControl = {
  name: 'none',
  init(state) {
    state.cwnd = UNLIMITED_WINDOW
    state.ssthresh = UNLIMITED_WINDOW
    state.acked = 0
    state.pacingRate = 0
    state.data = null
  },
  onAck: open,
  onLoss: open,
  onEcn: open,
  onRecovered: open,
  onTimeout: open,
  onSpuriousLoss: open,
  onIdle: open,
}
