// A reply in dig's words.
// Owns: the lines, and the same as one JSON object. Does not own: asking (dig.ts). Read first: dig(1).

import {
  className,
  type DnsMessage,
  type DnsRecord,
  dotted,
  formatData,
  formatRecord,
  opcodeName,
  type ReplySource,
  rcodeName,
  typeName,
} from '../dns/index.ts'

/** A reply, and how it came. */
export interface DigResult {
  readonly reply: DnsMessage
  readonly source: ReplySource
  readonly elapsedUs: number
  readonly when: Date
}

/** The lines that dig prints of a reply, for `words` on its command line. */
export function digLines({ reply, source, elapsedUs, when }: DigResult, words: string): string[] {
  const { questions, answers, authorities, additionals, edns } = reply
  const counts = [
    `QUERY: ${questions.length}`,
    `ANSWER: ${answers.length}`,
    `AUTHORITY: ${authorities.length}`,
    `ADDITIONAL: ${additionals.length + (edns === null ? 0 : 1)}`,
  ].join(', ')
  const lines = [
    '',
    `; <<>> tunstack dig <<>> ${words}`,
    ';; Got answer:',
    `;; ->>HEADER<<- opcode: ${opcodeName(reply.opcode)}, status: ${rcodeName(reply.rcode)}, id: ${reply.id}`,
    `;; flags: ${flagNames(reply).join(' ')}; ${counts}`,
    '',
  ]
  if (edns !== null) {
    lines.push(';; OPT PSEUDOSECTION:')
    lines.push(`; EDNS: version: ${edns.version}, flags:${edns.dnssecOk ? ' do' : ''}; udp: ${edns.udpBytes}`)
  }
  lines.push(';; QUESTION SECTION:')
  for (const { name, type, class: c } of questions) lines.push(`;${dotted(name)}\t\t${className(c)}\t${typeName(type)}`)
  const sections: [string, readonly DnsRecord[]][] = [
    ['ANSWER', answers],
    ['AUTHORITY', authorities],
    ['ADDITIONAL', additionals],
  ]
  for (const [title, records] of sections) {
    if (records.length > 0) lines.push('', `;; ${title} SECTION:`, ...records.map(formatRecord))
  }
  const { address, port } = source.server
  lines.push(
    '',
    `;; Query time: ${Math.round(elapsedUs / 1000)} msec`,
    `;; SERVER: ${address}#${port}(${address}) (${source.isStream ? 'TCP' : 'UDP'})`,
    `;; WHEN: ${when.toUTCString()}`,
    `;; MSG SIZE  rcvd: ${source.bytes}`,
    '',
  )
  return lines
}

function flagNames(reply: DnsMessage): string[] {
  const flags: [boolean, string][] = [
    [reply.isResponse, 'qr'],
    [reply.authoritative, 'aa'],
    [reply.truncated, 'tc'],
    [reply.recursionDesired, 'rd'],
    [reply.recursionAvailable, 'ra'],
    [reply.authenticData, 'ad'],
    [reply.checkingDisabled, 'cd'],
  ]
  return flags.filter(([isSet]) => isSet).map(([, name]) => name)
}

/** `+short`: what the answers hold, a line each. */
export function shortLines(reply: DnsMessage): string[] {
  return reply.answers.map(({ data }) => formatData(data))
}

/** The reply as a plain object, for JSON. */
export function digObject({ reply, source, elapsedUs, when }: DigResult): object {
  const records = (all: readonly DnsRecord[]): object[] =>
    all.map(({ name, type, class: c, ttlS, data }) => ({
      name: dotted(name),
      ttl: ttlS,
      class: className(c),
      type: typeName(type),
      data: formatData(data),
    }))
  return {
    status: rcodeName(reply.rcode),
    id: reply.id,
    flags: flagNames(reply),
    question: reply.questions.map(({ name, type, class: c }) => ({
      name: dotted(name),
      class: className(c),
      type: typeName(type),
    })),
    answer: records(reply.answers),
    authority: records(reply.authorities),
    additional: records(reply.additionals),
    server: source.server.address.toString(),
    port: source.server.port,
    protocol: source.isStream ? 'TCP' : 'UDP',
    elapsedUs,
    bytes: source.bytes,
    when: when.toISOString(),
  }
}
