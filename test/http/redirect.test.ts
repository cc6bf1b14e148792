// Redirects: which method, which body, which fields go along, and where it ends.
import { describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/http/headers.ts'
import { redirectedHeaders, redirectStep } from '../../src/http/redirect.ts'
import { answer, pathOf, site } from './pool-helpers.ts'

const from = new URL('http://a/x/y?q#frag')
const step = (status: number, location: string, method = 'GET') =>
  redirectStep(status, new HeaderList({ Location: location }), from, method)

const to = (location: string, status = 302): string =>
  `HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 5\r\n\r\nmoved`

describe('one step', () => {
  const table: [number, string, string, boolean][] = [
    [301, 'GET', 'GET', true],
    [301, 'POST', 'GET', false],
    [301, 'PUT', 'PUT', true],
    [302, 'POST', 'GET', false],
    [302, 'HEAD', 'HEAD', true],
    [303, 'POST', 'GET', false],
    [303, 'PUT', 'GET', false],
    [303, 'DELETE', 'GET', false],
    [303, 'HEAD', 'HEAD', true],
    [307, 'POST', 'POST', true],
    [308, 'POST', 'POST', true],
    [308, 'DELETE', 'DELETE', true],
  ]
  it.each(table)('%i of a %s asks for a %s (RFC 9110 §15.4)', (status, method, then, keepsBody) => {
    expect(step(status, '/z', method)).toMatchObject({ method: then, keepsBody })
  })

  it('Location is relative to the URL asked, and inherits its fragment (RFC 9110 §10.2.2)', () => {
    expect(step(302, 'z')?.url.href).toBe('http://a/x/z#frag')
    expect(step(302, '//b/z#own')?.url.href).toBe('http://b/z#own')
    expect(step(302, '?r')?.url.href).toBe('http://a/x/y?r#frag')
  })

  it('what is no redirect is none: 300, 304, 200, and one without Location', () => {
    for (const status of [200, 300, 304, 305, 404]) expect(step(status, '/z')).toBeNull()
    expect(redirectStep(302, new HeaderList(), from, 'GET')).toBeNull()
  })

  it('a Location that cannot be meant is an error: two of them, no URL, another scheme', () => {
    const two = new HeaderList([
      ['Location', '/a'],
      ['Location', '/b'],
    ])
    expect(() => redirectStep(302, two, from, 'GET')).toThrow('more than one Location')
    for (const bad of ['http://', 'ftp://a/', 'javascript:alert(1)', 'file:///etc/passwd']) {
      expect(() => step(302, bad), bad).toThrow(/cannot be followed/)
    }
  })

  it('credentials stay with their origin: another host, port or scheme gets none (RFC 9110 §11.6.2)', () => {
    const headers = new HeaderList({
      Authorization: 'x',
      Cookie: 'a=b',
      Host: 'a',
      'X-A': '1',
      'Content-Type': 't',
      'Content-Length': 3,
    })
    for (const location of ['http://b/', 'http://a:81/', 'https://a/']) {
      const crossing = step(307, location, 'POST')
      expect(redirectedHeaders(headers, crossing as NonNullable<typeof crossing>).toJSON()).toEqual([
        ['X-A', '1'],
        ['Content-Type', 't'],
        ['Content-Length', '3'],
      ])
    }
    const inside = step(303, '/z', 'POST')
    expect(
      redirectedHeaders(headers, inside as NonNullable<typeof inside>)
        .toJSON()
        .map(([name]) => name),
    ).toEqual(['Authorization', 'Cookie', 'Host', 'X-A'])
  })
})

describe('a client that follows', () => {
  it('drops the body with POST -> GET, and keeps it with 307, over kept connections', async () => {
    const { client, servers } = site((server, head) => {
      const path = pathOf(head)
      server.send(
        path === '/302'
          ? to('/end')
          : path === '/307'
            ? to('/end', 307)
            : answer(`${head.split(' ')[0]} ${server.bodies.at(-1)}`),
      )
    })
    const post = { method: 'POST', body: 'x', maxRedirects: 5 }
    expect(await (await client.fetch('http://a/302', post)).text()).toBe('GET ')
    const response = await client.fetch('http://a/307', post)
    expect(await response.text()).toBe('POST x')
    expect([response.url, response.redirects]).toEqual(['http://a/end', 1])
    expect(servers.length).toBe(1)
  })

  it('does not tell another origin what was for the first', async () => {
    const { client, servers } = site((server) => {
      server.send(server.origin.host === 'a' ? to('http://b/') : answer('end'))
    })
    await (
      await client.fetch('http://a/', { headers: { Authorization: 'secret', Cookie: 'c=1' }, maxRedirects: 5 })
    ).text()
    expect(servers[0].requests[0]).toMatch(/Authorization: secret/)
    expect(servers[1].requests[0]).not.toMatch(/Authorization|Cookie/)
    expect(servers[1].requests[0]).toMatch(/^Host: b$/m)
  })

  it('ends: at the limit, and where a body would be needed that has gone by', async () => {
    const { client } = site((server) => server.send(to('/again', 307)))
    await expect(client.fetch('http://a/', { maxRedirects: 3 })).rejects.toThrow('more than 3 redirects')
    async function* body(): AsyncGenerator<string> {
      yield 'x'
    }
    await expect(
      client.fetch('http://a/', { method: 'PUT', body: body(), headers: { 'Content-Length': 1 }, maxRedirects: 3 }),
    ).rejects.toThrow('gone by')
    expect((await client.fetch('http://a/')).status).toBe(307)
  })

  it('cookies are a library\u2019s: it is asked for each request and told of each answer', async () => {
    const jar = new Map<string, string>()
    const cookies = {
      getCookieString: (url: string) => jar.get(new URL(url).host) ?? '',
      setCookie: (line: string, url: string) => jar.set(new URL(url).host, line.split(';')[0]),
    }
    const { client, servers } = site(
      (server, head) =>
        server.send(
          pathOf(head) === '/in' ? to('/').replace('\r\n', '\r\nSet-Cookie: id=7; Path=/\r\n') : answer('in'),
        ),
      { cookies },
    )
    await (await client.fetch('http://a/in', { maxRedirects: 1 })).text()
    expect(servers[0].requests[1]).toMatch(/^Cookie: id=7$/m)
  })

  it('a 417 makes it ask again without Expect (RFC 9110 §10.1.1)', async () => {
    const { client, servers, scheduler } = site((server, head) => server.send(answer(server.bodies.at(-1) ?? head)))
    const asked = client.fetch('http://a/', { method: 'PUT', body: 'abc', expectContinue: true })
    await scheduler.settle()
    servers[0].peer.received = ''
    servers[0].send('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n')
    expect(await (await asked).text()).toBe('abc')
    expect(servers.at(-1)?.requests.at(-1)).not.toMatch(/Expect/)
  })

  it('a time limit for the whole of it ends it in the middle of the body', async () => {
    const { client, scheduler, servers } = site((server) =>
      server.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab'),
    )
    const response = await client.fetch('http://a/', { totalUs: 5_000_000 })
    const text = response.text().catch((error: unknown) => error)
    await scheduler.run(6_000_000)
    expect(await text).toMatchObject({ code: 'ETIMEDOUT' })
    expect(servers[0].stream.destroyed).toBe(true)
    expect(scheduler.pending).toBe(0)
  })
})
