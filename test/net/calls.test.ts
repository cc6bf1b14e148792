// The socket calls: what the experiment E4 does not go through.

import { expect, test } from 'vitest'
import { createHost } from '../../src/net/host.ts'
import { socketCalls } from '../../src/net/index.ts'
import { Network } from '../../src/sim/network.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

/** Two hosts, the calls of each, and virtual time to run in. */
function twoHosts() {
  const network = new Network({ seed: 1 })
  const { time } = network
  const [left, right] = network.cable({ delayUs: 1000 })
  const host = (device: typeof left, address: string) =>
    createHost({ device, address, scheduler: time, random: network.random() })
  const client = socketCalls(host(left, '10.0.0.1/24'))
  const server = socketCalls(host(right, '10.0.0.2/24'))
  const sleep = (us: number) => new Promise<void>((resolve) => time.schedule(time.now() + us, resolve))
  return { time, client, server, sleep }
}

async function connected(hosts: ReturnType<typeof twoHosts>, port = 80): Promise<[number, number]> {
  const { client, server } = hosts
  const door = server.socket()
  server.bind(door, { port })
  await server.listen(door)
  const fd = client.socket()
  const [peer] = await Promise.all([server.accept(door), client.connect(fd, { address: '10.0.0.2', port })])
  return [fd, peer]
}

test('a read takes no more than it is asked for, and waits for what has not come', async () => {
  const hosts = twoHosts()
  await hosts.time.runFor(
    (async () => {
      const { client, server, sleep } = hosts
      const [fd, peer] = await connected(hosts)
      const first = server.read(peer, 3)
      await client.write(fd, bytes('abcdef'))
      expect([text(await first), text(await server.read(peer, 100))]).toEqual(['abc', 'def'])
      const late = server.read(peer, 100)
      await sleep(5000)
      await client.write(fd, bytes('later'))
      expect(text(await late)).toBe('later')
    })(),
  )
})

test('whose reading half is shut reads the end, though text comes; the other half goes on', async () => {
  const hosts = twoHosts()
  await hosts.time.runFor(
    (async () => {
      const { client, server, sleep } = hosts
      const [fd, peer] = await connected(hosts)
      server.shutdown(peer, 'read')
      await client.write(fd, bytes('unheard'))
      await sleep(5000)
      expect(await server.read(peer, 10)).toHaveLength(0)
      await server.write(peer, bytes('heard'))
      expect(text(await client.read(fd, 10))).toBe('heard')
    })(),
  )
})

test('a reset is ECONNRESET to who reads, a closed half EPIPE to who writes (RFC 9293 §3.10.7.4)', async () => {
  const hosts = twoHosts()
  await hosts.time.runFor(
    (async () => {
      const { client, server, sleep } = hosts
      const [fd, peer] = await connected(hosts)
      server.setsockopt(peer, 'SO_LINGER', 0)
      expect(server.getsockopt(peer, 'SO_LINGER')).toBe(0)
      server.close(peer)
      await sleep(5000)
      await expect(client.read(fd, 10)).rejects.toMatchObject({ code: 'ECONNRESET' })
      const [other] = await connected(hosts, 81)
      client.shutdown(other, 'write')
      await expect(client.write(other, bytes('?'))).rejects.toMatchObject({ code: 'EPIPE' })
    })(),
  )
})

test('options are kept, and refused when they are none', () => {
  const { client } = twoHosts()
  const fd = client.socket()
  for (const [name, value] of [
    ['TCP_NODELAY', 1],
    ['TCP_CORK', 1],
    ['SO_KEEPALIVE', 1],
    ['SO_REUSEADDR', 1],
    ['SO_RCVBUF', 4096],
    ['SO_SNDBUF', 8192],
    ['SO_LINGER', 3],
    ['TCP_CONGESTION', 'reno'],
  ] as const) {
    client.setsockopt(fd, name, value)
    expect(client.getsockopt(fd, name)).toBe(value)
  }
  expect(() => client.getsockopt(fd, 'SO_COLOUR' as 'SO_LINGER')).toThrow('ENOPROTOOPT')
  expect(() => client.getsockopt(99, 'SO_LINGER')).toThrow('EBADF')
})
