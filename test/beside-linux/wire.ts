// Packets of the scripted peer's, and what the side under test has sent, as records.

import { put16 } from '../../src/base/bytes.ts'
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
  const ip = new IpHeader()
  ip.src.assign(IpAddress.parse(from))
  ip.dst.assign(IpAddress.parse(to))
  ip.protocol = PROTOCOL.TCP
  ip.dontFragment = true
  ip.trafficClass = plan.ecn
  ip.totalBytes = end
  writeIpv4(ip, bytes, 0)
  const sum = pseudoHeaderSum(ip.src, ip.dst, PROTOCOL.TCP, end - IP_BYTES) + sumBytes(bytes, IP_BYTES, end)
  put16(bytes, IP_BYTES + 16, finishChecksum(sum))
  return bytes.subarray(0, end)
}
