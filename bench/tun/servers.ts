// What is measured: 5001 takes and throws away, 5002 gives for ever, 5003 echoes, 5004 and 5005 answer HTTP with 100 bytes. The same code
// above sockets of Node's (`node`: Node's http on both) and above sockets of this stack (`stack`, `plain` without offload: our HTTP
// server on 5004, Node's on 5005), so that a ratio tells of what lies below.
//   servers.js node|stack|direct|plain|plain-direct      prints 'ready' and runs until its standard input ends; a line there is answered
// with the memory held, and with what was allocated since a line `count` or `profile`, which has no answer

import http from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { HttpServer } from '../../src/http/index.ts'
import { openTun, type PacketDevice } from '../../src/link/index.ts'
import { createHost, type DirectHandler, type DirectSocket, type Host } from '../../src/net/index.ts'
import { AllocationCounter } from '../allocations.ts'

const CHUNK = Buffer.alloc(256 * 1024, 'tunstack ')
const ANSWER = Buffer.alloc(100, 'x')

let taken = 0

function take(socket: Duplex): void {
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => (taken += chunk.length))
}

function give(socket: Duplex): void {
  const pump = (): void => {
    while (!socket.destroyed && socket.write(CHUNK)) {
      // until the socket says that it is full
    }
  }
  socket.on('drain', pump).on('error', () => socket.destroy())
  socket.resume()
  pump()
}

function echo(socket: Duplex): void {
  socket.on('data', (chunk) => socket.write(chunk))
  socket.on('error', () => socket.destroy())
}

function nodeHttp(): http.Server {
  return http.createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain')
    response.setHeader('content-length', ANSWER.length)
    response.end(ANSWER)
  })
}

function onNode(): void {
  net.createServer(take).listen(5001, '127.0.0.1')
  net.createServer(give).listen(5002, '127.0.0.1')
  net.createServer({ noDelay: true }, echo).listen(5003, '127.0.0.1')
  for (const port of [5004, 5005]) nodeHttp().listen(port, '127.0.0.1')
}

function httpServer(host: Host): HttpServer {
  return new HttpServer({
    scheduler: host.scheduler,
    wallClock: Date.now,
    handler: () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: ANSWER }),
  })
}

async function onStack(host: Host): Promise<void> {
  host.createServer(take).listen(5001)
  host.createServer(give).listen(5002)
  // The backlog is as large as the kernel's; the ports above are for connections that one port has no numbers for.
  for (const port of [5003, 5103, 5203, 5303]) {
    host.createServer({ noDelay: true }, echo).listen({ port, backlog: 4096 })
  }
  const ours = httpServer(host)
  host.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => ours.handleConnection(socket)).listen(5004)
  await host.serve(nodeHttp(), { port: 5005 })
}

/** The same on direct connections; our HTTP on streams without node:stream. */
function onDirect(host: Host): void {
  const sink: DirectHandler = { onData: (_socket, bytes) => (taken += bytes.length) }
  const fill = (socket: DirectSocket): void => {
    while (socket.write(CHUNK) === CHUNK.length) {
      // until the send buffer is full
    }
  }
  const source: DirectHandler = { onOpen: fill, onWritable: fill, onData: () => undefined }
  const back: DirectHandler = { onData: (socket, bytes) => socket.write(bytes) }
  const tcp = { nagle: false }
  host.listenDirect({ port: 5001 }, sink)
  const ours = httpServer(host)
  host.listenStreams({ port: 5004, backlog: 4096, tcp }, (stream) => ours.handleConnection(stream))
  host.listenDirect({ port: 5002 }, source)
  for (const port of [5003, 5103, 5203, 5303]) host.listenDirect({ port, backlog: 4096, tcp }, back)
}

async function start(kind: string): Promise<void> {
  let device: PacketDevice | null = null
  if (kind === 'node') onNode()
  else {
    device = openTun({ name: 'tunbench', addresses: ['10.78.0.1/24'], offload: !kind.startsWith('plain') })
    const host = createHost({ device, address: '10.78.0.2/24' })
    if (kind.endsWith('direct')) onDirect(host)
    else await onStack(host)
  }
  process.stdin.on('end', () => process.exit(0))
  const packets = (): number => (device === null ? 0 : device.counters.rxPackets + device.counters.txPackets)
  let counter: AllocationCounter | null = null
  let before = 0
  process.stdin.on('data', (line) => {
    const word = line.toString().trim()
    if (word === 'count' || word === 'profile') {
      before = packets()
      counter = new AllocationCounter(word === 'profile')
      counter.start()
      return
    }
    const allocated = counter === null ? {} : { allocated: counter.stop(), packets: packets() - before }
    counter = null
    for (let i = 0; i < 3; i++) globalThis.gc?.()
    process.stdout.write(`${JSON.stringify({ ...process.memoryUsage(), taken, ...allocated })}\n`)
  })
  process.stdout.write('ready\n')
}

await start(process.argv[2])
