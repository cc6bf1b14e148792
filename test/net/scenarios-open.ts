// Scenarios of comparison.test.ts: how connections begin, and arguments.

import { once } from 'node:events'
import type net from 'node:net'
import { closed, closedPort, finish, listen, pair, type Scenario, wrote } from './recorder.ts'

/** How connections begin, and arguments. */
export const OPEN_SCENARIOS: readonly Scenario[] = [
  {
    name: 'connection refused',
    run: async (world, record) => {
      const port = await closedPort(world, record)
      const client = world.connect({ port, host: world.host })
      record.watch('client', client)
      record.state('client', client)
      client.write('never', wrote(record, 'client'))
      await closed(client)
      await world.settle()
      record.note('client', `${client.readyState} ${client.pending} ${client.destroyed}`)
    },
  },
  {
    name: 'connection refused, bound to an address',
    run: async (world, record) => {
      const port = await closedPort(world, record)
      const client = world.connect({ port, host: world.host, localAddress: world.host })
      client.on('error', (error) => record.note('client', `${(error as NodeJS.ErrnoException).code}`))
      await closed(client)
    },
  },
  {
    name: 'a reset of a socket that is not connected',
    run: async (world, record) => {
      const socket = world.socket()
      record.watch('socket', socket, true, false) // node:net gives `undefined` for hadError
      socket.resetAndDestroy()
      await world.settle()
    },
  },
  {
    name: 'write on a socket that was never connected',
    run: async (world, record) => {
      const socket = world.socket()
      record.watch('socket', socket, true, false) // node:net gives `undefined` for hadError
      record.state('socket', socket)
      socket.write('x', wrote(record, 'socket'))
      await world.settle()
      record.state('socket', socket)
    },
  },
  {
    name: 'writes before connect are queued, counted and sent in order',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      server.on('connection', (socket) => record.watch('served', socket))
      const client = world.connect({ port, host: world.host })
      record.watch('client', client)
      for (const text of ['one ', 'two ', 'three']) client.write(text, wrote(record, 'client'))
      record.state('client', client)
      client.end()
      await closed(client)
      record.state('client', client)
      server.close()
      await world.settle()
    },
  },
  {
    name: 'destroy in the connect event',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      server.on('connection', (socket) => record.watch('served', socket))
      const client = world.connect({ port, host: world.host }, () => client.destroy())
      record.watch('client', client)
      await closed(client)
      await world.settle()
      server.close()
    },
  },
  {
    name: 'destroy while connecting',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      const client = world.connect({ port, host: world.host })
      record.watch('client', client)
      client.write('x', wrote(record, 'client'))
      client.destroy()
      record.state('client', client)
      await closed(client)
      server.close()
      await world.settle()
    },
  },
  {
    name: 'a signal that aborts while connecting',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      const controller = new AbortController()
      const client = world.connect({ port, host: world.host, signal: controller.signal })
      record.watch('client', client)
      controller.abort()
      await closed(client)
      server.close()
      await world.settle()
    },
  },
  {
    name: 'a signal that was aborted before connecting',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      const client = world.connect({ port, host: world.host, signal: AbortSignal.abort(new Error('why')) })
      record.watch('client', client, true, false) // node:net closes twice
      await closed(client)
      server.close()
      await world.settle()
    },
  },
  {
    name: 'a signal that aborts an open socket',
    run: async (world, record) => {
      const controller = new AbortController()
      const p = await pair(world, record, { clientOptions: { signal: controller.signal } })
      p.served.removeAllListeners()
      p.served.on('error', () => {})
      controller.abort()
      await finish(world, p)
    },
  },
  {
    name: 'a closed socket connects again',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      server.on('connection', (socket) => socket.end('hello'))
      const client = world.connect({ port, host: world.host })
      record.watch('client', client)
      await closed(client)
      client.connect(port, world.host)
      record.state('client', client)
      await closed(client)
      record.state('client', client)
      server.close()
      await world.settle()
    },
  },
  {
    name: 'a name that its lookup does not find',
    run: async (world, record) => {
      const lookup: net.LookupFunction = (name, _options, done) => {
        setImmediate(() => {
          const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' })
          done(error, '', 0)
        })
      }
      const client = world.connect({ port: 1, host: 'nowhere.test', lookup, autoSelectFamily: false })
      client.on('lookup', (error, _address, _family, host) => record.error('client', `lookup ${host}`, error))
      record.watch('client', client)
      record.state('client', client)
      await closed(client)
    },
  },
  {
    name: 'a name that its lookup finds',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      const lookup: net.LookupFunction = (_name, _options, done) => {
        setImmediate(() => done(null, world.host, 4))
      }
      const client = world.connect({ port, host: 'here.test', lookup, autoSelectFamily: false })
      client.on('lookup', (error, address, family, host) => {
        record.note('client', `lookup ${error} ${address === world.host} ${family} ${host}`)
      })
      record.watch('client', client)
      await once(client, 'ready')
      client.destroy()
      await closed(client)
      server.close()
      await world.settle()
    },
  },
  {
    name: 'arguments that cannot be meant throw',
    run: async (world, record) => {
      const calls: Record<string, (socket: net.Socket) => unknown> = {
        'no port': (socket) => socket.connect({} as net.TcpNetConnectOpts),
        'port too large': (socket) => socket.connect(65536),
        'port not a number': (socket) => socket.connect({ port: 'x' as unknown as number }),
        'bad local address': (socket) => socket.connect({ port: 1, host: world.host, localAddress: 'x' }),
        'bad timeout': (socket) => socket.setTimeout('x' as unknown as number),
        'negative timeout': (socket) => socket.setTimeout(-1),
      }
      for (const [name, call] of Object.entries(calls)) {
        const socket = world.socket()
        socket.on('error', () => {})
        try {
          call(socket)
          record.note(name, 'nothing thrown')
        } catch (error) {
          record.note(name, `${(error as Error).name} ${(error as NodeJS.ErrnoException).code}`)
        }
        socket.destroy()
      }
      await world.settle()
    },
  },
  {
    name: 'methods return the socket',
    run: async (world, record) => {
      const p = await pair(world, record)
      const { client } = p
      const same = [
        client.setNoDelay(),
        client.setKeepAlive(true, 1000),
        client.ref(),
        client.unref(),
        client.setTimeout(0),
      ]
      record.note('client', same.map((result) => result === client).join())
      record.note('client', Object.keys(client.address()).sort().join())
      const { remoteFamily, localFamily, remoteAddress, localAddress } = client
      record.note('client', `${remoteFamily} ${localFamily} ${typeof remoteAddress} ${typeof localAddress}`)
      record.note('client', `${client.remotePort === p.served.localPort} ${client.localPort === p.served.remotePort}`)
      record.note('client', String(client.destroy() === client))
      record.note('client', JSON.stringify([client.readyState, client.pending]))
      await finish(world, p)
    },
  },
  {
    name: 'end before connect',
    run: async (world, record) => {
      const [server, port] = await listen(world, record)
      server.on('connection', (socket) => record.watch('served', socket))
      const client = world.socket()
      record.watch('client', client)
      client.end('all')
      client.connect(port, world.host)
      await closed(client)
      server.close()
      await world.settle()
    },
  },
]
