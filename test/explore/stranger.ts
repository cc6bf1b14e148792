// Packets of a stranger who knows the four values and guesses numbers (RFC 5961 §1).
// Owns: their bytes. Does not own: when they come (world.ts).

import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { writeIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { FLAG, SegmentPlan, writeTcp } from '../../src/tcp/header.ts'
import { seqAdd } from '../../src/tcp/seq.ts'
import { isSynchronized } from '../../src/tcp/state.ts'

/** What is sent. */
interface Guess {
  readonly what: 'blind-reset' | 'exact-reset' | 'blind-syn' | 'blind-text' | 'future-ack'
}

/** A packet for that connection; null when there is none that it would fit. */
export function strangersPacket({ what }: Guess, connection: Connection | null): Packet | null {
  if (connection === null || connection.state === 'CLOSED') return null
  const { tcb } = connection
  // What hits a half-open connection may well end it: RFC 5961 speaks of those that are open.
  if (!isSynchronized(tcb.state)) return null
  const plan = new SegmentPlan()
  plan.sourcePort = tcb.remotePort
  plan.destinationPort = tcb.localPort
  plan.window = 512
  plan.seq = seqAdd(tcb.rcv.nxt, what === 'exact-reset' || what === 'future-ack' ? 0 : 1)
  plan.ack = tcb.snd.nxt
  let text = 0
  switch (what) {
    case 'blind-reset':
    case 'exact-reset':
      plan.flags = FLAG.RST
      break
    case 'blind-syn':
      plan.flags = FLAG.SYN
      break
    case 'blind-text': // an acknowledgement number from long ago (RFC 5961 §5)
      plan.flags = FLAG.ACK | FLAG.PSH
      plan.seq = tcb.rcv.nxt
      plan.ack = seqAdd(tcb.snd.una, -100_000)
      text = 2
      break
    case 'future-ack':
      plan.flags = FLAG.ACK
      plan.ack = seqAdd(tcb.snd.nxt, 1)
  }
  return pack(connection, plan, text)
}

function pack({ tcb }: Connection, plan: SegmentPlan, text: number): Packet {
  const ip = new IpHeader()
  ip.family = 4
  ip.src.assign(tcb.remote)
  ip.dst.assign(tcb.local)
  ip.protocol = PROTOCOL.TCP
  ip.hopLimit = 64
  const header = new Uint8Array(60)
  const headerBytes = writeTcp(plan, header, 0)
  ip.totalBytes = 20 + headerBytes + text
  const packet = new Packet(new Uint8Array(HEADROOM + ip.totalBytes))
  packet.end = packet.start + ip.totalBytes
  writeIp(ip, packet.bytes, packet.start)
  packet.bytes.set(header.subarray(0, headerBytes), packet.start + 20)
  packet.bytes.fill(255, packet.end - text, packet.end)
  packet.checksum = 'verified'
  return packet
}
