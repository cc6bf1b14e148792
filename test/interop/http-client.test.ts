// Our HTTP client over our stack on a TUN device against nginx, apache2, lighttpd, haproxy, varnish, squid and Node on Linux's TCP.

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFetch, HeaderList, HttpClient, type HttpClientOptions } from '../../src/http/index.ts'
import { contentDecoders, httpConnector } from '../../src/net/index.ts'
import { bytes, folder, run, sha256, tunstack } from './helpers.ts'
import {
  MOST_REQUESTS,
  startApache,
  startHaproxy,
  startLighttpd,
  startNginx,
  startNode,
  startSquid,
  startVarnish,
  type WebServer,
} from './http-servers.ts'
import { openSite, type Site } from './site.ts'

const FILES = folder()
/** More than one packet of the TUN device, and more than TLS has under way. */
const LARGE = Buffer.from(bytes(3_000_000, 9))
const BIG = bytes(300_000, 7)
const TEXT = 'a line of text\n'.repeat(200)
const NAMES = ['nginx', 'apache2', 'lighttpd', 'haproxy', 'varnish'] as const
const servers = new Map<string, WebServer>()
let site: Site
let squid: WebServer
let node: Awaited<ReturnType<typeof startNode>>
let secure: https.Server
let tlsOptions: { cert: Buffer; key: Buffer }
/** Effects of POST /count at Node. */
let counted = 0

function certificate(): { cert: Buffer; key: Buffer } {
  const [key, cert] = [FILES.file('key.pem'), FILES.file('cert.pem')]
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
  ]
  execFileSync(
    'openssl',
    [...args, '-out', cert, '-subj', '/CN=site.test', '-addext', 'subjectAltName=DNS:site.test,IP:10.77.0.1'],
    {
      stdio: 'ignore',
    },
  )
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

beforeAll(async () => {
  chmodSync(FILES.path, 0o755)
  mkdirSync(FILES.file('put'))
  chmodSync(FILES.file('put'), 0o777)
  writeFileSync(FILES.file('big.bin'), BIG)
  writeFileSync(FILES.file('a.txt'), TEXT)
  for (let i = 0; i < 40; i++) writeFileSync(FILES.file(`n${i}.bin`), `file ${i}`)
  writeFileSync(FILES.file('chunked.html'), `${'<p>a part</p>\n'.repeat(500)}<!--# echo var="nothing" -->`)
  tlsOptions = certificate()
  const nginx = await startNginx(FILES, 8101)
  node = await startNode(8107, nodeRoutes)
  secure = https.createServer(tlsOptions, ({ url }, response) => {
    if (url !== '/large') return response.end('secret')
    response.writeHead(200, { 'content-length': LARGE.length, connection: 'close' })
    return response.end(LARGE)
  })
  await new Promise<void>((resolve) => secure.listen(0, '0.0.0.0', resolve))
  const rest = await Promise.all([
    startApache(FILES, 8102),
    startLighttpd(FILES, 8103),
    startHaproxy(FILES, 8104, 8101),
    startVarnish(FILES, 8105, 8101),
    startSquid(FILES, 8106),
  ])
  squid = rest[4]
  for (const server of [nginx, ...rest.slice(0, 4)]) servers.set(server.name, server)
  site = openSite()
})

afterAll(async () => {
  await Promise.all([...servers.values(), squid, node].map((server) => server?.stop()))
  secure?.close()
  await site?.stop()
  FILES.remove()
})

const nodeRoutes: Parameters<typeof startNode>[1] = (request, response) => {
  const { url = '' } = request
  if (url === '/trailers') {
    response.writeHead(200, { Trailer: 'X-Sum' })
    response.write('body')
    response.addTrailers({ 'X-Sum': '42' })
    response.end()
  } else if (url === '/hints') {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.end('hinted')
  } else if (url === '/cut') {
    response.writeHead(200, { 'Content-Length': 100 }).write('0123456789')
    setTimeout(() => response.destroy(), 30)
  } else if (url === '/drop') {
    request.socket.resetAndDestroy()
  } else if (url === '/count') {
    counted++
    request.socket.end()
  } else if (url === '/echo') {
    const hash: Buffer[] = []
    request.on('data', (part: Buffer) => hash.push(part))
    request.on('end', () => response.end(sha256(Buffer.concat(hash))))
  } else response.end(`${request.method} ${url}`)
}

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  const connect = httpConnector(site.host, { tls: { ca: tlsOptions.cert } })
  return new HttpClient({
    scheduler: site.host.scheduler,
    connect: connect as HttpClientOptions['connect'],
    ...options,
  })
}

/** Connections from our stack that the kernel has open at a port. */
async function openAt(port: number): Promise<number> {
  const { text } = await run('ss', ['-Htn', 'state', 'established', `sport = :${port}`, 'dst 10.77.0.2'])
  return text.split('\n').filter((line) => line !== '').length
}

const urlOf = (name: string, path: string): string => `http://10.77.0.1:${servers.get(name)?.port ?? 0}${path}`
const n = (count: number): string[] => Array.from({ length: count }, (_, i) => `/n${i}.bin`)

describe.each(NAMES)('%s', (name) => {
  test('bodies are exact: whole, a range, HEAD, not modified, missing', async () => {
    const http = client()
    const got = await http.fetch(urlOf(name, '/big.bin'))
    expect(sha256(await got.bytes())).toBe(sha256(BIG))
    const part = await http.fetch(urlOf(name, '/big.bin'), { headers: { Range: 'bytes=1000-1999' } })
    expect(part.status).toBe(206)
    expect(Buffer.compare(await part.bytes(), BIG.subarray(1000, 2000))).toBe(0)
    const head = await http.fetch(urlOf(name, '/big.bin'), { method: 'HEAD' })
    expect([head.headers.get('content-length'), (await head.bytes()).length]).toEqual([String(BIG.length), 0])
    const since = await http.fetch(urlOf(name, '/big.bin'), {
      headers: { 'If-Modified-Since': got.headers.get('last-modified') ?? '' },
    })
    expect([since.status, (await since.bytes()).length]).toEqual([304, 0])
    const missing = await http.fetch(urlOf(name, '/missing'))
    expect(missing.status).toBe(404)
    await missing.discard()
    expect(http.counters).toMatchObject({ connections: 1, requests: 5, reused: 4, retries: 0 })
    http.close()
  })

  test('gzip is taken off where the server puts it on', async () => {
    const http = client({ decoders: contentDecoders })
    const response = await http.fetch(urlOf(name, '/a.txt'))
    if (name !== 'lighttpd') expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(await response.text()).toBe(TEXT)
    http.close()
  })

  test('forty requests one after another, in parallel, and pipelined: every answer its own', async () => {
    const before = (await servers.get(name)?.connections()) ?? null
    for (const options of [{ maxPerOrigin: 1 }, { maxPerOrigin: 4 }, { maxPerOrigin: 1, pipelineDepth: 8 }]) {
      const http = client(options)
      const bodies = await Promise.all(n(40).map(async (path) => (await http.fetch(urlOf(name, path))).text()))
      expect(bodies).toEqual(n(40).map((_, i) => `file ${i}`))
      const isShort = name === 'nginx' || name === 'apache2'
      const { connections } = http.counters
      if (options.maxPerOrigin === 1) expect(connections).toBe(isShort ? Math.ceil(40 / MOST_REQUESTS) : 1)
      else expect(connections).toBeGreaterThanOrEqual(4)
      // What keeps no log of its connections is asked of the kernel, while they last.
      if (before === null) expect(await openAt(servers.get(name)?.port ?? 0)).toBe(connections)
      http.close()
    }
    // What the server says of its connections is what we say. (A pipeline that meets the end of a connection redoes what was not answered.)
    const after = (await servers.get(name)?.connections()) ?? null
    if (before !== null && after !== null) expect(after.length - before.length).toBeGreaterThanOrEqual(3)
    // apache2 counts the requests behind the first.
    if (after !== null) expect(Math.max(...after)).toBeLessThanOrEqual(MOST_REQUESTS + (name === 'apache2' ? 1 : 0))
  })
})

describe.each(['haproxy', 'varnish'])('uploads through %s', (name) => {
  test('Expect: 100-continue is heard before the body goes, and the file is the one that was sent (RFC 9110 §10.1.1)', async () => {
    const http = client()
    const path = `/put/${name}.bin`
    const put = await http.fetch(urlOf(name, path), { method: 'PUT', body: new Uint8Array(BIG), expectContinue: true })
    expect([put.status, put.informational.map(({ status }) => status)]).toEqual([201, [100]])
    await put.discard()
    expect(sha256(readFileSync(FILES.file(path.slice(1))))).toBe(sha256(BIG))
    expect(http.counters).toMatchObject({ connections: 1, retries: 0 })
    http.close()
  })
})

describe('a server that is cut off at every byte of its answer (RFC 9112 §8)', () => {
  const ANSWERS = [
    'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabcdefghijabcdefghij',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabcdefghij\r\na;x\r\nabcdefghij\r\n0\r\nX-Sum: 1\r\n\r\n',
  ]

  test.each(['end', 'reset'])(
    'by its %s: what came is the whole body or an error, each on one connection',
    async (how) => {
      let accepted = 0
      const cutter = createServer((socket) => {
        accepted++
        socket.on('error', () => undefined)
        socket.once('data', (head) => {
          const [, which, at] = /^GET \/(\d+)\/(\d+) /.exec(head.toString()) ?? []
          const part = ANSWERS[Number(which)].slice(0, Number(at))
          if (how === 'end') socket.end(part)
          else if (part === '') socket.resetAndDestroy()
          else socket.write(part, () => setTimeout(() => socket.resetAndDestroy(), 20))
        })
      })
      await new Promise<void>((resolve) => cutter.listen(8108, '0.0.0.0', resolve))
      const http = client({ maxPerOrigin: 16 })
      const all = ANSWERS.flatMap((answer, which) =>
        Array.from({ length: answer.length + 1 }, (_, at) => ({ answer, which, at })),
      )
      const results = await Promise.all(
        all.map(async ({ which, at }) => {
          try {
            return await (await http.fetch(`http://10.77.0.1:8108/${which}/${at}`)).text()
          } catch (error) {
            return (error as { code?: string }).code ?? 'no code'
          }
        }),
      )
      expect(results).toEqual(
        all.map(({ answer, at }) => (at === answer.length ? 'abcdefghij'.repeat(2) : 'ECONNRESET')),
      )
      expect([accepted, http.counters.connections]).toEqual([all.length, all.length])
      http.destroy()
      await new Promise((resolve) => cutter.close(resolve))
    },
  )
})

describe('nginx', () => {
  test('chunked, and uploads with Expect: 100-continue', async () => {
    const http = client()
    const page = await http.fetch(urlOf('nginx', '/chunked.html'))
    expect(page.headers.get('transfer-encoding')).toBe('chunked')
    expect((await page.text()).length).toBeGreaterThan(6000)
    async function* parts(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < BIG.length; at += 50_000) yield BIG.subarray(at, at + 50_000)
    }
    const put = await http.fetch(urlOf('nginx', '/put/up.bin'), { method: 'PUT', body: parts(), expectContinue: true })
    expect([put.status, put.informational.map(({ status }) => status)]).toEqual([201, [100]])
    await put.discard()
    expect(sha256(readFileSync(FILES.file('put/up.bin')))).toBe(sha256(BIG))
    http.close()
  })
})

describe('Node', () => {
  const at = (path: string): string => `http://10.77.0.1:8107${path}`

  test('trailers, early hints, uploads that stream', async () => {
    const http = client()
    const response = await http.fetch(at('/trailers'))
    expect(await response.text()).toBe('body')
    expect(response.trailers?.get('x-sum')).toBe('42')
    const hinted = await http.fetch(at('/hints'))
    expect([await hinted.text(), hinted.informational[0].status]).toEqual(['hinted', 103])
    const trailers = (): HeaderList => new HeaderList({ 'X-Own': '1' })
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield BIG
    }
    const echo = await http.fetch(at('/echo'), { method: 'POST', body: body(), trailers })
    expect(await echo.text()).toBe(sha256(BIG))
    expect(http.counters.connections).toBe(1)
    http.close()
  })

  test('abrupt ends: a short body with what came of it, a GET that is sent again, a POST that is not', async () => {
    const http = client()
    const cut = await http.fetch(at('/cut'))
    await expect(cut.bytes()).rejects.toMatchObject({ reason: 'truncated', received: Buffer.from('0123456789') })
    await (await http.fetch(at('/'))).text()
    await expect(http.fetch(at('/drop'))).rejects.toMatchObject({ code: 'ECONNRESET', answered: false })
    await (await http.fetch(at('/'))).text()
    await expect(http.fetch(at('/count'), { method: 'POST', body: 'x' })).rejects.toMatchObject({ answered: false })
    expect(counted).toBe(1)
    http.destroy()
  })

  test('fetch() as the web has it', async () => {
    const http = client({ decoders: contentDecoders })
    const fetch = createFetch(http)
    const response = await fetch(at('/echo'), { method: 'POST', body: new Uint8Array(BIG) })
    expect([response.ok, await response.text(), response.url]).toEqual([true, sha256(BIG), at('/echo')])
    expect(fetch.answerOf(response)?.connection?.dial.remoteAddress).toBe('10.77.0.1')
    await expect(fetch(at('/drop'))).rejects.toThrow('fetch failed')
    http.destroy()
  })
})

describe('squid and https', () => {
  const proxy = { url: 'http://10.77.0.1:8106' }

  test('http by the proxy, https through a tunnel of it, each over a kept connection', async () => {
    const http = client({ proxy })
    for (let i = 0; i < 3; i++) expect(await (await http.fetch(urlOf('nginx', `/n${i}.bin`))).text()).toBe(`file ${i}`)
    expect([http.counters.connections, await openAt(8106)]).toEqual([1, 1])
    const { port } = secure.address() as AddressInfo
    for (let i = 0; i < 2; i++) expect(await (await http.fetch(`https://10.77.0.1:${port}/`)).text()).toBe('secret')
    expect([http.counters.connections, await openAt(8106)]).toEqual([2, 2])
    http.close()
  })

  test('all of a large answer by https arrives, although the server closes right behind it (RFC 9112 §9.8)', async () => {
    const http = client()
    const { port } = secure.address() as AddressInfo
    for (let i = 0; i < 8; i++) {
      const answer = await http.fetch(`https://10.77.0.1:${port}/large`)
      expect(LARGE.equals(Buffer.from(await answer.bytes())), `answer ${i}`).toBe(true)
    }
    http.close()
  })

  test('the proxy\u2019s refusal of a tunnel is told with its status', async () => {
    const http = client({ proxy })
    await expect(http.fetch('https://10.77.0.1:1/')).rejects.toMatchObject({ name: 'TunnelError', status: 503 })
    http.close()
  })
})

describe('the command line', () => {
  // Its TUN is its own, beside the site's: other addresses.
  const NET = ['--tun', 'tst1', '--address', '10.78.0.2/24']
  const at = (port: number, path: string): string => `http://10.78.0.1:${port}${path}`

  test('-Z, --pipeline, -x, --compressed, --retry, https with --cacert, and curl\u2019s exit codes', async () => {
    const fetchIt = async (...args: string[]) => tunstack('fetch', '-s', ...NET, ...args)
    const many = await fetchIt(
      '-w',
      '%{conn_id} ',
      '--pipeline',
      '4',
      ...[0, 1, 2, 3, 4].map((i) => at(8103, `/n${i}.bin`)),
    )
    expect(many.text.match(/file \d/g)?.sort()).toEqual([0, 1, 2, 3, 4].map((i) => `file ${i}`))
    expect(many.text.replace(/file \d/g, '')).toBe('0 0 0 0 0 ')
    const zipped = await fetchIt('--compressed', '-x', '10.78.0.1:8106', at(8101, '/a.txt'))
    expect([zipped.code, zipped.stdout.toString()]).toEqual([0, TEXT])
    const { port } = secure.address() as AddressInfo
    const url = `https://site.test:${port}/`
    const resolve = ['--resolve', `site.test:${port}:10.78.0.1`]
    const good = await fetchIt(
      ...resolve,
      '--cacert',
      FILES.file('cert.pem'),
      '-w',
      ' %{time_appconnect} %{scheme}',
      url,
    )
    expect(good.text).toMatch(/^secret 0\.[0-9]*[1-9][0-9]* HTTPS$/)
    expect((await fetchIt(...resolve, url)).code).toBe(60)
    expect((await fetchIt(at(8101, '/').replace('http:', 'https:'))).code).toBe(35)
    expect(
      (await fetchIt('--retry', '1', '--retry-delay', '0', '-f', '-w', '%{num_retries}', at(8107, '/cut'))).code,
    ).toBe(18)
    expect((await fetchIt('http://no.such.name/')).code).toBe(6)
  })

  test('load counts every request', async () => {
    const { text, code } = await tunstack(
      'load',
      ...NET,
      '-c',
      '4',
      '-p',
      '4',
      '-n',
      '400',
      '--json',
      at(8103, '/n1.bin'),
    )
    expect(code).toBe(0)
    expect(JSON.parse(text)).toMatchObject({ answered: 400, connections: 4, statuses: { 200: 400 }, errors: {} })
    const kernel = await tunstack('load', '--kernel', '-c', '2', '-n', '50', '--json', 'http://127.0.0.1:8107/')
    expect(JSON.parse(kernel.text)).toMatchObject({ answered: 50, connections: 2 })
  })
})
