// Why an HTTP exchange took as long as it did: its time cut into slices, each with its cause in TCP, from what both ends said of
// themselves and from the packets.
// Owns: the judgement. Does not own: measuring (series.ts, packet-recorder.ts, web.ts).

import type { Micros } from '../base/time.ts'
import type { ConnectionRecord, EndRecord, HoldSpan, PacketRecord, Slice, TransactionRecord } from './record.ts'

/** What a slice can be spent on, with the sentence that says so and the clause it rests on. In the order of their colours. */
export const CAUSES = {
  wait: { text: 'no connection is free', clause: 'RFC 9112 §9.4' },
  resolve: { text: 'asking for the address, and getting there', clause: 'RFC 1035' },
  handshake: { text: 'opening the connection: a round trip', clause: 'RFC 9293 §3.5' },
  tls: { text: 'agreeing on keys', clause: 'RFC 8446 §2' },
  request: { text: 'the request travels', clause: '' },
  server: { text: 'the server thinks', clause: '' },
  'answers-ahead': { text: 'answers to earlier requests come first', clause: 'RFC 9112 §9.3.2' },
  travel: { text: 'text and acknowledgements travel', clause: '' },
  'slow-start': { text: 'the congestion window is full while it opens', clause: 'RFC 5681 §3.1' },
  'congestion-avoidance': { text: 'the congestion window is full', clause: 'RFC 5681 §3.1' },
  nagle: { text: 'a small segment waits for an acknowledgement', clause: 'RFC 9293 §3.7.4' },
  'nagle-delayed-ack': {
    text: 'a small segment waits for an acknowledgement, and the acknowledgement waits for company',
    clause: 'RFC 9293 §3.7.4, §3.8.6.3',
  },
  'delayed-ack': { text: 'an acknowledgement waits for company', clause: 'RFC 9293 §3.8.6.3' },
  'peer-window': { text: 'the receiver has no room', clause: 'RFC 9293 §3.8.6' },
  retransmission: { text: 'something was lost, missed and sent again', clause: 'RFC 6298, RFC 8985' },
  pacing: { text: 'the pace lets the next packet go later', clause: 'RFC 9002 §7.7' },
} as const satisfies Record<string, { text: string; clause: string }>

/** Name of a cause. */
export type CauseName = keyof typeof CAUSES

/** Joins transactions with their connections, and cuts their time up. */
export function explainTransactions(
  transactions: readonly TransactionRecord[],
  packets: readonly PacketRecord[],
  connections: readonly ConnectionRecord[],
): TransactionRecord[] {
  return [...transactions]
    .sort((a, b) => a.startedAt - b.startedAt)
    .map((transaction) => {
      const request = requestOf(transaction, packets)
      if (request === null) return transaction
      const { connection } = request
      const own = packets.filter((packet) => packet.connection === connection)
      const slices = slicesOf(transaction, request, own, connections[connection]?.ends ?? [])
      return { ...transaction, connection, slices }
    })
}

function requestOf(
  { name, host, sentAt, endedAt, ahead, securedAt }: TransactionRecord,
  packets: readonly PacketRecord[],
): PacketRecord | null {
  const isAsking = securedAt < 0 ? (text: string) => askedBy(text) === `${name} HTTP` : isData
  const found = packets.find(
    (p) => p.from === host && isAsking(p.http) && p.sentAt >= sentAt && p.sentAt <= endedAt && !p.isAgain,
  )
  if (found !== undefined || ahead === 0) return found ?? null
  // A pipelined request may lie behind another one in its packet, which is known by its first line only.
  return packets.find((p) => p.from === host && p.textBytes > 0 && p.sentAt >= sentAt && p.sentAt <= endedAt) ?? null
}

/** Whether records of TLS have text of HTTP among them, as far as can be seen. */
const isData = (records: string): boolean => records.startsWith('TLS ') && records.includes('data')

/** Method and path of a request line, as a transaction is called; a proxy's absolute target without its host. */
function askedBy(line: string): string {
  return line.replace(/^(\S+ )http:\/\/[^/ ]*/, '$1').replace(/ HTTP.*$/, ' HTTP')
}

interface Span {
  readonly from: Micros
  readonly to: Micros
}

/** The steps of an exchange, seen from both ends. */
interface Steps {
  /** The first SYN; -1 on a kept connection. */
  readonly synAt: Micros
  /** The request was all at the server. */
  readonly requestedAt: Micros
  /** The first text of the answer left the server. */
  readonly answeredAt: Micros
}

function stepsOf(transaction: TransactionRecord, request: PacketRecord, own: readonly PacketRecord[]): Steps {
  const { host, startedAt, firstByteAt, endedAt, isReused, ahead } = transaction
  // Behind others in a pipeline the answer begins in the packet that brought its first byte.
  const answer = own.find(
    (p) =>
      p.from !== host &&
      p.textBytes > 0 &&
      p.sentAt >= request.sentAt &&
      p.sentAt <= endedAt &&
      (ahead === 0 || p.receivedAt >= firstByteAt),
  )
  const answeredAt = answer?.sentAt ?? endedAt
  const parts = own.filter(
    (p) => p.from === host && p.textBytes > 0 && p.sentAt >= request.sentAt && p.receivedAt <= answeredAt,
  )
  const arrivals = parts.map((p) => p.receivedAt).filter((at) => at >= 0)
  const syn = isReused ? undefined : own.find((p) => (p.flags & 0x02) !== 0 && p.from === host)
  return {
    synAt: syn === undefined ? -1 : Math.max(syn.sentAt, startedAt),
    requestedAt: arrivals.length === 0 ? answeredAt : Math.max(...arrivals),
    answeredAt,
  }
}

/** From when a lost packet left until what was sent in its stead arrived. */
function lossSpans(own: readonly PacketRecord[]): Span[] {
  return own
    .filter((p) => p.receivedAt < 0 && p.sentAt >= 0 && (p.textBytes > 0 || (p.flags & 0x03) !== 0))
    .map((lost) => {
      const again = own.find(
        (p) => p.from === lost.from && p.sentAt > lost.sentAt && p.seq <= lost.seq && p.isAgain && p.receivedAt >= 0,
      )
      return { from: lost.sentAt, to: again?.receivedAt ?? Number.POSITIVE_INFINITY }
    })
}

const during = (spans: readonly Span[], at: Micros): Span | null =>
  spans.find(({ from, to }) => from <= at && at < to) ?? null

function slicesOf(
  transaction: TransactionRecord,
  request: PacketRecord,
  own: readonly PacketRecord[],
  ends: readonly EndRecord[],
): Slice[] {
  const { host, startedAt, endedAt, connectedAt, securedAt, waitedUntil } = transaction
  const steps = stepsOf(transaction, request, own)
  const losses = lossSpans(own)
  const client = ends.find((end) => end.host === host)
  const server = ends.find((end) => end.host !== host)
  const cuts = new Set<Micros>([
    startedAt,
    endedAt,
    waitedUntil,
    connectedAt,
    securedAt,
    steps.synAt,
    steps.requestedAt,
    steps.answeredAt,
  ])
  for (const span of [...losses, ...spansOf(client), ...spansOf(server)]) cuts.add(span.from).add(span.to)
  const times = [...cuts].filter((at) => at >= startedAt && at <= endedAt).sort((a, b) => a - b)
  const slices: Slice[] = []
  for (let i = 0; i + 1 < times.length; i++) {
    const [from, to] = [times[i], times[i + 1]]
    const cause = causeAt(from, transaction, steps, losses, client, server)
    const last = slices.at(-1)
    if (last !== undefined && last.cause === cause) slices[slices.length - 1] = { ...last, to }
    else slices.push({ from, to, cause, ...CAUSES[cause] })
  }
  return slices
}

function spansOf(end: EndRecord | undefined): readonly HoldSpan[] {
  return end === undefined ? [] : [...end.holds, ...end.ackHolds]
}

function causeAt(
  at: Micros,
  { connectedAt, securedAt, waitedUntil, isReused, ahead }: TransactionRecord,
  { synAt, requestedAt, answeredAt }: Steps,
  losses: readonly Span[],
  client: EndRecord | undefined,
  server: EndRecord | undefined,
): CauseName {
  if (at < waitedUntil) return 'wait'
  if (during(losses, at) !== null) return 'retransmission'
  if (!isReused && at < connectedAt) return at < synAt ? 'resolve' : 'handshake'
  if (at < securedAt) return 'tls'
  const isAsking = at < requestedAt
  if (!isAsking && at < answeredAt) {
    // What the server wrote may still wait in its TCP.
    return ahead > 0 ? 'answers-ahead' : (holdCause(at, server, client) ?? 'server')
  }
  const held = isAsking ? holdCause(at, client, server) : holdCause(at, server, client)
  return held ?? (isAsking ? 'request' : 'travel')
}

/** Why the one that sends does not; null when it does, or has nothing to send. */
function holdCause(at: Micros, sender: EndRecord | undefined, receiver: EndRecord | undefined): CauseName | null {
  const hold = sender?.holds.find(({ from, to }) => from <= at && at < to)
  if (hold === undefined) return null
  switch (hold.reason) {
    case 'nagle':
    case 'cork': {
      const waits = receiver?.ackHolds.some(({ from, to }) => from <= at && at < to)
      return waits ? 'nagle-delayed-ack' : 'nagle'
    }
    case 'window':
    case 'silly-window':
      return 'peer-window'
    case 'cwnd': {
      const point = sender?.windows.findLast((w) => w.at <= at)
      const isOpening = point === undefined || point.ssthresh < 0 || point.cwnd < point.ssthresh
      return isOpening ? 'slow-start' : 'congestion-avoidance'
    }
    case 'pacing':
      return 'pacing'
    case 'frto':
      return 'retransmission'
    default:
      return null
  }
}
