// What the tests of Ethernet share: hosts on a switch in virtual time, and frames in words as tcpdump prints them.

import { SeededRandom } from '../../src/base/random.ts'
import {
  ARP_OPERATION,
  ArpPacket,
  ETHER_TYPE,
  EthernetDevice,
  type EthernetEvent,
  EthernetHeader,
  type EthernetOptions,
  type FrameDevice,
  formatArp,
  formatMac,
  isNdType,
  NdMessage,
  parseArp,
  parseEthernet,
  parseMac,
  parseNd,
  VirtualSwitch,
  writeArp,
  writeEthernet,
} from '../../src/ethernet/index.ts'
import type { PortOptions, SwitchOptions } from '../../src/ethernet/switch.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { writeIpv6 } from '../../src/ip/ipv6.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { createHost, type Host } from '../../src/net/index.ts'
import { VirtualTime } from '../../src/sim/index.ts'

export const ip = (text: string): IpAddress => IpAddress.parse(text)
export const mac = parseMac
export const seconds = (n: number): number => n * 1_000_000

/** A frame in words: `02:..:01 > ff:..:ff ARP, Request who-has 10.0.0.2 tell 10.0.0.1`. */
export function say(frame: Packet): string {
  const header = new EthernetHeader()
  const verdict = parseEthernet(frame.bytes, frame.start, frame.end, header)
  if (verdict !== 'ok') return verdict
  const at = frame.start + header.headerBytes
  const vlan = header.vlan < 0 ? '' : ` vlan ${header.vlan}`
  const who = `${formatMac(header.src)} > ${formatMac(header.dst)}${vlan}`
  if (header.etherType === ETHER_TYPE.ARP) {
    const arp = new ArpPacket()
    const parsed = parseArp(frame.bytes, at, frame.end, arp)
    return `${who} ${parsed === 'ok' ? formatArp(arp) : parsed}`
  }
  const inner = new IpHeader()
  const parsed = parseIp(frame.bytes, at, frame.end, inner)
  if (parsed !== 'ok') return `${who} ${parsed}`
  const body = at + inner.headerBytes
  const type = frame.bytes[body]
  const names = `${inner.src} > ${inner.dst}`
  if (inner.protocol !== 58) return `${who} ${names} protocol ${inner.protocol}`
  if (!isNdType(type)) return `${who} ${names} icmp6 ${type}`
  const nd = new NdMessage()
  const read = parseNd(frame.bytes, body, at + inner.totalBytes, inner, nd)
  if (read !== 'ok') return `${who} ${names} ${read}`
  const flags = `${nd.isRouter ? 'R' : ''}${nd.isSolicited ? 'S' : ''}${nd.isOverride ? 'O' : ''}`
  const words = ['RS', 'RA', `NS ${nd.target}`, `NA ${nd.target} ${flags}`, `redirect ${nd.target}`]
  return `${who} ${names} ${words[type - 133].trim()}`
}

/** A frame in a Packet of its own. */
export function frame(src: number, dst: number, etherType: number, payload: Uint8Array, vlan = -1): Packet {
  const packet = new Packet(new Uint8Array(HEADROOM + 18 + payload.length))
  const header = Object.assign(new EthernetHeader(), { src, dst, etherType, vlan })
  const at = HEADROOM + writeEthernet(header, packet.bytes, HEADROOM)
  packet.bytes.set(payload, at)
  packet.end = at + payload.length
  return packet
}

/** An ARP packet in a frame. */
export function arpFrame(
  operation: keyof typeof ARP_OPERATION,
  sender: [string, string],
  target: [string, string],
  dst = 'ff:ff:ff:ff:ff:ff',
): Packet {
  const arp = new ArpPacket()
  arp.operation = ARP_OPERATION[operation]
  arp.senderMac = mac(sender[0])
  arp.senderIp.assign(ip(sender[1]))
  arp.targetMac = Number.parseInt(target[0].replaceAll(':', ''), 16)
  arp.targetIp.assign(ip(target[1]))
  const bytes = new Uint8Array(28)
  writeArp(arp, bytes, 0)
  return frame(mac(sender[0]), Number.parseInt(dst.replaceAll(':', ''), 16), ETHER_TYPE.ARP, bytes)
}

/** An ICMPv6 message in an IPv6 packet in a frame; `body` writes it and returns its length. */
export function icmpv6Frame(
  src: [string, string],
  dst: [string, string],
  body: (bytes: Uint8Array, at: number, src: IpAddress, dst: IpAddress) => number,
  hopLimit = 255,
): Packet {
  const bytes = new Uint8Array(40 + 600)
  const header = new IpHeader()
  const length = body(bytes, 40, ip(src[1]), ip(dst[1]))
  Object.assign(header, { family: 6, protocol: 58, hopLimit, totalBytes: 40 + length })
  header.src.assign(ip(src[1]))
  header.dst.assign(ip(dst[1]))
  writeIpv6(header, bytes, 0)
  return frame(
    mac(src[0]),
    Number.parseInt(dst[0].replaceAll(':', ''), 16),
    ETHER_TYPE.IPV6,
    bytes.slice(0, 40 + length),
  )
}

/** A host behind an Ethernet interface. */
export interface Station {
  readonly host: Host
  readonly ethernet: EthernetDevice
  readonly events: EthernetEvent[]
}

/** A switch in virtual time, with hosts, and with bare ports for whoever speaks by hand. */
export class Lan {
  readonly time = new VirtualTime()
  readonly random: SeededRandom
  readonly switch: VirtualSwitch
  /** Every frame that came to the switch by a host's port, with its instant in seconds. */
  readonly seen: { at: number; text: string }[] = []
  #next = 1

  constructor(seed = 1, options: Partial<SwitchOptions> = {}) {
    this.random = new SeededRandom(seed)
    this.switch = new VirtualSwitch({ scheduler: this.time, random: this.random.fork(), ...options })
  }

  /** A host with the addresses; its Ethernet address is 02:00:00:00:00:01, 02, ... */
  station(address: string[], options: Partial<EthernetOptions> = {}, wire: PortOptions = {}): Station {
    const events: EthernetEvent[] = []
    const port = this.switch.port({
      ...wire,
      onFrame: (packet, direction, at) => {
        if (direction === 'in') this.seen.push({ at: at / 1e6, text: say(packet) })
        wire.onFrame?.(packet, direction, at)
      },
    })
    const ethernet = new EthernetDevice(port, {
      scheduler: this.time,
      random: this.random.fork(),
      mac: 0x020000000000 + this.#next++,
      onEvent: (event) => events.push(event),
      ...options,
    })
    const host = createHost({ device: ethernet, address, scheduler: this.time, random: this.random.fork() })
    ethernet.attach(host.stack.ip)
    return { host, ethernet, events }
  }

  /** A port on which a test speaks by hand; what comes is said in `heard`. */
  tap(vlan = 1): { device: FrameDevice; heard: string[]; send: (...frames: Packet[]) => void } {
    const device = this.switch.port({ vlan })
    const heard: string[] = []
    device.onReadable(() => device.receive((packet) => heard.push(say(packet)), 1000))
    return {
      device,
      heard,
      send: (...frames) => {
        for (const packet of frames) device.send(packet)
        this.time.runSync({ until: this.time.now() + 1000 })
      },
    }
  }

  /** What was sent since the last call, without the Ethernet addresses. */
  said(): string[] {
    return this.seen.splice(0).map(({ text }) => text.replace(/^\S+ > \S+ /, ''))
  }

  run(forS: number): void {
    this.time.runSync({ until: this.time.now() + seconds(forS) })
  }
}

/** The states of a station's neighbours, in words. */
export const neighbours = (station: Station): string[] => station.ethernet.neighbours.map(String).sort()
