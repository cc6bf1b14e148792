// A topology as text, for terminals.
// Owns: the text. Does not own: the drawing in the page (page-topology.ts).

import { backOf, type Link, type LinkWay, parseQueue, readWay, type Topology } from './topology.ts'

/** Microseconds as people write them: 50 ms, 1.5 s, 20 µs. */
export function formatTime(us: number): string {
  if (us >= 1e6) return `${trim(us / 1e6)} s`
  if (us >= 1000) return `${trim(us / 1000)} ms`
  return `${trim(us)} µs`
}

/** Bits per second: 10 Mbit/s. */
export function formatRate(bps: number): string {
  if (bps >= 1e9) return `${trim(bps / 1e9)} Gbit/s`
  if (bps >= 1e6) return `${trim(bps / 1e6)} Mbit/s`
  return bps >= 1e3 ? `${trim(bps / 1e3)} kbit/s` : `${trim(bps)} bit/s`
}

const trim = (value: number): string => String(Math.round(value * 100) / 100)
const percent = (share: number): string => `${trim(share * 100)} %`

/** One direction in words: '10 Mbit/s, 20 ms, drop-tail 100p, loss 1 %'. */
export function describeWay(way: LinkWay): string {
  const plan = readWay(way)
  const parts: string[] = []
  if (Number.isFinite(plan.rateBps)) parts.push(formatRate(plan.rateBps))
  if (plan.delayUs > 0)
    parts.push(formatTime(plan.delayUs) + (plan.jitterUs > 0 ? ` ± ${formatTime(plan.jitterUs)}` : ''))
  if (way.queue !== undefined) {
    const { kind, packets, bytes } = parseQueue(way.queue)
    parts.push(packets !== undefined ? `${kind} ${packets} packets` : `${kind} ${bytes} bytes`)
  }
  if (plan.lossRate > 0) parts.push(`loss ${percent(plan.lossRate)}`)
  if (plan.bursts !== null) parts.push('loss in bursts')
  if (plan.reorderRate > 0) parts.push(`reordering ${percent(plan.reorderRate)}`)
  if (plan.duplicateRate > 0) parts.push(`duplicates ${percent(plan.duplicateRate)}`)
  if (plan.corruptRate > 0) parts.push(`corruption ${percent(plan.corruptRate)}`)
  return parts.join(', ')
}

/** A link in words; both directions when they differ. */
export function describeLink(link: Link): string {
  const forth = describeWay(link)
  const back = describeWay(backOf(link))
  return forth === back ? forth : `${forth} → | ← ${back}`
}

/** One line a link: `client ──── 50 ms ──── server`; chains of two-ended nodes on one line. */
export function drawTopology(topology: Topology): string[] {
  const rest = [...topology.links]
  const lines: string[] = []
  while (rest.length > 0) {
    const first = rest.shift() as Link
    let line = `${first.from} ──${tie(first)}── ${first.to}`
    let end = first.to
    for (;;) {
      const next = rest.filter(({ from }) => from === end)
      if (next.length !== 1 || line.length > 70) break
      rest.splice(rest.indexOf(next[0]), 1)
      line += ` ──${tie(next[0])}── ${next[0].to}`
      end = next[0].to
    }
    lines.push(line)
  }
  return lines
}

function tie(link: Link): string {
  const text = describeLink(link)
  return text === '' ? '' : ` ${text} `
}
