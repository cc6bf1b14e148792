// Sockets over a bad link: whatever the link does, bytes arrive whole and in order, or the socket fails. Seeded, in virtual time;
// TCP's invariants are checked after every step.

import { once } from 'node:events'
import http from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import type { Packet } from '../../src/link/device.ts'
import { type ImpairedDevice, impair } from '../../src/link/impair.ts'
import type { Impairment } from '../../src/link/impairment.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { createHost, type Host, type TunSocket } from '../../src/net/index.ts'
import { checkInvariants } from '../../src/tcp/index.ts'
import { TestTime } from './helpers.ts'

const BAD: Impairment = {
  delayUs: 20_000,
  jitterUs: 5_000,
  lossRate: 0.04,
  duplicateRate: 0.02,
  reorderRate: 0.05,
  reorderDelayUs: 15_000,
  corruptRate: 0.01,
}

interface BadHosts {
  readonly time: TestTime
  readonly a: Host
  readonly b: Host
  readonly link: ImpairedDevice
}

function badHosts(seed: number, link: Impairment, out: Impairment = {}): BadHosts {
  const time = new TestTime()
  const random = new SeededRandom(seed)
  const [left, right] = memoryPair({ scheduler: time })
  const bad = impair(left, { scheduler: time, random: random.fork(), in: link, out: { ...link, ...out } })
  const tcp = { sendBufferBytes: 65_536, receiveBufferBytes: 65_536 }
  const a = createHost({ device: bad, address: '10.9.0.1/24', scheduler: time, random: random.fork(), tcp })
  const b = createHost({ device: right, address: '10.9.0.2/24', scheduler: time, random: random.fork(), tcp })
  for (const { stack } of [a, b]) stack.tcp.onStep = checkInvariants
  return { time, a, b, link: bad }
}

function* chunks(random: SeededRandom, total: number): Generator<Buffer> {
  for (let at = 0; at < total; ) {
    const length = Math.min(total - at, 1 + Math.floor(random.fraction() * 20_000))
    yield Buffer.from(Uint8Array.from({ length }, (_, i) => (at + i) % 251))
    at += length
  }
}

/** Counts and checks what arrives. (`for await` would destroy the socket at the end of input, in the middle of its output.) */
function check(socket: TunSocket, random: SeededRandom, time: TestTime): Promise<number> {
  let at = 0
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte !== at++ % 251) reject(new Error(`byte ${at - 1} is wrong`))
      if (random.fraction() > 0.05) return
      // A reader that is slow at times, so that the window closes.
      socket.pause()
      time.schedule(time.now() + 50_000, () => socket.resume())
    })
    socket.on('end', () => resolve(at)).on('error', reject)
  })
}

async function bothWays(seed: number): Promise<number[]> {
  const { time, a, b } = badHosts(seed, BAD)
  const random = new SeededRandom(seed + 1000)
  const options = { port: 80, allowHalfOpen: true }
  const server = await b.listen(options)
  const accepted = server[Symbol.asyncIterator]().next()
  const client = await time.drive(a.connect({ ...options, host: '10.9.0.2' }))
  const { value: served } = await time.drive(accepted)
  if (served === undefined) throw new Error('closed')
  const [there, back] = [150_000 + Math.floor(random.fraction() * 50_000), 120_000]
  const counts = await time.drive(
    Promise.all([
      check(served, random, time),
      check(client, random, time),
      pipeline(Readable.from(chunks(random, there)), client),
      pipeline(Readable.from(chunks(random, back)), served),
    ]),
  )
  await time.drive(Promise.all([a.close({ graceMs: 60_000 }), b.close({ graceMs: 60_000 })]))
  expect([client.errored, served.errored]).toEqual([null, null])
  return [counts[0] - there, counts[1] - back]
}

describe('over a link that loses, moves, copies and damages packets', () => {
  for (const seed of [1, 2, 3, 4]) {
    test(`bytes arrive whole in both directions (seed ${seed})`, async () => {
      expect(await bothWays(seed)).toEqual([0, 0])
    })
  }

  test('a FIN that arrives before lost data is not the end (RFC 9293 §3.10.7.4, eighth check)', async () => {
    let large = 0
    const drop = (packet: Packet): boolean => packet.length > 1000 && ++large === 2
    const { time, a, b } = badHosts(7, { delayUs: 10_000 }, { drop })
    const server = await b.listen({ port: 80 })
    const accepted = server[Symbol.asyncIterator]().next()
    const client = await time.drive(a.connect({ host: '10.9.0.2', port: 80 }))
    const { value: served } = await time.drive(accepted)
    client.end(Buffer.alloc(5_000))
    let count = 0
    served?.on('data', (chunk) => {
      count += chunk.length
    })
    if (served !== undefined) await time.drive(once(served, 'end'))
    expect([count, served?.errored]).toEqual([5_000, null])
  })

  test('requests of Node over kept connections are all answered', async () => {
    const { time, a, b } = badHosts(5, BAD)
    await b.serve(
      http.createServer((asked, answer) => asked.pipe(answer)),
      { port: 80 },
    )
    const agent = a.agent({ keepAlive: true, maxSockets: 3 })
    const ask = async (length: number): Promise<number> => {
      const asked = http.request({ host: '10.9.0.2', method: 'POST', agent })
      asked.end(Buffer.alloc(length, 'x'))
      const [answer] = (await once(asked, 'response')) as [http.IncomingMessage]
      let count = 0
      for await (const chunk of answer) count += (chunk as Buffer).length
      return count
    }
    const lengths = Array.from({ length: 20 }, (_, i) => i * 997)
    expect(await time.drive(Promise.all(lengths.map(ask)))).toEqual(lengths)
    agent.destroy()
  })

  test('a link that is cut fails the reader with ETIMEDOUT, not with an end', async () => {
    const { time, a, b, link } = badHosts(6, { delayUs: 10_000 })
    const tcp = { retransmitTimeoutUs: 20_000_000 }
    const server = await b.listen({ port: 80, tcp })
    const accepted = server[Symbol.asyncIterator]().next()
    await time.drive(a.connect({ host: '10.9.0.2', port: 80 }))
    const { value: served } = await time.drive(accepted)
    link.setImpairment('in', { lossRate: 1 })
    const ended: string[] = []
    served
      ?.on('end', () => ended.push('end'))
      .resume()
      .write('anybody?')
    await time.run(60_000)
    expect(ended).toEqual([])
    expect(served?.errored).toMatchObject({ code: 'ETIMEDOUT', syscall: 'read' })
  })
})
