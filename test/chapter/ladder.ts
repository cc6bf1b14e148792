// Packets as a ladder of text: a column for each host, an arrow for each packet, in the order in which they left.
// Owns: the drawing. Does not own: the packets (src/lab/record.ts).

import type { PacketRecord, WorldRecord } from '../../src/lab/record.ts'

/** Between the lines of two hosts. */
const LANE = [62, 62, 62, 42]
const FLAG_WORDS = [
  [0x04, 'RST'],
  [0x02, 'SYN'],
  [0x01, 'FIN'],
] as const

const ms = (us: number): string => (us / 1000).toFixed(1).padStart(9)
/** When it arrived; without any fate it was on its way when the world ended. */
const arrival = ({ receivedAt, fate }: PacketRecord): string =>
  receivedAt >= 0 ? ms(receivedAt) : (fate === '' ? '-' : 'lost').padStart(9)

/** What a packet is, in a few words. */
export function packetWords(p: PacketRecord): string {
  if (p.connection < 0) return p.line.replace(/^DNS \d+[*+-]*/, 'DNS')
  const words: string[] = FLAG_WORDS.filter(([bit]) => (p.flags & bit) !== 0).map(([, word]) => word)
  if (p.textBytes > 0) words.push(`${p.seq}:${p.seq + p.textBytes}`)
  if (p.http !== '') words.push(p.http.replace(/ HTTP\/1\.[01]$/, '').slice(0, 30))
  if (p.ack >= 0 && (p.textBytes === 0 || words.length === 1)) words.push(`ACK ${p.ack}`)
  if (p.isAgain) words.push('again')
  if (p.fate !== '') words.push(`(${p.fate})`)
  return words.join(' ')
}

interface Columns {
  readonly hosts: readonly string[]
  readonly at: (host: string) => number
  readonly width: number
}

function columnsOf(world: WorldRecord, packets: readonly PacketRecord[]): Columns {
  const hosts = world.hosts.filter((host) => packets.some(({ from, to }) => from === host || to === host))
  const lane = LANE[hosts.length] ?? 32
  return { hosts, at: (host) => hosts.indexOf(host) * lane, width: (hosts.length - 1) * lane + 1 }
}

function rung(p: PacketRecord, columns: Columns, isMarked: boolean): string {
  const line = Array.from({ length: columns.width }, () => ' ')
  for (const host of columns.hosts) line[columns.at(host)] = '│'
  const [left, right] = [columns.at(p.from), columns.at(p.to)].sort((a, b) => a - b)
  const isForth = columns.at(p.from) < columns.at(p.to)
  for (let i = left + 1; i < right; i++) line[i] = '─'
  if (p.receivedAt < 0 && p.fate !== '') {
    const middle = Math.floor((left + right) / 2)
    for (let i = left + 1; i < right; i++) if (isForth ? i > middle : i < middle) line[i] = ' '
    line[isForth ? right - 1 : left + 1] = ' '
    line[middle] = '✗'
  } else line[isForth ? right - 1 : left + 1] = isForth ? '▶' : '◀'
  const mark = isMarked ? `${p.connection + 1}: ` : ''
  const most = right - left - 6
  const words = ` ${mark}${packetWords(p)} `.slice(0, most)
  const start = isForth ? left + 3 : right - 2 - words.length
  for (let i = 0; i < words.length; i++) line[start + i] = words[i]
  return `${ms(p.sentAt)} ${arrival(p)}  ${line.join('').trimEnd()}`
}

/** Which packets of a world are drawn. */
export interface LadderRange {
  /** From the n-th packet on, 1 the first. */
  readonly from: number
  readonly count: number
}

/** The ladder, line by line. Numbers before a packet tell connections apart where there are several. */
export function ladder(world: WorldRecord, { from, count }: LadderRange): string[] {
  const sent = world.packets.filter(({ sentAt, to }) => sentAt >= 0 && to !== '')
  const packets = [...sent].sort((a, b) => a.sentAt - b.sentAt).slice(from - 1, from - 1 + count)
  const columns = columnsOf(world, packets)
  const names = Array.from({ length: columns.width + 12 }, () => ' ')
  for (const host of columns.hosts) for (let i = 0; i < host.length; i++) names[columns.at(host) + i] = host[i]
  const isMarked = new Set(packets.map(({ connection }) => connection).filter((index) => index >= 0)).size > 1
  const rest = sent.length - (from - 1) - packets.length
  return [
    `${'sent ms'.padStart(9)} ${'there ms'.padStart(9)}  ${names.join('').trimEnd()}`,
    ...packets.map((p) => rung(p, columns, isMarked)),
    ...(rest > 0 ? [`${' '.repeat(21)}... ${rest} more`] : []),
  ]
}
