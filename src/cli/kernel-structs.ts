// Linux's structs of socket calls, written from a script's values and read back into them. Little-endian, as every machine that Node drives
// a TUN device on.
// Owns: sockaddr, linger, timeval, pollfd, epoll_event, iovec, msghdr, cmsghdr, options of sockets. Does not own: which call takes what
// (kernel-calls.ts), struct tcp_info (tcp-info-struct.ts).
// Read first: socket(7), tcp(7), recvmsg(2), cmsg(3).

import { parseAddress } from '../ip/index.ts'
import type { Value } from '../packetdrill/target.ts'
import { cString, type Memory, memory } from './kernel-syscalls.ts'
import { readTcpInfo, TCP_INFO_BYTES } from './tcp-info-struct.ts'

const AF_INET = 2
const AF_INET6 = 10
const SOL_SOCKET = 1
const IPPROTO_TCP = 6
const SO_LINGER = 13
const TIMEOUTS: readonly number[] = [20, 21, 66, 67] // SO_RCVTIMEO, SO_SNDTIMEO, by their old and new numbers
const TCP_INFO = 11
const TCP_CONGESTION = 13
const TCP_CC_INFO = 26
const TCP_ULP = 31
/** What `...` stands for in bind and connect. */
export const DEFAULT_PORT = 8080
/** Room for any address. */
export const SOCKADDR_BYTES = 128

/** A struct of the script's. */
export type Fields = { readonly [field: string]: Value }

/** Whether a value is a struct. */
export function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A number, or that inside `[4]`; `otherwise` for everything else. */
export function numberOf(value: Value | undefined, otherwise = 0): number {
  if (typeof value === 'number') return value
  return Array.isArray(value) && value.length > 0 ? numberOf((value as Value[])[0], otherwise) : otherwise
}

/** A field by the first of the names that is there; names may carry a count, as `msg_iov(1)`. */
export function field(fields: Fields, ...names: readonly string[]): Value | undefined {
  for (const [key, value] of Object.entries(fields)) {
    if (names.includes(key.replace(/\(.*$/, ''))) return value
  }
  return undefined
}

/** A socket address; what the script leaves open is `address` and DEFAULT_PORT. @throws {TypeError} for an address that is none */
export function sockaddr(
  value: Value | undefined,
  family: 4 | 6,
  address: string,
): Memory & { readonly length: number } {
  const fields = isFields(value) ? value : {}
  const kind = numberOf(field(fields, 'sa_family', 'sin_family', 'sin6_family'), family === 4 ? AF_INET : AF_INET6)
  const port = numberOf(field(fields, 'sin_port', 'sin6_port'), DEFAULT_PORT)
  const given = field(fields, 'sin_addr', 'sin6_addr')
  const made = memory(SOCKADDR_BYTES)
  made.bytes.writeUInt16LE(kind & 0xffff, 0)
  made.bytes.writeUInt16BE(port & 0xffff, 2)
  const isLong = kind === AF_INET6
  const at = isLong ? 8 : 4
  if (typeof given === 'number') {
    made.bytes.writeUInt32BE(given >>> 0, at)
  } else if (kind === AF_INET || isLong) {
    const text = typeof given === 'string' ? given : address
    const parsed = parseAddress(text === '' ? (isLong ? '::' : '0.0.0.0') : text)
    if (parsed === null) throw new TypeError(`'${text}' is no IPv4 or IPv6 address`)
    if (parsed.family === 6 || !isLong) parsed.write(made.bytes, at)
    else Buffer.from(`00000000000000000000ffff${hexOf(parsed.toString())}`, 'hex').copy(made.bytes, at)
  }
  return { ...made, length: isLong ? 28 : 16 }
}

function hexOf(ipv4: string): string {
  return Buffer.from(ipv4.split('.').map(Number)).toString('hex')
}

/** Reads an address that the kernel has filled in. */
export function readSockaddr(bytes: Buffer): Value {
  const kind = bytes.readUInt16LE(0)
  const port = bytes.readUInt16BE(2)
  if (kind === AF_INET) return { sa_family: kind, sin_port: port, sin_addr: bytes.subarray(4, 8).join('.') }
  if (kind !== AF_INET6) return { sa_family: kind }
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(8 + 2 * i).toString(16))
  return { sa_family: kind, sin6_port: port, sin6_addr: parseAddress(groups.join(':'))?.toString() ?? '' }
}

/** The value of an option for setsockopt, by what the option takes. */
export function optionValue(level: number, name: number, value: Value): Memory & { readonly length: number } {
  if (typeof value === 'string') {
    const made = cString(value)
    return { ...made, length: Buffer.byteLength(value) + (level === IPPROTO_TCP && name === TCP_ULP ? 0 : 1) }
  }
  if (level === SOL_SOCKET && name === SO_LINGER && isFields(value)) {
    return words([numberOf(field(value, 'onoff', 'l_onoff')), numberOf(field(value, 'linger', 'l_linger'))])
  }
  if (isFields(value)) {
    const made = memory(16) // struct timeval
    made.bytes.writeBigInt64LE(BigInt(numberOf(field(value, 'tv_sec'))), 0)
    made.bytes.writeBigInt64LE(BigInt(numberOf(field(value, 'tv_usec'))), 8)
    return { ...made, length: 16 }
  }
  return words(Array.isArray(value) ? (value as Value[]).map((one) => numberOf(one)) : [numberOf(value)])
}

function words(numbers: readonly number[]): Memory & { readonly length: number } {
  const made = memory(4 * numbers.length)
  for (const [i, number] of numbers.entries()) made.bytes.writeInt32LE(number | 0, 4 * i)
  return { ...made, length: 4 * numbers.length }
}

/** How many bytes an option's value may take. */
export function optionRoom(level: number, name: number): number {
  if (level === IPPROTO_TCP && name === TCP_INFO) return TCP_INFO_BYTES
  if (level === IPPROTO_TCP && (name === TCP_CONGESTION || name === TCP_ULP)) return 16
  if (level === IPPROTO_TCP && name === TCP_CC_INFO) return 32
  if (level === SOL_SOCKET && name === SO_LINGER) return 8
  return level === SOL_SOCKET && TIMEOUTS.includes(name) ? 16 : 4
}

/** Reads an option's value in the shape in which the script asked for it. */
export function readOption(level: number, name: number, bytes: Buffer, length: number, asked: Value): Value {
  if (level === IPPROTO_TCP && name === TCP_INFO) return readTcpInfo(bytes, length)
  if (level === IPPROTO_TCP && (name === TCP_CONGESTION || name === TCP_ULP)) {
    return bytes.toString('latin1', 0, length).replace(/\0.*$/s, '')
  }
  if (level === IPPROTO_TCP && name === TCP_CC_INFO) return readControllerInfo(bytes, length)
  if (level === SOL_SOCKET && name === SO_LINGER)
    return { l_onoff: bytes.readInt32LE(0), l_linger: bytes.readInt32LE(4) }
  if (level === SOL_SOCKET && TIMEOUTS.includes(name)) {
    return { tv_sec: Number(bytes.readBigInt64LE(0)), tv_usec: Number(bytes.readBigInt64LE(8)) }
  }
  const value = length === 1 ? bytes[0] : bytes.readInt32LE(0)
  return typeof asked === 'number' ? value : [value]
}

/** union tcp_cc_info: BBR's has five words, DCTCP's four; others tell nothing. */
function readControllerInfo(bytes: Buffer, length: number): Value {
  const word = (i: number): number => bytes.readUInt32LE(4 * i)
  if (length >= 20) {
    return {
      bbr_bw_lo: word(0),
      bbr_bw_hi: word(1),
      bbr_min_rtt: word(2),
      bbr_pacing_gain: word(3),
      bbr_cwnd_gain: word(4),
    }
  }
  if (length < 16) return {}
  return {
    dctcp_enabled: bytes.readUInt16LE(0),
    dctcp_ce_state: bytes.readUInt16LE(2),
    dctcp_alpha: word(1),
    dctcp_ab_ecn: word(2),
    dctcp_ab_tot: word(3),
  }
}

/** What poll is given: struct pollfd, and one more for `extra`, which is no concern of the script's. */
export function pollFds(list: readonly Value[], extra: number): Memory {
  const made = memory(8 * (list.length + 1))
  for (const [i, one] of list.entries()) {
    const fields = isFields(one) ? one : {}
    made.bytes.writeInt32LE(numberOf(field(fields, 'fd'), -1), 8 * i)
    made.bytes.writeUInt16LE(numberOf(field(fields, 'events')) & 0xffff, 8 * i + 4)
  }
  made.bytes.writeInt32LE(extra, 8 * list.length)
  made.bytes.writeUInt16LE(1, 8 * list.length + 4) // POLLIN
  return made
}

/** What poll has answered, in the script's structs. */
export function readPollFds(list: readonly Value[], bytes: Buffer): Value[] {
  return list.map((one, i) => ({ ...(isFields(one) ? one : {}), revents: bytes.readUInt16LE(8 * i + 6) }))
}

/** struct epoll_event is packed on x86-64 only. */
export const EPOLL_EVENT_BYTES = process.arch === 'x64' ? 12 : 16
const EPOLL_DATA = EPOLL_EVENT_BYTES - 8
const EPOLL_FIELDS = ['fd', 'u32', 'u64', 'ptr']

/** struct epoll_event for epoll_ctl. */
export function epollEvent(value: Value): Memory {
  const made = memory(16)
  const fields = isFields(value) ? value : {}
  made.bytes.writeUInt32LE(numberOf(field(fields, 'events')) >>> 0, 0)
  made.bytes.writeBigInt64LE(BigInt(numberOf(field(fields, ...EPOLL_FIELDS))), EPOLL_DATA)
  return made
}

/** What epoll_wait has filled in, with the data under the name that the script has for it. */
export function readEpollEvents(count: number, bytes: Buffer, asked: Value): Value[] {
  const first = Array.isArray(asked) ? (asked as Value[])[0] : asked
  const name = isFields(first) ? (EPOLL_FIELDS.find((one) => field(first, one) !== undefined) ?? 'fd') : 'fd'
  return Array.from({ length: Math.max(0, count) }, (_, i) => ({
    events: bytes.readUInt32LE(EPOLL_EVENT_BYTES * i),
    [name]: Number(bytes.readBigInt64LE(EPOLL_EVENT_BYTES * i + EPOLL_DATA)),
  }))
}
