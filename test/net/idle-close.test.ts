// The idle-close race over real TCP in virtual time (RFC 9112 §9.5): a server gives a connection up while a request is on its way.
// Both ends are looked at: what the client reports, and how often the server has done what was asked.
import { expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { HttpClient } from '../../src/http/client.ts'
import { HttpServer } from '../../src/http/server.ts'
import { twoHosts } from './helpers.ts'

const RTT = 80
const IDLE = 1000

/** One request that leaves `gap` ms after the last answer came; the client itself would keep the connection for ever. */
async function race(method: string, gap: number) {
  const { time, a, b } = twoHosts({ delayMs: RTT / 4 })
  let effects = 0
  const server = new HttpServer({
    scheduler: time,
    timeouts: { idleUs: IDLE * MILLISECOND },
    handler: async (request) => {
      if ((await request.text()) === 'order' || request.path === '/order') effects++
      return { body: 'done' }
    },
  })
  const listener = await time.drive(b.listen({ port: 80, allowHalfOpen: true }))
  listener.on('connection', (socket) => server.handleConnection(socket, {}))
  const client = new HttpClient({
    scheduler: time,
    keepAliveUs: 60 * SECOND,
    connect: () => a.connect({ host: '10.9.0.2', port: 80, allowHalfOpen: true }),
  })
  await time.drive(client.fetch('http://10.9.0.2/').then((response) => response.text()))
  await time.run(gap)
  const isKept = client.connections.length > 0
  const before = client.counters.connections
  const result = await time.drive(
    client.fetch('http://10.9.0.2/order', { method, ...(method === 'POST' && { body: 'order' }) }).then(
      (response) => response.text(),
      (error: { code: string; sent: boolean; answered: boolean }) => [error.code, error.sent, error.answered],
    ),
  )
  await time.run(200)
  client.destroy()
  return { result, effects, isKept, isNew: client.counters.connections > before }
}

test('GET is done once whenever it leaves; POST is done once, or not at all and the client is told that nobody knows (RFC 9112 §9.3.1)', async () => {
  const seen = new Set<string>()
  // The close leaves the server IDLE after the answer did, which the client had RTT / 2 later.
  for (let gap = IDLE - 2 * RTT; gap <= IDLE + RTT; gap += 19) {
    for (const method of ['GET', 'POST']) {
      const { result, effects, isKept, isNew } = await race(method, gap)
      const isRaced = isKept && (isNew || Array.isArray(result))
      seen.add(`${method} ${isRaced ? 'raced' : isNew ? 'late' : 'early'}`)
      if (isRaced && method === 'POST') expect([gap, result, effects]).toEqual([gap, ['ECONNRESET', true, false], 0])
      else expect([gap, method, result, effects]).toEqual([gap, method, 'done', 1])
    }
  }
  expect([...seen].sort()).toEqual(['GET early', 'GET late', 'GET raced', 'POST early', 'POST late', 'POST raced'])
})
