// Every phase of a fetch, ended from outside: by a signal, by the limit for the whole, by the limit of the phase.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import type { FetchOptions, HttpClient, HttpClientOptions } from '../../src/http/client.ts'
import { HttpClient as Client } from '../../src/http/client.ts'
import type { ClientResponse } from '../../src/http/client-message.ts'
import { type MemoryStream, streamPair, VirtualScheduler } from './helpers.ts'
import { answer, ScriptedServer } from './pool-helpers.ts'

interface Phase {
  /** What the server does with a request for /slow; everything else is answered. */
  readonly onSlow?: (server: ScriptedServer) => void
  readonly request?: () => FetchOptions
  readonly options?: Partial<HttpClientOptions>
  /** The time limit that belongs to the phase, and its code; null where it ends nothing. */
  readonly limit: Partial<HttpClientOptions> | null
  /** Whether the connection is still good when the request has gone. */
  readonly isKept?: boolean
  /** What the server must not have seen. */
  readonly unseen?: string
}

async function* endless(): AsyncGenerator<string> {
  for (;;) yield 'x'.repeat(50_000)
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\npart'

const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha'

const PHASES: Readonly<Record<string, Phase>> = {
  'waiting for a connection': {
    options: { maxPerOrigin: 1 },
    limit: { waitUs: 5 * SECOND },
    isKept: true,
    unseen: '/slow',
  },
  connecting: { limit: { connectUs: 5 * SECOND }, unseen: '/slow' },
  'waiting for 100 (Continue)': {
    request: () => ({ method: 'POST', body: 'secret', expectContinue: true }),
    options: { timeouts: { continueUs: 100 * SECOND } },
    limit: null,
    unseen: 'secret',
  },
  'sending a body that nobody takes': {
    onSlow: () => undefined,
    request: () => ({ method: 'POST', body: endless() }),
    limit: { timeouts: { writeUs: 5 * SECOND } },
  },
  'waiting for the head': { onSlow: () => undefined, limit: { timeouts: { responseUs: 5 * SECOND } } },
  'reading the body': { onSlow: (server) => server.send(HEAD), limit: { timeouts: { idleUs: 5 * SECOND } } },
}

/** A client on its way through one phase: `result` is what the fetch and its body come to. */
async function arrive(
  name: string,
  { onSlow, request = () => ({}), options = {} }: Phase,
  more: Partial<FetchOptions & HttpClientOptions>,
) {
  const scheduler = new VirtualScheduler()
  const servers: ScriptedServer[] = []
  let dials = 0
  const client: HttpClient = new Client({
    scheduler,
    connect: (origin, { signal }) => {
      dials++
      if (name === 'connecting' && dials === 1) {
        return new Promise<MemoryStream>((_, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
        )
      }
      const [ours, theirs] = streamPair()
      const server = new ScriptedServer(theirs, origin, (one, head) =>
        head.includes('/busy')
          ? one.send(HALF)
          : head.includes('/slow') && onSlow !== undefined
            ? onSlow(one)
            : one.send(answer('ok')),
      )
      servers.push(server)
      if (name === 'sending a body that nobody takes' && dials === 1) theirs.pause()
      return Promise.resolve(ours)
    },
    ...options,
    ...more,
  })
  let busy: ClientResponse | null = null
  if (name === 'waiting for a connection') {
    busy = await client.fetch('http://h/busy')
  }
  const fetched = client.fetch('http://h/slow', { ...request(), ...more }).then((response) => response.text())
  const result = fetched.catch((error: unknown) => error)
  await scheduler.run(SECOND)
  return { scheduler, client, servers, result, busy }
}

describe.each(Object.entries(PHASES))('%s', (name, phase) => {
  const seen = (servers: readonly ScriptedServer[]): string => servers.map(({ stream }) => stream.peer.written).join('')

  it('an abort ends it with its reason, at once, and nothing is left behind', async () => {
    const control = new AbortController()
    const { scheduler, client, servers, result, busy } = await arrive(name, phase, { signal: control.signal })
    const reason = new Error('enough')
    control.abort(reason)
    await scheduler.settle()
    expect(await result).toBe(reason)
    if (phase.unseen !== undefined) expect(seen(servers)).not.toContain(phase.unseen)
    if (busy !== null) servers[0].send('lf')
    await busy?.text()
    expect(client.connections).toHaveLength(phase.isKept === true ? 1 : 0)
    expect(await (await client.fetch('http://h/next')).text()).toBe('ok')
    client.close()
    await scheduler.run(200 * SECOND)
    expect([scheduler.pending, servers.every(({ stream }) => stream.peer.destroyed)]).toEqual([0, true])
  })

  it('the limit for the whole ends it with ETIMEDOUT', async () => {
    const { scheduler, client, result } = await arrive(name, phase, { totalUs: 3 * SECOND })
    await scheduler.run(2.9 * SECOND)
    expect(client.counters.requests).toBeGreaterThan(0)
    await scheduler.run(3.1 * SECOND)
    expect(await result).toMatchObject({ code: 'ETIMEDOUT' })
  })

  it('its own limit ends it with ETIMEDOUT, or lets it go on', async () => {
    const { scheduler, result } = await arrive(name, phase, phase.limit ?? { timeouts: { continueUs: 5 * SECOND } })
    let isOver = false
    void result.then(() => {
      isOver = true
    })
    await scheduler.run(4.9 * SECOND)
    expect(isOver).toBe(false)
    await scheduler.run(6.1 * SECOND)
    if (phase.limit === null) expect(await result).toBe('ok')
    else expect(await result).toMatchObject({ code: 'ETIMEDOUT' })
  })
})
