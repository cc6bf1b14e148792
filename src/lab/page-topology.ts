// A topology as SVG: hosts as boxes, routers as circles, links with their words.
// Owns: the drawing. Does not own: the page around it (html-report.ts).

import { describeWay } from './draw.ts'
import { escapeHtml } from './escape.ts'
import { addressesOf, backOf, type Topology } from './topology.ts'

const COLUMN = 250
const ROW = 92
const BOX = { width: 104, height: 44 }

interface Place {
  readonly x: number
  readonly y: number
}

/** The drawing; colours come from the page's style. */
export function topologySvg(topology: Topology): string {
  const places = placed(topology)
  const all = [...places.values()]
  const width = Math.max(...all.map(({ x }) => x)) + COLUMN / 2 + 10
  const height = Math.max(...all.map(({ y }) => y)) + ROW / 2
  const links = topology.links.map((link) => {
    const a = places.get(link.from) as Place
    const b = places.get(link.to) as Place
    const x = (a.x + b.x) / 2
    const y = (a.y + b.y) / 2
    const forth = describeWay(link)
    const back = describeWay(backOf(link))
    const words = forth === back ? [forth] : [`→ ${forth}`, `← ${back || 'no delay'}`]
    const texts = words.flatMap(folded).filter((text) => text !== '')
    const lines = texts
      .map(
        (text, i) =>
          `<text x="${x}" y="${y - 8 - 14 * (texts.length - 1 - i)}" class="note">${escapeHtml(text)}</text>`,
      )
      .join('')
    return `<line x1="${a.x}" y1="${a.y}" x2="${b.x}" y2="${b.y}" class="link"/>${lines}`
  })
  const addresses = addressesOf(topology)
  const nodes = [...places].map(([name, { x, y }]) => {
    const address = (addresses.get(name)?.[0] ?? '').replace(/\/.*/, '')
    if (address === '') {
      return `<circle cx="${x}" cy="${y}" r="20" class="node"/><text x="${x}" y="${y + 4}" class="name">${escapeHtml(name)}</text>`
    }
    const left = x - BOX.width / 2
    return (
      `<rect x="${left}" y="${y - BOX.height / 2}" width="${BOX.width}" height="${BOX.height}" rx="8" class="node"/>` +
      `<text x="${x}" y="${y - 2}" class="name">${escapeHtml(name)}</text>` +
      `<text x="${x}" y="${y + 14}" class="note">${escapeHtml(address)}</text>`
    )
  })
  const label = `Network of ${[...places.keys()].join(', ')}`
  return (
    `<svg class="topology" viewBox="0 0 ${width} ${height}" style="max-width:${Math.round(width * 1.05)}px" role="img" ` +
    `aria-label="${escapeHtml(label)}">${links.join('')}${nodes.join('')}</svg>`
  )
}

/** Long words of a link, at most about 28 letters a line. */
function folded(text: string): string[] {
  const lines: string[] = []
  for (const part of text.split(', ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + part.length < 28) lines[lines.length - 1] = `${last}, ${part}`
    else lines.push(part)
  }
  return lines
}

/** Columns by the distance from the first host, rows in the order of the names. */
function placed({ hosts, routers = [], links }: Topology): Map<string, Place> {
  const nodes = [...Object.keys(hosts), ...routers]
  const column = new Map([[nodes[0], 0]])
  for (const node of column.keys()) {
    for (const { from, to } of links) {
      const other = from === node ? to : to === node ? from : null
      const step = from === node ? 1 : -1
      if (other !== null && !column.has(other)) column.set(other, (column.get(node) as number) + step)
    }
  }
  const least = Math.min(...column.values())
  const counts = new Map<number, number>()
  for (const at of column.values()) counts.set(at, (counts.get(at) ?? 0) + 1)
  const most = Math.max(...counts.values())
  const used = new Map<number, number>()
  return new Map(
    nodes.map((node) => {
      const at = column.get(node) ?? 0
      const row = used.get(at) ?? 0
      used.set(at, row + 1)
      const y = ROW * (row + 0.5 + (most - (counts.get(at) ?? 1)) / 2) + 8
      return [node, { x: COLUMN * (at - least) + BOX.width / 2 + 14, y }]
    }),
  )
}
