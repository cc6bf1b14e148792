// Proxies, tunnels and other protocols on the same stream.
import { describe, expect, it } from 'vitest'
import { isDirect, parseProxy } from '../../src/http/client-proxy.ts'
import { dial } from './client-helpers.ts'
import { s } from './helpers.ts'
import { answer, pathOf, site } from './pool-helpers.ts'

const UPGRADE = { headers: { Upgrade: 'websocket, chat' } }

describe('Upgrade (RFC 9110 §7.8)', () => {
  it('101 hands the stream over, with what came behind the head; the connection is no longer HTTP\u2019s', async () => {
    const { http, peer, scheduler } = dial()
    const asked = http.request({ target: '/', ...UPGRADE })
    await scheduler.settle()
    expect(peer.take()).toMatch(/Upgrade: websocket, chat\r\nConnection: Upgrade\r\n\r\n$/)
    peer.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\nhello')
    const response = await asked
    expect(response.status).toBe(101)
    const { stream, head } = response.switched as NonNullable<typeof response.switched>
    expect(s(head)).toBe('hello')
    let got = ''
    stream.on('data', (chunk) => (got += s(chunk)))
    stream.resume()
    peer.send('there')
    stream.write(new TextEncoder().encode('mine'))
    await scheduler.settle()
    expect([got, peer.take()]).toEqual(['there', 'mine'])
    expect(http.reusable).toBe(false)
    await http.closed
    expect(scheduler.pending).toBe(0)
  })

  it('a server that declines goes on with HTTP', async () => {
    const { http, peer, scheduler } = dial()
    const asked = http.request({ target: '/', ...UPGRADE })
    await scheduler.settle()
    peer.send(answer('no'))
    expect(await (await asked).text()).toBe('no')
    expect(http.reusable).toBe(true)
  })

  it('a switch to what was not offered, or to nothing, is an error', async () => {
    for (const head of ['Upgrade: h2c\r\n', '']) {
      const { http, peer, scheduler } = dial()
      const asked = http.request({ target: '/', ...UPGRADE }).catch((error: unknown) => error)
      await scheduler.settle()
      peer.send(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n`)
      expect(await asked).toMatchObject({ reason: 'unexpected-switch' })
    }
  })
})

describe('proxies', () => {
  const proxy = { url: 'http://me:p%40ss@p:3128' }

  it('http goes to the proxy with the absolute form, its password and the origin\u2019s Host (RFC 9112 §3.2.2)', async () => {
    const { client, servers } = site((server, head) => server.send(answer(pathOf(head))), { proxy })
    expect(await (await client.fetch('http://a/x?y')).text()).toBe('http://a/x?y')
    expect(await (await client.fetch('http://b:81/')).text()).toBe('http://b:81/')
    expect(servers.length).toBe(1)
    expect(servers[0].origin).toEqual({ protocol: 'http:', host: 'p', port: 3128 })
    expect(servers[0].requests[1]).toMatch(/^Host: b:81$/m)
    expect(servers[0].requests[0]).toMatch(new RegExp(`^Proxy-Authorization: Basic ${btoa('me:p@ss')}$`, 'm'))
  })

  it('https goes through a tunnel, whose CONNECT alone has the password (RFC 9110 §9.3.6)', async () => {
    const { client, servers } = site(
      (server, head) => server.send(head.startsWith('CONNECT') ? 'HTTP/1.1 200 OK\r\n\r\n' : answer(pathOf(head))),
      { proxy },
    )
    expect(await (await client.fetch('https://secure/x')).text()).toBe('/x')
    expect(await (await client.fetch('https://secure/y')).text()).toBe('/y')
    expect(servers.length).toBe(1)
    const [connectHead, first, second] = servers[0].requests
    expect(connectHead).toMatch(/^CONNECT secure:443 HTTP\/1\.1\r\nHost: secure:443\r\nProxy-Authorization: Basic /)
    for (const head of [first, second]) expect(head).not.toMatch(/Proxy-Authorization/)
  })

  it('a tunnel that is refused is an error with the status, and nothing is sent', async () => {
    const { client, servers, scheduler } = site(
      (server) => server.send('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno'),
      { proxy: { url: 'http://p' } },
    )
    await expect(client.fetch('https://secure/')).rejects.toMatchObject({
      name: 'TunnelError',
      status: 407,
      sent: false,
    })
    await scheduler.settle()
    expect(servers[0].stream.destroyed).toBe(true)
    expect(servers[0].requests.length).toBe(1)
  })

  it('what stands in noProxy is asked directly', async () => {
    const noProxy = ['.local', 'example.com', '10.0.0.1', '[fd00::1]', 'port:8080']
    const direct = (host: string, port = 80): boolean => isDirect(host, port, noProxy)
    expect(
      ['a.local', 'example.com', 'www.Example.com', '10.0.0.1', '[fd00::1]', 'fd00::1'].map((host) => direct(host)),
    ).toEqual(Array(6).fill(true))
    expect(['notexample.com', '110.0.0.1', 'example.com.evil', 'port'].map((host) => direct(host))).toEqual(
      Array(4).fill(false),
    )
    expect(direct('port', 8080)).toBe(true)
    expect(isDirect('any', 80, ['*'])).toBe(true)
    const { client, servers } = site((server, head) => server.send(answer(pathOf(head))), {
      proxy: { url: 'http://p', noProxy: ['a'] },
    })
    expect(await (await client.fetch('http://a/x')).text()).toBe('/x')
    expect(servers[0].origin.host).toBe('a')
  })

  it('a proxy that is none is a TypeError', () => {
    for (const url of ['ftp://p', 'socks5://p:1080', 'nonsense']) expect(() => parseProxy(url)).toThrow(TypeError)
    expect(parseProxy('https://[fd00::1]')).toEqual({
      protocol: 'https:',
      host: 'fd00::1',
      port: 443,
      authorization: null,
    })
  })
})
