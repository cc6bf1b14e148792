// Assertions: a broken invariant is a bug in this library and is thrown as InvariantError.
// Owns: the one way to say "this cannot happen". Does not own: judging packets (a verdict and a counter) or a caller's
// arguments (TypeError, RangeError at the edge of the API).

/** A broken invariant: a defect in tunstack itself, never the fault of a packet or of a caller. */
export class InvariantError extends Error {
  override name = 'InvariantError'
}

/**
 * Throws when `condition` is false. The message is a plain string, so that the check costs one branch in hot code.
 * @throws {InvariantError} when the condition does not hold
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
