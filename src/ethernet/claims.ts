// Whose an IPv4 address is: asking before taking it, telling everybody, and what to do about somebody who has it too.
// Owns: the machine of RFC 5227 for each own address. Does not own: the packets (arp.ts), which addresses a host has (src/ip).
// Read first: RFC 5227 §2.

import type { Random } from '../base/random.ts'
import { type Micros, SECOND } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { ARP_OPERATION, type ArpPacket } from './arp-packet.ts'
import { formatMac, type Mac } from './mac.ts'

// RFC 5227 §1.1.
const PROBE_WAIT_US = SECOND
const PROBE_NUM = 3
const PROBE_MIN_US = SECOND
const PROBE_MAX_US = 2 * SECOND
const ANNOUNCE_WAIT_US = 2 * SECOND
const ANNOUNCE_NUM = 2
const ANNOUNCE_INTERVAL_US = 2 * SECOND
const MAX_CONFLICTS = 10
const RATE_LIMIT_INTERVAL_US = 60 * SECOND
const DEFEND_INTERVAL_US = 10 * SECOND

/** What a claim needs of ARP, and whom it tells. */
export interface ClaimOutput {
  /** A question about `address` from nobody (sender 0.0.0.0), to everybody. */
  sendProbe(address: IpAddress): void
  /** A question about `address` from `address`, to everybody. */
  sendAnnouncement(address: IpAddress): void
  /** Nobody has it: it is ours from now on. */
  onUsable(address: IpAddress): void
  /** Somebody has it: before it was ours, or (`isLost`) so that we give it up. */
  onConflict(address: IpAddress, mac: Mac, isLost: boolean): void
}

/** What to do about somebody who has an address of ours too (RFC 5227 §2.4). */
export type Defence =
  /** (b): tell everybody once; give it up when that does not help within ten seconds. */
  | 'once'
  /** (c): never give it up, and tell everybody at most every ten seconds. */
  | 'always'

interface Claim {
  readonly address: IpAddress
  readonly defence: Defence
  phase: 'probing' | 'waiting' | 'announcing' | 'settled'
  sent: number
  at: Micros
  conflictAt: Micros
}

/** The claims of one host. */
export class Claims {
  readonly #output: ClaimOutput
  readonly #random: Random
  readonly #mac: Mac
  #claims: Claim[] = []
  #conflicts = 0

  constructor(mac: Mac, random: Random, output: ClaimOutput) {
    this.#mac = mac
    this.#random = random
    this.#output = output
  }

  /**
   * Takes an address: asks three times over some seconds first when `isProbed` (RFC 5227 §2.1.1), and tells everybody twice. DEVIATION: an
   * address that was set by hand need not be asked about, as in Linux; then only the telling remains.
   */
  claim(address: IpAddress, isProbed: boolean, defence: Defence, now: Micros): void {
    this.release(address)
    // RFC 5227 §2.1.1: after ten conflicts no more than one address a minute.
    const wait = this.#conflicts >= MAX_CONFLICTS ? RATE_LIMIT_INTERVAL_US : 0
    const at = isProbed ? now + wait + Math.round(this.#random.fraction() * PROBE_WAIT_US) : now
    const phase = isProbed ? 'probing' : 'announcing'
    this.#claims.push({ address: address.clone(), defence, phase, sent: 0, at, conflictAt: Number.NEGATIVE_INFINITY })
  }

  /** Lets an address go. */
  release(address: IpAddress): void {
    this.#claims = this.#claims.filter((claim) => !claim.address.equals(address))
  }

  /** The addresses claimed, and whether they may be used. */
  *entries(): Generator<{ readonly address: IpAddress; readonly isUsable: boolean }> {
    for (const { address, phase } of this.#claims) yield { address, isUsable: isUsable(phase) }
  }

  /** Looks for conflicts in every ARP packet. Returns whether it was one. */
  handle(packet: ArpPacket, now: Micros): boolean {
    if (packet.senderMac === this.#mac) return false
    for (const claim of this.#claims) {
      if (claim.address.equals(packet.senderIp)) {
        if (isUsable(claim.phase)) this.#defend(claim, packet.senderMac, now)
        else this.#yield(claim, packet.senderMac, false)
        return true
      }
      // RFC 5227 §2.1.1: somebody else asks about the same address at the same time.
      const isProbe = packet.operation === ARP_OPERATION.request && packet.senderIp.isUnspecified
      if (isProbe && !isUsable(claim.phase) && claim.address.equals(packet.targetIp)) {
        this.#yield(claim, packet.senderMac, false)
        return true
      }
    }
    return false
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    let at = Number.POSITIVE_INFINITY
    for (const claim of this.#claims) at = Math.min(at, claim.at)
    return at
  }

  /** Sends what is due. */
  handleTimeout(now: Micros): void {
    for (const claim of [...this.#claims]) if (claim.at <= now) this.#step(claim, now)
  }

  #step(claim: Claim, now: Micros): void {
    if (claim.phase === 'probing') {
      claim.sent++
      this.#output.sendProbe(claim.address)
      const between = PROBE_MIN_US + Math.round(this.#random.fraction() * (PROBE_MAX_US - PROBE_MIN_US))
      if (claim.sent === PROBE_NUM) claim.phase = 'waiting'
      claim.at = now + (claim.sent === PROBE_NUM ? ANNOUNCE_WAIT_US : between)
      return
    }
    if (claim.phase === 'waiting') {
      claim.phase = 'announcing'
      claim.sent = 0
      this.#output.onUsable(claim.address)
    }
    claim.sent++
    this.#output.sendAnnouncement(claim.address)
    claim.at = claim.sent < ANNOUNCE_NUM ? now + ANNOUNCE_INTERVAL_US : Number.POSITIVE_INFINITY
    if (claim.sent === ANNOUNCE_NUM) claim.phase = 'settled'
  }

  #defend(claim: Claim, mac: Mac, now: Micros): void {
    const isRecent = now - claim.conflictAt < DEFEND_INTERVAL_US
    if (isRecent && claim.defence === 'once') {
      this.#yield(claim, mac, true)
      return
    }
    if (isRecent) return
    claim.conflictAt = now
    this.#output.sendAnnouncement(claim.address)
    this.#output.onConflict(claim.address, mac, false)
  }

  #yield(claim: Claim, mac: Mac, isLost: boolean): void {
    this.#conflicts++
    this.release(claim.address)
    this.#output.onConflict(claim.address, mac, isLost)
  }

  /** One line for each address. */
  toString(): string {
    return this.#claims.map(({ address, phase }) => `${address} ${formatMac(this.#mac)} ${phase}`).join('\n')
  }
}

function isUsable(phase: Claim['phase']): boolean {
  return phase === 'announcing' || phase === 'settled'
}
