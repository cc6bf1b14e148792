// A router's part of IPv6 autoconfiguration, in the little that a class needs: one prefix, advertised to whoever asks.
// Owns: when an advertisement goes. Does not own: its bytes (src/ethernet), forwarding.
// Read first: RFC 4861 §6.2.6.

import type { Random } from '../base/random.ts'
import { type Scheduler, SECOND } from '../base/time.ts'
import {
  ETHER_TYPE,
  type EthernetDevice,
  groupMac,
  linkLocalAddress,
  NdMessage,
  writeRouterAdvertisement,
} from '../ethernet/index.ts'
import { IpAddress } from '../ip/address.ts'
import { IpHeader, PROTOCOL } from '../ip/header.ts'
import { writeIpv6 } from '../ip/ipv6.ts'
import { HEADROOM, Packet } from '../link/device.ts'

const IPV6_HEADER_BYTES = 40
const ALL_NODES = IpAddress.parse('ff02::1')
/** RFC 4861 §10: the longest wait before an answer, so that many routers do not answer at once. */
const MAX_RA_DELAY_US = SECOND / 2
const VALID_S = 86_400

/** How an advertiser is set up. */
export interface AdvertiserOptions {
  readonly ethernet: EthernetDevice
  readonly scheduler: Scheduler
  readonly random: Random
  /** 64 bits of it count. */
  readonly prefix: IpAddress
}

/** Answers router solicitations. */
export class Advertiser {
  readonly #options: AdvertiserOptions
  #isWaiting = false

  constructor(options: AdvertiserOptions) {
    this.#options = options
  }

  /** Somebody asks for routers: an answer to all goes within half a second, one for all who ask until then. */
  solicited(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    const { scheduler, random } = this.#options
    scheduler.schedule(scheduler.now() + Math.round(random.fraction() * MAX_RA_DELAY_US), () => {
      this.#isWaiting = false
      this.#advertise()
    })
  }

  // A lifetime of 0: there is no way out of this network, only a prefix on it (RFC 4861 §4.2).
  #advertise(): void {
    const { ethernet, prefix } = this.#options
    const message = new NdMessage()
    const entry = { prefix, prefixLength: 64, isOnLink: true, isAutonomous: true, validS: VALID_S, preferredS: VALID_S }
    message.prefixes = [entry]
    message.sourceMac = ethernet.mac
    const packet = new Packet(new Uint8Array(HEADROOM + IPV6_HEADER_BYTES + 64))
    const header = new IpHeader()
    header.family = 6
    header.protocol = PROTOCOL.ICMPV6
    header.hopLimit = 255
    header.src.assign(linkLocalAddress(ethernet.mac))
    header.dst.assign(ALL_NODES)
    const at = HEADROOM + IPV6_HEADER_BYTES
    const length = writeRouterAdvertisement(message, packet.bytes, at, header.src, header.dst)
    header.totalBytes = IPV6_HEADER_BYTES + length
    packet.start = HEADROOM
    packet.end = at + length
    writeIpv6(header, packet.bytes, HEADROOM)
    ethernet.sendFrame(packet, groupMac(ALL_NODES), ETHER_TYPE.IPV6)
  }
}
