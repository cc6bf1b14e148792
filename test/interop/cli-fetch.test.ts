import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, interfaces, run, scratchFolder, start, tunstack } from './cli-helpers.ts'

const scratch = scratchFolder()
const large = randomBytes(20_000_000)
let server: http.Server
let silent: net.Server
let connections = 0
let base = ''
let base6 = ''

type Route = (request: http.IncomingMessage, response: http.ServerResponse) => void

const routes: Readonly<Record<string, Route>> = {
  '/hi': (_, response) => response.end('hi\n'),
  '/large': (_, response) => response.end(large),
  '/binary': (_, response) => response.end(Buffer.from([0, 255, 13, 10, 128, 0])),
  '/chunked': (_, response) => {
    response.write('one ')
    setTimeout(() => response.end('two\n'), 20)
  },
  '/missing': (_, response) => response.writeHead(404).end('not here\n'),
  '/redirect': (_, response) => response.writeHead(302, { Location: '/echo' }).end('moved'),
  '/keep-method': (_, response) => response.writeHead(307, { Location: '/echo' }).end('moved'),
  '/loop': (_, response) => response.writeHead(302, { Location: '/loop' }).end(),
  '/partial': (_, response) => {
    response.writeHead(200, { 'Content-Length': 100 }).write('abc')
    setTimeout(() => response.destroy(), 20)
  },
  '/partial-chunked': (_, response) => {
    response.write('abc')
    setTimeout(() => response.destroy(), 20)
  },
  '/empty': (request) => request.socket.end(),
  '/reset': (request) => request.socket.resetAndDestroy(),
  '/hang': () => undefined,
  '/drip': (_, response) => {
    response.write('x')
    const timer = setInterval(() => response.write('x'), 50)
    response.on('close', () => clearInterval(timer))
  },
  '/echo': (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { method, headers, httpVersion } = request
      response.end(JSON.stringify({ method, headers, httpVersion, body: Buffer.concat(parts).toString('latin1') }))
    })
  },
}

beforeAll(async () => {
  server = http.createServer((request, response) =>
    (routes[request.url ?? ''] ?? routes['/missing'])(request, response),
  )
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '::', resolve))
  const { port } = server.address() as AddressInfo
  base = `http://10.77.0.1:${port}`
  base6 = `http://[fd77::1]:${port}`
  silent = net.createServer((socket) => socket.on('error', () => undefined).resume())
  await new Promise<void>((resolve) => silent.listen(0, '::', resolve))
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
  silent.close()
  scratch.remove()
})

async function echo(...args: string[]): Promise<Record<string, unknown> & { headers: Record<string, string> }> {
  const { code, bytes, stderr } = await tunstack('fetch', ...args)
  expect(code, stderr).toBe(0)
  return JSON.parse(bytes.toString()) as Record<string, unknown> & { headers: Record<string, string> }
}

describe("fetch from Linux's TCP", () => {
  test('bodies of known length, chunked, binary and large, by both families', async () => {
    expect(await tunstack('fetch', `${base}/hi`)).toMatchObject({ code: 0, stdout: 'hi\n', stderr: '' })
    expect(await tunstack('fetch', `${base6}/chunked`)).toMatchObject({ code: 0, stdout: 'one two\n' })
    expect((await tunstack('fetch', `${base}/binary`)).bytes).toEqual(Buffer.from([0, 255, 13, 10, 128, 0]))
    expect((await tunstack('fetch', `${base}/large`)).bytes.equals(large)).toBe(true)
  })

  test('a large body over a bad link arrives whole', async () => {
    const bad = ['--loss', '1%', '--delay', '2ms', '--reorder', '1%', '--duplicate', '1%', '--corrupt', '0.1%']
    const { bytes, code } = await tunstack('fetch', `${base}/large`, ...bad, '--quiet')
    expect(code).toBe(0)
    expect(bytes.equals(large)).toBe(true)
  })

  test('several URLs share one connection, and -w says so', async () => {
    const before = connections
    const format = '[%{http_code} %{num_connects} %{size_download} %{remote_ip} %{local_ip}]\\n'
    const { code, stdout } = await tunstack('fetch', '-w', format, `${base}/hi`, `${base}/chunked`, `${base}/hi`)
    expect(code).toBe(0)
    expect(stdout).toBe(
      'hi\n[200 1 3 10.77.0.1 10.77.0.2]\none two\n[200 0 8 10.77.0.1 10.77.0.2]\nhi\n[200 0 3 10.77.0.1 10.77.0.2]\n',
    )
    expect(connections - before).toBe(1)
  })

  test('times of -w are in order', async () => {
    const format = '%{time_namelookup} %{time_connect} %{time_pretransfer} %{time_starttransfer} %{time_total}'
    const { stdout } = await tunstack(
      'fetch',
      '-o',
      '/dev/null',
      '-w',
      format,
      `${base}/chunked`,
      '--delay',
      '10ms',
      '--quiet',
    )
    const times = stdout.split(' ').map(Number)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[1]).toBeGreaterThan(0.02)
    expect(times[3] - times[1]).toBeGreaterThan(0.02)
    expect(times[4] - times[3]).toBeGreaterThan(0.015)
  })

  test('-v shows what is sent and received, on stderr', async () => {
    const { stdout, stderr } = await tunstack('fetch', '-v', `${base}/hi`)
    expect(stdout).toBe('hi\n')
    expect(stderr).toMatch(
      /^\* {3}Trying 10\.77\.0\.1:\d+\.\.\.\n\* Connected to 10\.77\.0\.1 \(10\.77\.0\.1\) port \d+ \(#0\)\n> GET \/hi HTTP\/1\.1\n> Host: /,
    )
    expect(stderr).toContain('\n< HTTP/1.1 200 OK\n')
    expect(stderr).toContain('* Connection #0 to host 10.77.0.1 left intact')
  })

  test('-i, -I, -o, -O', async () => {
    expect((await tunstack('fetch', '-i', `${base}/hi`)).stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nhi\n$/)
    expect((await tunstack('fetch', '-I', `${base}/hi`)).stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/)
    const file = join(scratch.path, 'body')
    expect(await tunstack('fetch', '-o', file, `${base}/large`)).toMatchObject({ code: 0, stdout: '' })
    expect(readFileSync(file).equals(large)).toBe(true)
    expect((await tunstack('fetch', '-o', '/nonexistent/x', `${base}/hi`)).code).toBe(23)
  })

  test('methods, bodies and headers', async () => {
    expect(await echo('-d', 'a=1', '-d', 'b=2', '-H', 'X-A: 1', '-A', 'me', `${base}/echo`)).toMatchObject({
      method: 'POST',
      body: 'a=1&b=2',
      headers: { 'x-a': '1', 'user-agent': 'me', 'content-type': 'application/x-www-form-urlencoded' },
    })
    const file = join(scratch.path, 'upload')
    writeFileSync(file, large.subarray(0, 3_000_000))
    const put = await echo('-T', file, `${base}/echo`)
    expect(put.method).toBe('PUT')
    expect(Buffer.from(put.body as string, 'latin1').equals(large.subarray(0, 3_000_000))).toBe(true)
    expect(await echo('--http1.0', '-r', '0-9', `${base}/echo`)).toMatchObject({
      httpVersion: '1.0',
      headers: { range: 'bytes=0-9' },
    })
  })

  test('--resolve and user names in URLs', async () => {
    const { port } = new URL(base)
    const { headers } = await echo(
      '--resolve',
      `example.com:${port}:10.77.0.1`,
      `http://me:pass@example.com:${port}/echo`,
    )
    expect(headers).toMatchObject({ host: `example.com:${port}`, authorization: `Basic ${btoa('me:pass')}` })
  })

  test('-L follows redirects: 302 makes a POST a GET, 307 does not (RFC 9110 §15.4)', async () => {
    expect((await tunstack('fetch', `${base}/redirect`)).stdout).toBe('moved')
    expect(await echo('-L', '-d', 'x', `${base}/redirect`)).toMatchObject({ method: 'GET', body: '' })
    expect(await echo('-L', '-d', 'x', `${base}/keep-method`)).toMatchObject({ method: 'POST', body: 'x' })
    const { code, stderr } = await tunstack('fetch', '-L', '--max-redirs', '3', `${base}/loop`)
    expect({ code, stderr }).toEqual({ code: 47, stderr: 'tunstack: (47) Maximum (3) redirects followed\n' })
  })

  test('--json gives the variables as one line', async () => {
    const { stdout } = await tunstack('fetch', '--json', '-o', '/dev/null', `${base}/hi`)
    expect(JSON.parse(stdout)).toMatchObject({ http_code: 200, num_connects: 1, size_download: 3, exitcode: 0 })
    const { stdout: body, stderr } = await tunstack('fetch', '--json', `${base}/hi`)
    expect(body).toBe('hi\n')
    expect(JSON.parse(stderr)).toMatchObject({ http_code: 200 })
  })
})

describe("exit codes are curl's", () => {
  const at = (path: string): string => base + path

  test.each([
    ['bad URL', 3, () => ['http://10.77.0.1:99999/']],
    ['another scheme', 1, () => ['ftp://10.77.0.1/']],
    ['unknown name', 6, () => ['http://no.such.name/']],
    ['refused port', 7, () => ['http://10.77.0.1:1/']],
    ['refused port, IPv6', 7, () => ['http://[fd77::1]:1/']],
    ['cut off by Content-Length', 18, () => [at('/partial')]],
    ['cut off in a chunked body', 18, () => [at('/partial-chunked')]],
    ['-f and 404', 22, () => ['-f', at('/missing')]],
    ['404 without -f', 0, () => [at('/missing')]],
    ['address where nobody answers', 28, () => ['--connect-timeout', '0.3', 'http://10.77.0.99/']],
    ['-m while connecting', 28, () => ['-m', '0.3', 'http://10.77.0.99/']],
    ['-m while waiting', 28, () => ['-m', '0.3', at('/hang')]],
    ['-m within the body', 28, () => ['-m', '0.3', at('/drip')]],
    ['empty reply', 52, () => [at('/empty')]],
    ['reset', 56, () => [at('/reset')]],
    ['missing file of -d', 26, () => ['-d', '@/nonexistent', at('/echo')]],
    ['bad option', 2, () => ['--nope', at('/hi')]],
    ['the last of several URLs counts', 0, () => [at('/empty'), at('/hi')]],
  ])('%s: %i', async (_, expected, args) => {
    const { code, stderr } = await tunstack('fetch', ...args())
    expect(code, stderr).toBe(expected)
    if (expected !== 0) expect(stderr).toMatch(/^tunstack: /m)
  })

  test('the same as those of curl itself', async () => {
    for (const path of ['/partial', '/partial-chunked', '/empty', '/reset', '/missing', '/hi']) {
      const theirs = await run('curl', ['-sf', '-o', '/dev/null', `http://127.0.0.1:${new URL(base).port}${path}`])
      const ours = await tunstack('fetch', '-sf', '-o', '/dev/null', base + path)
      expect([path, ours.code]).toEqual([path, theirs.code])
    }
  })

  test('-s says nothing, -sS does', async () => {
    expect((await tunstack('fetch', '-s', base + '/empty')).stderr).toBe('')
    expect((await tunstack('fetch', '-sS', base + '/empty')).stderr).toBe('tunstack: (52) Empty reply from server\n')
  })
})

describe('its end', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s: %i, soon, and no interface stays', async (signal, status) => {
    const pcap = join(scratch.path, 'fetch.pcapng')
    const fetching = start('fetch', '--pcap', pcap, `${base}/drip`)
    await fetching.until(/xxx/)
    expect(await interfaces()).toContain('tunstack0')
    const before = Date.now()
    const { code, stderr } = await fetching.end(signal)
    expect({ code, stderr }).toEqual({ code: status, stderr: '' })
    expect(Date.now() - before).toBeLessThan(1500)
    expect(await interfaces()).not.toContain('tunstack0')
    const { stdout } = await run('tshark', ['-r', pcap, '-Y', 'tcp.flags.fin==1 || tcp.flags.reset==1'])
    expect(stdout).not.toBe('')
  })

  test('SIGKILL leaves no interface', async () => {
    const fetching = start('fetch', `${base}/drip`)
    await fetching.until(/xxx/)
    expect((await fetching.end('SIGKILL')).code).toBeNull()
    expect(await interfaces()).not.toContain('tunstack0')
  })

  test('a reader that goes away ends it with 23, as with curl', async () => {
    const fetching = start('fetch', `${base}/large`)
    fetching.child.stdout?.once('data', () => fetching.child.stdout?.destroy())
    const { code, stderr } = await fetching.finished
    expect({ code, stderr }).toEqual({ code: 23, stderr: '' })
  })

  test('... and a command that runs to its end as well', async () => {
    const log = join(scratch.path, 'run.jsonl')
    expect((await tunstack('lab', 'slow-start', '--log', log)).code).toBe(0)
    const shell = `"${process.execPath}" "${BIN}" replay "${log}" --events | true; exit \${PIPESTATUS[0]}`
    expect(await run('bash', ['-c', shell])).toMatchObject({ code: 23, stderr: '' })
  })
})
