import { describe, expect, test } from 'vitest'
import { get16, get32 } from '../../src/base/bytes.ts'
import { completeChecksum, foldedSum, replaceWord, verifyTransportChecksum } from '../../src/link/checksum-offload.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { splitSuperSegment } from '../../src/link/segmentation.ts'
import { readVnetHeader, writeVnetHeader } from '../../src/link/vnet-header.ts'
import { numbered, partialTcp } from './helpers.ts'

const text = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 255)

describe('finishing a partial checksum', () => {
  test('folds the sum of the example of RFC 1071 §3', () => {
    expect(foldedSum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7), 0, 8)).toBe(0xddf2)
    expect(foldedSum(Uint8Array.of(0x12), 0, 1)).toBe(0x1200)
    expect(foldedSum(new Uint8Array(65535).fill(255), 0, 65535)).toBe(0xff00)
  })

  test.each([4, 6] as const)('gives TCP over IPv%d a checksum that verifies, for even and odd lengths', (family) => {
    for (const length of [0, 1, 2, 999, 1440]) {
      const packet = partialTcp(family, text(length))
      expect(verifyTransportChecksum(packet, packet.transportOffset)).toBe(false)
      expect(completeChecksum(packet)).toBe(true)
      expect(packet.checksum).toBe('complete')
      expect(verifyTransportChecksum(packet, packet.transportOffset)).toBe(true)
    }
  })

  test('writes a UDP checksum of zero as 0xffff (RFC 768)', () => {
    const packet = new Packet(new Uint8Array(HEADROOM + 28))
    packet.end = HEADROOM + 28
    packet.bytes.set([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], HEADROOM)
    packet.bytes.set([0xff, 0xe6, 0, 0, 0, 8, 0, 17], HEADROOM + 20) // sums to 0xffff
    packet.checksum = 'partial'
    packet.transportOffset = 20
    expect(completeChecksum(packet)).toBe(true)
    expect(get16(packet.bytes, HEADROOM + 26)).toBe(0xffff)
  })

  test('walks IPv6 extension headers to the transport header (RFC 8200 §4)', () => {
    const inner = partialTcp(6, text(5))
    const packet = new Packet(new Uint8Array(HEADROOM + inner.length + 8))
    packet.bytes.set(inner.bytes.subarray(inner.start, inner.start + 40), HEADROOM)
    packet.bytes[HEADROOM + 6] = 60 // destination options
    packet.bytes[HEADROOM + 40] = 6
    packet.bytes.set(inner.bytes.subarray(inner.start + 40, inner.end), HEADROOM + 48)
    packet.end = packet.bytes.length
    packet.checksum = 'partial'
    packet.transportOffset = 48
    expect(completeChecksum(packet)).toBe(true)
    packet.transportOffset = 47
    packet.checksum = 'partial'
    expect(completeChecksum(packet)).toBe(false)
  })

  test('refuses what is neither TCP nor UDP, at every truncation of the packet', () => {
    const other = numbered(1)
    other.checksum = 'partial'
    other.transportOffset = 20
    expect(completeChecksum(other)).toBe(false)
    for (const family of [4, 6] as const) {
      const whole = partialTcp(family, text(3))
      for (let length = 0; length < whole.payloadOffset - 2; length++) {
        const cut = whole.clone()
        cut.end = cut.start + length
        expect(completeChecksum(cut)).toBe(false)
      }
    }
  })

  test('mends a checksum for one changed word (RFC 1624 §3)', () => {
    const { bytes } = partialTcp(4, text(0))
    replaceWord(bytes, HEADROOM + 4, 0xbeef, HEADROOM + 10)
    expect(foldedSum(bytes, HEADROOM, HEADROOM + 20)).toBe(0xffff)
  })
})

describe('splitting a super-segment', () => {
  test.each([4, 6] as const)('makes the packets that it stands for, IPv%d', (family) => {
    const payload = text(3000)
    const packet = partialTcp(family, payload, 1400, 0x99) // CWR, ACK, PSH, FIN
    const before = packet.bytes.slice()
    const pieces: Packet[] = []
    expect(splitSuperSegment(packet, new Packet(new Uint8Array(64)), (piece) => pieces.push(piece.clone()))).toBe(3)
    expect(packet.bytes).toEqual(before)
    const tcp = family === 4 ? 20 : 40
    expect(pieces.map((p) => p.length - tcp - 20)).toEqual([1400, 1400, 200])
    expect(pieces.map((p) => get32(p.bytes, p.start + tcp + 4))).toEqual([-256, 1144, 2544]) // over the wrap
    expect(pieces.map((p) => p.bytes[p.start + tcp + 13])).toEqual([0x90, 0x10, 0x19])
    for (const [index, piece] of pieces.entries()) {
      expect([piece.checksum, piece.segmentBytes]).toEqual(['complete', 0])
      expect(verifyTransportChecksum(piece, tcp)).toBe(true)
      if (family === 6) continue
      expect(get16(piece.bytes, piece.start + 4)).toBe(0x12ff + index)
      expect(foldedSum(piece.bytes, piece.start, piece.start + 20)).toBe(0xffff)
    }
    const joined = pieces.flatMap((p) => [...p.bytes.subarray(p.start + tcp + 20, p.end)])
    expect(joined).toEqual([...payload])
  })

  test('hands an ordinary packet over as it is, with its checksum finished', () => {
    const packet = partialTcp(4, text(100), 1460)
    const pieces: Packet[] = []
    expect(splitSuperSegment(packet, new Packet(), (piece) => pieces.push(piece))).toBe(1)
    expect(pieces).toEqual([packet])
    expect([packet.checksum, packet.segmentBytes]).toEqual(['complete', 0])
  })

  test('drops a packet whose marks do not fit its bytes', () => {
    const packet = partialTcp(4, text(3000), 1000)
    packet.payloadOffset = 30
    expect(splitSuperSegment(packet, new Packet(), () => {})).toBe(0)
  })
})

describe('the virtio header', () => {
  test.each([
    [4, 5, 0, [1, 0, 0, 0, 0, 0, 20, 0, 16, 0]],
    [4, 4000, 1460, [1, 1, 40, 0, 0xb4, 5, 20, 0, 16, 0]],
    [6, 4000, 1440, [1, 4, 60, 0, 0xa0, 5, 40, 0, 16, 0]],
    [6, 1440, 1440, [1, 0, 0, 0, 0, 0, 40, 0, 16, 0]],
  ] as const)(
    'says how IPv%d with %d bytes in segments of %d is offloaded, and reads the same',
    (family, size, mss, bytes) => {
      const packet = partialTcp(family, text(size), mss)
      const at = packet.start - 10
      expect(writeVnetHeader(packet, packet.bytes, at)).toBe(true)
      expect([...packet.bytes.subarray(at, packet.start)]).toEqual(bytes)
      const read = new Packet(packet.bytes)
      read.start = packet.start
      read.end = packet.end
      expect(readVnetHeader(read.bytes, at, read)).toBe('ok')
      expect([read.checksum, read.transportOffset]).toEqual(['partial', packet.transportOffset])
      expect(read.segmentBytes).toBe(size > mss ? mss : 0)
      if (read.segmentBytes > 0) expect(read.payloadOffset).toBe(packet.payloadOffset)
    },
  )

  test('is empty for a finished packet, and clears what stood there', () => {
    const packet = numbered(1)
    packet.bytes.fill(255, 0, packet.start)
    expect(writeVnetHeader(packet, packet.bytes, packet.start - 10)).toBe(true)
    expect([...packet.bytes.subarray(packet.start - 10, packet.start)]).toEqual(new Array(10).fill(0))
    packet.bytes[packet.start - 10] = 2
    expect(readVnetHeader(packet.bytes, packet.start - 10, packet)).toBe('ok')
    expect(packet.checksum).toBe('verified')
  })

  test('finds the payload behind the TCP header, not where hdr_len says', () => {
    const packet = partialTcp(4, text(4000), 1460)
    const at = packet.start - 10
    writeVnetHeader(packet, packet.bytes, at)
    packet.bytes[at + 2] = 0xff
    expect(readVnetHeader(packet.bytes, at, packet)).toBe('ok')
    expect(packet.payloadOffset).toBe(40)
  })

  test('is refused when it does not fit the packet', () => {
    const header = (...bytes: number[]): string => {
      const packet = partialTcp(4, text(100))
      packet.bytes.set(bytes, packet.start - 10)
      return readVnetHeader(packet.bytes, packet.start - 10, packet)
    }
    expect(header(1, 0, 0, 0, 0, 0, 139, 0, 0, 0)).toBe('vnet-bad-header')
    expect(header(1, 0, 0, 0, 0, 0, 138, 0, 0, 0)).toBe('ok')
    expect(header(1, 3, 40, 0, 100, 0, 20, 0, 16, 0)).toBe('vnet-bad-header') // UFO was not asked for
    expect(header(0, 1, 40, 0, 100, 0, 20, 0, 16, 0)).toBe('vnet-bad-header')
    expect(header(1, 1, 40, 0, 0, 0, 20, 0, 16, 0)).toBe('vnet-bad-header')
    expect(header(1, 1, 40, 0, 100, 0, 125, 0, 1, 0)).toBe('vnet-bad-header')
  })
})
