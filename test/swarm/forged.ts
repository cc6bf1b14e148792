// ICMP errors that nobody on the path sent: whether one may end the connection that it quotes.
// Owns: that judgement, made as the message is handled. Does not own: drawing them (draw.ts), what follows from it (judge.ts).
// Read first: RFC 5461 §4.1 (hard errors count while a connection opens), RFC 5927 §4.1 (only about what is in flight).

import { get16, get32 } from '../../src/base/bytes.ts'
import { IpAddress } from '../../src/ip/address.ts'
import type { Packet } from '../../src/link/device.ts'
import { type Seq, seqGe, seqLt } from '../../src/tcp/seq.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'

/** What a forged error says, and of which segment. */
export interface ForgedError {
  readonly isHard: boolean
  readonly localPort: number
  readonly remotePort: number
  readonly remote: IpAddress
  readonly sequence: Seq
}

/** What an error of this type and code about `packet` says; null: it is no error of delivery (too big, Source Quench). */
export function forgedError(packet: Packet, type: number, code: number, skew: number): ForgedError | null {
  const { bytes, start } = packet
  const family = bytes[start] >>> 4 === 4 ? 4 : 6
  const kinds = family === 4 ? [3, 11, 12] : [1, 3, 4]
  if (!kinds.includes(type) || (family === 4 && type === 3 && code === 4)) return null
  const tcp = start + (family === 4 ? 20 : 40)
  const remote = new IpAddress()
  remote.read(bytes, start + (family === 4 ? 16 : 24), family)
  return {
    isHard: family === 4 ? type === 3 && (code === 2 || code === 3) : type === 1 && code === 4,
    localPort: get16(bytes, tcp),
    remotePort: get16(bytes, tcp + 2),
    remote,
    sequence: ((get32(bytes, tcp + 4) + skew) | 0) as Seq,
  }
}

/** Whether it may end this connection of the host that it has come to, as that stands now. */
export function mayEnd(error: ForgedError, { state, snd, config, passive, ...of }: Tcb): boolean {
  const isOf = of.localPort === error.localPort && of.remotePort === error.remotePort && of.remote.equals(error.remote)
  const isOpening = state === 'SYN-SENT' || state === 'SYN-RECEIVED'
  const isInFlight = seqGe(error.sequence, snd.una) && seqLt(error.sequence, snd.nxt)
  return isOf && isOpening && isInFlight && (error.isHard || (config.softErrorsEndOpening && !passive))
}
