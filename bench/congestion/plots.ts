// `npm run plots`: draws the window, the threshold, what is in flight and the round trip of one transfer for each controller, under one
// pattern of losses, as SVG. Virtual time: the figures are the same on every machine.
//   npm run plots -- [--seconds 40] [--out docs/figures] [reno cubic bbr ...]

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { congestionControlNames } from '../../src/tcp/index.ts'
import { LOSSES, PATH, type Run, run } from './run.ts'

const WIDTH = 960
const COLOURS = { cwnd: '#1f5fbf', ssthresh: '#c23b22', 'in flight': '#8a8a8a', rtt: '#2e7d32' }

type Dom = ReturnType<typeof parseHTML>['document']

/** What Plot makes of it, as far as it is needed here. */
interface Drawing {
  readonly outerHTML: string
  setAttribute(name: string, value: string): void
}

interface Point {
  readonly t: number
  readonly y: number
}

/** What the eye can tell apart: a point for each 40 ms, and wherever the value jumps. */
function thin(points: readonly Point[]): Point[] {
  const jump = Math.max(...points.map(({ y }) => y)) / 50
  const kept: Point[] = []
  for (const point of points) {
    const last = kept.at(-1)
    if (last === undefined || point.t - last.t >= 0.04 || Math.abs(point.y - last.y) > jump) kept.push(point)
  }
  return kept
}

const lossRules = (lost: readonly number[]) =>
  Plot.ruleX(lost, { x: (at: number) => at / 1e6, stroke: '#c23b22', strokeOpacity: 0.35, strokeDasharray: '2,3' })

/** cwnd, ssthresh and what is in flight, in segments, against time. */
function windowPlot(run: Run, document: Dom): Drawing {
  const of = (pick: (event: { cwnd: number; ssthresh: number; inFlight: number }) => number): Point[] =>
    run.events.flatMap((e) => (e.kind === 'window' ? [{ t: e.at / 1e6, y: pick(e) / run.mss }] : []))
  const inFlight = of((e) => e.inFlight)
  const cwnd = of((e) => e.cwnd)
  const ssthresh = of((e) => e.ssthresh).filter(({ y }) => Number.isFinite(y))
  const most = Math.max(...inFlight.map(({ y }) => y), ...cwnd.map(({ y }) => Math.min(y, 400)))
  const line = (data: readonly Point[], stroke: string, strokeWidth: number) =>
    Plot.line(thin(data), { x: 't', y: 'y', stroke, strokeWidth, curve: 'step-after', clip: true })
  const bdp = (PATH.rateBps * 2 * PATH.delayUs) / 8e6 / (run.mss + 52)
  return Plot.plot({
    document,
    width: WIDTH,
    height: 300,
    x: { label: 'seconds', domain: [0, run.seconds] },
    y: { label: 'segments', domain: [0, most * 1.05], grid: true },
    marks: [
      lossRules(run.lost),
      Plot.ruleY([bdp, bdp + PATH.queuePackets], { stroke: '#bbb', strokeDasharray: '6,4' }),
      line(inFlight, COLOURS['in flight'], 0.6),
      line(ssthresh, COLOURS.ssthresh, 1),
      line(cwnd, COLOURS.cwnd, 1.4),
    ],
  })
}

/** Round trips as they were measured, in milliseconds. */
function rttPlot(run: Run, document: Dom): Drawing {
  const points = thin(run.events.flatMap((e) => (e.kind === 'rtt' ? [{ t: e.at / 1e6, y: e.rttUs / 1000 }] : [])))
  return Plot.plot({
    document,
    width: WIDTH,
    height: 160,
    x: { label: 'seconds', domain: [0, run.seconds] },
    y: { label: 'round trip, ms', domain: [0, Math.max(...points.map(({ y }) => y)) * 1.05], grid: true },
    marks: [
      lossRules(run.lost),
      Plot.line(points, { x: 't', y: 'y', stroke: COLOURS.rtt, strokeWidth: 0.8, clip: true }),
    ],
  })
}

/** Both, one above the other, with a title and a legend, as one SVG. */
function figure(run: Run): string {
  const { document } = parseHTML('<html><body></body></html>')
  const panels = [windowPlot(run, document), rttPlot(run, document)]
  const rate = ((run.received * 8) / run.seconds / 1e6).toFixed(2)
  const title = `${run.congestion}: ${rate} Mbit/s of 10, round trip 100 ms, queue of one bandwidth-delay product (dashed)`
  const legend = Object.entries(COLOURS)
    .map(([name, colour], i) => `<tspan x="${560 + i * 95}" fill="${colour}">■ ${name}</tspan>`)
    .join('')
  const placed = panels.map((panel, i) => {
    panel.setAttribute('y', String(48 + i * 300))
    // Coordinates to a tenth of a pixel.
    return panel.outerHTML.replace(/\d+\.\d{2,}/g, (number) => String(Math.round(Number(number) * 10) / 10))
  })
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="520" viewBox="0 0 ${WIDTH} 520" ` +
    `font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>` +
    `<text x="40" y="20" font-size="15">${title}</text><text y="40">${legend}</text>` +
    `<text x="40" y="40" fill="#c23b22" fill-opacity="0.6">┊ lost on the line</text>${placed.join('')}</svg>\n`
  )
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '40' }, out: { type: 'string', default: 'docs/figures' } },
  })
  const names = positionals.length > 0 ? positionals : ['reno', 'cubic', 'bbr']
  const seconds = Number(values.seconds)
  const unknown = names.filter((name) => !congestionControlNames().includes(name))
  if (!(seconds > 0 && seconds <= 3600) || unknown.length > 0) {
    const mend =
      unknown.length > 0 ? `no controller ${unknown.join(', ')}; there are: ${congestionControlNames().join(', ')}` : ''
    process.stderr.write(`plots: ${mend || `--seconds ${values.seconds}: give 1 to 3600 seconds`}\n`)
    process.exitCode = 2
    return
  }
  mkdirSync(values.out, { recursive: true })
  process.stderr.write(`losses: ${LOSSES.map(([at, n]) => `${n} at ${at / 1e6} s`).join(', ')}\n`)
  for (const name of names) {
    const result = await run(name, seconds)
    const path = join(values.out, `congestion-${name}.svg`)
    writeFileSync(path, figure(result))
    const resent = result.events.filter((e) => e.kind === 'retransmit').length
    process.stdout.write(
      `${path}  ${((result.received * 8) / result.seconds / 1e6).toFixed(2)} Mbit/s, ${resent} sent again\n`,
    )
  }
}

await main()
