// Servers: async iteration, the backlog, holds, signals. What node:net has too is in comparison.test.ts.

import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { connected, twoHosts, uncaughtDuring } from './helpers.ts'

describe('for await (const socket of server)', () => {
  test('gives connections in order, and ends when the server closes', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 7 })
    const seen: string[] = []
    const loop = (async () => {
      for await (const socket of server) {
        for await (const chunk of socket) seen.push(String(chunk))
        if (seen.length === 3) server.close()
      }
    })()
    for (const text of ['one', 'two', 'three']) {
      const socket = await time.drive(a.connect({ host: 'fd09::2', port: 7 }))
      socket.end(text)
    }
    await time.drive(loop)
    expect(seen).toEqual(['one', 'two', 'three'])
    expect(await server[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined })
  })

  test('connections wait in the backlog until somebody takes them', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 7 })
    const client = await time.drive(a.connect({ host: '10.9.0.2', port: 7 }))
    client.write('early')
    await time.run(100)
    let count = -1
    server.getConnections((_error, n) => {
      count = n
    })
    await time.run(0)
    expect(count).toBe(0)
    const [socket] = (await time.drive(once(server, 'connection'))) as [TunSocket]
    const [chunk] = await time.drive(once(socket, 'data'))
    expect(String(chunk)).toBe('early')
  })

  test('a backlog that is full lets no more in until one is taken', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 7, backlog: 2 })
    const clients = [1, 2, 3].map(() => a.createConnection(7, '10.9.0.2'))
    await time.run(500)
    // As with Linux: all three came through the handshake, but the third one's last ACK found no room.
    expect(clients.map(({ connecting }) => connecting)).toEqual([false, false, false])
    const fourth = a.createConnection(7, '10.9.0.2')
    await time.run(500)
    expect(fourth.connecting).toBe(true)
    const texts: string[] = []
    clients[2].write('third')
    server.on('connection', (socket) => socket.on('data', (chunk: Buffer) => texts.push(String(chunk))))
    await time.run(5_000)
    expect([fourth.connecting, texts]).toEqual([false, ['third']])
  })

  test('leaving the loop keeps the server open, and a second loop goes on', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 7 })
    const take = async (): Promise<TunSocket> => {
      for await (const socket of server) return socket
      throw new Error('closed')
    }
    const first = take()
    const one = await time.drive(a.connect({ host: '10.9.0.2', port: 7 }))
    expect((await time.drive(first)).remotePort).toBe(one.localPort)
    expect(server.listening).toBe(true)
    const two = await time.drive(a.connect({ host: '10.9.0.2', port: 7 }))
    expect((await time.drive(take())).remotePort).toBe(two.localPort)
  })

  test('a socket that fails before the loop looks at it does not end the program', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 7 })
    const client = await time.drive(a.connect({ host: '10.9.0.2', port: 7 }))
    client.resetAndDestroy()
    await time.run(100)
    const next = await time.drive(server[Symbol.asyncIterator]().next())
    await time.run(100)
    expect(next.value).toMatchObject({ destroyed: true, errored: { code: 'ECONNRESET' } })
  })
})

describe('a server', () => {
  test('applies noDelay, keepAlive and its own TCP settings to what it accepts', async () => {
    const { served } = await connected({
      listen: { noDelay: true, keepAlive: true, keepAliveInitialDelay: 5_000, tcp: { sendBufferBytes: 4096 } },
    })
    expect(served.write(Buffer.alloc(200_000))).toBe(false)
  })

  test('listens on all own addresses of both families by default, on one when told so', async () => {
    const { time, a, b } = twoHosts()
    const all = await b.listen({ port: 7 })
    expect(all.address()).toEqual({ address: '::', family: 'IPv6', port: 7 })
    for (const host of ['10.9.0.2', 'fd09::2']) {
      const socket = await time.drive(a.connect({ host, port: 7 }))
      expect(socket.remoteFamily).toBe(host === '10.9.0.2' ? 'IPv4' : 'IPv6')
    }
    const one = await b.listen({ port: 0, host: '10.9.0.2' })
    const { port, ...rest } = one.address() ?? { port: 0 }
    expect(rest).toEqual({ address: '10.9.0.2', family: 'IPv4' })
    await expect(time.drive(a.connect({ host: 'fd09::2', port }))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('a connection listener that throws does not stop the next connection', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 7 })
    let count = 0
    server.on('connection', () => {
      count++
      throw new Error(`listener ${count}`)
    })
    const errors = await uncaughtDuring(async () => {
      await time.drive(Promise.all([1, 2].map(() => a.connect({ host: '10.9.0.2', port: 7 }))))
      await time.run(100)
    })
    expect(errors.map(String)).toEqual(['Error: listener 1', 'Error: listener 2'])
  })

  test('close() resets connections that nobody has taken', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 7 })
    const client = await time.drive(a.connect({ host: '10.9.0.2', port: 7 }))
    const failed = once(client, 'error')
    await server[Symbol.asyncDispose]()
    const [error] = await time.drive(failed)
    expect(error.code).toBe('ECONNRESET')
  })

  test('a name as its host is ENOTFOUND', async () => {
    const { b } = twoHosts()
    await expect(b.listen({ port: 7, host: 'here.test' })).rejects.toMatchObject({
      code: 'ENOTFOUND',
      syscall: 'getaddrinfo',
      hostname: 'here.test',
    })
  })
})
