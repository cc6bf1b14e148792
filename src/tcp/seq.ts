// Sequence numbers: 32-bit serial numbers compared modulo 2^32 (RFC 9293 §3.4). Kept as int32, the form V8 holds in a register;
// `>>> 0` only to print or put on the wire. No other file does arithmetic on them.

declare const sequenceBrand: unique symbol

/** A TCP sequence number as int32. */
export type Seq = number & { readonly [sequenceBrand]: true }

/** Any number as a sequence number (its low 32 bits). */
export function seq(value: number): Seq {
  return (value | 0) as Seq
}

/** `a + n` modulo 2^32. */
export function seqAdd(a: Seq, n: number): Seq {
  return ((a + n) | 0) as Seq
}

/** How far `a` is after `b`; negative when before. Exact while they are within 2^31 of each other. */
export function seqDiff(a: Seq, b: Seq): number {
  return (a - b) | 0
}

/** a < b */
export function seqLt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) < 0
}

/** a =< b */
export function seqLe(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) <= 0
}

/** a > b */
export function seqGt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) > 0
}

/** a >= b */
export function seqGe(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) >= 0
}

/** The later of the two. */
export function seqMax(a: Seq, b: Seq): Seq {
  return ((a - b) | 0) >= 0 ? a : b
}

/** The earlier of the two. */
export function seqMin(a: Seq, b: Seq): Seq {
  return ((a - b) | 0) <= 0 ? a : b
}

/** A list that nothing was put into: it is shared, and whoever has a number for it makes one of his own. */
export const NO_NUMBERS: Seq[] = Object.freeze([]) as unknown as Seq[]
