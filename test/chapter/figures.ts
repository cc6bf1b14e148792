// Figures of the pages as SVG, drawn from the records of a run: what a report shows in a browser, on paper.
// Owns: the drawing. Does not own: the records (src/lab/record.ts), where the files go (pages.ts).

import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import type { EndRecord, PacketRecord, WorldRecord } from '../../src/lab/record.ts'
import type { Curve, Plot as LabPlot } from '../../src/lab/types.ts'
import { CAUSES } from '../../src/lab/waterfall.ts'

const WIDTH = 760
const COLOURS = ['#1f5fbf', '#c23b22', '#2e7d32', '#8a5a00', '#6a3fa0', '#00838f', '#ad1457', '#607d8b']
const [BLUE, RED, GREEN] = COLOURS
const GREY = '#8a8a8a'
const CAUSE_COLOURS: Readonly<Record<string, string>> = {
  wait: '#c9c9c9',
  resolve: '#2e7d32',
  handshake: '#e0a100',
  tls: '#8a5a00',
  request: '#00838f',
  server: '#607d8b',
  'answers-ahead': '#e8a79a',
  travel: '#1f5fbf',
  'slow-start': '#c23b22',
  'congestion-avoidance': '#ad1457',
  nagle: '#6a3fa0',
  'nagle-delayed-ack': '#3f2468',
  'delayed-ack': '#9c7bd0',
  'peer-window': '#5d6d1e',
  retransmission: '#7a0c0c',
  pacing: '#4aa3a3',
}
/** Points of a curve; the eye sees no more. */
const MOST_POINTS = 400

type Mark = NonNullable<Plot.PlotOptions['marks']>[number]
interface Key {
  readonly name: string
  readonly colour: string
}
interface Point {
  readonly x: number
  readonly y: number
}

function thin(points: readonly Point[]): Point[] {
  if (points.length <= MOST_POINTS) return [...points]
  const step = points.length / MOST_POINTS
  const kept = Array.from({ length: MOST_POINTS }, (_, i) => points[Math.floor(i * step)])
  return [...kept, points[points.length - 1]]
}

/** One chart with a title and a key under it, as a file. */
function chart(title: string, keys: readonly Key[], options: Plot.PlotOptions, height = 260): string {
  const { document } = parseHTML('<html><body></body></html>')
  const drawn = Plot.plot({ document, width: WIDTH, height, marginLeft: 68, ...options }) as unknown as {
    outerHTML: string
    setAttribute(name: string, value: string): void
  }
  let [x, y] = [12, 36]
  const legend = keys.map(({ name, colour }) => {
    const width = 26 + name.length * 6.4
    if (x + width > WIDTH) [x, y] = [12, y + 16]
    const span = `<tspan x="${x}" y="${y}" fill="${colour}">■</tspan><tspan fill="#333"> ${escapeXml(name)}</tspan>`
    x += width
    return span
  })
  drawn.setAttribute('y', String(y + 8))
  const whole = height + y + 12
  const body = drawn.outerHTML
    .replace(/\d+\.\d{2,}/g, (number) => String(Math.round(Number(number) * 10) / 10))
    .replace(/plot-[0-9a-f]+/g, 'plot')
    .replace(/<style>[\s\S]*?<\/style>/, '')
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${whole}" ` +
    `viewBox="0 0 ${WIDTH} ${whole}" font-family="system-ui, sans-serif" font-size="11">` +
    `<rect width="100%" height="100%" fill="white"/><text x="12" y="18" font-size="14">${escapeXml(title)}</text>` +
    `<text>${legend.join('')}</text>${body}</svg>\n`
  )
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

interface Scale {
  readonly label: string
  readonly of: (us: number) => number
}

function timeScale(us: number): Scale {
  return us >= 20e6
    ? { label: 'seconds', of: (at) => at / 1e6 }
    : { label: 'milliseconds', of: (at) => Math.round(at) / 1000 }
}

/** The end that sent most, over all connections of a world. */
function senderOf(world: WorldRecord): EndRecord {
  const ends = world.connections.flatMap((connection) => connection.ends)
  const bytes = (end: EndRecord): number => end.windows.at(-1)?.acknowledged ?? 0
  const [first] = ends.sort((a, b) => bytes(b) - bytes(a))
  if (first === undefined) throw new TypeError(`world '${world.label}' has no connection`)
  return first
}

function windowFigure(world: WorldRecord): string {
  const { windows, mss, host } = senderOf(world)
  const last = windows.at(-1)?.at ?? 1
  const time = timeScale(last)
  const of = (pick: (w: (typeof windows)[number]) => number): Point[] =>
    thin(windows.map((w) => ({ x: time.of(w.at), y: pick(w) / mss })).filter(({ y }) => y >= 0))
  const step = (data: Point[], stroke: string, more: object = {}): Mark =>
    Plot.line(data, { x: 'x', y: 'y', stroke, curve: 'step-after', ...more })
  const threshold = of((w) => w.ssthresh)
  return chart(
    `Congestion window of the ${host}: ${world.label}`,
    [
      { name: 'cwnd', colour: BLUE },
      { name: 'in flight', colour: GREY },
      ...(threshold.length > 0 ? [{ name: 'ssthresh', colour: RED }] : []),
    ],
    {
      x: { label: time.label },
      y: { label: 'segments', grid: true, zero: true },
      marks: [
        step(
          of((w) => w.inFlight),
          GREY,
          { strokeWidth: 1 },
        ),
        step(threshold, RED, { strokeDasharray: '5,4', strokeWidth: 1 }),
        step(
          of((w) => w.cwnd),
          BLUE,
        ),
      ],
    },
  )
}

function sequenceFigure(world: WorldRecord): string {
  const { host } = senderOf(world)
  const own = world.packets.filter((p) => p.from === host && p.sentAt >= 0 && p.textBytes > 0)
  const [first] = own
  const flow = own.filter((p) => p.connection === first?.connection)
  const acks = world.packets.filter((p) => p.to === host && p.connection === first?.connection && p.receivedAt >= 0)
  const time = timeScale(Math.max(...flow.map((p) => p.sentAt)))
  const end = (p: PacketRecord): Point => ({ x: time.of(p.sentAt), y: p.seq + p.textBytes })
  const dots = (list: readonly PacketRecord[], fill: string): Mark =>
    Plot.dot(list.map(end), { x: 'x', y: 'y', fill, r: 2 })
  const ackPoints = acks.filter((p) => p.ack >= 0).map((p) => ({ x: time.of(p.receivedAt), y: p.ack }))
  const again = flow.filter((p) => p.isAgain)
  return chart(
    `Segments of the ${host} by time: ${world.label}`,
    [
      { name: 'sent', colour: BLUE },
      { name: 'acknowledged', colour: GREEN },
      ...(again.length > 0 ? [{ name: 'sent again', colour: RED }] : []),
    ],
    {
      x: { label: time.label },
      y: { label: 'bytes', grid: true, zero: true },
      marks: [
        Plot.line(thin(ackPoints.sort((a, b) => a.x - b.x)), {
          x: 'x',
          y: 'y',
          stroke: GREEN,
          curve: 'step-after',
          strokeWidth: 1,
        }),
        dots(
          flow.filter((p) => !p.isAgain),
          BLUE,
        ),
        dots(again, RED),
      ],
    },
  )
}

function waterfallFigure(worlds: readonly WorldRecord[]): string {
  const rows = worlds.flatMap((world) =>
    world.transactions.map((t, i) => ({
      t,
      // Names come again in other worlds, rows must not.
      row: `${worlds.length > 1 ? `${world.label}: ` : ''}${t.name}${t.isReused ? ' (kept)' : ''}${'\u200b'.repeat(i)}`,
    })),
  )
  const time = timeScale(Math.max(...rows.map(({ t }) => t.endedAt)))
  const bars = rows.flatMap(({ t, row }) =>
    t.slices.map(({ from, to, cause }) => ({ row, x1: time.of(from), x2: time.of(to), fill: CAUSE_COLOURS[cause] })),
  )
  const used = new Set(rows.flatMap(({ t }) => t.slices.map(({ cause }) => cause)))
  const keys = Object.keys(CAUSES).filter((cause) => used.has(cause))
  const longest = Math.max(...rows.map(({ row }) => row.replaceAll('\u200b', '').length))
  return chart(
    `Where the time went${worlds.length === 1 ? `: ${worlds[0].label}` : ''}`,
    keys.map((name) => ({ name, colour: CAUSE_COLOURS[name] })),
    {
      marginLeft: Math.min(330, 16 + longest * 6),
      x: { label: time.label, grid: true },
      y: { label: null, domain: rows.map(({ row }) => row) },
      marks: [Plot.barX(bars, { y: 'row', x1: 'x1', x2: 'x2', fill: 'fill', insetTop: 2, insetBottom: 2 })],
    },
    50 + rows.length * 22,
  )
}

function queueFigure(world: WorldRecord): string {
  const [queue] = [...world.queues].sort((a, b) => b.points.length - a.points.length)
  const most = Math.max(...queue.points.map(([, packets]) => packets))
  const time = timeScale(queue.points.at(-1)?.[0] ?? 1)
  return chart(
    `Queue ${queue.name}: ${world.label}`,
    [
      { name: 'packets that wait', colour: BLUE },
      { name: 'dropped', colour: RED },
    ],
    {
      x: { label: time.label },
      y: { label: 'packets', grid: true, zero: true },
      marks: [
        Plot.line(thin(queue.points.map(([at, packets]) => ({ x: time.of(at), y: packets }))), {
          x: 'x',
          y: 'y',
          stroke: BLUE,
          curve: 'step-after',
          strokeWidth: 1,
        }),
        Plot.dot(thin(queue.drops.map((at) => ({ x: time.of(at), y: most }))), {
          x: 'x',
          y: 'y',
          stroke: RED,
          symbol: 'times',
          r: 3,
        }),
      ],
    },
  )
}

/** A plot of an experiment's own. */
export function plotFigure({ title, x, y, curves, logX, logY }: LabPlot): string {
  const mark = ({ points, shape = 'line', isReference }: Curve, i: number): Mark[] => {
    const data = thin(points.map(([px, py]) => ({ x: px, y: py })))
    const colour = COLOURS[i % COLOURS.length]
    if (shape === 'bars') return [Plot.ruleX(data, { x: 'x', y1: 0, y2: 'y', stroke: colour, strokeWidth: 5 })]
    const dots = Plot.dot(data, { x: 'x', y: 'y', fill: colour, r: 2.5 })
    if (shape === 'dots') return [dots]
    const line = Plot.line(data, {
      x: 'x',
      y: 'y',
      stroke: colour,
      curve: shape === 'step' ? 'step-after' : 'linear',
      ...(isReference ? { strokeDasharray: '5,4' } : {}),
    })
    return isReference || shape === 'step' ? [line] : [line, dots]
  }
  return chart(
    title,
    curves.map(({ name }, i) => ({ name, colour: COLOURS[i % COLOURS.length] })),
    {
      x: { label: x, type: logX ? 'log' : 'linear', grid: false },
      y: { label: y, type: logY ? 'log' : 'linear', grid: true, ...(logY ? {} : { zero: true }) },
      marks: curves.flatMap(mark),
    },
  )
}

/** A figure of worlds, by the name of its kind; all but the waterfall are of the first. @throws {TypeError} for another kind */
export function worldFigure(kind: string, worlds: readonly WorldRecord[]): string {
  switch (kind) {
    case 'window':
      return windowFigure(worlds[0])
    case 'time-sequence':
      return sequenceFigure(worlds[0])
    case 'waterfall':
      return waterfallFigure(worlds)
    case 'queue':
      return queueFigure(worlds[0])
    default:
      throw new TypeError(`there is no figure '${kind}'`)
  }
}
