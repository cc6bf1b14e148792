// DNS: whatever a message says, it is read without throwing and comes back the same when written; a server answers with a message that can
// be read, with the query's id, within the size that the other side takes; a resolver ends every question once, however it is answered.
// Owns: messages put together from pieces, these properties. Does not own: the codec and the machines (src/dns).

import { put16 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { TYPE } from '../../src/dns/codes.ts'
import type { ExchangeEvent } from '../../src/dns/exchange.ts'
import { FrameReader, frameMessage } from '../../src/dns/framing.ts'
import { createMessage, formatMessage, MAX_MESSAGE_BYTES, parseMessage, writeMessage } from '../../src/dns/message.ts'
import { Resolver } from '../../src/dns/resolver.ts'
import { DnsServer } from '../../src/dns/server.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { Dice } from './dice.ts'
import { feature, type Target, violated } from './target.ts'

const HEAD_BYTES = 4
const STEP_BYTES = 3
const SERVER = { address: IpAddress.parse('10.0.0.53'), port: 53 }
const ZONE =
  'box A 10.0.0.2\nbox AAAA fd00::2\nwww CNAME box\nloop CNAME loop\n* TXT "any"\nsub NS ns.sub\nns.sub A 10.0.0.9'
const TYPES = [
  TYPE.A,
  TYPE.AAAA,
  TYPE.CNAME,
  TYPE.NS,
  TYPE.SOA,
  TYPE.PTR,
  TYPE.MX,
  TYPE.TXT,
  TYPE.SRV,
  TYPE.OPT,
  252,
  255,
  9999,
]
const LABELS = ['box', 'WWW', 'lan', 'a', 'loop', 'sub', '*', 'a.b', '', 'é', 'x'.repeat(63), 'x'.repeat(70)]

const dice = new Dice()
const bytes = new Uint8Array(4096)
let at = 0

function put(...values: number[]): void {
  for (const value of values) if (at < bytes.length) bytes[at++] = value
}

function putName(): void {
  for (let labels = dice.below(4); labels > 0; labels--) {
    const label = Buffer.from(dice.pick(LABELS), 'latin1')
    put(dice.oneIn(20) ? dice.below(256) : label.length, ...label)
  }
  if (dice.oneIn(3) && at > 12) put(0xc0 | (dice.below(at) >> 8), dice.oneIn(2) ? 12 : dice.below(at) & 255)
  else put(0)
}

function put16s(...values: number[]): void {
  for (const value of values) put((value >> 8) & 255, value & 255)
}

function putRecord(): void {
  putName()
  const type = dice.pick(TYPES)
  put16s(type, dice.oneIn(6) ? dice.below(65536) : 1, 0, dice.below(4) * 100)
  const lengthAt = at
  put16s(0)
  const from = at
  if (type === TYPE.A || type === TYPE.AAAA) for (let i = type === TYPE.A ? 4 : 16; i > 0; i--) put(dice.below(256))
  else if (type === TYPE.TXT || type === TYPE.OPT) for (let i = dice.below(12); i > 0; i--) put(dice.below(8))
  else {
    if (type === TYPE.MX) put16s(10)
    if (type === TYPE.SRV) put16s(1, 2, 80)
    putName()
    if (type === TYPE.SOA) {
      putName()
      put16s(0, 1, 0, 2, 0, 3, 0, 4, 0, 5)
    }
  }
  if (lengthAt + 2 <= bytes.length) put16(bytes, lengthAt, at - from + (dice.oneIn(20) ? dice.below(9) - 4 : 0))
}

/** A message made of questions, records and loose octets, whose counts are mostly right. */
function compose(input: Uint8Array): Uint8Array {
  at = 12
  bytes.fill(0, 0, 12)
  const counts = [0, 0, 0, 0]
  for (let step = HEAD_BYTES; step + 2 < input.length; step += STEP_BYTES) {
    dice.seed(input[step + 1] * 256 + input[step + 2])
    const what = input[step] % 10
    if (what === 0) {
      putName()
      put16s(dice.pick(TYPES), dice.oneIn(8) ? 255 : 1)
      counts[0]++
    } else if (what < 8) {
      putRecord()
      counts[1 + (what % 3)]++
    } else if (what === 8) put(input[step + 1], input[step + 2])
    else bytes[dice.below(Math.max(at, 1))] ^= 1 << dice.below(8)
  }
  for (let i = 0; i < 4; i++) bytes[5 + 2 * i] ^= counts[i]
  bytes[2] ^= input[1] ?? 0
  bytes[3] ^= input[2] ?? 0
  return bytes.slice(0, at)
}

const first = createMessage()
const second = createMessage()

function tryCodec(text: Uint8Array): void {
  const verdict = parseMessage(text, first)
  const said = formatMessage(first)
  feature(Buffer.byteLength(verdict) * 8 + first.rcode)
  if (verdict !== 'ok') return
  const again = writeMessage(first)
  if (parseMessage(again, second) !== 'ok') violated(`what was read cannot be read once it is written: ${said}`)
  if (!second.truncated && formatMessage(second) !== said)
    violated(`'${said}' comes back as '${formatMessage(second)}'`)
}

function tryFrames(text: Uint8Array): void {
  const stream = Buffer.concat([frameMessage(text), frameMessage(text.subarray(0, 5)), frameMessage(text)])
  const reader = new FrameReader()
  let whole = 0
  for (let from = 0; from < stream.length; ) {
    const length = 1 + dice.below(40)
    whole += reader.push(stream.subarray(from, from + length)).length
    from += length
  }
  if (whole !== 3) violated(`${whole} messages in a stream of 3`)
}

function tryServer(text: Uint8Array): void {
  const server = new DnsServer({ zones: [{ origin: 'lan', text: ZONE }], random: new SeededRandom(1) })
  for (const via of ['udp', 'tcp'] as const) {
    let replies = 0
    server.handleQuery(text, via, 0, (reply) => {
      replies++
      if (parseMessage(reply, second) !== 'ok') violated('the server answers with what cannot be read')
      if (!second.isResponse || reply[0] !== text[0] || reply[1] !== text[1]) violated('a reply to another query')
      if (reply.length > (via === 'udp' ? 1232 : MAX_MESSAGE_BYTES)) violated(`${reply.length} octets over ${via}`)
    })
    if (replies > 1) violated(`${replies} replies to one query`)
  }
}

/** The composed message as a reply: with the right id and question, mostly. */
function tryResolver(text: Uint8Array, head: number): void {
  const resolver = new Resolver({
    config: { servers: [SERVER], attempts: 2, ednsBytes: head & 1 ? 0 : 1232 },
    random: new SeededRandom(head + 1),
  })
  const { exchanger } = resolver
  let answers = 0
  let now = 0
  resolver.resolve('www.lan', head & 2 ? TYPE.A : TYPE.TXT, now, (answer) => {
    answers++
    feature(200 + answer.kind.length * 4 + Math.min(answer.aliases.length, 3))
  })
  const open: ExchangeEvent[] = []
  for (let turn = 0; turn < 60 && exchanger.size > 0; turn++) {
    for (let event = exchanger.pollEvent(); event !== null; event = exchanger.pollEvent())
      if (event.kind !== 'close') open.push(event)
    const event = open.shift()
    if (event === undefined || event.kind === 'close') exchanger.handleTimeout((now = exchanger.nextDeadline()))
    else if (turn % 5 === 4) exchanger.handleFailure(event.id, now)
    else {
      const query = event.kind === 'stream' ? event.bytes.subarray(2) : event.bytes
      const reply = text.length >= 12 && !(head & 4) ? replyTo(query, text) : text
      if (event.kind === 'datagram') exchanger.handleDatagram(event.id, SERVER.address, head & 8 ? 54 : 53, reply, now)
      else exchanger.handleStream(event.id, frameMessage(reply), now)
    }
  }
  if (exchanger.size > 0) violated('a question without an end')
  if (answers !== 1) violated(`${answers} answers to one question`)
  for (let event = exchanger.pollEvent(); event !== null; event = exchanger.pollEvent())
    if (event.kind !== 'close') violated('a question after its end')
}

function replyTo(query: Uint8Array, text: Uint8Array): Uint8Array {
  parseMessage(query, first)
  const asked = first.questions
  const verdict = parseMessage(text, second)
  if (verdict === 'short') return text
  const { id } = first
  try {
    return writeMessage({ ...second, id, isResponse: true, questions: asked })
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return text // it was cut off in the middle of a name
    throw error
  }
}

/** Messages, and the machines that they come to. */
export const dnsTarget: Target = {
  name: 'dns',
  headBytes: HEAD_BYTES,
  stepBytes: STEP_BYTES,
  mostSteps: 40,
  run(input) {
    const text = compose(input)
    tryCodec(text)
    dice.seed(input[3] ?? 0)
    tryFrames(text)
    tryServer(text)
    tryResolver(text, input[0] ?? 0)
    return 4
  },
}
