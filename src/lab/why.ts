// Sentences that say why it went as it did, from the reasons that TCP gave itself: what each end waited for, for how long, and by which
// clause; what went again, and why.
// Owns: the summing up. Does not own: the reasons (tcp/reasons.ts).

import type { ConnectionRecord, EndRecord, HoldSpan, ResentPoint, WorldRecord } from './record.ts'

/** Less than this is not worth a word. */
const LEAST_US = 1000
/** Sentences of all worlds together, and the least of each. */
const MOST_SENTENCES = 16

interface Weighed {
  readonly weight: number
  readonly text: string
}

const ms = (us: number): string =>
  us >= 1e7 ? `${(us / 1e6).toFixed(1)} s` : `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`
const times = (n: number): string => (n === 1 ? 'once' : n === 2 ? 'twice' : `${n} times`)
const clauseOf = (clause: string): string => (clause === '' ? '' : ` (${clause})`)

/** What the worlds of a run have to say; each sentence begins with its world when there are several. */
export function whySentences(worlds: readonly WorldRecord[]): string[] {
  const most = Math.max(2, Math.floor(MOST_SENTENCES / Math.max(1, worlds.length)))
  return worlds.flatMap((world) => {
    const prefix = worlds.length > 1 ? `${world.label}: ` : ''
    return sentencesOf(world, Math.min(most, 6)).map((text) => prefix + text)
  })
}

function sentencesOf({ connections }: WorldRecord, most: number): string[] {
  const all = merged(connections)
  const weighed: Weighed[] = []
  for (const [host, ends] of all) {
    weighed.push(
      ...heldBack(
        host,
        ends.flatMap(({ holds }) => holds),
        'was held back for',
      ),
    )
    weighed.push(
      ...heldBack(
        host,
        ends.flatMap(({ ackHolds }) => ackHolds),
        'held acknowledgements for',
      ),
    )
    weighed.push(
      ...wentAgain(
        host,
        ends.flatMap(({ resent }) => resent),
      ),
    )
  }
  return weighed
    .sort((a, b) => b.weight - a.weight)
    .slice(0, most)
    .map(({ text }) => text)
}

function merged(connections: readonly ConnectionRecord[]): Map<string, EndRecord[]> {
  const byHost = new Map<string, EndRecord[]>()
  for (const end of connections.flatMap(({ ends }) => ends)) {
    const list = byHost.get(end.host)
    if (list === undefined) byHost.set(end.host, [end])
    else list.push(end)
  }
  return byHost
}

function heldBack(host: string, spans: readonly HoldSpan[], verb: string): Weighed[] {
  const sums = new Map<string, { us: number; count: number; span: HoldSpan }>()
  for (const span of spans) {
    if (span.reason === 'handshake') continue
    const sum = sums.get(span.reason) ?? { us: 0, count: 0, span }
    sum.us += span.to - span.from
    sum.count++
    sums.set(span.reason, sum)
  }
  return [...sums.values()]
    .filter(({ us }) => us >= LEAST_US)
    .map(({ us, count, span }) => ({
      weight: us,
      text: `${host} ${verb} ${ms(us)}, ${times(count)}: ${span.text}${clauseOf(span.clause)}.`,
    }))
}

function wentAgain(host: string, points: readonly ResentPoint[]): Weighed[] {
  const sums = new Map<string, { count: number; point: ResentPoint }>()
  for (const point of points) {
    const sum = sums.get(point.cause) ?? { count: 0, point }
    sum.count++
    sums.set(point.cause, sum)
  }
  return [...sums.values()].map(({ count, point }) => ({
    weight: 1e5 * count,
    text: `${host} sent ${count} ${count === 1 ? 'segment' : 'segments'} again: ${point.text}${clauseOf(point.clause)}.`,
  }))
}
