// Hosts: connecting with promises, pings, what keeps the program alive, the orderly end. Virtual time throughout.

import { once } from 'node:events'
import type { LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { createHost } from '../../src/net/index.ts'
import { VirtualTime } from '../../src/sim/index.ts'
import { make } from '../ip/helpers.ts'
import { connected, twoHosts } from './helpers.ts'

const there = { host: '10.9.0.2', port: 80 }

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('host.connect', () => {
  test('rejects with ECONNREFUSED and everything that Node tells of it', async () => {
    const { time, a } = twoHosts()
    const refused = await time.drive(a.connect(there).catch((error) => error))
    expect({ ...refused, message: refused.message }).toEqual({
      errno: -111,
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '10.9.0.2',
      port: 80,
      message: 'connect ECONNREFUSED 10.9.0.2:80',
    })
    expect(Object.keys(refused)).toEqual(['errno', 'code', 'syscall', 'address', 'port'])
  })

  test('a name is ENOTFOUND of getaddrinfo, unless the host was given a lookup', async () => {
    const { time, a } = twoHosts()
    await expect(time.drive(a.connect({ port: 80, host: 'b.test' }))).rejects.toMatchObject({
      errno: -3008,
      code: 'ENOTFOUND',
      syscall: 'getaddrinfo',
      hostname: 'b.test',
      message: 'getaddrinfo ENOTFOUND b.test',
    })
    await expect(time.drive(a.connect({ port: 80 }))).rejects.toMatchObject({ hostname: 'localhost' })
    const lookup: LookupFunction = (name, _options, done) =>
      done(null, [{ address: name === 'b.test' ? 'fd09::2' : '', family: 6 }])
    const named = twoHosts({ lookup })
    await named.b.listen({ port: 80 })
    const socket = await named.time.drive(named.a.connect({ port: 80, host: 'b.test' }))
    expect(socket.remoteAddress).toBe('fd09::2')
  })

  test('timeoutMs ends the attempt with ETIMEDOUT at that time', async () => {
    const { time, a } = twoHosts()
    const before = time.now()
    const attempt = a.connect({ host: '10.9.0.99', port: 80, timeoutMs: 2_500 })
    await expect(time.drive(attempt)).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      syscall: 'connect',
      message: 'connect ETIMEDOUT 10.9.0.99:80',
    })
    expect(time.now() - before).toBe(2_500_000)
    await time.run(0)
    expect(a.stack.tcp.connectionCount).toBe(0)
  })

  test('without it TCP gives up by itself (RFC 9293 §3.8.3)', async () => {
    const { time, a } = twoHosts({ tcp: { synTimeoutUs: 20_000_000 } })
    await expect(time.drive(a.connect({ host: '10.9.0.99', port: 80 }))).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      errno: -110,
      syscall: 'connect',
    })
  })

  test('a signal ends the attempt with an AbortError, and does not touch the socket afterwards', async () => {
    const { time, a, b } = twoHosts()
    await expect(a.connect({ ...there, signal: AbortSignal.abort('no') })).rejects.toMatchObject({
      name: 'AbortError',
      code: 'ABORT_ERR',
      cause: 'no',
    })
    const controller = new AbortController()
    const attempt = a.connect({ host: '10.9.0.99', port: 80, signal: controller.signal })
    time.schedule(time.now() + 10_000, () => controller.abort(new Error('enough')))
    await expect(time.drive(attempt)).rejects.toMatchObject({ name: 'AbortError', cause: { message: 'enough' } })
    await b.listen(there)
    const later = new AbortController()
    const socket = await time.drive(a.connect({ ...there, signal: later.signal, timeoutMs: 50 }))
    later.abort()
    await time.run(1_000)
    expect(socket.destroyed).toBe(false)
  })

  test('a later error of the socket destroys it but not the program', async () => {
    const { time, client, served } = await connected()
    served.resetAndDestroy()
    await time.run(10)
    expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
  })

  test('binds to an own address and port, and says what is wrong with them', async () => {
    const { time, a, b } = twoHosts()
    await b.listen({ port: 80 })
    const from = { localAddress: '10.9.0.1', localPort: 4000 }
    const socket = await time.drive(a.connect({ ...there, ...from }))
    expect([socket.localAddress, socket.localPort]).toEqual(['10.9.0.1', 4000])
    await expect(time.drive(a.connect({ ...there, ...from }))).rejects.toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'bind',
      message: 'bind EADDRINUSE 10.9.0.1:4000',
    })
    await expect(time.drive(a.connect({ ...there, localAddress: '10.9.0.7' }))).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      syscall: 'bind',
      message: 'bind EADDRNOTAVAIL 10.9.0.7',
    })
    await expect(time.drive(a.connect({ host: '224.0.0.1', port: 80 }))).rejects.toMatchObject({
      code: 'ENETUNREACH',
      message: 'connect ENETUNREACH 224.0.0.1:80 - Local (0.0.0.0:0)',
    })
    await expect(time.drive(a.connect({ ...there, port: 0 }))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('runs in the virtual time of src/sim as well', async () => {
    const time = new VirtualTime()
    const [left, right] = memoryPair({ scheduler: time })
    const a = createHost({ device: left, address: '10.9.0.1/24', scheduler: time, random: new SeededRandom(1) })
    const b = createHost({ device: right, address: '10.9.0.2/24', scheduler: time, random: new SeededRandom(2) })
    const server = await b.listen({ port: 80 })
    server.on('connection', (socket) => socket.pipe(socket))
    const socket = await time.runFor(a.connect(there))
    socket.end('hello')
    expect(String(await time.runFor(readAll(socket)))).toBe('hello')
    await time.runFor(Promise.all([a.close(), b.close()]))
  })

  test('refuses settings that cannot be', () => {
    const { time } = twoHosts()
    const [device] = memoryPair({ scheduler: time })
    expect(() => createHost({ device, address: 'ten' })).toThrow(TypeError)
    expect(() => createHost({ device, address: '10.0.0.1/24', hopLimit: 0 })).toThrow(RangeError)
    expect(() => createHost({ device, address: '10.0.0.1/24', tcp: { dupThresh: 0 } })).toThrow(RangeError)
  })
})

describe('host.ping', () => {
  test('measures the time to the reply, IPv4 and IPv6 (RFC 792, RFC 4443 §4.1)', async () => {
    const { time, a, devices } = twoHosts()
    const { send } = devices[0]
    devices[0].send = (packet) => {
      const copy = packet.clone()
      time.schedule(time.now() + 5_000, () => send.call(devices[0], copy))
      return true
    }
    expect(await time.drive(a.ping('10.9.0.2'))).toBe(5_000)
    const both = Promise.all([a.ping('fd09::2'), a.ping('fd09::2', { payloadBytes: 1000 })])
    expect(await time.drive(both)).toEqual([5_000, 5_000])
  })

  test('fails in the words of Node', async () => {
    const { time, a } = twoHosts()
    const before = time.now()
    await expect(time.drive(a.ping('10.9.0.99', { timeoutMs: 300 }))).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      syscall: 'ping',
      address: '10.9.0.99',
      message: 'ping ETIMEDOUT 10.9.0.99',
    })
    expect(time.now() - before).toBe(300_000)
    await expect(a.ping('b.test')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    await expect(a.ping('10.9.0.2', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
    await expect(a.ping('10.9.0.2', { payloadBytes: 70_000 })).rejects.toThrow(RangeError)
    const controller = new AbortController()
    const ping = a.ping('10.9.0.99', { signal: controller.signal })
    controller.abort()
    await expect(ping).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })
})

describe('what keeps the program alive', () => {
  test('connections and servers do, unless unref was called', async () => {
    const { time, devices, client, server, served } = await connected()
    const [left, right] = devices
    expect([left.isRef, right.isRef]).toEqual([true, true])
    client.unref().unref()
    served.unref()
    expect([left.isRef, right.isRef]).toEqual([false, true])
    client.ref().ref()
    server.unref()
    expect([left.isRef, right.isRef]).toEqual([true, false])
    client.unref()
    expect(left.isRef).toBe(false)
    await time.run(0)
  })

  test('a host without any does not, unless ref was called', async () => {
    const { a, devices } = twoHosts()
    expect(devices[0].isRef).toBe(false)
    a.ref().ref()
    expect(devices[0].isRef).toBe(true)
    a.unref()
    expect(devices[0].isRef).toBe(false)
    a.socket().ref()
    expect(devices[0].isRef).toBe(false)
  })

  test('a ping does until it is answered', async () => {
    const { time, a, devices } = twoHosts()
    const ping = a.ping('10.9.0.2')
    expect(devices[0].isRef).toBe(true)
    await time.drive(ping)
    expect(devices[0].isRef).toBe(false)
  })

  test('bytes that the peer has not acknowledged do, after the socket is gone', async () => {
    const { time, devices, client, served } = await connected()
    const [left] = devices
    const { send } = left
    left.send = () => true
    served.resume()
    client.end('last words')
    client.destroySoon()
    await time.run(500)
    expect([client.destroyed, left.isRef]).toEqual([true, true])
    left.send = send
    await time.run(5_000)
    expect(left.isRef).toBe(false)
  })

  test('but TIME-WAIT does not', async () => {
    const { time, a, devices, client, served } = await connected()
    served.resume()
    client.end()
    client.resume()
    await time.run(300)
    expect([...a.stack.tcp.connections()].map(({ state }) => state)).toEqual(['TIME-WAIT'])
    expect(devices[0].isRef).toBe(false)
  })
})

describe('host.close', () => {
  test('delivers what was written, ends everything, closes the device', async () => {
    const { time, a, devices, client, served } = await connected()
    const received = readAll(served)
    client.write(Buffer.alloc(3_000_000, 'x'))
    const closed = once(a, 'close')
    await time.drive(a.close())
    expect(await closed).toEqual([null])
    expect((await time.drive(received)).length).toBe(3_000_000)
    expect([client.destroyed, client.errored, devices[0].isClosed, devices[0].isRef]).toEqual([true, null, true, true])
    expect(a.close()).toBe(a.close())
  })

  test('resets what does not end within the grace, and the resets leave', async () => {
    const { time, b, served, client } = await connected({ client: { allowHalfOpen: true } })
    client.resume()
    const before = time.now()
    const failed = once(client, 'error')
    await time.drive(b.close({ graceMs: 700 }))
    expect(time.now() - before).toBe(750_000) // and a little longer, to answer a challenge to the reset
    expect(served.destroyed).toBe(true)
    expect((await time.drive(failed))[0]).toMatchObject({ code: 'EPIPE' }) // the client has seen the end of b before
  })

  test('ends attempts, servers, loops, and refuses new ones', async () => {
    const { time, a } = twoHosts()
    const server = await a.listen({ port: 80 })
    const next = server[Symbol.asyncIterator]().next()
    const attempt = a.connect({ host: '10.9.0.99', port: 80 }).catch((error) => error)
    await time.run(10)
    await time.drive(a.close())
    expect((await attempt).code).toBe('ECONNABORTED')
    expect(await next).toEqual({ done: true, value: undefined })
    await expect(a.connect(there)).rejects.toMatchObject({ code: 'ENETDOWN', syscall: 'connect' })
    await expect(a.listen({ port: 81 })).rejects.toMatchObject({ code: 'ENETDOWN', syscall: 'listen' })
    await expect(a.ping('10.9.0.2')).rejects.toMatchObject({ code: 'ENETDOWN' })
  })

  test('await using closes the host', async () => {
    const { time, a, devices } = twoHosts()
    await time.drive(a[Symbol.asyncDispose]())
    expect(devices[0].isClosed).toBe(true)
  })

  test('a device that fails takes everything with it', async () => {
    const { time, a, b, devices, client, served, server } = await connected()
    const closed = Promise.all([once(b, 'close'), once(server, 'close')])
    devices[1].fail(new Error('the interface is gone'))
    const [[error]] = await time.drive(closed)
    expect(error).toMatchObject({ message: 'the interface is gone' })
    expect(served.errored).toMatchObject({ code: 'ENETDOWN', syscall: 'read' })
    await b.close()
    expect(client.destroyed).toBe(false)
    expect(a.addresses).toEqual(['10.9.0.1', 'fd09::1'])
  })
})

describe('adapters', () => {
  test('the ioredis Connector connects with the options of the client', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.listen({ port: 6379 })
    server.on('connection', (socket) => socket.end('+OK'))
    const connector = new (a.redisConnector())({ host: '10.9.0.2' })
    const socket = await connector.connect()
    expect([connector.check(), socket.connecting]).toEqual([true, true])
    expect(String(await time.drive(readAll(socket)))).toBe('+OK')
    connector.disconnect()
  })

  test('a socket that connects later, as pg wants it', async () => {
    const { time, a, b } = twoHosts()
    await b.listen({ port: 5432 })
    const socket = a.socket()
    socket.setNoDelay(true)
    socket.connect(5432, '10.9.0.2')
    await time.drive(once(socket, 'connect'))
    expect(socket.readyState).toBe('open')
  })
})

test('an option that createHost does not know is an error that names the one meant', () => {
  const [device] = memoryPair({ scheduler: new VirtualTime() })
  const wrong = { device, address: '10.0.0.1/24', adress: 'x' } as never
  expect(() => createHost(wrong)).toThrow("createHost does not know the option 'adress'; did you mean 'address'?")
  expect(() => createHost(undefined as never)).toThrow('createHost needs options')
})

test.each(['10.9.0.1', '127.0.0.1', '127.1.2.3', '::1', 'fd09::1'])(
  'a host talks to itself at %s, and no device sees it (RFC 1122 §3.2.1.3(g))',
  async (address) => {
    const { time, a } = twoHosts()
    await expect(time.drive(a.connect({ host: address, port: 80 }))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const server = await time.drive(a.listen({ port: 80 }))
    server.on('connection', (socket) => socket.pipe(socket))
    const socket = await time.drive(a.connect({ host: address, port: 80 }))
    const text = Buffer.alloc(300_000, 'loop')
    const back = readAll(socket)
    socket.end(text)
    expect(Buffer.compare(await time.drive(back), text)).toBe(0)
    expect(socket.remoteAddress).toBe(address)
    await time.drive(a.ping(address))
    expect(a.stack.ip.counters.echoReplies).toBe(1)
    server.close()
  },
)

test('what comes from a device and says that it comes from this host is dropped (RFC 1122 §3.2.1.3)', () => {
  const { a } = twoHosts()
  const packet = make({ src: '10.9.0.1', dst: '10.9.0.1' })
  expect(a.stack.ip.receive(packet, new IpHeader(), 0)).toBe('ip-martian-source')
})
