// Scenarios of comparison.test.ts: servers.

import { once } from 'node:events'
import { closed, finish, listen, pair, type Scenario } from './recorder.ts'

/** Servers. */
export const SERVER_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a port that is taken: EADDRINUSE',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      const second = world.createServer()
      second.on('error', (error) => record.error('second', 'error', error))
      second.on('close', () => record.note('second', 'close'))
      second.listen(port, world.host)
      record.note('second', String(second.listening))
      await once(second, 'error')
      server.close()
      await world.settle()
    },
  },
  {
    name: 'an address that is not ours: EADDRNOTAVAIL',
    run: async (world, record) => {
      const server = world.createServer()
      server.on('error', (error) => record.error('server', 'error', error))
      server.listen(9, '192.0.2.77')
      await once(server, 'error')
    },
  },
  {
    name: 'listen twice, close twice',
    run: async (world, record) => {
      const [server] = await listen(world, record)
      for (const event of ['listening', 'close']) server.on(event, () => record.note('server', event))
      try {
        server.listen(0)
      } catch (error) {
        record.error('server', 'thrown', error)
      }
      server.close((error) => record.error('server', 'first', error))
      record.note('server', `${server.listening} ${server.address()}`)
      server.close((error) => record.error('server', 'second', error))
      await world.settle()
      server.close((error) => record.error('server', 'third', error))
      await world.settle()
    },
  },
  {
    name: 'a server closes when its last connection has',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.server.on('close', () => record.note('server', 'close'))
      p.server.close()
      await world.settle()
      p.server.getConnections((_error, count) => record.note('server', `${count} open`))
      await world.settle()
      p.client.end()
      await world.settle()
      record.note('server', `${p.server.listening}`)
      await finish(world, p)
    },
  },
  {
    name: 'maxConnections: a connection too many is dropped with an event',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      server.maxConnections = 1
      server.on('connection', () => record.note('server', 'connection'))
      server.on('drop', (dropped) => record.note('server', `drop ${Object.keys(dropped ?? {}).sort()}`))
      const first = world.connect({ port, host: world.host })
      await once(first, 'ready')
      await world.settle()
      const second = world.connect({ port, host: world.host })
      second.on('error', () => {})
      await closed(second)
      first.destroy()
      server.close()
      await world.settle()
    },
  },
  {
    name: 'pauseOnConnect: nothing is read until the socket resumes',
    run: async (world, record) => {
      const p = await pair(world, record, { serverOptions: { pauseOnConnect: true } })
      p.client.end('early')
      await world.settle()
      record.note('served', `${p.served.isPaused()} ${p.served.bytesRead}`)
      p.served.resume()
      await finish(world, p)
    },
  },
  {
    name: 'a signal closes a server',
    run: async (world, record) => {
      const controller = new AbortController()
      const server = world.createServer()
      server.on('close', () => record.note('server', 'close'))
      server.listen({ port: 0, host: world.host, signal: controller.signal })
      await once(server, 'listening')
      controller.abort()
      await world.settle()
      record.note('server', String(server.listening))
    },
  },
]
