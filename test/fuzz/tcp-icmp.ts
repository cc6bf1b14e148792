// ICMP errors about packets of a fuzzed world: any kind, code and MTU, quoting what was really sent, more or less.
// Owns: their bytes. Does not own: when they come (tcp-world.ts).

import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { IcmpMessage, writeIcmp } from '../../src/ip/icmp.ts'
import { writeIcmpv6 } from '../../src/ip/icmpv6.ts'
import { parseIp, writeIp } from '../../src/ip/parse.ts'
import { Packet } from '../../src/link/device.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import type { Dice } from './dice.ts'
import type { TcpWorld } from './tcp-world.ts'

const packet = new Packet()
const quoted = new IpHeader()
const outer = new IpHeader()
const message = new IcmpMessage()
const TYPES_V4 = [3, 3, 3, 11, 12, 4, 5, 8] as const
const TYPES_V6 = [1, 2, 2, 3, 4, 128, 137] as const
const MTUS = [0, 68, 296, 552, 576, 1006, 1280, 1400, 1499, 1500, 65535] as const

const isOpening = ({ state }: Tcb): boolean => state === 'SYN-SENT' || state === 'SYN-RECEIVED'

/** An ICMP error comes about a packet that host `index` has sent. */
export function icmpAbout(world: TcpWorld, index: 0 | 1, a: number, dice: Dice): void {
  const host = world.hosts[index]
  if (host.history.length === 0) return
  // A hard error ends a connection that is opening: who makes one up then has won.
  if (world.settings.isIntact && [...host.tcbs.values()].some(isOpening)) return
  const about = host.history[a % host.history.length]
  if (parseIp(about.bytes, about.start, about.end, quoted) !== 'ok') return
  const is4 = quoted.family === 4
  const headerBytes = is4 ? 20 : 40
  const body = Math.min(about.end - about.start, dice.oneIn(4) ? dice.below(80) : 60)
  const at = packet.start + headerBytes
  packet.end = at + 8 + body
  packet.bytes.set(about.bytes.subarray(about.start, about.start + body), at + 8)
  if (dice.oneIn(3) && body > 8) packet.bytes[at + 8 + dice.below(body)] = dice.below(256)
  message.type = dice.pick(is4 ? TYPES_V4 : TYPES_V6)
  message.code = dice.oneIn(4) ? dice.below(256) : dice.oneIn(2) ? 4 : dice.below(6)
  message.kind = 'packet-too-big' // so that the MTU is written whatever the type
  message.mtu = dice.oneIn(3) ? dice.below(2000) : dice.pick(MTUS)
  if (is4) writeIcmp(message, packet.bytes, at, packet.end)
  else writeIcmpv6(message, packet.bytes, at, packet.end, quoted.dst, quoted.src)
  outer.family = quoted.family
  outer.src.assign(quoted.dst)
  outer.dst.assign(quoted.src)
  outer.protocol = is4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6
  outer.totalBytes = packet.end - packet.start
  writeIp(outer, packet.bytes, packet.start)
  host.receive(packet, world.now)
}
