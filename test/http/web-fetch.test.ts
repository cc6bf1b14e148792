// fetch() as the web has it, and content codings.
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createFetch } from '../../src/http/fetch.ts'
import { contentDecoders } from '../../src/net/content-codings.ts'
import { answer, pathOf, site } from './pool-helpers.ts'

const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

describe('fetch()', () => {
  it('Request in, Response out: status, fields, url, body', async () => {
    const { client } = site((server, head, body) =>
      server.send(answer(`${head.split(' ')[0]} ${body}`, 'X-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n')),
    )
    const fetch = createFetch(client)
    const response = await fetch('http://h/x#f', { method: 'post', body: 'text', headers: { 'X-B': '2' } })
    expect(response).toBeInstanceOf(Response)
    expect([response.status, response.ok, response.url, response.redirected]).toEqual([200, true, 'http://h/x', false])
    expect([response.headers.get('x-a'), response.headers.getSetCookie()]).toEqual(['1', ['a', 'b']])
    expect(await response.text()).toBe('POST text')
    expect(fetch.answerOf(response)?.connection).toMatchObject({ id: 1, reused: false })
    expect(
      await (
        await fetch(new Request('http://h/y', { method: 'PUT', body: 'p', duplex: 'half' } as RequestInit))
      ).text(),
    ).toMatch(/^PUT/)
  })

  it('what is at hand goes with its length, a stream in chunks', async () => {
    const { client, servers } = site((server, head) => {
      if (!head.includes('chunked')) server.send(answer('ok'))
    })
    const fetch = createFetch(client)
    for (const body of ['ab', new Uint8Array([97, 98]), new URLSearchParams({ a: 'b' }), new Blob(['ab'])]) {
      await (await fetch('http://h/', { method: 'POST', body })).text()
    }
    expect(servers.flatMap(({ requests }) => requests).every((head) => /Content-Length: [23]/i.test(head))).toBe(true)
    expect(servers[0].requests[2]).toMatch(/content-type: application\/x-www-form-urlencoded/i)
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('ab'))
        controller.close()
      },
    })
    await (await fetch('http://h/', { method: 'POST', body: stream, duplex: 'half' } as RequestInit)).text()
    // The scripted server takes the chunks for a second head, whose end is that of the body.
    const [head, chunks] = servers[0].requests.slice(-2)
    expect(head).toMatch(/Transfer-Encoding: chunked/)
    expect(chunks).toBe('2\r\nab\r\n0')
  })

  it('redirects are followed, handed out or refused as `redirect` says', async () => {
    const { client } = site((server, head) =>
      server.send(
        pathOf(head) === '/' ? 'HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n' : answer('end'),
      ),
    )
    const fetch = createFetch(client)
    const followed = await fetch('http://h/')
    expect([followed.url, followed.redirected, await followed.text()]).toEqual(['http://h/end', true, 'end'])
    expect((await fetch('http://h/', { redirect: 'manual' })).status).toBe(302)
    await expect(fetch('http://h/', { redirect: 'error' })).rejects.toThrow(TypeError)
  })

  it('failures are TypeErrors with a cause, aborts are the signal\u2019s reason, at every step', async () => {
    const { client, servers, scheduler } = site((server, head) => {
      if (pathOf(head) === '/cut') server.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab')
      else if (pathOf(head) === '/drop') server.stream.destroy()
    })
    const fetch = createFetch(client)
    await expect(fetch('http://h/drop')).rejects.toMatchObject({ name: 'TypeError', cause: { code: 'ECONNRESET' } })
    await expect(fetch('http://h/', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    const control = new AbortController()
    const waiting = fetch('http://h/wait', { signal: control.signal })
    await scheduler.settle()
    control.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    const cut = await fetch('http://h/cut')
    servers.at(-1)?.stream.end()
    await expect(cut.text()).rejects.toMatchObject({ name: 'TypeError', cause: { reason: 'truncated' } })
  })

  it('a body that nobody reads is held back; one that is cancelled lets its connection go', async () => {
    const { client, servers, scheduler } = site((server) =>
      server.send(`HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n`),
    )
    const response = await createFetch(client)('http://h/')
    let sent = 0
    const { stream } = servers[0]
    while (sent < 3_000_000 && stream.write(new Uint8Array(50_000))) sent += 50_000
    await scheduler.settle()
    expect(sent).toBeLessThan(1_000_000)
    await response.body?.cancel()
    await scheduler.settle()
    expect(stream.destroyed).toBe(true)
  })

  it('204, 205 and 304 have no body', async () => {
    const { client } = site((server, head) =>
      server.send(`HTTP/1.1 ${pathOf(head).slice(1)} X\r\nContent-Length: 0\r\n\r\n`),
    )
    const fetch = createFetch(client)
    for (const status of [204, 205, 304]) expect((await fetch(`http://h/${status}`)).body).toBeNull()
  })
})

describe('content codings (RFC 9110 §8.4)', () => {
  const text = 'some text '.repeat(50)
  const coded: [string, Uint8Array][] = [
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
    ['identity', Buffer.from(text)],
  ]
  const served = (coding: string, body: Uint8Array, length = body.length) =>
    site(
      (server) =>
        server.send(
          `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${length}\r\n\r\n${latin(body)}`,
        ),
      {
        decoders: contentDecoders,
      },
    )

  it.each(coded)('%s is taken off', async (coding, body) => {
    const { client, servers } = served(coding, body)
    expect(await (await client.fetch('http://h/')).text()).toBe(text)
    expect(servers[0].requests[0]).toMatch(/^Accept-Encoding: gzip, deflate, br(, zstd)?$/m)
  })

  it('one that nobody knows stays on', async () => {
    const { client } = served('lzma', Buffer.from('zzz'))
    expect(await (await client.fetch('http://h/')).text()).toBe('zzz')
  })

  it('nothing is nothing in any coding', async () => {
    for (const coding of ['gzip', 'deflate', 'br']) {
      const { client } = served(coding, Buffer.alloc(0))
      expect(await (await client.fetch('http://h/')).text()).toBe('')
    }
    const { client } = served('gzip', Buffer.alloc(0), 0)
    expect(await (await client.fetch('http://h/', { method: 'HEAD' })).text()).toBe('')
  })

  it('what is cut short or no such coding is an error, cut at every tenth byte', async () => {
    const whole = gzipSync(text)
    for (let cut = 1; cut < whole.length; cut += 10) {
      const { client } = served('gzip', whole.subarray(0, cut))
      await expect((await client.fetch('http://h/')).text()).rejects.toThrow()
    }
    const { client } = served('gzip', Buffer.from('plain'))
    await expect((await client.fetch('http://h/')).text()).rejects.toThrow()
  })

  it('a few bytes that unpack to more than anybody can want are an error, and so is a pile of codings', async () => {
    const bomb = gzipSync(gzipSync(Buffer.alloc(17 * 1024 * 1024)))
    const read = async (coding: string, body: Uint8Array, options: object = {}): Promise<number> => {
      const { client } = site(
        (server) =>
          server.send(
            `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n${latin(body)}`,
          ),
        { decoders: contentDecoders, ...options },
      )
      let length = 0
      for await (const chunk of (await client.fetch('http://h/')).body) length += chunk.length
      return length
    }
    await expect(read('gzip, gzip', bomb)).rejects.toMatchObject({ reason: 'body-too-large', side: 'remote' })
    expect(await read('gzip, gzip', bomb, { maxExpansion: Infinity })).toBe(17 * 1024 * 1024)
    const six = Array.from({ length: 6 }).reduce<Uint8Array>((body) => gzipSync(body), Buffer.from('x'))
    await expect(read('gzip, gzip, gzip, gzip, gzip, gzip', six)).rejects.toMatchObject({ reason: 'body-too-large' })
    expect(() => site(() => undefined, { maxExpansion: 0 })).toThrow(RangeError)
  })

  it('a truncated answer is told as such, not as a broken coding (RFC 9112 §8)', async () => {
    const { client, servers, scheduler } = served('gzip', gzipSync(text).subarray(0, 20), 999)
    const response = await client.fetch('http://h/')
    const failed = response.text().catch((error: unknown) => error)
    await scheduler.settle()
    servers[0].stream.end()
    expect(await failed).toMatchObject({ reason: 'truncated' })
  })
})
