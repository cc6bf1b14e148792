// fcntl, dup and dup2: the flags of descriptors, and further numbers for them.
// Owns: these calls. Does not own: the table of descriptors (sockets.ts), closing (calls-open.ts).

import { numberAt } from './arguments.ts'
import { close, O_NONBLOCK } from './calls-open.ts'
import { fail, type Handler } from './host.ts'

const O_RDWR = 2

/** fcntl(fd, command, argument): the flags of descriptor and file. */
export const fcntl: Handler = (host, args) => {
  const at = host.descriptors.get(numberAt(args, 0, -1))
  if (at === null) return fail('EBADF')
  const value = numberAt(args, 2)
  switch (numberAt(args, 1)) {
    case 0: // F_DUPFD
    case 1030: // F_DUPFD_CLOEXEC
      return { value: host.descriptors.add(at) }
    case 1: // F_GETFD
      return { value: at.isCloseOnExec ? 1 : 0 }
    case 2: // F_SETFD
      at.isCloseOnExec = (value & 1) !== 0
      return { value: 0 }
    case 3: // F_GETFL
      return { value: O_RDWR | (at.isNonblocking ? O_NONBLOCK : 0) }
    case 4: // F_SETFL
      at.isNonblocking = (value & O_NONBLOCK) !== 0
      return { value: 0 }
    default:
      return fail('EINVAL')
  }
}

/** dup(fd): the socket is closed with its last descriptor. */
export const dup: Handler = (host, args) => {
  const at = host.descriptors.get(numberAt(args, 0, -1))
  return at === null ? fail('EBADF') : { value: host.descriptors.add(at) }
}

/** dup2(fd, wanted): what stood there before is closed. */
export const dup2: Handler = (host, args) => {
  const at = host.descriptors.get(numberAt(args, 0, -1))
  const wanted = numberAt(args, 1, -1)
  if (at === null || wanted < 0) return fail('EBADF')
  if (host.descriptors.get(wanted) !== null && host.descriptors.get(wanted) !== at) close(host, [wanted])
  host.descriptors.put(wanted, at)
  return { value: wanted }
}
