// Memory for text on its way: buffers whose first contents nobody reads.
// Owns: where they come from. Does not own: what lies in them (byte-ring.ts), who gives a faster way (src/net).

let allocate = (length: number): Uint8Array => new Uint8Array(length)

/** A buffer of `length` bytes with whatever lies in it: to be written before it is read. */
export function rawBytes(length: number): Uint8Array {
  return allocate(length)
}

/**
 * Sets where such buffers come from; for the edge, which knows of memory that is not filled with zeros first (64 KiB of them cost as much
 * as a copy). `make` returns a plain Uint8Array on a buffer of its own.
 */
export function useRawBytes(make: (length: number) => Uint8Array): void {
  allocate = make
}
