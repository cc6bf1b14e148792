// What Fast Open keeps of a connection (RFC 7413). Owns: shape and first value. Does not own: the rules (fast-open.ts,
// fast-open-server.ts).

import type { Micros } from '../base/time.ts'
import type { CookieJar } from './fast-open-cookies.ts'

/** What Fast Open is to a connection. */
export interface FastOpenState {
  /** The host's cookies; null: the connection does not use Fast Open. */
  jar: CookieJar | null
  /** The next SYN carries the option. */
  isOffered: boolean
  /** The client: the cookie that it presents; empty: it asks for one. The server: the one that SYN,ACK gives; empty: none. */
  cookie: Uint8Array
  /** The server's MSS as it was told with the cookie. */
  mss: number
  /** Text went with the SYN and has not been answered yet. */
  isTextOut: boolean
  /** The client: the server took text of the SYN (§4.2.2). */
  isTextTaken: boolean
  /** The client: why text did not go with the SYN, or was not taken, in Linux's numbers; 0: nothing is known. */
  failure: 0 | 1 | 2 | 3
  /** The server: text of the peer's SYN was taken. The application may have accepted, read and written in SYN-RECEIVED. */
  isTaken: boolean
  /** The server: when it no longer counts into the bound though it was reset; 0: it was not. */
  countsUntil: Micros
}

const NO_COOKIE = new Uint8Array(0)
/** No Fast Open. */
export function createFastOpen(): FastOpenState {
  return {
    jar: null,
    isOffered: false,
    cookie: NO_COOKIE,
    mss: 0,
    isTextOut: false,
    isTextTaken: false,
    failure: 0,
    isTaken: false,
    countsUntil: 0,
  }
}

/** Of all connections that neither ask for it nor take it. */
export const UNUSED_FAST_OPEN: FastOpenState = Object.freeze(createFastOpen())
