// The cookies of TCP Fast Open (RFC 7413 §4.1): a server gives each client one that only it can make, the client keeps those of the
// servers it has met. Owns: making, checking, keeping cookies. Does not own: what goes into a SYN (syn-output.ts), when text in a SYN is
// believed (fast-open-server.ts).

import type { Random } from '../base/random.ts'
import { type SipKey, sipHashWide, sipKey } from '../base/siphash.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'

/** Bytes of the cookies that we make (RFC 7413 §4.1.1: 4 to 16). */
export const COOKIE_BYTES = 8
/** Cookies of servers that are kept, the latest ones. */
const MOST_COOKIES = 1024
/** How long Fast Open rests towards a server after a SYN with a cookie was lost; doubled each time, up to about an hour. */
const FIRST_REST_US: Micros = 60_000_000
const MOST_DOUBLINGS = 6

/** Makes the cookies of a server, and knows them again. Without a record per client: a cookie is a keyed hash of the addresses. */
export class CookieMaker {
  readonly #random: Random
  #key: SipKey
  #previous: SipKey | null = null

  constructor(random: Random) {
    this.#random = random
    this.#key = sipKey(random)
  }

  /** The cookie for a client, in a buffer of the caller's own. */
  make(client: IpAddress, server: IpAddress): Uint8Array {
    return cookie(this.#key, client, server)
  }

  /** `'fresh'`: ours; `'old'`: ours of before the last `rotate`, a new one should be given; `'none'`: not ours. */
  check(client: IpAddress, server: IpAddress, bytes: Uint8Array, at: number, length: number): 'fresh' | 'old' | 'none' {
    if (length !== COOKIE_BYTES) return 'none'
    if (isSame(cookie(this.#key, client, server), bytes, at)) return 'fresh'
    if (this.#previous !== null && isSame(cookie(this.#previous, client, server), bytes, at)) return 'old'
    return 'none'
  }

  /** Takes a new key; cookies of the one before are still known, older ones are not (RFC 7413 §5.1). */
  rotate(): void {
    this.#previous = this.#key
    this.#key = sipKey(this.#random)
  }

  /** Takes keys from outside, shared between hosts; cookies of `previous` are known too. */
  use(key: SipKey, previous: SipKey | null): void {
    this.#key = key
    this.#previous = previous
  }
}

/** As Linux makes it: SipHash-2-4 of both addresses, so that hosts with one key know each other's cookies (RFC 7413 §4.1.2). */
function cookie(key: SipKey, client: IpAddress, server: IpAddress): Uint8Array {
  const bytes = new Uint8Array(COOKIE_BYTES)
  const view = new DataView(bytes.buffer)
  const hash = new Int32Array(2)
  sipHashWide(key, [...wordsOf(client), ...wordsOf(server)], hash)
  view.setInt32(0, hash[0], true)
  view.setInt32(4, hash[1], true)
  return bytes
}

/** An address as SipHash reads it: words of four octets, the first one lowest. */
function wordsOf({ family, w0, w1, w2, w3 }: IpAddress): number[] {
  const words = family === 4 ? [w3] : [w0, w1, w2, w3]
  return words.map((w) => (w << 24) | ((w << 8) & 0xff0000) | ((w >>> 8) & 0xff00) | (w >>> 24) | 0)
}

function isSame(cookie: Uint8Array, bytes: Uint8Array, at: number): boolean {
  let difference = 0
  for (let i = 0; i < COOKIE_BYTES; i++) difference |= cookie[i] ^ bytes[at + i]
  return difference === 0
}

/** What a client knows of a server. */
export interface KnownServer {
  /** Null: none yet, or no longer. */
  cookie: Uint8Array | null
  /** The server's MSS option, for the length of the text in a SYN (RFC 7413 §4.1.3.1). */
  mss: number
  /** SYNs with a cookie that were lost in a row. */
  losses: number
  /** No Fast Open before this time. */
  restUntil: Micros
}

/** The cookies of the servers that a client has met. Bounded: the server that was not heard of for longest is forgotten. */
export class CookieJar {
  readonly #servers = new Map<string, KnownServer>()

  /** What is known of the server for an attempt at `now`; null when there is no cookie, or Fast Open rests. */
  find(server: IpAddress, now: Micros): KnownServer | null {
    const known = this.#servers.get(server.toString())
    return known === undefined || known.cookie === null || now < known.restUntil ? null : known
  }

  /** Whether Fast Open rests towards a server: not even a cookie is asked for. */
  isResting(server: IpAddress, now: Micros): boolean {
    const known = this.#servers.get(server.toString())
    return known !== undefined && now < known.restUntil
  }

  /** The server has sent a cookie; the bytes are copied. */
  keep(server: IpAddress, cookie: Uint8Array, mss: number): void {
    this.#put(server, { cookie: cookie.slice(), mss, losses: 0, restUntil: 0 })
  }

  /** Text in a SYN was acknowledged. */
  succeeded(server: IpAddress): void {
    const known = this.#servers.get(server.toString())
    if (known !== undefined) known.losses = 0
  }

  /** A SYN with a cookie or a request was lost: something on the way may drop such SYNs (RFC 7413 §7.1). */
  failed(server: IpAddress, now: Micros): void {
    const known = this.#servers.get(server.toString()) ?? { cookie: null, mss: 0, losses: 0, restUntil: 0 }
    known.restUntil = now + FIRST_REST_US * 2 ** Math.min(known.losses, MOST_DOUBLINGS)
    known.losses++
    this.#put(server, known)
  }

  /** Servers known. */
  get size(): number {
    return this.#servers.size
  }

  #put(server: IpAddress, known: KnownServer): void {
    const name = server.toString()
    this.#servers.delete(name)
    this.#servers.set(name, known)
    if (this.#servers.size <= MOST_COOKIES) return
    const [oldest] = this.#servers.keys()
    this.#servers.delete(oldest)
  }
}

/** What a host has of cookies. */
export class FastOpenCookies {
  /** Of the servers that it has met. */
  readonly jar = new CookieJar()
  readonly #random: Random
  #maker: CookieMaker | null = null

  constructor(random: Random) {
    this.#random = random
  }

  /** Its own, for all its listeners; made when first asked for. */
  get maker(): CookieMaker {
    this.#maker ??= new CookieMaker(this.#random)
    return this.#maker
  }
}
