// Client, up to four proxies, server, in every order of smart and blind ones: what each link carries, what hangs, what is opened.
// What is expected is said by chain-rule.ts, hop by hop.
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { answerVia, chains, outcome, requestOn, type Talker } from './chain-rule.ts'
import type { RawPeer } from './helpers.ts'
import { at, World } from './proxy-helpers.ts'

const IDLE = { server: 15 * SECOND, smart: 10 * SECOND }
const TALKERS: readonly Talker[] = [
  { version: '1.0', field: 'Connection' },
  { version: '1.0', field: 'Proxy-Connection' },
  { version: '1.0', field: null },
  { version: '1.1', field: null },
]

function build(world: World, chain: string): void {
  world.server('o', (request) => ({ headers: { 'X-Answer': '1' }, body: `body of ${request.path}` }), {
    timeouts: { idleUs: IDLE.server },
  })
  ;[...chain].forEach((kind, i) => {
    const isLast = i === chain.length - 1
    const parent = isLast ? {} : { parent: at(`n${i + 1}`) }
    const [clientTimeouts, serverTimeouts] = [{ idleUs: IDLE.smart }, { responseUs: 60 * SECOND }]
    if (kind === 'b') world.blind(`n${i}`, parent.parent)
    else world.proxy(`n${i}`, { ...parent, clientTimeouts, serverTimeouts })
  })
}

interface Asked {
  readonly text: string
  /** When it was answered, or its connection ended. */
  readonly atUs: number
}

/** Asks as the talker does, on the connection given if there is one; the connection is null behind an answer that ends it. */
async function ask(
  world: World,
  first: string,
  path: string,
  talker: Talker,
  kept: RawPeer | null,
): Promise<[Asked, RawPeer | null]> {
  const peer = kept ?? (await world.dial(first))
  peer.take()
  const tokens = talker.field === 'Connection' ? 'Keep-Alive, X-Hop' : 'X-Hop'
  const extra = talker.field === 'Proxy-Connection' ? 'Proxy-Connection: Keep-Alive\r\n' : ''
  const head = `GET http://o${path} HTTP/${talker.version}\r\nHost: o\r\nConnection: ${tokens}\r\n${extra}X-Hop: 1\r\nAccept: a/b\r\n\r\n`
  let atUs = -1
  const note = (): void => {
    if (atUs === -1 && (peer.ended || peer.received.endsWith(`body of ${path}`))) atUs = world.scheduler.now()
  }
  for (const event of ['data', 'end', 'close'] as const) peer.stream.on(event, note)
  peer.send(head)
  await world.scheduler.settle()
  while (atUs === -1 && world.scheduler.now() < 60 * SECOND)
    await world.scheduler.run(world.scheduler.now() + 5 * SECOND)
  const text = peer.take()
  const stays = talker.version === '1.1' || /\r\nConnection: keep-alive\r\n/i.test(text)
  return [{ text, atUs }, stays ? peer : null]
}

const viaOf = (text: string): string => [...text.matchAll(/\r\nVia: (.*)/g)].map(([, value]) => value).join(', ')
const nodes = (chain: string): string[] => ['client', ...[...chain].map((_, i) => `n${i}`), 'o']

describe.each(chains(0, 4))('client, %s, server', (chain) => {
  const first = chain === '' ? 'o' : 'n0'

  it.each(TALKERS)('HTTP/$version, Keep-Alive in $field (RFC 9112 §9.3, appendix C.2.2)', async (talker) => {
    const world = new World()
    build(world, chain)
    const [one, kept] = await ask(world, first, '/1', talker, null)
    expect(one.atUs).toBe(0)
    expect(one.text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*X-Answer: 1\r\n.*body of \/1$/s)
    expect(viaOf(one.text)).toBe(answerVia(chain))

    const expected = outcome(chain, talker, IDLE)
    const [two] = await ask(world, first, '/2', talker, kept)
    expect({ answered: two.text !== '', waits: two.atUs }).toEqual({
      answered: expected.answered,
      waits: expected.waits,
    })
    if (expected.answered) expect(two.text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*body of \/2$/s)

    const names = nodes(chain)
    const opened = names
      .slice(1)
      .map((to, link) => world.dialled.filter((one) => one === `${names[link]} > ${to}`).length)
    expect(opened).toEqual(expected.connections)
    for (const [link, to] of names.slice(1).entries()) {
      const said = requestOn(chain, link, talker)
      const wire = world.wires[world.dialled.indexOf(`${names[link]} > ${to}`)].written
      const target = said.form === 'absolute' ? 'http://o/1' : '/1'
      expect(wire.slice(0, wire.indexOf('\r\n')), `${names[link]} > ${to}`).toBe(`GET ${target} HTTP/${said.version}`)
      const head = wire.slice(0, wire.indexOf('\r\n\r\n') + 2)
      expect(head).toContain('\r\nHost: o\r\n')
      expect(head).toContain('\r\nAccept: a/b\r\n')
      expect(viaOf(head)).toBe(said.via)
      expect(/\r\nX-Hop: 1\r\n/.test(head)).toBe(said.hopFields)
      expect(/\r\nConnection: [^\r]*X-Hop\r\n/.test(head)).toBe(said.hopFields)
      expect(/\r\nProxy-Connection:/.test(head)).toBe(said.hopFields && talker.field === 'Proxy-Connection')
    }
  })
})
