// The small parsers that take what others have written: request targets, dates, ranges, lists, paths, addresses, the header of a TUN
// device's packets, packets as lines. Each says yes or no and never throws, but where its doc says so.
// Owns: the list and what must hold of each. Does not own: packets on their way through a stack (ip-target.ts).

import { decodePath } from '../../src/http/files.ts'
import {
  formatHttpDate,
  isFieldValue,
  isHost,
  isToken,
  parseHttpDate,
  parseRequestTarget,
  splitList,
} from '../../src/http/grammar.ts'
import { parseRange } from '../../src/http/ranges.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { readVnetHeader } from '../../src/link/vnet-header.ts'
import { parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { formatPacket } from '../../src/trace/packet-line.ts'
import { type Target, violated } from './target.ts'

const WORDS = [
  ...[
    'http://',
    'https://',
    '/',
    '//',
    '..',
    '.',
    '%2e',
    '%2F',
    '%',
    '%zz',
    '?',
    '#',
    '*',
    '@',
    'a.b',
    '[::1]',
    '[',
    ']',
    ':',
    ':80',
    '65536',
  ],
  ...[
    'bytes=',
    '0-',
    '-5',
    '5-2',
    '0-0',
    '99999999999999999999-',
    ',',
    ' ',
    '\t',
    '"',
    '\\',
    ';',
    '=',
    'q=',
    'a',
    'Z',
    '0',
    '1',
    '~',
    '\u00e9',
    '\0',
  ],
  ...[
    'Sun, ',
    '06 ',
    'Nov ',
    '1994 ',
    '08:49:37 ',
    'GMT',
    'Sunday, ',
    '06-Nov-94 ',
    'Sun Nov  6 ',
    '1994',
    '31 Feb ',
    '24:60:61 ',
  ],
  ...['1.2.3.4', '::', 'fe80', '::ffff:', '256', '01', '1:2:3:4:5:6:7:8', '%eth0', '/24'],
]
const segment = new SegmentHeader()

function textOf(input: Uint8Array): string {
  let text = ''
  for (let at = 1; at < input.length; at++)
    text += input[at] < 224 ? WORDS[input[at] % WORDS.length] : String.fromCharCode(input[at])
  return text
}

function throwsOnly(types: readonly (new (message?: string) => Error)[], call: () => unknown): void {
  try {
    call()
  } catch (error) {
    if (!types.some((type) => error instanceof type)) throw error
  }
}

function tryText(text: string): void {
  for (const method of ['GET', 'CONNECT', 'OPTIONS']) parseRequestTarget(method, text)
  isHost(text)
  isToken(text)
  isFieldValue(text)
  splitList(text)
  decodePath(text)
  const at = parseHttpDate(text, 1e12)
  if (!Number.isNaN(at) && parseHttpDate(formatHttpDate(at), 1e12) !== at)
    violated(`the date '${text}' does not come back`)
  const ranges = parseRange(text, 1000)
  if (Array.isArray(ranges)) {
    for (const { start, end } of ranges)
      if (!(start >= 0 && start <= end && end <= 1000)) violated(`range ${start} to ${end}`)
  }
  throwsOnly([TypeError, RangeError], () => {
    const address = IpAddress.parse(text)
    if (!IpAddress.parse(address.toString()).equals(address)) violated(`the address '${text}' does not come back`)
  })
}

function tryBytes(input: Uint8Array): void {
  const packet = new Packet(new Uint8Array(HEADROOM + input.length))
  packet.bytes.set(input, HEADROOM)
  packet.end = HEADROOM + input.length
  formatPacket(packet)
  const parsed = parseTcp(input, 0, input.length, segment)
  if (parsed === 'ok' && segment.textStart + segment.textLength !== input.length) violated('text beyond the segment')
  if (input.length < 30) return
  packet.start = HEADROOM + 10
  if (readVnetHeader(packet.bytes, HEADROOM, packet) !== 'ok') return
  if (packet.payloadOffset > packet.length || packet.transportOffset > packet.length)
    violated('offsets beyond the packet')
}

/** Small parsers. */
export const parserTarget: Target = {
  name: 'parsers',
  headBytes: 1,
  stepBytes: 1,
  mostSteps: 100,
  run(input) {
    if (((input[0] ?? 0) & 3) === 0) tryBytes(input.subarray(1))
    else tryText(textOf(input))
    return 1
  },
}
