// E18: where parallel connections stop helping: the narrower the line, the less there is to overlap, until they only lose packets to one
// another; on a lossy line the gain shrinks too; and the server pays for every connection.

import type { Micros } from '../../base/time.ts'
import { claimAtLeast, claimExact, claimOrder, claimTrue, figure } from '../claims.ts'
import type { RunContext } from '../context.ts'
import { defineExperiment } from '../define.ts'
import { inMs, mean, rounded } from '../measure.ts'
import { lineOf, loadIn, loadPage, type Page, type PageLoad, PLAIN_TCP, segmentsSent, type Way } from '../page-load.ts'
import type { Link, Topology } from '../topology.ts'
import type { Claim } from '../types.ts'
import { bodyOf, browse, serve } from '../web.ts'
import type { World } from '../world.ts'

/** Bits per second, from a modem on. */
const RATES = [64e3, 128e3, 256e3, 512e3, 1e6, 4e6, 16e6, 100e6]
const LOSSES = [0, 0.02, 0.1]
const REPEATS = [0, 1, 2, 3]
const CLIENTS = 10

type Line = Omit<Link, 'from' | 'to' | 'delay'>

interface Conditions {
  readonly page: Page
  readonly rtt: Micros
  readonly parallel: number
}

async function took(
  context: RunContext,
  { page, rtt, parallel }: Conditions,
  line: Line,
  way: Way,
  repeat = 0,
): Promise<number> {
  const world = context.world({ label: '', isShown: false, repeat, topology: lineOf(rtt, line), tcp: PLAIN_TCP })
  return inMs((await loadIn(world, page, way, parallel)).totalUs)
}

/** Where a gain falls below 1, between two rates, on a logarithmic scale; 0 when it never does. */
function crossing(gains: readonly number[]): number {
  const i = gains.findIndex((gain) => gain >= 1)
  if (i <= 0) return 0
  const share = (1 - gains[i - 1]) / (gains[i] - gains[i - 1])
  return Math.round(RATES[i - 1] * (RATES[i] / RATES[i - 1]) ** share)
}

/** Several users of one server, each with `connections` at once. @returns how many connections the server had, at most */
async function crowd(context: RunContext, rtt: Micros, connections: number): Promise<number> {
  const names = Array.from({ length: CLIENTS }, (_, i) => `client${i + 1}`)
  const topology: Topology = {
    hosts: { server: {}, ...Object.fromEntries(names.map((name) => [name, {}])) },
    routers: ['middle'],
    links: ['server', ...names].map((from) => ({ from, to: 'middle', delay: rtt / 4 })),
  }
  const world = context.world({ label: '', isShown: false, topology, tcp: PLAIN_TCP })
  return world.run(async () => {
    let peak = 0
    const site = await serve(world, 'server', () => {
      peak = Math.max(peak, site.connectionCount)
      return { status: 200, body: bodyOf(30_000) }
    })
    const ask = async (name: string): Promise<void> => {
      const browser = browse(world, name, { maxPerOrigin: connections })
      const urls = Array.from({ length: 6 }, (_, i) => `http://server/${i}`)
      await Promise.all(urls.map((url) => browser.get(url)))
      browser.client.close()
    }
    await Promise.all(names.map(ask))
    return peak
  })
}

/** What the claims are reckoned from. */
interface Measured {
  readonly gains: readonly number[]
  readonly crossesAt: number
  readonly one: PageLoad
  readonly many: PageLoad
  readonly wireMs: number
  readonly parallel: number
  readonly queue: number
  readonly oneWorld: World
  readonly manyWorld: World
  readonly lossGains: readonly [string, number][]
  readonly crowds: readonly number[]
}

function firstClaims({ gains, crossesAt, one, many, wireMs }: Measured): Claim[] {
  return [
    claimAtLeast(
      {
        text: 'On a wide line several connections are clearly faster.',
        because: 'the time is round trips, and those overlap',
        unit: 'times as fast',
      },
      rounded(gains[gains.length - 1]),
      1.5,
    ),
    claimTrue(
      {
        text: 'As the line narrows there is a point below which they are slower than one after another.',
        because:
          'the time is that of the bytes on the wire, which nothing overlaps; packets that crowd each other out go twice',
        beside: [
          figure('crossing', Math.round(crossesAt / 1000), 'kbit/s'),
          figure('gain on the narrowest line', rounded(gains[0])),
          figure('gain on the widest', rounded(gains[gains.length - 1])),
        ],
      },
      crossesAt > RATES[0] && crossesAt < RATES[RATES.length - 1],
    ),
    claimAtLeast(
      {
        text: 'No way is faster than the wire.',
        because: 'bytes of the page / rate of the narrowest line',
        unit: 'ms',
      },
      inMs(Math.min(one.totalUs, many.totalUs)),
      rounded(wireMs, 0),
    ),
  ]
}

function otherClaims({ lossGains, parallel, queue, oneWorld, manyWorld, crowds }: Measured): Claim[] {
  return [
    claimOrder(
      {
        text: 'On the narrow line the connections push each other’s packets out of the queue.',
        because: `${parallel} initial windows of 10 packets against a queue of ${queue}`,
        unit: 'packets sent again',
      },
      [
        ['one after another', segmentsSent(oneWorld).again],
        ['at once', segmentsSent(manyWorld).again],
      ],
    ),
    claimOrder(
      {
        text: 'The more is lost, the less they gain.',
        because: `mean of ${REPEATS.length} runs: small connections lose SYNs and last packets, which only a timeout mends`,
        unit: 'times as fast',
      },
      [...lossGains].reverse(),
    ),
    claimExact(
      {
        text: 'The server holds connections for every user: their number times that of the users.',
        because: `${CLIENTS} users with ${parallel} each`,
        unit: 'connections at once',
        beside: [figure('with one each', crowds[0])],
      },
      crowds[1],
      CLIENTS * Math.min(parallel, 6),
    ),
  ]
}

/** E18: the limits of parallel connections. */
export const parallelLimits = defineExperiment({
  id: 'parallel-limits',
  fact: 'E18',
  title: 'Where parallel connections stop helping',
  question:
    'On which lines are several connections no faster than one after another, and what do they cost the server?',
  read: ['RFC 9112 §9.4', 'RFC 2914 §2 (congestion control principles)', 'RFC 6928 §4'],
  parameters: {
    images: { default: '6', unit: 'count', range: ['2', '20'], doc: 'images of the page' },
    image: { default: '30000', unit: 'bytes', range: ['100', '200000'], doc: 'bytes of each image' },
    parallel: { default: '6', unit: 'count', range: ['2', '20'], doc: 'connections at once' },
    queue: { default: '30', unit: 'count', range: ['2', '1000'], doc: 'packets that may wait for the line' },
    rtt: { default: '80ms', unit: 'time', range: ['2ms', '2s'], doc: 'round trip' },
  },
  topology: ({ rtt, queue }) => lineOf(rtt, { rate: RATES[0], queue: `drop-tail ${queue}p` }),
  figures: ['waterfall', 'queue', 'time-sequence'],

  async run(context, { images, image, parallel, queue, rtt }) {
    const page = { htmlBytes: 5000, images, imageBytes: image }
    const conditions = { page, rtt, parallel }
    const line = (rate: number): Line => ({ rate, queue: `drop-tail ${queue}p` })
    const oneWorld = context.world({ label: 'narrow, one after another', tcp: PLAIN_TCP })
    const one = await oneWorld.run(() => loadPage(oneWorld, page, 'serial', 1))
    const manyWorld = context.world({ label: 'narrow, at once', tcp: PLAIN_TCP })
    const many = await manyWorld.run(() => loadPage(manyWorld, page, 'parallel', parallel))

    const rows: (string | number)[][] = []
    const gains: number[] = []
    const kept: number[] = []
    for (const rate of RATES) {
      const serial = await took(context, conditions, line(rate), 'serial')
      const atOnce = await took(context, conditions, line(rate), 'parallel')
      const persistent = await took(context, conditions, line(rate), 'persistent')
      gains.push(serial / atOnce)
      kept.push(serial / persistent)
      rows.push([rate / 1000, serial, atOnce, persistent, rounded(serial / atOnce)])
    }
    const lossGains: [string, number][] = []
    for (const loss of LOSSES) {
      const serial: number[] = []
      const atOnce: number[] = []
      for (const repeat of REPEATS) {
        serial.push(await took(context, conditions, { rate: 10e6, loss }, 'serial', repeat))
        atOnce.push(await took(context, conditions, { rate: 10e6, loss }, 'parallel', repeat))
      }
      lossGains.push([`${loss * 100} % loss`, rounded(mean(serial) / mean(atOnce))])
    }
    const crossesAt = crossing(gains)
    const wireMs = ((5000 + images * image) * 8e3) / RATES[0]
    const crowds = [await crowd(context, rtt, 1), await crowd(context, rtt, parallel)]
    const measured: Measured = {
      gains,
      crossesAt,
      one,
      many,
      wireMs,
      parallel,
      queue,
      oneWorld,
      manyWorld,
      lossGains,
      crowds,
    }
    return {
      claims: [...firstClaims(measured), ...otherClaims(measured)],
      tables: [
        {
          title: 'One page on ever wider lines',
          columns: ['kbit/s', 'one after another, ms', 'at once, ms', 'one kept connection, ms', 'gain'],
          rows,
        },
      ],
      plots: [
        {
          title: 'How many times as fast as one after another',
          x: 'bits per second',
          y: 'gain',
          logX: true,
          curves: [
            { name: `${parallel} at once`, points: RATES.map((rate, i) => [rate, rounded(gains[i], 3)]) },
            { name: 'one kept connection', points: RATES.map((rate, i) => [rate, rounded(kept[i], 3)]) },
            { name: 'no gain', isReference: true, points: RATES.map((rate) => [rate, 1]) },
          ],
        },
      ],
    }
  },
})
