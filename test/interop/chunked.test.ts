import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpServer } from '../../src/http/index.ts'
import { openTun } from '../../src/link/index.ts'
import { createHost, type Host } from '../../src/net/index.ts'
import { bytes, curl, MIB, sha256 } from './helpers.ts'

// A handler that does not know how long its answer will be: HTTP/1.1 gets it in chunks, HTTP/1.0 until the connection ends.
const body = bytes(40 * MIB, 17)
let host: Host

async function* pieces(): AsyncIterable<Uint8Array> {
  for (let at = 0; at < body.length; at += 100_000) yield body.subarray(at, at + 100_000)
}

beforeAll(() => {
  host = createHost({
    device: openTun({ name: 'tunchunk', addresses: ['10.76.0.1/24'] }),
    address: '10.76.0.2/24',
  })
  const http = new HttpServer({ scheduler: host.scheduler, handler: () => ({ status: 200, body: pieces() }) })
  host.createServer({ allowHalfOpen: true }, (socket) => http.handleConnection(socket)).listen(80)
})
afterAll(async () => {
  await host?.close()
})

describe('an answer of unknown length', () => {
  test('reaches curl in chunks, 40 MiB byte for byte', async () => {
    const got = await curl('-i', 'http://10.76.0.2/')
    const headEnd = got.stdout.indexOf('\r\n\r\n') + 4
    expect(got.stdout.toString('latin1', 0, headEnd).toLowerCase()).toContain('transfer-encoding: chunked')
    expect(sha256(got.stdout.subarray(headEnd))).toBe(sha256(body))
  })

  test('reaches an HTTP/1.0 client until the connection ends', async () => {
    const got = await curl('--http1.0', 'http://10.76.0.2/')
    expect(got.code).toBe(0)
    expect(sha256(got.stdout)).toBe(sha256(body))
  })
})
