// What lies between a wire and IP: frames with and without VLAN tags, ARP, neighbour discovery, MLD, IGMP, at a host with an Ethernet
// interface behind a switch. Whatever comes, what is kept stays within its bounds, what goes out can be read, and what was read comes back
// the same when it is written.
// Owns: the frames and these properties. Does not own: IP and ICMP (ip-target.ts).

import { put16 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ArpPacket, parseArp, writeArp } from '../../src/ethernet/arp-packet.ts'
import { EthernetHeader, parseEthernet, writeEthernet } from '../../src/ethernet/frame.ts'
import { EthernetDevice, VirtualSwitch } from '../../src/ethernet/index.ts'
import { NdMessage, parseNd, writeNd } from '../../src/ethernet/nd-message.ts'
import { ETHERNET_DROP_REASONS } from '../../src/ethernet/reasons.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { VirtualTime } from '../../src/sim/index.ts'
import { Driver, Stack } from '../../src/stack/index.ts'
import { Dice } from './dice.ts'
import { feature, type Target, violated } from './target.ts'

const HEAD_BYTES = 2
const STEP_BYTES = 6
const MOST_NEIGHBOURS = 8
const MACS = [
  '020000000001',
  '020000000099',
  '0200000000aa',
  'ffffffffffff',
  '333300000001',
  '3333ff000001',
  '01005e000001',
  '000000000000',
]
const V4 = ['10.0.0.1', '10.0.0.9', '10.0.0.8', '0.0.0.0', '224.0.0.1', '10.0.0.255', '127.0.0.1', '192.0.2.1']
const V6 = [
  'fd00::1',
  'fe80::99',
  'fe80::98',
  'ff02::1',
  'ff02::1:ff00:1',
  '::',
  'fe80::ff:fe00:1',
  '2001:db8::9',
  'ff02::16',
  'fd00::9',
]
const ADDRESSES = { 4: V4.map((a) => IpAddress.parse(a)), 6: V6.map((a) => IpAddress.parse(a)) } as const
const ND_OPTIONS = [1, 2, 3, 5, 25, 4, 31] as const
const BODY = { 133: 4, 134: 12, 135: 20, 136: 20, 137: 36, 130: 20, 131: 20, 132: 20, 143: 4, 128: 8 } as const

const dice = new Dice()
const frame = new Packet(new Uint8Array(HEADROOM + 2048))
const ethernet = new EthernetHeader()
const again = new EthernetHeader()
const header = new IpHeader()
const arp = new ArpPacket()
const nd = new NdMessage()
const scratch = new Uint8Array(2048)
let at = 0

function put(...values: number[]): void {
  for (const value of values) frame.bytes[at++] = value
}

function putMac(): void {
  const text = dice.oneIn(20) ? dice.below(0x7fffffff).toString(16).padStart(12, '0') : dice.pick(MACS)
  put(...Buffer.from(text, 'hex'))
}

function putAddress(family: 4 | 6): void {
  dice.pick(ADDRESSES[family]).write(frame.bytes, at)
  at += family === 4 ? 4 : 16
}

function putArp(): void {
  put(0, dice.oneIn(20) ? 6 : 1, 8, 0, 6, dice.oneIn(20) ? 5 : 4, 0, 1 + dice.below(dice.oneIn(9) ? 5 : 2))
  if (dice.oneIn(8)) putMac()
  else put(...frame.bytes.subarray(HEADROOM + 6, HEADROOM + 12))
  putAddress(4)
  putMac()
  putAddress(4)
}

function putNdOptions(): void {
  for (let count = dice.below(4); count > 0; count--) {
    const type = dice.pick(ND_OPTIONS)
    const units = dice.oneIn(8) ? dice.below(7) : type === 3 ? 4 : type === 25 ? 3 : 1
    const end = at + 8 * Math.max(units, 1)
    put(type, units)
    if (type === 1 || type === 2) putMac()
    else if (type === 3) {
      put(dice.oneIn(6) ? dice.below(256) : 64, dice.pick([0xc0, 0x80, 0x40, 0]))
      for (let i = 0; i < 2; i++)
        put(
          ...dice.pick([
            [0, 0, 0, 9],
            [0, 1, 0, 0],
            [255, 255, 255, 255],
            [0, 0, 0, 0],
          ]),
        )
      put(0, 0, 0, 0)
      IpAddress.parse(dice.pick([V6[7], V6[0], 'fe80::', `2001:db8:${dice.below(99)}::`])).write(frame.bytes, at)
    } else if (type === 5)
      put(
        0,
        0,
        0,
        0,
        ...dice.pick([
          [5, 0],
          [5, 220],
          [4, 255],
          [5, 120],
          [255, 255],
        ]),
      )
    else for (let i = 2; i < 24; i++) put(dice.below(256))
    at = end
  }
}

function putIpv6(): void {
  const start = at
  const type = Number(dice.pick(Object.keys(BODY))) as keyof typeof BODY
  const isMld = (type >= 130 && type <= 132) || type === 143
  const hops = isMld ? dice.below(3) > 0 : dice.oneIn(20)
  put(0x60, 0, 0, 0, 0, 0, hops ? 0 : 58, dice.oneIn(12) ? 64 : isMld ? 1 : 255)
  putAddress(6)
  putAddress(6)
  if (hops) put(58, 0, 5, 2, 0, 0, 1, 0)
  const message = at
  put(type, dice.oneIn(20) ? 1 : 0, 0, 0)
  for (let i = BODY[type]; i > 0; i--) put(dice.oneIn(3) ? dice.below(256) : 0)
  if (!isMld && BODY[type] >= 20 && dice.below(4) > 0) {
    const after = at
    at = message + 8
    putAddress(6)
    at = after
  }
  if (type >= 133 && type <= 137) putNdOptions()
  if (isMld) for (let i = dice.below(3); i > 0; i--) putAddress(6)
  put16(frame.bytes, start + 4, at - start - 40 + (dice.oneIn(25) ? dice.below(9) - 4 : 0))
  const src = new IpAddress()
  const dst = new IpAddress()
  src.read(frame.bytes, start + 8, 6)
  dst.read(frame.bytes, start + 24, 6)
  const sum = sumBytes(frame.bytes, message, at, pseudoHeaderSum(src, dst, 58, at - message))
  if (!dice.oneIn(25)) put16(frame.bytes, message + 2, finishChecksum(sum))
}

function putIpv4(): void {
  const start = at
  const isIgmp = dice.below(3) > 0
  put(0x45, 0, 0, 0, 0, 0, 0, 0, 1, isIgmp ? 2 : dice.pick([1, 6, 17]), 0, 0)
  putAddress(4)
  putAddress(4)
  const body = at
  put(isIgmp ? dice.pick([0x11, 0x11, 0x22, 0x16, 0x17]) : dice.below(20), dice.below(256), 0, 0)
  putAddress(4)
  for (let i = dice.below(3) * 4; i > 0; i--) put(dice.below(256))
  if (!dice.oneIn(20)) put16(frame.bytes, body + 2, finishChecksum(sumBytes(frame.bytes, body, at)))
  put16(frame.bytes, start + 2, at - start)
  put16(frame.bytes, start + 10, finishChecksum(sumBytes(frame.bytes, start, start + 20)))
}

function compose(kind: number, changes: number): void {
  frame.start = at = HEADROOM
  frame.bytes.fill(0)
  if (dice.below(3) > 0) put(...Buffer.from(MACS[0], 'hex'))
  else putMac()
  if (dice.below(4) > 0) put(2, 0, 0, 0, 0, dice.pick([0x99, 0xaa]))
  else putMac()
  if (dice.oneIn(8)) put(dice.pick([0x81, 0x88]), dice.pick([0, 0xa8]), dice.below(256), dice.below(4))
  if (kind === 0) {
    put(8, 6)
    putArp()
  } else if (kind < 3) {
    put(0x86, 0xdd)
    putIpv6()
  } else if (kind === 3) {
    put(8, 0)
    putIpv4()
  } else {
    put(dice.below(256), dice.below(256))
    for (let i = dice.below(60); i > 0; i--) put(dice.below(256))
  }
  frame.end = at + (dice.oneIn(4) ? dice.below(30) : 0)
  for (let i = changes >> 6; i > 0; i--) frame.bytes[HEADROOM + dice.below(at - HEADROOM)] = dice.below(256)
  if (dice.oneIn(12)) frame.end = HEADROOM + dice.below(at - HEADROOM + 1)
}

/** What was read is written, and read again. */
function tryCodecs(): void {
  const parsed = parseEthernet(frame.bytes, frame.start, frame.end, ethernet)
  feature(parsed.length)
  if (parsed !== 'ok') return
  const length = writeEthernet(ethernet, scratch, 0)
  if (parseEthernet(scratch, 0, length, again) !== 'ok' || again.src !== ethernet.src || again.vlan !== ethernet.vlan)
    violated('a frame that was read cannot be read once it is written')
  const from = frame.start + ethernet.headerBytes
  const verdict = parseArp(frame.bytes, from, frame.end, arp)
  feature(40 + verdict.length)
  if (verdict === 'ok') {
    writeArp(arp, scratch, 0)
    if (Buffer.compare(scratch.subarray(0, 28), frame.bytes.subarray(from, from + 28)) !== 0)
      violated('an ARP packet has changed')
  }
  if (parseIp(frame.bytes, from, frame.end, header) !== 'ok' || header.protocol !== 58) return
  const read = parseNd(frame.bytes, from + header.headerBytes, from + header.totalBytes, header, nd)
  feature(80 + read.length + nd.type)
  if (read !== 'ok' || nd.type === 134 || nd.type === 137) return // routers write those alone
  const { type, sourceMac, targetMac } = nd
  const written = writeNd(nd, scratch, 0, header.src, header.dst)
  const verdictAgain = parseNd(scratch, 0, written, header, nd)
  if (verdictAgain !== 'ok' || nd.type !== type || nd.sourceMac !== sourceMac || nd.targetMac !== targetMac)
    violated(`a message of neighbour discovery is ${verdictAgain} once it is written`)
}

/** Everything that a host says can be read. */
function judgeOutput(sent: Packet): void {
  const parsed = parseEthernet(sent.bytes, sent.start, sent.end, ethernet)
  if (parsed !== 'ok') violated(`it sends a frame that is ${parsed}`)
  const from = sent.start + ethernet.headerBytes
  if (ethernet.etherType === 0x0806) {
    const verdict = parseArp(sent.bytes, from, sent.end, arp)
    if (verdict !== 'ok') violated(`it sends ARP that is ${verdict}`)
    feature(300 + arp.operation)
    return
  }
  const verdict = parseIp(sent.bytes, from, sent.end, header)
  if (verdict !== 'ok') violated(`it sends a packet that is ${verdict}`)
  if (header.protocol !== 58) return
  const type = sent.bytes[from + header.headerBytes]
  feature(310 + type)
  if (type < 133 || type > 137) return
  const read = parseNd(sent.bytes, from + header.headerBytes, from + header.totalBytes, header, nd)
  if (read !== 'ok') violated(`it sends neighbour discovery that is ${read}`)
}

/** ARP, neighbour discovery, MLD, IGMP and frames, at a host and its switch. */
export const linkTarget: Target = {
  name: 'link',
  headBytes: HEAD_BYTES,
  stepBytes: STEP_BYTES,
  mostSteps: 40,
  run(input) {
    const time = new VirtualTime()
    const random = new SeededRandom((input[0] ?? 0) + 1)
    const bridge = new VirtualSwitch({ scheduler: time, random, maxStations: 16 })
    const port = bridge.port({ onFrame: (sent, direction) => direction === 'in' && judgeOutput(sent) })
    const slaac = ((input[1] ?? 0) & 1) !== 0
    const station = new EthernetDevice(port, {
      scheduler: time,
      random,
      mac: 0x020000000001,
      slaac,
      neighbours: { maxEntries: MOST_NEIGHBOURS },
    })
    const stack = new Stack({ addresses: ['10.0.0.1/24', 'fd00::1/64'], mtu: station.mtu, random })
    const driver = new Driver({ stack, device: station, scheduler: time, onEvent: () => undefined })
    const { ip } = stack
    station.attach(ip)
    for (const group of ['ff02::fb', '239.1.2.3']) ip.joinGroup(IpAddress.parse(group))
    const peer = bridge.port()
    let answers = 0
    peer.onReadable(() => peer.receive(() => answers++, 1000))
    const socket = stack.udp.open({ families: 6 })
    let count = 0
    for (let step = HEAD_BYTES; step + STEP_BYTES <= input.length; step += STEP_BYTES) {
      dice.seed(input[step + 2] | (input[step + 3] << 8) | (input[step + 4] << 16) | (input[step + 5] << 24))
      const what = input[step] % 8
      if (what === 7) {
        socket.send(
          Uint8Array.of(1),
          IpAddress.parse(dice.pick(['fd00::9', '2001:db8::9', 'fe80::99', '2001:db8:5::1'])),
          7,
        )
        driver.wake()
      } else {
        compose(what % 5, input[step + 1])
        tryCodecs()
        peer.send(frame)
      }
      time.runSync({ until: time.now() + (input[step + 1] & 63) ** 3 * 100 })
      count++
      const { neighbours } = station
      if (neighbours.length > 2 * MOST_NEIGHBOURS) violated(`${neighbours.length} neighbours`)
      for (const { state } of neighbours) feature(500 + state.length)
    }
    if (ip.addresses.length > 2 + 1 + 16) violated(`${ip.addresses.length} addresses`)
    if (ip.routes.entries.length > 64) violated(`${ip.routes.entries.length} routes`)
    if (bridge.stations > 16) violated(`${bridge.stations} stations`)
    if (answers > 60 * count + 200) violated(`${answers} frames in answer to ${count}`)
    for (const reason of Object.keys(station.drops.toJSON())) {
      if (!(reason in ETHERNET_DROP_REASONS)) violated(`no such reason: ${reason}`)
    }
    driver.close()
    station.close()
    bridge.close()
    return count
  },
}
