// Stored records as bytes for a file, and back: what was cut off or changed is known, and taken for nothing.
// Owns: the format. Does not own: files.
//
//   "TSC1"  sum (4 bytes)  length of the text (4 bytes)  text: JSON of all but the bodies  the bodies, one behind the other
import { concatBytes, toBytes, toText } from '../body.ts'
import { HeaderList } from '../headers.ts'
import type { StoredPart, StoredResponse } from './record.ts'

const MAGIC = 0x54534331
const HEAD_BYTES = 12

/** The records of one URI as bytes. */
export function encodeRecords(records: readonly StoredResponse[]): Uint8Array {
  const text = toBytes(
    JSON.stringify(
      records.map(({ body, headers, ...rest }) => ({ ...rest, headers: [...headers], length: body.length })),
    ),
  )
  const head = new Uint8Array(HEAD_BYTES)
  const bytes = concatBytes([head, text, ...records.map(({ body }) => body)])
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setUint32(0, MAGIC)
  view.setUint32(8, text.length)
  view.setUint32(4, checkSum(bytes.subarray(8)))
  return bytes
}

/** The records that bytes hold; null when they are not what `encodeRecords` has written. */
export function decodeRecords(bytes: Uint8Array): StoredResponse[] | null {
  if (bytes.length < HEAD_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const textBytes = view.getUint32(8)
  if (view.getUint32(0) !== MAGIC || view.getUint32(4) !== checkSum(bytes.subarray(8))) return null
  if (textBytes > bytes.length - HEAD_BYTES) return null
  try {
    const rows = JSON.parse(toText(bytes.subarray(HEAD_BYTES, HEAD_BYTES + textBytes))) as Row[]
    let at = HEAD_BYTES + textBytes
    const records = rows.map(({ headers, length, ...rest }) => {
      const body = bytes.subarray(at, at + length)
      at += length
      return { ...rest, headers: new HeaderList(headers), body }
    })
    return at === bytes.length ? records : null
  } catch {
    return null
  }
}

interface Row extends Omit<StoredResponse, 'headers' | 'body'> {
  readonly headers: [string, string][]
  readonly length: number
  readonly part: StoredPart | null
}

// FNV-1a: finds what a crash or a full disk has done, not what an enemy does, who could write the sum as well.
function checkSum(bytes: Uint8Array): number {
  let sum = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) sum = Math.imul(sum ^ bytes[i], 0x01000193)
  return sum >>> 0
}
