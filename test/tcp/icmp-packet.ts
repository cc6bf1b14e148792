// ICMP errors about our segments, as a router or the peer sends them. Owns: bytes. Does not own: what they are to do (icmp.test.ts).

import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { writeIp } from '../../src/ip/parse.ts'
import type { Script } from './script.ts'
import { wrapIp } from './wire.ts'
import { currentWorld } from './world.ts'

/** What an error says, in words that both families share. */
export type Kind =
  | 'host'
  | 'network'
  | 'port'
  | 'protocol'
  | 'source-route'
  | 'admin'
  | 'too-big'
  | 'time'
  | 'parameter'
  | 'quench'

const V4: Record<Kind, [number, number]> = {
  network: [3, 0],
  host: [3, 1],
  protocol: [3, 2],
  port: [3, 3],
  'too-big': [3, 4],
  'source-route': [3, 5],
  admin: [3, 13],
  quench: [4, 0],
  time: [11, 0],
  parameter: [12, 0],
}
const V6: Record<Kind, [number, number]> = {
  network: [1, 0],
  host: [1, 3],
  port: [1, 4],
  protocol: [4, 1],
  admin: [1, 1],
  'source-route': [1, 5],
  'too-big': [2, 0],
  quench: [200, 0],
  time: [3, 0],
  parameter: [4, 0],
}

/** An error that quotes our segment with that relative number. `mtu` is of IPv4; over IPv6 it is 20 more. */
export function icmp(
  c: Script,
  kind: Kind,
  sequence: number,
  options: { mtu?: number; port?: number; packetBytes?: number } = {},
): void {
  const v4 = currentWorld().family === 4
  const [type, code] = (v4 ? V4 : V6)[kind]
  const ip = new IpHeader()
  ip.family = currentWorld().family
  ip.src.assign(c.local)
  ip.dst.assign(c.remote)
  ip.protocol = PROTOCOL.TCP
  const headerBytes = v4 ? 20 : 40
  ip.totalBytes = options.packetBytes ?? headerBytes + 1480
  const body = Buffer.alloc(8 + headerBytes + 8)
  body[0] = type
  body[1] = code
  const mtu = options.mtu === undefined || options.mtu === 0 ? 0 : options.mtu + (v4 ? 0 : 20)
  if (kind === 'too-big') body.writeUInt32BE(mtu, 4)
  writeIp(ip, body, 8)
  body.writeUInt16BE(c.localPort, 8 + headerBytes)
  body.writeUInt16BE(options.port ?? c.remotePort, 10 + headerBytes)
  body.writeUInt32BE((c.origin.iss + sequence) >>> 0, 12 + headerBytes)
  const packet = wrapIp(c.remote, c.local, v4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6, body, v4 ? -1 : 2)
  if (v4) {
    let sum = 0
    for (let i = packet.start + 20; i < packet.end; i += 2) sum += packet.bytes[i] * 256 + packet.bytes[i + 1]
    sum = ~((sum & 0xffff) + (sum >>> 16))
    packet.bytes[packet.start + 22] = sum >> 8
    packet.bytes[packet.start + 23] = sum
  }
  c.deliver(packet)
}
