// Our listener and Linux's clients, our client and Linux's listener: SYN cookies on either side, a full backlog, deferred accept.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { openTun } from '../../src/link/tun.ts'
import { createHost, type Host, type TunServer } from '../../src/net/index.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import { bytes, MIB, sha256 } from './helpers.ts'

const OURS = '10.77.0.2'
const THEIRS = '10.77.0.1'
const SYNCOOKIES = '/proc/sys/net/ipv4/tcp_syncookies'
const hosts: Host[] = []
const sockets: Socket[] = []
const servers: Server[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
  for (const host of hosts.splice(0)) await host.close()
  writeFileSync(SYNCOOKIES, '1')
})

function host(tcp: Partial<TcpConfig> = {}): Host {
  const device = openTun({ name: 'tst0', addresses: [`${THEIRS}/24`, 'fd77::1/64'] })
  const made = createHost({ device, address: [`${OURS}/24`, 'fd77::2/64'], tcp })
  hosts.push(made)
  return made
}

/** A client of Linux's. */
function client(port: number, address = OURS): Socket {
  const socket = connect({ port, host: address, allowHalfOpen: true })
  socket.on('error', () => undefined)
  sockets.push(socket)
  return socket
}

/** What ss says of Linux's end of the connections with our host. */
const ss = (...filter: string[]): string => execFileSync('ss', ['-tnioOH', ...filter], { encoding: 'utf8' })

/** How much Linux has counted since `before`. */
function nstat(name: string): number {
  const line = execFileSync('nstat', ['-asz', name], { encoding: 'utf8' }).split('\n')[1]
  return Number(/\s(\d+)\s/.exec(line)?.[1])
}

async function until(ready: () => boolean, limitMs = 5000): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!ready()) {
    if (Date.now() > deadline) throw new Error(`not so within ${limitMs} ms`)
    await pause(20)
  }
}

/** Sends a mebibyte and reads what comes back until it is all there. */
async function exchange(socket: Socket, seed: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
  })
  socket.write(bytes(MIB, seed))
  await until(() => length >= MIB, 20_000)
  return sha256(Buffer.concat(chunks))
}

describe('our listener with SYN cookies for everybody', () => {
  test.each([OURS, 'fd77::2'])(
    '%s: Linux has window scale, SACK and timestamps, and a mebibyte goes both ways',
    async (address) => {
      const ours = host({ synCookies: 'always' })
      const server = await ours.listen({ port: 80 })
      server.on('connection', (socket) => socket.pipe(socket))
      const socket = client(80, address)
      await once(socket, 'connect')
      expect(await exchange(socket, 3)).toBe(sha256(bytes(MIB, 3)))
      const line = ss('dst', address.includes(':') ? `[${address}]` : address)
      const [connection] = ours.stack.tcp.connections()
      const mss = address === OURS ? 1448 : 1428
      expect(line).toMatch(/ ts sack /)
      expect(line).toContain(` wscale:10,${connection.tcb.snd.scale} `)
      expect(line).toContain(` mss:${mss} `)
      expect(connection.tcb.snd.mss).toBe(mss)
      const { counters } = ours.stack.tcp
      expect([counters.TcpExtSyncookiesSent, counters.TcpExtSyncookiesRecv, counters.TcpExtSyncookiesFailed]).toEqual([
        1, 1, 0,
      ])
    },
  )

  test('a hundred clients at once, in their own time', async () => {
    const ours = host({ synCookies: 'always' })
    const server = await ours.listen({ port: 80 })
    server.on('connection', (socket) => socket.pipe(socket))
    const all = Array.from({ length: 100 }, () => client(80))
    const got = await Promise.all(
      all.map(async (socket, i) => {
        socket.end(`number ${i}`)
        let text = ''
        for await (const chunk of socket) text += chunk
        return text
      }),
    )
    expect(got).toEqual(all.map((_, i) => `number ${i}`))
    expect(ours.stack.tcp.counters.TcpExtSyncookiesFailed).toBe(0)
  })
})

describe('Linux’s listener with SYN cookies for everybody', () => {
  test('our client agrees on all options, and a mebibyte goes both ways', async () => {
    const ours = host()
    writeFileSync(SYNCOOKIES, '2')
    const before = [nstat('TcpExtSyncookiesRecv'), nstat('TcpExtSyncookiesFailed')]
    const server = createServer((socket) => socket.pipe(socket))
    servers.push(server)
    server.listen(8080, THEIRS)
    await once(server, 'listening')
    const socket = await ours.connect({ host: THEIRS, port: 8080 })
    const [connection] = ours.stack.tcp.connections()
    expect(connection.info().tcpi_options).toEqual(['timestamps', 'sack', 'wscale'])
    expect(await exchange(socket as unknown as Socket, 4)).toBe(sha256(bytes(MIB, 4)))
    expect([nstat('TcpExtSyncookiesRecv'), nstat('TcpExtSyncookiesFailed')]).toEqual([before[0] + 1, before[1]])
    expect(ss('src', THEIRS)).toMatch(/ ts sack .* wscale:10,/)
    socket.destroy()
  })
})

describe('a backlog that is full, seen from Linux', () => {
  test('who is over it takes the connection for open or waits, and gets in once there is room', async () => {
    const ours = host()
    const server = await ours.listen({ port: 80, backlog: 1 }) // nobody accepts yet
    const first = client(80)
    await once(first, 'connect')
    const second = client(80) // its SYN is dropped: it stays in SYN-SENT
    await pause(300)
    expect(second.connecting).toBe(true)
    expect(ss('state', 'syn-sent', 'dst', OURS)).toContain(`${OURS}:80`)
    const { counters } = ours.stack.tcp
    expect(counters.TcpExtListenOverflows).toBeGreaterThan(0)
    expect(counters.TcpExtListenDrops).toBe(counters.TcpExtListenOverflows)
    server.on('connection', (socket) => socket.pipe(socket))
    await once(second, 'connect')
    second.end('hello')
    let text = ''
    for await (const chunk of second) text += chunk
    expect(text).toBe('hello')
  })

  /** Two clients whose SYNs come before the ACK of either, at a backlog of one. */
  async function crowd(ours: Host): Promise<{ server: TunServer; both: Socket[] }> {
    const server = await ours.listen({ port: 80, backlog: 1 })
    const both = [client(80), client(80)]
    await Promise.allSettled(both.map((socket) => once(socket, 'connect')))
    await until(() => ours.stack.tcp.counters.TcpExtListenOverflows > 0)
    return { server, both }
  }

  test('who was let into the handshake, but not further, comes in later with all it sent', async () => {
    const ours = host()
    const { server, both } = await crowd(ours)
    const states = [...ours.stack.tcp.connections()].map((connection) => connection.state)
    expect(states.sort()).toEqual(['ESTABLISHED', 'SYN-RECEIVED'])
    expect(ss('state', 'established', 'dst', OURS).trim().split('\n').length).toBe(2)
    for (const socket of both) socket.end('hello')
    server.on('connection', (socket) => socket.pipe(socket))
    for (const socket of both) {
      let text = ''
      for await (const chunk of socket) text += chunk
      expect(text).toBe('hello')
    }
  })

  test('with abortOnOverflow Linux hears of it', async () => {
    const ours = host({ abortOnOverflow: true })
    const { both } = await crowd(ours)
    await until(() => both.some((socket) => socket.destroyed))
    expect(both.filter((socket) => socket.destroyed).length).toBe(1)
    expect(both.find((socket) => socket.destroyed)?.errored).toMatchObject({ code: 'ECONNRESET' })
    expect(ours.stack.tcp.counters.TcpExtEmbryonicRsts).toBe(1)
  })
})

describe('deferred accept, seen from Linux', () => {
  test('Linux is connected at once; we are with its first text', async () => {
    const ours = host({ deferAcceptUs: 10_000_000 })
    const server = await ours.listen({ port: 80 })
    let accepted = 0
    server.on('connection', (socket) => {
      accepted++
      socket.pipe(socket)
    })
    const socket = client(80)
    await once(socket, 'connect')
    await pause(1300) // past the time of a first SYN,ACK again, which does not go
    const [connection] = ours.stack.tcp.connections()
    expect([accepted, connection.state, ours.stack.tcp.counters.TcpExtTCPDeferAcceptDrop]).toEqual([
      0,
      'SYN-RECEIVED',
      1,
    ])
    expect(ours.stack.tcp.counters.TcpRetransSegs).toBe(0)
    expect(ss('state', 'established', 'dst', OURS)).toContain(`${OURS}:80`)
    socket.end('hello')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect([text, accepted]).toEqual(['hello', 1])
  })

  test('a client that says nothing is accepted when the time is over', async () => {
    const ours = host({ deferAcceptUs: 1_500_000 })
    const server = await ours.listen({ port: 80 })
    const accepted = once(server, 'connection')
    const socket = client(80)
    await once(socket, 'connect')
    const from = Date.now()
    await accepted
    expect(Date.now() - from).toBeGreaterThan(1200)
    expect(ours.stack.tcp.counters.TcpRetransSegs).toBe(1)
  })
})
