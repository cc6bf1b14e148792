// Requests that two readers may take differently, sent through chains: every hop sees the same messages, or one of them says no.
// Read first: RFC 9112 §11.2 (request smuggling), §6.3 (message body length).
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { HttpCache } from '../../src/http/cache/cache.ts'
import { HttpConnection } from '../../src/http/connection.ts'
import { ProtocolError } from '../../src/http/errors.ts'
import { endEvent } from '../../src/http/events.ts'
import { HeaderList } from '../../src/http/headers.ts'
import { b, s } from './helpers.ts'
import { at, World } from './proxy-helpers.ts'
import { statuses } from './server-helpers.ts'
import { attempts } from './smuggling.ts'

interface Message {
  readonly method: string
  readonly path: string
  readonly body: string
}

/** What one careful reader sees in some bytes: whole messages, until something is wrong or the connection would close. */
function reference(text: string): Message[] {
  const http = new HttpConnection({ role: 'server' })
  const messages: Message[] = []
  http.receiveData(b(text))
  let body = ''
  try {
    for (;;) {
      const event = http.nextEvent()
      if (typeof event === 'string') return messages
      if (event.type === 'data') body += s(event.data)
      if (event.type !== 'end') continue
      const { method, target } = http.request as { method: string; target: string }
      messages.push({ method, path: target.replace('http://o', ''), body })
      body = ''
      const headers = new HeaderList({ 'Content-Length': 0 })
      http.send({ type: 'response', status: 200, reason: '', version: '1.1', headers })
      http.send(endEvent())
      if (!http.keepAlive) return messages
      http.startNextCycle()
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return messages
  }
}

/** Careless readers: each believes another field, or ends its lines otherwise. */
const NAIVE = ['length', 'chunks', 'bare LF'] as const

/** The messages that a careless reader finds on a wire. */
function naive(text: string, kind: (typeof NAIVE)[number]): string[] {
  const found: string[] = []
  let rest = text
  while (rest !== '') {
    const end = kind === 'bare LF' ? /\r?\n\r?\n/.exec(rest) : /\r\n\r\n/.exec(rest)
    if (end === null) return [...found, `unfinished ${rest}`]
    const head = rest.slice(0, end.index).split(kind === 'bare LF' ? /\r?\n/ : '\r\n')
    rest = rest.slice(end.index + end[0].length)
    const field = (name: RegExp): string | undefined =>
      head
        .slice(1)
        .find((line) => name.test(line))
        ?.split(':')[1]
    const length = field(/^content.length\s*:/i)
    const isChunked = /chunked/i.test(field(/^transfer.encoding\s*:/i) ?? '')
    let body = ''
    if (isChunked && (kind === 'chunks' || length === undefined)) {
      for (;;) {
        const size = Number.parseInt(rest, 16)
        if (Number.isNaN(size)) return [...found, `unfinished ${head[0]}`]
        rest = rest.slice(rest.indexOf('\n') + 1)
        body += rest.slice(0, size)
        if (size === 0) break
        rest = rest.slice(size + 2)
      }
      rest = rest.replace(/^(?:[^\r\n]+\r?\n)*\r?\n/, '')
    } else {
      body = rest.slice(0, Number(length ?? 0))
      rest = rest.slice(Number(length ?? 0))
    }
    found.push(`${head[0]} ${body}`)
  }
  return found
}

const CHAINS: Readonly<Record<string, (world: World) => void>> = {
  smart: (world) => {
    world.proxy('a')
  },
  'smart, smart with a cache': (world) => {
    world.proxy('a', { parent: at('b') })
    world.proxy('b', { cache: new HttpCache({ scheduler: world.scheduler, wallClock: () => 0, name: 'b' }) })
  },
  'smart, smart, with connections shared by all': (world) => {
    world.proxy('a', { parent: at('b') })
    world.proxy('b')
  },
  'smart, blind, smart': (world) => {
    const timeouts = { keepAliveUs: 1 }
    world.proxy('a', { parent: at('x'), timeouts, connectionsPerUser: 1000 })
    world.blind('x', at('b'))
    world.proxy('b', { clientTimeouts: { idleUs: 1 } })
  },
}

/** Which of the attempts go through a chain: every so-many-th. Every chain of http-chains.test.ts gets half of them. */
const SHARES: Readonly<Record<string, readonly [every: number, from: number]>> = {
  smart: [6, 1],
  'smart, smart with a cache': [6, 3],
  'smart, smart, with connections shared by all': [2, 0],
  'smart, blind, smart': [6, 5],
}

describe('every hop sees the same messages, or an error (RFC 9112 §11.2)', () => {
  it.each(Object.keys(CHAINS))('client, %s, server', async (chain) => {
    const world = new World()
    const arrived = new Map<string, Message[]>()
    world.server(
      'o',
      async (request) => {
        const body = await request.text()
        const id = /n[0-9]+-/.exec(request.target)?.[0] ?? ''
        arrived.set(id, [...(arrived.get(id) ?? []), { method: request.method, path: request.target, body }])
        return { body: 'ok' }
      },
      { role: 'proxy' },
    )
    CHAINS[chain](world)
    const hasBlind = chain.includes('blind')
    const [share, place] = SHARES[chain]
    const all = attempts().filter((_, i) => i % share === place)
    const peers = []
    for (let i = 0; i < all.length; i += 100) {
      for (const { text } of all.slice(i, i + 100)) {
        const peer = await world.dial('a')
        peer.send(text)
        peers.push(peer)
      }
      await world.scheduler.run(world.scheduler.now() + 2 * SECOND)
    }
    let passed = 0
    let refused = 0
    for (const [i, { id, text }] of all.entries()) {
      const expected = reference(text)
      const got = arrived.get(id) ?? []
      // What has arrived is what was sent, no more and not otherwise.
      for (const message of got) expect(expected, text).toContainEqual(message)
      expect(new Set(got.map(({ path }) => path)).size, text).toBe(got.length)
      const codes = statuses(peers[i].received).filter((code) => code >= 200)
      expect(codes.filter((code) => code === 200).length, text).toBeLessThanOrEqual(got.length)
      expect(codes.length, text).toBeLessThanOrEqual(expected.length + 1)
      if (codes.some((code) => code >= 400)) refused++
      // A relay of 1996 knows no chunks: a body of them hangs in it, which is an error too.
      else if (!hasBlind || codes.length > 0) {
        passed++
        expect(codes.length, text).toBe(expected.length)
        expect(got.length, text).toBe(expected.length)
      }
    }
    const least = 1000 / share
    expect(all.length).toBeGreaterThan(least)
    expect(passed).toBeGreaterThan(least / 100)
    expect(refused).toBeGreaterThan(least / 2)
    // What the proxies have sent is read alike by careless readers too.
    for (const wire of world.wires.filter((_, i) => !world.dialled[i].startsWith('client'))) {
      const [one, ...others] = NAIVE.map((kind) => naive(wire.written, kind))
      for (const other of others) expect(other).toEqual(one)
      if (!hasBlind) expect(one.join()).not.toContain('unfinished')
    }
  })
})
