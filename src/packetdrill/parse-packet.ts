// Packets in a script: `> [ect0] P. 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 1 ecr 2>`,
// `< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]`.
// Owns: the grammar of packets. Does not own: options (parse-options.ts), bytes (packet-build.ts), comparing (packet-match.ts).

import { FLAG } from '../tcp/header.ts'
import type { EcnMark, Endpoints, IcmpSpec, IpSpec, PacketAction, TcpSpec } from './ast.ts'
import type { Scanner } from './lexer.ts'
import { parseOptions } from './parse-options.ts'

const FLAG_LETTERS: Readonly<Record<string, number>> = {
  F: FLAG.FIN,
  S: FLAG.SYN,
  R: FLAG.RST,
  P: FLAG.PSH,
  '.': FLAG.ACK,
  U: FLAG.URG,
  E: FLAG.ECE,
  W: FLAG.CWR,
  C: FLAG.CWR,
  A: FLAG.AE,
  e: FLAG.AE,
}

/** Reads a packet; the scanner stands at `<` or `>`. @throws {ScriptSyntaxError} */
export function parsePacket(scanner: Scanner): PacketAction {
  const direction = scanner.take('<') ? 'in' : 'out'
  if (direction === 'out') scanner.expect('>', 'of a packet')
  const ip = parseIpSpec(scanner)
  refuseEncapsulation(scanner)
  const endpoints = parseEndpoints(scanner)
  if (scanner.takeWord('icmpv6') || scanner.takeWord('icmp')) {
    return { kind: 'packet', direction, ip, endpoints, body: parseIcmp(scanner) }
  }
  if (scanner.takeWord('udp') || scanner.takeWord('UDP')) {
    return {
      kind: 'packet',
      direction,
      ip,
      endpoints,
      body: { kind: 'udp', length: parseLength(scanner, 'the datagram') },
    }
  }
  return { kind: 'packet', direction, ip, endpoints, body: parseTcp(scanner) }
}

const ENCAPSULATION = ['ipv4', 'ipv6', 'gre', 'mpls', 'ipip', 'sctp']

function refuseEncapsulation(scanner: Scanner): void {
  for (const word of ENCAPSULATION) {
    if (scanner.takeWord(word)) scanner.fail(`packets in ${word} are not supported`, scanner.at - word.length)
  }
}

/** `[ect0]`, `[tos 0x2,ttl 5]`, `(tos 0x2)`: any number of them. */
function parseIpSpec(scanner: Scanner): IpSpec {
  let ecn: EcnMark | null = null
  let trafficClass = -1
  let hopLimit = -1
  let flowLabel = -1
  for (;;) {
    const close = scanner.take('[') ? ']' : scanner.take('(') ? ')' : ''
    if (close === '') return { ecn, trafficClass, hopLimit, flowLabel }
    do {
      const at = scanner.at
      const word = scanner.match(/[a-z0-9_]+/y)?.[0] ?? ''
      if (word === 'ect0' || word === 'ect1' || word === 'ect01' || word === 'ce' || word === 'noecn') ecn = word
      else if (word === 'tos' || word === 'tclass') trafficClass = scanner.whole('the octet of tos')
      else if (word === 'ttl' || word === 'hoplimit') hopLimit = scanner.whole('the value of ttl')
      else if (word === 'flowlabel') flowLabel = scanner.whole('the flow label')
      else scanner.fail(`expected ect0, ect1, ect01, ce, noecn, tos, ttl or flowlabel, found '${word}'`, at)
    } while (scanner.take(','))
    scanner.expect(close, 'after what the IP header says')
  }
}

const ENDPOINT = /(?:(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):)?(\d+)/.source
const ENDPOINTS = new RegExp(`${ENDPOINT}\\s*>\\s*${ENDPOINT}\\s*:?(?=\\s)`, 'y')

/** `1.1.1.1:80 > 2.2.2.2:90`, or the ports alone. */
function parseEndpoints(scanner: Scanner): Endpoints | null {
  const found = scanner.match(ENDPOINTS)
  if (found === null) return null
  const address = (text: string | undefined): string => (text ?? '').replace(/[[\]]/g, '')
  return {
    sourceAddress: address(found[1]),
    sourcePort: Number(found[2]),
    destinationAddress: address(found[3]),
    destinationPort: Number(found[4]),
  }
}

function parseTcp(scanner: Scanner): TcpSpec {
  const flags = parseFlags(scanner)
  const { seq, length } = parseRange(scanner)
  const ack = scanner.takeWord('ack') ? scanner.whole('the acknowledgement number') : -1
  const window = scanner.takeWord('win') ? scanner.whole('the window') : -1
  const urgent = scanner.takeWord('urg') ? scanner.whole('the urgent pointer') : -1
  const options = parseOptions(scanner)
  return { kind: 'tcp', flags, seq, length, ack, window, urgent, options }
}

function parseFlags(scanner: Scanner): number {
  scanner.skip()
  const at = scanner.at
  const found = scanner.match(/([FSRPUEWCAe.]+|-)?([0-7])?([FSRPUEWCAe.]*)(?=\s)/y)
  if (found === null || found[0] === '') scanner.fail(`expected a packet's flags, as S or P., found ${scanner.ahead()}`)
  let flags = 0
  for (const letter of `${found[1] ?? ''}${found[3]}`) {
    if (letter === '-') continue
    if ((flags & FLAG_LETTERS[letter]) !== 0) scanner.fail(`the flag '${letter}' stands here twice`, at)
    flags |= FLAG_LETTERS[letter]
  }
  // RFC 9768 §3.2.1: AE, CWR and ECE together are the counter ACE.
  const ace = found[2] === undefined ? 0 : Number(found[2])
  return flags | ((ace & 4) !== 0 ? FLAG.AE : 0) | ((ace & 2) !== 0 ? FLAG.CWR : 0) | ((ace & 1) !== 0 ? FLAG.ECE : 0)
}

/** `1:1001(1000)`. */
function parseRange(scanner: Scanner): { seq: number; length: number } {
  const seq = scanner.whole('a sequence number')
  const endAt = scanner.take(':') ? scanner.at : -1
  const end = endAt < 0 ? -1 : scanner.whole('the sequence number after the text')
  scanner.expect('(', 'and the length of the text')
  const length = scanner.whole('the length of the text')
  scanner.expect(')', 'after the length')
  if (end >= 0 && (seq + length) % 2 ** 32 !== end % 2 ** 32) {
    scanner.fail(`${seq}:${end} does not have ${length} octets: it would be ${seq}:${(seq + length) % 2 ** 32}`, endAt)
  }
  return { seq, length }
}

function parseIcmp(scanner: Scanner): IcmpSpec {
  const type = scanner.match(/[a-z_0-9]+/y)?.[0]
  if (type === undefined) scanner.fail(`expected the kind of an ICMP message, found ${scanner.ahead()}`)
  const spec = { code: '', mtu: -1, quoted: '' as IcmpSpec['quoted'], seq: 1, length: 0, identifier: -1, sequence: -1 }
  for (;;) {
    if (scanner.takeWord('mtu')) spec.mtu = scanner.whole('the MTU')
    else if (scanner.takeWord('id')) spec.identifier = scanner.whole('the identifier of an echo')
    else if (scanner.takeWord('seq')) spec.sequence = scanner.whole('the number of an echo')
    else if (scanner.sees('[')) Object.assign(spec, parseQuoted(scanner))
    else if (scanner.sees('(')) spec.length = parseLength(scanner, 'the body')
    else {
      const word = scanner.match(/[a-z_]+(?![\w(])/y)
      if (word === null) return { kind: 'icmp', type, ...spec }
      if (spec.code !== '')
        scanner.fail(`'${word[0]}' after '${spec.code}' is not understood`, scanner.at - word[0].length)
      spec.code = word[0]
    }
  }
}

/** `[1:1001(1000)]` or `[udp (100)]`. */
function parseQuoted(scanner: Scanner): Pick<IcmpSpec, 'quoted' | 'seq' | 'length'> {
  scanner.take('[')
  const isUdp = scanner.takeWord('udp') || scanner.takeWord('UDP')
  const range = isUdp ? { seq: 0, length: parseLength(scanner, 'the datagram') } : parseRange(scanner)
  scanner.expect(']', 'after the quoted packet')
  return { quoted: isUdp ? 'udp' : 'tcp', ...range }
}

function parseLength(scanner: Scanner, of: string): number {
  scanner.expect('(', `and the length of ${of}`)
  const length = scanner.whole(`the length of ${of}`)
  scanner.expect(')', 'after the length')
  return length
}
