// Big-endian (network order) integers in a Uint8Array. 32-bit values are int32 (`| 0`), the form in which V8 keeps them in
// registers; `>>> 0` them only to print. Does not own: bounds checks (every codec checks the length it needs first).

/** Reads the unsigned 16-bit integer at `at`. */
export function get16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}

/** Reads the 32-bit integer at `at` as int32. */
export function get32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
}

/** Writes the low 16 bits of `value` at `at`. */
export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

/** Writes `value` (int32 or uint32) at `at`. */
export function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Whether two byte strings are equal. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
