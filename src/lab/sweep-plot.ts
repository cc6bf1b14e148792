// A sweep's measures as SVG: one picture a measure, x an axis of the grid, one line for each combination of the other axes, with bars for
// the intervals of confidence. It needs nothing to be looked at but a browser.
// Owns: the pictures. Does not own: the numbers (sweep-table.ts).

import { escapeHtml } from './escape.ts'
import { parseParameterText } from './sweep-axis.ts'
import type { SweepPlan } from './sweep-plan.ts'
import type { SweepPoint } from './sweep-table.ts'

const WIDTH = 720
const HEIGHT = 420
const LEFT = 70
const RIGHT = 190
const TOP = 34
const BOTTOM = 48
/** Okabe and Ito's colours, which the colour-blind can tell apart. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8a7d00', '#000000']
/** Lines in one picture; the rest is told, not drawn. */
const MOST_LINES = 16

interface Dot {
  readonly x: number
  readonly text: string
  readonly mean: number
  readonly half: number
}

interface Scale {
  readonly least: number
  readonly most: number
  readonly isLog: boolean
}

/** The axis that x is: the one named, else the first with several values that are all numbers, else the first. Null without a grid. */
export function axisOfX({ axes, x }: SweepPlan): string | null {
  if (x !== null) return x
  const several = axes.filter(({ values }) => values.length > 1)
  const numeric = several.find(({ values }) => values.every((text) => parseParameterText(text) !== null))
  return (numeric ?? several[0] ?? axes[0])?.name ?? null
}

/** The lines of a picture: dots by the values of the other axes. */
function linesOf(plan: SweepPlan, points: readonly SweepPoint[], measure: string, axis: string): Map<string, Dot[]> {
  const values = plan.axes.find(({ name }) => name === axis)?.values ?? []
  const numbers = values.map(parseParameterText)
  const isNumeric = numbers.every((number) => number !== null)
  const others = plan.axes.filter(({ name, values: some }) => name !== axis && some.length > 1)
  const lines = new Map<string, Dot[]>()
  for (const { parameters, measures } of points) {
    const found = measures[measure]
    if (found === undefined) continue
    const at = values.indexOf(parameters[axis])
    const key = others.map(({ name }) => `${name} ${parameters[name]}`).join(', ')
    const x = isNumeric ? (numbers[at] as number) : at
    const half = Number.isFinite(found.half) ? found.half : 0
    const dot = { x, text: parameters[axis], mean: found.mean, half }
    const line = lines.get(key)
    if (line === undefined) lines.set(key, [dot])
    else line.push(dot)
  }
  for (const line of lines.values()) line.sort((a, b) => a.x - b.x)
  return lines
}

function scaleOf(values: readonly number[], mayLog: boolean): Scale {
  const least = Math.min(...values)
  const most = Math.max(...values)
  if (least === most) return { least: least - 1, most: most + 1, isLog: false }
  return { least, most, isLog: mayLog && least > 0 && most / least > 30 }
}

function share(value: number, { least, most, isLog }: Scale): number {
  if (isLog) return Math.log(value / least) / Math.log(most / least)
  return (value - least) / (most - least)
}

/** Round numbers from 0 or the least on, about five of them. */
function ticks({ least, most }: Scale): number[] {
  const raw = (most - least) / 5
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10)
  const first = Math.ceil(least / step)
  return Array.from({ length: Math.floor(most / step) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  )
}

const px = (value: number): string => value.toFixed(1)

interface Frame {
  readonly x: (value: number) => string
  readonly y: (value: number) => string
}

/** One line with its bars, and its name in the legend. */
function drawLine(name: string, line: readonly Dot[], i: number, at: Frame): string[] {
  const colour = COLOURS[i % COLOURS.length]
  const stroke = `stroke="${colour}"${i < COLOURS.length ? '' : ' stroke-dasharray="5 3"'}`
  const path = line.map((dot, n) => `${n === 0 ? 'M' : 'L'}${at.x(dot.x)} ${at.y(dot.mean)}`).join('')
  const bars = line
    .filter(({ half }) => half > 0)
    .map((dot) => `M${at.x(dot.x)} ${at.y(dot.mean - dot.half)}V${at.y(dot.mean + dot.half)}`)
  const legend = TOP + 10 + i * 18
  return [
    `<path d="${path}" fill="none" stroke-width="1.5" ${stroke}/>`,
    `<path d="${bars.join('')}" stroke="${colour}"/>`,
    ...line.map((dot) => `<circle cx="${at.x(dot.x)}" cy="${at.y(dot.mean)}" r="2.5" fill="${colour}"/>`),
    ...(name === ''
      ? []
      : [
          `<path d="M${WIDTH - RIGHT + 12} ${legend - 4}h16" stroke-width="1.5" ${stroke}/>`,
          `<text x="${WIDTH - RIGHT + 34}" y="${legend}" font-size="11">${escapeHtml(name)}</text>`,
        ]),
  ]
}

/** The picture of one measure; '' when there is no axis, or nothing was measured. */
export function sweepSvg(plan: SweepPlan, points: readonly SweepPoint[], measure: string): string {
  const axis = axisOfX(plan)
  const lines = axis === null ? [] : [...linesOf(plan, points, measure, axis)]
  const dots = lines.flatMap(([, line]) => line)
  if (axis === null || dots.length === 0) return ''
  const x = scaleOf(
    dots.map((dot) => dot.x),
    true,
  )
  const y = scaleOf([...dots.flatMap(({ mean, half }) => [mean - half, mean + half]), 0], false)
  const at: Frame = {
    x: (value) => px(LEFT + 8 + share(value, x) * (WIDTH - LEFT - RIGHT - 16)),
    y: (value) => px(HEIGHT - BOTTOM - share(value, y) * (HEIGHT - TOP - BOTTOM)),
  }
  const confidence = `${Math.round(plan.confidence * 1000) / 10} %`
  const title = escapeHtml(`${plan.experiment}: ${measure} (mean, ${confidence} interval)`)
  const texts = new Map(dots.map((dot) => [dot.x, dot.text]))
  const more = lines.length - MOST_LINES
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="14">${title}</text>`,
    ...ticks(y).flatMap((value) => [
      `<path d="M${LEFT} ${at.y(value)}H${WIDTH - RIGHT}" stroke="#ddd"/>`,
      `<text x="${LEFT - 8}" y="${px(Number(at.y(value)) + 4)}" text-anchor="end">${value}</text>`,
    ]),
    ...[...texts].map(
      ([value, text]) =>
        `<text x="${at.x(value)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escapeHtml(text)}</text>`,
    ),
    `<text x="${(WIDTH - RIGHT + LEFT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeHtml(axis)}</text>`,
    ...lines.slice(0, MOST_LINES).flatMap(([name, line], i) => drawLine(name, line, i, at)),
    ...(more > 0 ? [`<text x="${WIDTH - RIGHT + 12}" y="${HEIGHT - BOTTOM}">and ${more} more</text>`] : []),
    '</svg>',
  ].join('\n')}\n`
}
