import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Background, curl, folder, MIB, sha256, sha256File, tunstack, writeBytes } from './helpers.ts'

// nginx on Linux's side of the TUN; our client on the other. Each fetch brings up a TUN of its own, so nginx listens on all addresses.
const files = folder()
const OUT = folder()
const URL = 'http://10.77.0.1:8080'
let nginx: Background
let bigHash = ''

const CONFIG = `
daemon off;
pid ${files.file('nginx.pid')};
error_log ${files.file('error.log')};
events { worker_connections 128; }
http {
  access_log off;
  client_body_temp_path ${files.path}/body;
  proxy_temp_path ${files.path}/proxy;
  fastcgi_temp_path ${files.path}/fastcgi;
  uwsgi_temp_path ${files.path}/uwsgi;
  scgi_temp_path ${files.path}/scgi;
  server {
    listen 0.0.0.0:8080;
    listen [::]:8080;
    root ${files.path};
    location = /chunked.html { ssi on; ssi_types *; }
  }
}
`

beforeAll(async () => {
  bigHash = writeBytes(files.file('big.bin'), 100 * MIB, 5)
  writeFileSync(files.file('a.txt'), 'first\n')
  writeFileSync(files.file('b.txt'), 'second\n')
  writeFileSync(files.file('chunked.html'), `${'<p>a chunked page</p>\n'.repeat(2000)}<!--# echo var="nothing" -->`)
  writeFileSync(files.file('nginx.conf'), CONFIG)
  nginx = new Background('nginx', [
    '-e',
    files.file('error.log'),
    '-p',
    files.path,
    '-c',
    files.file('nginx.conf'),
    '-g',
    'user root;',
  ])
  await nginx.until(async () => (await curl('-o', '/dev/null', 'http://127.0.0.1:8080/a.txt')).code === 0)
})
afterAll(async () => {
  await nginx?.stop('SIGTERM')
  files.remove()
  OUT.remove()
})

describe('our client and nginx over a TUN device', () => {
  test('100 MiB arrive byte for byte', async () => {
    const got = await tunstack('fetch', '-o', OUT.file('big'), '-w', '%{http_code} %{size_download}', `${URL}/big.bin`)
    expect(got.stderr).toBe('')
    expect(got.text).toBe(`200 ${100 * MIB}`)
    expect(await sha256File(OUT.file('big'))).toBe(bigHash)
  })

  test('a chunked answer is put together', async () => {
    const ours = await tunstack('fetch', '-i', `${URL}/chunked.html`)
    expect(ours.text.toLowerCase()).toContain('transfer-encoding: chunked')
    const body = await tunstack('fetch', `${URL}/chunked.html`)
    const theirs = await curl('http://127.0.0.1:8080/chunked.html')
    expect(sha256(body.stdout)).toBe(sha256(theirs.stdout))
  })

  test('several URLs share one connection', async () => {
    const got = await tunstack('fetch', '-w', '%{num_connects}\\n', `${URL}/a.txt`, `${URL}/b.txt`, `${URL}/a.txt`)
    expect(got.text).toBe('first\n1\nsecond\n0\nfirst\n0')
  })

  test('over IPv6 too', async () => {
    const got = await tunstack('fetch', 'http://[fd77::1]:8080/b.txt')
    expect(got.text).toBe('second')
  })

  test('a refused port ends with code 7', async () => {
    const got = await tunstack('fetch', 'http://10.77.0.1:9/')
    expect(got.code).toBe(7)
    expect(got.stderr).toMatch(/refused/i)
  })

  test('a silent address ends with code 28', async () => {
    const got = await tunstack('fetch', '--connect-timeout', '1', 'http://10.77.0.99/')
    expect(got.code).toBe(28)
    expect(got.stderr).toMatch(/timed out|timeout/i)
  })
})
