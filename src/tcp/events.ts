// What a connection or a listener tells its owner, as bits that gather until they are taken: however many segments a batch brings,
// the owner is called once.

/** Events of connections and listeners. */
export const EVENT = {
  /** The handshake is done. */
  connected: 1,
  /** Text can be read. */
  readable: 2,
  /** The send buffer has room again after a write that did not fit. */
  writable: 4,
  /** The peer has closed its side and everything before its FIN has arrived. */
  end: 8,
  /** The connection failed; see its `error`. */
  error: 16,
  /** The record is gone: nothing more will happen. */
  closed: 32,
  /** A listener has a connection to accept. */
  acceptable: 64,
  /** Everything written has been acknowledged. */
  drained: 128,
  /** The peer has sent urgent data, or moved its mark on: see `urgentBytes`. */
  urgent: 256,
  /** Something troubles the connection, or no longer does, without ending it: see `isTroubled` and `softError` (RFC 9293 §3.9.1.8). */
  trouble: 512,
  /** CLOSE has waited for what was queued (`lingerUs`); `linger` tells with what outcome. */
  lingered: 1024,
} as const
