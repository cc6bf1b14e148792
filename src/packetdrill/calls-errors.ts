// recvmsg with MSG_ERRQUEUE, and what a sendmsg asks the error queue for.
// Owns: these shapes. Does not own: the queue (error-queue.ts), other messages (calls-io.ts).

import { isFields, isList, replace, vectorOf } from './arguments.ts'
import { controlOfError, type QueuedError, STAMPING_RECORDS } from './error-queue.ts'
import { fail, type Reply } from './host.ts'
import type { Socket } from './sockets.ts'
import type { Value } from './target.ts'

const MSG_ERRQUEUE = 0x2000
const MSG_TRUNC = 0x20

/** The attributes of SCM_TIMESTAMPING_OPT_STATS are the message's text too; an acknowledgement's has one more (TCP_NLA_TTL). */
const statsBytes = ({ info }: QueuedError): number => (info === STAGE_ACKNOWLEDGED ? 256 : 248)
const STAGE_ACKNOWLEDGED = 2

/** MSG_ERRQUEUE never waits. */
export function takeError(at: Socket, args: readonly Value[]): Reply {
  const error = at.errors.take()
  if (error === null) return fail('EAGAIN')
  const message = isFields(args[1]) ? args[1] : {}
  const room = vectorOf(message.msg_iov).reduce((sum, { length }) => sum + length, 0)
  const bytes = error.stats === null ? 0 : statsBytes(error)
  const msgFlags = MSG_ERRQUEUE | (room < bytes ? MSG_TRUNC : 0)
  const told = { ...message, msg_flags: msgFlags, msg_control: controlOfError(at, error) }
  return { value: Math.min(room, bytes), outputs: replace(args, { 1: told }) }
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
