// E5: HTTPS is the same with TLS between HTTP and TCP. TLS agrees on keys before the first request: one round trip by version 1.3, two by
// 1.2; a session that is taken up again saves the certificate, and by 1.2 a round trip.

import type { TLSSocket, TlsOptions } from 'node:tls'
import type { Micros } from '../../base/time.ts'
import { HttpServer } from '../../http/server.ts'
import type { ByteStream } from '../../http/stream.ts'
import { type HttpConnector, httpConnector } from '../../net/http-connect.ts'
import { secureServer } from '../../net/secure-server.ts'
import { claimExact, claimOrder, claimTrue, figure } from '../claims.ts'
import { CLASS_CERTIFICATE, CLASS_KEY } from '../class-certificate.ts'
import { CLASS_NAMES } from '../classroom.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { rounded } from '../measure.ts'
import { PLAIN_TCP } from '../page-load.ts'
import type { PacketRecord } from '../record.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'
import { bodyOf, browse, type Fetched, serve } from '../web.ts'
import type { World } from '../world.ts'

type Version = 'TLSv1.2' | 'TLSv1.3'

/** What lengths depend on is fixed: one curve, and with the certificate one kind of signature. */
const SETTINGS = { ecdhCurve: 'X25519', ALPNProtocols: ['http/1.1'] }

/** By 1.3 a session is taken up again by a ticket alone. */
const WITH_TICKETS = { secureOptions: 0 }

/** What a visit took. */
interface Visit {
  readonly name: string
  readonly rounds: number
  /** From when TCP was connected until TLS was. */
  readonly secureRounds: number
  /** Bytes of text that the server sent until TLS was agreed upon, and in all. */
  readonly keyBytes: number
  readonly packets: number
  readonly bytes: number
  readonly isResumed: boolean
  readonly status: number
}

const textFrom = (packets: readonly PacketRecord[], host: string, until: Micros): number =>
  packets.filter((p) => p.from === host && p.receivedAt <= until).reduce((sum, p) => sum + p.textBytes, 0)

function visitOf(world: World, name: string, before: number, fetched: Fetched, rtt: Micros, isResumed: boolean): Visit {
  const packets = world.record().packets.slice(before)
  const { startedAt, endedAt, status, use } = fetched
  const { connectEndAt = 0, secureEndAt = 0 } = use?.dial ?? {}
  const wire = packets.reduce((sum, p) => sum + p.packetBytes, 0)
  return {
    name,
    rounds: rounded((endedAt - startedAt) / rtt, 3),
    secureRounds: secureEndAt < 0 ? 0 : rounded((secureEndAt - connectEndAt) / rtt, 3),
    keyBytes: secureEndAt < 0 ? 0 : textFrom(packets, 'server', secureEndAt),
    packets: packets.length,
    bytes: wire,
    isResumed,
    status,
  }
}

/** Serves the page by https; sessions are kept, so that they can be taken up again. */
async function serveSecurely(world: World, version: Version, body: Uint8Array): Promise<void> {
  const site = new HttpServer({ scheduler: world.time, handler: () => ({ status: 200, body }) })
  const versions = { minVersion: version, maxVersion: version, ...(version === 'TLSv1.3' ? WITH_TICKETS : {}) }
  const options: TlsOptions = { key: CLASS_KEY, cert: CLASS_CERTIFICATE, ...versions, ...SETTINGS }
  const server = secureServer(options, (socket) => site.handleConnection(socket as ByteStream, { secure: true }))
  const sessions = new Map<string, Uint8Array>()
  server.on('newSession', (id: Uint8Array, data: Uint8Array, done: () => void) => {
    sessions.set(id.join(' '), data)
    done()
  })
  server.on('resumeSession', (id: Uint8Array, done: (error: null, data: Uint8Array | null) => void) =>
    done(null, sessions.get(id.join(' ')) ?? null),
  )
  await world.host('server').serve(server, { port: 443, noDelay: true })
}

/** Two visits, each over a connection of its own, the second with the session of the first. */
async function visitTwice(context: RunContext, version: Version, bytes: number, rtt: Micros): Promise<[Visit, Visit]> {
  const world = context.world({ label: version, tcp: PLAIN_TCP, hasTls: true })
  return world.run(async () => {
    await serveSecurely(world, version, bodyOf(bytes))
    let session: Uint8Array | undefined
    let isResumed = false
    const connector: HttpConnector = async (target, how) => {
      const tls = {
        ca: CLASS_CERTIFICATE,
        servername: CLASS_NAMES.web,
        minVersion: version,
        maxVersion: version,
        ...SETTINGS,
      }
      const more = session === undefined ? {} : { session: session as Buffer }
      const stream = await httpConnector(world.host('client'), { tls: { ...tls, ...more } })(target, how)
      const secure = stream as TLSSocket
      isResumed = secure.isSessionReused()
      const own = secure.getSession() // by 1.2 there at once, by 1.3 told of later
      if (version === 'TLSv1.2') session = own
      else secure.once('session', (data: Uint8Array) => (session = data))
      return stream
    }
    const visit = async (name: string): Promise<Visit> => {
      const before = world.record().packets.length
      const fetched = await browse(world, 'client', { keepAlive: false, connector }).get('https://server/')
      const resumed = isResumed
      await world.sleep(5 * rtt) // for the close
      return visitOf(world, name, before, fetched, rtt, resumed)
    }
    return [await visit(`${version}, full`), await visit(`${version}, resumed`)]
  })
}

async function visitPlain(context: RunContext, bytes: number, rtt: Micros): Promise<Visit> {
  const world = context.world({ label: 'http', tcp: PLAIN_TCP })
  return world.run(async () => {
    await serve(world, 'server', () => ({ status: 200, body: bodyOf(bytes) }))
    const fetched = await browse(world, 'client', { keepAlive: false }).get('http://server/')
    await world.sleep(5 * rtt)
    return visitOf(world, 'http', 0, fetched, rtt, false)
  })
}

function claimsOf(plain: Visit, full13: Visit, again13: Visit, full12: Visit, again12: Visit): Claim[] {
  const all = [full13, full12, again13, again12]
  const unit = 'round trips'
  const extra = ({ rounds }: Visit): number => rounded(rounds - plain.rounds, 3)
  return [
    claimExact(
      { text: 'By http the page takes two round trips.', because: 'TCP’s handshake, and the request', unit },
      plain.rounds,
      2,
    ),
    claimExact(
      { text: 'TLS 1.3 adds one.', because: 'RFC 8446 §2: a full handshake is one round trip', unit },
      extra(full13),
      1,
    ),
    claimExact(
      { text: 'TLS 1.2 adds two.', because: 'RFC 5246 §7.3: hellos and keys, then the end of both', unit },
      extra(full12),
      2,
    ),
    claimExact(
      {
        text: 'A session of 1.2 that is taken up again saves one of them.',
        because: 'RFC 5246 §7.3: an abbreviated handshake',
        unit,
      },
      extra(again12),
      1,
    ),
    claimExact(
      {
        text: 'One of 1.3 saves none: the key share goes with the first message anyhow.',
        because: 'RFC 8446 §2.2; sending text with it (0-RTT, §2.3) is another matter, which Node does not do',
        unit,
      },
      extra(again13),
      1,
    ),
    claimOrder(
      {
        text: 'What both save is the certificate and its signature.',
        because: 'RFC 8446 §2.2, RFC 5246 §7.3: the server proves itself by the key of the session',
        unit: 'bytes from the server until there are keys',
      },
      [
        ['TLSv1.3, resumed', again13.keyBytes],
        ['TLSv1.3, full', full13.keyBytes],
      ],
    ),
    claimOrder({ text: 'And so by 1.2.', because: 'the same', unit: 'bytes from the server until there are keys' }, [
      ['TLSv1.2, resumed', again12.keyBytes],
      ['TLSv1.2, full', full12.keyBytes],
    ]),
    claimTrue(
      {
        text: 'The page is the same, and TCP is: between its handshake and the request lie TLS’s round trips and nothing else.',
        because: 'TLS is a layer between HTTP and TCP',
        beside: all.map(({ name, secureRounds }) => figure(name, secureRounds, unit)),
      },
      all.every((visit) => visit.status === 200 && visit.secureRounds === extra(visit)) &&
        [again12, again13].every(({ isResumed }) => isResumed) &&
        [full12, full13].every(({ isResumed }) => !isResumed),
    ),
  ]
}

/** E5: what TLS adds. */
export const https = defineExperiment({
  id: 'https',
  fact: 'E5',
  title: 'HTTPS: TLS between HTTP and TCP',
  question: 'How many round trips and bytes does TLS add to a fetch, the first time and again?',
  read: ['RFC 8446 §2, §2.2', 'RFC 5246 §7.3', 'RFC 9110 §4.2.2'],
  parameters: {
    rtt: { default: '100ms', unit: 'time', range: ['2ms', '1s'], doc: 'round trip' },
    bytes: { default: '2000', unit: 'bytes', range: ['10', '10000'], doc: 'of the page; it fits the initial window' },
  },
  topology: ({ rtt }) => pairOf({ delay: rtt / 2 }),
  figures: ['waterfall', 'ladder'],

  async run(context, { rtt, bytes }) {
    const plain = await visitPlain(context, bytes, rtt)
    const [full13, again13] = await visitTwice(context, 'TLSv1.3', bytes, rtt)
    const [full12, again12] = await visitTwice(context, 'TLSv1.2', bytes, rtt)
    return {
      claims: claimsOf(plain, full13, again13, full12, again12),
      tables: [
        {
          title: 'One page, five ways',
          columns: [
            '',
            'round trips',
            'of them TLS',
            'packets',
            'bytes on the wire',
            'from the server until there are keys',
          ],
          rows: [plain, full13, again13, full12, again12].map((visit) => [
            visit.name,
            visit.rounds,
            visit.secureRounds,
            visit.packets,
            visit.bytes,
            visit.keyBytes,
          ]),
        },
      ],
      why: ['Lengths and times repeat, the bytes of TLS do not: its keys are drawn by Node.'],
    }
  },
})
