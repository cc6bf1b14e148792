// The TCP MD5 signature option (RFC 2385; Linux's TCP_MD5SIG): two ends that share a key sign every segment, and believe none that is not
// signed with it. BGP speakers protect their sessions so from forged resets.
//
//     digest = MD5( pseudo-header | TCP header without options, checksum 0 | text | key )             RFC 2385 §2.0
//
// The option takes 18 octets, in every segment, and two NOPs before it: with a key there are no timestamps (as in Linux: both do not fit
// beside SACK), no Fast Open, no SYN cookies, no super-segments, and at most two SACK blocks (RFC 2385 §4.4).
// Owns: keys, signing, checking. Does not own: the place of the option (header.ts), when a segment is written (writer.ts).
// DEVIATION: RFC 5925 (TCP-AO) obsoletes this option; it is here for peers that speak nothing better.

import { put32 } from '../base/bytes.ts'
import { MD5_BYTES, Md5 } from '../base/md5.ts'
import { IpAddress } from '../ip/address.ts'
import { type IpHeader, PROTOCOL } from '../ip/header.ts'
import type { TcpCounters } from './counters.ts'
import { MD5_OPTION_BYTES, type SegmentHeader, TCP_HEADER_BYTES } from './header.ts'
import type { Tcb } from './tcb.ts'
import { TIMESTAMP_OPTION_BYTES } from './timestamps.ts'

/** Longest key in bytes (Linux: TCP_MD5SIG_MAXKEYLEN). */
export const MD5_KEY_MAX = 80

/** A key as it is given: text stands for its UTF-8 bytes; 1 to 80 of them. */
export type Md5Secret = string | Uint8Array

/** A listener's key for one peer. */
export interface Md5PeerKey {
  readonly peer: IpAddress
  readonly key: Md5Secret
}

/** Where a segment's digest can be found to be missing, or wrong (RFC 2385 §2.0: it is dropped without an answer). */
export type Md5Verdict = 'ok' | 'tcp-md5-not-found' | 'tcp-md5-unexpected' | 'tcp-md5-failure'

/**
 * The bytes of a key, a copy; null for none.
 * @throws {TypeError} for what is neither text nor bytes; {RangeError} for a key of no bytes, or of more than 80
 */
export function md5KeyOf(secret: Md5Secret | undefined): Uint8Array | null {
  if (secret === undefined) return null
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
    throw new TypeError('an MD5 key is a string or a Uint8Array')
  }
  // A copy: a Buffer's slice would be none.
  const key = typeof secret === 'string' ? new TextEncoder().encode(secret) : new Uint8Array(secret)
  if (key.length === 0 || key.length > MD5_KEY_MAX) {
    throw new RangeError(`an MD5 key has from 1 to ${MD5_KEY_MAX} bytes, this one has ${key.length}`)
  }
  return key
}

interface KeyEntry {
  readonly peer: IpAddress
  readonly key: Uint8Array
}

/** A listener's keys: one for all peers, or one for each of those named; other peers then go unsigned. */
export class Md5Keys {
  readonly #all: Uint8Array | null
  /** By the last word of the peer's address, so that a look-up makes no string. */
  readonly #peers = new Map<number, readonly KeyEntry[]>()

  /** @throws {TypeError} {RangeError} as md5KeyOf; TypeError too for a peer that is no address, or that is named twice */
  constructor(keys: Md5Secret | readonly Md5PeerKey[] | undefined) {
    if (!Array.isArray(keys)) {
      this.#all = md5KeyOf(keys as Md5Secret | undefined)
      return
    }
    this.#all = null
    for (const { peer, key } of keys as readonly Md5PeerKey[]) {
      if (!(peer instanceof IpAddress)) throw new TypeError('the peer of an MD5 key is an IpAddress')
      if (this.find(peer) !== null) throw new TypeError(`${peer} has two MD5 keys: give one`)
      const bytes = md5KeyOf(key)
      if (bytes === null) throw new TypeError(`${peer} has no MD5 key`)
      this.#peers.set(peer.w3, [...(this.#peers.get(peer.w3) ?? []), { peer: peer.clone(), key: bytes }])
    }
  }

  /** The key for segments to and from a peer; null: they are not signed. */
  find(peer: IpAddress): Uint8Array | null {
    if (this.#all !== null || this.#peers.size === 0) return this.#all
    const entries = this.#peers.get(peer.w3)
    if (entries !== undefined) for (const entry of entries) if (entry.peer.equals(peer)) return entry.key
    return null
  }
}

/** A connection that is not open yet signs with this key from now on (null: not). What the option has no room for is not offered. */
export function signWith(tcb: Tcb, key: Uint8Array | null): void {
  tcb.md5Key = key
  if (key !== null) tcb.ts.enabled = false
}

/** What the options of every segment of a connection take. */
export function standingOptionBytes(tcb: Tcb): number {
  return (tcb.ts.enabled ? TIMESTAMP_OPTION_BYTES : 0) + (tcb.md5Key === null ? 0 : MD5_OPTION_BYTES)
}

// Scratch: never re-entered.
const md5 = new Md5()
const pseudo = new Uint8Array(40)
const NO_CHECKSUM = new Uint8Array(2)
const expected = new Uint8Array(MD5_BYTES)

/** The digest of the segment in `bytes[start, end)`, its text from `textStart` on, between two addresses (RFC 2385 §2.0). */
function digest(
  bytes: Uint8Array,
  start: number,
  textStart: number,
  end: number,
  src: IpAddress,
  dst: IpAddress,
  key: Uint8Array,
  out: Uint8Array,
  at: number,
): void {
  const addressBytes = src.family === 4 ? 4 : 16
  src.write(pseudo, 0)
  dst.write(pseudo, addressBytes)
  let length = 2 * addressBytes
  if (addressBytes === 4) {
    put32(pseudo, length, (PROTOCOL.TCP << 16) | (end - start))
    length += 4
  } else {
    put32(pseudo, length, end - start) // RFC 8200 §8.1
    put32(pseudo, length + 4, PROTOCOL.TCP)
    length += 8
  }
  md5.reset()
  md5.update(pseudo, 0, length)
  md5.update(bytes, start, start + 16)
  md5.update(NO_CHECKSUM)
  md5.update(bytes, start + 18, start + TCP_HEADER_BYTES)
  md5.update(bytes, textStart, end)
  md5.update(key)
  md5.digest(out, at)
}

/** Signs the segment in `bytes[start, end)`, all of it in place but the checksum: fills in the option that writeTcp has left room for. */
export function signSegment(
  bytes: Uint8Array,
  start: number,
  textStart: number,
  end: number,
  local: IpAddress,
  remote: IpAddress,
  key: Uint8Array,
): void {
  // The option is the first: see writeTcp.
  digest(bytes, start, textStart, end, local, remote, key, bytes, start + TCP_HEADER_BYTES + 4)
}

/**
 * Whether a received segment may be believed: it is signed with the peer's key, or there is no key and it is not signed. What is not is
 * counted, and must be dropped without an answer (RFC 2385 §2.0).
 */
export function checkMd5(
  key: Uint8Array | null,
  header: IpHeader,
  segment: SegmentHeader,
  counters: TcpCounters,
): Md5Verdict {
  const { md5Start, bytes, textStart, textLength, headerBytes } = segment
  if (key === null) {
    if (md5Start < 0) return 'ok'
    counters.TcpExtTCPMD5Unexpected++
    return 'tcp-md5-unexpected'
  }
  if (md5Start < 0) {
    counters.TcpExtTCPMD5NotFound++
    return 'tcp-md5-not-found'
  }
  digest(bytes, textStart - headerBytes, textStart, textStart + textLength, header.src, header.dst, key, expected, 0)
  let difference = 0
  for (let i = 0; i < MD5_BYTES; i++) difference |= expected[i] ^ bytes[md5Start + i]
  if (difference === 0) return 'ok'
  counters.TcpExtTCPMD5Failure++
  return 'tcp-md5-failure'
}
