// The HTTP client over two of our hosts in virtual time: what pipelining and reuse save, what a cut connection does, times by name.

import { describe, expect, test } from 'vitest'
import { MILLISECOND } from '../../src/base/index.ts'
import {
  type ClientResponse,
  type ConnectionUse,
  curlTimes,
  HttpClient,
  type HttpClientOptions,
  HttpServer,
  resourceTimes,
} from '../../src/http/index.ts'
import { createHost, type Host, httpConnector, type TunSocket } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'
import { checkInvariants } from '../../src/tcp/index.ts'

const DELAY_US = 50 * MILLISECOND
const RTT_US = 2 * DELAY_US

interface Pair {
  readonly time: Network['time']
  readonly client: Host
  readonly server: Host
  http(options?: Partial<HttpClientOptions>): HttpClient
}

function pair(delayUs = DELAY_US): Pair {
  const network = new Network({ seed: 5 })
  const { time } = network
  const [left, right] = network.cable({ delayUs })
  const make = (device: typeof left, address: string): Host => {
    const host = createHost({ device, address, scheduler: time, random: network.random() })
    host.stack.tcp.onStep = checkInvariants
    return host
  }
  const client = make(left, '10.0.0.1/24')
  const server = make(right, '10.0.0.2/24')
  const http = (options: Partial<HttpClientOptions> = {}): HttpClient =>
    new HttpClient({ scheduler: time, connect: httpConnector(client) as HttpClientOptions['connect'], ...options })
  return { time, client, server, http }
}

/** Serves every path with its own name. */
function serve({ server, time }: Pair): HttpServer {
  const http = new HttpServer({ scheduler: time, handler: (request) => ({ body: request.path }) })
  server.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => http.handleConnection(socket)).listen(80)
  return http
}

const paths = (n: number): string[] => Array.from({ length: n }, (_, i) => `/${i}`)

/** Round trips that n small requests take, by the way connections are used. */
async function roundTrips(count: number, options: Partial<HttpClientOptions>): Promise<number> {
  const world = pair()
  serve(world)
  const http = world.http(options)
  const got = Promise.all(
    paths(count).map(async (path) => {
      const response = await http.fetch(`http://10.0.0.2${path}`)
      expect(await response.text()).toBe(path)
    }),
  )
  await world.time.runFor(got)
  const took = world.time.now()
  http.destroy()
  return Math.round(took / RTT_US)
}

describe('round trips for eight small requests (RFC 9112 §9.3)', () => {
  test.each([
    ['a connection for each, one after another', { maxRequests: 1, maxPerOrigin: 1 }, 16],
    ['one connection, one after another', { maxPerOrigin: 1 }, 9],
    ['two connections', { maxPerOrigin: 2 }, 5],
    ['eight connections', { maxPerOrigin: 8 }, 2],
    ['one connection, pipelined behind the first', { maxPerOrigin: 1, pipelineDepth: 8 }, 3],
  ] as const)('%s', async (_, options, expected) => {
    expect(await roundTrips(8, options)).toBe(expected)
  })
})

describe('the connection cut at every byte of the answer, over TCP', () => {
  const reply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

  test.each([
    ['GET', 'FIN'],
    ['GET', 'RST'],
    ['POST', 'FIN'],
    ['POST', 'RST'],
  ] as const)('%s, %s: effects are counted, and what the client says is so (RFC 9112 §9.3.1)', async (method, how) => {
    const world = pair(MILLISECOND)
    let effects = 0
    let cutAt = -1
    let isCut = true
    const ready = (socket: TunSocket): void => {
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes('/warm')) {
          socket.write(reply)
          return
        }
        effects++
        if (isCut) socket.end(reply)
        else {
          isCut = true
          const part = reply.slice(0, cutAt)
          if (how === 'FIN') socket.end(part)
          else if (part === '') socket.resetAndDestroy()
          // The reset would overtake what waits to be sent; it comes when that has arrived.
          else
            socket.write(part, () =>
              world.time.schedule(world.time.now() + 10 * MILLISECOND, () => socket.resetAndDestroy()),
            )
        }
      })
    }
    world.server.createServer({ allowHalfOpen: true, noDelay: true }, ready).listen(80)
    for (cutAt = 0; cutAt <= reply.length; cutAt++) {
      effects = 0
      const http = world.http({ maxPerOrigin: 1 })
      const ask = async (path: string, verb: string): Promise<string> =>
        (await http.fetch(`http://10.0.0.2${path}`, { method: verb, body: verb === 'POST' ? 'x' : undefined })).text()
      await world.time.runFor(ask('/warm', 'GET'))
      isCut = false
      const result = await world.time.runFor(ask('/do', method).catch((error: unknown) => error))
      const at = `cut at ${cutAt}`
      if (cutAt === reply.length) expect([result, effects], at).toEqual(['ok', 1])
      else if (cutAt === 0 && method === 'GET')
        expect([result, effects, http.counters.retries], at).toEqual(['ok', 2, 1])
      else {
        expect(result, at).toMatchObject({ code: 'ECONNRESET' })
        expect([effects, http.counters.retries], at).toEqual([1, 0])
      }
      http.destroy()
    }
  })
})

describe('times by name', () => {
  test('of a new connection and of a kept one, as curl and as browsers have them', async () => {
    const world = pair()
    serve(world)
    const http = world.http({ keepAliveUs: Number.POSITIVE_INFINITY })
    const uses: ConnectionUse[] = []
    const ask = async (): Promise<[number, ClientResponse]> => {
      const startAt = world.time.now()
      const response = await http.fetch('http://10.0.0.2/x', { hooks: { onConnection: (use) => uses.push(use) } })
      await response.text()
      return [startAt, response]
    }
    const [start, first] = await world.time.runFor(ask())
    const ms = (seconds: number): number => Math.round(seconds * 1000)
    const times = curlTimes(start, first.timings, uses[0])
    expect([times.time_connect, times.time_pretransfer, times.time_starttransfer, times.time_total].map(ms)).toEqual([
      100, 100, 200, 200,
    ])
    expect(times.num_connects).toBe(1)
    const entry = resourceTimes(start, first.timings, uses[0])
    const order = [
      entry.startTime,
      entry.domainLookupStart,
      entry.domainLookupEnd,
      entry.connectStart,
      entry.connectEnd,
    ]
    const all = [...order, entry.requestStart, entry.responseStart, entry.responseEnd]
    expect(all).toEqual([...all].sort((a, b) => a - b))
    expect([entry.secureConnectionStart, entry.connectEnd - entry.connectStart]).toEqual([0, 100])
    const [again, second] = await world.time.runFor(ask())
    expect(uses[1]).toMatchObject({ id: 1, reused: true, request: 2, ahead: 0 })
    expect(curlTimes(again, second.timings, uses[1])).toMatchObject({ time_connect: 0, num_connects: 0 })
    expect(ms(curlTimes(again, second.timings, uses[1]).time_total)).toBe(100)
    expect(resourceTimes(again, second.timings, uses[1])).toMatchObject({
      connectStart: again / 1000,
      connectEnd: again / 1000,
    })
    http.destroy()
  })

  test('names are looked up, and each step has a time limit of its own that says which it was', async () => {
    const world = pair()
    serve(world)
    await world.time.runFor(world.server.dnsServer({ zone: { origin: 'lan', text: 'www A 10.0.0.2' } }))
    const resolver = world.client.resolver({ servers: ['10.0.0.2'] })
    const connect = httpConnector(world.client, { resolver }) as HttpClientOptions['connect']
    const http = world.http({ connect })
    let use: ConnectionUse | null = null
    const start = world.time.now()
    const response = await world.time.runFor(
      http
        .fetch('http://www.lan/x', {
          hooks: {
            onConnection: (one) => {
              use = one
            },
          },
        })
        .then(async (got) => {
          expect(await got.text()).toBe('/x')
          return got
        }),
    )
    const times = curlTimes(start, response.timings, use)
    expect(Math.round(times.time_namelookup * 1000)).toBeGreaterThanOrEqual(100)
    expect(times.time_connect).toBeGreaterThan(times.time_namelookup)
    http.destroy()
    const fails = async (options: object, url: string): Promise<unknown> => {
      const one = world.http({
        connect: httpConnector(world.client, { resolver, ...options }) as HttpClientOptions['connect'],
      })
      return world.time.runFor(one.fetch(url).catch((error: unknown) => error))
    }
    expect(await fails({}, 'http://nobody.lan/')).toMatchObject({ code: 'ENOTFOUND', phase: 'lookup' })
    expect(await fails({ lookupMs: 20 }, 'http://new.lan/')).toMatchObject({ code: 'ETIMEDOUT', phase: 'lookup' })
    expect(await fails({ connectMs: 30 }, 'http://10.0.0.2/')).toMatchObject({ code: 'ETIMEDOUT', phase: 'connect' })
    expect(await fails({}, 'http://10.0.0.2:81/')).toMatchObject({ code: 'ECONNREFUSED', phase: 'connect' })
    expect(await fails({ family: 6 }, 'http://www.lan/')).toMatchObject({ code: 'ENOTFOUND', phase: 'lookup' })
    expect(await fails({ secureMs: 500 }, 'https://10.0.0.2:80/')).toMatchObject({ phase: 'secure' })
  })
})
