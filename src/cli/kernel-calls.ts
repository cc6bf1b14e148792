// The socket calls of a script as calls of the C library: what each takes, whether it may block, what it leaves behind.
// Owns: the table of calls. Does not own: structs (kernel-structs.ts, kernel-messages.ts), making the call (kernel-target.ts).
// Read first: the manual pages of the calls, as recv(2).

import type { Ends, Value } from '../packetdrill/target.ts'
import { ioVector, message } from './kernel-messages.ts'
import type { Plan } from './kernel-plan.ts'
import { selectPlan } from './kernel-select.ts'
import {
  EPOLL_EVENT_BYTES,
  epollEvent,
  numberOf,
  optionRoom,
  optionValue,
  pollFds,
  readEpollEvents,
  readOption,
  readPollFds,
  readSockaddr,
  SOCKADDR_BYTES,
  sockaddr,
} from './kernel-structs.ts'
import { cString, type Memory, memory, type SyscallName, syscall } from './kernel-syscalls.ts'

const AF_INET = 2
const AF_INET6 = 10
const SOCK_NONBLOCK = 0o4000
const F_GETFL = 3
const F_DUPFD: readonly number[] = [0, 1030] // with and without close-on-exec
const MSG_DONTWAIT = 0x40
const MSG_WAITALL = 0x100
const MSG_ERRQUEUE = 0x2000
const POLLIN = 1
const SOL_SOCKET = 1
const SO_LINGER = 13

/** What planning has to know. */
export interface CallContext {
  readonly ends: Ends
  /** A descriptor that becomes readable when everything ends, so that no poll outlasts its script. */
  readonly wakeFd: number
  /** The time of day when the target's clock began, in microseconds. */
  readonly epochUs: number
}

type Planner = (args: readonly Value[], context: CallContext) => Plan

/** Plans a call. @throws {TypeError} for a name that is none of these calls, or arguments that cannot be given to it */
export function planCall(name: string, args: readonly Value[], context: CallContext): Plan {
  const planner = Object.hasOwn(PLANNERS, name) ? PLANNERS[name] : undefined
  if (planner === undefined) {
    throw new TypeError(`there is no call '${name}'; known: ${Object.keys(PLANNERS).sort().join(', ')}`)
  }
  return planner(args, context)
}

/** Whether the flags of a descriptor, or of the call, let it wait. */
function mayWait(fd: number, flags = 0): boolean {
  return (flags & MSG_DONTWAIT) === 0 && (syscall('fcntl', fd, F_GETFL, 0).value & SOCK_NONBLOCK) === 0
}

/** Whether something can be read or accepted at once: then a call that could wait will not. */
function isReadable(fd: number): boolean {
  const fds = memory(8)
  fds.bytes.writeInt32LE(fd, 0)
  fds.bytes.writeUInt16LE(POLLIN, 4)
  return syscall('poll', fds.address, 1, 0).value > 0
}

function plain(
  name: SyscallName,
  args: readonly Value[],
  numbers: readonly number[],
  keep: readonly Memory[] = [],
): Plan {
  return { name, args: numbers, blocks: false, outputs: () => args, keep }
}

/** A call that reads into one buffer. */
const reader =
  (name: 'read' | 'recv' | 'recvfrom'): Planner =>
  (args) => {
    const [fd, count, flags] = [numberOf(args[0]), numberOf(args[2]), numberOf(args[3])]
    const data = memory(count)
    const numbers = [fd, data.address, count]
    if (name !== 'read') numbers.push(flags)
    const keep = [data]
    if (name === 'recvfrom') {
      const [from, length] = [memory(SOCKADDR_BYTES), lengthMemory()]
      keep.push(from, length)
      numbers.push(args[4] === undefined || args[4] === 0 ? 0 : from.address, length.address)
    }
    const blocks = mayWait(fd, flags) && ((flags & MSG_WAITALL) !== 0 || !isReadable(fd))
    return { name, args: numbers, blocks, outputs: () => args, keep }
  }

/** A call that writes one buffer. */
const writer =
  (name: 'write' | 'send' | 'sendto'): Planner =>
  (args, { ends }) => {
    const [fd, flags] = [numberOf(args[0]), numberOf(args[3])]
    const given = typeof args[1] === 'string' ? Buffer.from(args[1]) : null
    const count = numberOf(args[2], given?.length ?? 0)
    const data = memory(count)
    given?.copy(data.bytes)
    const numbers = [fd, data.address, count]
    const keep = [data]
    if (name !== 'write') numbers.push(flags)
    if (name === 'sendto') {
      const hasAddress = args[4] !== undefined && args[4] !== 0
      const to = sockaddr(args[4], ends.family, ends.remote)
      keep.push(to)
      numbers.push(hasAddress ? to.address : 0, hasAddress ? to.length : 0)
    }
    return { name, args: numbers, blocks: mayWait(fd, flags), outputs: () => args, keep }
  }

const vectored =
  (name: 'readv' | 'writev'): Planner =>
  (args) => {
    const fd = numberOf(args[0])
    const keep: Memory[] = []
    const vector = ioVector(args[1], keep)
    const blocks = mayWait(fd) && (name === 'writev' || !isReadable(fd))
    const numbers = [fd, vector.address, numberOf(args[2], vector.count)]
    return { name, args: numbers, blocks, outputs: () => args, keep }
  }

const messages =
  (name: 'sendmsg' | 'recvmsg'): Planner =>
  (args, { ends, epochUs }) => {
    const [fd, flags] = [numberOf(args[0]), numberOf(args[2])]
    const keep: Memory[] = []
    const made = message(args[1], name === 'sendmsg', ends.family, ends.remote, keep, epochUs)
    const neverWaits = (flags & MSG_ERRQUEUE) !== 0
    const blocks =
      !neverWaits && mayWait(fd, flags) && (name === 'sendmsg' || (flags & MSG_WAITALL) !== 0 || !isReadable(fd))
    const outputs = (value: number): readonly Value[] =>
      name === 'recvmsg' && value >= 0 ? [args[0], made.read(), ...args.slice(2)] : args
    return { name, args: [fd, made.address, flags], blocks, outputs, keep }
  }

/** accept, getsockname and getpeername: an address is filled in. */
const addressed =
  (name: 'accept' | 'accept4' | 'getsockname' | 'getpeername'): Planner =>
  (args) => {
    const fd = numberOf(args[0])
    const [address, length] = [memory(SOCKADDR_BYTES), lengthMemory()]
    const isAccept = name === 'accept' || name === 'accept4'
    const numbers = [fd, address.address, length.address]
    if (name === 'accept4') numbers.push(numberOf(args[3]))
    const outputs = (value: number): readonly Value[] =>
      value < 0 ? args : [args[0], readSockaddr(address.bytes), [length.bytes.readInt32LE(0)], ...args.slice(3)]
    const blocks = isAccept && mayWait(fd) && !isReadable(fd)
    return { name, args: numbers, blocks, opens: isAccept, outputs, keep: [address, length] }
  }

function lengthMemory(bytes = SOCKADDR_BYTES): Memory {
  const made = memory(4)
  made.bytes.writeInt32LE(bytes, 0)
  return made
}

const makePipe =
  (name: 'pipe' | 'pipe2'): Planner =>
  (args) => {
    const pair = memory(8)
    const outputs = (): readonly Value[] => [[pair.bytes.readInt32LE(0), pair.bytes.readInt32LE(4)]]
    const numbers = name === 'pipe' ? [pair.address] : [pair.address, numberOf(args[1])]
    return { ...plain(name, args, numbers, [pair]), opens: true, outputs }
  }

const PLANNERS: Readonly<Record<string, Planner>> = {
  socket: (args, { ends }) => {
    const domain = numberOf(args[0], ends.family === 4 ? AF_INET : AF_INET6)
    return { ...plain('socket', args, [domain, numberOf(args[1]), numberOf(args[2])]), opens: true }
  },
  bind: (args, { ends }) => {
    const to = sockaddr(args[1], ends.family, ends.local)
    return plain('bind', args, [numberOf(args[0]), to.address, numberOf(args[2], to.length)], [to])
  },
  listen: (args) => plain('listen', args, [numberOf(args[0]), numberOf(args[1])]),
  connect: (args, { ends }) => {
    const fd = numberOf(args[0])
    const to = sockaddr(args[1], ends.family, ends.remote)
    const made = plain('connect', args, [fd, to.address, numberOf(args[2], to.length)], [to])
    return { ...made, blocks: mayWait(fd) }
  },
  accept: addressed('accept'),
  accept4: addressed('accept4'),
  getsockname: addressed('getsockname'),
  getpeername: addressed('getpeername'),
  read: reader('read'),
  recv: reader('recv'),
  recvfrom: reader('recvfrom'),
  recvmsg: messages('recvmsg'),
  readv: vectored('readv'),
  write: writer('write'),
  send: writer('send'),
  sendto: writer('sendto'),
  sendmsg: messages('sendmsg'),
  writev: vectored('writev'),
  shutdown: (args) => plain('shutdown', args, [numberOf(args[0]), numberOf(args[1])]),
  close: (args) => {
    const fd = numberOf(args[0])
    const [value, length] = [memory(8), lengthMemory(8)]
    const { value: ok } = syscall('getsockopt', fd, SOL_SOCKET, SO_LINGER, value.address, length.address)
    const lingers = ok === 0 && value.bytes.readInt32LE(0) !== 0 && value.bytes.readInt32LE(4) > 0
    return { ...plain('close', args, [fd]), blocks: lingers && mayWait(fd) }
  },
  fcntl: (args) => {
    const made = plain('fcntl', args, [numberOf(args[0]), numberOf(args[1]), numberOf(args[2])])
    return { ...made, opens: F_DUPFD.includes(numberOf(args[1])) }
  },
  ioctl: (args) => {
    const value = memory(8)
    value.bytes.writeInt32LE(numberOf(args[2]) | 0, 0)
    const read = (): Value =>
      Array.isArray(args[2]) || args[2] === null ? [value.bytes.readInt32LE(0)] : value.bytes.readInt32LE(0)
    const outputs = (): readonly Value[] => [args[0], args[1], read()]
    return { ...plain('ioctl', args, [numberOf(args[0]), numberOf(args[1]), value.address], [value]), outputs }
  },
  getsockopt: (args) => {
    const [fd, level, name] = [numberOf(args[0]), numberOf(args[1]), numberOf(args[2])]
    const room = optionRoom(level, name)
    const asked = numberOf(args[4], room)
    const [value, length] = [memory(Math.max(room, asked)), lengthMemory(Math.max(asked, 0))]
    const outputs = (result: number): readonly Value[] => {
      if (result < 0) return args
      const bytes = length.bytes.readInt32LE(0)
      return [args[0], args[1], args[2], readOption(level, name, value.bytes, bytes, args[3] ?? null), [bytes]]
    }
    return { ...plain('getsockopt', args, [fd, level, name, value.address, length.address], [value, length]), outputs }
  },
  setsockopt: (args) => {
    const [fd, level, name] = [numberOf(args[0]), numberOf(args[1]), numberOf(args[2])]
    const value = optionValue(level, name, args[3] ?? null)
    return plain('setsockopt', args, [fd, level, name, value.address, numberOf(args[4], value.length)], [value])
  },
  poll: (args, { wakeFd }) => {
    const list = Array.isArray(args[0]) ? (args[0] as Value[]) : []
    const timeout = numberOf(args[2])
    const count = numberOf(args[1], list.length)
    const blocks = timeout !== 0 && syscall('poll', pollFds(list, wakeFd).address, count, 0).value === 0
    const fds = pollFds(list, wakeFd)
    const numbers = [fds.address, blocks ? list.length + 1 : count, timeout]
    const outputs = (): readonly Value[] => [readPollFds(list, fds.bytes), ...args.slice(1)]
    return { ...plain('poll', args, numbers, [fds]), blocks, outputs }
  },
  select: (args, { wakeFd }) => selectPlan(args, 1e-3, 'tv_usec', wakeFd),
  pselect: (args, { wakeFd }) => selectPlan(args, 1e-6, 'tv_nsec', wakeFd),
  dup: (args) => ({ ...plain('dup', args, [numberOf(args[0])]), opens: true }),
  dup2: (args) => ({ ...plain('dup2', args, [numberOf(args[0]), numberOf(args[1])]), opens: true }),
  epoll_create: (args) => ({ ...plain('epoll_create', args, [numberOf(args[0], 1)]), opens: true }),
  epoll_ctl: (args) => {
    const event = epollEvent(args[3] ?? null)
    const numbers = [numberOf(args[0]), numberOf(args[1]), numberOf(args[2]), event.address]
    return plain('epoll_ctl', args, numbers, [event])
  },
  epoll_wait: (args, { wakeFd }) => {
    const [fd, most, timeout] = [numberOf(args[0]), Math.max(1, numberOf(args[2], 1)), numberOf(args[3])]
    const events = memory(EPOLL_EVENT_BYTES * most)
    const outputs = (value: number): readonly Value[] => {
      if (value <= 0) return args
      const found = readEpollEvents(value, events.bytes, args[1] ?? null)
      return [args[0], Array.isArray(args[1]) ? found : found[0], ...args.slice(2)]
    }
    const call = [fd, events.address, numberOf(args[2], 1), 0]
    if (timeout === 0 || isReadable(fd)) return { ...plain('epoll_wait', args, call, [events]), outputs }
    const fds = pollFds([{ fd, events: POLLIN }], wakeFd)
    const wait = plain('poll', args, [fds.address, 2, timeout], [fds, events])
    return { ...wait, blocks: true, follow: ['epoll_wait', call], outputs }
  },
  pipe: makePipe('pipe'),
  pipe2: makePipe('pipe2'),
  epoll_create1: (args) => ({ ...plain('epoll_create1', args, [numberOf(args[0])]), opens: true }),
  // A file of the script's own lives in memory: nothing of this machine is read or written.
  open: (args) => {
    const path = typeof args[0] === 'string' ? args[0] : ''
    const isDevice = path === '/dev/zero' || path === '/dev/null'
    const text = cString(isDevice ? path : 'packetdrill')
    if (isDevice) return { ...plain('open', args, [text.address, numberOf(args[1]), 0], [text]), opens: true }
    return { ...plain('memfd_create', args, [text.address, 0], [text]), opens: true }
  },
  lseek: (args) =>
    plain(
      'lseek',
      args,
      args.map((one) => numberOf(one)),
    ),
  ftruncate: (args) =>
    plain(
      'ftruncate',
      args,
      args.map((one) => numberOf(one)),
    ),
  sendfile: (args) => {
    const offset = memory(8)
    const hasOffset = Array.isArray(args[2])
    offset.bytes.writeBigInt64LE(BigInt(numberOf(args[2])), 0)
    const numbers = [numberOf(args[0]), numberOf(args[1]), hasOffset ? offset.address : 0, numberOf(args[3])]
    const outputs = (): readonly Value[] =>
      hasOffset ? [args[0], args[1], [Number(offset.bytes.readBigInt64LE(0))], args[3]] : args
    return { ...plain('sendfile', args, numbers, [offset]), blocks: mayWait(numbers[0]), outputs }
  },
  ppoll: (args, context) => {
    const limit = args[2]
    const isTimed = typeof limit === 'object' && limit !== null && !Array.isArray(limit)
    const fields = (isTimed ? limit : {}) as Readonly<Record<string, Value>>
    const ms = isTimed ? numberOf(fields.tv_sec) * 1000 + Math.ceil(numberOf(fields.tv_nsec) / 1e6) : -1
    return PLANNERS.poll([args[0], args[1], ms], context)
  },
  splice: (args) => {
    const numbers = [numberOf(args[0]), 0, numberOf(args[2]), 0, numberOf(args[4]), numberOf(args[5])]
    return { ...plain('splice', args, numbers), blocks: mayWait(numbers[0]) || mayWait(numbers[2]) }
  },
}
