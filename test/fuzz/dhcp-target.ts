// DHCP: messages made of fields and options that mostly make sense, at a client in whatever state they have brought it to, and at a server.
// What was read comes back the same when it is written; a server answers once at most, with addresses of its pool alone, each to one client;
// a client always knows what it waits for.
// Owns: the messages and these properties. Does not own: the codec and the machines (src/dhcp).

import { put32 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { SECOND } from '../../src/base/time.ts'
import { DhcpClient } from '../../src/dhcp/client.ts'
import { type DhcpMessage, parseDhcp, writeDhcp } from '../../src/dhcp/message.ts'
import { OPTION } from '../../src/dhcp/options.ts'
import { DhcpServer } from '../../src/dhcp/server.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { Dice } from './dice.ts'
import { feature, type Target, violated } from './target.ts'

const HEAD_BYTES = 2
const STEP_BYTES = 6
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const SERVER = '10.0.0.2'
const POOL = ['10.0.0.100', '10.0.0.107'] as const
const ADDRESSES = [
  ...POOL,
  SERVER,
  '10.0.0.103',
  '0.0.0.0',
  '255.255.255.255',
  '192.0.2.9',
  '127.0.0.1',
  '224.0.0.1',
  '10.0.0.200',
]
const OPTIONS = Object.values(OPTION)

const dice = new Dice()
const bytes = new Uint8Array(1200)

function putAddress(at: number, text: string): void {
  IpAddress.parse(text).write(bytes, at)
}

function optionBytes(code: number, type: number): number[] {
  switch (code) {
    case OPTION.messageType:
      return [type]
    case OPTION.serverId:
      return [10, 0, 0, dice.oneIn(6) ? 3 : 2]
    case OPTION.requestedAddress:
    case OPTION.router:
    case OPTION.dns: {
      putAddress(bytes.length - 4, dice.pick(ADDRESSES))
      return [...bytes.subarray(bytes.length - 4)]
    }
    case OPTION.subnetMask:
      return dice.pick([
        [255, 255, 255, 0],
        [255, 0, 255, 0],
        [0, 0, 0, 0],
        [255, 255, 255, 255],
      ])
    case OPTION.leaseTime:
    case OPTION.renewalTime:
    case OPTION.rebindingTime:
      return dice.pick([
        [0, 0, 0, 60],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
        [255, 255, 255, 255],
        [127, 0, 0, 0],
      ])
    case OPTION.overload:
      return [dice.below(5)]
    default:
      return Array.from({ length: dice.below(12) }, () => dice.below(256))
  }
}

/** A message in `bytes`; its length. */
function compose(step: Uint8Array, isReply: boolean, xid: number): number {
  bytes.fill(0)
  bytes.set([dice.oneIn(30) ? dice.below(4) : isReply ? 2 : 1, 1, dice.oneIn(40) ? 7 : 6])
  put32(bytes, 4, dice.oneIn(12) ? dice.int32() : xid)
  bytes[10] = dice.oneIn(2) ? 0x80 : 0
  for (const at of [12, 16, 20, 24]) if (dice.oneIn(at === 16 && isReply ? 1 : 4)) putAddress(at, dice.pick(ADDRESSES))
  bytes.set(MAC, 28)
  if (!isReply) bytes[33] = dice.below(30)
  put32(bytes, 236, dice.oneIn(40) ? 0 : 0x63825363)
  const type = isReply
    ? dice.pick([2, 2, 5, 5, 6, dice.below(10)])
    : dice.pick([1, 1, 3, 3, 3, 4, 7, 8, dice.below(10)])
  let at = 240
  const put = (code: number): void => {
    const data = optionBytes(code, type)
    bytes.set([code, dice.oneIn(40) ? dice.below(256) : data.length, ...data], at)
    at += 2 + data.length
  }
  put(OPTION.messageType)
  for (const code of isReply ? [OPTION.serverId, OPTION.leaseTime] : [OPTION.requestedAddress])
    if (!dice.oneIn(6)) put(code)
  for (let count = dice.below(6); count > 0; count--) put(dice.oneIn(4) ? dice.below(256) : dice.pick(OPTIONS))
  if (!dice.oneIn(4)) bytes[at++] = 255
  for (let i = step[1] >> 6; i > 0; i--) bytes[dice.below(at)] = dice.below(256)
  return dice.oneIn(12) ? dice.below(at) : at
}

function textOf({ op, xid, secs, isBroadcast, ciaddr, yiaddr, siaddr, giaddr, chaddr, options }: DhcpMessage): string {
  const all = [...options].map(([code, data]) => `${code}:${Buffer.from(data).toString('hex')}`)
  return [op, xid, secs, isBroadcast, ciaddr, yiaddr, siaddr, giaddr, chaddr, ...all].join(' ')
}

function tryCodec(message: Uint8Array): void {
  const read = parseDhcp(message)
  feature(read === null ? 1 : 2 + Math.min(read.options.size, 20))
  // What stood in the fields of names stands among the options now, and says so no longer.
  if (read === null || read.options.has(OPTION.overload)) return
  const again = parseDhcp(writeDhcp(read))
  if (again === null) violated('what was read cannot be read once it is written')
  if (textOf(again) !== textOf(read)) violated(`'${textOf(read)}' comes back as '${textOf(again)}'`)
}

function judgeServer(server: DhcpServer): void {
  let answers = 0
  for (let out = server.pollTransmit(); out !== null; out = server.pollTransmit()) {
    answers++
    const reply = parseDhcp(out.bytes)
    if (reply === null) violated('a server answers with what cannot be read')
    const { yiaddr } = reply
    const isPool = yiaddr.w3 >= IpAddress.parse(POOL[0]).w3 && yiaddr.w3 <= IpAddress.parse(POOL[1]).w3
    if (!yiaddr.isUnspecified && !isPool) violated(`it gives ${yiaddr}`)
  }
  if (answers > 1) violated(`${answers} answers to one message`)
  const { leases } = server.leases
  if (leases.length > 8) violated(`${leases.length} leases of 8 addresses`)
  if (new Set(leases.map(({ address }) => String(address))).size !== leases.length)
    violated('an address is given twice')
  feature(100 + leases.length)
}

function judgeClient(client: DhcpClient, now: number): number {
  let xid = 0
  let sent = 0
  for (let out = client.pollTransmit(); out !== null; out = client.pollTransmit()) {
    const message = parseDhcp(out.bytes)
    if (message === null) violated('a client sends what cannot be read')
    xid = message.xid
    sent++
  }
  if (sent > 2) violated(`a client sends ${sent} messages at once`)
  for (let event = client.pollEvent(); event !== null; event = client.pollEvent()) {
    feature(140 + event.type.length)
    if (event.type === 'check') client.handleCheck(!dice.oneIn(4), now)
  }
  const { state, lease } = client
  feature(200 + state.length)
  const hasAddress = state === 'BOUND' || state === 'RENEWING' || state === 'REBINDING'
  if (hasAddress !== (lease !== null)) violated(`${state} ${lease === null ? 'without' : 'with'} a lease`)
  if (client.nextDeadline() === Infinity && lease?.expiresAt !== Infinity) violated(`${state} for ever`)
  return xid
}

/** DHCP's messages and machines. */
export const dhcpTarget: Target = {
  name: 'dhcp',
  headBytes: HEAD_BYTES,
  stepBytes: STEP_BYTES,
  mostSteps: 40,
  run(input) {
    const address = IpAddress.parse(SERVER)
    const [first, last] = POOL.map((text) => IpAddress.parse(text))
    const isChecked = ((input[0] ?? 0) & 1) !== 0
    const server = new DhcpServer({ address, prefixLength: 24, first, last, isChecked, leaseS: 60 })
    const client = new DhcpClient({ random: new SeededRandom((input[1] ?? 0) + 1), mac: MAC })
    let now = 0
    let xid = 0
    let count = 0
    client.start(now)
    for (let at = HEAD_BYTES; at + STEP_BYTES <= input.length; at += STEP_BYTES) {
      const step = input.subarray(at, at + STEP_BYTES)
      dice.seed(step[2] | (step[3] << 8) | (step[4] << 16) | (step[5] << 24))
      now += (step[1] & 63) ** 2 * (SECOND / 50)
      for (let turn = 0; turn < 4 && client.nextDeadline() <= now; turn++) {
        client.handleTimeout(now)
        xid = judgeClient(client, now) || xid
      }
      const isReply = (step[0] & 1) !== 0
      const message = bytes.slice(0, compose(step, isReply, xid))
      tryCodec(message)
      if (isReply) client.handleMessage(message, now)
      else server.handleMessage(message, now)
      if ((step[0] & 14) === 14) client.handleConflict(now)
      xid = judgeClient(client, now) || xid
      judgeServer(server)
      for (let event = server.pollEvent(); event !== null; event = server.pollEvent()) {
        if (event.type === 'check') server.handleCheck(event.address, !dice.oneIn(5), now)
        judgeServer(server)
      }
      count++
    }
    return count
  },
}
