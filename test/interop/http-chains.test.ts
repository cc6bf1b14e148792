// Chains of our proxies, the blind relay, haproxy, nginx and squid over a TUN: what hangs and what is opened, as chain-rule.ts says it for
// chains of ours alone; and requests that two readers may take differently, counted at both ends.
// Ours run in this process, on our stack; the others are processes on Linux's. Every link between the two crosses the device.
// Read first: RFC 9112 §9.3, §11.2, appendix C.2.2.

import { writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BlindRelay, type Connect, HttpCache, HttpProxy, HttpServer } from '../../src/http/index.ts'
import { httpConnector, type TunSocket } from '../../src/net/index.ts'
import { chains, outcome, type Talker } from '../http/chain-rule.ts'
import { attempts } from '../http/smuggling.ts'
import { Background, folder } from './helpers.ts'
import { openSite, type Site } from './site.ts'

/** Hops: ours, ours with a cache, the blind relay, and the others. */
type Hop = 'ours' | 'cache' | 'blind' | 'haproxy' | 'nginx' | 'squid'
const OTHERS = ['haproxy', 'nginx', 'squid'] as const
const [KERNEL, OURS] = ['10.77.0.1', '10.77.0.2']
/** How long idle connections are kept, in milliseconds; by a proxy so much longer that the server's are gone before. */
const IDLE = { server: 2000, smart: 3000 }
/** How long proxies keep theirs to the server. */
const KEPT_MS = 900
const COUNTER = 8301
const FILES = folder()
const OUT = { haproxy: [] as string[], nginx: [] as string[], squid: [] as string[] }
const children: Background[] = []
const cleanups: (() => void)[] = []
let site: Site
let connect: Connect
let nextPort = 8400
/** The chain that is being set up. */
let building = ''
/** Chains in which a request went into a relay that hears nothing any more. */
const unheard = new Set<string>()

interface Place {
  readonly host: string
  readonly port: number
}

// ---- hops

/** Sets a hop up before the next one, and says where it listens. */
function hop(kind: Hop, next: Place): Place {
  const port = nextPort++
  const to = `${next.host}:${next.port}`
  if (kind === 'haproxy')
    OUT.haproxy.push(
      `frontend f${port}\n bind *:${port}\n default_backend b${port}\nbackend b${port}\n server s ${to}\n`,
    )
  else if (kind === 'nginx') {
    OUT.nginx.push(`upstream u${port} { server ${to}; keepalive 4; keepalive_timeout ${KEPT_MS}ms; }
      server { listen ${port}; location / { proxy_pass http://u${port}; } }`)
  } else if (kind === 'squid') {
    OUT.squid.push(`http_port ${port} accel vhost name=p${port}
cache_peer ${next.host} parent ${next.port} 0 no-query no-digest originserver name=n${port}
acl a${port} myportname p${port}\ncache_peer_access n${port} allow a${port}\n`)
  } else {
    own(kind, port, next)
    return { host: OURS, port }
  }
  return { host: KERNEL, port }
}

function own(kind: 'ours' | 'cache' | 'blind', port: number, next: Place): void {
  const { scheduler } = site.host
  const chain = building
  const origin = { protocol: 'http:' as const, ...next }
  const cache = new HttpCache({ scheduler, wallClock: Date.now })
  const times = { timeouts: { keepAliveUs: KEPT_MS * 1000 }, clientTimeouts: { idleUs: IDLE.smart * 1000 } }
  const proxy =
    kind === 'blind'
      ? new BlindRelay({
          scheduler,
          connect,
          parent: origin,
          onEvent: ({ what }) => what === 'unheard' && unheard.add(chain),
        })
      : new HttpProxy({ scheduler, connect, origin, name: `p${port}`, ...times, ...(kind === 'cache' && { cache }) })
  const server = site.host.createServer({ allowHalfOpen: true, noDelay: true }, (socket: TunSocket) =>
    proxy.handleConnection(socket),
  )
  server.listen({ port, backlog: 512 })
  cleanups.push(() => proxy.closeAll())
}

/** A chain of hops; returns where its first one listens. */
function chainOf(hops: readonly Hop[], last: number): Place {
  return hops.reduceRight<Place>((next, kind) => hop(kind, next), { host: KERNEL, port: last })
}

async function startOthers(): Promise<void> {
  const { file, path } = FILES
  writeFileSync(
    file('haproxy.conf'),
    `defaults\n mode http\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n timeout http-keep-alive ${IDLE.smart}ms
 timeout http-request 3s\n retries 1\n retry-on conn-failure empty-response\n maxconn 800\n${OUT.haproxy.join('')}`,
  )
  writeFileSync(
    file('nginx.conf'),
    `daemon off; pid ${file('pid')}; error_log ${file('nginx.err')}; worker_processes 1; events { worker_connections 1024; }
    http { access_log off; keepalive_timeout ${IDLE.smart}ms; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      client_body_temp_path ${path}/b; proxy_temp_path ${path}/p; fastcgi_temp_path ${path}/f; uwsgi_temp_path ${path}/u; scgi_temp_path ${path}/s;
      ${OUT.nginx.join('')} }`,
  )
  writeFileSync(
    file('squid.conf'),
    `http_access allow all\ncache deny all\npid_filename none\ncoredump_dir ${path}\nvisible_hostname test\naccess_log none\ncache_log /dev/null
cache_store_log none\nshutdown_lifetime 0 seconds\nnetdb_filename none\npinger_enable off\nmax_filedescriptors 2048\nlogfile_rotate 0
never_direct allow all\nclient_idle_pconn_timeout 3 seconds\npipeline_prefetch 0\nrequest_timeout 3 seconds\n${OUT.squid.join('')}`,
  )
  children.push(new Background('haproxy', ['-db', '-f', file('haproxy.conf')]))
  children.push(
    new Background('nginx', ['-e', file('nginx.err'), '-p', path, '-c', file('nginx.conf'), '-g', 'user root;']),
  )
  children.push(new Background('squid', ['-N', '-n', `c${process.pid}`, '-f', file('squid.conf')]))
  await Promise.all(
    [OUT.haproxy, OUT.nginx, OUT.squid].map((texts, i) =>
      listens(children[i], Number(/(?:f|u|name=p)([0-9]{4})/.exec(texts[0])?.[1])),
    ),
  )
}

async function listens(child: Background, port: number): Promise<void> {
  await child.until(
    () =>
      new Promise((resolve) => {
        const socket = net.connect(port, KERNEL)
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
        socket.once('connect', () => socket.destroy())
      }),
  )
}

// ---- a client that says raw bytes

/** When any client has heard anything last. */
let lastHeardMs = 0
/** So many looks in a row, 30 ms apart, at which nothing at all is heard, when all that will be answered has been. */
const QUIET_LOOKS = 20
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Heard {
  text: string
  /** When the last byte came, or the connection ended, after it was asked last. */
  atMs: number
  ended: boolean
}

class Client {
  readonly heard: Heard = { text: '', atMs: 0, ended: false }
  readonly #socket: net.Socket
  #startMs = 0
  #wake: (() => void) | null = null

  constructor({ host, port }: Place) {
    this.#socket = net.connect({ host, port })
    this.#socket.on('data', (chunk) => this.#note(chunk.toString('latin1'), false))
    this.#socket.on('error', () => this.#note('', true))
    this.#socket.on('close', () => this.#note('', true))
  }

  #note(text: string, ended: boolean): void {
    this.heard.text += text
    this.heard.ended ||= ended
    lastHeardMs = performance.now()
    this.heard.atMs = performance.now() - this.#startMs
    this.#wake?.()
  }

  /** Says something, and waits until what has come is enough, the connection ends or the time is over. */
  async ask(text: string, isEnough: (text: string) => boolean, limitMs: number): Promise<Heard> {
    Object.assign(this.heard, { text: '', atMs: 0 })
    this.#startMs = performance.now()
    this.#socket.write(text, 'latin1')
    const isDone = (): boolean => this.heard.ended || isEnough(this.heard.text)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs)
      this.#wake = () => {
        if (!isDone()) return
        clearTimeout(timer)
        resolve()
      }
      this.#wake()
    })
    this.#wake = null
    return { ...this.heard }
  }

  close(): void {
    this.#socket.destroy()
  }
}

// ---- the servers at the end

/** Requests of each chain at the server: on which connection, and with which fields of a hop. */
const arrived = new Map<string, { connection: number; fields: string[] }[]>()
const answer: http.RequestListener = (request, response) => {
  const chain = String(request.headers['x-chain'])
  const fields = ['connection', 'proxy-connection', 'keep-alive'].map((name) => String(request.headers[name] ?? ''))
  arrived.set(chain, [...(arrived.get(chain) ?? []), { connection: request.socket.remotePort ?? 0, fields }])
  response.setHeader('Content-Length', 4)
  response.end(request.url?.endsWith('1') ? 'one.' : 'two.')
}
/** One for each chain, at its own port: proxies keep connections by address. */
const origins: http.Server[] = []
async function startOrigin(): Promise<number> {
  const server = http.createServer({ keepAliveTimeout: IDLE.server }, answer)
  origins.push(server)
  const port = nextPort++
  await new Promise<void>((resolve) => server.listen(port, '0.0.0.0', resolve))
  return port
}

/** Paths of the messages that the counting server has seen whole, by chain and attempt. */
const counted = new Map<string, string[]>()
let counter: net.Server

/** A server that reads as strictly as it can and says in its answer which path was asked for. */
function startCounter(): net.Server {
  const server = new HttpServer({
    scheduler: site.host.scheduler,
    role: 'proxy',
    handler: async (request) => {
      await request.bytes()
      const { path } = request
      const id = /c\d+-n\d+-/.exec(path)?.[0] ?? ''
      counted.set(id, [...(counted.get(id) ?? []), path])
      return { status: 200, headers: { 'X-Path': encodeURI(path) }, body: '' }
    },
  })
  return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.handleConnection(socket))
}

// ---- what is set up

const TALKERS: readonly Talker[] = [
  { version: '1.0', field: 'Connection' },
  { version: '1.1', field: null },
]
const KINDS = { s: 'ours', b: 'blind' } as const
/** Chains of ours alone, and with each of the others in the place of a smart one. */
const PATTERNS: readonly { readonly name: string; readonly rule: string; readonly hops: readonly Hop[] }[] = [
  ...chains(1, 4)
    .filter((chain) => chain.length < 3 || /^(?:bsbs|sbsb|ssbb)$/.test(chain))
    .map((rule) => ({ name: rule, rule, hops: [...rule].map((kind) => KINDS[kind as 's' | 'b']) })),
  // squid takes a second squid of its own name for a loop.
  ...OTHERS.flatMap((other) =>
    [...['R', 'bR', 'Rb', 'sR', 'Rs', 'bRb', 'sbR', 'Rbs'], ...(other === 'squid' ? [] : ['RR', 'RbR'])].map(
      (pattern) => ({
        name: pattern.replaceAll('R', `(${other})`),
        rule: pattern.replaceAll('R', 's'),
        hops: [...pattern].map((one) => (one === 'R' ? other : KINDS[one as 's' | 'b'])),
      }),
    ),
  ),
]
/** Each of them for each talker, with hops and a server of its own. */
const HANGING = PATTERNS.flatMap((one) =>
  TALKERS.map((talker) => ({ ...one, talker, id: `${one.name} ${talker.version}` })),
)
const SMUGGLED: readonly (readonly Hop[])[] = [
  ['ours'],
  ['ours', 'ours'],
  ['ours', 'cache'],
  ['ours', 'nginx'],
  ['nginx', 'ours'],
  ['haproxy', 'ours'],
  ['squid', 'ours'],
  ['ours', 'haproxy'],
  ['ours', 'squid'],
]
const fronts = new Map<unknown, Place>()

beforeAll(async () => {
  site = openSite({ offload: true })
  connect = httpConnector(site.host) as Connect
  counter = startCounter()
  await new Promise<void>((resolve) => counter.listen({ port: COUNTER, host: '0.0.0.0', backlog: 512 }, resolve))
  for (const one of HANGING) {
    building = one.id
    fronts.set(one, chainOf(one.hops, await startOrigin()))
  }
  for (const one of SMUGGLED) fronts.set(one, chainOf(one, COUNTER))
  await startOthers()
})

afterAll(async () => {
  for (const cleanup of cleanups) cleanup()
  await Promise.all(children.map((child) => child.stop()))
  for (const origin of origins) {
    origin.closeAllConnections()
    origin.close()
  }
  counter?.close()
  await site?.stop(200)
  FILES.remove()
})

describe('two requests, one behind the other', () => {
  const run = async (one: (typeof HANGING)[number]) => {
    const { id, talker } = one
    const front = fronts.get(one) as Place
    const lines = [`Host: o`, `X-Chain: ${id}`, ...(talker.field === null ? [] : [`${talker.field}: Keep-Alive`])]
    const head = (path: string): string => `GET ${path} HTTP/${talker.version}\r\n${lines.join('\r\n')}\r\n\r\n`
    const startMs = performance.now()
    let client = new Client(front)
    const first = await client.ask(head('/1'), (text) => text.endsWith('one.'), 8000)
    const stays = talker.version === '1.1' || /\r\nConnection: keep-alive\r\n/i.test(first.text)
    if (!stays) {
      client.close()
      client = new Client(front)
    }
    const second = await client.ask(head('/2'), (text) => text.endsWith('two.'), 8000)
    client.close()
    const seen = arrived.get(id) ?? []
    const connections = new Set(seen.map(({ connection }) => connection)).size
    const answered = second.text.endsWith('two.')
    const result = {
      id,
      first: first.text.endsWith('one.'),
      answered,
      hangs: unheard.has(id),
      arrived: seen.length,
      // squid gives an idle connection up at about the time that a hang lasts, before or after the second request.
      connections: unheard.has(id) && one.hops.includes('squid') ? 'either' : connections,
    }
    // On a machine so busy that kept connections have been given up meanwhile, there is nothing to see.
    return { result, isLate: !result.hangs && performance.now() - startMs > KEPT_MS }
  }

  test('what the rules say of chains is so of real ones: answered or not, hanging or not, connections at the server', async () => {
    const results = await Promise.all(HANGING.map(run))
    const inTime = results.filter(({ isLate }) => !isLate)
    expect(inTime.length).toBeGreaterThan(HANGING.length / 3)
    const expected = HANGING.filter((_, i) => !results[i].isLate).map(({ id, rule, talker, hops }) => {
      const { answered, waits, connections: all } = outcome(rule, talker, IDLE)
      const connections = waits > 0 && hops.includes('squid') ? 'either' : all.at(-1)
      return { id, first: true, answered, hangs: waits > 0, arrived: answered ? 2 : 1, connections }
    })
    expect(inTime.map(({ result }) => result)).toEqual(expected)
  })

  test('what a client says of its own hop gets through blind relays only (RFC 9110 §7.6.1)', () => {
    for (const { id, rule } of HANGING.filter(({ talker }) => talker.field !== null)) {
      const [{ fields }] = arrived.get(id) ?? [{ fields: [''] }]
      expect(fields[0] === 'Keep-Alive', id).toBe(!rule.includes('s'))
    }
  })
})

describe('requests that two readers may take differently (RFC 9112 §11.2)', () => {
  test.each(SMUGGLED.map((hops, i) => [hops.join(', '), i] as const))('client, %s, server', async (_, index) => {
    const front = fronts.get(SMUGGLED[index]) as Place
    const all = attempts('', `c${index}-`).filter((__, i) => i % 2 === index % 2)
    const tell = { sent: all.length, answered: 0, refused: 0, silent: 0, messages: 0 }
    const wrong: unknown[] = []
    const results: (readonly [id: string, text: string, answers: string[]])[] = []
    const clients: Client[] = []
    const one = async ({ id, text }: (typeof all)[number]): Promise<void> => {
      const client = new Client(front)
      clients.push(client)
      // A refusal need not be the end: what stands in front may go on with the next message.
      const isOver = (heard: string): boolean => heard.includes(`/after-${id}`)
      const { text: heard } = await client.ask(text, isOver, 20_000)
      client.close()
      const paths = [...heard.matchAll(/\r\nX-Path: (.*)\r\n/gi)].map(([, path]) => decodeURI(path))
      results.push([id, text, paths])
      if (/HTTP\/1\.[01] [45]/.test(heard)) tell.refused++
      else if (paths.length > 0) tell.answered++
      else tell.silent++
    }
    const asked: Promise<void>[] = []
    for (const attempt of all) {
      asked.push(one(attempt))
      // Some wait for more of a body for ever: the others do not wait for them.
      if (asked.length % 32 === 0) await Promise.race([Promise.all(asked), pause(60)])
    }
    for (let looks = 0, seenMs = -1; results.length < all.length && looks < QUIET_LOOKS; looks++) {
      if (seenMs !== lastHeardMs) looks = 0
      seenMs = lastHeardMs
      await pause(30)
    }
    for (const client of clients) client.close()
    await Promise.all(asked)
    for (const [id, text, answers] of results) {
      const got = counted.get(id) ?? []
      tell.messages += got.length
      // Each message at the server is one that the client was answered, and nothing else.
      if ([...got].sort().join() !== [...answers].sort().join()) wrong.push({ id, text, got, answers })
    }
    if (process.env['CHAINS_TELL'] !== undefined) console.log(SMUGGLED[index].join(', '), JSON.stringify(tell))
    expect(wrong).toEqual([])
    expect(all.length).toBeGreaterThan(500)
    expect(tell.messages).toBeGreaterThan(30)
    expect(tell.refused).toBeGreaterThan(250)
  })
})
