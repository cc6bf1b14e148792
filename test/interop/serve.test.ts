import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Background, bytes, curl, folder, MIB, run, serve, sha256, sha256File, writeBytes } from './helpers.ts'

const files = folder()
const OUT = folder()
const URL4 = 'http://10.77.0.2'
let server: Background
let bigHash = ''

beforeAll(async () => {
  bigHash = writeBytes(files.file('big.bin'), 100 * MIB, 7)
  writeBytes(files.file('small.bin'), 5000, 8)
  server = await serve([files.path, '--upload', '--quiet'], `${URL4}/small.bin`)
})
afterAll(async () => {
  await server?.stop()
  files.remove()
  OUT.remove()
})

describe('curl and our server over a TUN device', () => {
  test('100 MiB by GET arrive byte for byte', async () => {
    const got = await curl('-o', OUT.file('big'), '-w', '%{http_code} %{size_download}', `${URL4}/big.bin`)
    expect(got.text).toBe(`200 ${100 * MIB}`)
    expect(await sha256File(OUT.file('big'))).toBe(bigHash)
  })

  test('100 MiB by POST arrive byte for byte, after Expect: 100-continue', async () => {
    const args = ['-X', 'POST', '-H', 'Expect: 100-continue', '--data-binary', `@${files.file('big.bin')}`]
    const got = await curl('-v', ...args, `${URL4}/upload`)
    expect(JSON.parse(got.text)).toEqual({ bytes: 100 * MIB, sha256: bigHash })
    expect(got.stderr).toContain('HTTP/1.1 100 Continue')
  })

  test('a chunked upload arrives byte for byte', async () => {
    const got = await curl('-H', 'Transfer-Encoding: chunked', '-T', files.file('big.bin'), `${URL4}/upload`)
    expect(JSON.parse(got.text)).toEqual({ bytes: 100 * MIB, sha256: bigHash })
  })

  test('50 curls at once each get their bytes', async () => {
    const expected = bytes(5000, 8)
    const all = await Promise.all(Array.from({ length: 50 }, () => curl(`${URL4}/small.bin`)))
    for (const { code, stdout } of all) {
      expect(code).toBe(0)
      expect(stdout.equals(expected)).toBe(true)
    }
  })

  test('HTTP/1.0 is answered and the connection closed', async () => {
    const got = await curl(
      '--http1.0',
      '-w',
      '\n%{http_code} %{http_version}',
      '-o',
      OUT.file('one'),
      `${URL4}/small.bin`,
    )
    expect(got.text.trim()).toMatch(/^200 1\.[01]$/)
    expect(await sha256File(OUT.file('one'))).toBe(sha256(bytes(5000, 8)))
  })

  test('HEAD has the length and no body', async () => {
    const got = await curl('-I', `${URL4}/big.bin`)
    expect(got.text).toContain('HTTP/1.1 200 OK')
    expect(got.text.toLowerCase()).toContain(`content-length: ${100 * MIB}`)
  })

  test('ranges give the bytes asked for', async () => {
    const got = await curl('-r', '1000-1999', `${URL4}/small.bin`)
    expect(got.stdout.equals(bytes(5000, 8).subarray(1000, 2000))).toBe(true)
    const tail = await curl('-r', '-10', '-w', '%{http_code}', '-o', OUT.file('tail'), `${URL4}/small.bin`)
    expect(tail.text).toBe('206')
    const beyond = await curl('-r', '9000-', '-w', '%{http_code}', '-o', OUT.file('none'), `${URL4}/small.bin`)
    expect(beyond.text).toBe('416')
  })

  test('several URLs share one connection', async () => {
    const urls = Array.from({ length: 5 }, () => ['-o', '/dev/null', `${URL4}/small.bin`]).flat()
    const got = await curl('-w', '%{num_connects} ', ...urls)
    expect(got.text.trim()).toBe('1 0 0 0 0')
  })

  test("Linux's ping gets answers", async () => {
    const got = await run('ping', ['-c', '3', '-i', '0.2', '-s', '1000', '10.77.0.2'])
    expect(got.text).toContain('3 received, 0% packet loss')
  })

  test('curl -6 and ping -6 reach our IPv6 address', async () => {
    const got = await curl('-g', '-6', `http://[fd77::2]/small.bin`)
    expect(got.stdout.equals(bytes(5000, 8))).toBe(true)
    const big = await curl('-g', '-6', '-o', OUT.file('big6'), `http://[fd77::2]/big.bin`)
    expect(big.code).toBe(0)
    expect(await sha256File(OUT.file('big6'))).toBe(bigHash)
    const ping = await run('ping', ['-6', '-c', '3', '-i', '0.2', '-s', '1200', 'fd77::2'])
    expect(ping.text).toContain('3 received, 0% packet loss')
  })

  test('a port that nobody listens on is refused at once', async () => {
    expect((await curl('http://10.77.0.2:81/')).code).toBe(7)
  })
})
