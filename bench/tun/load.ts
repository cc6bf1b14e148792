// The load of the measurements, on sockets of the kernel: prints one line of JSON.
//   load.js up|down ADDRESS PORT SECONDS PID    one connection as fast as it goes: Mbit/s, and what it cost the server
//   load.js echo ADDRESS PORT SECONDS PID       one byte there and back, again and again: microseconds
//   load.js connect ADDRESS PORT SECONDS PID    connect, a byte there and back, close, 16 at a time
//   load.js hold ADDRESS PORTS COUNT            opens connections, one byte there and back on each, and keeps them until its input ends
//   load.js active ADDRESS PORT SECONDS COUNT   COUNT connections that go on sending a byte and getting it back
// PID: the server whose CPU time is counted; 0 for none.

import { readdirSync, readFileSync } from 'node:fs'
import {
  bytesAcked,
  EAGAIN,
  EINPROGRESS,
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  errno,
  memory,
  NONBLOCK,
  noDelay,
  raiseDescriptorLimit,
  resetOnClose,
  setPatience,
  socketAddress,
  sys,
  tcpSocket,
} from './calls.ts'

/** Not measured: congestion windows open, code gets compiled. */
const WARM_UP_MS = 400
const AT_ONCE = 16
const CHUNK = 256 * 1024

/** CPU time of all threads of a process in nanoseconds; 0 without one. */
function cpuNs(pid: number): number {
  if (pid === 0) return 0
  let sum = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    } catch {
      // the thread has ended
    }
  }
  return sum
}

function connect(address: string, port: number): number {
  const fd = tcpSocket()
  if (sys.connect(fd, socketAddress(address, port).address, 16) < 0) throw new Error(`connect: errno ${errno()}`)
  noDelay(fd)
  setPatience(fd, 3)
  return fd
}

function bulk(isUp: boolean, address: string, port: number, seconds: number, pid: number): object {
  const fd = connect(address, port)
  const chunk = memory(CHUNK)
  chunk.bytes.fill('tunstack ')
  const call = isUp ? sys.write : sys.read
  let total = 0
  const begin = performance.now()
  let start = 0
  let base = 0
  let cpu = 0
  let now = begin
  while (start === 0 || now - start < seconds * 1000) {
    const moved = call(fd, chunk.address, CHUNK)
    if (moved <= 0) throw new Error(`bulk ended after ${total} bytes: errno ${errno()}`)
    total += moved
    now = performance.now()
    if (start > 0 || now - begin < WARM_UP_MS) continue
    base = isUp ? bytesAcked(fd) : total
    cpu = cpuNs(pid)
    start = now
  }
  const bytes = (isUp ? bytesAcked(fd) : total) - base
  const cpuPerGb = (cpuNs(pid) - cpu) / bytes
  resetOnClose(fd)
  sys.close(fd)
  return { mbit: (bytes * 8) / 1000 / (now - start), cpuSecondsPerGb: cpuPerGb }
}

function echo(address: string, port: number, seconds: number, pid: number): object {
  const fd = connect(address, port)
  const byte = memory(8)
  const once = (): void => {
    if (sys.write(fd, byte.address, 1) !== 1 || sys.read(fd, byte.address, 1) !== 1) throw new Error('no echo')
  }
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) once()
  const times: number[] = []
  const start = performance.now()
  const cpu = cpuNs(pid)
  for (let before = start; before - start < seconds * 1000; ) {
    once()
    const after = performance.now()
    times.push((after - before) * 1000)
    before = after
  }
  const cpuUs = (cpuNs(pid) - cpu) / 1000 / times.length
  times.sort((a, b) => a - b)
  const at = (part: number): number => times[Math.floor(times.length * part)]
  sys.close(fd)
  return { p50Us: at(0.5), p99Us: at(0.99), cpuUs }
}

function connections(address: string, port: number, seconds: number, pid: number): object {
  const epoll = new Epoll()
  const to = socketAddress(address, port)
  const byte = memory(8)
  let done = 0
  let errors = 0
  let open = 0
  const begin = (): void => {
    const fd = tcpSocket(NONBLOCK)
    if (sys.connect(fd, to.address, 16) < 0 && errno() !== EINPROGRESS) {
      errors++
      sys.close(fd)
      return
    }
    open++
    epoll.watch(fd, EPOLLOUT)
  }
  const step = (fd: number, events: number): void => {
    if ((events & EPOLLOUT) !== 0 && (events & ~(EPOLLOUT | EPOLLIN)) === 0) {
      if (sys.write(fd, byte.address, 1) === 1) {
        epoll.watch(fd, EPOLLIN, true)
        return
      }
    } else if (sys.read(fd, byte.address, 1) === 1) done++
    else errors++
    sys.close(fd)
    open--
  }
  const run = (milliseconds: number): void => {
    for (const end = performance.now() + milliseconds; performance.now() < end; ) {
      while (open < AT_ONCE) begin()
      epoll.wait(100, step)
    }
  }
  run(WARM_UP_MS)
  done = 0
  const start = performance.now()
  const cpu = cpuNs(pid)
  run(seconds * 1000)
  return { perSecond: (done * 1000) / (performance.now() - start), errors, cpuUs: (cpuNs(pid) - cpu) / 1000 / done }
}

async function hold(address: string, ports: string, count: number): Promise<object> {
  raiseDescriptorLimit(count + 1000)
  const all = ports.split(',').map(Number)
  const byte = memory(8)
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const fd = connect(address, all[i % all.length])
    if (sys.write(fd, byte.address, 1) !== 1 || sys.read(fd, byte.address, 1) !== 1) throw new Error(`no echo at ${i}`)
  }
  process.stdout.write(`${JSON.stringify({ held: count, seconds: (performance.now() - start) / 1000 })}\n`)
  await new Promise<void>((resolve) => process.stdin.on('end', resolve).resume())
  return { released: count }
}

function active(address: string, port: number, seconds: number, count: number): object {
  raiseDescriptorLimit(count + 1000)
  const epoll = new Epoll()
  const byte = memory(8)
  for (let i = 0; i < count; i++) {
    const fd = connect(address, port)
    epoll.watch(fd, EPOLLIN)
    sys.write(fd, byte.address, 1)
  }
  let rounds = 0
  let errors = 0
  const start = performance.now()
  while (performance.now() - start < seconds * 1000) {
    const ready = epoll.wait(3000, (fd) => {
      const read = sys.read(fd, byte.address, 1)
      if (read === 1 && sys.write(fd, byte.address, 1) === 1) rounds++
      else if (!(read < 0 && errno() === EAGAIN)) errors++
    })
    if (ready === 0) errors++ // three seconds in which nobody answered
  }
  return { perSecond: (rounds * 1000) / (performance.now() - start), errors, count }
}

async function run([what, address, port, amount, more]: readonly string[]): Promise<object> {
  switch (what) {
    case 'up':
    case 'down':
      return bulk(what === 'up', address, Number(port), Number(amount), Number(more))
    case 'echo':
      return echo(address, Number(port), Number(amount), Number(more))
    case 'connect':
      return connections(address, Number(port), Number(amount), Number(more))
    case 'hold':
      return hold(address, port, Number(amount))
    case 'active':
      return active(address, Number(port), Number(amount), Number(more))
    default:
      throw new Error(`no such load: ${what}`)
  }
}

process.stdout.write(`${JSON.stringify(await run(process.argv.slice(2)))}\n`, () => process.exit(0))
