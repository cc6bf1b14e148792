// The calls of UDP sockets, as Linux has them: one datagram a call, errors of ICMP told to the next one.
// Owns: what a call takes, gives, waits for and fails with. Does not own: UDP (src/udp), calls that all descriptors have (calls-open.ts).
// Read first: udp(7), ip(7).

import { SECOND } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'
import type { Datagram } from '../udp/index.ts'
import { UdpError } from '../udp/index.ts'
import {
  endpointOf,
  fieldOf,
  gather,
  isFields,
  isList,
  numberAt,
  pointedAt,
  replace,
  showEndpoint,
  textOf,
  vectorOf,
} from './arguments.ts'
import { MSG } from './calls-io.ts'
import { DatagramSocket } from './datagram.ts'
import { errnoOf } from './errnos.ts'
import { fail, type Handler, type Host, type Reply, type Step } from './host.ts'
import { AF, type Endpoint } from './sockets.ts'
import type { Value } from './target.ts'

const NEVER = Number.POSITIVE_INFINITY
const FIONREAD = 0x541b
const SIOCOUTQ = 0x5411
const LEVEL = { ip: 0, socket: 1, ipv6: 41 } as const

/** What a handler of this file is given. */
type Call = (host: Host, at: DatagramSocket, args: readonly Value[]) => Step

/** Gives the socket a port, if it has none yet. */
function openAt(host: Host, at: DatagramSocket, local: IpAddress | null, port: number): Reply | null {
  if (at.udp !== null) return null
  try {
    const families = at.family === AF.inet ? 4 : at.options.get('41:26') === 1 ? 6 : 'both'
    const isShared = at.options.get('1:2') === 1
    at.udp = host.stack.udp.open({ families, local, port, reuseAddress: isShared })
    at.udp.user = at
    applyOptions(at)
    return null
  } catch (error) {
    return refusal(error)
  }
}

function refusal(error: unknown): Reply {
  if (error instanceof UdpError) return fail(error.code)
  throw error
}

const PATH_MTU = ['dont', 'want', 'do', 'do'] as const

/** What was set before there was a port. */
function applyOptions({ udp, options }: DatagramSocket): void {
  if (udp === null) return
  udp.hopLimit = Math.max(0, options.get('0:2') ?? options.get('41:16') ?? 0)
  udp.mayBroadcast = options.get('1:6') === 1
  udp.pathMtuDiscovery = PATH_MTU[options.get('0:10') ?? options.get('41:23') ?? 1] ?? 'want'
}

const bind: Call = (host, at, args) => {
  const wanted = endpointOf(args[1], host.local)
  if (wanted === null || at.udp !== null) return fail('EINVAL')
  return openAt(host, at, wanted.address, wanted.port) ?? { value: 0 }
}

const connect: Call = (host, at, args) => {
  if (fieldOf(args[1], ['sa_family', 'sin_family', 'sin6_family'], -1) === AF.unspecified) {
    at.udp?.disconnect()
    return { value: 0 }
  }
  const to = endpointOf(args[1], host.remote)
  if (to === null) return fail('EINVAL')
  const refused = openAt(host, at, null, 0)
  if (refused !== null) return refused
  try {
    at.udp?.connect(to.address, to.port)
    return { value: 0 }
  } catch (error) {
    return refusal(error)
  }
}

/** An error that has come goes before the datagram. */
function send(host: Host, at: DatagramSocket, data: Uint8Array, flags: number, given: Endpoint | null): Step {
  if ((flags & MSG.OOB) !== 0) return fail('EOPNOTSUPP')
  if ((flags & MSG.MORE) !== 0) throw new TypeError('MSG_MORE is not emulated for UDP: write a datagram in one call')
  const to = given ?? at.peer
  if (to === null) return fail('EDESTADDRREQ')
  if (at.error !== '') return fail(at.takeError())
  if (at.isWriteShut) return fail('EPIPE')
  const refused = openAt(host, at, null, 0)
  if (refused !== null) return refused
  const error = at.udp?.send(data, to.address, to.port) ?? null
  return error === null ? { value: data.length } : fail(error.code)
}

const write: Call = (host, at, args) => send(host, at, textOf(args[1], numberAt(args, 2)), numberAt(args, 3), null)
const writev: Call = (host, at, args) => send(host, at, gather(vectorOf(args[1])), 0, null)

const sendto: Call = (host, at, args) => {
  const to = args[4] === 0 || args[4] === undefined ? null : endpointOf(args[4], host.remote)
  return send(host, at, textOf(args[1], numberAt(args, 2)), numberAt(args, 3), to)
}

const sendmsg: Call = (host, at, args) => {
  const message = args[1]
  if (!isFields(message)) return fail('EFAULT')
  const to = isFields(message.msg_name) ? endpointOf(message.msg_name, host.remote) : null
  return send(host, at, gather(vectorOf(message.msg_iov)), numberAt(args, 2), to)
}

type Finish = (taken: Datagram, reply: Reply) => Reply

/** Waits for a datagram or an error. */
function receive(host: Host, at: DatagramSocket, room: number, flags: number, finish: Finish): Step {
  const attempt = (): Reply | null => {
    if (at.error !== '') return fail(at.takeError())
    const next = (flags & MSG.PEEK) !== 0 ? at.peek() : at.receive()
    if (next === null) return at.isReadShut ? { value: 0 } : null
    const length = next.data.length
    return finish(next, { value: (flags & MSG.TRUNC) !== 0 ? length : Math.min(room, length) })
  }
  if ((flags & MSG.ERRQUEUE) !== 0) return fail('EAGAIN')
  const first = attempt()
  if (first !== null) return first
  if (at.isNonblocking || (flags & MSG.DONTWAIT) !== 0) return fail('EAGAIN')
  return { attempt, until: host.now + at.receiveTimeoutUs, expired: () => fail('EAGAIN') }
}

const sourceOf = ({ source, sourcePort }: Datagram): Endpoint => ({ address: source, port: sourcePort })
const lengthOf = (at: DatagramSocket): readonly number[] => [at.family === AF.inet ? 16 : 28]

const read: Call = (host, at, args) => {
  return receive(host, at, numberAt(args, 2), numberAt(args, 3), (taken, reply) => {
    const from = showEndpoint(args[4], sourceOf(taken), at.family)
    return args.length > 4 ? { ...reply, outputs: replace(args, { 4: from, 5: lengthOf(at) }) } : reply
  })
}

const roomOf = (vector: Value | undefined): number => vectorOf(vector).reduce((sum, { length }) => sum + length, 0)
const readv: Call = (host, at, args) => receive(host, at, roomOf(args[1]), 0, (_, reply) => reply)

const recvmsg: Call = (host, at, args) => {
  const message = isFields(args[1]) ? args[1] : {}
  const room = roomOf(message.msg_iov)
  return receive(host, at, room, numberAt(args, 2), (taken, reply) => {
    const told = {
      ...message,
      msg_name: showEndpoint(message.msg_name, sourceOf(taken), at.family),
      msg_flags: taken.data.length > room ? MSG.TRUNC : 0,
      msg_control: controlOf(at, taken),
    }
    return { ...reply, outputs: replace(args, { 1: told }) }
  })
}

/** IP_RECVTTL, IP_RECVTOS and those of IPv6. */
function controlOf({ options }: DatagramSocket, { hopLimit, trafficClass }: Datagram): Value[] {
  const control: Value[] = []
  const tell = (asked: string, level: number, type: number, data: number): void => {
    if (options.get(asked) === 1) control.push({ cmsg_level: level, cmsg_type: type, cmsg_data: data })
  }
  tell('0:12', LEVEL.ip, 2, hopLimit)
  tell('0:13', LEVEL.ip, 1, trafficClass)
  tell('41:51', LEVEL.ipv6, 52, hopLimit)
  tell('41:66', LEVEL.ipv6, 67, trafficClass)
  return control
}

const getsockname: Call = (_, at, args) => {
  const any = new IpAddress(0, 0, at.family === AF.inet ? 0xffff : 0, 0)
  const own = { address: at.udp?.local ?? any, port: at.udp?.port ?? 0 }
  return { value: 0, outputs: replace(args, { 1: showEndpoint(args[1], own, at.family), 2: lengthOf(at) }) }
}

const getpeername: Call = (_, at, args) => {
  const { peer } = at
  if (peer === null) return fail('ENOTCONN')
  return { value: 0, outputs: replace(args, { 1: showEndpoint(args[1], peer, at.family), 2: lengthOf(at) }) }
}

const setsockopt: Call = (_, at, args) => {
  const [level, number] = [numberAt(args, 1), numberAt(args, 2)]
  const raw = isList(args[3]) && args[3].length === 1 ? args[3][0] : (args[3] ?? null)
  const value = pointedAt(raw)
  if ((level === LEVEL.ip && number === 1) || (level === LEVEL.ipv6 && number === 67)) {
    throw new TypeError('IP_TOS and IPV6_TCLASS of a UDP socket are not emulated')
  }
  if (level === LEVEL.socket && number === 20) {
    const us = fieldOf(raw, ['tv_sec'], value) * SECOND + fieldOf(raw, ['tv_usec'])
    at.receiveTimeoutUs = us === 0 ? NEVER : us
    return { value: 0 }
  }
  if (level !== LEVEL.ip && level !== LEVEL.socket && level !== LEVEL.ipv6) return fail('ENOPROTOOPT')
  at.options.set(`${level}:${number}`, value)
  applyOptions(at)
  return { value: 0 }
}

const getsockopt: Call = (_, at, args) => {
  const [level, number] = [numberAt(args, 1), numberAt(args, 2)]
  const own = new Map([
    ['1:3', 2],
    ['1:38', 17],
    ['1:39', at.family],
  ])
  const key = `${level}:${number}`
  const isError = key === '1:4'
  const error = isError ? at.takeError() : ''
  const value = error === '' ? (own.get(key) ?? at.options.get(key) ?? 0) : errnoOf(error)
  return { value: 0, outputs: replace(args, { 3: [value] }) }
}

const ioctl: Call = (_, at, args) => {
  const request = numberAt(args, 1)
  if (request !== FIONREAD && request !== SIOCOUTQ) return fail('ENOTTY')
  const number = request === FIONREAD ? (at.peek()?.data.length ?? 0) : 0
  return { value: 0, outputs: replace(args, { 2: isList(args[2]) ? [number] : number }) }
}

const shutdown: Call = (_, at, args) => {
  const how = numberAt(args, 1)
  if (how < 0 || how > 2) return fail('EINVAL')
  if (at.peer === null) return fail('ENOTCONN')
  if (how !== 1) at.isReadShut = true
  if (how !== 0) at.isWriteShut = true
  return { value: 0 }
}

const unsupported: Call = () => fail('EOPNOTSUPP')

const CALLS: Readonly<Record<string, Call>> = {
  accept: unsupported,
  accept4: unsupported,
  bind,
  connect,
  getpeername,
  getsockname,
  getsockopt,
  ioctl,
  listen: unsupported,
  read,
  readv,
  recv: read,
  recvfrom: read,
  recvmsg,
  send: write,
  sendmsg,
  sendto,
  setsockopt,
  shutdown,
  write,
  writev,
}

/** The handler of a call whose first argument is a UDP socket; null for calls that all descriptors have, and for other descriptors. */
export function datagramCall(host: Host, name: string, args: readonly Value[]): Handler | null {
  const at = typeof args[0] === 'number' ? host.descriptors.get(args[0]) : null
  if (!(at instanceof DatagramSocket) || !Object.hasOwn(CALLS, name)) return null
  return (host, args) => CALLS[name](host, at, args)
}
