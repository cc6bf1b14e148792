// What Fast Open keeps of a connection (RFC 7413). Owns: shape and first value. Does not own: the rules (fast-open.ts).

import type { CookieJar } from './fast-open-cookies.ts'

/** What Fast Open is to a connection. */
export interface FastOpenState {
  /** The host's cookies; null: the connection does not use Fast Open. */
  jar: CookieJar | null
  /** The next SYN carries the option. */
  isOffered: boolean
  /** The cookie that it presents; empty: it asks for one. */
  cookie: Uint8Array
  /** The server's MSS as it was told with the cookie. */
  mss: number
  /** Text went with the SYN and has not been answered yet. */
  isTextOut: boolean
}

const NO_COOKIE = new Uint8Array(0)
/** No Fast Open. */
export function createFastOpen(): FastOpenState {
  return { jar: null, isOffered: false, cookie: NO_COOKIE, mss: 0, isTextOut: false }
}
