// What node:net cannot be compared with: the send buffer, the window, segments, the clock of the host. Virtual time throughout.

import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { connected, twoHosts, uncaughtDuring } from './helpers.ts'

const small = { sendBufferBytes: 8192, receiveBufferBytes: 8192 }

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 0xff))
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('what TCP knows', () => {
  test('is kept as it was when the socket was closed', async () => {
    const { client, served, time } = await connected()
    served.resume().end()
    client.end('x'.repeat(5000))
    client.resume()
    await time.drive(once(client, 'close'))
    expect(client.info()).toMatchObject({ tcpi_snd_mss: 1448, tcpi_notsent_bytes: 0 })
    expect(twoHosts().a.socket().info()).toBeNull()
  })
})

describe('whenAcknowledged', () => {
  test('resolves when the last byte was acknowledged, not when TCP took it', async () => {
    const { client, served, time } = await connected({ tcp: small })
    const data = pattern(100_000)
    const all = readAll(served)
    client.write(data)
    const acknowledged = client.whenAcknowledged()
    expect(await time.drive(acknowledged)).toBe(true)
    expect(client.info()).toMatchObject({ tcpi_notsent_bytes: 0, tcpi_unacked: 0 })
    expect(client.writableLength).toBe(0)
    expect(served.bytesRead).toBeGreaterThan(100_000 - small.receiveBufferBytes)
    expect(await client.whenAcknowledged()).toBe(true)
    client.end()
    expect((await time.drive(all)).equals(data)).toBe(true)
  })

  test('follows the connection when the socket has let go of it', async () => {
    const { client, served, time } = await connected()
    served.resume()
    client.write(pattern(5000))
    const acknowledged = client.whenAcknowledged()
    client.destroySoon()
    expect(await time.drive(acknowledged)).toBe(true)
    expect(client.destroyed).toBe(true)
    expect(await client.whenAcknowledged()).toBe(false)
  })

  test('is false when the peer resets', async () => {
    const { client, served, time } = await connected()
    client.on('error', () => undefined)
    client.resume().write(pattern(500_000))
    const acknowledged = client.whenAcknowledged()
    served.resetAndDestroy()
    expect(await time.drive(acknowledged)).toBe(false)
  })
})

describe('writing', () => {
  test('a write is done when the send buffer has it, before anything is acknowledged or even sent', async () => {
    const { client, served, time } = await connected()
    served.resume()
    const before = time.now()
    await new Promise<void>((resolve) => client.write('hello', () => resolve()))
    expect(time.now()).toBe(before)
    expect(client.info()).toMatchObject({ tcpi_notsent_bytes: 5, tcpi_unacked: 0 })
  })

  test('a chunk that does not fit is held, and done when its last byte is in the send buffer', async () => {
    const { client, served, time } = await connected({ tcp: small })
    const data = pattern(100_000)
    let done = false
    client.write(data, () => {
      done = true
    })
    await time.run(1000)
    expect(done).toBe(false)
    expect(client.bytesWritten).toBe(100_000)
    expect(client.writableLength).toBe(100_000)
    client.end()
    const received = await time.drive(readAll(served))
    expect(done).toBe(true)
    expect(received.equals(data)).toBe(true)
    expect([client.bytesWritten, served.bytesRead]).toEqual([100_000, 100_000])
  })

  test('write returns false while the peer does not read, and drain follows when it does', async () => {
    const { client, served, time } = await connected({ tcp: small })
    expect(client.write(pattern(300_000))).toBe(false)
    await time.run(5_000)
    // Send buffer, receive buffer and the reader's high-water mark: no more is taken.
    const most = 8192 + 8192 + 65536
    expect(client.info()?.tcpi_notsent_bytes).toBe(8192)
    expect(client.writableNeedDrain).toBe(true)
    expect(served.bytesRead).toBeGreaterThanOrEqual(65536)
    expect(served.bytesRead).toBeLessThanOrEqual(most)
    const drained = once(client, 'drain')
    served.resume()
    await time.drive(drained)
    expect(client.writableLength).toBe(0)
  })

  test('ten writes in one turn leave in one segment, though Nagle is off', async () => {
    const { client, served, time, a } = await connected({ client: { noDelay: true } })
    const before = a.stack.tcp.counters.TcpOutSegs
    for (let i = 0; i < 10; i++) client.write('0123456789')
    await time.run(0)
    expect(a.stack.tcp.counters.TcpOutSegs - before).toBe(1)
    expect(served.read()?.length).toBe(100)
  })

  test('cork and uncork write one block', async () => {
    const { client, served, time } = await connected()
    client.cork()
    client.write('a')
    client.write(Buffer.from('b'))
    client.write('ñ', 'latin1')
    client.uncork()
    client.end()
    expect(await time.drive(readAll(served))).toEqual(Buffer.from([0x61, 0x62, 0xf1]))
  })

  test('a megabyte goes through a pipeline whole, with buffers of 8 KiB', async () => {
    const { client, served, time } = await connected({ tcp: small })
    const data = pattern(1_000_000)
    const received = readAll(served)
    await time.drive(pipeline(Readable.from([data.subarray(0, 333_333), data.subarray(333_333)]), client))
    expect((await time.drive(received)).equals(data)).toBe(true)
  })

  test('what was written before destroy() is delivered, then the end (RFC 9293 §3.6)', async () => {
    const { client, served, time } = await connected()
    const data = pattern(200_000)
    client.write(data)
    client.destroy()
    expect((await time.drive(readAll(served))).equals(data)).toBe(true)
  })

  test('destroy(error) resets an idle connection, but lets an answer that is under way arrive', async () => {
    const one = await connected()
    one.client.destroy(new Error('own'))
    const [error] = await one.time.drive(once(one.served, 'error'))
    expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'read', errno: -104 })
    const two = await connected()
    two.client.write('answer')
    two.client.destroy(new Error('own'))
    expect((await two.time.drive(readAll(two.served))).toString()).toBe('answer')
  })

  test('destroy(error) resets when it cuts a write off, so that the peer does not take the part for the whole', async () => {
    const { client, served, time } = await connected({ tcp: small })
    client.write(pattern(100_000))
    await time.run(10)
    client.destroy(new Error('own'))
    served.resume()
    const [error] = await time.drive(once(served, 'error'))
    expect(error.code).toBe('ECONNRESET')
  })

  test('destroy() fails the write that it cuts off, and a pipeline into the socket', async () => {
    const { client, time } = await connected({ tcp: small })
    const results: unknown[] = []
    const piped = pipeline(Readable.from([pattern(100_000)]), client).catch((error) => error.code)
    await time.run(10)
    client.destroy()
    expect(await time.drive(piped)).toBe('ERR_STREAM_DESTROYED')
    const two = await connected({ tcp: small })
    two.client.write(pattern(100_000), (error) => results.push((error as NodeJS.ErrnoException)?.code))
    two.client.write('behind', (error) => results.push((error as NodeJS.ErrnoException)?.code))
    two.client.destroy()
    await two.time.run(10)
    expect(results).toEqual(['ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED'])
    expect(two.client.bytesWritten).toBeLessThan(100_000)
  })

  test('a reset fails the write that waits, and those behind it', async () => {
    const { client, served, time } = await connected({ tcp: small })
    const results: unknown[] = []
    client.write(pattern(100_000), (error) => results.push((error as NodeJS.ErrnoException)?.code))
    client.write('behind', (error) => results.push((error as NodeJS.ErrnoException)?.code))
    await time.run(10)
    served.resetAndDestroy()
    await time.run(100)
    expect(results).toEqual(['ECONNRESET', 'ECONNRESET'])
  })
})

describe('reading', () => {
  test('the readable high-water mark is never passed, and the rest waits in the window', async () => {
    const { client, served, time } = await connected({ client: { readableHighWaterMark: 1000 } })
    served.end(pattern(50_000))
    let most = 0
    client.on('readable', () => {
      most = Math.max(most, client.readableLength)
    })
    await time.run(1000)
    expect(most).toBe(1000)
    expect(client.bytesRead).toBe(1000)
    expect((await time.drive(readAll(client))).length).toBe(50_000)
    expect(most).toBe(1000)
  })

  test('reading reopens a closed window (RFC 9293 §3.8.6)', async () => {
    const { client, served, time } = await connected({ tcp: small, client: { readableHighWaterMark: 1000 } })
    served.write(pattern(40_000))
    await time.run(2_000)
    expect(served.info()).toMatchObject({ tcpi_snd_wnd: 0 })
    served.end()
    const before = time.now()
    expect((await time.drive(readAll(client))).length).toBe(40_000)
    // The window update does it, not the next probe.
    expect(time.now() - before).toBeLessThan(1_000_000)
  })

  test('bytes read belong to the reader: later packets do not change them', async () => {
    const { client, served, time } = await connected()
    const kept: Buffer[] = []
    client.on('data', (chunk) => kept.push(chunk))
    served.write('first')
    await time.run(100)
    served.write('other')
    await time.run(100)
    expect(kept.map(String)).toEqual(['first', 'other'])
    expect(kept[0]).toBeInstanceOf(Buffer)
  })

  test('a listener that throws harms nobody else: it is an uncaught exception of its own', async () => {
    const { client, served, time, a } = await connected()
    const other = await time.drive(a.connect({ host: '10.9.0.2', port: 80 }))
    client.on('data', () => {
      throw new Error('listener')
    })
    const errors = await uncaughtDuring(async () => {
      served.write('x')
      other.write('y')
      await time.run(100)
    })
    expect(errors.map(String)).toEqual(['Error: listener'])
    expect([client.destroyed, other.destroyed]).toEqual([false, false])
    served.write('z')
    client.removeAllListeners('data')
    const [chunk] = await time.drive(once(client.resume(), 'data'))
    expect(String(chunk)).toBe('z')
  })
})

describe('the end', () => {
  test('await using: ends, discards what still comes, waits for the close', async () => {
    const { client, served, time } = await connected()
    client.write('bye')
    served.write('unread')
    const received = readAll(served)
    await time.drive(client[Symbol.asyncDispose]())
    expect([client.destroyed, client.errored, String(await received)]).toEqual([true, null, 'bye'])
    await client[Symbol.asyncDispose]()
  })

  test('await using never rejects and never waits for more than 5 s', async () => {
    const { client, served, time } = await connected({ listen: { allowHalfOpen: true } })
    served.resume()
    const before = time.now()
    await time.drive(client[Symbol.asyncDispose]())
    expect(time.now() - before).toBe(5_000_000)
    served.resetAndDestroy()
    const two = await connected()
    two.served.resetAndDestroy()
    await two.time.drive(two.client[Symbol.asyncDispose]())
    expect(two.client.errored).toMatchObject({ code: 'ECONNRESET' })
    await two.time.drive(two.a.socket()[Symbol.asyncDispose]())
  })

  test('addresses and counters stay readable after the close', async () => {
    const { client, served, time } = await connected()
    served.end('12345')
    await time.drive(once(client.resume(), 'close'))
    const { remoteAddress, remotePort, remoteFamily, localAddress, localFamily, bytesRead } = client
    expect({ remoteAddress, remotePort, remoteFamily, localAddress, localFamily, bytesRead }).toEqual({
      remoteAddress: '10.9.0.2',
      remotePort: 80,
      remoteFamily: 'IPv4',
      localAddress: '10.9.0.1',
      localFamily: 'IPv4',
      bytesRead: 5,
    })
    expect(client.info()).toMatchObject({ tcpi_unacked: 0, tcpi_snd_mss: 1448 })
  })

  test('a silent peer: ETIMEDOUT on reading when retransmission gives up (RFC 9293 §3.8.3)', async () => {
    const { client, time, devices } = await connected({ tcp: { retransmitTimeoutUs: 10_000_000 } })
    devices[1].send = () => false
    client.write('anybody?')
    const [error] = await time.drive(once(client, 'error'))
    expect(error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'read', message: 'read ETIMEDOUT' })
  })

  test('libraries may hang properties on a socket', async () => {
    const { a } = twoHosts()
    const socket = Object.assign(a.socket(), { parser: 1, _httpMessage: 2, encrypted: true, server: {} })
    expect(Object.isExtensible(socket)).toBe(true)
    expect('_handle' in socket).toBe(false)
  })
})
