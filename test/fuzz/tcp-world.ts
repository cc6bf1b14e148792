// Two hosts with live connections between them, and whoever stands on the way: loses, repeats, reorders and forges segments, makes up
// strangers and ICMP errors, lets time pass; the applications write, read, open and close.
// Owns: what each step of an input does. Does not own: the properties (tcp-checks.ts, tcp-host.ts), changes to a segment (tcp-mutate.ts).
//
// A step is 8 bytes: what is done, two choices, a number, and a seed for the rest.

import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { Packet } from '../../src/link/device.ts'
import { FLAG } from '../../src/tcp/header.ts'
import { isSynchronized } from '../../src/tcp/state.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { Dice } from './dice.ts'
import { feature, type Target, violated } from './target.ts'
import { applicationDoes, finishStreams } from './tcp-applications.ts'
import { Draft } from './tcp-draft.ts'
import { copyOf, FuzzHost, giveBack, MOST_TIME_WAIT } from './tcp-host.ts'
import { icmpAbout } from './tcp-icmp.ts'
import { makeHarmless } from './tcp-intact.ts'
import { mutate } from './tcp-mutate.ts'
import { HEAD_BYTES, type WorldSettings, worldSettings } from './tcp-settings.ts'
import { streamText } from './tcp-stream.ts'

const STEP_BYTES = 8
const ADDRESSES = {
  4: [IpAddress.parse('10.0.0.1'), IpAddress.parse('10.0.0.2')],
  6: [IpAddress.parse('fd00::1'), IpAddress.parse('fd00::2')],
} as const
const STRANGERS = {
  4: Array.from({ length: 8 }, (_, i) => IpAddress.parse(`10.0.0.${16 + i}`)),
  6: Array.from({ length: 8 }, (_, i) => IpAddress.parse(`fd00::${(16 + i).toString(16)}`)),
} as const
const forged = new Packet()
const draft = new Draft()
const POISON = new Uint8Array(65536).fill(0x5a)

/** One world, from its making to its end. */
export class TcpWorld {
  readonly settings: WorldSettings
  readonly hosts: readonly [FuzzHost, FuzzHost]
  readonly dice = new Dice()
  now = 1_000_000

  constructor(head: Uint8Array) {
    const settings = worldSettings(head)
    this.settings = settings
    const addresses = ADDRESSES[settings.family]
    this.hosts = [this.#host(0, addresses), this.#host(1, addresses)]
    this.hosts.forEach((host, i) => {
      const other = this.hosts[1 - i]
      host.peerIss = (tcb) => other.record(tcb.remotePort, tcb.localPort)?.snd.iss ?? null
      host.readsAtOnce = i === 1 || settings.readsAtOnce
      host.acceptsAtOnce = i === 1 || settings.acceptsAtOnce
    })
    if (settings.opening < 2) this.open(settings.opening as 0 | 1, 0)
    if (settings.opening === 2) for (const i of [0, 1] as const) this.open(i, 7)
    if (settings.handshakes) for (let i = 0; i < 6; i++) this.deliver((i & 1) as 0 | 1, 3)
  }

  #host(index: 0 | 1, addresses: readonly [IpAddress, IpAddress]): FuzzHost {
    const { settings } = this
    const { md5Key } = settings
    const config = {
      addresses: [`${addresses[index]}/${settings.family === 4 ? 24 : 64}`],
      mtu: settings.mtu,
      random: new SeededRandom(index + 1),
      tcp: settings.tcp[index],
      timeWaitMax: MOST_TIME_WAIT,
      isn: () => settings.isn[index],
      ...(settings.offload && { offload: { checksum: true, superSegmentBytes: 20_000 } }),
    }
    const port = { backlog: settings.backlog, ...(md5Key !== null && { md5Key }) }
    return new FuzzHost(index, addresses, config, port, settings.isIntact)
  }

  /** A host opens a connection to the other; `ports` 7 means fixed ones, for both to open at once. */
  open(index: 0 | 1, ports: number): void {
    const host = this.hosts[index]
    const other = this.hosts[1 - index]
    const { md5Key } = this.settings
    const key = md5Key === null ? {} : { md5Key }
    const remotePort = ports === 7 ? 70 + (1 - index) : 80
    const localPort = ports === 7 ? 70 + index : 2000 + ports
    if (host.apps.length > 8) return
    const old = host.record(localPort, remotePort)
    if (old !== null && old.state !== 'CLOSED') return
    const remote = other.address
    host.now = this.now
    host.adopt(host.stack.connect({ remote, remotePort, localPort, ...key }, this.now))
    host.pump()
  }

  /** Up to `count` packets that a host has sent arrive. */
  deliver(from: 0 | 1, count: number): void {
    const { wire } = this.hosts[from]
    for (let i = 0; i < count && wire.length > 0; i++) {
      const packet = wire.shift() as Packet
      this.hosts[1 - from].receive(packet, this.now)
      giveBack(packet)
    }
  }

  /** Time passes; what is due happens. */
  advance(us: number): void {
    this.now += us
    for (const host of this.hosts) host.wake(this.now)
  }

  /** One step of an input. */
  step(bytes: Uint8Array, at: number): void {
    const kind = bytes[at] & 15
    const host = ((bytes[at] >> 4) & 1) as 0 | 1
    const a = bytes[at + 1]
    const b = bytes[at + 2]
    const dice = this.dice.seed(bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24))
    switch (kind) {
      case 0:
      case 1:
        this.deliver(host, 1 + (a & 7))
        break
      case 2:
        this.#disturb(host, a, dice)
        break
      case 3:
        this.#pass(a, bytes[at + 3])
        break
      case 4:
        applicationDoes(this, host, a, b, bytes[at + 3], dice)
        break
      case 5:
        this.#stranger(host, a, b, dice)
        break
      case 6:
        icmpAbout(this, host, a, dice)
        break
      case 7:
        this.#damageOnTheWay(host, a, dice)
        break
      default:
        this.#forge(host, a, b, dice)
    }
  }

  #pass(a: number, b: number): void {
    switch (a & 3) {
      case 0:
        this.advance(100 + 10 * b)
        break
      case 1:
        this.advance(1000 * b)
        break
      default: {
        const next = Math.min(...this.hosts.map((host) => host.stack.nextDeadline()))
        const most = this.settings.isIntact ? 3e6 : 200e6
        if (next !== Number.POSITIVE_INFINITY) this.advance(Math.min(most, Math.max(0, next - this.now)))
      }
    }
  }

  /** Loses, repeats or reorders what is on the way. */
  #disturb(from: 0 | 1, a: number, dice: Dice): void {
    const { wire } = this.hosts[from]
    if (wire.length === 0) return
    const i = dice.below(wire.length)
    switch (a & 3) {
      case 0:
        giveBack(wire.splice(i, 1)[0])
        break
      case 1:
        wire.push(copyOf(wire[i]))
        break
      case 2:
        wire.push(wire.splice(i, 1)[0])
        break
      default:
        wire.unshift(wire.splice(i, 1)[0])
    }
  }

  /** A segment that was sent to a host, or one like those, changed in up to four places. */
  #forge(from: 0 | 1, a: number, b: number, dice: Dice): void {
    const sender = this.hosts[from]
    const receiver = this.hosts[1 - from]
    const list = sender.wire.length > 0 && (a & 1) === 0 ? sender.wire : sender.history
    if (list.length === 0) return
    if (!draft.read(list[(a >> 1) % list.length])) return
    const victim = receiver.record(draft.destinationPort, draft.sourcePort)
    if (victim !== null && (b & 128) !== 0) draftFrom(victim, dice)
    mutate(draft, victim, b & 31, dice, this.now)
    for (let more = a >> 6; more > 0; more--) mutate(draft, victim, dice.below(18), dice, this.now)
    if (dice.oneIn(200)) draft.destinationPort = dice.pick([80, 81, 0])
    this.hand(sender, receiver, victim)
  }

  /** The draft arrives, from the other host's address. */
  hand(sender: FuzzHost, receiver: FuzzHost, victim: Tcb | null): void {
    const { settings } = this
    const peer = sender.record(draft.sourcePort, draft.destinationPort)
    if (settings.isIntact && !makeHarmless(draft, victim, peer, this.now)) return
    const key = settings.md5Key === null ? null : Buffer.from(settings.md5Key)
    draft.textLength = Math.min(draft.textLength, 20_000)
    const isSyn = (draft.flags & FLAG.SYN) !== 0
    const start = isSyn || victim === null ? 0 : (draft.seq - victim.rcv.irs - 1) | 0
    const isFalse = draft.isPoisoned || draft.offsetError !== 0
    if (isFalse && victim === null) receiver.isPoisoned = true
    else if (isFalse && victim !== null) receiver.poisoned.add(victim)
    const text = draft.isPoisoned ? POISON : streamText(sender.index, start, draft.textLength)
    draft.write(forged, sender.address, receiver.address, text, key)
    const before = victim === null ? 0 : victim.state.length
    receiver.receive(forged, this.now)
    if (victim !== null) feature(300 + ((draft.flags & 63) * 16 + before) * 2 + (victim.rcv.acksOwed > 0 ? 1 : 0))
  }

  /** Bytes of a packet on the way change; half of them have a right checksum all the same. */
  #damageOnTheWay(from: 0 | 1, a: number, dice: Dice): void {
    if (this.settings.isIntact) return
    const { history } = this.hosts[from]
    if (history.length === 0) return
    const receiver = this.hosts[1 - from]
    forged.copyFrom(history[a % history.length])
    receiver.isPoisoned = true
    const length = forged.end - forged.start
    for (let i = 0; i <= a >> 6; i++) forged.bytes[forged.start + dice.below(Math.min(length, 80))] = dice.below(256)
    if (dice.oneIn(2)) forged.end = forged.start + dice.below(length)
    if (dice.oneIn(2)) forged.checksum = 'verified'
    receiver.receive(forged, this.now)
    forged.checksum = 'complete'
  }

  /** Somebody else: SYNs, answers to our SYN,ACKs, and what follows. */
  #stranger(index: 0 | 1, a: number, b: number, dice: Dice): void {
    const host = this.hosts[index]
    if (this.settings.isIntact && [...host.tcbs.values()].some(isOpening)) return // it may be given up for a stranger's
    const who = dice.below(8)
    draft.clear()
    draft.sourcePort = 3000 + dice.below(4)
    draft.destinationPort = 80
    draft.seq = dice.oneIn(2) ? 5000 : dice.int32()
    draft.window = 20_000
    let address = STRANGERS[this.settings.family][who]
    const { strangers } = host
    if ((a & 1) === 0 || strangers.length === 0) {
      draft.flags = FLAG.SYN
      if (!dice.oneIn(3)) draft.addOption(2, 5, 0xb4)
      if (!dice.oneIn(3)) draft.addOption(8, 0, 0, 0, dice.below(9), 0, 0, 0, 0)
      if (dice.oneIn(2)) draft.addOption(4)
      if (dice.oneIn(2)) draft.addOption(3, dice.below(15))
      if (dice.oneIn(4)) draft.addOption(34)
      if (dice.oneIn(4)) draft.flags |= FLAG.ECE | FLAG.CWR
      if (dice.oneIn(4)) draft.textLength = dice.below(1000)
    } else {
      const open = strangers[(a >> 1) % strangers.length]
      address = STRANGERS[this.settings.family][open.who & 7]
      draft.sourcePort = open.port
      draft.seq = (open.ack + (dice.oneIn(3) ? dice.below(2000) : 0)) | 0
      draft.ack = (open.seq + 1) | 0
      if (open.tsVal !== 0) {
        const { tsVal } = open
        draft.addOption(8, 0, 0, 0, 9, tsVal >>> 24, tsVal >>> 16, tsVal >>> 8, tsVal)
      }
      if (dice.oneIn(3)) draft.textLength = dice.below(1000)
      if (dice.oneIn(5)) draft.flags |= FLAG.FIN
    }
    for (let more = b & 3; more > 1; more--) mutate(draft, null, dice.below(18), dice, this.now)
    const text = streamText((1 - index) as 0 | 1, 0, draft.textLength)
    draft.write(forged, address, host.address, text, null)
    host.receive(forged, this.now)
  }

  /** The input is at its end: in an intact world both streams now arrive. */
  finish(): void {
    if (this.settings.isIntact) finishStreams(this)
  }

  /** Packets handed to the stacks. */
  get packets(): number {
    return this.hosts[0].packetsIn + this.hosts[1].packetsIn
  }

  /** Gives back what it has borrowed. */
  drop(): void {
    for (const { wire, history } of this.hosts) {
      for (const packet of wire) giveBack(packet)
      for (const packet of history) giveBack(packet)
    }
  }
}

const isOpening = ({ state }: Tcb): boolean => state === 'SYN-SENT' || state === 'SYN-RECEIVED'

/** What the receiver would take next, without text. */
function draftFrom({ rcv, snd, state }: Tcb, dice: Dice): void {
  if (!isSynchronized(state)) return
  draft.flags = FLAG.ACK
  draft.seq = rcv.nxt
  draft.ack = dice.oneIn(2) ? snd.una : snd.nxt
  draft.textLength = dice.oneIn(2) ? 0 : dice.below(1000)
}

/** TCP with live connections. */
export const tcpTarget: Target = {
  name: 'tcp',
  headBytes: HEAD_BYTES,
  stepBytes: STEP_BYTES,
  mostSteps: 400,
  run(input) {
    const world = new TcpWorld(input)
    for (let at = HEAD_BYTES; at + STEP_BYTES <= input.length; at += STEP_BYTES) world.step(input, at)
    world.finish()
    const { packets } = world
    if (packets > 60_000) violated(`${packets} packets out of ${input.length} bytes of input`)
    world.drop()
    return packets
  },
}
