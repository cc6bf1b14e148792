// A socket call of a script before it is made: what the C library is given, and what it leaves behind.
// Owns: the shape. Does not own: planning (kernel-calls.ts, kernel-select.ts), making the call (kernel-target.ts).

import type { Value } from '../packetdrill/target.ts'
import type { Memory, SyscallName } from './kernel-syscalls.ts'

/** A call that is ready to be made. */
export interface Plan {
  readonly name: SyscallName
  readonly args: readonly number[]
  /** Whether it may wait: then it is made in a thread of its own. */
  readonly blocks: boolean
  /** Whether it makes a descriptor, or more in `outputs`. */
  readonly opens?: boolean
  /** Made after it has returned in the thread: the call itself, when `name` only waited for its turn. */
  readonly follow?: readonly [SyscallName, readonly number[]]
  /** What it returned, when that is not the script's result. */
  readonly result?: (value: number) => number
  /** The arguments as the call left them. */
  outputs(value: number): readonly Value[]
  /** Memory that has to live until it is over. */
  readonly keep: readonly Memory[]
}
