// Resource records: what each type holds, on the wire and as text.
// Owns: RDATA, bounds of it, the form that zone files and dig have. Does not own: names (names.ts), the message around (message.ts),
// OPT, which is no record of a zone (message.ts). Read first: RFC 1035 §3.3, RFC 2782 (SRV), RFC 3596 (AAAA), RFC 3597 (unknown types).

import { put16, put32 } from '../base/bytes.ts'
import { IpAddress } from '../ip/address.ts'
import { CLASS, className, TYPE, typeName } from './codes.ts'
import { type NameOffsets, readName, writeName } from './names.ts'
import type { DnsReader } from './reader.ts'

/** The fields of a SOA record (RFC 1035 §3.3.13); times in seconds. */
export interface SoaData {
  readonly kind: 'soa'
  readonly primary: string
  readonly mailbox: string
  /** Unsigned, of 32 bits. */
  readonly serial: number
  readonly refreshS: number
  readonly retryS: number
  readonly expireS: number
  /** How long it may be believed that a name or type does not exist (RFC 2308 §4). */
  readonly minimumS: number
}

/** What a record holds. `raw`: octets as they came, for types not known here, HTTPS and SVCB, and other classes than IN. */
export type RecordData =
  | { readonly kind: 'address'; readonly address: IpAddress }
  | { readonly kind: 'name'; readonly target: string }
  | { readonly kind: 'mx'; readonly preference: number; readonly exchange: string }
  | {
      readonly kind: 'srv'
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }
  | { readonly kind: 'txt'; readonly strings: readonly Uint8Array[] }
  | SoaData
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }

/** A resource record. */
export interface DnsRecord {
  readonly name: string
  readonly type: number
  readonly class: number
  /** Seconds, 0 to 2^31 - 1; a set top bit counts as 0 (RFC 2181 §8). */
  readonly ttlS: number
  readonly data: RecordData
}

/** Reads one record. What is wrong with it stands in the reader's verdict. */
export function readRecord(reader: DnsReader): DnsRecord {
  const name = readName(reader)
  const type = reader.u16()
  const recordClass = reader.u16()
  const ttl = reader.u32()
  const length = reader.u16()
  const record = { name, type, class: recordClass, ttlS: ttl > 0x7fffffff && type !== TYPE.OPT ? 0 : ttl }
  if (!reader.has(length)) return { ...record, data: { kind: 'raw', bytes: new Uint8Array(0) } }
  const messageEnd = reader.end
  reader.end = reader.at + length
  const data =
    recordClass === CLASS.IN ? readData(reader, type, length) : { kind: 'raw' as const, bytes: reader.take(length) }
  // A record whose data end before their length, or need more, is none. A message that is only cut short ended above.
  if (reader.verdict === 'short' || (reader.verdict === 'ok' && reader.at !== reader.end)) reader.verdict = 'bad-record'
  reader.end = messageEnd
  return { ...record, data }
}

function readData(reader: DnsReader, type: number, length: number): RecordData {
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA: {
      const bytes = reader.take(type === TYPE.A ? 4 : 16)
      return { kind: 'address', address: bytes.length === 0 ? new IpAddress() : IpAddress.fromBytes(bytes) }
    }
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
      return { kind: 'name', target: readName(reader) }
    case TYPE.MX:
      return { kind: 'mx', preference: reader.u16(), exchange: readName(reader) }
    case TYPE.SRV:
      return {
        kind: 'srv',
        priority: reader.u16(),
        weight: reader.u16(),
        port: reader.u16(),
        target: readName(reader),
      }
    case TYPE.TXT: {
      const strings: Uint8Array[] = []
      do strings.push(reader.take(reader.u8()))
      while (reader.verdict === 'ok' && reader.at < reader.end)
      return { kind: 'txt', strings }
    }
    case TYPE.SOA:
      return {
        kind: 'soa',
        primary: readName(reader),
        mailbox: readName(reader),
        serial: reader.u32(),
        refreshS: reader.u32(),
        retryS: reader.u32(),
        expireS: reader.u32(),
        minimumS: reader.u32(),
      }
    default:
      return { kind: 'raw', bytes: reader.take(length) }
  }
}

/**
 * Writes a record at `at` and returns where it ends, or -1 when it does not fit.
 * @throws {TypeError} for a name that is none, or a string of TXT over 255 octets
 */
export function writeRecord(out: Uint8Array, at: number, record: DnsRecord, offsets: NameOffsets): number {
  const start = writeName(out, at, record.name, offsets)
  if (start < 0 || start + 10 > out.length) return -1
  put16(out, start, record.type)
  put16(out, start + 2, record.class)
  put32(out, start + 4, record.ttlS)
  const end = writeData(out, start + 10, record.data, offsets)
  if (end < 0) return -1
  put16(out, start + 8, end - start - 10)
  return end
}

function writeData(out: Uint8Array, at: number, data: RecordData, offsets: NameOffsets): number {
  switch (data.kind) {
    case 'address': {
      const size = data.address.family === 4 ? 4 : 16
      if (at + size > out.length) return -1
      data.address.write(out, at)
      return at + size
    }
    case 'name':
      return writeName(out, at, data.target, offsets)
    case 'mx':
      if (at + 2 > out.length) return -1
      put16(out, at, data.preference)
      return writeName(out, at + 2, data.exchange, offsets)
    case 'srv':
      if (at + 6 > out.length) return -1
      put16(out, at, data.priority)
      put16(out, at + 2, data.weight)
      put16(out, at + 4, data.port)
      // RFC 2782: the target is not compressed; RFC 3597 §4 says it of every type newer than RFC 1035.
      return writeName(out, at + 6, data.target, null)
    case 'txt':
      return writeStrings(out, at, data.strings)
    case 'soa': {
      const mailbox = writeName(out, at, data.primary, offsets)
      const end = mailbox < 0 ? -1 : writeName(out, mailbox, data.mailbox, offsets)
      if (end < 0 || end + 20 > out.length) return -1
      const { serial, refreshS, retryS, expireS, minimumS } = data
      for (const [i, value] of [serial, refreshS, retryS, expireS, minimumS].entries()) put32(out, end + 4 * i, value)
      return end + 20
    }
    case 'raw':
      if (at + data.bytes.length > out.length) return -1
      out.set(data.bytes, at)
      return at + data.bytes.length
  }
}

function writeStrings(out: Uint8Array, at: number, strings: readonly Uint8Array[]): number {
  for (const string of strings.length === 0 ? [new Uint8Array(0)] : strings) {
    if (string.length > 255) throw new TypeError('a string of a TXT record has at most 255 octets: split it')
    if (at + 1 + string.length > out.length) return -1
    out[at] = string.length
    out.set(string, at + 1)
    at += 1 + string.length
  }
  return at
}

/** A name with its last dot, as zone files write it. */
export function dotted(name: string): string {
  return name.endsWith('.') && !name.endsWith('\\.') ? name : `${name}.`
}

/** What a record holds in the form of a zone file: `10 mail.example.com.`. */
export function formatData(data: RecordData): string {
  switch (data.kind) {
    case 'address':
      return data.address.toString()
    case 'name':
      return dotted(data.target)
    case 'mx':
      return `${data.preference} ${dotted(data.exchange)}`
    case 'srv':
      return `${data.priority} ${data.weight} ${data.port} ${dotted(data.target)}`
    case 'txt':
      return data.strings.map(quoted).join(' ')
    case 'soa': {
      const { primary, mailbox, serial, refreshS, retryS, expireS, minimumS } = data
      return `${dotted(primary)} ${dotted(mailbox)} ${serial} ${refreshS} ${retryS} ${expireS} ${minimumS}`
    }
    case 'raw': {
      // RFC 3597 §5.
      const hex = Array.from(data.bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')
      return hex === '' ? '\\# 0' : `\\# ${data.bytes.length} ${hex}`
    }
  }
}

function quoted(string: Uint8Array): string {
  let text = ''
  for (const byte of string) {
    if (byte < 32 || byte >= 127) text += `\\${String(byte).padStart(3, '0')}`
    else text += byte === 0x22 || byte === 0x5c ? `\\${String.fromCharCode(byte)}` : String.fromCharCode(byte)
  }
  return `"${text}"`
}

/** A record as a line of a zone file: `www.example.com.	300	IN	A	192.0.2.1`. */
export function formatRecord(record: DnsRecord): string {
  const { name, ttlS, type, data } = record
  return `${dotted(name)}\t${ttlS}\t${className(record.class)}\t${typeName(type)}\t${formatData(data)}`
}
