// Our proxy over a TUN device between Linux's programs: curl in front, nginx behind, squid and haproxy beside it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Running, run, scratchFolder, start, tunstack } from './cli-helpers.ts'

const scratch = scratchFolder()
const children: ChildProcess[] = []
const proxies: Running[] = []
const large = Buffer.alloc(3_000_000, 'tunstack ')

/** Starts a program in the foreground; it is ended by its process id. */
function daemon(file: string, ...args: string[]): void {
  children.push(spawn(file, args, { stdio: 'ignore' }))
}

async function listening(port: number, host = '127.0.0.1'): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, host)
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nobody listens on port ${port}`)
}

async function ours(...args: string[]): Promise<void> {
  const proxy = start('proxy', ...args)
  proxies.push(proxy)
  await proxy.until(/Ctrl-C ends it/)
}

beforeAll(async () => {
  const root = join(scratch.path, 'root')
  mkdirSync(root, { mode: 0o755 })
  execFileSync('chmod', ['755', scratch.path])
  writeFileSync(join(root, 'a.txt'), 'hello\n')
  writeFileSync(join(root, 'large'), large)
  const [key, certificate] = [join(scratch.path, 'key.pem'), join(scratch.path, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=o',
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { stdio: 'ignore' },
  )
  const file = (name: string, text: string): string => {
    writeFileSync(join(scratch.path, name), text)
    return join(scratch.path, name)
  }
  const nginx = file(
    'nginx.conf',
    `daemon off; master_process off; pid ${scratch.path}/nginx.pid; error_log /dev/null; events {}
     http { access_log off; client_body_temp_path ${scratch.path}; proxy_temp_path ${scratch.path}/p;
       server { listen 8080; listen 8443 ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key};
         root ${root}; add_header Cache-Control max-age=60; }
       server { listen 8081; location / { proxy_pass http://10.78.0.2:3130; proxy_http_version 1.1; proxy_set_header Host $host; } } }`,
  )
  const haproxy = file(
    'haproxy.cfg',
    `defaults\n mode http\n timeout connect 5s\n timeout client 10s\n timeout server 10s\nfrontend f\n bind 127.0.0.1:8082\n default_backend b\nbackend b\n server s 10.78.0.2:3130\n`,
  )
  const squid = file(
    'squid.conf',
    `http_port 8083\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log /dev/null\npid_filename none\nnetdb_filename none\ncoredump_dir ${scratch.path}\nshutdown_lifetime 0 seconds\n`,
  )
  daemon('nginx', '-c', nginx, '-p', scratch.path)
  daemon('haproxy', '-db', '-f', haproxy)
  daemon('squid', '-N', '-f', squid)
  await ours('--cache', '--connect-ports', 'all', '--listen', '3128')
  await ours('--reverse', 'http://10.78.0.1:8080', '--tun', 'prox1', '--address', '10.78.0.2/24', '--listen', '3130')
  await Promise.all([listening(8080), listening(8083), listening(8082)])
})

afterAll(async () => {
  for (const proxy of proxies) await proxy.end('SIGTERM')
  for (const child of children) child.kill('SIGKILL')
  scratch.remove()
})

async function curl(...args: string[]): Promise<{ status: string; body: string; bytes: Buffer }> {
  const { bytes, stderr, code } = await run('curl', ['-sS', '-m', '10', '-w', '%{stderr}%{http_code}', ...args])
  expect(code, stderr).toBe(0)
  return { status: stderr.slice(-3), body: bytes.toString(), bytes }
}

describe('our proxy between curl and nginx', () => {
  const through = ['-x', 'http://10.77.0.2:3128']

  test('http: whole files, and the second time from the store', async () => {
    const first = await curl('-i', ...through, 'http://10.77.0.1:8080/a.txt')
    expect(first.body).toMatch(/fwd=uri-miss; fwd-status=200; stored\r\n.*hello\n$/s)
    expect(first.body).toMatch(/Via: 1\.1 tunstack-/)
    const second = await curl('-i', ...through, 'http://10.77.0.1:8080/a.txt')
    expect(second.body).toMatch(/Cache-Status: tunstack-[0-9a-f]+; hit; ttl=\d+\r\n/)
    expect((await curl(...through, 'http://10.77.0.1:8080/large')).bytes.equals(large)).toBe(true)
    const part = await curl(...through, '-r', '9-16', 'http://10.77.0.1:8080/large')
    expect(part).toMatchObject({ status: '206', body: 'tunstack' })
  })

  test('https: through a tunnel (CONNECT)', async () => {
    const got = await curl('-k', ...through, 'https://10.77.0.1:8443/large')
    expect(got.bytes.equals(large)).toBe(true)
  })

  test('what cannot be reached is 502', async () => {
    expect(await curl(...through, 'http://10.77.0.1:9/')).toMatchObject({ status: '502' })
  })
})

describe('our proxy beside others', () => {
  const chain = ['http://127.0.0.1:8082/large', 'http://127.0.0.1:8082/a.txt', 'http://127.0.0.1:8082/a.txt']

  test('curl, haproxy, ours in reverse, nginx', async () => {
    const { bytes } = await curl(...chain)
    expect(bytes.equals(Buffer.concat([large, Buffer.from('hello\nhello\n')]))).toBe(true)
  })

  test('curl, nginx as a proxy, ours in reverse, nginx', async () => {
    expect((await curl('http://127.0.0.1:8081/large')).bytes.equals(large)).toBe(true)
  })

  test('curl, squid, ours, nginx; and curl, ours, squid, nginx', async () => {
    expect(await curl('-x', 'http://127.0.0.1:8083', 'http://10.78.0.2:3130/a.txt')).toMatchObject({
      status: '200',
      body: 'hello\n',
    })
    const parent = start('proxy', '--parent', '10.79.0.1:8083', '--tun', 'prox2', '--address', '10.79.0.2/24')
    proxies.push(parent)
    await parent.until(/Ctrl-C ends it/)
    const got = await curl('-i', '-x', 'http://10.79.0.2:3128', 'http://127.0.0.1:8080/a.txt')
    expect(got.body).toMatch(/Via: 1\.1 \S+ \(squid.*Via: 1\.1 tunstack-.*hello\n$/s)
  })
})

describe('our proxy in reverse before an https server', () => {
  test('its name by --dns, its certificate by --cacert, looked at', async () => {
    // A DNS server that knows one name, o: the question comes back with an address.
    const dns = createSocket('udp4', (query, peer) => {
      // Behind the head of 12 bytes: the name (01 'o' 00), then the type, A being 1.
      const isFour = query.readUInt16BE(15) === 1
      const answer = Buffer.from('c00c00010001000000050004', 'hex')
      const head = Buffer.from(query.subarray(0, 19))
      head.writeUInt16BE(0x8180, 2)
      head.writeUInt16BE(isFour ? 1 : 0, 6)
      head.writeUInt16BE(0, 10)
      dns.send(isFour ? Buffer.concat([head, answer, Buffer.from([10, 84, 0, 1])]) : head, peer.port, peer.address)
    })
    await new Promise<void>((resolve) => dns.bind(5300, resolve))
    const own = ['--tun', 'prox4', '--address', '10.84.0.2/24', '--dns', '10.84.0.1:5300']
    await ours('--reverse', 'https://o:8443', '--cacert', join(scratch.path, 'cert.pem'), ...own)
    expect(await curl('http://10.84.0.2:3128/a.txt')).toMatchObject({ status: '200', body: 'hello\n' })
    const strict = ['--tun', 'prox5', '--address', '10.85.0.2/24', '--resolve', 'o:8443:10.85.0.1']
    await ours('--reverse', 'https://o:8443', ...strict)
    expect(await curl('http://10.85.0.2:3128/a.txt')).toMatchObject({ status: '502' })
    dns.close()
  })
})

describe('the command line', () => {
  test('what does not go together is refused', async () => {
    expect(await tunstack('proxy', '--store', '/tmp/x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('add --cache'),
    })
    expect(await tunstack('proxy', '--blind', '--cache')).toMatchObject({ code: 2 })
    expect(await tunstack('proxy', '--reverse', 'ftp://x')).toMatchObject({ code: 2 })
    expect((await tunstack('proxy', '--help')).stdout).toContain('WARNING: --blind')
  })
})
