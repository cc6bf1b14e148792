// What a socket offers of TCP beyond node:net: settings changed while it lives, urgent data, what troubles it, how a close ends.

import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import type { TunSocket } from '../../src/net/index.ts'
import { parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { connected, type TwoHosts, twoHosts, type WatchedDevice } from './helpers.ts'

/** The text of each segment that a device sends from now on, in bytes; 0 for a bare acknowledgement. */
function lengthsSent(device: WatchedDevice): number[] {
  const lengths: number[] = []
  const [ip, segment] = [new IpHeader(), new SegmentHeader()]
  const send = device.send.bind(device)
  device.send = (packet) => {
    expect(parseIp(packet.bytes, packet.start, packet.end, ip)).toBe('ok')
    if (
      ip.protocol === PROTOCOL.TCP &&
      parseTcp(packet.bytes, packet.start + ip.headerBytes, packet.end, segment) === 'ok'
    )
      lengths.push(segment.textLength)
    return send(packet)
  }
  return lengths
}

/** Loses all that a device sends; the call that it returns mends it. */
function cut(device: WatchedDevice): () => void {
  const { send } = device
  device.send = () => true
  return () => {
    device.send = send
  }
}

/** What a socket fails with, as 'ECONNRESET'; '' when it closes without. */
function failure(socket: TunSocket): Promise<string> {
  return new Promise((resolve) => {
    let code = ''
    socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? ''))
    socket.once('close', () => resolve(code))
  })
}

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

describe('settings at work', () => {
  test('a cork holds what fills no segment, and its end sends it', async () => {
    const { client, served, time, devices } = await connected()
    served.resume()
    const sent = lengthsSent(devices[0])
    client.configure({ cork: true }).write(Buffer.alloc(2000))
    await time.run(10)
    client.write(Buffer.alloc(100))
    await time.run(10)
    expect(sent).toEqual([1448])
    client.configure({ cork: false })
    await time.run(10)
    expect(sent).toEqual([1448, 652])
    client.write(Buffer.alloc(5))
    await time.run(10)
    expect(sent).toEqual([1448, 652, 5])
  })

  test('writeMore waits for the write that it promises (MSG_MORE), or for corkLimitUs', async () => {
    const { client, served, time, devices } = await connected()
    served.resume()
    const sent = lengthsSent(devices[0])
    client.writeMore(Buffer.alloc(100))
    await time.run(10)
    client.writeMore(Buffer.alloc(100))
    await time.run(10)
    expect(sent).toEqual([])
    client.write(Buffer.alloc(100))
    await time.run(10)
    expect(sent).toEqual([300])
    client.writeMore(Buffer.alloc(7))
    await time.run(190)
    expect(sent).toEqual([300])
    await time.run(20)
    expect(sent).toEqual([300, 7])
  })

  test('quickAck acknowledges what waits', async () => {
    const { client, served, time, devices } = await connected({ tcp: { delayedAck: 'fixed' } })
    served.resume()
    const sent = lengthsSent(devices[1])
    client.write('one small segment')
    await time.run(5)
    expect(sent).toEqual([])
    expect(served.quickAck()).toBe(served)
    await time.run(5)
    expect(sent).toEqual([0])
  })

  test('another congestion controller in the midst of a transfer: nothing is lost, and the last one holds', async () => {
    const { client, served, time } = await connected()
    const text = Buffer.alloc(3_000_000, 'swap me!')
    const order = ['reno', 'bbr', 'cubic', 'dctcp', 'bbr']
    const seen: string[] = []
    const chunks: Buffer[] = []
    let bytes = 0
    served.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      const next = order[Math.floor(bytes / 500_000) - 1]
      if (next === undefined || next === client.info()?.congestion || seen.includes(`${next} at ${bytes}`)) return
      client.configure({ congestion: next })
      seen.push(next)
    })
    client.end(text)
    await time.drive(once(served, 'end'))
    expect(Buffer.concat(chunks).equals(text)).toBe(true)
    expect(new Set(seen)).toEqual(new Set(order))
    expect(client.info()?.congestion).toBe('bbr')
  })

  test('userTimeoutUs ends a connection whose peer is gone with ETIMEDOUT (RFC 9293 §3.8.3)', async () => {
    const { client, time, devices } = await connected()
    const failed = failure(client)
    client.resume().configure({ userTimeoutUs: 3 * SECOND })
    cut(devices[0])
    client.write('anybody there?')
    const from = time.now()
    expect(await time.drive(failed)).toBe('ETIMEDOUT')
    expect(Math.abs(time.now() - from - 3 * SECOND)).toBeLessThan(10 * MILLISECOND)
  })

  test('lingerUs 0 makes of the close a reset (SO_LINGER)', async () => {
    const { client, served, time } = await connected()
    const [here, there] = [failure(client), failure(served)]
    served.resume()
    client.configure({ lingerUs: 0 }).write('thrown away')
    client.destroy()
    expect(await time.drive(there)).toBe('ECONNRESET')
    expect(await time.drive(here)).toBe('')
    expect(await client.whenLingered()).toBe('none')
    expect(served.bytesRead).toBe(0)
  })
})

describe('a close that waits (lingerUs above 0, SO_LINGER)', () => {
  const LINGER = { tcp: { lingerUs: SECOND } }

  test('tells that all was acknowledged, FIN too', async () => {
    const { client, served, time } = await connected(LINGER)
    served.resume()
    client.write(Buffer.alloc(100_000))
    const lingered = client.whenLingered()
    await time.run(0)
    client.destroy()
    expect(await time.drive(lingered)).toBe('acknowledged')
    expect(served.bytesRead).toBe(100_000)
    expect(await client.whenLingered()).toBe('acknowledged') // also of one who asks late
  })

  test('tells that the time was not enough; it goes on in the background', async () => {
    const { client, served, time, devices } = await connected(LINGER)
    served.resume()
    client.write('late')
    const mend = cut(devices[0])
    const acknowledged = client.whenAcknowledged()
    const from = time.now()
    client.destroy()
    expect(await time.drive(client.whenLingered())).toBe('expired')
    expect(time.now() - from).toBe(SECOND)
    mend()
    expect(await time.drive(acknowledged)).toBe(true)
    expect(served.bytesRead).toBe(4)
  })

  test('that the peer resets has failed', async () => {
    const { client, served, time } = await connected(LINGER)
    served.pause()
    failure(served)
    client.write('unread')
    await time.run(10)
    const written = client.whenAcknowledged()
    expect(await written).toBe(true)
    served.resetAndDestroy()
    client.destroy()
    expect(await time.drive(client.whenLingered())).toBe('failed')
  })

  test('that the host cuts short has failed, and what it throws away was not acknowledged', async () => {
    const { a, client, time, devices } = await connected(LINGER)
    cut(devices[0])
    client.write('never')
    const acknowledged = client.whenAcknowledged()
    client.destroy()
    await time.drive(a.close({ graceMs: 100 }))
    expect([await client.whenLingered(), await acknowledged]).toEqual(['failed', false])
  })

  test('after everything is over already, or without it, has nothing to wait for', async () => {
    const { client, served, time } = await connected(LINGER)
    served.resume().end()
    client.resume().end()
    await time.drive(once(client, 'close'))
    expect(await time.drive(client.whenLingered())).toBe('acknowledged')
    const other = await connected()
    expect(await other.client.destroy().whenLingered()).toBe('none')
    expect(await other.a.socket().destroy().whenLingered()).toBe('none')
  })
})

test('what was written is not acknowledged when text that comes after the close resets (RFC 9293 §3.6.1)', async () => {
  const { client, served, time, devices } = await connected()
  failure(served)
  client.write('never')
  cut(devices[0])
  const acknowledged = client.whenAcknowledged()
  client.destroy()
  await time.run(1)
  served.write('too late')
  expect(await time.drive(acknowledged)).toBe(false)
  expect(served.bytesRead).toBe(0)
})

test('a socket that connects again is told nothing of the connection before', async () => {
  const { a, time, devices } = await connected()
  const socket = await time.drive(a.connect({ port: 80, host: '10.9.0.2', tcp: { lingerUs: SECOND } }))
  const mend = cut(devices[0])
  socket.write('of the first')
  const first = socket.whenLingered()
  socket.destroy()
  await time.drive(once(socket, 'close'))
  mend()
  socket.connect(80, '10.9.0.2')
  await time.drive(once(socket, 'connect'))
  expect(await time.drive(first)).toBe('acknowledged')
  socket.destroy()
  expect(await time.drive(socket.whenLingered())).toBe('none')
})

describe('what troubles a connection (RFC 9293 §3.9.1.8 [MUST-47])', () => {
  test('the same segment again and again is told, and that it is over [SHLD-9]', async () => {
    const { client, served, time, devices } = await connected()
    served.resume()
    const told: unknown[] = []
    client.on('trouble', (...args: unknown[]) => told.push([...args, client.isTroubled]))
    const mend = cut(devices[0])
    client.write('hello?')
    await time.run(1000)
    expect(told).toEqual([])
    await time.run(2000)
    expect(told).toEqual([[true, null, true]])
    mend()
    await time.run(5000)
    expect(told).toEqual([
      [true, null, true],
      [false, null, false],
    ])
  })

  test("a soft ICMP error is told with Node's code, and ends nothing", async () => {
    const { a, client, served, time, devices } = await connected()
    const told = once(client, 'trouble')
    const mend = cut(devices[0])
    expect(client.softError).toBeNull()
    client.write('hello?')
    await time.run(1)
    const [connection] = a.stack.tcp.connections()
    a.stack.ip.onTransportError?.({
      kind: 'unreachable',
      type: 3,
      code: 1,
      mtu: 0,
      reporter: connection.local,
      packetBytes: 58,
      protocol: PROTOCOL.TCP,
      src: connection.local,
      dst: connection.remote,
      sourcePort: connection.localPort,
      destinationPort: connection.remotePort,
      sequence: connection.tcb.snd.una,
    })
    client.quickAck()
    const [isTroubled, softError] = (await time.drive(told)) as [boolean, NodeJS.ErrnoException]
    expect(isTroubled).toBe(false)
    expect(softError).toMatchObject({ code: 'EHOSTUNREACH', errno: -113, message: 'write EHOSTUNREACH' })
    expect(client.softError).toBe(softError)
    mend()
    served.resume()
    expect(await time.drive(client.whenAcknowledged())).toBe(true)
    expect(client.softError).toBeNull()
    expect(client.destroyed).toBe(false)
  })
})

describe('addresses and ports that are in use', () => {
  test('several servers may share a port when all of them say so (SO_REUSEPORT)', async () => {
    const { time, a, b } = twoHosts()
    const counts = [0, 0]
    for (const i of [0, 1]) {
      const server = await time.drive(b.listen({ port: 80, reusePort: true }))
      server.on('connection', (socket: TunSocket) => {
        counts[i]++
        socket.resume()
      })
    }
    await expect(time.drive(b.listen({ port: 80 }))).rejects.toMatchObject({ code: 'EADDRINUSE' })
    for (let i = 0; i < 20; i++) await time.drive(a.connect({ port: 80, host: '10.9.0.2' }))
    await time.run(1)
    expect(counts[0] + counts[1]).toBe(20)
    expect(Math.min(...counts)).toBeGreaterThan(0)
  })

  test('a port with connections in TIME-WAIT is given to a server, unless it wants it clean (SO_REUSEADDR)', async () => {
    const { client, served, server, time, b } = await connected()
    client.resume()
    served.resume().end()
    await time.drive(once(client, 'close'))
    server.close()
    await expect(time.drive(b.listen({ port: 80, reuseAddress: false }))).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await time.drive(b.listen({ port: 80 }))
  })

  test('a connection in TIME-WAIT gives way to one of the same port that asks for it (SO_REUSEADDR)', async () => {
    const { client, served, time, a } = await connected({ client: { localPort: 4000 } })
    served.resume()
    client.resume().end()
    await time.drive(once(client, 'close'))
    await time.run(1100)
    const again = { port: 80, host: '10.9.0.2', localPort: 4000 }
    await expect(time.drive(a.connect(again))).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'bind' })
    const socket = await time.drive(a.connect({ ...again, reuseAddress: true }))
    expect(socket.localPort).toBe(4000)
  })

  test('the connections in TIME-WAIT are bounded, and challenges too', async () => {
    const { client, served, time, a } = await connected({ timeWaitMax: 0, challengeAcksPerSecond: 10 })
    served.resume()
    client.resume().end()
    await time.drive(once(client, 'close'))
    await time.run(1)
    expect([a.stack.tcp.connectionCount, a.counters().TcpExtTCPTimeWaitOverflow]).toEqual([0, 1])
    expect(() => twoHosts({ timeWaitMax: -1 })).toThrow(/timeWaitMax/)
    expect(() => twoHosts({ challengeAcksPerSecond: Number.NaN })).toThrow(/challengeAcksPerSecond/)
  })
})

describe('looking at a host', () => {
  test('observers are told what happens in its connections, with the socket once there is one', async () => {
    const { time, a, b } = twoHosts()
    const seen: [string, TunSocket | null][] = []
    const stop = b.observe((event, connection, socket) => {
      expect(connection.localPort).toBe(80)
      if (event.kind === 'state') seen.push([event.to, socket])
    })
    const server = await time.drive(b.listen({ port: 80 }))
    const accepted = once(server, 'connection') as Promise<[TunSocket]>
    const client = await time.drive(a.connect({ port: 80, host: '10.9.0.2' }))
    const [served] = await time.drive(accepted)
    served.resume()
    client.end()
    await time.drive(once(served, 'close'))
    await time.run(10)
    expect(seen.map(([state]) => state)).toEqual(['SYN-RECEIVED', 'ESTABLISHED', 'CLOSE-WAIT', 'LAST-ACK', 'CLOSED'])
    expect(seen.map(([, socket]) => socket === served)).toEqual([false, false, true, true, true])
    expect(seen[0][1]).toBeNull()
    stop()
    await time.drive(a.connect({ port: 80, host: '10.9.0.2' }))
    expect(seen).toHaveLength(5)
  })

  test("its counters are a copy, by nstat's names", async () => {
    const { a, b, client, time } = await connected()
    const before = a.counters()
    expect(before).toMatchObject({ TcpActiveOpens: 1, TcpCurrEstab: 1, TcpRetransSegs: 0 })
    expect(b.counters()).toMatchObject({ TcpPassiveOpens: 1 })
    client.write('one more segment')
    await time.run(100)
    expect(a.counters().TcpOutSegs).toBe(before.TcpOutSegs + 1)
  })
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
