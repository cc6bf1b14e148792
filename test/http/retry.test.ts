// What is repeated by itself, and what never is: the connection cut at every byte of a request and of its answer, for every method.
import { describe, expect, it } from 'vitest'
import { HttpError } from '../../src/http/errors.ts'
import { isIdempotent } from '../../src/http/status.ts'
import { answer, type Farm, farm, type ScriptedServer } from './pool-helpers.ts'

const METHODS = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'POST', 'PATCH'] as const
const BODY = 'body'
const hasBody = (method: string): boolean => /^(?:PUT|POST|PATCH)$/.test(method)
const replyTo = (method: string): string =>
  method === 'HEAD' ? answer('', 'X-A: b\r\n') : answer('done', 'X-A: b\r\n')

interface Outcome {
  readonly result: string | Error
  /** How often the server did what the request asks for. */
  readonly effects: number
  /** Connections that were opened for it, the cut one included. */
  readonly connections: number
  readonly retries: number
}

type Cut = (server: ScriptedServer) => void
const fin: Cut = (server) => server.stream.end()
const rst: Cut = (server) => server.stream.destroy()

/** Sends one request over a connection that has answered before (or a new one), which then breaks where it is told to. */
async function broken(
  method: string,
  where: { answerBytes: number } | { requestBytes: number },
  cut: Cut,
  isNew = false,
): Promise<Outcome> {
  let effects = 0
  let isCut = false
  const pair: Farm = farm({}, (server, head) => {
    if (head.startsWith('GET /warm')) return server.send(answer('warm'))
    if ('requestBytes' in where && !isCut) return
    effects++
    const reply = replyTo(method)
    if (isCut || !('answerBytes' in where)) return server.send(reply)
    isCut = true
    if (where.answerBytes > 0) server.send(reply.slice(0, where.answerBytes))
    void pair.scheduler.settle().then(() => cut(server))
  })
  if (!isNew) await pair.get('/warm')
  if ('requestBytes' in where)
    cutRequests(pair, where.requestBytes, cut, () => {
      isCut = true
    })
  const before = pair.servers.length
  const result = pair.get('/do', { method, ...(hasBody(method) ? { body: BODY } : {}) })
  await pair.scheduler.settle()
  await pair.scheduler.settle()
  const { retries } = pair.pool.counters
  return { result: await result, effects, connections: pair.servers.length - before + (isNew ? 0 : 1), retries }
}

/** The first connection ends as soon as so many bytes of the next request have come; what comes behind is never read. */
function cutRequests({ servers, scheduler }: Farm, bytes: number, cut: Cut, onCut: () => void): void {
  const [server] = servers
  const { stream } = server
  let left = bytes
  stream.removeAllListeners('data')
  const over = (): void => {
    onCut()
    void scheduler.settle().then(() => cut(server))
  }
  stream.on('data', (chunk: Uint8Array) => {
    left -= chunk.length
    if (left <= 0 && left + chunk.length >= 0) over()
  })
  if (bytes === 0) over()
}

describe('the connection cut at every byte of the answer (RFC 9112 §9.3.1)', () => {
  for (const method of METHODS) {
    for (const [how, cut] of [
      ['FIN', fin],
      ['RST', rst],
    ] as const) {
      it(`${method}, by ${how}: ${isIdempotent(method) ? 'sent again only when no byte of the answer was seen' : 'never sent again'}`, async () => {
        const reply = replyTo(method)
        const headBytes = reply.indexOf('\r\n\r\n') + 4
        for (let cutAt = 0; cutAt <= reply.length; cutAt++) {
          const { result, effects, connections, retries } = await broken(method, { answerBytes: cutAt }, cut)
          const at = `cut at ${cutAt}`
          if (cutAt === reply.length) {
            expect([result, effects, retries], at).toEqual([method === 'HEAD' ? '' : 'done', 1, 0])
          } else if (cutAt > 0 || !isIdempotent(method)) {
            expect(result, at).toBeInstanceOf(Error)
            expect([effects, connections, retries], at).toEqual([1, 1, 0])
            expect(result, at).toMatchObject({ code: 'ECONNRESET' })
            if (result instanceof HttpError) expect(result.answered, at).toBe(cutAt > 0)
            if (cutAt > headBytes)
              expect(Buffer.from((result as HttpError).received ?? []).toString(), at).toBe(
                reply.slice(headBytes, cutAt),
              )
          } else {
            expect([result, effects, connections, retries], at).toEqual([method === 'HEAD' ? '' : 'done', 2, 2, 1])
          }
        }
      })
    }
  }
})

describe.each([
  ['FIN', fin],
  ['RST', rst],
] as const)('the connection cut by %s at every byte of the request (RFC 9112 §9.3.1)', (_, cut) => {
  for (const method of METHODS) {
    it(`${method}: ${isIdempotent(method) ? 'is done once, on another connection' : 'is not done, and the client says that it does not know'}`, async () => {
      const size =
        `${method} /do HTTP/1.1\r\nHost: h\r\n${hasBody(method) ? 'Content-Length: 4\r\n' : ''}\r\n`.length +
        (hasBody(method) ? 4 : 0)
      for (let cutAt = 1; cutAt < size; cutAt++) {
        const { result, effects, retries } = await broken(method, { requestBytes: cutAt }, cut)
        if (isIdempotent(method)) expect([result, effects, retries]).toEqual([method === 'HEAD' ? '' : 'done', 1, 1])
        else {
          expect(result).toMatchObject({ code: 'ECONNRESET', answered: false, sent: true })
          expect([effects, retries]).toEqual([0, 0])
        }
      }
    })
  }
})

describe('what is repeated', () => {
  it('not a request that was the first on its connection: it would fail again', async () => {
    const { result, effects } = await broken('GET', { answerBytes: 0 }, fin, true)
    expect(result).toMatchObject({ code: 'ECONNRESET', answered: false })
    expect(effects).toBe(1)
  })

  it('not more often than maxRepeats, each time on a connection that is younger than the one lost', async () => {
    let drops = 0
    const pair = farm({ maxRepeats: 2 }, (server) => {
      if (server.requests.length === 1) server.send(answer('x'))
      else {
        drops++
        server.stream.destroy()
      }
    })
    // Six connections that have each answered once, and will drop the next request.
    await Promise.all(['/1', '/2', '/3'].map((path) => pair.get(path)))
    expect(await pair.get('/again')).toBe('x')
    expect(drops).toBe(1)
    expect(pair.servers.length).toBe(4)
  })

  it('a body that has gone by is not sent again, be the method idempotent or not', async () => {
    async function* body(): AsyncGenerator<string> {
      yield 'x'
    }
    const pair = farm({}, (server) => {
      if (server.requests.length === 1) server.send(answer('x'))
      else server.stream.destroy()
    })
    await pair.get('/1')
    const put = pair.get('/2', { method: 'PUT', body: body(), headers: { Host: 'h', 'Content-Length': '1' } })
    expect(await put).toMatchObject({ code: 'ECONNRESET', answered: false })
  })

  it('any method when nothing of it had left, a POST too (RFC 9112 §9.3.1)', async () => {
    const pair = farm()
    await pair.get('/1')
    const { stream } = pair.servers[0]
    // Its end is known to the connection in the same turn in which the request is made.
    stream.end()
    await pair.scheduler.settle()
    expect(await pair.get('/2', { method: 'POST', body: 'x' })).toBe('/2')
    expect(pair.servers[1].bodies).toEqual(['x'])
  })

  it('408 on a connection that was idle is the idle-close race: an idempotent request is sent again (RFC 9110 §15.5.9)', async () => {
    const late = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
    const pair = (): Farm => farm({}, (server) => server.send(server.requests.length === 1 ? answer('x') : late))
    const get = pair()
    await get.get('/1')
    expect(await get.get('/2')).toBe('x')
    expect(get.pool.counters.retries).toBe(1)
    const post = pair()
    await post.get('/1')
    expect(await post.get('/2', { method: 'POST', body: 'x' })).toBe('')
    expect(post.pool.counters.retries).toBe(0)
  })

  it('not what our own time limit or an abort has ended', async () => {
    const pair = farm({ timeouts: { responseUs: 1_000_000 } }, (server) => {
      if (server.requests.length === 1) server.send(answer('x'))
    })
    await pair.get('/1')
    const slow = pair.get('/2')
    await pair.scheduler.run(2_000_000)
    expect(await slow).toMatchObject({ code: 'ETIMEDOUT' })
    expect(pair.pool.counters.retries).toBe(0)
  })

  it('beside a request that was made in the moment of the loss: both are answered', async () => {
    // The reset and the new request meet in every order that a few turns of the program can make.
    for (let turns = 0; turns < 8; turns++) {
      const pair = farm({ maxPerOrigin: 1 })
      await pair.get('/warm')
      const lost = pair.get('/lost')
      pair.servers[0].stream.destroy()
      for (let i = 0; i < turns; i++) await Promise.resolve()
      const other = pair.get('/other')
      expect(await Promise.all([lost, other])).toEqual(['/lost', '/other'])
      expect(pair.pool.waiting).toBe(0)
    }
  })
})
