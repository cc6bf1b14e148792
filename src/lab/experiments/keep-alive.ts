// E20 and E21: connections that stay. In HTTP/1.0 both sides have to say so in every message; in HTTP/1.1 they stay unless one says close.

import { SECOND } from '../../base/time.ts'
import type { HttpServer } from '../../http/server.ts'
import { claimAtMost, claimExact, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { PROXY_PORT, rowOf, serveProxy } from '../hops.ts'
import { pairOf, type Topology } from '../topology.ts'
import { type BrowseOptions, bodyOf, browse, type ServeOptions, serve } from '../web.ts'
import type { World } from '../world.ts'

interface Visit {
  readonly label: string
  readonly requests: number
  readonly version: '1.0' | '1.1'
  /** Value of Connection in every request; none when empty. */
  readonly connection?: string
  readonly pauseUs?: number
  readonly serve?: ServeOptions
  readonly browse?: BrowseOptions
  /** An answer whose length is not known before. */
  readonly isOpenEnded?: boolean
}

async function* unmeasured(): AsyncGenerator<Uint8Array> {
  yield bodyOf(300)
}

/** Requests one after another. @returns connections that they took */
async function visit(context: RunContext, { label, requests, version, ...more }: Visit): Promise<number> {
  const world = context.world({ label })
  return world.run(async () => {
    const site: HttpServer = await serve(
      world,
      'server',
      () => ({ body: more.isOpenEnded ? unmeasured() : bodyOf(300) }),
      more.serve,
    )
    const browser = browse(world, 'client', { ...more.browse })
    const { connection = '' } = more
    const headers = connection === '' ? {} : { Connection: connection }
    for (let i = 0; i < requests; i++) {
      await browser.get(`http://server/${i}`, { httpVersion: version, headers })
      if (more.pauseUs !== undefined) await world.sleep(more.pauseUs)
    }
    browser.client.close()
    return site.counters.connections
  })
}

const PARAMETERS = {
  requests: { default: '12', unit: 'count', range: ['2', '100'], doc: 'requests, one after another' },
  max: { default: '5', unit: 'count', range: ['1', '100'], doc: 'requests that the server takes on one connection' },
  timeout: { default: '5s', unit: 'time', range: ['1s', '5min'], doc: 'how long the server keeps an idle connection' },
  rtt: { default: '40ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip' },
} as const

/** E20: keep-alive of HTTP/1.0. */
export const keepAlive = defineExperiment({
  id: 'keep-alive',
  fact: 'E20',
  title: 'Keep-alive: both sides have to agree, in every message',
  question: 'When does an HTTP/1.0 connection stay, and for how long?',
  read: ['RFC 9112 appendix C.2.2', 'RFC 2068 §19.7.1 (Keep-Alive: timeout, max)', 'RFC 9112 §6.3'],
  parameters: PARAMETERS,
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['ladder', 'waterfall'],

  async run(context, { requests, max, timeout }) {
    const old = { requests, version: '1.0', connection: 'Keep-Alive' } as const
    const server = { timeouts: { idleUs: timeout } }
    const agreed = await visit(context, { ...old, label: 'both agree', serve: server })
    const unasked = await visit(context, { ...old, label: 'not asked for', connection: '', serve: server })
    const refused = await visit(context, { ...old, label: 'refused', serve: { ...server, keepAlive: false } })
    const limited = { ...server, limits: { requestsPerConnection: max } }
    const counted = await visit(context, { ...old, label: `max ${max}`, serve: limited })
    const slow = await visit(context, { ...old, label: 'slow', serve: server, pauseUs: timeout + SECOND })
    const brisk = await visit(context, { ...old, label: 'brisk', serve: server, pauseUs: timeout / 4 })
    const open = await visit(context, { ...old, label: 'length unknown', serve: server, isOpenEnded: true })
    const unit = 'connections'
    return {
      claims: [
        claimExact(
          {
            text: 'Asked for and granted: one connection serves all.',
            because: 'Connection: Keep-Alive both ways',
            unit,
          },
          agreed,
          1,
        ),
        claimExact(
          { text: 'Not asked for: one each.', because: 'HTTP/1.0 closes unless told', unit },
          unasked,
          requests,
        ),
        claimExact(
          { text: 'Asked for, and the answer lacks it: one each.', because: 'the server did not agree', unit },
          refused,
          requests,
        ),
        claimExact(
          { text: `Keep-Alive: max is obeyed.`, because: `ceil(${requests} / ${max})`, unit },
          counted,
          Math.ceil(requests / max),
        ),
        claimExact(
          { text: 'Requests further apart than Keep-Alive: timeout find no connection.', because: 'it is over', unit },
          slow,
          requests,
        ),
        claimExact({ text: 'Those closer together do.', because: 'within the timeout', unit }, brisk, 1),
        claimExact(
          {
            text: 'A body whose length is not known before ends with its connection.',
            because: 'RFC 9112 §6.3: without Content-Length, and no chunks in HTTP/1.0',
            unit,
          },
          open,
          requests,
        ),
      ],
    }
  },
})

/** Users behind a proxy that ask for several objects each. @returns connections that the server had at once, at most */
async function usersOfProxy(context: RunContext, users: number, rttUs: number): Promise<number> {
  const names = Array.from({ length: users }, (_, i) => `user${i + 1}`)
  const row = rowOf(['proxy', 'server'], rttUs)
  const topology: Topology = {
    hosts: { ...row.hosts, ...Object.fromEntries(names.map((name) => [name, {}])) },
    links: [...row.links, ...names.map((from) => ({ from, to: 'proxy', delay: rttUs / 2 }))],
  }
  const world: World = context.world({ label: `${users} users of a proxy`, topology })
  return world.run(async () => {
    let peak = 0
    const site = await serve(world, 'server', () => {
      peak = Math.max(peak, site.connectionCount)
      return { body: bodyOf(300) }
    })
    await serveProxy(world, 'proxy')
    await Promise.all(
      names.map(async (name) => {
        const browser = browse(world, name, { maxPerOrigin: 2, proxy: { url: `http://proxy:${PROXY_PORT}` } })
        await Promise.all([1, 2, 3, 4, 5, 6].map((i) => browser.get(`http://server/${name}-${i}`)))
        browser.client.close()
      }),
    )
    return peak
  })
}

/** E21: persistent connections of HTTP/1.1. */
export const persistent = defineExperiment({
  id: 'persistent',
  fact: 'E21',
  title: 'HTTP/1.1 connections stay unless somebody says close',
  question: 'How many connections do clients and proxies need when connections stay, and who may end them?',
  read: ['RFC 9112 §9.3', 'RFC 9112 §9.6', 'RFC 2616 §8.1.4 (2 a user, 2N a proxy)'],
  parameters: { ...PARAMETERS, users: { default: '3', unit: 'count', range: ['1', '20'], doc: 'users of the proxy' } },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['ladder', 'waterfall'],

  async run(context, { requests, max, timeout, users, rtt }) {
    const now = { requests, version: '1.1' } as const
    const plain = await visit(context, { ...now, label: 'nothing said' })
    const client = await visit(context, { ...now, label: 'the client says close', connection: 'close' })
    const server = await visit(context, {
      ...now,
      label: 'the server says close',
      serve: { limits: { requestsPerConnection: max } },
    })
    const chunked = await visit(context, { ...now, label: 'length unknown', isOpenEnded: true })
    const slow = await visit(context, {
      ...now,
      label: 'the server closes when idle',
      serve: { timeouts: { idleUs: timeout } },
      pauseUs: timeout + SECOND,
    })
    const peak = await usersOfProxy(context, users, rtt)
    const unit = 'connections'
    return {
      claims: [
        claimExact(
          { text: 'Nobody says anything: one connection serves all.', because: 'RFC 9112 §9.3', unit },
          plain,
          1,
        ),
        claimExact(
          { text: 'The client says Connection: close each time: one each.', because: 'RFC 9112 §9.6', unit },
          client,
          requests,
        ),
        claimExact(
          {
            text: 'The server says it now and then, and the client goes on elsewhere.',
            because: `ceil(n / ${max})`,
            unit,
          },
          server,
          Math.ceil(requests / max),
        ),
        claimExact(
          { text: 'Chunks keep a connection whose bodies have no known length.', because: 'RFC 9112 §7.1', unit },
          chunked,
          1,
        ),
        claimExact(
          {
            text: 'Either side may close at any time: no request fails, each opens anew.',
            because: 'RFC 9112 §9.5',
            unit,
          },
          slow,
          requests,
        ),
        claimAtMost(
          {
            text: 'A proxy for N users keeps to 2N connections to a server.',
            because: `RFC 2616 §8.1.4; each user has 2 to the proxy`,
            unit,
            beside: [figure('users', users)],
          },
          peak,
          2 * users,
        ),
      ],
    }
  },
})
