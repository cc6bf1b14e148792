// The idle-close race (RFC 9112 §9.5): a server ends an idle connection while a request is on its way, a second each way.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import type { ConnectionRequest } from '../../src/http/client-message.ts'
import { ConnectionPool } from '../../src/http/pool.ts'
import { HttpServer } from '../../src/http/server.ts'
import { type MemoryStream, streamPair, VirtualScheduler } from './helpers.ts'

const FAR = SECOND

/** Carries all that one end says to the other, late. */
function carry(scheduler: VirtualScheduler, from: MemoryStream, to: MemoryStream): void {
  const late = (task: () => void): void => {
    scheduler.schedule(scheduler.now() + FAR, () => to.destroyed || task())
  }
  from.on('data', (chunk: Uint8Array) => late(() => to.write(chunk)))
  from.on('end', () => late(() => to.end()))
  from.on('error', () => late(() => to.destroy()))
}

/** A client that keeps connections for longer than its server does, far away from it. */
function far(): {
  scheduler: VirtualScheduler
  effects: string[]
  ask: (r: Partial<ConnectionRequest>) => Promise<unknown>
} {
  const scheduler = new VirtualScheduler()
  const effects: string[] = []
  const server = new HttpServer({
    scheduler,
    timeouts: { idleUs: 5 * SECOND, lingerUs: 5 * SECOND },
    handler: (request) => {
      effects.push(request.method)
      return { body: 'done' }
    },
  })
  const pool = new ConnectionPool({
    scheduler,
    keepAliveUs: 60 * SECOND,
    connect: async () => {
      const [ours, near] = streamPair()
      const [other, theirs] = streamPair()
      carry(scheduler, near, other)
      carry(scheduler, other, near)
      server.handleConnection(theirs)
      return ours
    },
  })
  const ask = async (request: Partial<ConnectionRequest>): Promise<unknown> => {
    try {
      const origin = { protocol: 'http:', host: 'h', port: 80 } as const
      const response = await pool.request(origin, { target: '/', headers: { Host: 'h' }, ...request })
      return await response.text()
    } catch (error) {
      return error
    }
  }
  return { scheduler, effects, ask }
}

describe('a request that crosses the close of an idle connection', () => {
  // The server answers at 1 s and ends the connection at 6 s, of which the client hears at 7 s.
  const crossing = async (request: Partial<ConnectionRequest>): Promise<{ result: unknown; effects: string[] }> => {
    const { scheduler, effects, ask } = far()
    const first = ask({})
    await scheduler.run(6.5 * SECOND)
    expect(await first).toBe('done')
    const second = ask(request)
    await scheduler.run(30 * SECOND)
    return { result: await second, effects: effects.slice(1) }
  }

  it('is done once when it is idempotent, on another connection (RFC 9112 §9.3.1)', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const body = method === 'PUT' ? { body: 'x' } : {}
      expect(await crossing({ method, ...body })).toEqual({ result: 'done', effects: [method] })
    }
  })

  it('is not done when it is not idempotent, and its sender is told that nobody knows (RFC 9110 §9.2.2)', async () => {
    const { result, effects } = await crossing({ method: 'POST', body: 'x' })
    expect(result).toMatchObject({ code: 'ECONNRESET', sent: true, answered: false })
    expect(effects).toEqual([])
  })

  it('just before the close is answered, and the close waits for the next idle time (RFC 9112 §9.5)', async () => {
    const { scheduler, effects, ask } = far()
    void ask({})
    await scheduler.run(4.9 * SECOND)
    const second = ask({ method: 'POST', body: 'x' })
    await scheduler.run(8 * SECOND)
    expect([await second, effects]).toEqual(['done', ['GET', 'POST']])
  })
})
