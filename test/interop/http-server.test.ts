// Our HTTP server on a TUN device, asked by Linux's own clients. Connections are counted here and by the kernel.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FsSource } from '../../src/cli/fs-source.ts'
import { fileHandler, type Handler, HeaderList, HttpServer } from '../../src/http/index.ts'
import { openTun } from '../../src/link/index.ts'
import { createHost, type Host, nodeCodings } from '../../src/net/index.ts'
import { bytes, curl, folder, run, sha256 } from './helpers.ts'

const URL4 = 'http://10.75.0.2'
const files = folder()
const OUT = folder()
const big = bytes(300_000, 3)
const TEXT = 'the quick brown fox jumps over the lazy dog\n'.repeat(5000)
let host: Host
let server: HttpServer

async function* lines(): AsyncGenerator<string> {
  for (let i = 0; i < 10; i++) yield `line ${i}\n`
}

function makeHandler(source: FsSource): Handler {
  const serveFile = fileHandler(source)
  return async (request, response) => {
    if (request.path === '/small') return { body: 'small\n' }
    if (request.path === '/text') return { body: TEXT }
    if (request.path === '/written') {
      response.headers.set('Content-Type', 'text/plain')
      for (let at = 0; at < TEXT.length; at += 1000) await response.write(TEXT.slice(at, at + 1000))
      await response.end()
      return undefined
    }
    if (request.path === '/upload') return { body: String((await request.bytes()).length) }
    if (request.path === '/refused') return { status: 403, body: 'no\n' }
    if (request.path === '/trailers') {
      response.headers.set('Trailer', 'X-Lines')
      for await (const line of lines()) await response.write(line)
      await response.end('', new HeaderList({ 'X-Lines': '10' }))
      return undefined
    }
    await serveFile(request, response)
    return undefined
  }
}

/** Connections opened from the kernel's side, and those that our server was handed, while `task` runs. */
async function connectionsOf<T>(task: () => Promise<T>): Promise<{ kernel: number; ours: number; result: T }> {
  const opened = (): number => {
    const [names, values] = readFileSync('/proc/self/net/snmp', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('Tcp:'))
      .map((line) => line.split(' '))
    return Number(values[names.indexOf('ActiveOpens')])
  }
  const before = { kernel: opened(), ours: server.counters.connections }
  const result = await task()
  return { kernel: opened() - before.kernel, ours: server.counters.connections - before.ours, result }
}

beforeAll(async () => {
  writeFileSync(files.file('big.bin'), big)
  writeFileSync(files.file('text.txt'), TEXT)
  writeFileSync(files.file('page.html'), PAGE)
  host = createHost({ device: openTun({ name: 'tunhttp', addresses: ['10.75.0.1/24'] }), address: '10.75.0.2/24' })
  server = new HttpServer({
    scheduler: host.scheduler,
    handler: makeHandler(new FsSource(files.path)),
    codings: nodeCodings(),
    wallClock: Date.now,
  })
  const listener = host.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    server.handleConnection(socket),
  )
  await new Promise<void>((resolve) => listener.listen({ port: 80, backlog: 512 }, resolve))
})
afterAll(async () => {
  await server?.close(1_000_000)
  await host?.close()
  files.remove()
  OUT.remove()
})

describe('curl', () => {
  test('several URLs share one connection, counted on both sides (RFC 9112 §9.3)', async () => {
    const urls = ['/small', '/text', '/big.bin', '/trailers'].flatMap((path) => ['-o', '/dev/null', URL4 + path])
    const { kernel, ours, result } = await connectionsOf(() => curl('-w', '%{http_code} ', ...urls))
    expect([result.text.trim(), kernel, ours]).toEqual(['200 200 200 200', 1, 1])
  })

  test('br, gzip and deflate unpack to the same text, whole, as a stream and as it is written (RFC 9110 §8.4)', async () => {
    for (const coding of ['br', 'gzip', 'deflate']) {
      for (const path of ['/text', '/text.txt', '/written']) {
        const file = OUT.file('coded')
        const args = ['--compressed', '-H', `Accept-Encoding: ${coding}`, '-o', file, '-w', '%{size_download}']
        const got = await curl(...args, URL4 + path)
        expect(readFileSync(file, 'latin1') === TEXT).toBe(true)
        expect(Number(got.text)).toBeLessThan(5000)
      }
    }
  })

  test('single and several ranges are the bytes asked for (RFC 9110 §14)', async () => {
    expect((await curl('-r', '1000-1999', `${URL4}/big.bin`)).stdout.equals(big.subarray(1000, 2000))).toBe(true)
    const several = await curl('-i', '-r', '0-9,100-109,-5', `${URL4}/big.bin`)
    const text = several.stdout.toString('latin1')
    const boundary = /multipart\/byteranges; boundary=(\S+)/.exec(text)?.[1] ?? 'none'
    const parts = text.slice(text.indexOf('\r\n\r\n') + 2).split(`\r\n--${boundary}`)
    const bodies = parts.slice(1, -1).map((part) => part.slice(part.indexOf('\r\n\r\n') + 4))
    const wanted = [big.subarray(0, 10), big.subarray(100, 110), big.subarray(-5)]
    expect(bodies).toEqual(wanted.map((part) => part.toString('latin1')))
  })

  test('validators save the body: entity tag and date (RFC 9110 §13)', async () => {
    const tag = OUT.file('tag')
    const quiet = ['-o', '/dev/null', '-w', '%{http_code} %{size_download}']
    expect((await curl(...quiet, '--etag-save', tag, `${URL4}/big.bin`)).text).toBe('200 300000')
    expect((await curl(...quiet, '--etag-compare', tag, `${URL4}/big.bin`)).text).toBe('304 0')
    const now = new Date().toUTCString()
    expect((await curl(...quiet, '-H', `If-Modified-Since: ${now}`, `${URL4}/big.bin`)).text).toBe('304 0')
    expect((await curl(...quiet, '-H', 'If-Match: "x"', `${URL4}/big.bin`)).text).toMatch(/^412 /)
  })

  test('trailers come behind a chunked body (RFC 9112 §7.1.2)', async () => {
    const got = await curl('-D', '-', `${URL4}/trailers`)
    expect(got.text).toMatch(/Transfer-Encoding: chunked[\s\S]*line 9[\s\S]*X-Lines: 10|X-Lines: 10[\s\S]*line 9/i)
  })

  test('a body waits for 100 and is not sent to who refuses it (RFC 9110 §10.1.1)', async () => {
    const body = ['-H', 'Expect: 100-continue', '--data-binary', `@${files.file('big.bin')}`]
    const taken = await curl('-v', ...body, `${URL4}/upload`)
    expect(taken.text).toBe('300000')
    expect(taken.stderr).toContain('HTTP/1.1 100 Continue')
    const refused = await curl('-v', ...body, '-w', '%{size_upload}', `${URL4}/refused`)
    expect(refused.text).toBe('no\n0')
    expect(refused.stderr).not.toContain('100 Continue')
  })

  test('OPTIONS, TRACE, unknown methods and bad requests get their statuses', async () => {
    const status = async (...args: string[]): Promise<string> =>
      (await curl('-o', '/dev/null', '-w', '%{http_code}', ...args)).text
    expect(await status('-X', 'OPTIONS', '--request-target', '*', URL4)).toBe('200')
    expect(await status('-X', 'TRACE', URL4)).toBe('405')
    expect(await status('-X', 'BREW', `${URL4}/big.bin`)).toBe('501')
    expect(await status('-H', 'Host: a b', URL4)).toBe('400')
    expect(await status('-H', 'Expect: tea', URL4)).toBe('417')
    expect(await status('-H', `X: ${'x'.repeat(70_000)}`, URL4)).toBe('431')
  })
})

describe('other clients', () => {
  test('a hundred pipelined requests are answered in order on one connection (RFC 9112 §9.3.2)', async () => {
    const { ours, result } = await connectionsOf(
      () =>
        new Promise<string>((resolve, reject) => {
          const socket = connect({ host: '10.75.0.2', port: 80 })
          let text = ''
          socket.on('data', (chunk) => (text += chunk.toString('latin1')))
          socket.on('error', reject)
          socket.on('close', () => resolve(text))
          const one = (i: number): string =>
            `GET /none${i} HTTP/1.1\r\nHost: a\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n`
          socket.write(Array.from({ length: 50 }, (_, i) => one(i)).join(''))
          socket.end('GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        }),
    )
    const statuses = [...result.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1])
    expect(statuses).toEqual([...Array.from({ length: 50 }, () => ['404', '200']).flat(), '200'])
    expect(ours).toBe(1)
  })

  test('wget keeps its connection, and goes on where it stopped (RFC 9110 §14)', async () => {
    const { kernel, ours } = await connectionsOf(() =>
      run('wget', ['-q', '-O', OUT.file('many'), `${URL4}/small`, `${URL4}/small`, `${URL4}/small`]),
    )
    expect([kernel, ours]).toEqual([1, 1])
    writeFileSync(OUT.file('big.bin'), big.subarray(0, 123_456))
    const got = await run('wget', ['-q', '-c', '-P', OUT.path, `${URL4}/big.bin`])
    expect(got.code).toBe(0)
    expect(sha256(readFileSync(OUT.file('big.bin')))).toBe(sha256(big))
  })

  test('ab: with keep-alive as many connections as asked for, without one a request (HTTP/1.0, RFC 9112 appendix C.2.2)', async () => {
    const kept = await connectionsOf(() => run('ab', ['-q', '-k', '-n', '1000', '-c', '20', `${URL4}/small`]))
    expect(kept.result.text).toMatch(/Failed requests: +0\n[\s\S]*Keep-Alive requests: +1000\n/)
    expect([kept.kernel, kept.ours]).toEqual([20, 20])
    const single = await connectionsOf(() => run('ab', ['-q', '-n', '200', '-c', '10', `${URL4}/small`]))
    expect(single.result.text).toMatch(/Complete requests: +200\nFailed requests: +0\n/)
    // ab opens a few more than it needs.
    expect(single.kernel).toBe(single.ours)
    expect(single.ours).toBeGreaterThanOrEqual(200)
    expect(single.ours).toBeLessThanOrEqual(210)
  })

  test('wrk: no errors on 50 connections', async () => {
    const { result, ours } = await connectionsOf(() => run('wrk', ['-c', '50', '-t', '2', '-d', '1s', `${URL4}/small`]))
    expect(result.text).not.toMatch(/Socket errors|Non-2xx/)
    expect(ours).toBeGreaterThanOrEqual(50)
    expect(ours).toBeLessThanOrEqual(52)
  })

  test('siege: every transaction succeeds', async () => {
    mkdirSync(OUT.file('.siege'))
    writeFileSync(
      OUT.file('siegerc'),
      'connection = keep-alive\nverbose = false\njson_output = true\nlogging = false\n',
    )
    const got = await run('env', [
      `HOME=${OUT.path}`,
      'siege',
      '-R',
      OUT.file('siegerc'),
      '-b',
      '-c',
      '10',
      '-r',
      '20',
      `${URL4}/small`,
    ])
    expect(got.text + got.stderr).toMatch(/"failed_transactions":\s+0/)
    expect(got.text + got.stderr).toMatch(/"transactions":\s+200/)
  })

  test('h2load --h1: two thousand requests on ten connections', async () => {
    const { result, ours } = await connectionsOf(() =>
      run('h2load', ['--h1', '-n', '2000', '-c', '10', `${URL4}/small`]),
    )
    expect(result.text).toMatch(/2000 succeeded, 0 failed, 0 errored, 0 timeout/)
    expect(ours).toBe(10)
  })

  test("Chromium's fetch: compressed, partial, posted, streamed, conditional; and few connections", async () => {
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--no-proxy-server',
    ]
    const quiet = [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-extensions',
    ]
    const profile = `--user-data-dir=${OUT.file('profile')}`
    const { result, ours } = await connectionsOf(() =>
      run('chromium', [...flags, ...quiet, profile, '--virtual-time-budget=8000', '--dump-dom', `${URL4}/page.html`], {
        timeoutMs: 60_000,
      }),
    )
    expect(result.text, result.stderr).toContain(
      `text 200 ${TEXT.length}, part 206 100, post 200 5, lines 200 70, tag 200 ${TEXT.length}`,
    )
    expect(ours).toBeLessThanOrEqual(7)
  })
})

const PAGE = `<!doctype html><title>fetch</title><p id=out>waiting</p><script>
const ask = async (name, url, options) => {
  const response = await fetch(url, options)
  return name + ' ' + response.status + ' ' + (await response.text()).length
}
;(async () => {
  const results = [
    await ask('text', '/text'),
    await ask('part', '/text.txt', { headers: { Range: 'bytes=100-199' } }),
    'post ' + (await fetch('/upload', { method: 'POST', body: 'x'.repeat(12345) })).status + ' 5',
    await ask('lines', '/trailers'),
    (await ask('tag', '/text.txt'), await ask('tag', '/text.txt', { cache: 'no-cache' })),
  ]
  document.getElementById('out').textContent = results.join(', ')
})()
</script>`
