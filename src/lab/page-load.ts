// A page and its images, loaded in each of the ways in which HTTP has used connections: what the experiments on connections compare.
// Owns: the ways, the lines, what is counted. Does not own: HTTP (src/http), TCP, what is concluded (experiments/).

import type { Micros } from '../base/time.ts'
import { dataFrom } from './measure.ts'
import { loadMultiplexed } from './multiplex.ts'
import { type Link, pairOf, type Topology } from './topology.ts'
import { bodyOf, browse, serve } from './web.ts'
import type { World } from './world.ts'

/** TCP for exact arithmetic: every acknowledgement goes at once, and the window doubles each round trip. */
export const PLAIN_TCP = { congestion: 'reno', delayedAckUs: 0 } as const
/** Text of a full segment on Ethernet with timestamps: 1500 - 20 - 20 - 12. */
export const MSS = 1448
/** Segments of the initial window (RFC 6928). */
const INITIAL_WINDOW = 10
/** A head of an answer here, at most. */
const HEAD_BYTES = 80

/** A page: its text names so many images. */
export interface Page {
  readonly htmlBytes: number
  readonly images: number
  readonly imageBytes: number
  /** How long the server thinks about the first image. */
  readonly slowFirstUs?: Micros
}

/** How connections are used. */
export type Way = 'serial' | 'parallel' | 'persistent' | 'pipelined' | 'persistent + parallel' | 'multiplexed'

/** All of them, from the oldest on. */
export const WAYS: readonly Way[] = [
  'serial',
  'parallel',
  'persistent',
  'pipelined',
  'persistent + parallel',
  'multiplexed',
]

/** An object that was loaded, by the client's clock. */
export interface Loaded {
  readonly path: string
  readonly startedAt: Micros
  readonly firstByteAt: Micros
  readonly endedAt: Micros
}

/** What loading a page cost. */
export interface PageLoad {
  readonly objects: readonly Loaded[]
  readonly totalUs: Micros
  /** Connections opened. */
  readonly connections: number
  /** Connections that the server had at once, at most. */
  readonly peak: number
}

/** A line between client and server. */
export function lineOf(rttUs: Micros, line: Omit<Link, 'from' | 'to' | 'delay'> = {}): Topology {
  return pairOf({ delay: rttUs / 2, ...line })
}

const pathOf = (i: number): string => (i === 0 ? '/' : `/image-${i}`)

/** Loads a page in one of the ways, inside `world.run`. The page first; when it has come, what it names. */
export async function loadPage(world: World, page: Page, way: Way, parallel: number): Promise<PageLoad> {
  const sizes = [page.htmlBytes, ...Array.from({ length: page.images }, () => page.imageBytes)]
  const thinkUs = (i: number): Micros => (i === 1 ? (page.slowFirstUs ?? 0) : 0)
  if (way === 'multiplexed') {
    const plans = sizes.map((bytes, i) => ({ path: pathOf(i), bytes, thinkUs: thinkUs(i) }))
    const ends = await loadMultiplexed(world, plans, 443)
    return summary(
      ends.map((end, i) => ({ path: pathOf(i), ...end })),
      1,
      1,
    )
  }
  let peak = 0
  const site = await serve(world, 'server', async (request) => {
    peak = Math.max(peak, site.connectionCount)
    const i = request.path === '/' ? 0 : Number(request.path.slice('/image-'.length))
    if (thinkUs(i) > 0) await world.sleep(thinkUs(i))
    return { status: 200, body: bodyOf(sizes[i]) }
  })
  const isKept = way !== 'serial' && way !== 'parallel'
  const isAtOnce = way !== 'serial' && way !== 'persistent'
  const browser = browse(world, 'client', {
    keepAlive: isKept,
    maxPerOrigin: way === 'parallel' || way === 'persistent + parallel' ? parallel : 1,
    pipelineDepth: way === 'pipelined' ? 1000 : 1,
  })
  const get = async (i: number): Promise<Loaded> => ({
    path: pathOf(i),
    ...(await browser.get(`http://server${pathOf(i)}`)),
  })
  const objects = [await get(0)]
  const rest = sizes.slice(1).map((_, i) => i + 1)
  if (isAtOnce) objects.push(...(await Promise.all(rest.map(get))))
  else for (const i of rest) objects.push(await get(i))
  const { connections } = browser.client.counters
  browser.client.close()
  return summary(objects, connections, peak)
}

function summary(objects: readonly Loaded[], connections: number, peak: number): PageLoad {
  const totalUs = Math.max(...objects.map(({ endedAt }) => endedAt)) - objects[0].startedAt
  return { objects, totalUs, connections, peak }
}

/** Runs a world that loads a page once. */
export function loadIn(world: World, page: Page, way: Way, parallel: number): Promise<PageLoad> {
  return world.run(() => loadPage(world, page, way, parallel))
}

/** Rounds that an answer of so many bytes needs on a new connection (RFC 5681 §3.1, RFC 6928). */
export function roundsFor(bytes: number): number {
  return Math.ceil(Math.log2(Math.ceil((bytes + HEAD_BYTES) / MSS) / INITIAL_WINDOW + 1))
}

/** Round trips for an object on a connection of its own: one to open it, and those of its answer. */
export function tripsAlone(bytes: number): number {
  return 1 + roundsFor(bytes)
}

/** Segments with text that the server sent, those that went again among them. */
export function segmentsSent(world: World): { all: number; again: number } {
  const packets = dataFrom(world.record(), 'server')
  return { all: packets.length, again: packets.filter(({ isAgain }) => isAgain).length }
}

/** What a connection needs for answers one after another, each asked for when the last one has come; without the handshake. */
export class KeptWindow {
  /** Segments that may be under way (RFC 5681 §3.1: one more for each one acknowledged). */
  #window = INITIAL_WINDOW

  /** Round trips of the next answer. */
  trips(bytes: number): number {
    let left = Math.ceil((bytes + HEAD_BYTES) / MSS)
    let count = 0
    for (; left > 0; count++) {
      const sent = Math.min(left, this.#window)
      this.#window += sent
      left -= sent
    }
    return count
  }
}

/** Round trips on a line that is only long: the same schedule on paper. The first size is the page's. */
export function tripsOf(way: Way, sizes: readonly number[], parallel: number): number {
  const [html, ...images] = sizes
  const sum = images.reduce((all, bytes) => all + bytes, 0)
  switch (way) {
    case 'serial':
      return sizes.reduce((trips, bytes) => trips + tripsAlone(bytes), 0)
    case 'parallel':
      return tripsAlone(html) + earliest(images, new Array(parallel).fill(0), (bytes) => tripsAlone(bytes))
    case 'persistent':
      return 1 + persistentTrips(sizes)
    case 'pipelined':
    case 'multiplexed':
      // The heads of the answers are small beside the rounding to whole segments.
      return 1 + persistentTrips([html, sum])
    default: {
      const windows = Array.from({ length: parallel }, () => new KeptWindow())
      const first = windows[0].trips(html)
      // The connection of the page is free at once, the others after a handshake.
      const free = windows.map((_, i) => (i === 0 ? 0 : 1))
      return 1 + first + earliest(images, free, (bytes, i) => windows[i].trips(bytes))
    }
  }
}

function persistentTrips(sizes: readonly number[]): number {
  const window = new KeptWindow()
  return sizes.reduce((trips, bytes) => trips + window.trips(bytes), 0)
}

/** Gives each answer to the connection that is free first; when the last one has come. */
function earliest(images: readonly number[], free: number[], trips: (bytes: number, i: number) => number): number {
  let end = 0
  for (const bytes of images) {
    const i = free.indexOf(Math.min(...free))
    free[i] += trips(bytes, i)
    end = Math.max(end, free[i])
  }
  return end
}
