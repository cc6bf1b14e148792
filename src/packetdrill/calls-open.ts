// Calls that make, name, open and close sockets, as Linux has them: socket, bind, listen, accept, connect, shutdown, close, fcntl and the
// names of both ends. Owns: these calls' results and errors. Does not own: the handshake (src/tcp), Fast Open's first text (calls-io.ts).
// Read first: Linux's inet_stream_connect, inet_csk_accept and inet_shutdown say what state allows what.

import { IpAddress } from '../ip/address.ts'
import type { Connection } from '../stack/index.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { TcpError } from '../tcp/errors.ts'
import { endpointOf, fieldOf, numberAt, pointedAt, replace, showEndpoint, socketAt } from './arguments.ts'
import { DatagramSocket } from './datagram.ts'
import { fail, type Handler, type Host, type Reply, type Step } from './host.ts'
import { AF, type Endpoint, Epoll, errorOf, Socket, TCP_STATE } from './sockets.ts'
import type { Value } from './target.ts'

const NEVER = Number.POSITIVE_INFINITY
/** The flag of fcntl, and of socket and accept4. */
export const O_NONBLOCK = 0o4000
const CLOEXEC = 0o2000000
const IPPROTO_TCP = 6
const IPPROTO_MPTCP = 262
const IPPROTO_UDP = 17
const SOCK_STREAM = 1
const SOCK_DGRAM = 2

/** socket(family, type, protocol): TCP and UDP. */
export const socket: Handler = (host, args) => {
  const family = numberAt(args, 0, AF.inet)
  const type = numberAt(args, 1, SOCK_STREAM)
  const protocol = numberAt(args, 2)
  if (family !== AF.inet && family !== AF.inet6) return fail('EAFNOSUPPORT')
  const isDatagram = (type & 0xf) === SOCK_DGRAM
  if ((type & 0xf) !== SOCK_STREAM && !isDatagram) {
    throw new TypeError(`socket: only SOCK_STREAM and SOCK_DGRAM are emulated, not type ${type & 0xf}`)
  }
  if (protocol === IPPROTO_MPTCP) throw new TypeError('socket: Multipath TCP (IPPROTO_MPTCP) is not emulated')
  if (protocol !== 0 && protocol !== (isDatagram ? IPPROTO_UDP : IPPROTO_TCP)) return fail('EPROTONOSUPPORT')
  const made = isDatagram ? new DatagramSocket(family) : new Socket(family)
  made.isNonblocking = (type & O_NONBLOCK) !== 0
  made.isCloseOnExec = (type & CLOEXEC) !== 0
  return { value: host.descriptors.add(made) }
}

/** bind(fd, address, length). */
export const bind: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const wanted = endpointOf(args[1], host.local)
  if (wanted === null) return fail('EINVAL')
  if (wanted.family !== at.family && args[1] !== null) return fail(at.family === AF.inet6 ? 'EINVAL' : 'EAFNOSUPPORT')
  const isAny = wanted.address.isUnspecified
  if (!isAny && !host.stack.ip.isLocal(wanted.address)) return fail('EADDRNOTAVAIL')
  if (at.bound !== null || at.state !== TCP_STATE.CLOSE) return fail('EINVAL')
  const port = wanted.port === 0 ? freePort(host, at, wanted.address) : wanted.port
  if (port === 0 || isTaken(host, at, wanted.address, port)) return fail('EADDRINUSE')
  at.bound = { address: wanted.address, port }
  return { value: 0 }
}

const overlap = (a: IpAddress, b: IpAddress): boolean => a.isUnspecified || b.isUnspecified || a.equals(b)

/** Whether another socket, or a connection that has outlived its own, stands in the way (inet_csk_bind_conflict). */
function isTaken(host: Host, socket: Socket, address: IpAddress, port: number): boolean {
  const reuses = socket.options.get('REUSEADDR') === 1
  const shares = socket.options.get('REUSEPORT') === 1
  for (const other of host.descriptors.sockets()) {
    if (other === socket || other.bound?.port !== port || !overlap(other.bound.address, address)) continue
    const bothReuse = reuses && other.options.get('REUSEADDR') === 1 && other.state !== TCP_STATE.LISTEN
    if (!bothReuse && !(shares && other.options.get('REUSEPORT') === 1)) return true
  }
  if (reuses) return false
  for (const { tcb } of host.stack.tcp.connections()) {
    if (tcb.localPort === port && overlap(tcb.local, address)) return true
  }
  return false
}

function freePort(host: Host, socket: Socket, address: IpAddress): number {
  const { firstPort, lastPort } = host.settings
  for (let port = firstPort; port <= lastPort; port++) if (!isTaken(host, socket, address, port)) return port
  return 0
}

/** listen(fd, backlog): again on a listening socket it changes the backlog. */
export const listen: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  if (at.phase !== 'unconnected') return fail('EINVAL')
  if (at.state !== TCP_STATE.CLOSE && at.state !== TCP_STATE.LISTEN) return fail('EINVAL')
  const backlog = Math.min(numberAt(args, 1) >>> 0, host.settings.somaxconn)
  if (at.listener !== null) {
    at.listener.backlog = backlog + 1 // Linux asks for more than the backlog before it calls the queue full
    return { value: 0 }
  }
  const any = new IpAddress(0, 0, at.family === AF.inet ? 0xffff : 0, 0)
  at.bound ??= { address: any, port: freePort(host, at, any) }
  for (const other of host.descriptors.sockets()) {
    const isSame = other !== at && other.listener !== null && other.bound?.port === at.bound.port
    if (isSame && overlap(other.listener!.address ?? any, at.bound.address) && at.options.get('REUSEPORT') !== 1) {
      return fail('EADDRINUSE')
    }
  }
  return attempt(() => {
    const { address, port } = at.bound!
    at.listener = host.stack.listen({
      ...(address.isUnspecified ? {} : { local: address }),
      port,
      backlog: backlog + 1,
      reusePort: at.options.get('REUSEPORT') === 1,
      md5Key: at.md5Keys.map(({ address, key }) => ({ peer: address, key })),
      config: host.configOf(at, listenerConfig(host, at, backlog)),
    })
    at.listener.user = at
    return { value: 0 }
  })
}

/** What listening adds to a socket's settings: Linux bounds half-open connections by the backlog too. */
export function listenerConfig(host: Host, at: Socket, backlog: number): Partial<TcpConfig> {
  const { fastOpen, somaxconn } = host.settings
  const queue = at.options.get('FASTOPEN') ?? ((fastOpen & 0x400) !== 0 ? somaxconn : 0)
  return {
    synBacklog: Math.max(1, backlog),
    fastOpen: (fastOpen & 2) !== 0 && queue > 0,
    fastOpenCookieless: (fastOpen & 0x200) !== 0 || at.options.get('FASTOPEN_NO_COOKIE') === 1,
    fastOpenQueue: Math.min(queue, 1 << 16),
  }
}

/** Runs what may be refused by the stack. */
function attempt(task: () => Reply): Reply {
  try {
    return task()
  } catch (error) {
    if (error instanceof TcpError) return fail(error.code)
    throw error
  }
}

/** accept(fd, address, length). */
export const accept: Handler = (host, args) => acceptWith(host, args, 0)

/** accept4(fd, address, length, flags). */
export const accept4: Handler = (host, args) => acceptWith(host, args, numberAt(args, 3))

function acceptWith(host: Host, args: readonly Value[], flags: number): Step {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  if (at.listener === null || (flags & ~(O_NONBLOCK | CLOEXEC)) !== 0) return fail('EINVAL')
  const attemptNow = (): Reply | null => {
    if (at.listener === null) return fail('EINVAL')
    const connection = at.listener.accept()
    return connection === null ? null : takeIn(host, at, connection, args, flags)
  }
  const first = attemptNow()
  if (first !== null) return first
  if (at.isNonblocking) return fail('EAGAIN')
  const until = host.now + at.receiveTimeoutUs
  return { attempt: attemptNow, until, expired: () => fail('EAGAIN') }
}

function takeIn(host: Host, listening: Socket, connection: Connection, args: readonly Value[], flags: number): Reply {
  const child = new Socket(listening.family)
  for (const [name, value] of listening.options) child.options.set(name, value)
  child.options.delete('FASTOPEN')
  child.changes = { ...listening.changes }
  child.congestion = listening.congestion
  child.sendTimeoutUs = listening.sendTimeoutUs
  child.receiveTimeoutUs = listening.receiveTimeoutUs
  child.lingerSeconds = listening.lingerSeconds
  child.isNonblocking = (flags & O_NONBLOCK) !== 0
  child.isCloseOnExec = (flags & CLOEXEC) !== 0
  child.connection = connection
  child.phase = 'connected'
  child.bound = { address: connection.local, port: connection.localPort }
  child.error = errorOf(connection)
  connection.user = child
  const peer = { address: connection.remote, port: connection.remotePort }
  const outputs = replace(args, { 1: showEndpoint(args[1], peer, child.family), 2: showLength(args[2], child.family) })
  return { value: host.descriptors.add(child), outputs }
}

const showLength = (given: Value | undefined, family: number): Value =>
  given === null || given === undefined ? null : [family === AF.inet ? 16 : 28]

/** connect(fd, address, length). */
export const connect: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  if (fieldOf(args[1], ['sa_family', 'sin_family', 'sin6_family'], -1) === AF.unspecified) return unconnect(at)
  if (at.phase === 'connected') return fail('EISCONN')
  if (at.phase === 'connecting') {
    return at.deferred !== null ? fail('EISCONN') : waitForConnection(host, at, at.isNonblocking, 'EALREADY')
  }
  if (at.state !== TCP_STATE.CLOSE) return fail('EISCONN')
  const to = endpointOf(args[1], host.remote)
  if (to === null) return fail('EINVAL')
  if (to.family !== at.family && args[1] !== null) return fail('EAFNOSUPPORT')
  if (at.options.get('FASTOPEN_CONNECT') === 1 && defersSyn(host, at, to)) {
    at.deferred = to
    at.phase = 'connecting'
    return { value: 0 }
  }
  const refused = open(host, at, to, {})
  return refused ?? waitForConnection(host, at, at.isNonblocking, 'EINPROGRESS')
}

/** TCP_FASTOPEN_CONNECT: the SYN waits for text only where a cookie is known, or none is needed. */
function defersSyn(host: Host, at: Socket, to: Endpoint): boolean {
  if ((host.settings.fastOpen & 1) === 0) return false
  const isFree = (host.settings.fastOpen & 4) !== 0 || at.options.get('FASTOPEN_NO_COOKIE') === 1
  return isFree || host.stack.tcp.fastOpen.jar.find(to.address, host.now) !== null
}

/** Sends the SYN. Returns why it cannot be, or null. */
export function open(host: Host, at: Socket, to: Endpoint, config: Partial<TcpConfig>): Reply | null {
  const { bound } = at
  const asksCookie = at.options.get('FASTOPEN_CONNECT') === 1 && (host.settings.fastOpen & 1) !== 0
  const reply = attempt(() => {
    const key = at.md5Keys.find(({ address }) => to.address.equals(address))
    const connection = host.stack.connect(
      {
        remote: to.address,
        remotePort: to.port,
        ...(bound === null || bound.address.isUnspecified ? {} : { local: bound.address }),
        ...(bound === null || bound.port === 0 ? {} : { localPort: bound.port }),
        reuseAddress: at.options.get('REUSEADDR') === 1,
        ...(key === undefined ? {} : { md5Key: key.key }),
        config: host.configOf(at, { ...(asksCookie ? { fastOpen: true } : {}), ...config }),
      },
      host.now,
    )
    connection.user = at
    at.connection = connection
    at.phase = 'connecting'
    at.deferred = null
    return { value: 0 }
  })
  if (reply.value >= 0) return null
  return reply.errno === 'EADDRINUSE' ? fail('EADDRNOTAVAIL') : reply // so connect tells that the four numbers are taken
}

/** The second half of inet_stream_connect: the handshake's end, as a call sees it. */
export function waitForConnection(host: Host, at: Socket, isNonblocking: boolean, errno: string): Step {
  const attemptNow = (): Reply | null => {
    if (at.isOpening) return null
    if (at.state !== TCP_STATE.CLOSE) {
      at.phase = 'connected'
      return { value: 0 }
    }
    const error = at.takeError() || 'ECONNABORTED'
    at.disconnect()
    return fail(error)
  }
  const first = attemptNow()
  if (first !== null) return first
  if (isNonblocking) return fail(errno)
  return { attempt: attemptNow, until: host.now + at.sendTimeoutUs, expired: () => fail(errno) }
}

/** connect to AF_UNSPEC: the socket has no connection any more (tcp_disconnect). */
function unconnect(at: Socket): Reply {
  at.listener?.close(true)
  at.listener = null
  const hadConnection = at.connection !== null && at.state !== TCP_STATE.CLOSE
  at.connection?.abort()
  at.disconnect()
  at.error = hadConnection ? 'ECONNRESET' : ''
  return { value: 0 }
}

/** shutdown(fd, how). */
export const shutdown: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const how = numberAt(args, 1)
  if (how < 0 || how > 2) return fail('EINVAL')
  const reads = how !== 1
  const writes = how !== 0
  if (at.phase === 'connecting' && !at.isOpening && at.state !== TCP_STATE.CLOSE) at.phase = 'connected'
  if (at.state === TCP_STATE.LISTEN) return reads ? unconnect(at) : { value: 0 }
  if (at.state === TCP_STATE.SYN_SENT) return unconnect(at)
  if (at.state === TCP_STATE.CLOSE) {
    if (reads) at.isReadShut = true
    if (writes) at.isWriteShut = true
    return fail('ENOTCONN')
  }
  if (reads) at.isReadShut = true
  if (writes && !at.isWriteShut) {
    at.isWriteShut = true
    at.connection?.releaseMore()
    at.connection?.shutdownWrite()
  }
  if (at.isReadShut && at.isWriteShut) at.connection?.refuseText()
  host.wake(at)
  return { value: 0 }
}

/** close(fd): with SO_LINGER it waits until everything is acknowledged. */
export const close: Handler = (host, args) => {
  const fd = numberAt(args, 0, -1)
  const descriptor = host.descriptors.get(fd)
  if (descriptor === null) return fail('EBADF')
  host.descriptors.remove(fd)
  if (descriptor instanceof Epoll && !host.descriptors.holds(descriptor)) {
    for (const item of descriptor.items.values()) item.socket.watchers.delete(item)
    return { value: 0 }
  }
  if (host.descriptors.holds(descriptor)) return { value: 0 }
  if (descriptor.kind === 'pipe') descriptor.close()
  if (descriptor.kind === 'datagram') descriptor.udp?.close()
  return descriptor instanceof Socket ? closeSocket(host, descriptor) : { value: 0 }
}

function closeSocket(host: Host, at: Socket): Step {
  at.watchers.clear()
  const { connection } = at
  if (at.listener !== null) {
    at.listener.user = null
    at.listener.close(true)
    at.listener = null
  }
  if (connection === null) return { value: 0 }
  connection.user = null
  connection.releaseMore()
  connection.close()
  const retransmitTimeoutUs = Math.min(connection.tcb.config.retransmitTimeoutUs, host.settings.orphanTimeoutUs)
  connection.configure({ retransmitTimeoutUs })
  if (at.lingerSeconds <= 0 || connection.linger !== 'waiting') return { value: 0 }
  return {
    attempt: () => (connection.linger === 'waiting' ? null : { value: 0 }),
    until: NEVER,
    expired: () => ({ value: 0 }),
  }
}

/** getsockname(fd, address, length). */
export const getsockname: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const any = { address: new IpAddress(0, 0, at.family === AF.inet ? 0xffff : 0, 0), port: 0 }
  const { connection } = at
  const own = connection === null ? (at.bound ?? any) : { address: connection.local, port: connection.localPort }
  return { value: 0, outputs: named(args, own, at.family) }
}

/** getpeername(fd, address, length). */
export const getpeername: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const { connection, state } = at
  if (connection === null || state === TCP_STATE.CLOSE || state === TCP_STATE.SYN_SENT) return fail('ENOTCONN')
  return { value: 0, outputs: named(args, { address: connection.remote, port: connection.remotePort }, at.family) }
}

function named(args: readonly Value[], endpoint: Endpoint, family: number): Value[] {
  const length = pointedAt(args[2], -1) < 0 ? null : [family === AF.inet ? 16 : 28]
  return replace(args, { 1: showEndpoint(args[1], endpoint, family), 2: length })
}
