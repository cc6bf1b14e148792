// What an HTTP request costs without a network: `npx tsx bench/micro/http.ts`. A request as curl sends it and one as a browser does, one
// at a time and sixteen in a row, through a server whose handler answers at once.
// Owns: the numbers of src/http from the first byte of a request to the last of its answer.

import { Duplex } from 'node:stream'
import benny from 'benny'
import { HttpServer } from '../../src/http/index.ts'
import { realTime } from '../../src/net/index.ts'

const CURL = 'GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n'
const FIELDS = Array.from({ length: 12 }, (_, i) => `X-Field-${i}: some value of a field, number ${i}\r\n`).join('')
const BROWSER = `GET /a?b=c HTTP/1.1\r\nHost: a\r\n${FIELDS}\r\n`

/** A stream that takes requests, and tells when so many answers are out. */
class Wire extends Duplex {
  waiting = 0
  done: () => void = () => undefined
  override _read(): void {}
  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: () => void): void {
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1')
    this.waiting -= text.split('HTTP/1.1 200').length - 1
    callback()
    if (this.waiting <= 0) this.done()
  }
}

const server = new HttpServer({
  scheduler: realTime(),
  limits: { requestsPerConnection: Number.MAX_SAFE_INTEGER },
  handler: () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'hello' }),
})
const wire = new Wire()
server.handleConnection(wire)

function ask(text: string, count: number): () => Promise<void> {
  const bytes = Buffer.from(text.repeat(count))
  return () =>
    new Promise((resolve) => {
      wire.waiting = count
      wire.done = resolve
      wire.push(Buffer.from(bytes))
    })
}

await benny.suite(
  'HTTP, a round',
  benny.add("curl's request", ask(CURL, 1)),
  benny.add("curl's, 16 in a row", ask(CURL, 16)),
  benny.add("a browser's request", ask(BROWSER, 1)),
  benny.cycle(),
)
process.exit(0)
