// The IP floor and ICMP: packets of both families, right ones and changed ones, with options, extension headers, fragments, quoted packets.
// At most one packet goes out for each that comes in, none in answer to an error, and each is well-formed.
// Owns: the packets and these properties. Does not own: connections (tcp-world.ts).

import { put16 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { formatPacket } from '../../src/trace/packet-line.ts'
import { writePathProbe } from '../../src/udp/path-probes.ts'
import { Dice } from './dice.ts'
import { feature, type Target, violated } from './target.ts'
import { SentPacket } from './tcp-checks.ts'

const STEP_BYTES = 8
const MTU = 1400
const V4 = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.255',
  '255.255.255.255',
  '224.0.0.1',
  '0.0.0.0',
  '127.0.0.1',
  '8.8.8.8',
  '240.0.0.1',
]
const V6 = ['fd00::1', 'fd00::2', 'ff02::1', 'ff02::1:ff00:1', '::', '::1', '::ffff:10.0.0.1', 'fe80::2', '2001:db8::1']
const ADDRESSES = { 4: V4.map((a) => IpAddress.parse(a)), 6: V6.map((a) => IpAddress.parse(a)) } as const
const PROTOCOLS = [6, 6, 17, 1, 58, 58, 1, 0, 43, 44, 60, 59, 132, 255] as const
const OPTIONS = [0, 1, 7, 68, 131, 137, 148, 130, 5, 194, 0xc2, 0x05, 0x26, 0x63, 0x8b] as const

const packet = new Packet()
const out = new Packet()
const sent = new SentPacket()
const header = new IpHeader()
const dice = new Dice()

function stack(): Stack {
  return new Stack({
    addresses: ['10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'],
    mtu: MTU,
    random: new SeededRandom(1),
    tcp: { synBacklog: 4, synCookies: 'pressure' },
  })
}

/** Puts together a packet of one family: header, options or extension headers, then something that looks like its protocol. */
function compose(family: 4 | 6, a: number, b: number): void {
  const { bytes } = packet
  const start = packet.start
  let at = start + (family === 4 ? 20 : 40)
  let protocol = PROTOCOLS[a % PROTOCOLS.length]
  if (family === 4 && (b & 3) === 0) at = putOptions(at)
  if (family === 6 && protocol !== 0 && protocol !== 43 && protocol !== 44 && protocol !== 60 && (b & 3) === 0) {
    bytes[start + 6] = 0
    at = putExtensions(start, at, protocol)
    protocol = bytes[start + 6] as 6
  } else bytes[start + 6] = protocol
  const transport = at
  at = putTransport(transport, protocol, family, a, b)
  packet.end = at
  const total = at - start
  const src = ADDRESSES[family][dice.oneIn(8) ? dice.below(9) : 1]
  const dst = ADDRESSES[family][dice.oneIn(8) ? dice.below(9) : 0]
  if (family === 4) {
    bytes[start] = 0x40 | ((transport - start) >> 2)
    bytes[start + 1] = dice.below(256)
    put16(bytes, start + 2, dice.oneIn(20) ? dice.below(total + 10) : total)
    put16(bytes, start + 6, dice.oneIn(6) ? dice.below(65536) : 0x4000)
    bytes[start + 8] = 64
    bytes[start + 9] = protocol
    src.write(bytes, start + 12)
    dst.write(bytes, start + 16)
  } else {
    bytes[start] = 0x60
    bytes[start + 1] = bytes[start + 2] = bytes[start + 3] = 0
    put16(bytes, start + 4, dice.oneIn(20) ? dice.below(total) : total - 40)
    bytes[start + 7] = 64
    for (const [address, to] of [
      [src, start + 8],
      [dst, start + 24],
    ] as const) {
      for (let i = 0; i < 4; i++) {
        const word = [address.w0, address.w1, address.w2, address.w3][i]
        put16(bytes, to + 4 * i, word >>> 16)
        put16(bytes, to + 4 * i + 2, word & 0xffff)
      }
    }
  }
  for (let i = b >> 6; i > 0; i--) bytes[start + dice.below(Math.min(total, 120))] = dice.below(256)
  seal(family, start, transport, protocol, src, dst)
}

/** Right checksums, mostly. */
function seal(family: 4 | 6, start: number, at: number, protocol: number, src: IpAddress, dst: IpAddress): void {
  const { bytes, end } = packet
  const field = protocol === 6 ? 16 : protocol === 17 ? 6 : protocol === 1 || protocol === 58 ? 2 : -1
  if (field >= 0 && end - at > field + 1 && !dice.oneIn(20)) {
    put16(bytes, at + field, 0)
    const pseudo = protocol === 1 ? 0 : pseudoHeaderSum(src, dst, protocol, end - at)
    put16(bytes, at + field, finishChecksum(sumBytes(bytes, at, end, pseudo)))
  }
  if (family === 6 || dice.oneIn(30)) return
  put16(bytes, start + 10, 0)
  put16(bytes, start + 10, finishChecksum(sumBytes(bytes, start, start + Math.max(20, (bytes[start] & 15) * 4))))
}

function putOptions(from: number): number {
  const { bytes } = packet
  const length = 4 * (1 + dice.below(10))
  for (let i = 0; i < length; i++) bytes[from + i] = dice.oneIn(2) ? dice.pick(OPTIONS) : dice.below(12)
  return from + length
}

function putExtensions(start: number, from: number, last: number): number {
  const { bytes } = packet
  let at = from
  let before = start + 6
  for (let count = 1 + dice.below(dice.oneIn(8) ? 10 : 3); count > 0; count--) {
    bytes[before] = dice.pick([0, 43, 44, 60, 60])
    const units = bytes[before] === 44 ? 0 : dice.below(3)
    before = at
    bytes[at + 1] = dice.oneIn(10) ? dice.below(256) : units
    for (let i = 2; i < 8 + 8 * units; i++) bytes[at + i] = dice.oneIn(2) ? dice.pick(OPTIONS) : dice.below(6)
    at += 8 + 8 * units
  }
  bytes[before] = last
  return at
}

function putTransport(at: number, protocol: number, family: 4 | 6, a: number, b: number): number {
  const { bytes } = packet
  const length = dice.oneIn(6) ? dice.below(1400) : 8 + dice.below(60)
  for (let i = 0; i < length; i++) bytes[at + i] = 0
  if (protocol === 6) {
    put16(bytes, at, 5000)
    put16(bytes, at + 2, dice.pick([80, 81, 0]))
    bytes[at + 12] = 0x50
    bytes[at + 13] = dice.pick([2, 16, 4, 17, dice.below(256)])
    return at + Math.max(20, length)
  }
  if (protocol === 17) {
    put16(bytes, at, dice.pick([7, 5000, 0]))
    put16(bytes, at + 2, dice.pick([7, 7, 9, 0, 40_000]))
    put16(bytes, at + 4, dice.oneIn(8) ? dice.below(2000) : length)
    if (length >= 28 && dice.oneIn(3)) {
      const probe = writePathProbe({ high: dice.below(3), low: 0 }, dice.below(4), length - 8)
      bytes.set(probe, at + 8)
    }
    return at + length
  }
  if (protocol === 1 || protocol === 58) {
    bytes[at] =
      protocol === 1 ? dice.pick([8, 8, 0, 3, 4, 5, 11, 12, 13]) : dice.pick([128, 128, 129, 1, 2, 3, 4, 135, 137])
    bytes[at + 1] = dice.oneIn(2) ? 0 : dice.below(8)
    put16(bytes, at + 6, dice.below(2000))
    if ((b & 8) !== 0 && bytes[at] !== 8 && bytes[at] !== 128) return putQuote(at + 8, family, a)
  }
  return at + length
}

/** A packet of ours, quoted by an ICMP error. */
function putQuote(at: number, family: 4 | 6, a: number): number {
  const { bytes } = packet
  const headerBytes = family === 4 ? 20 : 40
  for (let i = 0; i < headerBytes + 20; i++) bytes[at + i] = 0
  bytes[at] = family === 4 ? 0x45 : 0x60
  if (family === 4) {
    put16(bytes, at + 2, 60)
    bytes[at + 9] = dice.pick([6, 17, 1])
    ADDRESSES[4][dice.oneIn(6) ? 1 : 0].write(bytes, at + 12)
    ADDRESSES[4][1].write(bytes, at + 16)
  } else {
    put16(bytes, at + 4, 20)
    bytes[at + 6] = dice.pick([6, 17, 58])
    ADDRESSES[6][dice.oneIn(6) ? 1 : 0].write(bytes, at + 8)
    ADDRESSES[6][1].write(bytes, at + 24)
  }
  const isUdp = dice.oneIn(2)
  put16(bytes, at + headerBytes, isUdp ? 9 : 80)
  put16(bytes, at + headerBytes + 2, isUdp ? 7 : 5000)
  return at + headerBytes + (a & 64 ? 20 : dice.below(20))
}

/** Hands the packet over and judges what comes back. */
function handOver(host: Stack, now: number): void {
  const verdict = parseIp(packet.bytes, packet.start, packet.end, header)
  const isHeaderRead = verdict === 'ok'
  const at = packet.start + header.headerBytes
  const type = isHeaderRead && at < packet.end ? packet.bytes[at] : -1
  const isError =
    isHeaderRead &&
    ((header.family === 4 && header.protocol === 1 && [3, 4, 5, 11, 12].includes(type)) ||
      (header.family === 6 && header.protocol === 58 && type >= 0 && type < 128))
  const length = packet.end - packet.start
  formatPacket(packet)
  host.handlePacket(packet, now)
  let count = 0
  while (host.pollTransmit(out, now)) {
    sent.read(out, MTU)
    if (!sent.ip.isFragment || sent.ip.fragmentOffset === 0) count++
    if (count > 1) violated('two packets in answer to one')
    if (isError) violated('an ICMP error is answered')
    if (sent.ip.dst.isMulticast || sent.ip.dst.isUnspecified || host.ip.isBroadcast(sent.ip.dst))
      violated('an answer to a group')
    if (!sent.isTcp && out.end - out.start > Math.max(length, 1280)) violated('an answer longer than what it answers')
  }
  feature(2000 + count + 2 * (verdict.length % 64))
}

/** IP and ICMP. */
export const ipTarget: Target = {
  name: 'ip',
  headBytes: 0,
  stepBytes: STEP_BYTES,
  mostSteps: 60,
  run(input) {
    const host = stack()
    host.listen({ port: 80 })
    let now = 1_000_000
    // One socket that answers probes, and one for each family that searches its path.
    host.udp.open({ families: 'both', port: 7, receiveBufferBytes: 4096 }).answersPathProbes = true
    const searching = ([4, 6] as const).map((family) => {
      const socket = host.udp.open({ families: family, port: 9, receiveBufferBytes: 4096 })
      socket.connect(ADDRESSES[family][1], 7)
      return socket.searchPath({}, now)
    })
    while (host.pollTransmit(out, now)); // the first probes
    let count = 0
    for (let at = 0; at + STEP_BYTES <= input.length; at += STEP_BYTES) {
      dice.seed(input[at + 4] | (input[at + 5] << 8) | (input[at + 6] << 16) | (input[at + 7] << 24))
      now += input[at + 3] * 1000
      compose(input[at] & 1 ? 6 : 4, input[at + 1], input[at + 2])
      packet.checksum = input[at] & 16 ? 'verified' : 'complete'
      if ((input[at] & 6) === 6) packet.end -= dice.below(packet.end - packet.start)
      host.handleTimeout(now)
      while (host.pollTransmit(out, now)) sent.read(out, MTU)
      handOver(host, now)
      count++
      for (const { machine } of searching) {
        const { packetBytes, limits, state } = machine
        feature(2400 + state.length)
        if (packetBytes > MTU || packetBytes < limits.minBytes) violated(`a path of ${packetBytes} bytes`)
      }
    }
    for (const socket of host.udp.sockets()) {
      if (socket.waitingBytes > 4096 && socket.waiting > 1) violated(`${socket.waitingBytes} bytes wait`)
    }
    const { received, delivered } = host.ip.counters
    if (received !== count || delivered > received)
      violated(`${count} packets, ${received} received, ${delivered} delivered`)
    if (host.tcp.connectionCount > 4) violated(`${host.tcp.connectionCount} connections`)
    return count
  },
}
