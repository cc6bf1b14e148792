// select and pselect: lists of descriptors in, as strace writes them; how many are ready out, and which: `= 2 (in [3], out [4])`.
// Owns: what counts as readable, writable, exceptional. Does not own: what is ready (calls-poll.ts).
// Read first: select(2).

import { fieldOf, isFields, isList, numberAt, replace } from './arguments.ts'
import { bitsOf, POLL, waitFor } from './calls-poll.ts'
import { fail, type Handler, type Host, type Reply } from './host.ts'
import type { Value } from './target.ts'

/** What makes a descriptor readable, writable, exceptional to select, in the order of its arguments. */
const SETS = [POLL.RDNORM | POLL.IN | POLL.HUP | POLL.ERR, POLL.WRNORM | POLL.OUT | POLL.ERR, POLL.PRI]

function listOf(value: Value | undefined): number[] {
  return isList(value) ? value.filter((fd): fd is number => typeof fd === 'number') : []
}

function look(host: Host, args: readonly Value[]): Reply {
  const changes: Record<number, Value> = {}
  let count = 0
  for (const [i, wanted] of SETS.entries()) {
    const asked = args[i + 1]
    const ready = listOf(asked).filter((fd) => {
      const found = host.descriptors.get(fd)
      return found !== null && (bitsOf(found) & wanted) !== 0
    })
    count += ready.length
    if (isList(asked)) changes[i + 1] = ready
  }
  return { value: count, outputs: replace(args, changes) }
}

const selectFor = (host: Host, args: readonly Value[], timeoutMs: number): ReturnType<Handler> => {
  const fds = [1, 2, 3].flatMap((i) => listOf(args[i]))
  if (fds.some((fd) => host.descriptors.get(fd) === null)) return fail('EBADF')
  if (numberAt(args, 0) < 0) return fail('EINVAL')
  return waitFor(host, () => look(host, args), timeoutMs)
}

/** select(count, readable, writable, exceptional, timeout): NULL waits for ever. */
export const select: Handler = (host, args) => {
  const limit = args[4]
  const ms = isFields(limit) ? fieldOf(limit, ['tv_sec']) * 1000 + fieldOf(limit, ['tv_usec']) / 1000 : -1
  return selectFor(host, args, ms)
}

/** pselect(count, readable, writable, exceptional, timeout, mask). */
export const pselect: Handler = (host, args) => {
  const limit = args[4]
  const ms = isFields(limit) ? fieldOf(limit, ['tv_sec']) * 1000 + fieldOf(limit, ['tv_nsec']) / 1e6 : -1
  return selectFor(host, args, ms)
}
