// Signing the script's segments: `<md5 valid>` with the key that a setsockopt(TCP_MD5SIG) of the script has given (RFC 2385 §2.0).
// Owns: the digest of a segment as it is laid out. Does not own: MD5 (base/md5.ts), what the side under test makes of it (src/tcp/md5.ts).

import { put32 } from '../base/bytes.ts'
import { Md5 } from '../base/md5.ts'
import { PROTOCOL } from '../ip/header.ts'
import { TCP_HEADER_BYTES } from '../tcp/header.ts'
import { CONSTANTS } from './constants.ts'
import type { SignSegment } from './packet-build.ts'
import type { Value } from './target.ts'

/** Who signs with the key that these arguments of setsockopt give; null when they give none. */
export function signerOf(args: readonly Value[]): SignSegment | null {
  const [, level, name, value] = args
  if (level !== CONSTANTS.SOL_TCP || (name !== CONSTANTS.TCP_MD5SIG && name !== CONSTANTS.TCP_MD5SIG_EXT)) return null
  const key = keyOf(value)
  return key === null ? null : signerWith(new TextEncoder().encode(key))
}

function keyOf(value: Value | undefined): string | null {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const fields = value as Readonly<Record<string, Value>>
  const key = fields.tcpm_key ?? fields.key
  return typeof key === 'string' ? key : null
}

function signerWith(key: Uint8Array): SignSegment {
  return ({ source, destination }, segment, digestAt) => {
    const addressBytes = source.family === 4 ? 4 : 16
    const pseudo = new Uint8Array(2 * addressBytes + (addressBytes === 4 ? 4 : 8))
    source.write(pseudo, 0)
    destination.write(pseudo, addressBytes)
    if (addressBytes === 4) put32(pseudo, 8, (PROTOCOL.TCP << 16) | segment.length)
    else put32(pseudo, 32, segment.length)
    if (addressBytes === 16) put32(pseudo, 36, PROTOCOL.TCP)
    const md5 = new Md5()
    md5.update(pseudo)
    md5.update(segment, 0, 16)
    md5.update(new Uint8Array(2))
    md5.update(segment, 18, TCP_HEADER_BYTES)
    md5.update(segment, (segment[12] >>> 4) * 4)
    md5.update(key)
    md5.digest(segment, digestAt)
  }
}
