// The kernel's side of the comparison without anything of Node's above it: 5001 takes, 5002 gives, 5003 echoes, 5004 answers any request
// with the same bytes. Prints 'ready', and runs until it is ended.

import { EPOLLIN, EPOLLOUT, Epoll, listenOn, memory, NONBLOCK, noDelay, sys } from './calls.ts'

const SINK = 5001
const SOURCE = 5002
const ECHO = 5003
const HTTP = 5004
const CHUNK = 256 * 1024
/** Calls on one connection before another has its turn. */
const TURNS = 16

const epoll = new Epoll()
const buffer = memory(CHUNK)
buffer.bytes.fill('tunstack ')
const answer = memory(256)
const answerLength = answer.bytes.write(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${'x'.repeat(100)}`)
/** The port through which each descriptor came, as a negative number where it listens. */
const ports = new Map<number, number>()

for (const port of [SINK, SOURCE, ECHO, HTTP]) {
  const fd = listenOn(port)
  ports.set(fd, -port)
  epoll.watch(fd, EPOLLIN)
}

function accept(listener: number, port: number): void {
  for (let fd = sys.accept4(listener, 0, 0, NONBLOCK); fd >= 0; fd = sys.accept4(listener, 0, 0, NONBLOCK)) {
    ports.set(fd, port)
    if (port !== SINK && port !== SOURCE) noDelay(fd)
    epoll.watch(fd, port === SOURCE ? EPOLLOUT : EPOLLIN)
  }
}

/** Whether the connection is over. */
function serve(fd: number, port: number): boolean {
  if (port === SOURCE || port === SINK) {
    const call = port === SOURCE ? sys.write : sys.read
    for (let i = 0; i < TURNS; i++) {
      const moved = call(fd, buffer.address, CHUNK)
      if (moved < 0) return false
      if (moved === 0) return true
    }
    return false
  }
  const read = sys.read(fd, buffer.address, CHUNK)
  if (read <= 0) return true
  if (port === ECHO) sys.write(fd, buffer.address, read)
  else sys.write(fd, answer.address, answerLength)
  return false
}

const ERRORS = 0x18 // EPOLLERR, EPOLLHUP

function step(fd: number, events: number): void {
  const port = ports.get(fd) ?? 0
  if (port < 0) accept(fd, -port)
  else if ((events & ERRORS) !== 0 || serve(fd, port)) {
    ports.delete(fd)
    sys.close(fd)
  }
}

process.stdout.write('ready\n')
// Its parent ends it. It would see the end of its input only when it is idle, and then never in this loop.
setImmediate(() => {
  for (;;) epoll.wait(1000, step)
})
