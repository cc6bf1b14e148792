// Scenarios of comparison.test.ts: how connections end.

import { once } from 'node:events'
import { finish, pair, type Scenario, wrote } from './recorder.ts'

/** How connections end. */
export const END_SCENARIOS: readonly Scenario[] = [
  {
    name: 'the peer writes and ends: connect ready data end finish close:false',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.served.end('hello')
      await finish(world, p)
    },
  },
  {
    name: 'the client ends first, and an echo server answers before it ends',
    run: async (world, record) => {
      const p = await pair(world, record, { serverOptions: { allowHalfOpen: true } })
      p.served.pipe(p.served)
      p.client.end('hello')
      await finish(world, p)
      record.state('client', p.client)
      record.state('served', p.served)
    },
  },
  {
    name: 'half-open server: it goes on writing after the end of the client',
    run: async (world, record) => {
      const p = await pair(world, record, { serverOptions: { allowHalfOpen: true } })
      p.client.end()
      await once(p.served, 'end')
      record.state('served', p.served)
      p.served.write('still here', wrote(record, 'served'))
      await world.settle()
      p.served.end()
      await finish(world, p)
    },
  },
  {
    name: 'half-open client: it goes on writing after the end of the server',
    run: async (world, record) => {
      const p = await pair(world, record, {
        clientOptions: { allowHalfOpen: true } as object,
        serverOptions: { allowHalfOpen: true },
      })
      p.served.end('bye')
      await once(p.client, 'end')
      record.state('client', p.client)
      p.client.write('late', wrote(record, 'client'))
      await world.settle()
      record.state('client', p.client)
      p.client.end()
      await finish(world, p)
    },
  },
  {
    name: 'a reset by the server: error:ECONNRESET close:true',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.served.resetAndDestroy()
      record.state('served', p.served)
      await finish(world, p)
      record.state('client', p.client)
    },
  },
  {
    name: 'a reset by the client, and writes afterwards',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.client.resetAndDestroy()
      p.client.write('x', wrote(record, 'client'))
      await finish(world, p)
      p.client.resetAndDestroy()
      p.served.write('x', wrote(record, 'served'))
      await world.settle()
    },
  },
  {
    name: 'write after end',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.client.end('last')
      record.note('client', String(p.client.write('more', wrote(record, 'client'))))
      await finish(world, p)
    },
  },
  {
    name: 'write after the end of the peer has ended our side too: EPIPE',
    run: async (world, record) => {
      const p = await pair(world, record)
      const late = (): void => record.note('client', String(p.client.write('more', wrote(record, 'client'))))
      p.client.on('end', () => process.nextTick(() => process.nextTick(late)))
      p.served.end()
      await once(p.client, 'end')
      p.served.removeAllListeners() // what it sees is a FIN from node:net and a reset from ours: see destroy(error)
      p.served.on('error', () => {})
      await finish(world, p)
    },
  },
  {
    name: 'write in the end event, without allowHalfOpen: our side still takes it',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.client.on('end', () => record.note('client', String(p.client.write('more', wrote(record, 'client')))))
      p.served.end()
      await finish(world, p)
    },
  },
  {
    name: 'destroy with pending writes',
    run: async (world, record) => {
      const p = await pair(world, record, { servedData: false })
      p.served.pause()
      const big = Buffer.alloc(40_000_000)
      p.client.write(big) // node:net tells its callback of no error, ours of ERR_STREAM_DESTROYED
      p.client.write('queued', wrote(record, 'client'))
      await world.settle()
      p.client.destroy()
      record.note('client', `destroyed ${p.client.destroyed} ${p.client.writable} ${p.client.errored}`)
      await world.settle()
      p.server.close()
      p.served.destroy()
      await world.settle()
    },
  },
  {
    name: 'destroy with an error: it is emitted here, then close:true',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.served.on('error', () => {})
      p.served.removeAllListeners()
      p.served.on('error', () => {})
      p.client.destroy(new RangeError('own reason'))
      p.client.destroy(new RangeError('second reason'))
      await finish(world, p)
      record.note('client', String(p.client.errored))
    },
  },
  {
    name: 'destroySoon: what is written arrives, then the end',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.client.write('all of it', wrote(record, 'client'))
      p.client.destroySoon()
      await finish(world, p)
    },
  },
  {
    name: 'a peer that destroys with unread data resets (RFC 2525 §2.17)',
    run: async (world, record) => {
      const p = await pair(world, record, { servedData: false, serverOptions: { pauseOnConnect: true } })
      p.client.write('unread')
      await world.settle()
      p.served.destroy()
      await finish(world, p)
    },
  },
  {
    name: 'nobody listens for data: the end is not seen',
    run: async (world, record) => {
      const p = await pair(world, record, { clientData: false })
      p.served.end('unread')
      await world.settle()
      record.state('client', p.client)
      p.client.resume()
      await finish(world, p)
    },
  },
  {
    name: 'nobody listens for data and none comes: the end is seen',
    run: async (world, record) => {
      const p = await pair(world, record, { clientData: false })
      p.served.end()
      await finish(world, p)
    },
  },
  {
    name: 'data, then a reset: the data is read, then ECONNRESET',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.served.write('first')
      await world.settle()
      p.served.resetAndDestroy()
      await finish(world, p)
    },
  },
  {
    name: 'a reset while paused is seen when the socket resumes',
    run: async (world, record) => {
      const p = await pair(world, record, { clientData: false })
      p.client.pause()
      p.client.on('data', (chunk) => record.note('client', `data: ${chunk.length}`))
      p.client.pause()
      await world.settle()
      p.served.write(Buffer.alloc(100))
      await world.settle()
      p.served.resetAndDestroy()
      await world.settle()
      record.note('client', 'resume')
      p.client.resume()
      await finish(world, p)
    },
  },
  {
    name: 'half-open, the peer is gone: the second write fails with EPIPE',
    run: async (world, record) => {
      const p = await pair(world, record, { clientOptions: { allowHalfOpen: true } as object })
      p.served.destroy()
      await once(p.client, 'end')
      p.client.write('one', wrote(record, 'client'))
      await world.settle()
      p.client.write('two', () => {})
      await finish(world, p)
    },
  },
  {
    name: 'text: setEncoding, async iteration, end(data, callback)',
    run: async (world, record) => {
      const p = await pair(world, record, { clientData: false, serverOptions: { allowHalfOpen: true } })
      p.client.setEncoding('utf8')
      p.served.end('größe', () => record.note('served', 'ended'))
      let text = ''
      for await (const chunk of p.client) text += chunk
      record.note('client', text)
      await finish(world, p)
    },
  },
]
