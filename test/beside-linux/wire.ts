// Packets of the scripted peer's as bytes: a segment, an ICMP error about a packet of the side under test.

import { put16, put32 } from '../../src/base/bytes.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { IpAddress, IpHeader, PROTOCOL, writeIpv4 } from '../../src/ip/index.ts'
import { type SegmentPlan, writeTcp } from '../../src/tcp/header.ts'

const IP_BYTES = 20

/** An IPv4 packet with a segment and `textLength` bytes of text. */
export function buildSegment(from: string, to: string, plan: SegmentPlan, textLength: number): Uint8Array {
  const bytes = new Uint8Array(IP_BYTES + 60 + textLength)
  const headerBytes = writeTcp(plan, bytes, IP_BYTES)
  const end = IP_BYTES + headerBytes + textLength
  for (let i = IP_BYTES + headerBytes; i < end; i++) bytes[i] = 97 + (i % 26)
  const ip = writeIp(from, to, PROTOCOL.TCP, plan.ecn, bytes, end)
  const sum = pseudoHeaderSum(ip.src, ip.dst, PROTOCOL.TCP, end - IP_BYTES) + sumBytes(bytes, IP_BYTES, end)
  put16(bytes, IP_BYTES + 16, finishChecksum(sum))
  return bytes.subarray(0, end)
}

/** Destination unreachable with this code about a packet; `mtu` for code 4 (RFC 792, RFC 1191 §4). */
export function buildUnreachable(from: string, to: string, code: number, mtu: number, about: Uint8Array): Uint8Array {
  const quoted = about.subarray(0, IP_BYTES + 8)
  const bytes = new Uint8Array(IP_BYTES + 8 + quoted.length)
  bytes[IP_BYTES] = 3
  bytes[IP_BYTES + 1] = code
  put32(bytes, IP_BYTES + 4, mtu)
  bytes.set(quoted, IP_BYTES + 8)
  put16(bytes, IP_BYTES + 2, finishChecksum(sumBytes(bytes, IP_BYTES, bytes.length)))
  writeIp(from, to, PROTOCOL.ICMP, 0, bytes, bytes.length)
  return bytes
}

function writeIp(from: string, to: string, protocol: number, tos: number, bytes: Uint8Array, end: number): IpHeader {
  const ip = new IpHeader()
  ip.src.assign(IpAddress.parse(from))
  ip.dst.assign(IpAddress.parse(to))
  ip.protocol = protocol
  ip.dontFragment = true
  ip.trafficClass = tos
  ip.totalBytes = end
  writeIpv4(ip, bytes, 0)
  return ip
}
