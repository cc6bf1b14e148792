// An Ethernet frame in the words of a class: which protocol it is of, and what it says.
// Owns: the words, how far a direction of TLS has come. Does not own: parsing (each protocol's floor), who saw the frame (classroom.ts).

import { DHCP_TYPE, OPTION, parseDhcp } from '../dhcp/index.ts'
import { createMessage, formatMessage, parseMessage } from '../dns/index.ts'
import {
  ArpPacket,
  ETHER_TYPE,
  EthernetHeader,
  formatArp,
  type Mac,
  NdMessage,
  parseArp,
  parseEthernet,
  parseNd,
} from '../ethernet/index.ts'
import { PROTOCOL } from '../ip/header.ts'
import { formatIcmp } from '../ip/icmp.ts'
import { Packet } from '../link/device.ts'
import { FLAG } from '../tcp/header.ts'
import { type Seq, seqDiff } from '../tcp/seq.ts'
import { formatSegment, ParsedPacket } from '../trace/packet-line.ts'
import { parseUdp, UdpHeader } from '../udp/index.ts'

/** A frame in words. */
export interface FrameLine {
  readonly src: Mac
  readonly dst: Mac
  /** 'ARP', 'DHCP', 'DNS', 'ICMP', 'ICMPv6', 'TCP', 'HTTP', 'TLS', 'UDP', 'other'. */
  readonly protocol: string
  readonly text: string
  /** IP addresses, or of ARP those of sender and target; empty when there are none. */
  readonly from: string
  readonly to: string
}

const HTTP_START = /^(?:[A-Z]+ \S+ HTTP\/1\.[01]|HTTP\/1\.[01] [0-9]{3}[^\r\n]*)/
const MULTICAST_LISTENERS = 143
const ND_WORDS = ['router solicitation', 'router advertisement', 'neighbour solicitation', 'neighbour advertisement']
const RECORD_WORDS: Readonly<Record<number, string>> = {
  20: 'change cipher spec',
  21: 'alert',
  22: 'handshake',
  23: 'data',
}
const HANDSHAKE_WORDS: Readonly<Record<number, string>> = { 1: 'client hello', 2: 'server hello' }

/** One direction of a TCP connection. */
interface Flow {
  base: Seq
  /** Bytes of the TLS record under way that are still to come. */
  rest: number
}

/** Reads frames in the order in which they pass. */
export class FrameLines {
  readonly #ethernet = new EthernetHeader()
  readonly #arp = new ArpPacket()
  readonly #nd = new NdMessage()
  readonly #udp = new UdpHeader()
  readonly #parsed = new ParsedPacket()
  readonly #flows = new Map<string, Flow>()

  /** What a frame says; null when it is none. */
  read(frame: Packet): FrameLine | null {
    const header = this.#ethernet
    if (parseEthernet(frame.bytes, frame.start, frame.end, header) !== 'ok') return null
    const { src, dst } = header
    const start = frame.start + header.headerBytes
    if (header.etherType === ETHER_TYPE.ARP) {
      const arp = this.#arp
      const verdict = parseArp(frame.bytes, start, frame.end, arp)
      const ends = { from: arp.senderIp.toString(), to: arp.targetIp.toString() }
      return { src, dst, ...ends, protocol: 'ARP', text: verdict === 'ok' ? formatArp(arp).slice(5) : verdict }
    }
    const packet = new Packet(frame.bytes)
    packet.start = start
    packet.end = frame.end
    const verdict = this.#parsed.parse(packet)
    if (verdict !== 'ok') return { src, dst, from: '', to: '', protocol: 'other', text: verdict }
    const { ip } = this.#parsed
    const ends = { from: ip.src.toString(), to: ip.dst.toString() }
    return { src, dst, ...ends, ...this.#inner(packet) }
  }

  /** What an IP packet says. */
  readPacket(packet: Packet): { protocol: string; text: string } {
    const verdict = this.#parsed.parse(packet)
    return verdict === 'ok' ? this.#inner(packet) : { protocol: 'other', text: verdict }
  }

  #inner(packet: Packet): { protocol: string; text: string } {
    const { ip, kind, icmp } = this.#parsed
    const start = packet.start + ip.headerBytes
    const end = packet.start + ip.totalBytes
    if (kind === 'tcp') return this.#tcp()
    if (kind === 'icmp' && ip.family === 4) return { protocol: 'ICMP', text: formatIcmp(icmp).slice(5) }
    if (kind === 'icmp') return { protocol: 'ICMPv6', text: this.#icmpv6(packet, start, end) }
    if (ip.protocol === PROTOCOL.UDP) return this.#datagram(packet, start, end)
    return { protocol: 'other', text: `protocol ${ip.protocol}` }
  }

  #icmpv6({ bytes }: Packet, start: number, end: number): string {
    const { ip, icmp } = this.#parsed
    if (bytes[start] === MULTICAST_LISTENERS) return 'multicast listener report'
    const nd = this.#nd
    if (bytes[start] < 133 || bytes[start] > 136 || parseNd(bytes, start, end, ip, nd) !== 'ok') {
      return formatIcmp(icmp, 6).slice(6)
    }
    const words = ND_WORDS[bytes[start] - 133]
    if (nd.prefixes.length > 0) return `${words} prefix ${nd.prefixes[0].prefix}/${nd.prefixes[0].prefixLength}`
    return bytes[start] < 135 ? words : `${words} ${nd.target}`
  }

  #datagram({ bytes }: Packet, start: number, end: number): { protocol: string; text: string } {
    const { ip } = this.#parsed
    const udp = this.#udp
    if (parseUdp(bytes, start, end, ip.src, ip.dst, udp, true) !== 'ok') return { protocol: 'UDP', text: 'malformed' }
    const data = bytes.subarray(udp.dataStart, udp.dataEnd)
    const ports = [udp.sourcePort, udp.destinationPort]
    if (ports.includes(67)) return { protocol: 'DHCP', text: dhcpText(data) }
    if (!ports.includes(53)) return { protocol: 'UDP', text: `${ports.join(' > ')} length ${data.length}` }
    const message = createMessage()
    const isWhole = parseMessage(data, message) === 'ok'
    return { protocol: 'DNS', text: isWhole ? formatMessage(message) : 'malformed' }
  }

  #tcp(): { protocol: string; text: string } {
    const { ip, tcp } = this.#parsed
    const key = `${ip.src} ${tcp.sourcePort} ${ip.dst} ${tcp.destinationPort}`
    const back = this.#flows.get(`${ip.dst} ${tcp.destinationPort} ${ip.src} ${tcp.sourcePort}`)
    let flow = this.#flows.get(key)
    if (flow === undefined || (tcp.flags & FLAG.SYN) !== 0) {
      flow = { base: tcp.seq, rest: 0 }
      this.#flows.set(key, flow)
    }
    const segment = formatSegment(tcp, { seq: flow.base, ack: back?.base ?? tcp.ack })
    const plain = segment.replace(/, win \d+/, '').replace(/, options \[[^\]]*\]/, '')
    if (tcp.textLength === 0) return { protocol: 'TCP', text: plain }
    const isTls = tcp.sourcePort === 443 || tcp.destinationPort === 443
    const text = tcp.bytes.subarray(tcp.textStart, tcp.textStart + tcp.textLength)
    if (isTls) return { protocol: 'TLS', text: `${tlsText(text, flow)}; ${text.length} bytes` }
    const start = HTTP_START.exec(String.fromCharCode(...text.subarray(0, 120)))?.[0]
    if (start === undefined) return { protocol: 'TCP', text: plain }
    const first = seqDiff(tcp.seq, flow.base)
    return { protocol: 'HTTP', text: `${start} (seq ${first}:${first + text.length})` }
  }
}

function dhcpText(data: Uint8Array): string {
  const message = parseDhcp(data)
  if (message === null) return 'malformed'
  const kind = message.options.get(OPTION.messageType)?.[0] ?? 0
  const name =
    Object.entries(DHCP_TYPE)
      .find(([, number]) => number === kind)?.[0]
      .toUpperCase() ?? `type ${kind}`
  return message.yiaddr.isUnspecified ? name : `${name} ${message.yiaddr}`
}

/** The records that begin in a segment; those that began before it are counted off. */
function tlsText(text: Uint8Array, flow: Flow): string {
  const words: string[] = []
  let at = 0
  if (flow.rest > 0) words.push('more of the last record')
  for (;;) {
    const taken = Math.min(flow.rest, text.length - at)
    flow.rest -= taken
    at += taken
    if (at + 5 >= text.length) return words.join(', ')
    const kind = text[at] === 22 ? HANDSHAKE_WORDS[text[at + 5]] : undefined
    words.push(kind ?? RECORD_WORDS[text[at]] ?? `record ${text[at]}`)
    flow.rest = 5 + text[at + 3] * 256 + text[at + 4]
  }
}
