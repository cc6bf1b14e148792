// What is known of the paths that packets of ours take: the largest one that passes (RFC 1191, RFC 8201), for ten minutes.
// Owns: a bounded table, its age. Does not own: TCP's own search and memory (src/tcp/path-mtu.ts), which tells this one what it has
// learned, and believes it in nothing: what a router says of a segment can be checked, what it says of a datagram can not (RFC 5927 §4).
// Read first: RFC 1191 §6.3, RFC 8201 §4.

import { MINUTE, type Micros } from '../base/time.ts'
import type { IpAddress } from './address.ts'

/** Most paths that are remembered; the one told of longest ago is forgotten first. */
export const MOST_PATHS = 256

/** After that more is tried again (RFC 1191 §6.3, RFC 8201 §4). */
export const PATH_MTU_AGE_US = 10 * MINUTE

/** No path takes less (RFC 8200 §5): what says so is taken for this much. */
const LEAST_MTU_V6 = 1280
/** Less is not believed; such datagrams go without Don't Fragment instead (Linux: min_pmtu). */
const LEAST_MTU_V4 = 552

interface PathMtu {
  readonly address: IpAddress
  readonly mtu: number
  /** The path takes less than is believed: routers may cut packets up. */
  readonly isLocked: boolean
  readonly expiresAt: Micros
}

/** The table of one host. */
export class PathMtus {
  /** The time, as its owner was last told it. */
  now: Micros = 0
  readonly #paths = new Map<string, PathMtu>()

  /** The largest packet to `dst` that is known to pass, `mtu` when nothing is known. */
  get(dst: IpAddress, mtu: number): number {
    return Math.min(mtu, this.#find(dst)?.mtu ?? mtu)
  }

  /** Whether packets to `dst` may say Don't Fragment (IPv4): not where the path takes less than is believed. */
  mayForbidFragments(dst: IpAddress): boolean {
    return this.#find(dst)?.isLocked !== true
  }

  /** A router takes no more than that: 0 when it does not say (RFC 1191 §5). It may be made up, and never raises what is known. */
  lower(dst: IpAddress, mtu: number): void {
    const known = this.#find(dst)?.mtu ?? Infinity
    if (mtu >= known) return
    const least = dst.family === 4 ? LEAST_MTU_V4 : LEAST_MTU_V6
    this.#put(dst, Math.max(least, mtu), mtu < least)
  }

  /**
   * Somebody here has found out, by packets that arrived, what the path takes: that is believed, more or less than is known.
   * @param isConfirmed false: nothing arrives, and this is what is left; routers may cut packets up
   */
  learn(dst: IpAddress, mtu: number, isConfirmed: boolean): void {
    this.#put(dst, mtu, !isConfirmed)
  }

  #put(dst: IpAddress, mtu: number, isLocked: boolean): void {
    const key = dst.toString()
    this.#paths.delete(key)
    this.#paths.set(key, { address: dst.clone(), mtu, isLocked, expiresAt: this.now + PATH_MTU_AGE_US })
    if (this.#paths.size <= MOST_PATHS) return
    for (const oldest of this.#paths.keys()) {
      this.#paths.delete(oldest)
      return
    }
  }

  /** What is known now, oldest first, with the time it has left. */
  entries(): { readonly address: IpAddress; readonly mtu: number; readonly leftUs: Micros }[] {
    return [...this.#paths.values()]
      .filter(({ expiresAt }) => expiresAt > this.now)
      .map(({ address, mtu, expiresAt }) => ({ address, mtu, leftUs: expiresAt - this.now }))
  }

  #find(dst: IpAddress): PathMtu | null {
    if (this.#paths.size === 0) return null
    const key = dst.toString()
    const path = this.#paths.get(key)
    if (path === undefined) return null
    if (path.expiresAt > this.now) return path
    this.#paths.delete(key)
    return null
  }
}
