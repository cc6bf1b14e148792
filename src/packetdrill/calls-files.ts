// Calls on files and pipes, and those that move text between them and sockets: open, pipe, sendfile, splice.
// Owns: how much they move, when they wait. Does not own: sockets' own calls (calls-io.ts).
// Read first: sendfile(2), splice(2), pipe(7).

import { isFields, isList, numberAt, pointedAt, replace, textOf } from './arguments.ts'
import { MSG, receiveFrom, sendTo } from './calls-io.ts'
import { waitFor } from './file-io.ts'
import { OpenFile, PipeBuffer, PipeEnd } from './files.ts'
import { fail, type Handler, type Reply, type Step } from './host.ts'
import { Socket } from './sockets.ts'
import type { Value } from './target.ts'

const NEVER = Number.POSITIVE_INFINITY
const O_CREAT = 0o100
const O_TRUNC = 0o1000
const O_NONBLOCK = 0o4000
const O_TMPFILE = 0o20000000
const SPLICE_NONBLOCK = 2
const SPLICE_MORE = 4

/** open(path, flags, mode): a new file is empty, one that the script has not made as long as is asked for. */
export const openCall: Handler = (host, args) => {
  const flags = numberAt(args, 1)
  const isNew = (flags & (O_CREAT | O_TRUNC | O_TMPFILE)) !== 0 && !String(args[0] ?? '').startsWith('/dev/')
  return { value: host.descriptors.add(new OpenFile(isNew ? 0 : NEVER)) }
}

/** pipe(fds) and pipe2(fds, flags). */
export const pipe: Handler = (host, args) => {
  const buffer = new PipeBuffer()
  const ends = [new PipeEnd(buffer, true), new PipeEnd(buffer, false)]
  for (const end of ends) end.isNonblocking = (numberAt(args, 1) & O_NONBLOCK) !== 0
  const fds = ends.map((end) => host.descriptors.add(end))
  return { value: 0, outputs: replace(args, { 0: fds }) }
}

/** lseek(fd, offset, whence). */
export const lseek: Handler = (host, args) => {
  const found = host.descriptors.get(numberAt(args, 0, -1))
  if (found === null) return fail('EBADF')
  if (!(found instanceof OpenFile)) return fail('ESPIPE')
  const from = [0, found.at, found.length][numberAt(args, 2)]
  if (from === undefined || from + numberAt(args, 1) < 0) return fail('EINVAL')
  found.at = from + numberAt(args, 1)
  return { value: found.at }
}

/** ftruncate(fd, length). */
export const ftruncate: Handler = (host, args) => {
  const found = host.descriptors.get(numberAt(args, 0, -1))
  if (found === null) return fail('EBADF')
  if (!(found instanceof OpenFile)) return fail('EINVAL')
  found.length = numberAt(args, 1)
  return { value: 0 }
}

/** sendfile(out, in, [offset], count): with an offset the file's own place stays as it is. */
export const sendfile: Handler = (host, args) => {
  const out = host.descriptors.get(numberAt(args, 0, -1))
  const file = host.descriptors.get(numberAt(args, 1, -1))
  if (out === null || file === null) return fail('EBADF')
  if (!(file instanceof OpenFile) || !(out instanceof Socket)) return fail('EINVAL')
  const hasOffset = isList(args[2])
  const from = hasOffset ? pointedAt(args[2]) : file.at
  const asked = numberAt(args, 3)
  const count = Math.min(asked, Math.max(0, file.length - from))
  if (count === 0) return { value: 0 }
  const finish = (reply: Reply): Reply => {
    if (reply.value < 0) return reply
    if (!hasOffset) file.at += reply.value
    return hasOffset ? { ...reply, outputs: replace(args, { 2: [from + reply.value] }) } : reply
  }
  return after(sendTo(host, out, textOf(null, count), count < asked ? MSG.MORE : 0), finish)
}

/** splice(in, offset, out, offset, count, flags): one of the two is a pipe. */
export const splice: Handler = (host, args) => {
  const from = host.descriptors.get(numberAt(args, 0, -1))
  const to = host.descriptors.get(numberAt(args, 2, -1))
  if (from === null || to === null) return fail('EBADF')
  const [count, flags] = [numberAt(args, 4), numberAt(args, 5)]
  if (count === 0) return { value: 0 }
  // SPLICE_F_NONBLOCK is about the pipe: a socket waits unless it is told not to itself.
  const mayWait = (flags & SPLICE_NONBLOCK) === 0
  if (from instanceof PipeEnd && from.isReader) {
    const most = Math.min(count, from.buffer.held)
    if (most === 0 && from.buffer.isWriterGone) return { value: 0 }
    if (most === 0) return mayWait && !from.isNonblocking ? waitFor(() => null, false) : fail('EAGAIN')
    if (to instanceof OpenFile) return take(from, to, most)
    if (!(to instanceof Socket)) return fail('EINVAL')
    const more = (flags & SPLICE_MORE) !== 0 || count > most ? MSG.MORE : 0
    return after(sendTo(host, to, textOf(null, most), more), (reply) => {
      if (reply.value > 0) from.buffer.held -= reply.value
      return reply
    })
  }
  if (!(to instanceof PipeEnd) || to.isReader) return fail('EINVAL')
  const room = Math.min(count, to.buffer.room)
  if (from instanceof OpenFile) return take(to, from, -Math.min(room, Math.max(0, from.length - from.at)))
  if (!(from instanceof Socket)) return fail('EINVAL')
  return after(receiveFrom(host, from, room, 0), (reply) => {
    if (reply.value > 0) to.buffer.held += reply.value
    return reply
  })
}

/** From a pipe into a file; a negative count from the file into the pipe. */
function take(pipeEnd: PipeEnd, file: OpenFile, count: number): Reply {
  pipeEnd.buffer.held -= count
  file.at += Math.abs(count)
  file.length = Math.max(file.length, file.at)
  return { value: Math.abs(count) }
}

function after(step: Step, finish: (reply: Reply) => Reply): Step {
  if (!('attempt' in step)) return finish(step)
  const attempt = (): Reply | null => {
    const reply = step.attempt()
    return reply === null ? null : finish(reply)
  }
  return { attempt, until: step.until, expired: () => finish(step.expired()) }
}

/** sendmmsg and recvmmsg: one message after another, as long as each succeeds. `one` does a message. */
export function manyMessages(one: Handler, isReceive: boolean): Handler {
  return (host, args) => {
    const vector = isList(args[1]) ? args[1] : []
    const most = Math.min(numberAt(args, 2, vector.length), vector.length)
    const told: Value[] = [...vector]
    for (let i = 0; i < most; i++) {
      const entry = vector[i]
      const message = isFields(entry) ? (entry.msg_hdr ?? entry) : null
      // Only the first message waits: MSG_WAITFORONE is how both are used.
      const flags = numberAt(args, 3) | (i > 0 ? MSG.DONTWAIT : 0)
      const step = one(host, [args[0], message, flags])
      if ('attempt' in step) {
        if (i > 0 || !isReceive) return { value: i, outputs: replace(args, { 1: told }) }
        return after(step, (reply) => (reply.value < 0 ? reply : { value: 1, outputs: replace(args, { 1: told }) }))
      }
      if (step.value < 0) return i === 0 ? step : { value: i, outputs: replace(args, { 1: told }) }
      const filled = step.outputs?.[1] ?? message
      told[i] = { ...(isFields(entry) && 'msg_hdr' in entry ? { msg_hdr: filled } : {}), msg_len: step.value }
    }
    return { value: most, outputs: replace(args, { 1: told }) }
  }
}
