import { describe, expect, test } from 'vitest'
import { encodePcapngHeader, encodePcapngPacket, PcapngWriter } from '../../src/trace/pcapng.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const words = (text: string): string => text.replace(/\s+/g, '')

describe('pcapng', () => {
  test('begins with a section header and one interface in nanoseconds (draft-ietf-opsawg-pcapng §4.1, §4.2)', () => {
    expect(hex(encodePcapngHeader({ family: 'ipv4', name: 'tun0' }))).toBe(
      words(`
        0a0d0d0a 2c000000 4d3c2b1a 0100 0000 ffffffff ffffffff
          0400 0800 74756e737461636b 00000000 2c000000
        01000000 28000000 e400 0000 00000400
          0200 0400 74756e30 0900 0100 09000000 00000000 28000000
      `),
    )
  })

  test('chooses the link type by family: 228, 229, and 101 for both in one file', () => {
    const linkType = (family?: 'ipv4' | 'ipv6' | 'raw'): number => encodePcapngHeader({ family })[44 + 8]
    expect([linkType('ipv4'), linkType('ipv6'), linkType('raw'), linkType()]).toEqual([228, 229, 101, 101])
  })

  test('writes a packet with direction and comment, padded to 32 bits (draft-ietf-opsawg-pcapng §4.3)', () => {
    const bytes = Uint8Array.of(9, 9, 0x45, 1, 2, 3, 4, 9)
    // 2^32 + 1.5 microseconds are 1000 * 2^32 + 1500 nanoseconds.
    expect(hex(encodePcapngPacket(bytes, 2, 7, 4294967297.5, { direction: 'out', comment: 'né' }))).toBe(
      words(`
        06000000 3c000000 00000000 e8030000 dc050000 05000000 05000000 45010203 04000000
          0200 0400 02000000 0100 0300 6ec3a900 00000000 3c000000
      `),
    )
  })

  test('writes no options, and no end of options, when there are none', () => {
    expect(hex(encodePcapngPacket(Uint8Array.of(1, 2, 3, 4), 0, 4, 0))).toBe(
      words('06000000 24000000 00000000 00000000 00000000 04000000 04000000 01020304 24000000'),
    )
  })

  test('keeps nanoseconds exact for times of today', () => {
    const at = 1_763_700_000_123_456 + 0.25
    const block = Buffer.from(encodePcapngPacket(new Uint8Array(4), 0, 4, at))
    const nanoseconds = (BigInt(block.readUInt32LE(12)) << 32n) | BigInt(block.readUInt32LE(16))
    expect(nanoseconds).toBe(1_763_700_000_123_456_250n)
  })

  test('streams whole blocks to the sink, times counted from the given epoch', () => {
    const chunks: Uint8Array[] = []
    const writer = new PcapngWriter((bytes) => chunks.push(bytes), { name: 'x', epochUs: 5_000_000 })
    writer.packet({ bytes: Uint8Array.of(0x45, 0), start: 0, end: 2 }, 'in', 7)
    writer.packet({ bytes: Uint8Array.of(0x45, 0), start: 0, end: 2 }, 'out', 8, 'held by Nagle')
    expect(chunks.map((chunk) => chunk.length)).toEqual([44 + 40, 48, 68])
    expect(Buffer.from(chunks[1]).readUInt32LE(16)).toBe((5_000_007_000 % 4294967296) >>> 0)
    expect(writer.packets).toBe(2)
    for (const chunk of chunks.slice(1)) expect(Buffer.from(chunk).readUInt32LE(chunk.length - 4)).toBe(chunk.length)
  })
})
