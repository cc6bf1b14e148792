// E28: what may be asked again by itself. The connection is cut at every byte of a request and of its answer, for every method, and the
// server counts how often it has done what was asked.

import { isIdempotent as isTakenForIdempotent } from '../../http/status.ts'
import { claimAtMost, claimExact, claimTrue, figure } from '../claims.ts'
import { defineExperiment } from '../define.ts'
import type { LabSocket, LabWorld, Worlds } from '../live.ts'
import { pairOf } from '../topology.ts'
import type { Claim } from '../types.ts'
import { type Browser, browse } from '../web.ts'

/** The methods that are tried. */
export const METHODS = ['GET', 'HEAD', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'POST', 'PATCH'] as const
/** One of them. */
export type Method = (typeof METHODS)[number]

/** RFC 9110 §9.2.2: what it lists, and no others. */
export const isIdempotent = (method: string): boolean =>
  ['GET', 'HEAD', 'PUT', 'DELETE', 'TRACE', 'OPTIONS'].includes(method)

/** In which order a claim gives them. */
const PLACES = 'cuts in the request, before the answer, within it'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n'
const BODY = 'done'
const ORDER = 'one book'
const hasBody = (method: Method): boolean => method === 'PUT' || method === 'POST' || method === 'PATCH'
const answerTo = (method: Method): string => (method === 'HEAD' ? HEAD : HEAD + BODY)

/** Where the connection is cut: after so many bytes of the request, or of the answer; null for never. */
interface Cut {
  readonly side: 'request' | 'answer'
  readonly bytes: number
}

/** What became of all cuts of a method. */
export interface Tally {
  readonly requestBytes: number
  /** Cuts, by where: in the request; before the answer; within it. */
  readonly inRequest: Fate
  readonly beforeAnswer: Fate
  readonly inAnswer: Fate
}

interface Fate {
  cuts: number
  answered: number
  failed: number
  /** Times that the server did what was asked, in all and for one request at most. */
  effects: number
  most: number
}

const noFate = (): Fate => ({ cuts: 0, answered: 0, failed: 0, effects: 0, most: 0 })

/** A server that answers, counts, and cuts one connection in the middle. */
class CuttingServer {
  /** Requests for the order that were complete, and so were done. */
  effects = 0
  /** Bytes of the last complete one. */
  requestBytes = 0
  cut: Cut | null = null
  readonly #world: LabWorld
  readonly #method: Method
  readonly #ends: (socket: LabSocket) => void

  constructor(world: LabWorld, method: Method, ends: (socket: LabSocket) => void) {
    this.#world = world
    this.#method = method
    this.#ends = ends
  }

  async open(): Promise<void> {
    await this.#world.listen('server', 80, (socket) => this.#take(socket), { noDelay: true, allowHalfOpen: true })
  }

  #take(socket: LabSocket): void {
    let text = ''
    let isOver = false
    socket.on('data', (chunk: Uint8Array) => {
      if (isOver) return
      text += new TextDecoder('latin1').decode(chunk)
      if (text.startsWith('GET /first ')) {
        if (!text.endsWith('\r\n\r\n')) return
        text = ''
        socket.write(HEAD + BODY)
        return
      }
      const { cut } = this
      if (cut?.side === 'request' && text.length >= cut.bytes) {
        // The rest of what has come is not read: it was on its way when the connection broke.
        isOver = true
        this.cut = null
        this.#ends(socket)
        return
      }
      if (!isWhole(text)) return
      this.effects++
      this.requestBytes = text.length
      text = ''
      this.cut = null
      const answer = answerTo(this.#method)
      socket.write(answer.slice(0, cut?.bytes ?? answer.length))
      if (cut === null) return
      isOver = true
      // What was written is to arrive before the end does.
      this.#world.time.schedule(this.#world.now() + 1000, () => this.#ends(socket))
    })
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  const length = /\r\nContent-Length: ([0-9]+)/i.exec(text)
  return end >= 0 && text.length >= end + 4 + Number(length?.[1] ?? 0)
}

/** A first request, so that the connection is a kept one; then the one that is cut. Whether it was answered. */
async function order(browser: Browser, method: Method): Promise<boolean> {
  await browser.get('http://server/first')
  const options = hasBody(method) ? { method, body: ORDER } : { method }
  const isAnswered = await browser.get('http://server/order', options).then(
    () => true,
    () => false,
  )
  browser.client.close()
  return isAnswered
}

/** @param step tries every so manieth place only */
export async function cutEverywhere(context: Worlds, method: Method, isReset: boolean, step = 1): Promise<Tally> {
  const world = context.world({ label: '', isShown: false })
  return world.run(async () => {
    const server = new CuttingServer(world, method, isReset ? (s) => s.resetAndDestroy() : (s) => s.destroy())
    await server.open()
    await order(browse(world, 'client'), method)
    const { requestBytes } = server
    const tally = { requestBytes, inRequest: noFate(), beforeAnswer: noFate(), inAnswer: noFate() }
    const cuts: Cut[] = [
      ...Array.from({ length: requestBytes }, (_, bytes) => ({ side: 'request', bytes }) as const),
      ...Array.from({ length: answerTo(method).length }, (_, bytes) => ({ side: 'answer', bytes }) as const),
    ]
    for (const cut of cuts.filter(({ bytes }) => bytes % step === 0)) {
      const fate = cut.side === 'request' ? tally.inRequest : cut.bytes === 0 ? tally.beforeAnswer : tally.inAnswer
      server.cut = cut
      server.effects = 0
      const isAnswered = await order(browse(world, 'client'), method)
      fate.cuts++
      if (isAnswered) fate.answered++
      else fate.failed++
      fate.effects += server.effects
      fate.most = Math.max(fate.most, server.effects)
    }
    return tally
  })
}

/** One cut of one method, for the ladder. */
async function cutOnce(context: Worlds, method: Method, isReset: boolean): Promise<void> {
  const world = context.world({ label: `${method}, cut before its answer` })
  await world.run(async () => {
    const server = new CuttingServer(world, method, isReset ? (s) => s.resetAndDestroy() : (s) => s.destroy())
    await server.open()
    server.cut = { side: 'answer', bytes: 0 }
    await order(browse(world, 'client'), method)
  })
}

const inWords = ({ answered, failed, effects }: Fate): string => `${answered}/${failed}/${effects}`

/** What the rules say of a method: answered, failed, done; for cuts in the request, before the answer, within it. */
function expected(method: Method, { requestBytes }: Tally): string {
  const inAnswer = answerTo(method).length - 1
  // Within the answer nothing is asked again: some of it was seen (RFC 9112 §9.3.1).
  const rest = `0/${inAnswer}/${inAnswer}`
  return isIdempotent(method)
    ? `${requestBytes}/0/${requestBytes}, 1/0/2, ${rest}`
    : `0/${requestBytes}/0, 0/1/1, ${rest}`
}

function claimsOf(tallies: ReadonlyMap<Method, Tally>): Claim[] {
  const of = (wanted: boolean): Method[] => METHODS.filter((method) => isIdempotent(method) === wanted)
  const fates = (method: Method): Fate[] => {
    const { inRequest, beforeAnswer, inAnswer } = tallies.get(method) as Tally
    return [inRequest, beforeAnswer, inAnswer]
  }
  const most = (methods: readonly Method[]): number =>
    Math.max(...methods.flatMap((m) => fates(m).map((fate) => fate.most)))
  const cuts = METHODS.flatMap(fates).reduce((sum, fate) => sum + fate.cuts, 0)
  return [
    claimExact(
      {
        text: 'The client takes GET, HEAD, PUT, DELETE, TRACE and OPTIONS for idempotent; POST, PATCH and CONNECT not.',
        because: 'RFC 9110 §9.2.2, RFC 5789 §2',
      },
      [...METHODS, 'CONNECT'].filter((method) => !isTakenForIdempotent(method)).join(' '),
      'POST PATCH CONNECT',
    ),
    ...METHODS.map((method) => {
      const tally = tallies.get(method) as Tally
      const { inRequest, beforeAnswer, inAnswer } = tally
      return claimExact(
        {
          text: isIdempotent(method)
            ? `${method}: cut before anything of the answer was seen, it is asked again by itself and answered.`
            : `${method}: wherever it is cut, it fails and is not asked again.`,
          because: `RFC 9112 §9.3.1${isIdempotent(method) ? '; done twice when the first had been done' : ''}; ${PLACES}`,
          unit: 'answered/failed/done',
        },
        [inRequest, beforeAnswer, inAnswer].map(inWords).join(', '),
        expected(method, tally),
      )
    }),
    claimAtMost(
      {
        text: 'No POST and no PATCH is done twice.',
        because: 'nobody asks again but the user',
        unit: 'times',
        beside: [figure('cuts', cuts)],
      },
      most(of(false)),
      1,
    ),
    claimTrue(
      {
        text: 'Some idempotent requests are done twice, none more often.',
        because: 'that is what idempotent is good for: twice is as good as once',
        beside: [figure('most', most(of(true)), 'times')],
      },
      of(true).every((method) => most([method]) === 2),
    ),
  ]
}

/** E28: a cut at every byte. */
export const cutAnywhere = defineExperiment({
  id: 'cut-anywhere',
  fact: 'E28',
  title: 'A connection cut at every byte: what is asked again',
  question:
    'Which requests are sent again by themselves when their connection breaks, and how often does the server do what they ask?',
  read: ['RFC 9110 §9.2.2', 'RFC 9112 §9.3.1', 'RFC 5789 §2 (PATCH)'],
  parameters: {
    how: {
      default: 'close',
      unit: 'word',
      oneOf: ['close', 'reset'],
      doc: 'how the server ends the connection: FIN or RST',
    },
  },
  topology: () => pairOf({ delay: '1ms' }),
  figures: ['ladder'],

  async run(context, { how }) {
    const isReset = how === 'reset'
    await cutOnce(context, 'GET', isReset)
    await cutOnce(context, 'POST', isReset)
    const tallies = new Map<Method, Tally>()
    for (const method of METHODS) tallies.set(method, await cutEverywhere(context, method, isReset))
    const row = (
      method: Method,
      where: string,
      { cuts, answered, failed, effects, most }: Fate,
    ): (string | number)[] => [method, where, cuts, answered, failed, effects, most]
    return {
      claims: claimsOf(tallies),
      tables: [
        {
          title: 'Cuts and what became of them',
          columns: ['method', 'cut', 'cuts', 'answered', 'failed', 'times done', 'of one, at most'],
          rows: [...tallies].flatMap(([method, { inRequest, beforeAnswer, inAnswer }]) => [
            row(method, 'in the request', inRequest),
            row(method, 'before the answer', beforeAnswer),
            row(method, 'within the answer', inAnswer),
          ]),
        },
      ],
    }
  },
})
