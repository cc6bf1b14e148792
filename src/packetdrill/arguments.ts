// The arguments of calls as scripts write them: numbers, buffers, socket addresses, vectors; and the same on the way back.
// Owns: these shapes. Does not own: what the calls do (calls-*.ts), the language (parser.ts).

import { type IpAddress, parseAddress } from '../ip/address.ts'
import type { Host } from './host.ts'
import { AF, type Endpoint, Epoll, Socket } from './sockets.ts'
import type { Value } from './target.ts'

/** The port that `...` stands for in bind and connect: packetdrill's own default. */
export const DEFAULT_PORT = 8080

/** A record of a script. */
export type Fields = { readonly [field: string]: Value }

/** Whether a value is a record. */
export function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a value is a list. */
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value)
}

/** A number; `...` and nothing are `otherwise`. @throws {TypeError} for anything else */
export function numberAt(args: readonly Value[], index: number, otherwise = 0): number {
  const value = args[index]
  if (value === undefined || value === null) return otherwise
  if (typeof value !== 'number') throw new TypeError(`argument ${index + 1} of the call must be a number`)
  return value
}

/** A number in a pointer's place: `[1]`, or plain. */
export function pointedAt(value: Value | undefined, otherwise = 0): number {
  const inner = isList(value) ? value[0] : value
  return typeof inner === 'number' ? inner : otherwise
}

/** A number in one of the fields of a record. */
export function fieldOf(value: Value | undefined, names: readonly string[], otherwise = 0): number {
  if (!isFields(value)) return otherwise
  for (const name of names) {
    const field = value[name]
    if (typeof field === 'number') return field
    if (isList(field) && typeof field[0] === 'number') return field[0]
  }
  return otherwise
}

/** What a descriptor stands for, or the name of the error: EBADF, ENOTSOCK. */
export function socketAt(host: Host, args: readonly Value[]): Socket | 'EBADF' | 'ENOTSOCK' {
  const found = host.descriptors.get(numberAt(args, 0, -1))
  if (found === null) return 'EBADF'
  return found instanceof Socket ? found : 'ENOTSOCK'
}

/** The epoll instance of a descriptor, or the name of the error. */
export function epollAt(host: Host, args: readonly Value[]): Epoll | 'EBADF' | 'EINVAL' {
  const found = host.descriptors.get(numberAt(args, 0, -1))
  if (found === null) return 'EBADF'
  return found instanceof Epoll ? found : 'EINVAL'
}

/** A socket address; `...` stands for the given address and port 8080. Null when it is none. */
export function endpointOf(value: Value | undefined, otherwise: IpAddress): (Endpoint & { family: number }) | null {
  const usual = otherwise.family === 4 ? AF.inet : AF.inet6
  if (value === null || value === undefined) return { address: otherwise, port: DEFAULT_PORT, family: usual }
  if (!isFields(value)) return null
  const family = fieldOf(value, ['sa_family', 'sin_family', 'sin6_family'], usual)
  const port = fieldOf(value, ['sin_port', 'sin6_port'], DEFAULT_PORT)
  const text = value.sin_addr ?? value.sin6_addr ?? null
  if (typeof text !== 'string') return { address: otherwise, port, family }
  const address = parseAddress(text)
  return address === null ? null : { address, port, family }
}

/** A socket address for the script: in the shape that it gave, which may be `...`. */
export function showEndpoint(given: Value | undefined, { address, port }: Endpoint, family: number): Value {
  if (!isFields(given)) return given ?? null
  const isMapped = family === AF.inet6 && address.family === 4
  const text = isMapped ? `::ffff:${address}` : String(address)
  if ('sin6_addr' in given) return { ...given, sa_family: family, sin6_port: port, sin6_addr: text }
  return { ...given, sa_family: family, sin_port: port, sin_addr: text }
}

/** The arguments with some of them replaced. */
export function replace(args: readonly Value[], changes: Readonly<Record<number, Value>>): Value[] {
  return args.map((value, index) => (Object.hasOwn(changes, index) ? changes[index] : value))
}

let zeros = new Uint8Array(4096)

/** The text of a write: a string's bytes, zeros for `...`; `length` of them. Borrowed: not to be changed. */
export function textOf(value: Value | undefined, length: number): Uint8Array {
  if (typeof value === 'string' && value.length > 0) {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < Math.min(length, value.length); i++) bytes[i] = value.charCodeAt(i)
    return bytes
  }
  if (zeros.length < length) zeros = new Uint8Array(length)
  return zeros.subarray(0, length)
}

/** The pieces of an iovec: `[{..., 1000}, {..., 500}]`, each a list or a record. */
export function vectorOf(value: Value | undefined): { base: Value; length: number }[] {
  if (!isList(value)) return []
  return value.map((piece) => {
    if (isList(piece)) return { base: piece[0] ?? null, length: pointedAt(piece[1]) }
    if (isFields(piece)) return { base: piece.iov_base ?? null, length: fieldOf(piece, ['iov_len']) }
    return { base: null, length: typeof piece === 'number' ? piece : 0 }
  })
}

/** The text of a whole vector. */
export function gather(pieces: readonly { base: Value; length: number }[]): Uint8Array {
  if (pieces.length === 1) return textOf(pieces[0].base, pieces[0].length)
  const text = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const { base, length } of pieces) {
    text.set(textOf(base, length), at)
    at += length
  }
  return text
}
