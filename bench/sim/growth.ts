// P10: what a thing costs as there are more of them: bytes, connections, timers, pieces out of order, requests in a row. Prints JSON: for
// each kind the cost of one, in nanoseconds, at sizes that double. What is linear stays flat.

import { Deadlines } from '../../src/base/deadlines.ts'
import { Ranges } from '../../src/base/ranges.ts'
import { SECOND } from '../../src/base/time.ts'
import { HttpServer } from '../../src/http/index.ts'
import { createHost, type Host, type TunSocket } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'

const DOUBLINGS = 5

interface Growth {
  readonly what: string
  readonly sizes: number[]
  readonly nsEach: number[]
}

async function doubled(what: string, first: number, run: (n: number) => Promise<number> | number): Promise<Growth> {
  await run(first) // code gets compiled
  const sizes = Array.from({ length: DOUBLINGS }, (_, i) => first * 2 ** i)
  const nsEach: number[] = []
  for (const n of sizes) {
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < 3; i++) least = Math.min(least, (await run(n)) / n)
    nsEach.push(least)
  }
  return { what, sizes, nsEach }
}

/** Nanoseconds that a task takes. */
async function timed(task: () => Promise<void> | void): Promise<number> {
  const start = process.hrtime.bigint()
  await task()
  return Number(process.hrtime.bigint() - start)
}

function hosts(): { network: Network; client: Host; server: Host } {
  const network = new Network({ seed: 1 })
  const { time } = network
  const [left, right] = network.cable({ txQueueLength: 65536 })
  const host = (device: typeof left, address: string): Host =>
    createHost({ device, address, scheduler: time, random: network.random() })
  return { network, client: host(left, '10.0.0.1/24'), server: host(right, '10.0.0.2/24') }
}

async function bytes(megabytes: number): Promise<number> {
  const { network, client, server } = hosts()
  const chunk = Buffer.alloc(1 << 20)
  let received = 0
  server.createServer((socket) => socket.on('data', (part) => (received += part.length))).listen(80)
  return timed(async () => {
    const socket = client.createConnection({ host: '10.0.0.2', port: 80 })
    for (let i = 0; i < megabytes; i++) socket.write(chunk)
    await network.time.run({ while: () => received < megabytes << 20 })
  })
}

/** Opened, and each used once: a byte there and back. */
async function connections(n: number): Promise<number> {
  const { network, client, server } = hosts()
  const echo = server.createServer((socket) => socket.on('data', (part) => socket.write(part)))
  echo.listen({ port: 80, backlog: 65536 })
  let answered = 0
  return timed(async () => {
    for (let i = 0; i < n; i++) {
      const socket: TunSocket = client.createConnection({ host: '10.0.0.2', port: 80 })
      socket.on('data', () => answered++)
      socket.write('x')
    }
    await network.time.run({ while: () => answered < n })
  })
}

/** Armed, put off ten times and run out. */
function timers(n: number): Promise<number> {
  const deadlines = new Deadlines<{ deadline: number; heapIndex: number; heapAt: number }>()
  const never = Number.POSITIVE_INFINITY
  const entries = Array.from({ length: n }, () => ({ deadline: never, heapIndex: -1, heapAt: never }))
  return timed(() => {
    for (let turn = 0; turn < 10; turn++) {
      for (let i = 0; i < n; i++) deadlines.arm(entries[i], ((i * 7919) % n) + turn * n)
    }
    for (let now = 0; now < 11 * n; now += n / 4) while (deadlines.popDue(now) !== null);
  })
}

/** Every second piece first, then those between. */
function pieces(n: number): Promise<number> {
  const ranges = new Ranges()
  return timed(() => {
    for (let i = 0; i < n; i++) ranges.add(i * 20, i * 20 + 10)
    for (let i = 0; i < n; i++) ranges.add(i * 20 + 10, i * 20 + 20)
    if (ranges.size !== 1) throw new Error('pieces are missing')
  })
}

/** One segment after the other full of requests, without waiting for answers. */
async function requests(n: number): Promise<number> {
  const { network, client, server } = hosts()
  const http = new HttpServer({ scheduler: network.time, handler: () => ({ status: 200, body: 'hello' }) })
  server.createServer({ allowHalfOpen: true }, (socket) => http.handleConnection(socket)).listen(80)
  const text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(n)
  let answers = 0
  return timed(async () => {
    const socket = client.createConnection({ host: '10.0.0.2', port: 80 })
    socket.setEncoding('latin1').on('data', (part: string) => (answers += part.split('HTTP/1.1 200').length - 1))
    socket.write(text)
    await network.time.run({ until: network.time.now() + 4 * SECOND, while: () => answers < n })
    if (answers < n) throw new Error(`${answers} of ${n} answers`)
  })
}

const all = [
  await doubled('megabytes through two hosts', 2, bytes),
  await doubled('connections, a byte there and back', 250, connections),
  await doubled('timers', 20_000, timers),
  await doubled('pieces out of order', 1000, pieces),
  await doubled('pipelined requests', 250, requests),
]
process.stdout.write(`${JSON.stringify(all)}\n`, () => process.exit(0))
