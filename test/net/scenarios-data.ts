// Scenarios of comparison.test.ts: bytes, pauses and timeouts.

import { finish, pair, type Scenario, wrote } from './recorder.ts'

/** Bytes, pauses and timeouts. */
export const DATA_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a paused socket gets data and end when it resumes',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.client.pause()
      p.served.end('waiting')
      await world.settle()
      record.note('client', 'resume')
      p.client.resume()
      await finish(world, p)
    },
  },
  {
    name: 'the idle timeout only tells, and starts again with the next byte',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.client.setTimeout(10)
      await world.settle()
      p.client.write('x')
      await world.settle()
      record.state('client', p.client)
      p.client.setTimeout(0)
      p.client.write('y')
      await finish(world, p)
    },
  },
  {
    name: 'a timeout callback is called once; 0 takes it back',
    run: async (world, record) => {
      const p = await pair(world, record)
      const back = (): void => record.note('client', 'back')
      p.client.setTimeout(10, back)
      p.client.setTimeout(0, back)
      p.client.setTimeout(10, () => record.note('client', 'called'))
      await world.settle()
      p.client.write('x')
      await finish(world, p)
    },
  },
  {
    name: 'ten megabytes through a pipe and back',
    run: async (world, record) => {
      const p = await pair(world, record, {
        clientData: false,
        servedData: false,
        serverOptions: { allowHalfOpen: true },
      })
      p.served.pipe(p.served)
      p.client.end(Buffer.alloc(10_000_000, 7))
      let sum = 0
      for await (const chunk of p.client) sum += chunk.reduce((a: number, b: number) => a + b, 0)
      record.note('client', String(sum))
      record.state('client', p.client)
      await finish(world, p)
    },
  },
  {
    name: 'corked writes and their callbacks',
    run: async (world, record) => {
      const p = await pair(world, record)
      p.client.cork()
      p.client.write('a', wrote(record, 'client'))
      p.client.write('b', wrote(record, 'client'))
      record.note('client', String(p.client.bytesWritten))
      process.nextTick(() => p.client.uncork())
      await world.settle()
      p.client.end()
      await finish(world, p)
    },
  },
]
