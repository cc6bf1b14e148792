// HttpClient and HttpServer together over streams in memory.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { HttpClient, type HttpClientOptions } from '../../src/http/client.ts'
import { HttpServer } from '../../src/http/server.ts'
import type { Handler } from '../../src/http/server-message.ts'
import type { HttpServerOptions } from '../../src/http/server-options.ts'
import { type MemoryStream, s, streamPair, VirtualScheduler } from './helpers.ts'

interface Web {
  readonly scheduler: VirtualScheduler
  readonly server: HttpServer
  readonly client: HttpClient
  /** The server's ends of all connections, in order. */
  readonly streams: MemoryStream[]
  readonly dialled: string[]
}

function web(handler: Handler, options: Partial<HttpServerOptions> = {}, own: Partial<HttpClientOptions> = {}): Web {
  const scheduler = new VirtualScheduler()
  const server = new HttpServer({ handler, scheduler, trace: true, ...options })
  const streams: MemoryStream[] = []
  const dialled: string[] = []
  const client = new HttpClient({
    scheduler,
    connect: async ({ protocol, host, port }) => {
      dialled.push(`${protocol}//${host} ${port}`)
      const [ours, theirs] = streamPair()
      streams.push(theirs)
      server.handleConnection(theirs)
      return ours
    },
    ...own,
  })
  return { scheduler, server, client, streams, dialled }
}

const text = async (client: HttpClient, url: string, init = {}): Promise<string> =>
  (await client.fetch(url, init)).text()

describe('client and server', () => {
  it('one connection serves request after request to one origin (RFC 9112 §9.3)', async () => {
    const { client, scheduler, dialled } = web((request) => ({
      body: `${request.method} ${request.target} ${request.headers.get('host')}`,
    }))
    expect(await text(client, 'http://h/a?b#c')).toBe('GET /a?b h')
    await scheduler.settle()
    expect(await text(client, 'http://h:80/x')).toBe('GET /x h')
    await scheduler.settle()
    expect(await text(client, 'http://[::1]:8080')).toBe('GET / [::1]:8080')
    await scheduler.settle()
    expect(await text(client, 'https://h/')).toBe('GET / h')
    expect(dialled).toEqual(['http://h 80', 'http://::1 8080', 'https://h 443'])
    expect(client.counters).toMatchObject({ requests: 4, connections: 3, reused: 1, retries: 0 })
  })

  it('requests at the same time take connections of their own, all of which are kept (RFC 9112 §9.4)', async () => {
    const { client, scheduler, server } = web((request) => ({ body: request.path }))
    const urls = ['http://h/1', 'http://h/2', 'http://h/3']
    expect(await Promise.all(urls.map((url) => text(client, url)))).toEqual(['/1', '/2', '/3'])
    await scheduler.settle()
    expect(client.counters.connections).toBe(3)
    expect(server.connectionCount).toBe(3)
    await text(client, 'http://h/4')
    expect(client.counters.connections).toBe(3)
  })

  it('a kept connection ends after its idle time, or a second before the server\u2019s (RFC 9112 §9.5)', async () => {
    const { client, scheduler, server } = web(() => ({ body: 'x' }))
    await text(client, 'http://h/')
    await scheduler.run(3.9 * SECOND)
    expect(server.connectionCount).toBe(1)
    await scheduler.run(4.1 * SECOND)
    expect(server.connectionCount).toBe(0)
    const hinted = web(() => ({ body: 'x', headers: { 'Keep-Alive': 'timeout=3' } }))
    await text(hinted.client, 'http://h/')
    await hinted.scheduler.run(2.1 * SECOND)
    expect(hinted.server.connectionCount).toBe(0)
    const never = web(() => ({ body: 'x', headers: { 'Keep-Alive': 'timeout=9, max=0' } }))
    await text(never.client, 'http://h/')
    await never.scheduler.settle()
    expect(never.server.connectionCount).toBe(0)
  })

  /** Fetches once, lets the server drop the kept connection unseen, fetches again. */
  const race = async (method: string, body?: string | AsyncIterable<string>): Promise<[unknown, Web]> => {
    const pair = web((request) => ({ body: request.method }))
    await text(pair.client, 'http://h/')
    await pair.scheduler.settle()
    // The server is about to close, and reads no more.
    pair.streams[0].pause()
    const second = pair.client.fetch('http://h/', { method, body }).then(
      (response) => response.status,
      (error: unknown) => error,
    )
    pair.streams[0].destroy()
    await pair.scheduler.settle()
    return [await second, pair]
  }

  it('the idle-close race: an idempotent request is sent again on a new connection, once (RFC 9112 §9.3.1)', async () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      const [result, pair] = await race(method)
      expect(result).toBe(200)
      expect(pair.client.counters).toMatchObject({ retries: 1, connections: 2 })
    }
    expect((await race('PUT', 'body'))[0]).toBe(200)
  })

  it('the idle-close race: POST and PATCH are never repeated, nor is a body that has gone by (RFC 9112 §9.3.1)', async () => {
    async function* body(): AsyncGenerator<string> {
      yield 'x'
    }
    for (const one of [race('POST', 'x'), race('PATCH'), race('PUT', body())]) {
      const [result, pair] = await one
      expect(result).toMatchObject({ code: 'ECONNRESET', answered: false })
      expect(pair.client.counters.retries).toBe(0)
    }
  })

  it('a fresh connection that fails is not tried again (RFC 9112 §9.3.1)', async () => {
    const pair = web((_, response) => {
      response.flushHead()
      throw new Error('x')
    })
    const response = await pair.client.fetch('http://h/')
    await expect(response.text()).rejects.toMatchObject({ code: 'ECONNRESET' })
    const silent = web(() => undefined)
    const asked = silent.client.fetch('http://h/').catch((error: unknown) => error)
    await silent.scheduler.settle()
    silent.streams[0].destroy()
    expect(await asked).toMatchObject({ code: 'ECONNRESET' })
    expect(silent.client.counters.connections).toBe(1)
  })

  it('URLs that are not http, or hold a user name, are refused (RFC 9110 §4.2.4)', async () => {
    const { client } = web(() => undefined)
    for (const url of ['ftp://h/', 'http://u:p@h/', 'nonsense', 'file:///etc/passwd']) {
      await expect(client.fetch(url)).rejects.toThrow(TypeError)
    }
    client.close()
    await expect(client.fetch('http://h/')).rejects.toThrow(TypeError)
  })

  it('a connect that fails is what the caller gets', async () => {
    const { client } = web(() => undefined, {}, { connect: () => Promise.reject(new Error('refused')) })
    await expect(client.fetch('http://h/')).rejects.toThrow('refused')
  })

  it('close() and destroy() leave nothing behind', async () => {
    for (const way of ['close', 'destroy'] as const) {
      const { client, scheduler, server } = web(() => ({ body: 'x' }))
      await text(client, 'http://h/')
      await scheduler.settle()
      client[way]()
      await scheduler.settle()
      expect(server.connectionCount).toBe(0)
      expect(scheduler.pending).toBe(0)
    }
  })

  it('big bodies cross both ways at once, intact and bounded', async () => {
    const { client } = web((request) => ({ body: request.body }))
    const size = 3_000_000
    const chunk = (i: number): Uint8Array => new Uint8Array(30_000).fill(i)
    async function* up(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < size / 30_000; i++) yield chunk(i)
    }
    const response = await client.fetch('http://h/', { method: 'POST', body: up() })
    const got = await response.bytes()
    expect(got.length).toBe(size)
    for (let i = 0; i < 100; i++) expect(got[i * 30_000 + 7]).toBe(i)
  })

  it('any method, path and body comes back as it was sent', async () => {
    const { client } = web(async (request) => ({
      headers: { 'X-Method': request.method, 'X-Target': request.target },
      body: await request.bytes(),
    }))
    const method = fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'REPORT')
    await fc.assert(
      fc.asyncProperty(method, fc.webPath(), fc.uint8Array({ maxLength: 200 }), async (verb, path, body) => {
        const url = new URL(`http://h${path.startsWith('/') ? path : `/${path}`}`)
        const response = await client.fetch(url, { method: verb, body })
        expect(s(await response.bytes())).toBe(s(body))
        expect(response.headers.get('x-method')).toBe(verb)
        expect(response.headers.get('x-target')).toBe(url.pathname + url.search)
      }),
      { numRuns: 50 },
    )
  })
})
