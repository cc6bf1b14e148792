// DNS messages: the header, the question, four sections, and EDNS.
// Owns: parseMessage and writeMessage, truncation, OPT. Does not own: records (records.ts), which messages to believe (exchange.ts).
// Read first: RFC 1035 §4.1, RFC 6891 §6.
//
//    0                              15
//   |              id                |
//   |QR| opcode |AA|TC|RD|RA| |AD|CD| rcode |
//   | questions | answers | authorities | additionals |

import { get16, put16, put32 } from '../base/bytes.ts'
import { CLASS, className, OPCODE, TYPE, typeName } from './codes.ts'
import { type NameOffsets, readName, writeName } from './names.ts'
import { DnsReader, type DnsVerdict } from './reader.ts'
import { type DnsRecord, dotted, formatData, readRecord, writeRecord } from './records.ts'

/** Octets of the header (RFC 1035 §4.1.1). */
export const DNS_HEADER_BYTES = 12

/** Most octets of a message: what the length before it on TCP can say. */
export const MAX_MESSAGE_BYTES = 65_535

/** Most octets over UDP for who does not say otherwise (RFC 1035 §2.3.4). */
export const CLASSIC_UDP_BYTES = 512

/** Most records that are read of one message, all sections together, and most questions. */
export const MAX_RECORDS = 4096

/** What is asked. */
export interface Question {
  readonly name: string
  readonly type: number
  readonly class: number
}

/** EDNS: what the OPT record of a message says (RFC 6891 §6.1). */
export interface Edns {
  /** The largest datagram that its sender takes, in octets. */
  readonly udpBytes: number
  readonly version: number
  readonly dnssecOk: boolean
  readonly options: readonly { readonly code: number; readonly bytes: Uint8Array }[]
}

/** A message. Records of OPT stand in `edns`, not among `additionals`. */
export interface DnsMessage {
  id: number
  isResponse: boolean
  opcode: number
  authoritative: boolean
  truncated: boolean
  recursionDesired: boolean
  recursionAvailable: boolean
  authenticData: boolean
  checkingDisabled: boolean
  /** With EDNS 12 bits, otherwise 4. */
  rcode: number
  questions: Question[]
  answers: DnsRecord[]
  authorities: DnsRecord[]
  additionals: DnsRecord[]
  edns: Edns | null
}

/** A message with nothing in it but what `fields` say. */
export function createMessage(fields: Partial<DnsMessage> = {}): DnsMessage {
  return {
    id: 0,
    isResponse: false,
    opcode: OPCODE.QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    edns: null,
    ...fields,
  }
}

/**
 * Reads a message into `out`, overwriting all of it. Unless the verdict is 'ok', `out` has what came before the fault; with fewer than 12
 * octets it is empty. Octets behind the last record are not looked at. Never throws.
 */
export function parseMessage(bytes: Uint8Array, out: DnsMessage): DnsVerdict {
  Object.assign(out, createMessage())
  if (bytes.length < DNS_HEADER_BYTES) return 'short'
  readHeader(bytes, out)
  const reader = new DnsReader(bytes)
  reader.at = DNS_HEADER_BYTES
  const counts = [4, 6, 8, 10].map((at) => get16(bytes, at))
  if (counts.reduce((sum, count) => sum + count, 0) > MAX_RECORDS) return 'many-records'
  for (let i = 0; i < counts[0]; i++) {
    const question = { name: readName(reader), type: reader.u16(), class: reader.u16() }
    if (reader.verdict !== 'ok') return reader.verdict
    out.questions.push(question)
  }
  for (const [i, section] of [out.answers, out.authorities, out.additionals].entries()) {
    for (let n = 0; n < counts[i + 1]; n++) {
      const record = readRecord(reader)
      if (reader.verdict !== 'ok') return reader.verdict
      if (record.type !== TYPE.OPT) section.push(record)
      else if (i !== 2 || out.edns !== null || !readEdns(record, out)) return 'bad-record'
    }
  }
  return 'ok'
}

function readHeader(bytes: Uint8Array, out: DnsMessage): void {
  const flags = get16(bytes, 2)
  out.id = get16(bytes, 0)
  out.isResponse = (flags & 0x8000) !== 0
  out.opcode = (flags >>> 11) & 15
  out.authoritative = (flags & 0x0400) !== 0
  out.truncated = (flags & 0x0200) !== 0
  out.recursionDesired = (flags & 0x0100) !== 0
  out.recursionAvailable = (flags & 0x0080) !== 0
  out.authenticData = (flags & 0x0020) !== 0
  out.checkingDisabled = (flags & 0x0010) !== 0
  out.rcode = flags & 15
}

// RFC 6891 §6.1.1: one OPT, in the additional section, of the root. §6.1.3: its TTL holds the code's upper bits, the version and DO.
function readEdns(record: DnsRecord, out: DnsMessage): boolean {
  if (record.name !== '' || record.data.kind !== 'raw') return false
  const reader = new DnsReader(record.data.bytes)
  const options: { code: number; bytes: Uint8Array }[] = []
  while (reader.at < reader.end) {
    const code = reader.u16()
    options.push({ code, bytes: reader.take(reader.u16()) })
    if (reader.verdict !== 'ok') return false
  }
  out.rcode |= ((record.ttlS >>> 24) & 255) << 4
  out.edns = {
    udpBytes: Math.max(record.class, CLASSIC_UDP_BYTES), // RFC 6891 §6.2.3: less than 512 counts as 512
    version: (record.ttlS >>> 16) & 255,
    dnssecOk: (record.ttlS & 0x8000) !== 0,
    options,
  }
  return true
}

/**
 * Writes a message, at most `maxBytes` long. What does not fit is left out, whole records from the end; when that touches answers or
 * authorities TC says so (RFC 2181 §9), additional records may go unsaid. OPT always has its place.
 * @throws {TypeError} for a name that is none @throws {RangeError} when not even the questions fit
 */
export function writeMessage(message: DnsMessage, maxBytes = MAX_MESSAGE_BYTES): Uint8Array {
  const all = new Uint8Array(Math.min(maxBytes, MAX_MESSAGE_BYTES))
  const edns = message.edns === null ? null : writeEdns(message.edns, message.rcode)
  const out = all.subarray(0, Math.max(0, all.length - (edns?.length ?? 0)))
  const offsets: NameOffsets = new Map()
  let at = DNS_HEADER_BYTES
  for (const question of message.questions) {
    const end = at > out.length ? -1 : writeName(out, at, question.name, offsets)
    if (end < 0 || end + 4 > out.length) throw new RangeError(`the questions do not fit into ${maxBytes} octets`)
    put16(out, end, question.type)
    put16(out, end + 2, question.class)
    at = end + 4
  }
  if (at > out.length) throw new RangeError(`a header does not fit into ${maxBytes} octets`)
  const counts = [0, 0, edns === null ? 0 : 1]
  let isCut = false
  for (const [i, section] of [message.answers, message.authorities, message.additionals].entries()) {
    for (const record of section) {
      const end = writeRecord(out, at, record, offsets)
      if (end < 0) {
        isCut ||= i < 2
        break // nothing is written after it, so that no pointer can lead into what was not finished
      }
      at = end
      counts[i]++
    }
    if (isCut) break
  }
  if (edns !== null) all.set(edns, at)
  put16(all, 0, message.id)
  put16(all, 2, headerFlags(message) | (isCut ? 0x0200 : 0))
  put16(all, 4, message.questions.length)
  for (const [i, count] of counts.entries()) put16(all, 6 + 2 * i, count)
  return all.slice(0, at + (edns?.length ?? 0))
}

function headerFlags(message: DnsMessage): number {
  let flags = ((message.opcode & 15) << 11) | (message.rcode & 15)
  if (message.isResponse) flags |= 0x8000
  if (message.authoritative) flags |= 0x0400
  if (message.truncated) flags |= 0x0200
  if (message.recursionDesired) flags |= 0x0100
  if (message.recursionAvailable) flags |= 0x0080
  if (message.authenticData) flags |= 0x0020
  if (message.checkingDisabled) flags |= 0x0010
  return flags
}

function writeEdns(edns: Edns, rcode: number): Uint8Array {
  const length = edns.options.reduce((sum, { bytes }) => sum + 4 + bytes.length, 0)
  const out = new Uint8Array(11 + length)
  put16(out, 1, TYPE.OPT)
  put16(out, 3, edns.udpBytes)
  put32(out, 5, ((rcode >>> 4) << 24) | (edns.version << 16) | (edns.dnssecOk ? 0x8000 : 0))
  put16(out, 9, length)
  let at = 11
  for (const { code, bytes } of edns.options) {
    put16(out, at, code)
    put16(out, at + 2, bytes.length)
    out.set(bytes, at + 4)
    at += 4 + bytes.length
  }
  return out
}

/** A message in a line like tcpdump's: `4711+ A? www.example.com.`, `4711 2/0/0 A 192.0.2.1, A 192.0.2.2`. */
export function formatMessage(message: DnsMessage): string {
  const asked = message.questions.map(
    ({ name, type, class: c }) => `${c === CLASS.IN ? '' : `${className(c)} `}${typeName(type)}? ${dotted(name)}`,
  )
  if (!message.isResponse) return `${message.id}${message.recursionDesired ? '+' : ''} ${asked.join(', ')}`
  const { answers, authorities, additionals } = message
  const marks = `${message.authoritative ? '*' : ''}${message.recursionAvailable ? '' : '-'}${message.truncated ? '|' : ''}`
  const records = answers.map(({ type, data }) => `${typeName(type)} ${formatData(data)}`)
  const code = message.rcode === 0 ? '' : ` rcode ${message.rcode}`
  return `${message.id}${marks}${code} ${answers.length}/${authorities.length}/${additionals.length} ${records.join(', ')}`.trimEnd()
}
