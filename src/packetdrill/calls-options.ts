// setsockopt and getsockopt: finds the option of a level and a number, checks lengths, brings values into the script's shape.
// Owns: that. Does not own: the options (options-socket.ts, options-tcp.ts).

import { isFields, isList, numberAt, pointedAt, replace, socketAt } from './arguments.ts'
import { FREEBSD_CONSTANTS, FREEBSD_ONLY } from './constants-freebsd.ts'
import { errnoOf } from './errnos.ts'
import { fail, type Handler } from './host.ts'
import { hasIpv6, IP_OPTIONS, IPV6_OPTIONS, type Option, retune, SOCKET_OPTIONS } from './options-socket.ts'
import { TCP_OPTIONS } from './options-tcp.ts'
import type { Socket } from './sockets.ts'
import type { Value } from './target.ts'

const LEVELS: Readonly<Record<number, Readonly<Record<number, Option>>>> = {
  0: IP_OPTIONS,
  1: SOCKET_OPTIONS,
  6: TCP_OPTIONS,
  41: IPV6_OPTIONS,
}

function find(at: Socket, level: number, number: number): Option | null {
  if (level === 41 && !hasIpv6(at)) return null
  if (number >= FREEBSD_ONLY) return freebsdOption(number)
  return LEVELS[level]?.[number] ?? null
}

/** An option of FreeBSD's: taken whatever it is, and told as it was set. Without options, when that is asked for. */
function freebsdOption(number: number): Option {
  return {
    name: `FreeBSD's ${number}`,
    bytes: 0,
    set(host, at, value) {
      at.options.set(`FreeBSD's ${number}`, value)
      if (number === FREEBSD_CONSTANTS.TCP_NOOPT && value !== 0 && at.connection === null) {
        retune(host, at, { windowScale: false, timestamps: false, sack: false })
      }
      return ''
    },
    get: (_, at) => at.options.get(`FreeBSD's ${number}`) ?? null,
  }
}

/** setsockopt(fd, level, option, value, length). */
export const setsockopt: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const option = find(at, numberAt(args, 1), numberAt(args, 2))
  if (option === null) return fail('ENOPROTOOPT')
  const length = numberAt(args, 4, option.bytes)
  if (length < Math.min(option.bytes, 4)) return fail('EINVAL')
  const given = args[3] ?? null
  const raw =
    isList(given) && given.length === 1 && (isFields(given[0]) || typeof given[0] === 'string') ? given[0] : given
  const errno = option.set(host, at, pointedAt(raw), raw)
  return errno === '' ? { value: 0 } : fail(errno)
}

/** getsockopt(fd, level, option, value, length). */
export const getsockopt: Handler = (host, args) => {
  const at = socketAt(host, args)
  if (typeof at === 'string') return fail(at)
  const option = find(at, numberAt(args, 1), numberAt(args, 2))
  if (option === null) return fail('ENOPROTOOPT')
  if (pointedAt(args[4], 4) < 0) return fail('EINVAL')
  const told = option.get(host, at)
  if (typeof told === 'string' && told.startsWith('!')) return fail(told.slice(1))
  const value = typeof told === 'string' && told.startsWith('=') ? errnoOf(told.slice(1)) : told
  return { value: 0, outputs: replace(args, { 3: shaped(args[3], value), 4: args[4] ?? null }) }
}

/** The value in the shape that the script has given for it. */
function shaped(given: Value | undefined, value: Value): Value {
  if (isList(given)) return [value]
  if (isFields(given) || isFields(value)) return value
  return typeof value === 'number' ? [value] : value
}
