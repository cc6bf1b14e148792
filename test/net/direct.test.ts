// Direct connections: callbacks above TCP, over a cable in virtual time.

import { expect, test } from 'vitest'
import { createHost, type DirectHandler, type DirectSocket, type Host } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'

interface World {
  readonly network: Network
  readonly client: Host
  readonly server: Host
}

function world(lossRate = 0): World {
  const network = new Network({ seed: 7 })
  const [left, right] = network.cable({ delayUs: 1000, lossRate })
  const host = (device: typeof left, address: string): Host =>
    createHost({ device, address, scheduler: network.time, random: network.random() })
  return { network, client: host(left, '10.0.0.1/24'), server: host(right, '10.0.0.2/24') }
}

const TO = { host: '10.0.0.2', port: 80 }

/** Sends `text` as the send buffer takes it, then ends. */
function sender(text: Uint8Array, log: string[] = []): DirectHandler {
  let at = 0
  const go = (socket: DirectSocket): void => {
    at += socket.write(text.subarray(at))
    if (at === text.length) socket.end()
  }
  return {
    onOpen: go,
    onWritable: go,
    onData: (_socket, bytes) => log.push(Buffer.from(bytes).toString()),
    onClose: (_socket, error) => log.push(error === null ? 'closed' : (error as Error & { code: string }).code),
  }
}

test.each([0, 0.02])('text larger than any buffer arrives whole, lent piece by piece (loss %d)', async (loss) => {
  const { network, client, server } = world(loss)
  const text = Buffer.alloc(3_000_000)
  for (let i = 0; i < text.length; i++) text[i] = (i * 31) >>> 3
  const parts: Buffer[] = []
  const log: string[] = []
  server.listenDirect({ port: 80 }, { onData: (_socket, bytes) => parts.push(Buffer.from(bytes)) })
  client.connectDirect(TO, sender(text, log))
  await network.time.run({ while: () => log.length === 0 })
  expect(Buffer.concat(parts).equals(text)).toBe(true)
  expect(log).toEqual(['closed'])
})

test('an echo of a paused connection comes once it is resumed', async () => {
  const { network, client, server } = world()
  const log: string[] = []
  let held: DirectSocket | null = null
  server.listenDirect(
    { port: 80 },
    {
      onOpen: (socket) => {
        held = socket
        socket.pause()
      },
      onData: (socket, bytes) => socket.write(bytes),
    },
  )
  const socket = client.connectDirect(TO, {
    onOpen: (self) => self.write(Buffer.from('hello')),
    onData: (_self, bytes) => log.push(Buffer.from(bytes).toString()),
    onClose: () => log.push('closed'),
  })
  await network.time.run({ until: 1_000_000 })
  expect(log).toEqual([])
  held!.resume()
  await network.time.run({ until: 2_000_000 })
  expect(log).toEqual(['hello'])
  socket.reset()
  await network.time.run({ until: 3_000_000 })
  expect(log).toEqual(['hello', 'closed'])
  expect(server.stack.tcp.connectionCount).toBe(0)
})

test('whoever resets a connection while text is lent to it is told nothing more', async () => {
  const { network, client, server } = world()
  let calls = 0
  server.listenDirect(
    { port: 80 },
    {
      onData: (socket) => {
        calls++
        socket.reset()
      },
    },
  )
  const log: string[] = []
  client.connectDirect(TO, sender(Buffer.alloc(200_000), log))
  await network.time.run({ while: () => log.length === 0 })
  expect(calls).toBe(1)
  expect(log).toEqual(['ECONNRESET'])
})

test('a port that nobody listens on refuses, and one that is taken cannot be opened', async () => {
  const { network, client, server } = world()
  const log: string[] = []
  client.connectDirect(TO, sender(Buffer.from('x'), log))
  await network.time.run({ until: 1_000_000 })
  expect(log).toEqual(['ECONNREFUSED'])
  const ignore: DirectHandler = { onData: () => undefined }
  const first = server.listenDirect({ port: 80 }, ignore)
  expect(() => server.listenDirect({ port: 80 }, ignore)).toThrow(/EADDRINUSE/)
  first.close()
  server.listenDirect({ port: 80 }, ignore).close()
})

test('a host that closes ends its direct connections', async () => {
  const { network, client, server } = world()
  const log: string[] = []
  server.listenDirect({ port: 80 }, { onData: () => undefined })
  client.connectDirect(TO, { onData: () => undefined, onClose: () => log.push('closed') })
  await network.time.run({ until: 1_000_000 })
  await network.time.runFor(server.close())
  await network.time.run({ until: network.time.now() + 1_000_000 })
  expect(log).toEqual(['closed'])
})
