// The dumb proxy of 1996, the hang it makes, and the cure. Chains of both kinds: proxy-chains.test.ts.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import type { RawPeer } from './helpers.ts'
import { fieldsOf, via, World } from './proxy-helpers.ts'
import { statuses } from './server-helpers.ts'

/** How long the server keeps an idle connection: so long a hang lasts. */
const IDLE_US = 15 * SECOND

interface Asked {
  /** Status, or 'nothing' when the connection closed without an answer. */
  readonly result: unknown
  readonly tookUs: number
}

/** Asks twice as an HTTP/1.0+ client does, over one connection if the answer says keep-alive (RFC 9112 appendix C.2.2). */
async function askTwice(world: World, first: string, field: string): Promise<[Asked, Asked]> {
  let peer: RawPeer | null = null
  const ask = async (path: string): Promise<Asked> => {
    const startUs = world.scheduler.now()
    peer ??= await world.dial(first)
    peer.take()
    peer.send(via(`http://o${path}`, [`${field}: Keep-Alive`], '', 'GET', '1.0'))
    await world.scheduler.settle()
    const isDone = (): boolean => peer !== null && (peer.received.endsWith('body of ' + path) || peer.ended)
    for (let i = 0; i < 60 && !isDone(); i++) await world.scheduler.run(world.scheduler.now() + SECOND)
    const text = peer.take()
    if (!/\r\nConnection: keep-alive\r\n/i.test(text)) peer = null
    return { result: statuses(text)[0] ?? 'nothing', tookUs: world.scheduler.now() - startUs }
  }
  return [await ask('/1'), await ask('/2')]
}

function origin(world: World): void {
  world.server('o', (request) => ({ body: `body of ${request.path}` }), { timeouts: { idleUs: IDLE_US } })
}

describe('the blind relay (RFC 9112 appendix C.2.2)', () => {
  it('Connection: Keep-Alive relayed blindly: the second request hangs until the server gives up', async () => {
    const world = new World()
    let asked: (readonly [string, string])[] = []
    world.server(
      'o',
      (request) => {
        asked = request.headers.toJSON()
        return { body: `body of ${request.path}` }
      },
      { timeouts: { idleUs: IDLE_US } },
    )
    const events = world.blind('b')
    const [first, second] = await askTwice(world, 'b', 'Connection')
    expect(asked).toContainEqual(['Connection', 'Keep-Alive'])
    expect(first).toMatchObject({ result: 200, tookUs: 0 })
    // The answer's keep-alive reached the client as well: it sends the second request into the deaf relay.
    expect(second.result).toBe('nothing')
    const timeline = events.map(({ at: us, what }) => `${us / SECOND} s ${what}`)
    expect(timeline).toEqual(['0 s request', '0 s relayed', '0 s answer', '0 s waits', '0 s unheard', '15 s closed'])
    expect(second.tookUs).toBe(IDLE_US)
  })

  it('while it hangs nobody hears the second request', async () => {
    const world = new World()
    origin(world)
    const events = world.blind('b')
    const http = await world.client('b', { timeouts: { responseUs: 600 * SECOND } })
    const headers = { Host: 'o', Connection: 'Keep-Alive' }
    const one = await http.request({ target: 'http://o/1', httpVersion: '1.0', headers })
    expect(await one.text()).toBe('body of /1')
    expect(one.headers.get('connection')).toBe('keep-alive')
    await world.scheduler.run(SECOND)
    const startUs = world.scheduler.now()
    const two = http.request({ target: 'http://o/2', httpVersion: '1.0', headers }).catch((error: { code: string }) => {
      return `${error.code} after ${Math.round((world.scheduler.now() - startUs) / SECOND)} s`
    })
    await world.scheduler.run(60 * SECOND)
    expect(await two).toBe('ECONNRESET after 14 s')
    expect(events.map(({ what }) => what)).toEqual(['request', 'relayed', 'answer', 'waits', 'unheard', 'closed'])
  })

  it('the cure: a proxy that takes the field out and speaks for itself on each side', async () => {
    const world = new World()
    origin(world)
    const { proxy, hops } = world.proxy('p')
    const [first, second] = await askTwice(world, 'p', 'Connection')
    expect([first, second]).toMatchObject([
      { result: 200, tookUs: 0 },
      { result: 200, tookUs: 0 },
    ])
    expect(fieldsOf(hops.find(({ what }) => what === 'request-out')).join()).not.toMatch(/keep-alive/i)
    // Both requests came over one connection of the client.
    expect(world.dialled.filter((one) => one === 'client > p')).toHaveLength(1)
    expect(proxy.counters).toMatchObject({ requests: 2, truncated: 0 })
  })

  it('without keep-alive it works, one connection for each request', async () => {
    const world = new World()
    origin(world)
    world.blind('b')
    const [first, second] = await askTwice(world, 'b', 'X-Nothing')
    expect([first.result, second.result]).toEqual([200, 200])
    expect(world.dialled.filter((one) => one === 'client > b')).toHaveLength(2)
  })
})
