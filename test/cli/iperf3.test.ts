import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { parseBits, parseBytes } from '../../src/cli/iperf3.ts'
import { runClient } from '../../src/cli/iperf3-client.ts'
import {
  ByteReader,
  ControlChannel,
  createCookie,
  readParams,
  STATE,
  streamIds,
  type TestParams,
} from '../../src/cli/iperf3-protocol.ts'
import { bothSides, jsonDocument, scaled } from '../../src/cli/iperf3-report.ts'
import type { RunObserver, TestRun } from '../../src/cli/iperf3-run.ts'
import { Iperf3Server } from '../../src/cli/iperf3-server.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { createHost, realTime } from '../../src/net/index.ts'

const SILENT: RunObserver = { onStart: () => undefined, onInterval: () => undefined }

/** A server and a client of ours, joined by a cable in memory; what both have counted. */
async function both(params: TestParams): Promise<{ client: TestRun; server: TestRun | null }> {
  const scheduler = realTime({ ref: true })
  const [a, b] = memoryPair({ scheduler, txQueueLength: 4096 })
  const left = createHost({ device: a, address: '10.0.0.1/24', scheduler })
  const right = createHost({ device: b, address: '10.0.0.2/24', scheduler })
  let server: TestRun | null = null
  let over: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    over = resolve
  })
  const one = new Iperf3Server({
    host: right,
    scheduler,
    port: 5201,
    intervalUs: 0,
    observer: SILENT,
    onAccepted: () => undefined,
    onOver: (run) => {
      server = run
      over()
    },
  })
  await one.listen()
  const stop = new AbortController().signal
  const options = { host: left, scheduler, server: '10.0.0.2', port: 5201, params, intervalUs: 0.05 * SECOND, stop }
  const client = await runClient({ ...options, observer: SILENT })
  await done
  one.close()
  await Promise.all([left.close({ graceMs: 50 }), right.close({ graceMs: 50 })])
  return { client, server }
}

describe('a test between two of ours', () => {
  test('so many bytes over two connections: both sides count the same streams', async () => {
    const { client, server } = await both({ tcp: true, num: 2_000_000, parallel: 2, len: 10_000 })
    expect(client.streams.map(({ id }) => id)).toEqual([1, 3])
    const sides = bothSides(client)
    const sent = sides.reduce((sum, side) => sum + side.sent.bytes, 0)
    expect(sent).toBeGreaterThanOrEqual(2_000_000)
    expect(sent).toBeLessThan(2_100_000)
    expect(server?.remote?.streams.map(({ bytes }) => bytes)).toEqual(sides.map((side) => side.sent.bytes))
    expect(sides.every((side) => side.received.bytes <= side.sent.bytes)).toBe(true)
  })

  test('reversed, the server sends; a time that is left out is not counted', async () => {
    const { client } = await both({ tcp: true, time: 0.3, omit: 0.1, parallel: 1, len: 10_000, reverse: true })
    expect(client.isSender).toBe(false)
    expect(client.seconds).toBeGreaterThan(0.25)
    expect(client.seconds).toBeLessThan(0.39)
    const [{ sent, received }] = bothSides(client)
    expect([sent.retransmits >= 0, received.retransmits, received.bytes > 0]).toEqual([true, -1, true])
  })

  test('a rate is kept, and the document has the fields that scripts read', async () => {
    const { client } = await both({ tcp: true, time: 0.4, parallel: 1, len: 1000, bandwidth: 4_000_000 })
    const facts = { server: '10.0.0.2', port: 5201, congestion: 'cubic', mss: 1448 }
    const document = jsonDocument(client, facts, null) as {
      end: { sum_sent: { bytes: number; bits_per_second: number }; sender_tcp_congestion: string }
      intervals: { sum: { bytes: number } }[]
    }
    expect(document.end.sum_sent.bytes).toBeGreaterThan(150_000)
    expect(document.end.sum_sent.bytes).toBeLessThan(260_000)
    expect(document.end.sender_tcp_congestion).toBe('cubic')
    const counted = document.intervals.reduce((sum, interval) => sum + interval.sum.bytes, 0)
    expect(document.end.sum_sent.bytes - counted).toBeLessThan(20_000) // a crumb at the end is no interval
  })
})

describe('the control connection', () => {
  test('JSON and states are read whichever way the bytes are cut', async () => {
    const stream = new PassThrough()
    const said = new Promise<Buffer>((resolve) => {
      const parts: Buffer[] = []
      stream.on('data', (chunk: Buffer) => parts.push(chunk) === 3 && resolve(Buffer.concat(parts)))
    })
    const channel = new ControlChannel(stream)
    channel.writeState(STATE.PARAM_EXCHANGE)
    channel.writeJson({ time: 3 })
    channel.writeState(STATE.ACCESS_DENIED)
    const bytes = await said
    const cut = new PassThrough()
    const reader = new ControlChannel(cut)
    for (const byte of bytes) cut.write(Buffer.from([byte]))
    expect(await reader.readState()).toBe(9)
    expect(await reader.readJson()).toEqual({ time: 3 })
    await expect(reader.expectState(STATE.TEST_START)).rejects.toThrow('busy running another test')
  })

  test('a peer that is none: too much JSON, no JSON, an early end', async () => {
    const say = (...bytes: number[]): ControlChannel => {
      const stream = new PassThrough()
      stream.end(Buffer.from(bytes))
      return new ControlChannel(stream)
    }
    await expect(say(255, 255, 255, 255).readJson()).rejects.toThrow('4294967295 bytes of JSON')
    await expect(say(0, 0, 0, 2, 0x7b, 0x7b).readJson()).rejects.toThrow('no JSON')
    await expect(say(0, 0).readJson()).rejects.toThrow('has ended')
    await expect(say(0x48).expectState(STATE.TEST_START)).rejects.toThrow('is it iperf3?')
    await expect(say(254, 0, 0, 0, 7, 0, 0, 0, 5).expectState(1)).rejects.toThrow('iperf3 error 7, errno 5')
  })

  test('what came after the cookie stays in the stream', async () => {
    const stream = new PassThrough()
    const reader = new ByteReader(stream)
    stream.write('cookietext')
    expect((await reader.read(6)).toString()).toBe('cookie')
    const rest = reader.release()
    expect(rest.toString()).toBe('text')
    stream.unshift(rest)
    const next = once(stream, 'data')
    stream.resume()
    expect(String((await next)[0])).toBe('text')
  })

  test('streams are called 1, 3, 4; cookies have 36 letters; parameters are checked', () => {
    expect(streamIds(4)).toEqual([1, 3, 4, 5])
    expect(createCookie()).toMatch(/^[a-z2-7]{36}$/)
    expect(() => readParams({ udp: true })).toThrow('UDP')
    expect(() => readParams({ parallel: 1000 })).toThrow('1000 streams')
    expect(() => readParams(null)).toThrow('no JSON object')
    expect(readParams({ parallel: 2 })).toEqual({ parallel: 2 })
  })
})

test('sizes and rates are read and written as iperf3 has them', () => {
  expect(['100', '128K', '1.5M', '2g'].map(parseBytes)).toEqual([100, 131072, 1572864, 2147483648])
  expect(['0', '100M', '1.5k'].map(parseBits)).toEqual([0, 100e6, 1500])
  for (const text of ['', 'x', '-1', '1T', '0']) expect(() => parseBytes(text)).toThrow('128K')
  expect(scaled(1_181_116_006, 'Bytes')).toBe('1.10 GBytes')
  expect(scaled(9.42e9, 'bits')).toBe('9.42 Gbits')
  expect(scaled(94.2e6, 'bits')).toBe('94.2 Mbits')
  expect(scaled(0, 'bits')).toBe('0.00  bits')
})
