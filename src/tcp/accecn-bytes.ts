// The AccECN option's bytes (RFC 9768 §3.2.3, figure 4): one to three counters of 24 bits, in one of two orders, or none.
// Owns: reading and writing them. Does not own: when it goes and what it says (accecn-option.ts), the other options (header.ts).

/** Kinds of the option, by the order of its fields. */
export const ACCECN = { ORDER_0: 172, ORDER_1: 174 } as const

/** What an option holds: how many fields, -1 when there is no option; the counters, 24 bits each, -1 for those that it lacks. */
export interface AccEcnFields {
  accEcnFields: number
  echoedE0: number
  echoedCe: number
  echoedE1: number
}

/** Bytes of an option with so many fields, padded. */
export function accEcnBytes(fields: number): number {
  return (3 * fields + 5) & ~3
}

/** Takes an option of `length` octets at `at`: the whole fields that fit; what is left over is padding (RFC 9768 §3.2.3). */
export function parseAccEcn(bytes: Uint8Array, at: number, kind: number, length: number, out: AccEcnFields): void {
  const fields = Math.min(3, Math.floor((length - 2) / 3))
  const field = (i: number): number =>
    i < fields ? (bytes[at + 2 + 3 * i] << 16) | (bytes[at + 3 + 3 * i] << 8) | bytes[at + 4 + 3 * i] : -1
  out.accEcnFields = fields
  out.echoedE0 = field(kind === ACCECN.ORDER_0 ? 0 : 2)
  out.echoedCe = field(1)
  out.echoedE1 = field(kind === ACCECN.ORDER_0 ? 2 : 0)
}

/** Writes the option, padded to a multiple of four; returns where it ends. */
export function writeAccEcn(
  plan: AccEcnFields & { readonly accEcnKind: number },
  out: Uint8Array,
  start: number,
): number {
  const { accEcnKind, accEcnFields, echoedE0, echoedCe, echoedE1 } = plan
  const isOrder0 = accEcnKind === ACCECN.ORDER_0
  let at = start
  out[at++] = accEcnKind
  out[at++] = 2 + 3 * accEcnFields
  for (let i = 0; i < accEcnFields; i++) {
    const value = i === 1 ? echoedCe : (i === 0) === isOrder0 ? echoedE0 : echoedE1
    out[at++] = value >> 16
    out[at++] = value >> 8
    out[at++] = value
  }
  while ((at - start) % 4 !== 0) out[at++] = 1 // NOP
  return at
}
