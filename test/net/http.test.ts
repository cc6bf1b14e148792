// Node's own clients and servers over our sockets: http, https, tls, http2, fetch. Virtual time, two hosts on a cable.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { describe, expect, test } from 'vitest'
import { type Host, TunSocket } from '../../src/net/index.ts'
import { twoHosts } from './helpers.ts'

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
const key = fixture('test-key.pem')
const cert = fixture('test-cert.pem')
const servername = 'tunstack.test'

async function body(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

interface Answer {
  readonly status: number | undefined
  readonly text: string
  readonly reused: boolean
  readonly socket: Duplex
}

async function request(module: typeof http | typeof https, options: https.RequestOptions, data = ''): Promise<Answer> {
  const asked = module.request(options)
  asked.end(data)
  const [answer] = (await once(asked, 'response')) as [http.IncomingMessage]
  const { socket } = answer
  return { status: answer.statusCode, text: (await body(answer)).toString(), reused: asked.reusedSocket, socket }
}

const echo: http.RequestListener = async (asked, answer) => {
  const text = await body(asked).catch(() => 'cut off')
  answer.end(`${asked.method} ${asked.url} from ${asked.socket.remoteAddress}: ${text}`)
}

describe('http', () => {
  test('a server and an agent of Node run over our sockets', async () => {
    const { time, a, b } = twoHosts()
    await b.serve(http.createServer(echo), { port: 80 })
    const options = { host: '10.9.0.2', path: '/x', method: 'POST', agent: a.agent() }
    const answer = await time.drive(request(http, options, 'hello'))
    expect(answer).toMatchObject({ status: 200, text: 'POST /x from 10.9.0.1: hello' })
    expect(answer.socket).toBeInstanceOf(TunSocket)
  })

  test('bodies of a megabyte arrive whole in both directions', async () => {
    const { time, a, b } = twoHosts()
    await b.serve(
      http.createServer((asked, answer) => asked.pipe(answer)),
      { port: 80 },
    )
    const text = 'tunstack'.repeat(131_072)
    const options = { host: 'fd09::2', method: 'POST', agent: a.agent() }
    const answer = await time.drive(request(http, options, text))
    expect(answer.text === text).toBe(true)
  })

  test('keep-alive: the agent uses a connection again, and closes it on destroy', async () => {
    const { time, a, b } = twoHosts()
    const server = await b.serve(http.createServer(echo), { port: 80 })
    const agent = a.agent({ keepAlive: true })
    const options = { host: '10.9.0.2', agent }
    const first = await time.drive(request(http, options))
    const second = await time.drive(request(http, options))
    expect([first.reused, second.reused]).toEqual([false, true])
    expect(second.socket).toBe(first.socket)
    agent.destroy()
    server.close()
    await time.drive(once(server, 'close'))
  })

  test("emit('connection') is enough for a server that nobody attached", async () => {
    const { time, a, b } = twoHosts()
    const server = http.createServer(echo)
    const ours = await b.listen({ port: 80, noDelay: true, allowHalfOpen: true })
    ours.on('connection', (socket) => server.emit('connection', socket))
    const answer = await time.drive(request(http, { host: '10.9.0.2', agent: a.agent() }))
    expect(answer.text).toBe('GET / from 10.9.0.1: ')
  })

  test('serve() starts the timeouts of the server, and its 408 arrives although the socket is destroyed with an error', async () => {
    const { time, a, b } = twoHosts()
    const settings = { headersTimeout: 40, requestTimeout: 40, connectionsCheckingInterval: 10 }
    await b.serve(http.createServer(settings, echo), { port: 80 })
    const socket = await time.drive(a.connect({ host: '10.9.0.2', port: 80 }))
    socket.write('GET / HTTP/1.1\r\n')
    const text = (await time.drive(body(socket))).toString()
    expect(text).toMatch(/^HTTP\/1\.1 408 Request Timeout/)
  })

  test('a bad request is answered with 400 before the connection goes', async () => {
    const { time, a, b } = twoHosts()
    await b.serve(http.createServer(echo), { port: 80 })
    const socket = await time.drive(a.connect({ host: '10.9.0.2', port: 80 }))
    socket.write('nonsense\r\n\r\n')
    expect((await time.drive(body(socket))).toString()).toMatch(/^HTTP\/1\.1 400 Bad Request/)
  })

  test("a request's timeout is on the clock of the host", async () => {
    const { time, a, b } = twoHosts()
    await b.serve(
      http.createServer(() => {}),
      { port: 80 },
    )
    const asked = http.request({ host: '10.9.0.2', agent: a.agent(), timeout: 30_000 })
    asked.on('error', () => {})
    asked.end()
    const before = time.now()
    await time.drive(once(asked, 'timeout'))
    expect(time.now() - before).toBeGreaterThanOrEqual(30_000_000)
    expect(time.now() - before).toBeLessThan(31_000_000)
    asked.destroy()
  })

  test('a request to a port where nobody listens fails as over node:net', async () => {
    const { time, a } = twoHosts()
    const asked = http.request({ host: '10.9.0.2', port: 9, agent: a.agent() })
    asked.end()
    const [error] = await time.drive(once(asked, 'error'))
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '10.9.0.2', port: 9 })
  })

  test('an aborted request resets nothing but its own connection', async () => {
    const { time, a, b } = twoHosts()
    await b.serve(http.createServer(echo), { port: 80 })
    const controller = new AbortController()
    const asked = http.request({ host: '10.9.0.2', agent: a.agent(), method: 'POST', signal: controller.signal })
    asked.write('half')
    await time.run(100)
    controller.abort()
    const [error] = await time.drive(once(asked, 'error'))
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    const answer = await time.drive(request(http, { host: '10.9.0.2', agent: a.agent() }))
    expect(answer.status).toBe(200)
  })

  test('the attached port closes with its server', async () => {
    const { time, a, b } = twoHosts()
    const server = http.createServer(echo)
    const ours = await b.serve(server, { port: 80 })
    expect(ours.noDelay).toBe(true)
    server.close()
    await time.drive(once(ours, 'close'))
    await expect(time.drive(a.connect({ host: '10.9.0.2', port: 80 }))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('tls', () => {
  test('https.Server and https.Agent run over our sockets and know the addresses', async () => {
    const { time, a, b } = twoHosts()
    await b.serve(https.createServer({ key, cert }, echo), { port: 443 })
    const agent = a.httpsAgent({ ca: cert, servername, keepAlive: true })
    const options = { host: '10.9.0.2', port: 443, agent, method: 'POST' }
    const answer = await time.drive(request(https, options, 'secret'))
    expect(answer.text).toBe('POST / from 10.9.0.1: secret')
    const { remoteAddress, remotePort, authorized } = answer.socket as tls.TLSSocket
    expect({ remoteAddress, remotePort, authorized }).toEqual({
      remoteAddress: '10.9.0.2',
      remotePort: 443,
      authorized: true,
    })
    const again = await time.drive(request(https, options, 'again'))
    expect(again.reused).toBe(true)
    agent.destroy()
  })

  test('tls.connect({ socket }) runs over a socket of ours', async () => {
    const { time, a, b } = twoHosts()
    const server = tls.createServer({ key, cert }, (socket) => socket.pipe(socket))
    await b.serve(server, { port: 443 })
    const below = await time.drive(a.connect({ host: '10.9.0.2', port: 443 }))
    const secure = tls.connect({ socket: below, ca: cert, servername })
    await time.drive(once(secure, 'secureConnect'))
    expect(secure.encrypted).toBe(true)
    const text = 'x'.repeat(300_000)
    secure.end(text)
    expect((await time.drive(body(secure))).toString() === text).toBe(true)
  })

  test('tls.connect({ socket }) waits for a socket that still connects', async () => {
    const { time, a, b } = twoHosts()
    await b.serve(
      tls.createServer({ key, cert }, (socket) => socket.end('hello')),
      { port: 443 },
    )
    const secure = tls.connect({ socket: a.createConnection(443, '10.9.0.2'), ca: cert, servername })
    expect((await time.drive(body(secure))).toString()).toBe('hello')
  })

  test('an untrusted certificate is refused', async () => {
    const { time, a, b } = twoHosts()
    const server = https.createServer({ key, cert }, echo)
    await b.serve(server, { port: 443 })
    server.on('tlsClientError', () => {})
    const asked = https.request({ host: '10.9.0.2', port: 443, agent: a.httpsAgent({ servername }) })
    asked.end()
    const [error] = await time.drive(once(asked, 'error'))
    expect(error.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })
})

async function http2Echo(session: http2.ClientHttp2Session): Promise<string> {
  const stream = session.request({ ':method': 'POST', ':path': '/two' })
  stream.end('frames')
  const text = (await body(stream)).toString()
  session.close()
  await once(session, 'close')
  return text
}

describe('http2', () => {
  test('over a plain connection (RFC 9113 §3.3)', async () => {
    const { time, a, b } = twoHosts()
    const server = http2.createServer()
    server.on('stream', (stream) => stream.pipe(stream))
    await b.serve(server, { port: 80 })
    const session = http2.connect('http://10.9.0.2', { createConnection: () => a.createConnection(80, '10.9.0.2') })
    expect(await time.drive(http2Echo(session))).toBe('frames')
  })

  test('over TLS with ALPN (RFC 9113 §3.2)', async () => {
    const { time, a, b } = twoHosts()
    const server = http2.createSecureServer({ key, cert })
    server.on('stream', (stream) => stream.pipe(stream))
    await b.serve(server, { port: 443 })
    const createConnection = (): tls.TLSSocket =>
      tls.connect({ socket: a.createConnection(443, '10.9.0.2'), ca: cert, servername, ALPNProtocols: ['h2'] })
    const session = http2.connect('https://10.9.0.2', { createConnection })
    expect(await time.drive(http2Echo(session))).toBe('frames')
  })
})

type Dispatcher = NonNullable<RequestInit['dispatcher']>

/** An Agent of the undici that Node carries for `fetch`; Node shows it only as the global dispatcher. */
async function undiciAgent(host: Host): Promise<Dispatcher> {
  await fetch('data:,')
  const known = (globalThis as unknown as Record<symbol, object>)[Symbol.for('undici.globalDispatcher.1')]
  const Agent = known.constructor as new (options: object) => Dispatcher
  return new Agent({ connect: host.undiciConnector({ tls: { ca: cert, servername } }) })
}

describe('undici', () => {
  test('fetch runs over our sockets, plain and with TLS', async () => {
    const { time, a, b } = twoHosts()
    await b.serve(http.createServer(echo), { port: 80 })
    await b.serve(https.createServer({ key, cert }, echo), { port: 443 })
    const dispatcher = await undiciAgent(a)
    const get = async (url: string): Promise<string> => (await fetch(url, { dispatcher })).text()
    expect(await time.drive(get('http://10.9.0.2/plain'))).toBe('GET /plain from 10.9.0.1: ')
    expect(await time.drive(get('http://[fd09::2]/six'))).toBe('GET /six from fd09::1: ')
    expect(await time.drive(get('https://10.9.0.2/tls'))).toBe('GET /tls from 10.9.0.1: ')
    await time.drive(dispatcher.close())
  })

  test('the connector calls back once, never before it returns, with an error too', async () => {
    const { time, a } = twoHosts()
    let returned = false
    const called = new Promise<[Error | null, unknown, boolean]>((resolve) => {
      const options = { hostname: 'nowhere.test', protocol: 'http:', port: '' }
      a.undiciConnector()(options, (error, socket) => resolve([error, socket, returned]))
    })
    returned = true
    const [error, socket, late] = await time.drive(called)
    expect(error).toMatchObject({ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'nowhere.test' })
    expect([socket, late]).toEqual([null, true])
  })
})
