import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { interfaces, type Running, run, scratchFolder, start, tunstack } from './cli-helpers.ts'

const scratch = scratchFolder()
const root = join(scratch.path, 'root')
const large = randomBytes(20_000_000)
let server: Running

beforeAll(async () => {
  mkdirSync(join(root, 'sub'), { recursive: true })
  mkdirSync(join(root, 'indexed'))
  writeFileSync(join(root, 'a.txt'), 'hello\n')
  writeFileSync(join(root, 'empty'), '')
  writeFileSync(join(root, 'sub', 'b.html'), '<b>b</b>')
  writeFileSync(join(root, 'indexed', 'index.html'), 'the index')
  writeFileSync(join(root, 'large'), large)
  writeFileSync(join(scratch.path, 'secret'), 'SECRET')
  symlinkSync('../secret', join(root, 'out'))
  symlinkSync('sub/b.html', join(root, 'in.html'))
  execFileSync('mkfifo', [join(root, 'fifo')])
  server = start('serve', root, '--upload')
  await server.until(/try curl/)
})

afterAll(async () => {
  await server.end('SIGKILL')
  scratch.remove()
})

async function curl(...args: string[]): Promise<{ status: string; body: string; bytes: Buffer }> {
  const { bytes, stderr, code } = await run('curl', ['-sS', '-m', '30', '-w', '%{stderr}%{http_code}', ...args])
  expect(code, stderr).toBe(0)
  return { status: stderr, body: bytes.toString(), bytes }
}

describe("serve, fetched by Linux's curl", () => {
  test.each(['http://10.77.0.2', 'http://[fd77::2]'])('%s: files, folders, and what is not there', async (base) => {
    expect(await curl(`${base}/a.txt`)).toMatchObject({ status: '200', body: 'hello\n' })
    expect(await curl(`${base}/empty`)).toMatchObject({ status: '200', body: '' })
    expect(await curl(`${base}/in.html`)).toMatchObject({ status: '200', body: '<b>b</b>' })
    expect(await curl(`${base}/indexed/`)).toMatchObject({ status: '200', body: 'the index' })
    expect(await curl(`${base}/missing`)).toMatchObject({ status: '404' })
    expect((await curl('-L', `${base}/sub`)).body).toContain('b.html')
  })

  test('a listing names what can be fetched and nothing else', async () => {
    const { body } = await curl('http://10.77.0.2/')
    for (const name of ['a.txt', 'sub/', 'indexed/', 'in.html', 'large']) expect(body).toContain(`>${name}<`)
    for (const name of ['out', 'fifo', 'secret']) expect(body).not.toContain(`>${name}<`)
  })

  test('a large file comes over whole, by both families and over one connection', async () => {
    const { bytes } = await curl('http://10.77.0.2/large')
    expect(bytes.equals(large)).toBe(true)
    const both = await curl('http://[fd77::2]/large', 'http://[fd77::2]/large')
    expect(both.bytes.equals(Buffer.concat([large, large]))).toBe(true)
  })

  test('HEAD and ranges (RFC 9110 §9.3.2, §14)', async () => {
    const head = await curl('-I', 'http://10.77.0.2/large')
    expect(head.body).toContain('Content-Length: 20000000')
    expect(head.body).toContain('Accept-Ranges: bytes')
    const part = await curl('-r', '1000000-2999999', 'http://10.77.0.2/large')
    expect(part.status).toBe('206')
    expect(part.bytes.equals(large.subarray(1_000_000, 3_000_000))).toBe(true)
    expect((await curl('-r', '-2', 'http://10.77.0.2/a.txt')).body).toBe('o\n')
    expect(await curl('-r', '6-', 'http://10.77.0.2/a.txt')).toMatchObject({ status: '416' })
  })

  test('content types and conditions', async () => {
    const { body } = await curl('-i', 'http://10.77.0.2/sub/b.html')
    expect(body).toContain('Content-Type: text/html; charset=utf-8')
    const etag = /ETag: (.*)\r/.exec(body)?.[1] ?? ''
    expect(await curl('-H', `If-None-Match: ${etag}`, 'http://10.77.0.2/sub/b.html')).toMatchObject({ status: '304' })
  })

  test.each([
    '/../secret',
    '/../../../../../../etc/passwd',
    '/sub/../../secret',
    '/%2e%2e/secret',
    '/%2e%2e%2fsecret',
    '/..%2fsecret',
    '/.%2e/secret',
    '/sub/%2e%2e/%2e%2e/secret',
    '/..%5csecret',
    '/%252e%252e/secret',
    '//../secret',
    '/%00',
    '/a.txt%00.html',
    '/out',
    '/out/',
    '/fifo',
    '/%c0%ae%c0%ae/secret',
    '/proc/self/environ',
  ])('%s gives nothing from outside', async (path) => {
    const { status, body } = await curl('--path-as-is', `http://10.77.0.2${path}`)
    expect(['400', '404']).toContain(status)
    expect(body).not.toContain('SECRET')
    expect(body).not.toContain('root:')
  })

  test('other methods are refused with what is allowed (RFC 9110 §15.5.6)', async () => {
    const { body } = await curl('-i', '-d', 'x', 'http://10.77.0.2/')
    expect(body).toMatch(/^HTTP\/1.1 405 /)
    expect(body).toContain('Allow: GET, HEAD, OPTIONS\r')
  })

  test('an upload is counted and hashed', async () => {
    const sha256 = createHash('sha256').update(large).digest('hex')
    const sent = await curl('-T', join(root, 'large'), 'http://10.77.0.2/upload')
    expect(JSON.parse(sent.body)).toEqual({ bytes: large.length, sha256 })
    const chunked = await curl(
      '-H',
      'Transfer-Encoding: chunked',
      '--data-binary',
      '@' + join(root, 'a.txt'),
      'http://[fd77::2]/upload',
    )
    expect(JSON.parse(chunked.body)).toMatchObject({ bytes: 6 })
  })

  test('many requests at once are all answered', async () => {
    const urls = Array.from({ length: 60 }, (_, i) => `http://10.77.0.2/${i % 2 === 0 ? 'a.txt' : 'sub/b.html'}`)
    const { body } = await curl('-Z', '--parallel-max', '30', ...urls)
    expect(body.split('hello\n').length - 1).toBe(30)
    expect(body.split('<b>b</b>').length - 1).toBe(30)
  })

  test('one line of the access log for each request, on stdout', async () => {
    await curl('http://10.77.0.2/a.txt?once')
    await server.until(/once/)
    const line = server.stdout.split('\n').find((one) => one.includes('?once'))
    expect(line).toMatch(/^10\.77\.0\.1 - - \[.*\] "GET \/a\.txt\?once HTTP\/1\.1" 200 6 [\d.]+ms$/)
  })

  test('the kernel pings our stack', async () => {
    for (const address of ['10.77.0.2', 'fd77::2']) {
      const { code, stdout } = await run('ping', ['-c', '3', '-i', '0.05', '-W', '2', address])
      expect(code, stdout).toBe(0)
      expect(stdout).toContain('3 received')
    }
  })

  test('a second server on the same interface is told how to go on', async () => {
    const { code, stderr } = await tunstack('serve', root)
    expect(code).toBe(1)
    expect(stderr).toContain('try --tun tunstack1 --address 10.78.0.2/24')
    expect(await tunstack('serve', root, '--tun', 'tunstack1')).toMatchObject({
      code: 1,
      stderr:
        'tunstack: no TUN device: another interface, tunstack0, has 10.77.0.0/24 already\n' +
        '  choose another network, --address 10.78.0.2/24\n',
    })
    expect((await tunstack('serve', root, '--tun', 'lo')).stderr).toMatch(
      /^tunstack: no TUN device: interface lo exists already and has other addresses\n {2}choose another name, --tun tunstack0\n$/,
    )
  })
})

describe('serve, its start and its end', () => {
  const own = ['--tun', 'clitest0', '--address', '10.78.0.2/24']

  test('what cannot be served is refused without a device', async () => {
    expect(await tunstack('serve')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("missing required argument 'dir'"),
    })
    expect(await tunstack('serve', join(root, 'a.txt'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not a folder'),
    })
    expect(await tunstack('serve', '/nonexistent')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no folder'),
    })
    expect(await tunstack('serve', root, '--port', '0')).toMatchObject({ code: 2 })
    expect(await tunstack('serve', root, '--pcap', '/nonexistent/x', ...own)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--pcap /nonexistent/x cannot be written'),
    })
    expect(await interfaces()).not.toContain('clitest0')
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it with status 0 while an answer is under way', async (signal) => {
    const slow = start('serve', root, ...own, '--rate', '8mbit')
    await slow.until(/try curl/)
    expect(await interfaces()).toContain('clitest0')
    const client = run('curl', ['-sS', '-o', '/dev/null', 'http://10.78.0.2/large'])
    await new Promise((resolve) => setTimeout(resolve, 300))
    const before = Date.now()
    const { code, stderr } = await slow.end(signal)
    expect(code).toBe(0)
    expect(Date.now() - before).toBeLessThan(1500)
    expect(stderr).toMatch(/1 requests on 1 connections/)
    expect((await client).code).not.toBe(0) // told by a FIN or RST, not left hanging
    expect(await interfaces()).not.toContain('clitest0')
  })

  test('a second signal ends it at once, SIGKILL too, and no interface stays', async () => {
    const twice = start('serve', root, ...own)
    await twice.until(/try curl/)
    twice.child.kill('SIGHUP')
    expect((await twice.end('SIGHUP')).code).toBe(129)
    const killed = start('serve', root, ...own)
    await killed.until(/try curl/)
    await killed.end('SIGKILL')
    expect(await interfaces()).not.toContain('clitest0')
  })

  test('an interface that is taken away ends it with an error', async () => {
    const orphan = start('serve', root, ...own)
    await orphan.until(/try curl/)
    await run('ip', ['link', 'del', 'clitest0'])
    const { code, stderr } = await orphan.finished
    expect(code).toBe(1)
    expect(stderr).toContain('clitest0')
  })

  test('--json gives one object a line: listening, requests, summary', async () => {
    const json = start('serve', root, ...own, '--json', '--port', '8080')
    await json.until(/listening/)
    await curl('http://10.78.0.2:8080/a.txt')
    const { stdout, stderr } = await json.end('SIGINT')
    expect(stderr).toBe('')
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.map(({ type }) => type)).toEqual(['listening', 'request', 'summary'])
    expect(lines[0]).toMatchObject({ urls: ['http://10.78.0.2:8080/'], interface: 'clitest0', offload: true })
    expect(lines[1]).toMatchObject({ method: 'GET', target: '/a.txt', status: 200 })
    expect(lines[2]).toMatchObject({ retransmitted: 0, tcp: { TcpPassiveOpens: 1 } })
    const { tcp } = lines[2] as { tcp: Record<string, number> }
    expect(tcp['TcpInSegs']).toBeGreaterThanOrEqual(4)
    expect(Object.values(tcp)).not.toContain(0)
  })

  test('on a slow link the log tells when the client had it all, and the summary what became of packets', async () => {
    const slow = start('serve', root, ...own, '--rate', '8mbit', '--duplicate', '100%', '--seed', '1')
    await slow.until(/try curl/)
    const before = Date.now()
    await curl('-o', '/dev/null', '-r', '0-499999', 'http://10.78.0.2/large')
    const took = Date.now() - before
    const { stdout, stderr } = await slow.end('SIGINT')
    const logged = Number(/ 206 500000 ([\d.]+)ms$/m.exec(stdout)?.[1])
    expect(logged).toBeGreaterThan(450) // 500,000 bytes at 8 Mbit/s
    expect(logged).toBeLessThan(took + 100)
    expect(stderr).toContain('repeat with --seed 1')
    expect(stderr).toMatch(
      /the link lost 0 of \d+ packets, reordered 0, duplicated [1-9]\d*; TCP sent \d+ segments again/,
    )
  })

  test.each([[[]], [['--no-offload']], [['--loss', '1%', '--delay', '2ms', '--seed', '5']]])(
    'with %j a file comes over whole, and the capture of it can be read (tshark)',
    async (extra) => {
      const pcap = join(scratch.path, 'run.pcapng')
      const captured = start('serve', root, ...own, '--pcap', pcap, ...extra)
      await captured.until(/try curl/)
      expect((await curl('-r', '0-2999999', 'http://10.78.0.2/large')).bytes.equals(large.subarray(0, 3_000_000))).toBe(
        true,
      )
      await captured.end('SIGTERM')
      const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE']
      const fields = ['-T', 'fields', '-e', 'tcp.flags.syn', '-e', 'tcp.len', '-e', 'tcp.checksum.status']
      const { stdout, code } = await run('tshark', ['-r', pcap, ...checks, '-Y', 'tcp', ...fields])
      expect(code).toBe(0)
      const rows = stdout
        .trim()
        .split('\n')
        .map((row) => row.split('\t'))
      expect(rows.filter(([syn]) => syn === '1' || syn === 'True')).toHaveLength(2)
      expect(rows.reduce((sum, [, length]) => sum + Number(length), 0)).toBeGreaterThan(3_000_000)
      const bad = rows.filter(([, , status]) => status === '0' || status === 'Bad')
      expect(bad).toEqual([])
      expect(readFileSync(pcap).length % 4).toBe(0)
    },
  )

  test('--trace prints every packet as tcpdump does', async () => {
    const traced = start('serve', root, ...own, '--trace')
    await traced.until(/try curl/)
    await curl('http://10.78.0.2/a.txt')
    const { stderr } = await traced.end('SIGINT')
    expect(stderr).toMatch(
      /^\d\d:\d\d:\d\d\.\d{6} IP 10\.78\.0\.1\.\d+ > 10\.78\.0\.2\.80: Flags \[S\], seq \d+, win \d+/m,
    )
    expect(stderr).toMatch(/Flags \[P\.\], seq 1:\d+, ack 1/)
  })
})
