// Cutting up an IPv4 packet on its way (RFC 791 §3.2): what becomes of options, and of what cannot be cut.

import { expect, test } from 'vitest'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { refragment } from '../../src/ip/refragment.ts'
import { Packet } from '../../src/link/device.ts'
import { hex, make, slowChecksum } from './helpers.ts'

const text = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7)

/** The pieces of a packet: header, and bytes after it. */
function cut(whole: Packet, mtu: number): { header: IpHeader; options: string; text: number[] }[] {
  const pieces: { header: IpHeader; options: string; text: number[] }[] = []
  const count = refragment(whole, mtu, new Packet(), ({ bytes, start, end }) => {
    const header = new IpHeader()
    expect(parseIp(bytes, start, end, header)).toBe('ok')
    const options = Buffer.from(bytes.subarray(start + 20, start + header.headerBytes)).toString('hex')
    expect(slowChecksum(bytes.subarray(start, start + header.headerBytes))).toBe(0)
    pieces.push({ header, options, text: [...bytes.subarray(start + header.headerBytes, end)] })
  })
  expect(count).toBe(pieces.length)
  return pieces
}

test('of the options those that say so are in every piece, the others in the first alone (RFC 791 §3.1)', () => {
  // No operation; a timestamp without room, which is not copied; a security label, which is; the end of the list and padding.
  const extra = hex('01 44040500 82040102 000000')
  const pieces = cut(make({ extra, payload: text(100) }), 72)
  expect(pieces.map(({ options }) => options)).toEqual(['014404050082040102000000', '82040102', '82040102'])
  expect(pieces.map(({ header }) => [header.fragmentOffset, header.moreFragments])).toEqual([
    [0, true],
    [40, true],
    [88, false],
  ])
  expect(pieces.flatMap((piece) => piece.text)).toEqual([...text(100)])
})

test('an option that fills the header to its end needs no mark of the end', () => {
  const pieces = cut(make({ extra: hex('82040102'), payload: text(64) }), 56)
  expect(pieces.map(({ options }) => options)).toEqual(['82040102', '82040102'])
})

test('a piece of a packet is cut up in its place, and only its last piece may be the last of all (RFC 791 §3.2)', () => {
  const offsets = (moreFragments: boolean) =>
    cut(make({ fragmentOffset: 80, moreFragments, payload: text(48) }), 44).map(({ header }) => [
      header.fragmentOffset,
      header.moreFragments,
    ])
  expect(offsets(true)).toEqual([
    [80, true],
    [104, true],
  ])
  expect(offsets(false)).toEqual([
    [80, true],
    [104, false],
  ])
})

test('where not eight octets fit beside the header nothing is cut (RFC 791 §3.2)', () => {
  expect(cut(make({ payload: text(100) }), 27)).toEqual([])
  expect(cut(make({ payload: text(24) }), 28)).toHaveLength(3)
})
