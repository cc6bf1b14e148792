// UDP sockets as Node has them. The first group runs on node:dgram over the machine's loopback too, so that what is expected is Node's own.

import dgram from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { createHost, realTime, type TunDgramSocket } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'
import { twoHosts } from './helpers.ts'

const [device] = memoryPair({ scheduler: realTime() })
const own = createHost({
  device,
  address: ['10.9.0.1/24', 'fd09::1/64'],
  scheduler: realTime({ ref: true }),
  random: new SeededRandom(1),
})

const makers = {
  'node:dgram': (type: 'udp4' | 'udp6'): dgram.Socket => dgram.createSocket(type),
  tunstack: (type: 'udp4' | 'udp6'): dgram.Socket => own.createSocket(type) as unknown as dgram.Socket,
}

/** What a call throws: code and text. */
function thrown(call: () => unknown): unknown {
  try {
    call()
    return 'nothing'
  } catch (error) {
    const { code, message, syscall } = error as NodeJS.ErrnoException
    return { code, message, ...(syscall === undefined ? {} : { syscall }) }
  }
}

const NOT_RUNNING = { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING', message: 'Not running' }
const CONNECTED = { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED', message: 'Already connected' }
const NOT_CONNECTED = { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED', message: 'Not connected' }
const sys = (syscall: string, code: string) => ({ code, message: `${syscall} ${code}`, syscall })

describe.each(Object.entries(makers))('%s', (_name, make) => {
  test('what cannot be asked of a socket that is not bound, of a bound one, of a connected one, of a closed one', async () => {
    const socket = make('udp4')
    expect(thrown(() => socket.address())).toEqual(sys('getsockname', 'EBADF'))
    expect(thrown(() => socket.remoteAddress())).toEqual(NOT_CONNECTED)
    expect(thrown(() => socket.setTTL(3))).toEqual(sys('setTTL', 'EBADF'))
    expect(thrown(() => socket.setTTL('a' as never))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    expect(thrown(() => socket.setBroadcast(true))).toEqual(sys('setBroadcast', 'EBADF'))
    for (const port of [0, 99999, undefined, -1]) {
      expect(thrown(() => socket.send('x', port as number, '127.0.0.1'))).toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' })
    }
    expect(thrown(() => socket.send(5 as never, 99, '127.0.0.1'))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    expect(thrown(() => socket.send('abc', 1, 9, 99, '127.0.0.1'))).toEqual({
      code: 'ERR_BUFFER_OUT_OF_BOUNDS',
      message: '"length" is outside of buffer bounds',
    })
    socket.bind(0, '127.0.0.1')
    expect(thrown(() => socket.bind(0))).toEqual({
      code: 'ERR_SOCKET_ALREADY_BOUND',
      message: 'Socket is already bound',
    })
    await once(socket, 'listening')
    expect(socket.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: expect.any(Number) })
    expect(socket.setTTL(5)).toBe(5)
    for (const ttl of [0, 256]) expect(thrown(() => socket.setTTL(ttl))).toEqual(sys('setTTL', 'EINVAL'))
    expect(socket.setMulticastTTL(4)).toBe(4)
    socket.setRecvBufferSize(5000)
    expect(socket.getRecvBufferSize()).toBe(10_000)
    expect([socket.getSendQueueSize(), socket.getSendQueueCount()]).toEqual([0, 0])
    expect(thrown(() => socket.disconnect())).toEqual(NOT_CONNECTED)
    socket.connect(9, '127.0.0.1')
    expect(thrown(() => socket.connect(9))).toEqual(CONNECTED)
    expect(thrown(() => socket.remoteAddress())).toEqual(NOT_CONNECTED)
    await once(socket, 'connect')
    expect(socket.remoteAddress()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: 9 })
    expect(thrown(() => socket.connect(9))).toEqual(CONNECTED)
    expect(thrown(() => socket.send('abc', 0, 1, 9, '127.0.0.1'))).toEqual(CONNECTED)
    socket.disconnect()
    const closed = once(socket, 'close')
    socket.close()
    for (const call of [() => socket.close(), () => socket.address(), () => socket.bind(), () => socket.send('x', 9)]) {
      expect(thrown(call)).toEqual(NOT_RUNNING)
    }
    await closed
  })

  test.each([
    ['udp4', '127.0.0.1', 'IPv4'],
    ['udp6', '::1', 'IPv6'],
  ] as const)(
    'all forms of send over %s: pieces, slices, lists, without address, connected',
    async (type, address, family) => {
      const server = make(type)
      const got: unknown[] = []
      server.on('message', (data, from) => got.push([data.toString(), from.size, from.address, from.family]))
      server.bind()
      await once(server, 'listening')
      const { port } = server.address()
      const client = make(type)
      const sends: ((done: (error: Error | null, bytes?: number) => void) => void)[] = [
        (done) => client.send('one', port, address, done),
        (done) => client.send(Buffer.from('xtwox'), 1, 3, port, address, done),
        (done) => client.send(['th', Buffer.from('re'), new Uint8Array([101])], port, done),
        (done) => client.send(new DataView(new ArrayBuffer(0)), port, done),
        (done) => client.connect(port, address, () => done(null)),
        (done) => client.send('four', done),
        (done) => client.send('xfivex', 1, 4, done),
        (done) => client.send(Buffer.alloc(60_000, 'x'), done),
      ]
      const sent: unknown[] = []
      for (const send of sends) {
        sent.push(
          await new Promise((resolve, reject) => send((error, bytes) => (error ? reject(error) : resolve(bytes)))),
        )
      }
      expect(sent).toEqual([3, 3, 5, 0, undefined, 4, 4, 60_000])
      while (got.length < 7) await once(server, 'message')
      const texts = ['one', 'two', 'three', '', 'four', 'five', 'x'.repeat(60_000)]
      expect(got).toEqual(texts.map((text) => [text, text.length, address, family]))
      client.close()
      server.close()
    },
  )

  test('errors of send and bind name call, address and port', async () => {
    const socket = make('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address()
    const failed = (send: (done: (error: Error | null) => void) => void) =>
      new Promise((resolve) => send((error) => resolve({ ...error, message: error?.message })))
    expect(await failed((done) => socket.send(Buffer.alloc(65_508), 9, '127.0.0.1', done))).toEqual({
      errno: -90,
      code: 'EMSGSIZE',
      syscall: 'send',
      address: '127.0.0.1',
      port: 9,
      message: 'send EMSGSIZE 127.0.0.1:9',
    })
    expect(await failed((done) => socket.send('x', 5, '::1', done))).toMatchObject({ message: 'send EINVAL ::1:5' })
    for (const [at, address, message] of [
      [port, '127.0.0.1', `bind EADDRINUSE 127.0.0.1:${port}`],
      [0, '192.0.2.1', 'bind EADDRNOTAVAIL 192.0.2.1'],
    ] as const) {
      const other = make('udp4')
      other.bind(at, address)
      const [error] = await once(other, 'error')
      expect(error.message).toBe(message)
      other.close()
    }
    socket.close()
  })

  test('a connected socket is told that nobody is there (RFC 1122 §4.1.3.3)', async () => {
    const gone = make('udp4')
    gone.bind(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address()
    gone.close()
    const socket = make('udp4')
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.send('x')
    const [error] = await once(socket, 'error')
    expect({ ...error, message: error.message }).toEqual({
      errno: -111,
      code: 'ECONNREFUSED',
      syscall: 'recvmsg',
      message: 'recvmsg ECONNREFUSED',
    })
    socket.close()
  })
})

test('a type that is none, and a signal that is none, are refused; an aborted signal closes', async () => {
  expect(thrown(() => own.createSocket('udp5' as 'udp4'))).toEqual(thrown(() => dgram.createSocket('udp5' as 'udp4')))
  expect(thrown(() => own.createSocket({ type: 'udp4', signal: {} as AbortSignal }))).toMatchObject({
    code: 'ERR_INVALID_ARG_TYPE',
  })
  for (const early of [true, false]) {
    const controller = new AbortController()
    if (early) controller.abort()
    const socket = own.createSocket({ type: 'udp4', signal: controller.signal })
    const closed = once(socket, 'close')
    controller.abort()
    await closed
  }
})

test('two hosts over a cable: large datagrams, both families behind one IPv6 socket, the end of everything', async () => {
  const { time, a, b, devices } = twoHosts()
  const server = b.createSocket('udp6')
  const from: unknown[] = []
  server.on('message', (data, info) => {
    from.push([data.length, info.address])
    server.send(data, info.port, info.address)
  })
  server.bind(53)
  const answers = async (client: TunDgramSocket, address: string, size: number) => {
    const answer = once(client, 'message')
    client.send(Buffer.alloc(size, 'y'), 53, address)
    const [data] = await time.drive(answer)
    return data.length
  }
  const [four, six] = [a.createSocket('udp4'), a.createSocket('udp6')]
  expect(await answers(four, '10.9.0.2', 65_507)).toBe(65_507)
  expect(await answers(six, 'fd09::2', 65_527)).toBe(65_527)
  expect(from).toEqual([
    [65_507, '::ffff:10.9.0.1'],
    [65_527, 'fd09::1'],
  ])
  expect(devices[0].isRef).toBe(true)
  four.unref()
  six.unref()
  expect(devices[0].isRef).toBe(false)
  expect(six.ref()).toBe(six)
  expect(devices[0].isRef).toBe(true)
  const closed = Promise.all([once(four, 'close'), once(six, 'close')])
  await time.drive(a.close())
  await closed
  await time.drive(b.close())
})

test('closing the host closes its UDP sockets, and none can be bound afterwards', async () => {
  const { time, a } = twoHosts()
  const socket = a.createSocket('udp4')
  socket.bind(53)
  await once(socket, 'listening')
  const closed = once(socket, 'close')
  await time.drive(a.close())
  await closed
  const late = a.createSocket('udp4')
  late.bind(0)
  const [error] = await once(late, 'error')
  expect(error.code).toBe('ENETDOWN')
})

test('a socket joins groups and leaves them: what comes to them meanwhile is its own (RFC 1112 §7.2)', async () => {
  const { a, b, run } = await groupWorld()
  const got: string[] = []
  const socket = b.createSocket({ type: 'udp4', reuseAddr: true }, (data) => got.push(`${data}`))
  socket.bind(5353)
  const sender = a.createSocket('udp4')
  const send = async (text: string): Promise<void> => {
    sender.send(text, 5353, '239.1.1.1')
    await run()
  }
  await send('before')
  socket.addMembership('239.1.1.1')
  await send('while')
  expect(thrown(() => socket.addMembership('239.1.1.1'))).toEqual(sys('addMembership', 'EADDRINUSE'))
  expect(thrown(() => socket.addMembership('10.0.0.1'))).toEqual(sys('addMembership', 'EINVAL'))
  expect(thrown(() => socket.addMembership('239.1.1.2', '10.0.0.77'))).toEqual(sys('addMembership', 'ENODEV'))
  socket.dropMembership('239.1.1.1')
  expect(thrown(() => socket.dropMembership('239.1.1.1'))).toEqual(sys('dropMembership', 'EADDRNOTAVAIL'))
  await send('after')
  expect(got).toEqual(['while'])
})

test('datagrams to everybody want setBroadcast, and reach sockets on all addresses (RFC 1122 §4.1.3)', async () => {
  const { a, b, run } = await groupWorld()
  const got: string[] = []
  b.createSocket('udp4', (data, from) => got.push(`${data} from ${from.address}`)).bind(67)
  const sender = a.createSocket('udp4')
  sender.bind(68)
  const failed = new Promise<unknown>((resolve) => sender.send('no', 67, '255.255.255.255', resolve))
  await run()
  expect(await failed).toMatchObject({ code: 'EACCES' })
  sender.setBroadcast(true)
  sender.send('all', 67, '255.255.255.255')
  sender.send('net', 67, '10.0.0.255')
  await run()
  expect(got).toEqual(['all from 10.0.0.1', 'net from 10.0.0.1'])
})

test('a link-local address may name its interface, by name or number, and no other (RFC 4007 §11.2)', async () => {
  const { a, b, run, network } = await groupWorld()
  const got: string[] = []
  b.createSocket('udp6', (data) => got.push(`${data}`)).bind(9)
  const sender = a.createSocket('udp6')
  const failed = new Promise<unknown>((resolve) => sender.send('lost', 9, 'fe80::2%eth7', resolve))
  for (const zone of ['', '%left', '%1']) sender.send(zone, 9, `fe80::2${zone}`)
  await run()
  expect(got).toEqual(['', '%left', '%1'])
  expect(await failed).toMatchObject({ code: 'EINVAL' })
  await network.time.runFor(b.listen({ port: 80 }))
  const socket = await network.time.runFor(a.connect({ host: 'fe80::2%left', port: 80 }))
  expect(socket.remoteAddress).toBe('fe80::2')
  await expect(network.time.runFor(a.connect({ host: 'fe80::2%eth7', port: 80 }))).rejects.toMatchObject({
    code: 'EINVAL',
  })
  expect(await network.time.runFor(a.ping('fe80::2%left'))).toBe(2000)
  await expect(a.ping('fe80::2%eth7')).rejects.toMatchObject({ code: 'EINVAL' })
})

async function groupWorld() {
  const network = new Network({ seed: 4 })
  const [left, right] = network.cable({ delayUs: 1000 })
  const [a, b] = [left, right].map((device, n) =>
    createHost({
      device,
      address: [`10.0.0.${n + 1}/24`, `fe80::${n + 1}/64`],
      scheduler: network.time,
      random: network.random(),
    }),
  )
  const run = async (): Promise<void> => network.time.run({ until: network.time.now() + 10_000 })
  return { network, a, b, run }
}
