// What a socket offers of TCP beyond node:net: settings changed while it lives, urgent data.

import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { connected, type TwoHosts, twoHosts } from './helpers.ts'

describe('settings of one socket', () => {
  test('are changed while the connection lives', async () => {
    const { client, time } = await connected()
    expect(client.configure({ congestion: 'reno', nagle: false })).toBe(client)
    await time.run(10)
    expect(client.info()).toMatchObject({ congestion: 'reno' })
  })

  test('that are given before there is a connection are kept for it', async () => {
    const { time, a, b } = twoHosts()
    b.createServer(() => undefined).listen(80)
    const client = a.socket()
    client.configure({ nagle: false }).configure({ keepAliveCount: 3 })
    client.connect(80, '10.9.0.2')
    await time.drive(once(client, 'connect'))
    const [connection] = a.stack.tcp.connections()
    expect(connection.tcb.config).toMatchObject({ nagle: false, keepAliveCount: 3 })
    client.destroy()
  })

  test('that do not exist, or are agreed on as it opens, are refused at once', async () => {
    const { client } = await connected()
    expect(() => client.configure({ nagel: false } as never)).toThrow(/unknown TCP setting 'nagel'/)
    expect(() => client.configure({ timestamps: false })).toThrow(/agreed on when a connection opens/)
    const { a } = twoHosts()
    expect(() => a.socket().configure({ dupThresh: 0 })).toThrow(RangeError)
  })
})

describe('Fast Open (RFC 7413)', () => {
  /** Sends a request and reads the answer; how long that takes in round trips of 20 ms. */
  async function ask({ a, time }: TwoHosts, fastOpen: boolean): Promise<number> {
    const start = time.now()
    const client = a.createConnection({ host: '10.9.0.2', port: 80, tcp: { fastOpen } })
    client.write('ask')
    const [answer] = await time.drive(once(client, 'data'))
    const took = time.now() - start
    expect(String(answer)).toBe('ask!')
    client.end()
    await time.drive(once(client, 'close'))
    return Math.round(took / 20_000)
  }

  test.each([
    [true, [2, 1, 1]],
    [false, [2, 2, 2]],
  ])(
    'the server has it: %s. Request and answer take so many round trips, one connection after the other: %s',
    async (has, trips) => {
      const hosts = twoHosts({ delayMs: 10 })
      const server = await hosts.time.drive(hosts.b.listen({ port: 80, tcp: { fastOpen: has } }))
      const seen: string[] = []
      server.on('connection', (socket) => {
        socket.on('data', (chunk: Buffer) => {
          seen.push(String(chunk))
          socket.end(`${chunk}!`)
        })
      })
      for (const expected of trips) expect(await ask(hosts, true)).toBe(expected)
      expect(seen).toEqual(['ask', 'ask', 'ask'])
      expect(await ask(hosts, false)).toBe(2)
      await hosts.time.drive(Promise.all([hosts.a.close(), hosts.b.close()]))
    },
  )
})

describe('urgent data (RFC 9293 §3.8.5)', () => {
  test('is told ahead, stays in the stream, and a read stops at its end', async () => {
    const { client, served, time } = await connected()
    const told = once(served, 'urgent')
    served.pause()
    client.write('slow ')
    client.writeUrgent(Buffer.from('stop!'))
    client.write(' more')
    expect(await time.drive(told)).toEqual([10])
    const chunks: string[] = []
    served.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
    served.resume()
    client.end()
    await time.drive(once(served, 'end'))
    expect(chunks).toEqual(['slow stop!', ' more'])
  })

  test('calls back as a write does', async () => {
    const { client, served, time } = await connected()
    served.resume()
    await time.drive(
      new Promise<void>((resolve, reject) => {
        client.writeUrgent(new Uint8Array([1]), (error) => (error ? reject(error) : resolve()))
      }),
    )
    expect(client.bytesWritten).toBe(1)
  })
})
