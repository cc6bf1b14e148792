// Streams without node:stream: the events of direct connections, and our HTTP over them, over a cable in virtual time.

import { expect, test } from 'vitest'
import { type ByteStream, HttpClient, HttpServer } from '../../src/http/index.ts'
import { createHost, type DirectStream, type Host } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'

function world(lossRate = 0): { network: Network; client: Host; server: Host } {
  const network = new Network({ seed: 7 })
  const [left, right] = network.cable({ delayUs: 1000, lossRate })
  const host = (device: typeof left, address: string): Host =>
    createHost({ device, address, scheduler: network.time, random: network.random() })
  return { network, client: host(left, '10.0.0.1/24'), server: host(right, '10.0.0.2/24') }
}

const TO = { host: '10.0.0.2', port: 80 }

test.each([0, 0.02])(
  'a stream takes more than the send buffer, says drain once, and ends behind all of it (loss %d)',
  async (loss) => {
    const { network, client, server } = world(loss)
    const text = Buffer.alloc(6_000_000, 'stream ')
    const log: string[] = []
    server.listenStreams({ port: 80 }, (stream: DirectStream) => {
      stream.on('drain', () => {
        log.push('drain')
        stream.end()
      })
      log.push(String(stream.write(text)), stream.remoteAddress)
    })
    const parts: Buffer[] = []
    let isOver = false
    client.connectDirect(TO, {
      onData: (_socket, bytes) => parts.push(Buffer.from(bytes)),
      onClose: () => {
        isOver = true
      },
    })
    await network.time.run({ while: () => !isOver })
    expect(Buffer.concat(parts).equals(text)).toBe(true)
    expect(log).toEqual(['false', '10.0.0.1', 'drain'])
  },
)

test('a paused stream gives nothing, its end neither; resumed it gives all in order, then the end once, then close', async () => {
  const { network, client, server } = world()
  const log: string[] = []
  let stream = null as DirectStream | null
  server.listenStreams({ port: 80 }, (one) => {
    stream = one
    one.on('data', (chunk: Uint8Array) => {
      log.push(Buffer.from(chunk).toString())
      if (log.length === 1) {
        one.pause()
        one.unshift(Buffer.from('again'))
      }
    })
    one.on('end', () => log.push('end'))
    one.on('close', () => log.push('close'))
    one.resume()
  })
  client.connectDirect(TO, {
    onOpen: (socket) => {
      socket.write(Buffer.from('one'))
      network.time.schedule(network.time.now() + 50_000, () => {
        socket.write(Buffer.from('two'))
        socket.end()
      })
    },
    onData: () => undefined,
  })
  await network.time.run({ until: 1_000_000 })
  expect(log).toEqual(['one'])
  stream?.resume()
  await network.time.run({ until: 2_000_000 })
  expect(log).toEqual(['one', 'again', 'two', 'end'])
  stream?.end()
  await network.time.run({ until: 3_000_000 })
  expect(log).toEqual(['one', 'again', 'two', 'end', 'close'])
})

test.each([0, 0.03])('our HTTP serves over it, bodies both ways larger than any buffer (loss %d)', async (loss) => {
  const { network, client, server } = world(loss)
  const http = new HttpServer({
    scheduler: network.time,
    handler: async (request) => ({ body: await request.bytes() }),
  })
  server.listenStreams({ port: 80 }, (stream) => http.handleConnection(stream))
  const web = new HttpClient({
    scheduler: network.time,
    connect: async () => (await client.connect({ ...TO, allowHalfOpen: true })) as ByteStream,
  })
  const body = Buffer.alloc(700_000, 'both ways ')
  const sizes: number[] = []
  for (const method of ['PUT', 'POST']) {
    const asked = web.fetch('http://10.0.0.2/', { method, body }).then(async (response) => {
      expect(Buffer.from(await response.bytes()).equals(body)).toBe(true)
      sizes.push(body.length)
    })
    const before = sizes.length
    await network.time.run({ while: () => sizes.length === before })
    await asked
  }
  expect(http.counters).toMatchObject({ connections: 1, requests: 2, timeouts: 0 })
  http.closeAll()
})

test('whenAcknowledged: true once the peer has the last octet, also of what waits for room and after the end; false when it is cut off', async () => {
  const { network, client, server } = world()
  const log: string[] = []
  const text = Buffer.alloc(3_000_000, 'stream ')
  let received = 0
  server.listenStreams({ port: 80 }, (stream) => {
    const note = (name: string) => (acknowledged: boolean) => log.push(`${name} ${acknowledged} ${received}`)
    void stream.whenAcknowledged().then(note('nothing'))
    stream.write(text)
    void stream.whenAcknowledged().then(note('all'))
    stream.end()
  })
  server.listenStreams({ port: 81 }, (stream) => {
    stream.write(text)
    void stream.whenAcknowledged().then((acknowledged) => log.push(`cut ${acknowledged}`))
    stream.once('close', () => log.push('close'))
    stream.destroy(new Error('enough'))
  })
  let overs = 0
  const onClose = (_socket: unknown, error: Error | null): void => {
    overs++
    if (error !== null) log.push((error as Error & { code: string }).code)
  }
  client.connectDirect(TO, { onData: (_socket, bytes) => void (received += bytes.length), onClose })
  await network.time.run({ while: () => overs === 0 })
  expect(log).toEqual(['nothing true 0', `all true ${text.length}`])
  client.connectDirect({ ...TO, port: 81 }, { onData: () => undefined, onClose })
  await network.time.run({ while: () => overs === 1 })
  expect(log.slice(2)).toEqual(['cut false', 'close', 'ECONNRESET'])
})

test('whenAcknowledged of a direct connection that was let go is told when the peer has all, and false when it resets', async () => {
  const { network, client, server } = world()
  const log: string[] = []
  server.listenDirect(
    { port: 80 },
    {
      onData: (socket, bytes) => {
        socket.write(bytes)
        void socket.whenAcknowledged().then((acknowledged) => log.push(String(acknowledged)))
        socket.destroy()
        void socket.whenAcknowledged().then((acknowledged) => log.push(`late ${acknowledged}`))
      },
    },
  )
  client.connectDirect(TO, {
    onOpen: (socket) => socket.write(Buffer.from('hello')),
    onData: () => undefined,
  })
  await network.time.run({ until: 1_000_000 })
  expect(log).toEqual(['late false', 'true'])
  client.connectDirect(TO, {
    onOpen: (socket) => {
      socket.write(Buffer.from('hello'))
      network.time.schedule(network.time.now() + 1500, () => socket.reset())
    },
    onData: () => undefined,
  })
  await network.time.run({ until: 2_000_000 })
  expect(log.slice(2)).toEqual(['late false', 'false'])
})
