// `npx tsx bench/http/slow.ts [--slow 10000] [--seconds 10]`: what a crowd of slow clients costs a fast one. Two hosts of this stack in one
// process, on a cable in memory, in real time: so many connections send a head a byte a second and never end it, while one client asks
// again and again over a kept connection. Told: the fast client's latencies without and with the crowd, and memory for each connection.

import { parseArgs } from 'node:util'
import { HttpClient, HttpServer } from '../../src/http/index.ts'
import { memoryPair } from '../../src/link/index.ts'
import { createHost, type Host, realTime, type TunSocket } from '../../src/net/index.ts'

const { values } = parseArgs({
  options: { slow: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '10' } },
})
const count = Number(values.slow)
const seconds = Number(values.seconds)
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

// Hosts keep a program alive by their devices; a cable in memory does not.
setInterval(() => undefined, 1000)
const scheduler = realTime()
const [left, right] = memoryPair({ scheduler, mtu: 1500 })
// 10,000 connections want as many ports.
const client: Host = createHost({ device: left, address: '10.9.0.1/24', scheduler })
const other: Host = createHost({ device: right, address: '10.9.0.2/24', scheduler })
const server = new HttpServer({ scheduler, handler: () => ({ body: 'ok\n' }), wallClock: Date.now })
const listener = other.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.handleConnection(socket))
await new Promise<void>((resolve) => listener.listen({ port: 80, backlog: 4096 }, resolve))

const fast = new HttpClient({ scheduler, connect: ({ host, port }) => client.connect({ host, port, noDelay: true }) })
const alone = await measure()
const before = process.memoryUsage().rss
const crowd = await openCrowd()
const each = (process.memoryUsage().rss - before) / count
// Each says a byte a second; not all at the same moment.
let next = 0
const drip = setInterval(() => {
  for (let i = 0; i < crowd.length / 100; i++) crowd[next++ % crowd.length].write('y')
}, 10)
const together = await measure()
clearInterval(drip)
tell('alone', alone)
tell(`beside ${count} slow ones`, together)
console.log(
  `server: ${server.connectionCount} connections; ${(each / 1024).toFixed(1)} KiB of memory for each, both ends together`,
)
process.exit(0)

async function measure(): Promise<number[]> {
  const latencies: number[] = []
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    const start = performance.now()
    const response = await fast.fetch('http://10.9.0.2/')
    await response.text()
    latencies.push(performance.now() - start)
    await wait(2)
  }
  return latencies.sort((a, b) => a - b)
}

async function openCrowd(): Promise<TunSocket[]> {
  const sockets: TunSocket[] = []
  for (let made = 0; made < count; made += 500) {
    const batch = Array.from({ length: Math.min(500, count - made) }, () =>
      client.connect({ host: '10.9.0.2', port: 80 }),
    )
    for (const socket of await Promise.all(batch)) {
      socket.on('error', () => undefined)
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nX: ')
      sockets.push(socket)
    }
  }
  return sockets
}

function tell(name: string, sorted: readonly number[]): void {
  const at = (part: number): string => (sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN).toFixed(2)
  console.log(
    `${name}: ${sorted.length} requests, median ${at(0.5)} ms, 95 % ${at(0.95)} ms, 99 % ${at(0.99)} ms, worst ${at(1)} ms`,
  )
}
