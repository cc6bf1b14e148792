// What each call answers in each state. Every value was read off Linux 6.18 (over a TUN device, with a peer made of raw packets).

import { describe, expect, test } from 'vitest'
import { AF_INET, Desk, O_NONBLOCK, SOL_SOCKET, SOL_TCP, STREAM } from './desk.ts'

const SIOCINQ = 0x541b
const SIOCOUTQ = 0x5411
const SIOCOUTQNSD = 0x894b
const SIOCATMARK = 0x8905
const SO_ERROR = 4
const RESET = 104

const io = (desk: Desk, fd: number, request: number): unknown => {
  const { outcome } = desk.start('ioctl', fd, request, [0])
  return outcome!.errno || (outcome!.outputs[2] as number[])[0]
}
const polled = (desk: Desk, fd: number): string => {
  const { outcome } = desk.start('poll', [{ fd, events: 0x3fff, revents: 0 }], 1, 0)
  return `0x${(outcome!.outputs[0] as { revents: number }[])[0].revents.toString(16)}`
}
const option = (desk: Desk, fd: number, level: number, name: number): unknown => {
  const { outcome } = desk.start('getsockopt', fd, level, name, [0], [4])
  return outcome!.errno || (outcome!.outputs[3] as number[])[0]
}
const set = (desk: Desk, fd: number, level: number, name: number, value: number): unknown =>
  desk.call('setsockopt', fd, level, name, [value], 4)
const fresh = (desk: Desk): number => desk.call('socket', AF_INET, STREAM | O_NONBLOCK, 6) as number
const opening = (desk: Desk): number => {
  const fd = fresh(desk)
  expect(desk.call('connect', fd, null, null)).toBe('EINPROGRESS')
  desk.next()
  return fd
}
const nonblocking = (desk: Desk, fd: number): number => {
  desk.call('fcntl', fd, 4, O_NONBLOCK)
  return fd
}
const stateOf = (desk: Desk, fd: number): number => desk.target.tcpInfo(fd)!.tcpi_state

describe('a fresh socket', () => {
  test('has nothing to read from, nowhere to write to', () => {
    const desk = new Desk()
    const fd = fresh(desk)
    expect(desk.call('recv', fd, null, 10, 0)).toBe('ENOTCONN')
    expect(desk.call('send', fd, null, 1, 0)).toBe('EPIPE')
    expect(desk.call('shutdown', fd, 1)).toBe('ENOTCONN')
    expect(polled(desk, fd)).toBe('0x114')
    expect(desk.call('getpeername', fd, null, null)).toBe('ENOTCONN')
    expect(desk.output(1, 'getsockname', fd, { sa_family: 0, sin_port: 0, sin_addr: '' }, [16])).toEqual({
      sa_family: 2,
      sin_port: 0,
      sin_addr: '0.0.0.0',
    })
    expect(desk.call('accept', fd, null, null)).toBe('EINVAL')
    expect(io(desk, fd, SIOCINQ)).toBe(0)
    expect(io(desk, fd, SIOCOUTQ)).toBe(0)
  })

  test.each([
    [SOL_SOCKET, 7, 16384],
    [SOL_SOCKET, 8, 131072],
    [SOL_SOCKET, 3, 1],
    [SOL_SOCKET, SO_ERROR, 0],
    [SOL_SOCKET, 18, 1],
    [SOL_SOCKET, 30, 0],
    [SOL_SOCKET, 38, 6],
    [SOL_SOCKET, 39, 2],
    [SOL_TCP, 2, 536],
    [SOL_TCP, 4, 7200],
    [SOL_TCP, 5, 75],
    [SOL_TCP, 6, 9],
    [SOL_TCP, 7, 6],
    [SOL_TCP, 8, 60],
    [SOL_TCP, 9, 0],
    [SOL_TCP, 10, 0],
    [SOL_TCP, 12, 1],
    [SOL_TCP, 18, 0],
    [SOL_TCP, 23, 0],
    [SOL_TCP, 25, 0],
    [SOL_TCP, 36, 0],
    [0, 1, 0],
    [0, 2, 64],
    [0, 14, 'ENOTCONN'],
  ])('getsockopt of level %i option %i tells %s', (level, name, value) => {
    const desk = new Desk()
    expect(option(desk, fresh(desk), level, name)).toBe(value)
  })

  test.each([
    [SOL_TCP, 2, 87, 'EINVAL'],
    [SOL_TCP, 2, 88, 0],
    [SOL_TCP, 2, 32768, 'EINVAL'],
    [SOL_TCP, 4, 0, 'EINVAL'],
    [SOL_TCP, 4, 32768, 'EINVAL'],
    [SOL_TCP, 6, 128, 'EINVAL'],
    [SOL_TCP, 7, 0, 'EINVAL'],
    [SOL_TCP, 18, -1, 'EINVAL'],
    [SOL_TCP, 23, -1, 'EINVAL'],
    [SOL_TCP, 30, 2, 'EINVAL'],
    [SOL_TCP, 30, 1, 0],
    [SOL_TCP, 36, 2, 'EINVAL'],
    [SOL_TCP, 24, 1, 'EPERM'],
    [SOL_TCP, 99, 1, 'ENOPROTOOPT'],
    [SOL_SOCKET, 99, 1, 'ENOPROTOOPT'],
    [0, 99, 1, 'ENOPROTOOPT'],
    [41, 67, 1, 'ENOPROTOOPT'],
    [0, 2, 0, 'EINVAL'],
    [0, 2, 256, 'EINVAL'],
    [0, 1, 255, 0],
    [0, 1, 256, 0],
    [SOL_TCP, 10, 0, 0],
    [SOL_TCP, 27, 3, 'EINVAL'],
    [SOL_TCP, 33, 1, 'EINVAL'],
    [SOL_TCP, 44, 10, 'EINVAL'],
    [SOL_TCP, 45, 0, 'EINVAL'],
    [SOL_TCP, 16, 2, 'EINVAL'],
    [SOL_TCP, 17, 2, 'EINVAL'],
  ])('setsockopt of level %i option %i to %i answers %s', (level, name, value, answer) => {
    const desk = new Desk()
    expect(set(desk, fresh(desk), level, name, value)).toBe(answer)
  })

  test('TCP_DEFER_ACCEPT is told in the time of whole retransmissions', () => {
    const desk = new Desk()
    const fd = fresh(desk)
    const told = [1, 2, 4, 8, 5, 100].map((seconds) => {
      set(desk, fd, SOL_TCP, 9, seconds)
      return option(desk, fd, SOL_TCP, 9)
    })
    expect(told).toEqual([1, 3, 7, 15, 7, 127])
  })

  test('buffers are doubled, and no smaller than their least; TCP_LINGER2 is no longer than two minutes', () => {
    const desk = new Desk()
    const fd = fresh(desk)
    set(desk, fd, SOL_SOCKET, 8, 1000)
    set(desk, fd, SOL_SOCKET, 7, 1000)
    set(desk, fd, SOL_TCP, 8, 200)
    expect([option(desk, fd, SOL_SOCKET, 8), option(desk, fd, SOL_SOCKET, 7), option(desk, fd, SOL_TCP, 8)]).toEqual([
      2304, 4608, 120,
    ])
  })

  test('knows congestion controllers by name', () => {
    const desk = new Desk()
    const fd = fresh(desk)
    expect(desk.call('setsockopt', fd, SOL_TCP, 13, 'nope', 4)).toBe('ENOENT')
    expect(desk.call('setsockopt', fd, SOL_TCP, 13, 'reno', 4)).toBe(0)
    expect(desk.output(3, 'getsockopt', fd, SOL_TCP, 13, '', [16])).toBe('reno')
  })

  test('binds to own addresses only, once', () => {
    const desk = new Desk()
    const fd = fresh(desk)
    expect(desk.call('bind', fd, { sa_family: 2, sin_port: 1, sin_addr: '192.0.2.9' }, 16)).toBe('EADDRNOTAVAIL')
    expect(desk.call('bind', fd, null, null)).toBe(0)
    expect(desk.call('bind', fd, null, null)).toBe('EINVAL')
    expect(desk.call('bind', fresh(desk), null, null)).toBe('EADDRINUSE')
  })

  test('a descriptor that is none, or no socket', () => {
    const desk = new Desk()
    const epoll = desk.call('epoll_create', 1) as number
    expect(desk.call('read', 99, null, 1)).toBe('EBADF')
    expect(desk.call('close', 99)).toBe('EBADF')
    expect(desk.call('read', epoll, null, 1)).toBe('EINVAL')
    expect(desk.call('listen', epoll, 1)).toBe('ENOTSOCK')
    expect(() => desk.start('vmsplice', 3, 4)).toThrow(/'vmsplice' is not emulated/)
  })
})

test('a listening socket reads, writes and connects nothing', () => {
  const desk = new Desk()
  const fd = nonblocking(desk, desk.listening())
  expect(desk.call('connect', fd, null, null)).toBe('EISCONN')
  expect(desk.call('recv', fd, null, 1, 0)).toBe('ENOTCONN')
  expect(desk.call('send', fd, null, 1, 0)).toBe('EPIPE')
  expect(desk.call('accept', fd, null, null)).toBe('EAGAIN')
  expect(polled(desk, fd)).toBe('0x0')
  expect(io(desk, fd, SIOCINQ)).toBe('EINVAL')
  expect(desk.call('shutdown', fd, 1)).toBe(0)
  expect(stateOf(desk, fd)).toBe(10)
  expect(desk.call('shutdown', fd, 0)).toBe(0)
  expect(desk.call('accept', fd, null, null)).toBe('EINVAL')
  expect(polled(desk, fd)).toBe('0x114')
})

describe('a socket that connects', () => {
  test('without blocking: EINPROGRESS, EALREADY, then 0 once, then EISCONN', () => {
    const desk = new Desk()
    const fd = opening(desk)
    expect(desk.call('connect', fd, null, null)).toBe('EALREADY')
    expect(desk.call('recv', fd, null, 1, 0)).toBe('EAGAIN')
    expect(desk.call('send', fd, null, 1, 0)).toBe('EAGAIN')
    expect(polled(desk, fd)).toBe('0x0')
    expect(io(desk, fd, SIOCOUTQ)).toBe(0)
    expect(desk.call('getpeername', fd, null, null)).toBe('ENOTCONN')
    expect(option(desk, fd, 0, 14)).toBe(1500)
    desk.in('S. 0 ack 1 <mss 1460>')
    desk.out('. 1 ack 1 win 64240')
    expect(polled(desk, fd)).toBe('0x104')
    expect(desk.call('connect', fd, null, null)).toBe(0)
    expect(desk.call('connect', fd, null, null)).toBe('EISCONN')
    expect(option(desk, fd, SOL_TCP, 2)).toBe(1460)
    expect(option(desk, fd, SOL_SOCKET, 8)).toBe(131072)
  })

  test('and is refused: the next connect tells, and the socket is as new', () => {
    const desk = new Desk()
    const fd = opening(desk)
    desk.in('R. 0 ack 1')
    expect(polled(desk, fd)).toBe('0x215d')
    expect(desk.call('connect', fd, null, null)).toBe('ECONNREFUSED')
    expect(polled(desk, fd)).toBe('0x114')
    expect(stateOf(desk, fd)).toBe(7)
    expect(desk.call('recv', fd, null, 1, 0)).toBe('ENOTCONN')
    expect(desk.call('connect', fd, null, null)).toBe('EINPROGRESS')
  })

  test('and is refused: SO_ERROR takes the error, and connect has none left to tell', () => {
    const desk = new Desk()
    const fd = opening(desk)
    desk.in('R. 0 ack 1')
    expect(option(desk, fd, SOL_SOCKET, SO_ERROR)).toBe(111)
    expect(desk.call('recv', fd, null, 1, 0)).toBe(0)
    expect(desk.call('send', fd, null, 1, 0)).toBe('EPIPE')
    expect(desk.call('connect', fd, null, null)).toBe('ECONNABORTED')
    expect(desk.call('connect', fd, null, null)).toBe('EINPROGRESS')
  })

  test.each(['recv', 'send'])('and is refused: %s takes the error', (name) => {
    const desk = new Desk()
    const fd = opening(desk)
    desk.in('R. 0 ack 1')
    expect(desk.call(name, fd, null, 1, 0)).toBe('ECONNREFUSED')
    expect(desk.call('send', fd, null, 1, 0)).toBe('EPIPE')
    expect(polled(desk, fd)).toBe('0x2155')
  })

  test('and is shut down meanwhile', () => {
    const desk = new Desk()
    const fd = opening(desk)
    expect(desk.call('shutdown', fd, 2)).toBe(0)
    expect(option(desk, fd, SOL_SOCKET, SO_ERROR)).toBe(RESET)
    expect(desk.call('recv', fd, null, 1, 0)).toBe('ENOTCONN')
    expect(polled(desk, fd)).toBe('0x114')
  })

  test('blocking: SO_SNDTIMEO ends the wait with EINPROGRESS', async () => {
    const desk = new Desk()
    const fd = desk.call('socket', AF_INET, STREAM, 6) as number
    expect(desk.call('setsockopt', fd, SOL_SOCKET, 21, { tv_sec: 0, tv_usec: 500_000 }, 16)).toBe(0)
    const call = desk.start('connect', fd, null, null)
    desk.next()
    await desk.wait(600)
    expect(call.outcome?.errno).toBe('EINPROGRESS')
    expect(call.endedAt).toBe(500_000)
  })
})

describe('urgent data out of line', () => {
  test('a read stops before the mark, MSG_OOB takes the octet', () => {
    const desk = new Desk()
    const fd = opening(desk)
    desk.in('S. 0 ack 1 <mss 1460>')
    desk.next()
    desk.in('PU. 1:11 ack 1 urg 5')
    desk.out('. 1 ack 11')
    expect(io(desk, fd, SIOCATMARK)).toBe(0)
    expect(io(desk, fd, SIOCINQ)).toBe(4)
    expect(polled(desk, fd)).toBe('0x147')
    expect(desk.call('recv', fd, null, 100, 0)).toBe(4)
    expect(io(desk, fd, SIOCATMARK)).toBe(1)
    expect(polled(desk, fd)).toBe('0x147')
    expect(desk.call('recv', fd, null, 10, 1)).toBe(1)
    expect(desk.call('recv', fd, null, 10, 1)).toBe('EINVAL')
    expect(polled(desk, fd)).toBe('0x145')
    expect(desk.call('recv', fd, null, 100, 0)).toBe(5)
    expect(desk.call('recv', fd, null, 10, 1)).toBe('EINVAL')
    expect(io(desk, fd, SIOCINQ)).toBe(0)
    expect(desk.call('send', fd, null, 3, 1)).toBe(3)
    desk.out('PU. 1:4 ack 11 urg 3')
  })
})

test('half closed: SIOCOUTQ counts the FIN, and TIME-WAIT leaves a closed socket', () => {
  const desk = new Desk()
  const fd = desk.connected()
  expect(desk.call('send', fd, null, 100, 0)).toBe(100)
  expect(io(desk, fd, SIOCOUTQ)).toBe(100)
  expect(desk.call('shutdown', fd, 1)).toBe(0)
  expect(io(desk, fd, SIOCOUTQ)).toBe(101)
  expect(io(desk, fd, SIOCOUTQNSD)).toBe(0)
  desk.out('P. 1:101 ack 1', 'F. 101 ack 1')
  expect(desk.call('send', fd, null, 1, 0)).toBe('EPIPE')
  expect(desk.call('shutdown', fd, 1)).toBe(0)
  expect(polled(desk, fd)).toBe('0x104')
  desk.in('F. 1 ack 102')
  desk.out('. 102 ack 2')
  expect(polled(desk, fd)).toBe('0x2155')
  expect(desk.call('recv', fd, null, 1, 0)).toBe(0)
  expect(stateOf(desk, fd)).toBe(7)
  expect(desk.call('shutdown', fd, 1)).toBe('ENOTCONN')
  expect(desk.call('getpeername', fd, null, null)).toBe('ENOTCONN')
  expect(desk.call('connect', fd, null, null)).toBe('EISCONN')
})

describe('a reset', () => {
  test('leaves what was received to be read, then is told once', () => {
    const desk = new Desk()
    const fd = nonblocking(desk, desk.accepted())
    desk.in('P. 1:101 ack 1')
    desk.next()
    desk.in('R. 101 ack 1')
    expect(polled(desk, fd)).toBe('0x215d')
    expect(io(desk, fd, SIOCINQ)).toBe(100)
    expect([60, 60, 60, 60].map((n) => desk.call('recv', fd, null, n, 0))).toEqual([60, 40, 'ECONNRESET', 0])
    expect(polled(desk, fd)).toBe('0x2155')
    expect(desk.call('getpeername', fd, null, null)).toBe('ENOTCONN')
  })

  test('after the FIN is a broken pipe', () => {
    const desk = new Desk()
    const fd = nonblocking(desk, desk.accepted())
    desk.in('F. 1 ack 1')
    desk.out('. 1 ack 2 win 502')
    expect(polled(desk, fd)).toBe('0x2145')
    desk.in('R. 2 ack 1')
    expect(polled(desk, fd)).toBe('0x215d')
    expect(desk.call('send', fd, null, 1, 0)).toBe('EPIPE')
    expect(option(desk, fd, SOL_SOCKET, SO_ERROR)).toBe(0)
    expect(desk.call('recv', fd, null, 1, 0)).toBe(0)
  })
})

test('SHUT_RD leaves text readable that comes after; with SHUT_WR such text resets', () => {
  const desk = new Desk()
  const fd = nonblocking(desk, desk.accepted())
  expect(desk.call('shutdown', fd, 0)).toBe(0)
  expect(polled(desk, fd)).toBe('0x2145')
  desk.in('P. 1:101 ack 1')
  desk.out('. 1 ack 101 win 502')
  expect([60, 60, 60].map((n) => desk.call('recv', fd, null, n, 0))).toEqual([60, 40, 0])
  expect(desk.call('send', fd, null, 1, 0)).toBe(1)
  expect(desk.call('shutdown', fd, 2)).toBe(0)
  desk.out('P. 1:2 ack 101', 'F. 2 ack 101')
  expect(polled(desk, fd)).toBe('0x2155')
  expect(desk.call('send', fd, null, 1, 0)).toBe('EPIPE')
  desk.in('P. 101:201 ack 3')
  desk.out('R 3')
  expect(desk.call('recv', fd, null, 60, 0)).toBe('ECONNRESET')
  expect(option(desk, fd, SOL_SOCKET, SO_ERROR)).toBe(0)
  expect(stateOf(desk, fd)).toBe(7)
})

test('connect to AF_UNSPEC resets the connection', () => {
  const desk = new Desk()
  const fd = nonblocking(desk, desk.accepted())
  expect(desk.call('connect', fd, { sa_family: 0 }, 16)).toBe(0)
  desk.out('R. 1 ack 1 win 502')
  expect(option(desk, fd, SOL_SOCKET, SO_ERROR)).toBe(RESET)
  expect(polled(desk, fd)).toBe('0x114')
  expect(desk.call('recv', fd, null, 1, 0)).toBe('ENOTCONN')
})

test('connect from a port and to a peer that another connection has: EADDRNOTAVAIL', () => {
  const desk = new Desk()
  const bound = (): number => {
    const fd = fresh(desk)
    expect(set(desk, fd, SOL_SOCKET, 2, 1)).toBe(0)
    expect(desk.call('bind', fd, { sa_family: AF_INET, sin_port: 5555, sin_addr: '192.0.2.1' }, 16)).toBe(0)
    return fd
  }
  const first = bound()
  expect(desk.call('connect', first, null, null)).toBe('EINPROGRESS')
  expect(desk.call('connect', bound(), null, null)).toBe('EADDRNOTAVAIL')
})
