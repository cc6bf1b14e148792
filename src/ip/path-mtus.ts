// What routers have said about paths that datagrams of ours took (RFC 8201): IPv6 alone, where nobody else cuts them up.
// Owns: a bounded table. Does not own: TCP's own search (src/tcp/path-mtu.ts); IPv4, whose datagrams routers may cut up.
// DEVIATION: RFC 8201 §4 would look for more after ten minutes. An entry stays until 256 later ones have come: it costs some fragments.

import type { IpAddress } from './address.ts'

const MOST_PATHS = 256

/** No path takes less (RFC 8200 §5): what says so is taken for this much. */
const LEAST_MTU_V6 = 1280

/** The table of one host. */
export class PathMtus {
  readonly #paths = new Map<string, number>()

  /** The largest packet to `dst` that is known to pass, `mtu` when nothing is known. */
  get(dst: IpAddress, mtu: number): number {
    if (this.#paths.size === 0) return mtu
    return Math.min(mtu, this.#paths.get(dst.toString()) ?? mtu)
  }

  /** A router takes no more than that. It may be made up, and never raises what is known. */
  lower(dst: IpAddress, mtu: number): void {
    const key = dst.toString()
    const known = this.#paths.get(key) ?? Infinity
    this.#paths.delete(key)
    this.#paths.set(key, Math.max(LEAST_MTU_V6, Math.min(known, mtu)))
    if (this.#paths.size <= MOST_PATHS) return
    for (const oldest of this.#paths.keys()) {
      this.#paths.delete(oldest)
      return
    }
  }
}
