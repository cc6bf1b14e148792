// Pipelining: when it begins, what goes into it, and what is redone when the connection is lost.
import { describe, expect, it } from 'vitest'
import type { ConnectionRequest } from '../../src/http/client-message.ts'
import { answer, type Farm, farm, pathOf, type ScriptedServer } from './pool-helpers.ts'

/** A pool with one pipelined connection to a server that has answered once and now keeps its answers to itself. */
async function warm(
  depth = 4,
  onRequest: (server: ScriptedServer, head: string) => void = () => undefined,
): Promise<Farm> {
  const pair = farm({ maxPerOrigin: 1, pipelineDepth: depth }, (server, head) => {
    if (pathOf(head) === '/warm') server.send(answer('warm'))
    else onRequest(server, head)
  })
  await pair.get('/warm')
  return pair
}

const lines = ({ servers }: Farm): string[][] =>
  servers.map((server) => server.lines.filter((line) => !/warm/.test(line)))

describe('when', () => {
  it('not before an answer has shown that the server persists (RFC 9112 §9.3.2)', async () => {
    const pair = farm({ maxPerOrigin: 1, pipelineDepth: 3 }, () => undefined)
    const all = ['/1', '/2', '/3', '/4', '/5'].map((path) => pair.get(path))
    await pair.scheduler.settle()
    expect(lines(pair)).toEqual([['GET /1']])
    pair.servers[0].send(answer('one'))
    await pair.scheduler.settle()
    expect(lines(pair)).toEqual([['GET /1', 'GET /2', 'GET /3', 'GET /4']])
    pair.servers[0].send(answer('two') + answer('three') + answer('four'))
    await pair.scheduler.settle()
    pair.servers[0].send(answer('five'))
    expect(await Promise.all(all)).toEqual(['one', 'two', 'three', 'four', 'five'])
    expect(pair.pool.counters).toMatchObject({ connections: 1, pipelined: 3 })
  })

  it('never on an HTTP/1.0 server, though it keeps the connection', async () => {
    const pair = farm({ maxPerOrigin: 1, pipelineDepth: 3 }, (server, head) => {
      if (pathOf(head) === '/1') server.send('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n')
    })
    await pair.get('/1', { httpVersion: '1.0', headers: { Host: 'h', Connection: 'keep-alive' } })
    void pair.get('/2')
    void pair.get('/3')
    await pair.scheduler.settle()
    expect(lines(pair)).toEqual([['GET /1', 'GET /2']])
  })

  it('connections that may still be opened come first', async () => {
    const pair = farm({ maxPerOrigin: 2, pipelineDepth: 3 }, (server, head) => {
      if (pathOf(head) === '/warm') server.send(answer('warm'))
    })
    await pair.get('/warm')
    for (const path of ['/1', '/2', '/3']) void pair.get(path)
    await pair.scheduler.settle()
    expect(lines(pair)).toEqual([['GET /1', 'GET /3'], ['GET /2']])
  })

  const alone: [string, Partial<ConnectionRequest>][] = [
    ['POST', { method: 'POST', body: 'x' }],
    ['PATCH', { method: 'PATCH', body: 'x' }],
    [
      'a body that is read as it goes',
      {
        method: 'PUT',
        body: (async function* () {
          yield 'x'
        })(),
        headers: { Host: 'h', 'Content-Length': '1' },
      },
    ],
    ['Connection: close', { headers: { Host: 'h', Connection: 'close' } }],
    ['Expect', { method: 'PUT', body: 'x', expectContinue: true }],
  ]
  for (const [name, request] of alone) {
    it(`${name} goes alone: it waits, and the others wait for it (RFC 9112 §9.3.2)`, async () => {
      const pair = await warm()
      void pair.get('/1')
      void pair.get('/2')
      const own = pair.get('/own', request)
      const last = pair.get('/4')
      await pair.scheduler.settle()
      expect(lines(pair)).toEqual([['GET /1', 'GET /2']])
      pair.servers[0].send(answer('1') + answer('2'))
      await pair.scheduler.settle()
      if (name === 'Expect') {
        expect(pair.servers[0].peer.received).toContain('Expect: 100-continue')
        pair.servers[0].send('HTTP/1.1 100 Continue\r\n\r\n')
        await pair.scheduler.settle()
      }
      expect(lines(pair)[0].length).toBe(3)
      pair.servers[0].send(answer('own', name === 'Connection: close' ? 'Connection: close\r\n' : ''))
      expect(await own).toBe('own')
      await pair.scheduler.settle()
      const server = pair.servers.at(-1) as ScriptedServer
      expect(server.lines.at(-1)).toBe('GET /4')
      server.send(answer('4'))
      expect(await last).toBe('4')
    })
  }
})

describe('the order of answers', () => {
  it('is that of the requests, whatever the order in which the bodies are read, with HEAD and 1xx among them', async () => {
    const pair = await warm(5)
    const all = [
      pair.get('/1'),
      pair.get('/2', { method: 'HEAD' }),
      pair.get('/3'),
      pair.get('/4', { method: 'PUT', body: 'put' }),
    ]
    await pair.scheduler.settle()
    expect(pair.servers[0].bodies).toEqual(['', '', '', '', 'put'])
    pair.servers[0].send(
      `${answer('1')}HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n` +
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n${answer('4')}`,
    )
    expect(await Promise.all(all)).toEqual(['1', '', 'ab', '4'])
  })

  it('one that is aborted is read and thrown away; the others are not hurt', async () => {
    const pair = await warm()
    const control = new AbortController()
    const all = [pair.get('/1'), pair.get('/2', { signal: control.signal }), pair.get('/3')]
    await pair.scheduler.settle()
    control.abort()
    pair.servers[0].send(answer('1') + answer('unwanted') + answer('3'))
    const [one, two, three] = await Promise.all(all)
    expect([one, three]).toEqual(['1', '3'])
    expect(two).toMatchObject({ name: 'AbortError' })
    expect(pair.servers.length).toBe(1)
  })

  it('more answers than requests end the connection (RFC 9112 §11.1)', async () => {
    const pair = await warm()
    const all = [pair.get('/1'), pair.get('/2')]
    await pair.scheduler.settle()
    pair.servers[0].send(answer('1') + answer('2') + answer('3'))
    expect(await Promise.all(all)).toEqual(['1', '2'])
    await pair.scheduler.settle()
    expect(pair.pool.connections).toEqual([])
  })
})

describe('a lost connection', () => {
  const paths = ['/1', '/2', '/3', '/4']
  const stream = paths.map((path) => answer(path)).join('')
  const each = stream.length / paths.length

  for (const how of ['FIN', 'RST'] as const) {
    it(`cut by ${how} at every byte of four answers: exactly those of which nothing was seen are redone (RFC 9112 §9.3.2)`, async () => {
      for (let cut = 0; cut <= stream.length; cut++) {
        const pair = await warm(4, (server, head) => {
          if (server !== pair.servers[0]) server.send(answer(pathOf(head)))
        })
        const all = paths.map((path) => pair.get(path))
        await pair.scheduler.settle()
        expect(lines(pair)[0].length).toBe(4)
        pair.servers[0].send(stream.slice(0, cut))
        await pair.scheduler.settle()
        if (how === 'FIN') pair.servers[0].stream.end()
        else pair.servers[0].stream.destroy()
        const results = await Promise.all(all)
        const whole = Math.floor(cut / each)
        const isPart = cut % each !== 0
        const redone = paths.slice(whole + (isPart ? 1 : 0))
        expect(lines(pair)[1] ?? [], `cut at ${cut}`).toEqual(redone.map((path) => `GET ${path}`))
        results.forEach((result, i) => {
          if (isPart && i === whole) expect(result, `cut at ${cut}`).toMatchObject({ code: 'ECONNRESET' })
          else expect(result, `cut at ${cut}`).toBe(paths[i])
        })
      }
    })
  }

  it('what is redone is not pipelined at once (RFC 9112 §9.3.2: it may have been the cause)', async () => {
    const pair = await warm(4)
    const all = paths.map((path) => pair.get(path))
    await pair.scheduler.settle()
    pair.servers[0].stream.destroy()
    await pair.scheduler.settle()
    expect(lines(pair)[1]).toEqual(['GET /1'])
    pair.servers[1].send(answer('1'))
    await pair.scheduler.settle()
    expect(lines(pair)[1]).toEqual(paths.map((path) => `GET ${path}`))
    pair.servers[1].send(answer('2') + answer('3') + answer('4'))
    expect(await Promise.all(all)).toEqual(['1', '2', '3', '4'])
  })

  it('an answer that says close is the last; the requests behind it are redone (RFC 9112 §9.6)', async () => {
    const pair = await warm(4, (server, head) => {
      if (server !== pair.servers[0]) server.send(answer(pathOf(head)))
    })
    const all = paths.map((path) => pair.get(path))
    await pair.scheduler.settle()
    pair.servers[0].send(answer('first') + answer('last', 'Connection: close\r\n') + answer('never'))
    expect(await Promise.all(all)).toEqual(['first', 'last', '/3', '/4'])
    expect(lines(pair)[1]).toEqual(['GET /3', 'GET /4'])
  })

  it('an answer that is no HTTP fails its own request; the requests behind it are redone', async () => {
    const pair = await warm(4, (server, head) => {
      if (server !== pair.servers[0]) server.send(answer(pathOf(head)))
    })
    const all = paths.map((path) => pair.get(path))
    await pair.scheduler.settle()
    pair.servers[0].send(`${answer('first')}HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n`)
    const [first, bad, ...rest] = await Promise.all(all)
    expect([first, ...rest]).toEqual(['first', '/3', '/4'])
    expect(bad).toMatchObject({ reason: 'duplicate-content-length' })
  })
})
