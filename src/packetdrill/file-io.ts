// read and write on files and pipes.
// Owns: how much they move, when they wait. Does not own: calls between files and sockets (calls-files.ts).

import { numberAt } from './arguments.ts'
import { OpenFile, PipeEnd } from './files.ts'
import { fail, type Host, type Reply, type Step } from './host.ts'
import type { Value } from './target.ts'

const NEVER = Number.POSITIVE_INFINITY

/** read and write on what is no socket; null for a socket or nothing. */
export function fileCall(host: Host, args: readonly Value[], isWrite: boolean): Step | null {
  const found = host.descriptors.get(numberAt(args, 0, -1))
  const count = numberAt(args, 2)
  if (found instanceof OpenFile) {
    const moved = isWrite ? count : Math.min(count, Math.max(0, found.length - found.at))
    found.at += moved
    found.length = Math.max(found.length, found.at)
    return { value: moved }
  }
  if (!(found instanceof PipeEnd)) return null
  if (found.isReader === isWrite) return fail('EBADF')
  return waitFor(() => (isWrite ? intoPipe(found, count) : outOfPipe(found, count)), found.isNonblocking)
}

function intoPipe({ buffer }: PipeEnd, count: number): Reply | null {
  if (buffer.isReaderGone) return fail('EPIPE')
  const moved = Math.min(count, buffer.room)
  buffer.held += moved
  return moved === 0 && count > 0 ? null : { value: moved }
}

function outOfPipe({ buffer }: PipeEnd, count: number): Reply | null {
  const moved = Math.min(count, buffer.held)
  buffer.held -= moved
  return moved > 0 || buffer.isWriterGone || count === 0 ? { value: moved } : null
}

/** Tried now, and again whenever something has happened; EAGAIN for what does not wait. */
export function waitFor(attempt: () => Reply | null, isNonblocking: boolean): Step {
  const first = attempt()
  if (first !== null) return first
  return isNonblocking ? fail('EAGAIN') : { attempt, until: NEVER, expired: () => fail('EAGAIN') }
}
