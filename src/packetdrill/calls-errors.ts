// recvmsg with MSG_ERRQUEUE, and what a sendmsg asks the error queue for.
// Owns: these shapes. Does not own: the queue (error-queue.ts), other messages (calls-io.ts).

import { isFields, isList, replace } from './arguments.ts'
import { controlOfError, STAMPING_RECORDS } from './error-queue.ts'
import { fail, type Reply } from './host.ts'
import type { Socket } from './sockets.ts'
import type { Value } from './target.ts'

const MSG_ERRQUEUE = 0x2000

/** MSG_ERRQUEUE never waits. */
export function takeError(at: Socket, args: readonly Value[]): Reply {
  const error = at.errors.take()
  if (error === null) return fail('EAGAIN')
  const message = isFields(args[1]) ? args[1] : {}
  const told = { ...message, msg_flags: MSG_ERRQUEUE, msg_control: controlOfError(at, error) }
  return { value: 0, outputs: replace(args, { 1: told }) }
}

/** What the ancillary data of a sendmsg asks to be told of, -1 for nothing. */
export function stampingOf(at: Socket, control: Value | undefined): number {
  for (const one of isList(control) ? control : []) {
    if (!isFields(one) || one.cmsg_level !== 1 || (one.cmsg_type !== 37 && one.cmsg_type !== 65)) continue
    const data = isList(one.cmsg_data) ? one.cmsg_data[0] : one.cmsg_data
    if (typeof data === 'number') return (at.errors.flags & ~STAMPING_RECORDS) | data
  }
  return -1
}
