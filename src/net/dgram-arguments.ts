// What callers may hand to a UDP socket, as Node's dgram takes it.
// Owns: reading arguments, Node's errors for what cannot be meant. Does not own: what is done with them (dgram.ts).
// Read first: https://nodejs.org/docs/latest-v20.x/api/dgram.html

import type { LookupFunction } from 'node:net'
import { type IpAddress, parseAddress } from '../ip/address.ts'
import { parseLiteral } from './options.ts'
import { nodeError, notFoundError } from './socket-errors.ts'

/** What a datagram can be given as: one piece, or several that are joined. */
export type DatagramData = string | ArrayBufferView | readonly (string | ArrayBufferView)[]

/** Called when a datagram is queued, with its length in bytes, or could not be. */
export type SendCallback = (error: Error | null, bytes?: number) => void

/** Options of `host.createSocket`. */
export interface DgramOptions {
  readonly type: 'udp4' | 'udp6'
  /** Several sockets that say so may have one address and port; the last to be bound gets what comes for one host. */
  readonly reuseAddr?: boolean
  /** For 'udp6': take no IPv4. Default false: bound to '::', it takes both, IPv4 as `::ffff:a.b.c.d`. */
  readonly ipv6Only?: boolean
  /** Bytes of the receive buffer. */
  readonly recvBufferSize?: number
  /** Resolves names; by default the host's. */
  readonly lookup?: LookupFunction
  /** Closes the socket when it aborts. */
  readonly signal?: AbortSignal
}

/** Options of `bind`. */
export interface DgramBindOptions {
  readonly port?: number
  readonly address?: string
  /** For programs written for Node: there are no workers to share with here. */
  readonly exclusive?: boolean
}

/** Reads a port that somebody is to be reached at. @throws {RangeError} ERR_SOCKET_BAD_PORT */
export function peerPort(port: unknown): number {
  const value = typeof port === 'string' && port.trim() !== '' ? Number(port) : port
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65535) return value
  const what = typeof port === 'number' ? `type number (${port})` : String(port)
  throw nodeError(RangeError, 'ERR_SOCKET_BAD_PORT', `Port should be > 0 and < 65536. Received ${what}.`)
}

/** What `send` was asked for. */
export interface SendRequest {
  readonly data: Uint8Array
  /** 0: to the peer. */
  readonly port: number
  readonly address: string | undefined
  readonly callback: SendCallback | undefined
}

const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/**
 * Reads the arguments of `send`: `msg[, offset, length][, port][, address][, callback]`, port and address only without a peer.
 * @throws {TypeError | RangeError} with Node's codes
 */
export function sendArguments(args: readonly unknown[], isConnected: boolean): SendRequest {
  let [message, offset, length, port, address, callback] = args
  if (!isConnected) {
    if (address || (port && typeof port !== 'function')) message = slice(message, offset, length)
    else [port, address, callback] = [offset, length, port]
  } else {
    if (typeof length === 'number') {
      message = slice(message, offset, length)
      if (typeof port === 'function') [port, callback] = [null, port]
    } else {
      callback = offset
    }
    if (port || address) throw nodeError(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
  }
  const data = join(message)
  if (typeof address === 'function') [address, callback] = [undefined, address]
  const checked = isConnected ? 0 : peerPort(port)
  if (address !== undefined && address !== null && typeof address !== 'string') {
    throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "address" argument must be of type string.')
  }
  return {
    data,
    port: checked,
    address: address ? (address as string) : undefined,
    callback: typeof callback === 'function' ? (callback as SendCallback) : undefined,
  }
}

function slice(message: unknown, offset: unknown, length: unknown): Uint8Array {
  const bytes = oneOf(message)
  const from = Number(offset) >>> 0
  const count = Number(length) >>> 0
  if (from > bytes.length) {
    throw nodeError(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', '"offset" is outside of buffer bounds')
  }
  if (from + count > bytes.length) {
    throw nodeError(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', '"length" is outside of buffer bounds')
  }
  return bytes.subarray(from, from + count)
}

function oneOf(message: unknown): Uint8Array {
  if (typeof message === 'string') return Buffer.from(message)
  if (ArrayBuffer.isView(message)) return bytesOf(message)
  const text = 'The "buffer" argument must be of type string or an instance of Buffer, TypedArray, or DataView.'
  throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', text)
}

function join(message: unknown): Uint8Array {
  if (!Array.isArray(message)) return oneOf(message)
  return Buffer.concat(message.map((part) => oneOf(part)))
}

/** Finds the address of a host: at once for an address, later for a name. */
export function resolveName(
  text: string,
  family: 4 | 6,
  lookup: LookupFunction | null,
  done: (address: IpAddress | Error) => void,
): void {
  const literal = parseLiteral(text)
  if (literal !== null) {
    done(literal)
    return
  }
  if (lookup === null) {
    process.nextTick(done, notFoundError(text))
    return
  }
  lookup(text, { family }, (error, result) => {
    const found = typeof result === 'string' ? result : result?.[0]?.address
    done(error ?? (found === undefined ? null : parseAddress(found)) ?? notFoundError(text))
  })
}
